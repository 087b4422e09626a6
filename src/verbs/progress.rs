//! How a sending issue is getting on: counted from the rows, never remembered.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::delivery::counts::Counts;
use crate::delivery::state::DeliveryState;
use crate::store;
use crate::store::delivery::{AttemptRow, DeliveryRow, Problem};
use crate::store::issue::IssueState;
use crate::values::clock::Millis;
use crate::values::ids::{IssueId, SubscriberId};
use crate::verbs::app::App;
use crate::verbs::hours;

/// Everything a live page, the command line and a report show of an issue's sending.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Progress {
    pub state: IssueState,
    pub state_reason: String,
    #[serde(flatten)]
    pub counts: Counts,
    /// Of the pending: those that wait for their hour, and when the next of them is due.
    pub waiting: i64,
    pub waiting_next: Option<Millis>,
    pub hold_until: Option<Millis>,
    pub published_at: Option<Millis>,
    pub finished_at: Option<Millis>,
    /// Deliveries settled a minute, over the last half minute of looking; `None` before there are two looks.
    pub per_minute: Option<f64>,
    /// The relay takes no mail until then, and why: a fault of ours, no reader is touched.
    pub relay_paused_until: Option<Millis>,
    pub relay_paused_reason: Option<String>,
}

/// Counting a million rows takes tens of milliseconds; however many pages look, it takes no more than a tenth of one
/// core: an answer is given again for as long as ten times what it took to find.
const PATIENCE: u32 = 10;
/// Pace is measured over this long.
const PACE_WINDOW: Duration = Duration::from_secs(30);
/// Issues remembered before the memory is cleared; only those somebody looks at are in it.
const ISSUES_MAX: usize = 256;

/// What was answered lately, by issue.
#[derive(Debug, Default)]
pub struct Looks(Mutex<HashMap<IssueId, Look>>);

#[derive(Debug)]
struct Look {
    progress: Progress,
    at: Instant,
    took: Duration,
    /// (when, deliveries settled), oldest first, within the pace window.
    trail: Vec<(Instant, i64)>,
}

/// How an issue is getting on; `None` if there is no such issue. All numbers are of one snapshot, and the states add
/// up to the audience.
///
/// # Errors
/// When the store cannot.
pub async fn status(app: &App, issue: IssueId) -> anyhow::Result<Option<Progress>> {
    if let Some(fresh) = app.looks.fresh(issue) {
        return Ok(Some(fresh));
    }
    let began = Instant::now();
    let Some(progress) = read(app, issue).await? else { return Ok(None) };
    Ok(Some(app.looks.keep(issue, progress, began)))
}

async fn read(app: &App, issue: IssueId) -> anyhow::Result<Option<Progress>> {
    let mut tx = app.store.read().await?;
    let Some(row) = store::issue::by_id(&mut tx, issue).await? else { return Ok(None) };
    let counts = store::delivery::counts(&mut tx, issue).await?;
    let newsletter = store::newsletter::by_id(&mut tx, row.newsletter_id).await?;
    let has_hours = newsletter.as_ref().is_some_and(|newsletter| !hours::of(Some(&row), newsletter).is_plain());
    let (waiting, waiting_next) = match has_hours && counts.pending > 0 {
        true => store::delivery::hours::waiting(&mut tx, issue).await?,
        false => (0, None),
    };
    let relay = match newsletter.and_then(|newsletter| newsletter.relay_id) {
        Some(id) => store::relay::by_id(&mut tx, id).await?.filter(|relay| relay.is_paused(tx.now)),
        None => None,
    };
    Ok(Some(Progress {
        state: row.state,
        state_reason: row.state_reason,
        counts,
        waiting,
        waiting_next,
        hold_until: row.hold_until.map(Millis),
        published_at: row.published_at.map(Millis),
        finished_at: row.finished_at.map(Millis),
        per_minute: None,
        relay_paused_until: relay.as_ref().and_then(|relay| relay.paused_until).map(Millis),
        relay_paused_reason: relay.and_then(|relay| relay.paused_reason),
    }))
}

impl Looks {
    fn fresh(&self, issue: IssueId) -> Option<Progress> {
        let looks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let look = looks.get(&issue)?;
        (look.at.elapsed() < look.took * PATIENCE).then(|| look.progress.clone())
    }

    /// Whoever changes an issue's state sees it at once: the last answer is not given again. Its pace is kept.
    pub(super) fn outdate(&self, issue: IssueId) {
        let mut looks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(look) = looks.get_mut(&issue) {
            look.took = Duration::ZERO;
        }
    }

    fn keep(&self, issue: IssueId, mut progress: Progress, began: Instant) -> Progress {
        let mut looks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if looks.len() >= ISSUES_MAX {
            looks.clear();
        }
        let now = Instant::now();
        let mut trail = looks.remove(&issue).map(|look| look.trail).unwrap_or_default();
        trail.retain(|(at, _)| now.duration_since(*at) < PACE_WINDOW);
        trail.push((now, progress.counts.total() - progress.counts.unfinished()));
        progress.per_minute = pace(&trail);
        let look = Look { progress: progress.clone(), at: now, took: now.duration_since(began), trail };
        looks.insert(issue, look);
        progress
    }
}

#[expect(clippy::cast_precision_loss, reason = "a pace of 2^52 a minute is not reached")]
fn pace(trail: &[(Instant, i64)]) -> Option<f64> {
    let ((from, before), (to, after)) = (trail.first()?, trail.last()?);
    let seconds = to.duration_since(*from).as_secs_f64();
    (seconds >= 0.5).then(|| (after - before).max(0) as f64 * 60.0 / seconds)
}

/// A page of an issue's deliveries, after a reader, for lists and exports: ask again with the last one's id until it
/// comes back empty.
///
/// # Errors
/// When the store cannot.
pub async fn deliveries(
    app: &App,
    issue: IssueId,
    after: Option<SubscriberId>,
    state: Option<DeliveryState>,
    limit: i64,
) -> anyhow::Result<Vec<DeliveryRow>> {
    let mut tx = app.store.read().await?;
    Ok(store::delivery::page(&mut tx, issue, after.unwrap_or(SubscriberId(0)), state, limit).await?)
}

/// The last tries that went wrong, newest first.
///
/// # Errors
/// When the store cannot.
pub async fn problems(app: &App, issue: IssueId, limit: i64) -> anyhow::Result<Vec<Problem>> {
    let mut tx = app.store.read().await?;
    Ok(store::delivery::problems(&mut tx, issue, limit).await?)
}

/// One reader's copy of one issue with the tries that were not answered with 2xx.
///
/// # Errors
/// When the store cannot.
pub async fn delivery(
    app: &App,
    issue: IssueId,
    subscriber: SubscriberId,
) -> anyhow::Result<Option<(DeliveryRow, Vec<AttemptRow>)>> {
    let mut tx = app.store.read().await?;
    let Some(row) = store::delivery::one(&mut tx, issue, subscriber).await? else { return Ok(None) };
    let attempts = store::delivery::attempts(&mut tx, issue, subscriber).await?;
    Ok(Some((row, attempts)))
}

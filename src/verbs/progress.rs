//! How a sending issue is getting on: counted from the rows, never remembered.

mod relays;

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

pub use self::relays::{Site as SiteStanding, Standing as RelayStanding};
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
    /// The list of readers is still being written; `audience` grows, and nothing leaves yet.
    pub freezing: bool,
    #[serde(flatten)]
    pub counts: Counts,
    /// Of the pending: those that wait for their hour, and when the next of them is due.
    pub waiting: i64,
    pub waiting_next: Option<Millis>,
    /// It is quiet hours for every reader until then; nothing is begun before.
    pub quiet_until: Option<Millis>,
    /// Of the pending: those that are tried again later, and when the next of them is.
    pub deferred: i64,
    pub deferred_next: Option<Millis>,
    pub hold_until: Option<Millis>,
    pub published_at: Option<Millis>,
    pub finished_at: Option<Millis>,
    /// Deliveries settled a minute, over the last half minute of looking; `None` before there are two looks.
    pub per_minute: Option<f64>,
    /// When all that can go now has gone, at this pace.
    pub done_about: Option<Millis>,
    pub relays: Vec<RelayStanding>,
    /// Readers in doubt at most if the machine that sends dies at this moment.
    pub in_doubt_at_most: i64,
    /// No relay takes mail until then, and why: a fault of ours, no reader is touched.
    pub relay_paused_until: Option<Millis>,
    pub relay_paused_reason: Option<String>,
}

impl Progress {
    /// Deliveries that can go now: neither tried again later nor waiting for their hour.
    #[must_use]
    pub fn left(&self) -> i64 {
        (self.counts.unfinished() - self.deferred - self.waiting).max(0)
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "an estimate, in minutes")]
    fn done_at(&self, now: Millis) -> Option<Millis> {
        let held = self.hold_until.is_some_and(|until| until > now);
        let pace = self
            .per_minute
            .filter(|pace| *pace >= 1.0 && self.state == IssueState::Sending && !held && !self.freezing)?;
        let left = self.left();
        (left > 0).then(|| now.plus((left as f64 / pace * Millis::MINUTE as f64) as i64))
    }
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
    Ok(Some(app.looks.keep(issue, progress, began, app.clock.now())))
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
    let night = match has_hours && counts.pending > 0 {
        true => store::rendering::night(&mut tx, issue).await?,
        false => None,
    };
    let (deferred, deferred_next) = match counts.pending {
        0 => (0, None),
        _ => store::delivery::deferred(&mut tx, issue, has_hours).await?,
    };
    let relays = match (&newsletter, counts.unfinished()) {
        (Some(newsletter), 1..) => relays::of(app, &mut tx, newsletter).await?,
        _ => Vec::new(),
    };
    let resting = resting(&relays);
    Ok(Some(Progress {
        freezing: row.is_freezing(),
        state: row.state,
        state_reason: row.state_reason,
        waiting,
        waiting_next,
        quiet_until: night.and_then(|night| night.end_for_all(tx.now)),
        deferred,
        deferred_next,
        hold_until: row.hold_until.map(Millis),
        published_at: row.published_at.map(Millis),
        finished_at: row.finished_at.map(Millis),
        per_minute: None,
        done_about: None,
        in_doubt_at_most: in_doubt_at_most(&relays, &counts),
        relay_paused_until: resting.and_then(|relay| relay.rests_until),
        relay_paused_reason: resting.and_then(|relay| relay.why.clone()),
        relays,
        counts,
    }))
}

/// Of relays that all rest, the one that is tried first.
fn resting(relays: &[RelayStanding]) -> Option<&RelayStanding> {
    let first = relays.iter().min_by_key(|relay| relay.rests_until)?;
    first.rests_until.map(|_| first)
}

/// What may be on the wire unanswered on all connections together. Without relays the catcher takes the mail.
fn in_doubt_at_most(relays: &[RelayStanding], counts: &Counts) -> i64 {
    let most = match relays {
        [] => store::relay::IN_DOUBT_DEFAULT,
        some => some.iter().map(|relay| relay.in_doubt_max).sum(),
    };
    most.min(counts.unfinished())
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

    fn keep(&self, issue: IssueId, mut progress: Progress, began: Instant, asked: Millis) -> Progress {
        let mut looks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if looks.len() >= ISSUES_MAX {
            looks.clear();
        }
        let now = Instant::now();
        let mut trail = looks.remove(&issue).map(|look| look.trail).unwrap_or_default();
        trail.retain(|(at, _)| now.duration_since(*at) < PACE_WINDOW);
        trail.push((now, progress.counts.total() - progress.counts.unfinished()));
        progress.per_minute = pace(&trail);
        progress.done_about = progress.done_at(asked);
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

/// Where an issue's deliveries stand at this moment.
///
/// # Errors
/// When the store cannot.
pub async fn counts(app: &App, issue: IssueId) -> anyhow::Result<Counts> {
    Ok(store::delivery::counts(&mut app.store.read().await?, issue).await?)
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

//! Publishing and everything an editor can do to an issue's sending. Each verb is one transaction, except where it is
//! about every reader: then the first one decides, and the rest follows piece by piece.

pub mod freezing;

use anyhow::Context as _;
use serde_json::json;

use crate::issue::finding::Severity;
use crate::issue::rendered::Rendered;
use crate::store::event::About;
use crate::store::issue::{IssueRow, IssueState};
use crate::store::{self, Tx};
use crate::values::clock::Millis;
use crate::values::ids::IssueId;
use crate::verbs::app::App;
use crate::verbs::editing::rendering::{self, Ready};
use crate::verbs::failpoint;
use crate::verbs::hours;
use crate::verbs::refusal::Refusal;
use crate::verbs::warm_up;

/// What became of a call to publish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Published {
    /// This call froze it: so many readers, first mail not before.
    Now { audience: i64, hold_until: Millis },
    /// Somebody else was first; nothing was done twice.
    Already,
}

/// The longest undo hold: a day. Longer waits are what scheduling is for.
pub const HOLD_MS_MAX: i64 = Millis::DAY;

/// Leaves an issue for the newsletter's next slot, if it could be sent as it is.
///
/// # Errors
/// [`Refusal`], or the store cannot.
pub async fn mark_ready(app: &App, issue: IssueId) -> anyhow::Result<()> {
    checked(app, issue).await?;
    shift(app, issue, &[IssueState::Draft], IssueState::Ready, "marked ready").await
}

/// Takes it back from the slot: a draft again.
///
/// # Errors
/// [`Refusal`], or the store cannot.
pub async fn unmark_ready(app: &App, issue: IssueId) -> anyhow::Result<()> {
    shift(app, issue, &[IssueState::Ready], IssueState::Draft, "made a draft again").await
}

/// Gives an issue a time, if it could be sent as it is: an instant, and the wall time and zone it was said in.
///
/// # Errors
/// [`Refusal`], or the store cannot.
pub async fn schedule(app: &App, issue: IssueId, at: Millis, wall: &str, zone: &str) -> anyhow::Result<()> {
    checked(app, issue).await?;
    let mut tx = app.store.write().await?;
    let row = known(&mut tx, issue).await?;
    if !store::issue::schedule(&mut tx, issue, wall, zone, at).await? {
        return Err(Refusal::State { state: row.state, wanted: "scheduled" }.into());
    }
    note(&mut tx, "issue.scheduled", &row, json!({ "at": at, "wall": wall, "zone": zone })).await?;
    tx.commit().await?;
    tell(app, issue);
    Ok(())
}

/// Takes the time from a scheduled or held issue: a draft again.
///
/// # Errors
/// [`Refusal`], or the store cannot.
pub async fn unschedule(app: &App, issue: IssueId) -> anyhow::Result<()> {
    let mut tx = app.store.write().await?;
    let row = known(&mut tx, issue).await?;
    if !store::issue::unschedule(&mut tx, issue).await? {
        return Err(Refusal::State { state: row.state, wanted: "taken from the schedule" }.into());
    }
    note(&mut tx, "issue.unscheduled", &row, json!({})).await?;
    tx.commit().await?;
    tell(app, issue);
    Ok(())
}

/// The issue as it would go out, if nothing keeps it from that; pictures that lie elsewhere are fetched for it.
///
/// # Errors
/// [`Refusal::Blocked`] with what must be put right, [`Refusal::NoSuchIssue`], or the store cannot.
pub async fn checked(app: &App, issue: IssueId) -> anyhow::Result<Ready> {
    let ready = rendering::for_sending(app, issue).await?.ok_or(Refusal::NoSuchIssue)?;
    if ready.is_blocked() {
        let blocks = ready.findings.into_iter().filter(|finding| finding.severity == Severity::Blocks);
        return Err(Refusal::Blocked(blocks.collect()).into());
    }
    Ok(ready)
}

/// Checks, renders and publishes: the issue goes out when the hold is over.
///
/// # Errors
/// [`Refusal`], or the store cannot; then nothing was frozen.
pub async fn send(app: &App, issue: IssueId, hold_ms: i64) -> anyhow::Result<Published> {
    let ready = checked(app, issue).await?;
    freeze(app, issue, ready.row.revision, &ready.rendered, hold_ms).await
}

/// Freezes `rendered` and the audience: from here on the issue is sending, its first mail leaving when the whole
/// audience is written down and the hold is over. Called twice, or by two at once, it publishes once.
///
/// # Errors
/// [`Refusal`], or the store cannot; then nothing was frozen, or (the error says so) it goes on by itself.
pub async fn freeze(
    app: &App,
    issue: IssueId,
    revision: i64,
    rendered: &Rendered,
    hold_ms: i64,
) -> anyhow::Result<Published> {
    freezing::thawed(app, issue).await?;
    let mut tx = app.store.write().await?;
    let row = known(&mut tx, issue).await?;
    let hold_until = tx.now.plus(hold_ms.clamp(0, HOLD_MS_MAX));
    if !store::issue::publish(&mut tx, issue, revision).await? {
        return lost_the_race(&mut tx, issue).await;
    }
    let newsletter = store::newsletter::by_id(&mut tx, row.newsletter_id).await?.context("the newsletter is gone")?;
    if newsletter.relay_id.is_none() && app.outlet.needs_relay() {
        return Err(Refusal::NoRelay.into());
    }
    let masthead = newsletter.masthead(&app.config.public_url);
    store::rendering::insert(&mut tx, issue, rendered, &masthead, hold_until).await?;
    failpoint::check("publishing")?;
    if store::delivery::freeze::by_issue(&mut tx, issue).await?.is_some() {
        return Err(Refusal::Changing.into());
    }
    let mut work = hours::begin_freeze(&mut tx, &row, &newsletter, hold_until).await?;
    let whole = freezing::first(&mut tx, &mut work).await?;
    if work.readers == 0 {
        return Err(Refusal::NoReaders.into());
    }
    if whole {
        freezing::end(&mut tx, app, &work).await?;
    }
    failpoint::check("frozen")?;
    tx.commit().await?;
    tell(app, issue);
    if whole {
        failpoint::check("published")?;
        return Ok(Published::Now { audience: work.readers, hold_until });
    }
    let rest = freezing::drive(app, work).await.context(
        "the list of readers could not be written to its end; a running `broadsheet serve` goes on with it, and \
         nothing is sent before",
    )?;
    Ok(rest.map_or(Published::Already, |audience| Published::Now { audience, hold_until }))
}

/// Why the guarded UPDATE changed nothing: published by somebody else, or saved in between.
async fn lost_the_race(tx: &mut Tx, issue: IssueId) -> anyhow::Result<Published> {
    let row = known(tx, issue).await?;
    match row.state {
        IssueState::Sending | IssueState::Paused | IssueState::Sent => Ok(Published::Already),
        IssueState::Cancelled => Err(Refusal::State { state: row.state, wanted: "sent" }.into()),
        _ => Err(Refusal::Changing.into()),
    }
}

/// While the audience is frozen and the hold lasts: a draft again, as if it had never been published. Its readers' rows
/// go piece by piece.
///
/// # Errors
/// [`Refusal::TooLate`] once the hold is over, or the store cannot.
pub async fn undo(app: &App, issue: IssueId) -> anyhow::Result<()> {
    let mut tx = app.store.read().await?;
    let row = known(&mut tx, issue).await?;
    if !matches!(row.state, IssueState::Sending | IssueState::Paused) {
        return Err(Refusal::State { state: row.state, wanted: "taken back" }.into());
    }
    // While the hold lasts nothing can be; were it, because a clock was set back, it is no draft any more.
    if store::delivery::freeze::is_touched(&mut tx, issue).await? {
        return Err(Refusal::TooLate.into());
    }
    drop(tx);
    let mut tx = app.store.write().await?;
    let row = known(&mut tx, issue).await?;
    if !store::issue::unpublish(&mut tx, issue).await? {
        return Err(Refusal::TooLate.into());
    }
    if !row.is_freezing() {
        warm_up::undo(&mut tx, app, issue, row.newsletter_id).await?;
    }
    let work = store::delivery::freeze::begin_thaw(&mut tx, issue, row.newsletter_id).await?;
    store::rendering::remove(&mut tx, issue).await?;
    note(&mut tx, "issue.undone", &row, json!({})).await?;
    tx.commit().await?;
    tell(app, issue);
    freezing::thaw(app, work).await
}

/// Stops an issue for now: what is on the wire at this moment ends, nothing else leaves. `why` is for the editor.
///
/// # Errors
/// [`Refusal`], or the store cannot.
pub async fn pause(app: &App, issue: IssueId, why: &str) -> anyhow::Result<()> {
    let mut tx = app.store.write().await?;
    let row = known(&mut tx, issue).await?;
    if !store::issue::move_to(&mut tx, issue, &[IssueState::Sending], IssueState::Paused, why).await? {
        return Err(Refusal::State { state: row.state, wanted: "paused" }.into());
    }
    note(&mut tx, "issue.paused", &row, json!({ "why": why })).await?;
    tx.commit().await?;
    tell(app, issue);
    Ok(())
}

/// Goes on with a paused issue.
///
/// # Errors
/// [`Refusal`], or the store cannot.
pub async fn resume(app: &App, issue: IssueId) -> anyhow::Result<()> {
    app.breakers.forget(issue);
    shift(app, issue, &[IssueState::Paused], IssueState::Sending, "resumed").await
}

/// Cancels the rest: whoever has not been sent it yet will not be. Gives how many were skipped at once; what is
/// claimed at this moment follows as it comes back.
///
/// # Errors
/// [`Refusal`], or the store cannot.
pub async fn cancel(app: &App, issue: IssueId) -> anyhow::Result<u64> {
    let mut tx = app.store.write().await?;
    let row = known(&mut tx, issue).await?;
    let from = [IssueState::Sending, IssueState::Paused];
    if !store::issue::move_to(&mut tx, issue, &from, IssueState::Cancelled, "").await? {
        return Err(Refusal::State { state: row.state, wanted: "cancelled" }.into());
    }
    store::delivery::freeze::stop(&mut tx, issue).await?;
    let mut skipped = store::delivery::settle::cancel_pending(&mut tx, issue).await?;
    note(&mut tx, "issue.cancelled", &row, json!({})).await?;
    tx.commit().await?;
    // A piece at a time, so that whoever signs up meanwhile waits for a piece and not for a million rows. Stopped
    // half-way, the engine's own sweep does the rest.
    let mut more = skipped;
    while more > 0 {
        let mut tx = app.store.write().await?;
        more = store::delivery::settle::cancel_pending(&mut tx, issue).await?;
        tx.commit().await?;
        skipped += more;
    }
    tell(app, issue);
    Ok(skipped)
}

async fn shift(
    app: &App,
    issue: IssueId,
    from: &[IssueState],
    to: IssueState,
    wanted: &'static str,
) -> anyhow::Result<()> {
    let mut tx = app.store.write().await?;
    let row = known(&mut tx, issue).await?;
    if row.state == to {
        return Ok(());
    }
    if !store::issue::move_to(&mut tx, issue, from, to, "").await? {
        return Err(Refusal::State { state: row.state, wanted }.into());
    }
    if to == IssueState::Sending {
        store::breaker::forget(&mut tx, issue).await?;
    }
    note(&mut tx, &format!("issue.{}", to.as_str()), &row, json!({ "from": row.state })).await?;
    tx.commit().await?;
    tell(app, issue);
    Ok(())
}

pub(super) async fn known(tx: &mut Tx, issue: IssueId) -> anyhow::Result<IssueRow> {
    Ok(store::issue::by_id(tx, issue).await?.ok_or(Refusal::NoSuchIssue)?)
}

async fn note(tx: &mut Tx, kind: &str, row: &IssueRow, detail: serde_json::Value) -> anyhow::Result<()> {
    let about = About { newsletter: Some(row.newsletter_id), issue: Some(row.id), ..About::default() };
    store::event::insert(tx, kind, about, &detail).await?;
    Ok(())
}

/// Wakes the engine and the live pages.
pub(super) fn tell(app: &App, issue: IssueId) {
    app.looks.outdate(issue);
    app.wake.notify_waiters();
    tell_page(app, issue);
}

/// Only the live pages.
fn tell_page(app: &App, issue: IssueId) {
    // Nobody looking is no error.
    let _ = app.changed.send(issue);
}

//! What happens because it is time: issues that were given one, and the slots of newsletters.
//!
//! A slot that fires gives its issue the slot's own time, in the transaction that writes the slot down; from there it
//! goes the way of every scheduled issue. So whatever is killed in between goes on where it stopped, and any number
//! of schedulers fire a slot once.

use std::time::Duration;

use anyhow::Context as _;
use jiff::tz::TimeZone;
use serde_json::json;

use super::app::App;
use super::refusal::Refusal;
use super::{failpoint, hours, membership, notices, publish};
use crate::schedule::hours::plan;
use crate::schedule::slots::{self, Decision, Situation};
use crate::schedule::{Firing, Schedule, wall, zone};
use crate::store::event::{self, About};
use crate::store::issue::{self, IssueRow, IssueState};
use crate::store::newsletter::{self, Newsletter};
use crate::store::slot::{self, SlotState};
use crate::store::{Tx, delivery, welcome};
use crate::values::clock::Millis;
use crate::values::ids::NewsletterId;

/// Never looked at more often than this, however often the bell rings.
const PAUSE_MIN: Duration = Duration::from_secs(1);
/// Never looked at less often: a clock that was set, or an issue scheduled by another process, is noticed by then.
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// Not earlier than this: the audience is frozen then, and whoever signs up later gets the next issue.
const LEAD_MILLIS_MAX: i64 = Millis::MINUTE;
/// Notices older than this are of slots long past.
const TOLD_KEPT_MILLIS: i64 = 14 * Millis::DAY;

/// Decides what is due, and again at the next due instant or when the app's bell rings, until the app stops.
///
/// # Errors
/// None for now; a fault of the database is logged and tried again.
pub async fn run(app: App) -> anyhow::Result<()> {
    while !app.stop.is_cancelled() {
        // Listening before looking: a bell that rings meanwhile is not missed.
        let mut bell = std::pin::pin!(app.wake.notified());
        bell.as_mut().enable();
        if let Err(error) = tick(&app).await {
            tracing::error!(
                error = format!("{error:#}"),
                "the schedule could not be looked at; nothing was sent for it"
            );
        }
        let nothing_due = pause(&app).await.unwrap_or(PAUSE_MAX);
        let rested = async {
            tokio::time::sleep(PAUSE_MIN).await;
            tokio::select! {
                () = bell => {}
                () = tokio::time::sleep(nothing_due.saturating_sub(PAUSE_MIN)) => {}
            }
        };
        tokio::select! {
            () = app.stop.cancelled() => {}
            () = rested => {}
        }
    }
    Ok(())
}

/// Decides everything that is due now: slots first, which schedules their issues, then scheduled issues, which are
/// published a minute ahead of their time (see `lead_millis`).
///
/// # Errors
/// The first fault met, after everything else was tried; what was decided stays decided.
pub async fn tick(app: &App) -> anyhow::Result<()> {
    let mut tx = app.store.read().await?;
    let with_slot: Vec<Newsletter> = newsletter::all(&mut tx).await?.into_iter().filter(|n| n.slot.is_some()).collect();
    tx.commit().await?;
    let mut faults = Vec::new();
    for newsletter in with_slot {
        let decided = decide_slots(app, newsletter.id).await;
        faults.extend(decided.with_context(|| format!("the slots of {}", newsletter.name)).err());
    }
    faults.extend(hours::follow(app).await.context("the times of issues at readers' own hours").err());
    faults.extend(membership::write_due(app).await.context("the welcome of new readers").err());
    let mut tx = app.store.read().await?;
    let soon = tx.now.plus(lead_millis(app));
    let due = issue::due(&mut tx, soon).await?;
    tx.commit().await?;
    for issue in due {
        let published = publish_due(app, &issue).await;
        faults.extend(published.with_context(|| format!("the issue \"{}\"", issue.subject)).err());
    }
    faults.into_iter().next().map_or(Ok(()), Err)
}

/// How long before its time a scheduled issue is published, with the rest as its undo hold: the first mail leaves at
/// the very time that was said, and sending can be undone until then.
fn lead_millis(app: &App) -> i64 {
    let hold = i64::try_from(app.config.hold_seconds).unwrap_or(i64::MAX).saturating_mul(Millis::SECOND);
    hold.min(LEAD_MILLIS_MAX)
}

/// How long nothing can be due.
async fn pause(app: &App) -> anyhow::Result<Duration> {
    let mut tx = app.store.read().await?;
    let scheduled = issue::next_due(&mut tx).await?;
    let now = tx.now;
    let mut next = scheduled.map_or(now.plus(Millis::DAY), |at| at.plus(-lead_millis(app)));
    next = welcome::next_due(&mut tx).await?.map_or(next, |at| at.min(next));
    for newsletter in newsletter::all(&mut tx).await? {
        if let Some((schedule, tz)) = rule(&newsletter) {
            next = slots::wake_at(&schedule, &tz, now).map_or(next, |at| at.min(next));
        }
    }
    let millis = u64::try_from(next.since(now)).unwrap_or(0);
    Ok(Duration::from_millis(millis).min(PAUSE_MAX))
}

/// A slot that cannot be read was written by a newer program; it fires nothing, and its page says so.
fn rule(newsletter: &Newsletter) -> Option<(Schedule, TimeZone)> {
    Some((newsletter.slot.as_ref()?.parse().ok()?, zone::find(&newsletter.zone).ok()?))
}

/// One newsletter's slots, in one transaction that is only begun if there is something to decide.
async fn decide_slots(app: &App, id: NewsletterId) -> anyhow::Result<()> {
    let mut tx = app.store.read().await?;
    let idle = decisions(&mut tx, id).await?.is_none_or(|(_, _, decisions)| decisions.is_empty());
    tx.commit().await?;
    if idle {
        return Ok(());
    }
    let mut tx = app.store.write().await?;
    let Some((newsletter, ahead, decisions)) = decisions(&mut tx, id).await? else { return Ok(()) };
    for decision in decisions {
        carry_out(app, &mut tx, &newsletter, ahead, decision).await?;
    }
    failpoint::check("slot-before-commit")?;
    tx.commit().await?;
    failpoint::check("slot-after-commit")?;
    app.wake.notify_waiters();
    Ok(())
}

/// The newsletter, what is to be decided, and how far ahead of its own clock the first of its readers is: where an
/// issue goes out at each reader's own hour, the whole day of slots and notices lies that much earlier.
async fn decisions(tx: &mut Tx, id: NewsletterId) -> anyhow::Result<Option<(Newsletter, i64, Vec<Decision>)>> {
    let Some(newsletter) = newsletter::by_id(tx, id).await? else { return Ok(None) };
    let Some((schedule, tz)) = rule(&newsletter) else { return Ok(None) };
    let set_at = newsletter.slot_set_at.unwrap_or(newsletter.created_at);
    let last = slot::recent(tx, id, 1).await?.first().map_or(set_at, |slot| slot.due_at);
    let ready = issue::list(tx, Some(id), &[IssueState::Ready], 2).await?.len();
    let told = slot::told(tx, id, tx.now.plus(-TOLD_KEPT_MILLIS)).await?;
    let decided_until = Millis(last.max(set_at));
    let next = schedule.next(&tz, decided_until, 1).first().copied();
    let ahead = match next {
        Some(firing) => ahead(tx, &newsletter, &tz, firing, Millis(set_at)).await?,
        None => 0,
    };
    let situation = Situation {
        schedule: &schedule,
        zone: &tz,
        decided_until,
        ready,
        told: &told,
        lateness_max_millis: newsletter.max_lateness_ms,
    };
    let decisions = slots::step(&situation, tx.now.plus(ahead));
    Ok(Some((newsletter, ahead, decisions)))
}

/// How long before the newsletter's own clock shows a slot's wall time the first of its readers' clocks does. Readers
/// whose clocks showed it before there was the slot are not waited for.
async fn ahead(
    tx: &mut Tx,
    newsletter: &Newsletter,
    tz: &TimeZone,
    firing: Firing,
    set_at: Millis,
) -> anyhow::Result<i64> {
    let ready = issue::first_ready(tx, newsletter.id).await?;
    if hours::of(ready.as_ref(), newsletter).local.is_none() {
        return Ok(0);
    }
    let zones = delivery::hours::zones(tx, newsletter.id).await?;
    Ok(plan::first_ahead(firing.wall, tz, &zones, set_at).map_or(0, |first| firing.at.since(first).max(0)))
}

async fn carry_out(
    app: &App,
    tx: &mut Tx,
    newsletter: &Newsletter,
    ahead: i64,
    decision: Decision,
) -> anyhow::Result<()> {
    match decision {
        Decision::Miss(firing) => miss(app, tx, newsletter, firing).await,
        Decision::Fire(firing) => fire(app, tx, newsletter, firing, firing.at.plus(-ahead)).await,
        Decision::Hold(firing) => hold(app, tx, newsletter, firing, firing.at.plus(-ahead)).await,
        Decision::Tell(firing, notice) => {
            if slot::tell(tx, newsletter.id, &firing.wall_text(), notice.as_str()).await? {
                note(tx, newsletter, None, "slot.nothing_ready", firing).await?;
                notices::tell(app, tx, newsletter, &notices::nothing_ready(app, newsletter, firing, tx.now)).await?;
            }
            Ok(())
        }
    }
}

async fn miss(app: &App, tx: &mut Tx, newsletter: &Newsletter, firing: Firing) -> anyhow::Result<()> {
    if slot::decide(tx, newsletter.id, &firing.wall_text(), firing.at, SlotState::Missed, None).await? {
        note(tx, newsletter, None, "slot.missed", firing).await?;
        // After weeks of being switched off nobody needs a letter for each.
        if tx.now.since(firing.at) <= Millis::DAY {
            notices::tell(app, tx, newsletter, &notices::missed(app, newsletter, firing)).await?;
        }
    }
    Ok(())
}

async fn fire(app: &App, tx: &mut Tx, newsletter: &Newsletter, firing: Firing, first: Millis) -> anyhow::Result<()> {
    let Some(ready) = issue::first_ready(tx, newsletter.id).await? else {
        return miss(app, tx, newsletter, firing).await;
    };
    let wall = firing.wall_text();
    if slot::decide(tx, newsletter.id, &wall, firing.at, SlotState::Fired, Some(ready.id)).await? {
        issue::schedule(tx, ready.id, &wall, &newsletter.zone, first).await?;
        note(tx, newsletter, Some(&ready), "slot.fired", firing).await?;
    }
    Ok(())
}

async fn hold(app: &App, tx: &mut Tx, newsletter: &Newsletter, firing: Firing, first: Millis) -> anyhow::Result<()> {
    let Some(ready) = issue::first_ready(tx, newsletter.id).await? else {
        return miss(app, tx, newsletter, firing).await;
    };
    if slot::decide(tx, newsletter.id, &firing.wall_text(), firing.at, SlotState::Held, Some(ready.id)).await? {
        let reason = too_late(tx.now, first, newsletter);
        issue::move_to(tx, ready.id, &[IssueState::Ready], IssueState::Held, &reason).await?;
        note(tx, newsletter, Some(&ready), "slot.held", firing).await?;
        notices::tell(app, tx, newsletter, &notices::held(app, &ready.subject, &reason)).await?;
    }
    Ok(())
}

async fn note(
    tx: &mut Tx,
    newsletter: &Newsletter,
    issue: Option<&IssueRow>,
    kind: &str,
    firing: Firing,
) -> anyhow::Result<()> {
    let about = About { newsletter: Some(newsletter.id), issue: issue.map(|issue| issue.id), ..About::default() };
    event::insert(tx, kind, about, &json!({ "wall": firing.wall_text(), "due_at": firing.at })).await?;
    Ok(())
}

/// Publishes an issue whose time has come. What the checks or the newsletter's state refuse is held with the reason,
/// and so is what is later than the newsletter allows: nothing odd goes out, and nothing is tried every second.
async fn publish_due(app: &App, due: &IssueRow) -> anyhow::Result<()> {
    let mut tx = app.store.read().await?;
    let newsletter = newsletter::by_id(&mut tx, due.newsletter_id).await?.context("its newsletter is gone")?;
    let (now, at) = (tx.now, Millis(due.scheduled_at.unwrap_or(tx.now.0)));
    tx.commit().await?;
    if now.since(at) > newsletter.max_lateness_ms {
        return hold_issue(app, &newsletter, due, &too_late(now, at, &newsletter)).await;
    }
    let hold_ms = at.since(now).max(0);
    match publish::send(app, due.id, hold_ms).await {
        Ok(_) => Ok(()),
        Err(error) => match error.downcast_ref::<Refusal>() {
            // Somebody is saving: the next look is a second away.
            Some(Refusal::Changing) => Ok(()),
            Some(refusal) => hold_issue(app, &newsletter, due, &refusal.to_string()).await,
            None => Err(error),
        },
    }
}

async fn hold_issue(app: &App, newsletter: &Newsletter, due: &IssueRow, reason: &str) -> anyhow::Result<()> {
    let mut tx = app.store.write().await?;
    if issue::move_to(&mut tx, due.id, &[IssueState::Scheduled], IssueState::Held, reason).await? {
        let about = About { newsletter: Some(due.newsletter_id), issue: Some(due.id), ..About::default() };
        event::insert(&mut tx, "issue.held", about, &json!({ "why": reason })).await?;
        notices::tell(app, &mut tx, newsletter, &notices::held(app, &due.subject, reason)).await?;
    }
    tx.commit().await?;
    // Nobody looking is no error.
    let _ = app.changed.send(due.id);
    Ok(())
}

fn too_late(now: Millis, due: Millis, newsletter: &Newsletter) -> String {
    let hours = now.since(due) / Millis::HOUR;
    let when = zone::find(&newsletter.zone).map(|tz| wall::say(due, &tz)).unwrap_or_default();
    format!("it was due on {when} and is now {hours} hours late; nothing was sent. Send it or give it another time")
}

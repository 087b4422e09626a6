//! When each reader's copy leaves: the hours of an issue, what they come to before it is sent, and the audience frozen
//! by them. The rules are `schedule::hours`; here they meet the readers' zones.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::app::App;
use super::refusal::Refusal;
use crate::schedule::hours::forecast::{Forecast, forecast};
use crate::schedule::hours::night::Night;
use crate::schedule::hours::plan::{self, Setting};
use crate::schedule::hours::{Hour, Hours, Wish, Wishes};
use crate::schedule::wall::{self, BadMoment, Moment};
use crate::schedule::zone;
use crate::store::delivery::freeze::{self, Freezing};
use crate::store::delivery::hours as ledger;
use crate::store::issue::{self, IssueRow, IssueState};
use crate::store::newsletter::{self, Newsletter};
use crate::store::{Tx, event, rendering};
use crate::values::clock::Millis;
use crate::values::ids::IssueId;

/// Scheduled issues looked at for readers' zones that have changed: more are not scheduled at once.
const FOLLOWED_MAX: i64 = 1_000;

/// What holds for an issue, or for the newsletter's next one.
#[must_use]
pub fn of(issue: Option<&IssueRow>, newsletter: &Newsletter) -> Hours {
    Wishes::effective(issue.map_or("", |issue| &issue.hours), &newsletter.hours)
}

/// Writes what an issue says of its own hours, in place of what it said before.
///
/// # Errors
/// [`Refusal`] when it is published, or the store cannot.
pub async fn set(app: &App, id: IssueId, wishes: Wishes) -> anyhow::Result<()> {
    let mut tx = app.store.write().await?;
    let row = issue::by_id(&mut tx, id).await?.ok_or(Refusal::NoSuchIssue)?;
    let text = wishes.to_string();
    if row.hours == text {
        return Ok(());
    }
    if !issue::set_hours(&mut tx, id, &text).await? {
        return Err(Refusal::State { state: row.state, wanted: "given other hours" }.into());
    }
    let about = event::About { newsletter: Some(row.newsletter_id), issue: Some(id), ..event::About::default() };
    event::insert(&mut tx, "issue.hours", about, &serde_json::json!({ "hours": text })).await?;
    tx.commit().await?;
    Ok(())
}

/// The moment that a text means for an issue with these hours. Where the hour is each reader's own, it is the first of
/// them that lies ahead, by the zones that readers live in; the text may then be a day alone, and `zone` is not asked.
///
/// # Errors
/// [`BadMoment`], or the store cannot.
pub async fn moment(
    tx: &mut Tx,
    newsletter: &Newsletter,
    hours: &Hours,
    text: &str,
    zone: &str,
) -> anyhow::Result<Moment> {
    let Some(hour) = hours.local else { return Ok(wall::parse(text, zone, tx.now)?) };
    let day_alone = !text.trim().contains([' ', 'T', 't']) || matches!(text.trim(), "today" | "tomorrow");
    let text = if day_alone { format!("{} {}", text.trim(), hour.strftime("%H:%M")) } else { text.to_owned() };
    let (wall, house) = wall::read(&text, &newsletter.zone, tx.now)?;
    let zones = ledger::zones(tx, newsletter.id).await?;
    let first = plan::first_ahead(wall, &house, &zones, tx.now);
    let local = zone::name_of(&house).to_owned();
    match first {
        Some(at) if at.since(tx.now) <= wall::AHEAD_DAYS_MAX * Millis::DAY => {
            Ok(Moment { wall, zone: local, at, note: None })
        }
        Some(_) => Err(BadMoment::Far(text).into()),
        None => {
            let now = house.to_datetime(tx.now.timestamp()).strftime("%Y-%m-%d %H:%M").to_string();
            Err(BadMoment::Past { wall: text, zone: "every reader's zone".into(), now }.into())
        }
    }
}

/// An hour said beside a wall time of another hour is a slip of the pen.
///
/// # Errors
/// What to write instead.
pub fn agree(local: Wish<Hour>, at: &str) -> Result<(), String> {
    let Wish::Is(hour) = local else { return Ok(()) };
    let said = hour.0.strftime("%H:%M").to_string();
    let time = at.trim().split_once([' ', 'T']).map(|(_, time)| time.trim().to_owned());
    match time {
        Some(time) if time.parse::<Hour>() != Ok(hour) => Err(format!(
            "the time says {time} and the readers' own hour {said}; give the day alone, or the same hour twice. \
             Nothing was scheduled"
        )),
        _ => Ok(()),
    }
}

/// When an issue begins: the wall time that readers' clocks are to show, whose hour has passed, and the first instant.
#[derive(Clone, Copy, Debug)]
pub struct Begin {
    /// `None`: today in the newsletter's zone, at the hour of its hours.
    pub wall: Option<DateTime>,
    pub passed_before: Millis,
    pub start: Millis,
}

/// What an issue's hours come to if it began so: counted by zone, never by reader. `None` where everything leaves
/// when the issue does; then the number is all there is to say.
///
/// # Errors
/// When the store cannot.
pub async fn outlook(
    tx: &mut Tx,
    newsletter: &Newsletter,
    hours: &Hours,
    begin: Begin,
) -> anyhow::Result<(i64, Option<Forecast>)> {
    if hours.is_plain() {
        return Ok((freeze::mailable(tx, newsletter.id).await?, None));
    }
    let readers = ledger::mailable_by_zone(tx, newsletter.id).await?;
    let zones: Vec<String> = readers.iter().map(|(zone, _)| zone.clone()).collect();
    let house = house(newsletter);
    let plan = plan::plan(&setting(hours, begin, &house, tx.now), &zones);
    let seen = forecast(&plan, &readers);
    Ok((seen.readers, Some(seen)))
}

fn setting<'a>(hours: &'a Hours, begin: Begin, house: &'a TimeZone, now: Millis) -> Setting<'a> {
    let today = || {
        let here = house.to_datetime(now.timestamp());
        hours.local.map_or(here, |hour| here.date().to_datetime(hour))
    };
    Setting {
        hours,
        wall: begin.wall.unwrap_or_else(today),
        passed_before: begin.passed_before,
        start: begin.start,
        house,
    }
}

fn house(newsletter: &Newsletter) -> TimeZone {
    zone::find(&newsletter.zone).unwrap_or(TimeZone::UTC)
}

/// Begins the ledger of an issue that is published in this transaction, each row with its own due time. `row` is the
/// issue as it stood before.
///
/// # Errors
/// When the store cannot.
pub(super) async fn begin_freeze(
    tx: &mut Tx,
    row: &IssueRow,
    newsletter: &Newsletter,
    start: Millis,
) -> anyhow::Result<Freezing> {
    let hours = of(Some(row), newsletter);
    if hours.is_plain() {
        return Ok(freeze::begin(tx, row.id, newsletter.id, start, None).await?);
    }
    if let Some(night) = Night::of(&hours, &newsletter.zone) {
        rendering::set_night(tx, row.id, &night).await?;
    }
    let zones = ledger::zones(tx, newsletter.id).await?;
    let scheduled = row.scheduled_at.filter(|_| row.state == IssueState::Scheduled).map(Millis);
    let wall = scheduled.and(row.scheduled_wall.as_deref()).and_then(|wall| wall.parse().ok());
    let begin = Begin { wall, passed_before: scheduled.unwrap_or(tx.now), start };
    let house = house(newsletter);
    let plan = plan::plan(&setting(&hours, begin, &house, tx.now), &zones);
    let by_zone = (ledger::table(&plan, &zones), plan.spread_ms);
    Ok(freeze::begin(tx, row.id, newsletter.id, start, Some(by_zone)).await?)
}

/// Keeps scheduled issues at the first of their readers' hours: somebody in an earlier zone may have signed up, or the
/// only one there has left. Times that have come are not touched, and none is moved into the past.
///
/// # Errors
/// When the store cannot.
pub(super) async fn follow(app: &App) -> anyhow::Result<()> {
    let mut tx = app.store.read().await?;
    let scheduled = issue::list(&mut tx, None, &[IssueState::Scheduled], FOLLOWED_MAX).await?;
    let mut moved = Vec::new();
    for row in &scheduled {
        let Some(newsletter) = newsletter::by_id(&mut tx, row.newsletter_id).await? else { continue };
        let (Some(at), Some(wall)) = (row.scheduled_at.map(Millis), row.scheduled_wall.as_deref()) else { continue };
        if at <= tx.now || of(Some(row), &newsletter).local.is_none() {
            continue;
        }
        let (Ok(wall), zones) = (wall.parse(), ledger::zones(&mut tx, newsletter.id).await?) else { continue };
        let first = plan::first_ahead(wall, &house(&newsletter), &zones, tx.now);
        moved.extend(first.filter(|first| *first != at).map(|first| (row.id, at, first)));
    }
    tx.commit().await?;
    if moved.is_empty() {
        return Ok(());
    }
    let mut tx = app.store.write().await?;
    for (id, from, to) in moved {
        issue::move_time(&mut tx, id, from, to).await?;
    }
    tx.commit().await?;
    Ok(())
}

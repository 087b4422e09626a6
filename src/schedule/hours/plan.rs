//! A plan: for every zone, when the copies of its readers leave.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::{Hours, Passed, instant};
use crate::schedule::zone;
use crate::values::clock::Millis;

/// Places in the order of a spread. A prime, so that every step through it visits all of them.
pub const PLACES: i64 = 1_000_003;
/// The step from one id to the next: the golden ratio of the places, by which any run of ids, however short, falls
/// evenly over all of them. So neither address nor date of joining says who is first.
pub const STEP: i64 = 618_037;

/// A reader's place in the order of an issue's spread, from 0 to before [`PLACES`]. The ledger's statement does the
/// same sum for a million rows (`store/delivery/hours.rs`).
#[must_use]
pub fn place(subscriber: i64, salt: i64) -> i64 {
    (subscriber.rem_euclid(PLACES) * STEP + salt).rem_euclid(PLACES)
}

/// What makes the order of one issue another than that of the last: the same readers are not always first.
#[must_use]
pub fn salt(issue: i64) -> i64 {
    issue.rem_euclid(PLACES)
}

/// What a plan is made from.
#[derive(Clone, Copy, Debug)]
pub struct Setting<'a> {
    pub hours: &'a Hours,
    /// The wall time that is to be shown on every reader's own clock. Only looked at where the hour is theirs.
    pub wall: DateTime,
    /// Whoever's hour lies before this has missed it: the time the issue was given, not when a late machine woke.
    pub passed_before: Millis,
    /// Nothing leaves before.
    pub start: Millis,
    /// The newsletter's zone, which stands in for readers whose zone is not known.
    pub house: &'a TimeZone,
}

/// A stretch of a spread without a break: whoever's share of the spread (in milliseconds) lies from `from` to before
/// `until` is due at `shift` and that share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    pub from: i64,
    pub until: i64,
    pub shift: i64,
}

/// When the readers of one zone get theirs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZonePlan {
    /// As the readers' rows name it; empty for readers without one.
    pub zone: String,
    /// Their hour had passed.
    pub passed: bool,
    /// None where they get nothing.
    pub stretches: Vec<Stretch>,
}

impl ZonePlan {
    /// First and last instant; `None` where nothing is sent.
    #[must_use]
    pub fn span(&self) -> Option<(Millis, Millis)> {
        let (first, last) = (self.stretches.first()?, self.stretches.last()?);
        Some((Millis(first.shift + first.from), Millis(last.shift + last.until - 1)))
    }
}

/// What an issue's hours mean for every zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    pub zones: Vec<ZonePlan>,
    pub spread_ms: i64,
}

/// Makes the plan for readers of these zones, and for those of none (the empty name), who live by the newsletter's.
/// Where the hour is not the readers' own, all of them go by the empty name.
#[must_use]
pub fn plan(setting: &Setting<'_>, zones: &[String]) -> Plan {
    let named = zones.iter().filter(|name| setting.hours.local.is_some() && !name.is_empty());
    let known = |name: &String| zone::find(name).ok().map(|tz| (name.clone(), tz));
    let all = named.filter_map(known).chain([(String::new(), setting.house.clone())]);
    let zones = all.map(|(zone, tz)| zone_plan(setting, zone, &tz)).collect();
    Plan { zones, spread_ms: setting.hours.spread_ms }
}

fn zone_plan(setting: &Setting<'_>, zone: String, tz: &TimeZone) -> ZonePlan {
    let hour = setting.hours.local.and_then(|_| instant(setting.wall, tz));
    let passed = hour.is_some_and(|hour| hour < setting.passed_before);
    if passed && setting.hours.passed == Passed::Skip {
        return ZonePlan { zone, passed, stretches: Vec::new() };
    }
    let begin = hour.filter(|_| !passed).map_or(setting.start, |hour| hour.max(setting.start));
    ZonePlan { zone, passed, stretches: stretches(setting.hours, begin, tz) }
}

/// The clock of a spread stands still in quiet hours: what would fall into them, and what comes after, is later by as
/// much as they last. So nothing piles up at their end.
fn stretches(hours: &Hours, begin: Millis, tz: &TimeZone) -> Vec<Stretch> {
    let whole = hours.spread_ms.max(1);
    let (mut at, mut done, mut all) = (begin, 0, Vec::new());
    while done < whole {
        at = hours.quiet.and_then(|quiet| quiet.end_at(at, tz)).unwrap_or(at);
        let next = hours.quiet.and_then(|quiet| quiet.next_after(at, tz));
        let room = next.map_or(whole, |(from, _)| from.since(at)).min(whole - done);
        all.push(Stretch { from: done, until: done + room, shift: at.0 - done });
        done += room;
        at = next.map_or(at, |(_, until)| until);
    }
    all
}

/// The zone whose clocks show `wall` first, and when that is: the newsletter's own among them.
#[must_use]
pub fn earliest(wall: DateTime, house: &TimeZone, zones: &[String]) -> Option<(Millis, TimeZone)> {
    instants(wall, house, zones).min_by_key(|(at, _)| *at)
}

/// When the clocks of each of these zones, and of the newsletter's, show `wall`.
pub fn instants<'a>(
    wall: DateTime,
    house: &TimeZone,
    zones: &'a [String],
) -> impl Iterator<Item = (Millis, TimeZone)> + 'a {
    let known = zones.iter().filter_map(|name| zone::find(name).ok());
    known.chain([house.clone()]).filter_map(move |tz| Some((instant(wall, &tz)?, tz)))
}

/// When an issue is to be published so that nobody's hour is missed: the first that lies ahead. `None` if all have
/// passed.
#[must_use]
pub fn first_ahead(wall: DateTime, house: &TimeZone, zones: &[String], now: Millis) -> Option<Millis> {
    instants(wall, house, zones).map(|(at, _)| at).filter(|at| *at >= now).min()
}

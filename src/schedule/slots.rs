//! What becomes of a newsletter's slots: given what was decided so far, the issues that are ready, and the time.

use std::collections::BTreeSet;

use jiff::tz::TimeZone;

use super::{Firing, Schedule};
use crate::values::clock::Millis;

/// Later than this, a slot is held for a person to say go: a Sunday paper on Sunday night is odd. A newsletter may
/// choose another.
pub const LATENESS_MAX_DEFAULT_MILLIS: i64 = 6 * Millis::HOUR;
/// Slots looked at in one step. An hourly schedule comes to it after a year of being switched off; the rest is
/// decided in the next step.
const DUE_MAX: usize = 10_000;

/// How long before a slot without a ready issue its editors are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Notice {
    Day,
    TwoHours,
}

impl Notice {
    /// As the database keeps it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Day => "24h",
            Self::TwoHours => "2h",
        }
    }

    #[must_use]
    pub fn ahead_millis(self) -> i64 {
        match self {
            Self::Day => 24 * Millis::HOUR,
            Self::TwoHours => 2 * Millis::HOUR,
        }
    }
}

/// What there is to know when slots are decided.
#[derive(Clone, Debug)]
pub struct Situation<'a> {
    pub schedule: &'a Schedule,
    pub zone: &'a TimeZone,
    /// Slots up to here are decided, or were before there was this schedule.
    pub decided_until: Millis,
    /// Issues that are ready and wait for a slot.
    pub ready: usize,
    /// `(wall, kind)` of notices given for slots to come.
    pub told: &'a BTreeSet<(String, String)>,
    pub lateness_max_millis: i64,
}

/// One decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The first ready issue goes out.
    Fire(Firing),
    /// Nothing goes out, and the slot is written down as missed.
    Miss(Firing),
    /// An issue was ready but it is too late: it is held for a person to say go.
    Hold(Firing),
    /// Nothing is ready for a slot that comes soon.
    Tell(Firing, Notice),
}

/// Decides every slot that is due, and the notice that is due for the next.
///
/// Of several slots that are due at once (the program was off) only the newest can fire: readers get one issue, not
/// three in a row.
#[must_use]
pub fn step(situation: &Situation<'_>, now: Millis) -> Vec<Decision> {
    let Situation { schedule, zone, decided_until, ready, lateness_max_millis, .. } = *situation;
    let due: Vec<Firing> =
        schedule.firings(zone, decided_until).take_while(|firing| firing.at <= now).take(DUE_MAX).collect();
    let mut decisions: Vec<Decision> = due.iter().copied().map(Decision::Miss).collect();
    let mut left = ready;
    // With DUE_MAX of them the newest is not among them yet, and what is that old is missed.
    if let (Some(newest), true) = (due.last(), due.len() < DUE_MAX && ready > 0) {
        let late = now.since(newest.at) > lateness_max_millis;
        decisions.pop();
        decisions.push(if late { Decision::Hold(*newest) } else { Decision::Fire(*newest) });
        left -= 1;
    }
    if left == 0 {
        decisions.extend(notice(situation, now));
    }
    decisions
}

/// The notice that is due now: the nearer one alone if both are.
fn notice(situation: &Situation<'_>, now: Millis) -> Option<Decision> {
    let next = situation.schedule.firings(situation.zone, now).next()?;
    let due = |kind: &Notice| next.at.since(now) <= kind.ahead_millis();
    let kind = [Notice::TwoHours, Notice::Day].into_iter().find(due)?;
    let told = situation.told.contains(&(next.wall_text(), kind.as_str().to_owned()));
    (!told).then_some(Decision::Tell(next, kind))
}

/// When [`step`] could next decide something: the next slot, or a notice before it.
#[must_use]
pub fn wake_at(schedule: &Schedule, zone: &TimeZone, now: Millis) -> Option<Millis> {
    let next = schedule.firings(zone, now).next()?;
    let notices = [Notice::Day, Notice::TwoHours].map(|kind| next.at.plus(-kind.ahead_millis()));
    notices.into_iter().filter(|at| *at > now).chain([next.at]).min()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{Decision, LATENESS_MAX_DEFAULT_MILLIS, Notice, Situation, step, wake_at};
    use crate::schedule::{Schedule, zone};
    use crate::values::clock::Millis;

    fn at(text: &str) -> Millis {
        Millis::from(text.parse::<jiff::Timestamp>().expect("a timestamp"))
    }

    /// Decisions of a weekly newsletter (Sunday 09:00 UTC) as short texts.
    fn decide(since: &str, now: &str, ready: usize, told: &[(&str, &str)]) -> Vec<String> {
        let schedule: Schedule = "weekly SUN 09:00".parse().expect("a schedule");
        let tz = zone::find("UTC").expect("known");
        let told: BTreeSet<_> = told.iter().map(|(wall, kind)| ((*wall).to_owned(), (*kind).to_owned())).collect();
        let situation = Situation {
            schedule: &schedule,
            zone: &tz,
            decided_until: at(since),
            ready,
            told: &told,
            lateness_max_millis: LATENESS_MAX_DEFAULT_MILLIS,
        };
        let text = |decision: &Decision| match decision {
            Decision::Fire(firing) => format!("fire {}", firing.wall.date()),
            Decision::Miss(firing) => format!("miss {}", firing.wall.date()),
            Decision::Hold(firing) => format!("hold {}", firing.wall.date()),
            Decision::Tell(firing, kind) => format!("tell {} {}", firing.wall.date(), kind.as_str()),
        };
        step(&situation, at(now)).iter().map(text).collect()
    }

    #[test]
    fn a_ready_issue_takes_the_slot_and_only_once() {
        assert_eq!(decide("2026-11-23T00:00:00Z", "2026-11-29T08:59:59Z", 1, &[]), Vec::<String>::new());
        assert_eq!(decide("2026-11-23T00:00:00Z", "2026-11-29T09:00:00Z", 1, &[]), ["fire 2026-11-29"]);
        assert_eq!(decide("2026-11-29T09:00:00Z", "2026-11-29T09:00:01Z", 1, &[]), Vec::<String>::new());
    }

    #[test]
    fn without_a_ready_issue_the_editor_is_told_twice_and_then_it_is_missed() {
        let wall = "2026-11-29T09:00";
        assert_eq!(decide("2026-11-23T00:00:00Z", "2026-11-28T08:59:00Z", 0, &[]), Vec::<String>::new());
        assert_eq!(decide("2026-11-23T00:00:00Z", "2026-11-28T09:00:00Z", 0, &[]), ["tell 2026-11-29 24h"]);
        assert_eq!(decide("2026-11-23T00:00:00Z", "2026-11-28T10:00:00Z", 0, &[(wall, "24h")]), Vec::<String>::new());
        assert_eq!(decide("2026-11-23T00:00:00Z", "2026-11-29T07:00:00Z", 0, &[(wall, "24h")]), ["tell 2026-11-29 2h"]);
        assert_eq!(decide("2026-11-23T00:00:00Z", "2026-11-29T07:00:00Z", 1, &[]), Vec::<String>::new());
        assert_eq!(decide("2026-11-23T00:00:00Z", "2026-11-29T09:00:00Z", 0, &[]), ["miss 2026-11-29"]);
    }

    #[test]
    fn after_downtime_at_most_the_newest_fires_and_only_if_it_is_young() {
        let since = "2026-11-09T00:00:00Z";
        let missed = ["miss 2026-11-15", "miss 2026-11-22"].map(String::from);
        let after = |now| decide(since, now, 3, &[]);
        assert_eq!(after("2026-11-29T14:59:00Z"), [&missed[..], &["fire 2026-11-29".into()]].concat());
        assert_eq!(after("2026-11-29T15:00:00Z"), [&missed[..], &["fire 2026-11-29".into()]].concat());
        assert_eq!(after("2026-11-29T15:00:01Z"), [&missed[..], &["hold 2026-11-29".into()]].concat());
    }

    #[test]
    fn a_clock_that_is_put_back_decides_nothing_twice() {
        assert_eq!(decide("2026-11-29T09:00:00Z", "2026-11-29T07:00:00Z", 2, &[]), Vec::<String>::new());
    }

    #[test]
    fn the_next_wake_is_the_next_notice_or_the_slot() {
        let schedule: Schedule = "weekly SUN 09:00".parse().expect("a schedule");
        let tz = zone::find("UTC").expect("known");
        let wake = |now| wake_at(&schedule, &tz, at(now));
        assert_eq!(wake("2026-11-24T00:00:00Z"), Some(at("2026-11-28T09:00:00Z")));
        assert_eq!(wake("2026-11-28T09:00:00Z"), Some(at("2026-11-29T07:00:00Z")));
        assert_eq!(wake("2026-11-29T07:00:00Z"), Some(at("2026-11-29T09:00:00Z")));
        assert_eq!(Notice::Day.as_str(), "24h");
    }
}

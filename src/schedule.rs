//! When: wall times, zones, weekly slots. Pure.
//!
//! A [`Schedule`] is a rule on the wall clock of a zone: "SUN at 09:00", never an instant and never an offset. It
//! gives [`Firing`]s: each a wall time, and the instant which that wall time means. Where clocks are put forward a
//! wall time that does not exist is moved forward by as much as the clocks; where they are put back the first of
//! two equal wall times is meant. So every slot happens once, whatever the clocks do.

pub mod cron;
pub mod hours;
pub mod picker;
pub mod slots;
pub mod wall;

pub use crate::values::zone;

use std::fmt;
use std::str::FromStr;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::values::clock::Millis;

/// Why a text is not a schedule. The sentence says what to write instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadSchedule(pub String);

impl BadSchedule {
    fn because(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

/// A rule that gives wall times, at least an hour apart, for ever. Its text is what the database keeps.
#[derive(Clone, Debug)]
pub enum Schedule {
    Cron(Box<cron::Cron>),
    Picked(picker::Picked),
}

/// One firing of a schedule: what the clock on the wall shows, and the instant that means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Firing {
    pub wall: DateTime,
    pub at: Millis,
}

impl Firing {
    /// The wall time as the database keeps it: "2026-11-29T09:00".
    #[must_use]
    pub fn wall_text(&self) -> String {
        self.wall.strftime("%Y-%m-%dT%H:%M").to_string()
    }
}

/// How far before an instant its wall clock is searched: more than the longest jump a zone has made (Samoa left out
/// a whole day in 2011), so that no moved wall time is overlooked.
const SEARCH_BACK_HOURS: i64 = 26;

impl Schedule {
    /// The firings in `zone` strictly after `after`, in order of their instants.
    pub fn firings<'a>(&'a self, zone: &'a TimeZone, after: Millis) -> impl Iterator<Item = Firing> + 'a {
        let local = zone.to_datetime(after.timestamp());
        let from = local.checked_sub(jiff::Span::new().hours(SEARCH_BACK_HOURS)).unwrap_or(local);
        self.walls(from).filter_map(move |wall| self.firing(wall, zone)).filter(move |firing| firing.at > after)
    }

    /// The next `count` firings: what stands beside every schedule that is shown.
    #[must_use]
    pub fn next(&self, zone: &TimeZone, after: Millis, count: usize) -> Vec<Firing> {
        self.firings(zone, after).take(count).collect()
    }

    fn walls(&self, from: DateTime) -> Box<dyn Iterator<Item = DateTime> + '_> {
        match self {
            Self::Cron(cron) => Box::new(cron.walls(from)),
            Self::Picked(picked) => Box::new(picked.walls(from)),
        }
    }

    /// `None` where a wall time that does not exist is moved onto one that fires anyway: an hourly schedule has one
    /// firing less on that day, not two at one instant.
    fn firing(&self, wall: DateTime, zone: &TimeZone) -> Option<Firing> {
        let at = zone.to_ambiguous_timestamp(wall).compatible().ok()?;
        let shown = zone.to_datetime(at);
        let elsewhere = shown != wall && self.fires_on(shown);
        (!elsewhere).then(|| Firing { wall, at: Millis::from(at) })
    }

    fn fires_on(&self, wall: DateTime) -> bool {
        match self {
            Self::Cron(cron) => cron.fires_on(wall),
            Self::Picked(picked) => picked.fires_on(wall),
        }
    }

    /// How often, in words for readers: "every Sunday", without a time of day that is the editor's affair.
    #[must_use]
    pub fn cadence(&self) -> String {
        match self.words().split_once(" at ") {
            Some((days, _)) => days.to_owned(),
            None => "whenever an issue appears".into(),
        }
    }

    /// The schedule in words: "every Sunday at 09:00".
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::Cron(cron) => cron.words(),
            Self::Picked(picked) => picked.words(),
        }
    }
}

impl FromStr for Schedule {
    type Err = BadSchedule;

    /// `weekly SUN 09:00`, `monthly first MON 09:00`, or a cron expression of five or six fields.
    fn from_str(text: &str) -> Result<Self, BadSchedule> {
        let first = text.split_whitespace().next().unwrap_or_default().to_ascii_lowercase();
        match first.as_str() {
            "" => Err(BadSchedule::because("the schedule is empty; write for example: weekly SUN 09:00")),
            "weekly" | "every" | "monthly" => text.parse().map(Self::Picked),
            _ => text.parse().map(Box::new).map(Self::Cron),
        }
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cron(cron) => cron.fmt(f),
            Self::Picked(picked) => picked.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests;

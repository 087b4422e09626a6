//! When each reader's copy leaves: all at once, spread over a while, outside quiet hours, at each reader's own hour.
//!
//! [`Wishes`] are what a newsletter or an issue says, [`Hours`] what holds in the end, and a [`plan::Plan`] what that
//! means for every zone that readers live in. A plan is made by zone and never by reader: a million readers live in a
//! few hundred zones.

pub mod forecast;
pub mod night;
pub mod plan;

use std::fmt;
use std::str::FromStr;

use jiff::civil::{DateTime, Time};
use jiff::tz::TimeZone;

use crate::values::clock::Millis;

/// What becomes of readers whose hour has passed when an issue begins to leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Passed {
    /// They get it at once.
    #[default]
    AtOnce,
    /// They do not get it.
    Skip,
}

impl Passed {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AtOnce => "at-once",
            Self::Skip => "skip",
        }
    }
}

impl FromStr for Passed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.trim() {
            "at-once" => Ok(Self::AtOnce),
            "skip" => Ok(Self::Skip),
            other => Err(format!("\"{other}\" is not known; readers whose hour has passed get it at-once, or skip")),
        }
    }
}

/// A span of every day in which nothing leaves, from its first minute to before its last; it may cross midnight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quiet {
    pub from: Time,
    pub until: Time,
}

/// The longest quiet span: the rest of the day must hold the mail of all of it.
const QUIET_MINUTES_MAX: i64 = 20 * 60;
const DAY_MINUTES: i64 = 24 * 60;

impl FromStr for Quiet {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("\"{}\" is no span of a day; write quiet hours as 22:00-07:00", text.trim());
        let (from, until) = text.trim().split_once(['-', '–']).ok_or_else(wrong)?;
        let quiet = Self { from: clock(from).ok_or_else(wrong)?, until: clock(until).ok_or_else(wrong)? };
        let long = (minutes(quiet.until) - minutes(quiet.from)).rem_euclid(DAY_MINUTES);
        match long {
            0 => Err(format!("the quiet hours {quiet} begin and end at once; write for example 22:00-07:00")),
            long if long > QUIET_MINUTES_MAX => {
                Err(format!("the quiet hours {quiet} leave less than four hours of the day to send in; shorten them"))
            }
            _ => Ok(quiet),
        }
    }
}

impl fmt::Display for Quiet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.from.strftime("%H:%M"), self.until.strftime("%H:%M"))
    }
}

impl Quiet {
    /// The end of the quiet span that `at` lies in; `None` outside of it.
    #[must_use]
    pub fn end_at(&self, at: Millis, zone: &TimeZone) -> Option<Millis> {
        self.spans(at, zone).find(|(from, until)| *from <= at && at < *until).map(|(_, until)| until)
    }

    /// The next quiet span that begins after `at`.
    #[must_use]
    pub fn next_after(&self, at: Millis, zone: &TimeZone) -> Option<(Millis, Millis)> {
        self.spans(at, zone).find(|(from, _)| *from > at)
    }

    /// The spans of yesterday to the day after tomorrow. A span that the clocks swallow (put forward over all of it)
    /// is none.
    fn spans(&self, at: Millis, zone: &TimeZone) -> impl Iterator<Item = (Millis, Millis)> {
        let day = zone.to_datetime(at.timestamp()).date();
        let crosses = self.until < self.from;
        (-1..=2).filter_map(move |days| {
            let begins = day.checked_add(jiff::Span::new().days(days)).ok()?;
            let ends = if crosses { begins.tomorrow().ok()? } else { begins };
            let span = (instant(begins.to_datetime(self.from), zone)?, instant(ends.to_datetime(self.until), zone)?);
            (span.0 < span.1).then_some(span)
        })
    }
}

/// The instant that a wall time means in a zone, by the house's rule: where clocks are put forward over it, as much
/// later as the clocks; where they are put back over it, the first of the two.
#[must_use]
pub fn instant(wall: DateTime, zone: &TimeZone) -> Option<Millis> {
    zone.to_ambiguous_timestamp(wall).compatible().ok().map(Millis::from)
}

/// Said, left unsaid, or said to be off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Wish<T> {
    #[default]
    Unsaid,
    Off,
    Is(T),
}

impl<T: Copy> Wish<T> {
    fn over(self, below: Self) -> Self {
        match self {
            Self::Unsaid => below,
            said => said,
        }
    }

    #[must_use]
    pub fn given(self) -> Option<T> {
        match self {
            Self::Is(value) => Some(value),
            _ => None,
        }
    }
}

impl<T: FromStr<Err = String>> Wish<T> {
    /// "off", or a value.
    ///
    /// # Errors
    /// What to write instead.
    pub fn read(text: &str) -> Result<Self, String> {
        if text.trim() == "off" { Ok(Self::Off) } else { text.parse().map(Self::Is) }
    }
}

/// A time of day: `09:00`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hour(pub Time);

impl FromStr for Hour {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("\"{}\" is no time of day; write it as 09:00, or off", text.trim());
        clock(text).map(Self).ok_or_else(wrong)
    }
}

/// A length of time to spread over: `3h`, `90m`, `2d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spread(pub i64);

/// The longest spread: news of a week ago is none.
const SPREAD_MILLIS_MAX: i64 = 7 * Millis::DAY;

impl FromStr for Spread {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let wrong = || format!("\"{text}\" is no span to spread over; write it as 3h, 90m or 2d, up to 7d, or off");
        let digits = text.len() - text.trim_start_matches(|letter: char| letter.is_ascii_digit()).len();
        let (number, unit) = text.split_at(digits);
        let unit = match unit.trim() {
            "m" | "min" => Millis::MINUTE,
            "h" => Millis::HOUR,
            "d" => Millis::DAY,
            _ => return Err(wrong()),
        };
        let millis = number.parse::<i64>().ok().and_then(|number| number.checked_mul(unit)).ok_or_else(wrong)?;
        if (1..=SPREAD_MILLIS_MAX).contains(&millis) { Ok(Self(millis)) } else { Err(wrong()) }
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            millis if millis % Millis::HOUR == 0 => write!(f, "{}h", millis / Millis::HOUR),
            millis => write!(f, "{}m", millis / Millis::MINUTE),
        }
    }
}

/// What a newsletter or an issue says of its hours. Its text, "local 09:00, spread 3h", is what the database keeps;
/// nothing said is an empty one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Wishes {
    /// The hour of each reader's own zone.
    pub local: Wish<Hour>,
    pub passed: Option<Passed>,
    pub spread: Wish<Spread>,
    pub quiet: Wish<Quiet>,
}

impl Wishes {
    /// These, and where they are silent, those of `below`.
    #[must_use]
    pub fn over(self, below: Self) -> Self {
        Self {
            local: self.local.over(below.local),
            passed: self.passed.or(below.passed),
            spread: self.spread.over(below.spread),
            quiet: self.quiet.over(below.quiet),
        }
    }

    /// What holds if nobody says more.
    #[must_use]
    pub fn hours(self) -> Hours {
        Hours {
            local: self.local.given().map(|hour| hour.0),
            passed: self.passed.unwrap_or_default(),
            spread_ms: self.spread.given().map_or(0, |spread| spread.0),
            quiet: self.quiet.given(),
        }
    }

    /// What holds for an issue whose newsletter says `newsletter`. A text of the database that cannot be read was
    /// written by a newer program, and says nothing to this one.
    #[must_use]
    pub fn effective(issue: &str, newsletter: &str) -> Hours {
        let read = |text: &str| text.parse::<Self>().unwrap_or_default();
        read(issue).over(read(newsletter)).hours()
    }
}

impl FromStr for Wishes {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut wishes = Self::default();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let (what, value) = part.split_once(' ').unwrap_or((part, ""));
            match what {
                "local" => wishes.local = Wish::read(value)?,
                "passed" => wishes.passed = Some(value.parse()?),
                "spread" => wishes.spread = Wish::read(value)?,
                "quiet" => wishes.quiet = Wish::read(value)?,
                _ => return Err(format!("\"{what}\" is not known here; there are local, passed, spread and quiet")),
            }
        }
        Ok(wishes)
    }
}

impl fmt::Display for Wishes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let local = said("local", self.local, |hour| hour.0.strftime("%H:%M").to_string());
        let passed = self.passed.map(|passed| format!("passed {}", passed.as_str()));
        let spread = said("spread", self.spread, |spread| spread.to_string());
        let quiet = said("quiet", self.quiet, |quiet| quiet.to_string());
        let parts: Vec<String> = [local, passed, spread, quiet].into_iter().flatten().collect();
        f.write_str(&parts.join(", "))
    }
}

fn said<T>(what: &str, wish: Wish<T>, text: impl Fn(T) -> String) -> Option<String> {
    match wish {
        Wish::Unsaid => None,
        Wish::Off => Some(format!("{what} off")),
        Wish::Is(value) => Some(format!("{what} {}", text(value))),
    }
}

/// What holds for one issue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Hours {
    /// At this hour of each reader's own zone, where the issue has no wall time of its own.
    pub local: Option<Time>,
    pub passed: Passed,
    pub spread_ms: i64,
    /// In the newsletter's zone; in each reader's own where the hour is theirs.
    pub quiet: Option<Quiet>,
}

impl Hours {
    /// Everything leaves when the issue does.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        self.local.is_none() && self.spread_ms == 0 && self.quiet.is_none()
    }

    /// In words, after "It goes out": "at each reader's own hour, spread over 3 hours, never from 22:00 to 07:00".
    #[must_use]
    pub fn words(&self) -> Vec<String> {
        let local = self.local.map(|_| match self.passed {
            Passed::AtOnce => "at each reader's own hour; whoever's has passed gets it at once".to_owned(),
            Passed::Skip => "at each reader's own hour; whoever's has passed does not get it".to_owned(),
        });
        let spread = (self.spread_ms > 0).then(|| format!("spread over {}", long(self.spread_ms)));
        let whose = if self.local.is_some() { " of the reader's own clock" } else { "" };
        let quiet = self.quiet.map(|quiet| {
            format!("not from {} to {}{whose}", quiet.from.strftime("%H:%M"), quiet.until.strftime("%H:%M"))
        });
        [local, spread, quiet].into_iter().flatten().collect()
    }
}

/// "3 hours", "90 minutes", "2 days".
fn long(millis: i64) -> String {
    let (many, unit) = match millis {
        millis if millis % Millis::DAY == 0 => (millis / Millis::DAY, "day"),
        millis if millis % Millis::HOUR == 0 => (millis / Millis::HOUR, "hour"),
        millis => (millis / Millis::MINUTE, "minute"),
    };
    format!("{many} {unit}{}", if many == 1 { "" } else { "s" })
}

fn minutes(time: Time) -> i64 {
    i64::from(time.hour()) * 60 + i64::from(time.minute())
}

/// "9:00" and "09:00".
fn clock(text: &str) -> Option<Time> {
    let (hour, minute) = text.trim().split_once(':')?;
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if !(1..=2).contains(&hour.len()) || minute.len() != 2 || !digits(hour) || !digits(minute) {
        return None;
    }
    Time::new(hour.parse().ok()?, minute.parse().ok()?, 0, 0).ok()
}

#[cfg(test)]
mod tests;

//! Schedules as people say them: weekly on some days, or on the first Monday of every month, which the cron crate
//! has no word for.

use std::fmt;
use std::str::FromStr;

use jiff::civil::{Date, DateTime, Time, Weekday};

use super::BadSchedule;

/// A weekly or monthly rule with one time of day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picked {
    days: Days,
    at: Time,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Days {
    /// Never empty, in order from Monday.
    Weekly(Vec<Weekday>),
    Monthly(Nth, Weekday),
}

/// Which of a month's equal weekdays. There is no fifth: most months have none, and a rule that skips months
/// surprises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Nth {
    First,
    Second,
    Third,
    Fourth,
    Last,
}

const NTH: [(&str, Nth); 5] = [
    ("first", Nth::First),
    ("second", Nth::Second),
    ("third", Nth::Third),
    ("fourth", Nth::Fourth),
    ("last", Nth::Last),
];

/// The weekdays by their three letters and whole names, from Monday.
pub(super) const WEEKDAYS: [(&str, &str, Weekday); 7] = [
    ("MON", "Monday", Weekday::Monday),
    ("TUE", "Tuesday", Weekday::Tuesday),
    ("WED", "Wednesday", Weekday::Wednesday),
    ("THU", "Thursday", Weekday::Thursday),
    ("FRI", "Friday", Weekday::Friday),
    ("SAT", "Saturday", Weekday::Saturday),
    ("SUN", "Sunday", Weekday::Sunday),
];

impl Picked {
    /// Weekly on those days, at that time.
    ///
    /// # Errors
    /// When there is no day.
    pub fn weekly(days: &[Weekday], at: Time) -> Result<Self, BadSchedule> {
        let all = WEEKDAYS.iter().map(|(_, _, day)| *day);
        let days: Vec<Weekday> = all.filter(|day| days.contains(day)).collect();
        if days.is_empty() {
            return Err(BadSchedule::because("a weekly schedule needs at least one day, such as: weekly SUN 09:00"));
        }
        Ok(Self { days: Days::Weekly(days), at })
    }

    /// Its wall times from `from` on.
    pub(super) fn walls(&self, from: DateTime) -> impl Iterator<Item = DateTime> + '_ {
        let days = std::iter::successors(Some(from.date()), |day| day.tomorrow().ok());
        days.filter(|day| self.falls_on(*day)).map(|day| day.to_datetime(self.at)).filter(move |wall| *wall >= from)
    }

    pub(super) fn fires_on(&self, wall: DateTime) -> bool {
        wall.time() == self.at && self.falls_on(wall.date())
    }

    fn falls_on(&self, day: Date) -> bool {
        match &self.days {
            Days::Weekly(days) => days.contains(&day.weekday()),
            Days::Monthly(nth, weekday) => day.weekday() == *weekday && nth.is(day),
        }
    }

    pub(super) fn words(&self) -> String {
        let at = self.at.strftime("%H:%M");
        match &self.days {
            Days::Weekly(days) if days.len() == WEEKDAYS.len() => format!("every day at {at}"),
            Days::Weekly(days) => format!("every {} at {at}", listed(days)),
            Days::Monthly(nth, day) => format!("on the {} {} of every month at {at}", nth.word(), long_name(*day)),
        }
    }
}

impl Nth {
    fn is(self, day: Date) -> bool {
        let week = (day.day() - 1) / 7;
        match self {
            Self::First => week == 0,
            Self::Second => week == 1,
            Self::Third => week == 2,
            Self::Fourth => week == 3,
            Self::Last => day.day() + 7 > day.days_in_month(),
        }
    }

    fn word(self) -> &'static str {
        NTH.iter().find(|(_, nth)| *nth == self).map_or("", |(word, _)| word)
    }
}

pub(super) fn short_name(day: Weekday) -> &'static str {
    WEEKDAYS.iter().find(|(_, _, known)| *known == day).map_or("", |(short, _, _)| short)
}

pub(super) fn long_name(day: Weekday) -> &'static str {
    WEEKDAYS.iter().find(|(_, _, known)| *known == day).map_or("", |(_, long, _)| long)
}

/// "Monday", "Monday and Thursday", "Monday, Wednesday and Friday".
pub(super) fn listed(days: &[Weekday]) -> String {
    let names: Vec<&str> = days.iter().map(|day| long_name(*day)).collect();
    match names.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => names.concat(),
    }
}

/// A weekday by its name, three letters or whole, in any case.
pub(super) fn weekday(text: &str) -> Option<Weekday> {
    let named =
        |(short, long, _): &&(&str, &str, Weekday)| text.eq_ignore_ascii_case(short) || text.eq_ignore_ascii_case(long);
    WEEKDAYS.iter().find(named).map(|(_, _, day)| *day)
}

impl FromStr for Picked {
    type Err = BadSchedule;

    /// `weekly [on] SUN,WED [at] 09:00` or `monthly [on] first MON [at] 09:00`; "every" is another word for weekly.
    fn from_str(text: &str) -> Result<Self, BadSchedule> {
        let words: Vec<String> = text
            .split([' ', ',', '\t'])
            .map(str::to_ascii_lowercase)
            .filter(|word| !matches!(word.as_str(), "" | "on" | "at" | "and" | "the"))
            .collect();
        let (Some((kind, rest)), Some(at)) = (words.split_first(), words.last().and_then(|word| time(word))) else {
            return Err(shape(text));
        };
        let days = &rest[..rest.len().saturating_sub(1)];
        match (kind.as_str(), days) {
            ("monthly", [nth, day]) => {
                let nth = NTH.iter().find(|(word, _)| word == nth).map(|(_, nth)| *nth).ok_or_else(|| shape(text))?;
                let day = weekday(day).ok_or_else(|| shape(text))?;
                Ok(Self { days: Days::Monthly(nth, day), at })
            }
            ("weekly" | "every", [day]) if day == "day" => Self::weekly(&WEEKDAYS.map(|(_, _, day)| day), at),
            ("weekly" | "every", days) => {
                let days: Option<Vec<Weekday>> = days.iter().map(|day| weekday(day)).collect();
                Self::weekly(&days.ok_or_else(|| shape(text))?, at)
            }
            _ => Err(shape(text)),
        }
    }
}

fn shape(text: &str) -> BadSchedule {
    BadSchedule::because(format!(
        "the schedule \"{text}\" is not understood; write \"weekly SUN 09:00\", \"weekly MON,THU 18:30\", \
         \"monthly first MON 09:00\" (first to fourth, or last), or a cron expression such as \"0 9 * * SUN\""
    ))
}

fn time(text: &str) -> Option<Time> {
    let (hour, minute) = text.split_once(':')?;
    let digits = |part: &str| (1..=2).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(hour) || !digits(minute) || minute.len() != 2 {
        return None;
    }
    Time::new(hour.parse().ok()?, minute.parse().ok()?, 0, 0).ok()
}

impl fmt::Display for Picked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.at.strftime("%H:%M");
        match &self.days {
            Days::Weekly(days) => {
                let days: Vec<&str> = days.iter().map(|day| short_name(*day)).collect();
                write!(f, "weekly {} {at}", days.join(","))
            }
            Days::Monthly(nth, day) => write!(f, "monthly {} {} {at}", nth.word(), short_name(*day)),
        }
    }
}

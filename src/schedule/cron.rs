//! Cron expressions, read strictly: whatever two readers of cron understand differently is refused with what to
//! write instead.
//!
//! The cron crate is used for the days and hours only, on a wall clock that it takes for UTC: iterated in a zone it
//! leaves out firings that fall into a gap and repeats those in an overlap. Weekdays are read here, because that
//! crate counts them from Sunday = 1 and crontab(5) from Sunday = 0.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use chrono::{Datelike as _, TimeZone as _, Timelike as _, Utc};
use jiff::civil::{DateTime, Weekday};

use super::BadSchedule;
use super::picker::{WEEKDAYS, listed, short_name, weekday};

/// A cron expression that happens, at most once an hour. Its text is normalised: six fields, weekdays by name.
#[derive(Clone, Debug)]
pub struct Cron {
    text: String,
    schedule: cron::Schedule,
    weekdays: Vec<Weekday>,
}

impl Cron {
    pub(super) fn walls(&self, from: DateTime) -> impl Iterator<Item = DateTime> + '_ {
        // One second earlier, because the crate's `after` leaves out its start.
        let start = to_chrono(from).map(|from| from - chrono::TimeDelta::seconds(1));
        start.into_iter().flat_map(|start| self.schedule.after_owned(start)).filter_map(to_jiff)
    }

    pub(super) fn fires_on(&self, wall: DateTime) -> bool {
        to_chrono(wall).is_some_and(|wall| self.schedule.includes(wall))
    }

    pub(super) fn words(&self) -> String {
        let fields: Vec<&str> = self.text.split(' ').collect();
        let [_, minute, hour, day, month, _] = fields.as_slice() else { return self.text.clone() };
        let (Ok(minute), Ok(hour)) = (minute.parse::<u8>(), hour.parse::<u8>()) else { return self.text.clone() };
        match (*day, *month, self.weekdays.len()) {
            ("*", "*", 0 | 7) => format!("every day at {hour:02}:{minute:02}"),
            ("*", "*", _) => format!("every {} at {hour:02}:{minute:02}", listed(&self.weekdays)),
            _ => self.text.clone(),
        }
    }
}

impl fmt::Display for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn to_chrono(wall: DateTime) -> Option<chrono::DateTime<Utc>> {
    let (year, month, day) = (i32::from(wall.year()), wall.month(), wall.day());
    let (hour, minute, second) = (wall.hour(), wall.minute(), wall.second());
    let part = |value: i8| u32::try_from(value).ok();
    Utc.with_ymd_and_hms(year, part(month)?, part(day)?, part(hour)?, part(minute)?, part(second)?).single()
}

fn to_jiff(wall: chrono::DateTime<Utc>) -> Option<DateTime> {
    let part = |value: u32| i8::try_from(value).ok();
    let (month, day, hour) = (part(wall.month())?, part(wall.day())?, part(wall.hour())?);
    DateTime::new(i16::try_from(wall.year()).ok()?, month, day, hour, part(wall.minute())?, part(wall.second())?, 0)
        .ok()
}

impl FromStr for Cron {
    type Err = BadSchedule;

    fn from_str(text: &str) -> Result<Self, BadSchedule> {
        let upper = text.to_ascii_uppercase();
        let fields: Vec<&str> = upper.split_whitespace().collect();
        let (crontab, fields) = match fields.as_slice() {
            [minute, hour, day, month, weekday] => (true, ["0", minute, hour, day, month, weekday]),
            [second, minute, hour, day, month, weekday] => (false, [*second, minute, hour, day, month, weekday]),
            _ => return Err(refuse(text, "a cron expression has five fields: minute, hour, day, month, weekday")),
        };
        let [second, minute, hour, day, month, weekday] = fields;
        refuse_often(text, second, minute)?;
        refuse_special(text, day, weekday)?;
        let any = |field: &str| matches!(field, "*" | "?");
        if !any(day) && !any(weekday) {
            return Err(refuse(
                text,
                "day of the month and weekday are both set, which some programs read as \"and\" and others as \"or\"; \
                 set one and write * for the other",
            ));
        }
        let weekdays = if any(weekday) { Vec::new() } else { read_weekdays(text, weekday, crontab)? };
        let named = if weekdays.is_empty() { "*".to_owned() } else { names(&weekdays) };
        let day = if any(day) { "*" } else { day };
        let text_normal = format!("0 {minute} {hour} {day} {month} {named}");
        let schedule: cron::Schedule = text_normal.parse().map_err(|_| {
            refuse(text, "one of its fields is out of range or not in the form of 9, 9-17, 9,17 or */2")
        })?;
        let cron = Self { text: text_normal, schedule, weekdays };
        cron.refuse_never(text)?;
        Ok(cron)
    }
}

impl Cron {
    /// The 400 years of the calendar's cycle are not needed: 29 February comes within eight.
    fn refuse_never(&self, text: &str) -> Result<(), BadSchedule> {
        match self.walls(DateTime::constant(2024, 1, 1, 0, 0, 0, 0)).next() {
            Some(_) => Ok(()),
            None => Err(refuse(text, "it never happens: no month has that day")),
        }
    }
}

fn refuse(text: &str, because: &str) -> BadSchedule {
    BadSchedule::because(format!("the schedule \"{text}\" is refused: {because}"))
}

fn number(field: &str) -> bool {
    !field.is_empty() && field.bytes().all(|byte| byte.is_ascii_digit())
}

/// An hour is the shortest period: one number each for second and minute makes it so.
fn refuse_often(text: &str, second: &str, minute: &str) -> Result<(), BadSchedule> {
    if !number(second) || second.parse() != Ok(0) {
        return Err(refuse(text, "the first of six fields is the second, and it must be 0"));
    }
    if !number(minute) {
        return Err(refuse(
            text,
            "it would fire more than once an hour; an hour is the shortest period, so write one number for the minute",
        ));
    }
    Ok(())
}

fn refuse_special(text: &str, day: &str, weekday: &str) -> Result<(), BadSchedule> {
    let special = |field: &str| field.contains(['L', 'W', '#']) && !names_weekdays(field);
    if special(day) || special(weekday) {
        return Err(refuse(
            text,
            "L, W and # are not in every cron; for the first Monday of the month write: monthly first MON 09:00",
        ));
    }
    Ok(())
}

/// "WED" has a W in it and is none of the special letters.
fn names_weekdays(field: &str) -> bool {
    field.split([',', '-', '/']).all(|part| weekday(part).is_some() || number(part))
}

fn names(days: &[Weekday]) -> String {
    days.iter().map(|day| short_name(*day)).collect::<Vec<_>>().join(",")
}

/// The weekday field as a set in order from Monday. Numbers only in five fields, where crontab(5) says what they
/// mean; in six the crate's own count differs, and so does people's.
fn read_weekdays(text: &str, field: &str, crontab: bool) -> Result<Vec<Weekday>, BadSchedule> {
    let mut days = BTreeSet::new();
    for part in field.split(',') {
        let (range, step) = part.split_once('/').map_or((part, Ok(1)), |(range, step)| (range, step.parse::<usize>()));
        let step = step.ok().filter(|step| (1..=7).contains(step)).ok_or_else(|| unknown_day(text, part))?;
        let (first, last) = match range.split_once('-') {
            _ if matches!(range, "*") => (6, 5),
            Some((first, last)) => (day_index(text, first, crontab)?, day_index(text, last, crontab)?),
            None => day_index(text, range, crontab).map(|day| (day, if part.contains('/') { 5 } else { day }))?,
        };
        // A range may go over the end of the week: FRI-MON.
        let length = (last + 7 - first) % 7 + 1;
        days.extend((0..length).step_by(step).map(|offset| (first + offset) % 7));
    }
    Ok(days.into_iter().filter_map(|index| WEEKDAYS.get(index)).map(|(_, _, day)| *day).collect())
}

/// Place of a weekday from Monday = 0.
fn day_index(text: &str, name: &str, crontab: bool) -> Result<usize, BadSchedule> {
    if let Some(day) = weekday(name) {
        return WEEKDAYS.iter().position(|(_, _, known)| *known == day).ok_or_else(|| unknown_day(text, name));
    }
    let index = match name.parse::<usize>() {
        Ok(number @ 1..=7) => number - 1,
        Ok(0) => 6,
        _ => return Err(unknown_day(text, name)),
    };
    if crontab {
        return Ok(index);
    }
    let (short, _, _) = WEEKDAYS[index];
    let why = format!(
        "with six fields some programs count weekdays from Sunday = 1 and others from 0; write {short} for {name}, if that is meant"
    );
    Err(refuse(text, &why))
}

fn unknown_day(text: &str, part: &str) -> BadSchedule {
    refuse(text, &format!("\"{part}\" is no weekday; write MON, TUE, WED, THU, FRI, SAT or SUN"))
}

//! One wall time in a named zone, as an editor writes it, and the instant it means.

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{AmbiguousOffset, Offset, TimeZone};

use super::zone;
use crate::values::clock::Millis;

/// A wall time that lies ahead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    pub wall: DateTime,
    /// IANA name, as the database writes it.
    pub zone: String,
    pub at: Millis,
    /// What to tell the editor when the clocks change around that time.
    pub note: Option<String>,
}

/// Why a text is not a time to send at.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadMoment {
    #[error("the time \"{0}\" is not understood; write it as 2026-11-29 09:00")]
    Shape(String),
    #[error("the time \"{0}\" names an offset; write the wall time alone, as 2026-11-29 09:00, and its zone beside it")]
    Offset(String),
    #[error("there is no such day or time as \"{0}\"")]
    NoSuchDay(String),
    #[error(transparent)]
    Zone(#[from] zone::UnknownZone),
    #[error("{wall} in {zone} is in the past; there it is now {now}. Nothing was scheduled; give a later time")]
    Past { wall: String, zone: String, now: String },
    #[error("{0} is more than two years ahead, which is nearly always a slip of the pen; nothing was scheduled")]
    Far(String),
}

/// How far ahead an issue can be scheduled, in days: beyond two years a mistyped year is likelier than a plan, and
/// zones change their rules.
pub const AHEAD_DAYS_MAX: i64 = 731;
/// A time less than this much past is still taken: it is the minute that the editor sees on the clock.
const JUST_NOW_MILLIS: i64 = Millis::MINUTE;

/// Reads "2026-11-29 09:00" (or with a T, or with seconds) in `zone`, as seen at `now`. Words are few: "today 18:00"
/// and "tomorrow 09:00", counted from the day it is in that zone.
///
/// # Errors
/// [`BadMoment`]: what is wrong with it and what to write.
pub fn parse(text: &str, zone: &str, now: Millis) -> Result<Moment, BadMoment> {
    let (wall, tz) = read(text, zone, now)?;
    moment(wall, &tz, now)
}

/// The wall time of a text as [`parse`] reads it, be it past.
///
/// # Errors
/// [`BadMoment`]: what is wrong with it and what to write.
pub fn read(text: &str, zone: &str, now: Millis) -> Result<(DateTime, TimeZone), BadMoment> {
    let tz = zone::find(zone)?;
    Ok((read_wall(text, tz.to_datetime(now.timestamp()).date())?, tz))
}

/// The moment that `wall` means in `tz`.
///
/// # Errors
/// When it is past, or too far ahead.
pub fn moment(wall: DateTime, tz: &TimeZone, now: Millis) -> Result<Moment, BadMoment> {
    let shown = wall.strftime("%Y-%m-%d %H:%M").to_string();
    let at = tz.to_ambiguous_timestamp(wall).compatible().map_err(|_| BadMoment::NoSuchDay(shown.clone()))?;
    let at = Millis::from(at);
    if at.plus(JUST_NOW_MILLIS) <= now {
        let zone = zone::name_of(tz).to_owned();
        let now = tz.to_datetime(now.timestamp()).strftime("%Y-%m-%d %H:%M").to_string();
        return Err(BadMoment::Past { wall: shown, zone, now });
    }
    if at.since(now) > AHEAD_DAYS_MAX * Millis::DAY {
        return Err(BadMoment::Far(shown));
    }
    Ok(Moment { wall, zone: zone::name_of(tz).to_owned(), at, note: note(wall, tz, at) })
}

fn note(wall: DateTime, tz: &TimeZone, at: Millis) -> Option<String> {
    let asked = wall.strftime("%H:%M on %-d %B %Y");
    let zone = zone::name_of(tz);
    let meant = tz.to_datetime(at.timestamp()).strftime("%H:%M").to_string();
    match tz.to_ambiguous_timestamp(wall).offset() {
        AmbiguousOffset::Unambiguous { .. } => None,
        AmbiguousOffset::Gap { after, .. } => Some(format!(
            "{asked} does not exist in {zone}: the clocks are put forward over it. It is taken as {meant} ({})",
            offset_text(after)
        )),
        AmbiguousOffset::Fold { before, .. } => Some(format!(
            "{asked} comes twice in {zone}: the clocks are put back over it. The first is meant ({})",
            offset_text(before)
        )),
    }
}

fn read_wall(text: &str, today: Date) -> Result<DateTime, BadMoment> {
    let text = text.trim();
    let shape = || BadMoment::Shape(text.to_owned());
    let (day, time) = text.split_once(' ').or_else(|| text.split_once(['T', 't'])).ok_or_else(shape)?;
    let time = time.trim();
    if time.ends_with(['Z', 'z']) || time.contains(['+', '-', '[']) {
        return Err(BadMoment::Offset(text.to_owned()));
    }
    let date = match day.to_ascii_lowercase().as_str() {
        "today" => today,
        "tomorrow" => today.tomorrow().map_err(|_| shape())?,
        _ => read_date(day, text)?,
    };
    Ok(date.to_datetime(read_time(time, text)?))
}

fn read_date(day: &str, text: &str) -> Result<Date, BadMoment> {
    let shape = || BadMoment::Shape(text.to_owned());
    let parts: Vec<i16> = numbers(day, '-', &[4, 2, 2]).ok_or_else(shape)?;
    let [year, month, day] = parts.as_slice() else { return Err(shape()) };
    let (month, day) = (i8::try_from(*month).map_err(|_| shape())?, i8::try_from(*day).map_err(|_| shape())?);
    Date::new(*year, month, day).map_err(|_| BadMoment::NoSuchDay(text.to_owned()))
}

fn read_time(time: &str, text: &str) -> Result<Time, BadMoment> {
    let shape = || BadMoment::Shape(text.to_owned());
    let parts =
        numbers(time, ':', &[2, 2]).or_else(|| numbers(time, ':', &[1, 2])).or_else(|| numbers(time, ':', &[2, 2, 2]));
    let parts: Vec<i8> = parts.ok_or_else(shape)?.iter().filter_map(|part| i8::try_from(*part).ok()).collect();
    let time = match parts.as_slice() {
        [hour, minute] => Time::new(*hour, *minute, 0, 0),
        [hour, minute, second] => Time::new(*hour, *minute, *second, 0),
        _ => return Err(shape()),
    };
    time.map_err(|_| BadMoment::NoSuchDay(text.to_owned()))
}

/// Numbers of exactly those widths between `separator`s.
fn numbers(text: &str, separator: char, widths: &[usize]) -> Option<Vec<i16>> {
    let parts: Vec<&str> = text.split(separator).collect();
    let fits = |(part, width): (&&str, &usize)| part.len() == *width && part.bytes().all(|byte| byte.is_ascii_digit());
    if parts.len() != widths.len() || !parts.iter().zip(widths).all(fits) {
        return None;
    }
    parts.iter().map(|part| part.parse().ok()).collect()
}

/// "Sun 29 Nov 2026 09:00 America/Vancouver (UTC−7)": how every time is shown to an editor.
#[must_use]
pub fn say(at: Millis, tz: &TimeZone) -> String {
    let at = at.timestamp();
    let wall = tz.to_datetime(at).strftime("%a %-d %b %Y %H:%M");
    format!("{wall} {} ({})", zone::name_of(tz), offset_text(tz.to_offset(at)))
}

/// "UTC−7", "UTC+5:30", "UTC".
#[must_use]
pub fn offset_text(offset: Offset) -> String {
    let minutes = offset.seconds() / 60;
    let sign = if minutes < 0 { '\u{2212}' } else { '+' };
    match (minutes.abs() / 60, minutes.abs() % 60) {
        (0, 0) => "UTC".into(),
        (hours, 0) => format!("UTC{sign}{hours}"),
        (hours, minutes) => format!("UTC{sign}{hours}:{minutes:02}"),
    }
}

#[cfg(test)]
mod tests {
    use super::{BadMoment, parse, say};
    use crate::schedule::zone;
    use crate::values::clock::Millis;

    /// 2026-11-24 12:00 UTC.
    const NOW: Millis = Millis(1_795_521_600_000);

    #[test]
    fn a_wall_time_is_read_and_shown_with_zone_and_offset() {
        for text in ["2026-11-29 09:00", "2026-11-29T09:00", "2026-11-29 9:00", "2026-11-29 09:00:00"] {
            let moment = parse(text, "America/Vancouver", NOW).expect(text);
            let tz = zone::find(&moment.zone).expect("known");
            assert_eq!(say(moment.at, &tz), "Sun 29 Nov 2026 09:00 America/Vancouver (UTC\u{2212}7)");
            assert_eq!(moment.note, None);
        }
        let moment = parse("tomorrow 09:30", "asia/kolkata", NOW).expect("a time");
        let tz = zone::find(&moment.zone).expect("known");
        assert_eq!(say(moment.at, &tz), "Wed 25 Nov 2026 09:30 Asia/Kolkata (UTC+5:30)");
    }

    #[test]
    fn a_wall_time_that_does_not_exist_is_moved_forward_and_says_so() {
        let moment = parse("2027-03-28 02:30", "Europe/Berlin", NOW).expect("a time");
        let tz = zone::find("Europe/Berlin").expect("known");
        assert_eq!(say(moment.at, &tz), "Sun 28 Mar 2027 03:30 Europe/Berlin (UTC+2)");
        let note = moment.note.expect("a note");
        assert!(note.contains("does not exist") && note.contains("03:30 (UTC+2)"), "{note}");
    }

    #[test]
    fn a_wall_time_that_comes_twice_means_the_first_and_says_so() {
        let moment = parse("2027-10-31 02:30", "Europe/Berlin", NOW).expect("a time");
        let note = moment.note.expect("a note");
        assert!(note.contains("comes twice") && note.contains("UTC+2"), "{note}");
    }

    #[test]
    fn what_is_past_or_no_time_is_refused_with_what_to_write() {
        let refused = |text: &str, zone: &str| parse(text, zone, NOW).expect_err(text);
        assert!(matches!(refused("2026-11-24 11:58", "UTC"), BadMoment::Past { .. }));
        assert!(parse("2026-11-24 12:00", "UTC", NOW).is_ok());
        assert!(matches!(refused("2062-11-29 09:00", "UTC"), BadMoment::Far(_)));
        assert!(matches!(refused("2026-11-31 09:00", "UTC"), BadMoment::NoSuchDay(_)));
        assert!(matches!(refused("2026-11-29 25:00", "UTC"), BadMoment::NoSuchDay(_)));
        assert!(matches!(refused("2026-11-29T09:00Z", "UTC"), BadMoment::Offset(_)));
        assert!(matches!(refused("2026-11-29T09:00+01:00", "UTC"), BadMoment::Offset(_)));
        assert!(matches!(refused("2026-11-29 09:00", "Europe/Lisboa"), BadMoment::Zone(_)));
        for text in ["", "09:00", "2026-11-29", "29.11.2026 09:00", "11/29/2026 9am", "2026-11-29 9", "soon"] {
            assert!(matches!(refused(text, "UTC"), BadMoment::Shape(_)), "{text}");
        }
    }
}

//! Times, spans and numbers as people read them: absolute with zone first, "in 2 d 3 h" second.

use jiff::tz::TimeZone;

use crate::schedule::{wall, zone};
use crate::values::clock::Millis;

/// An instant on a zone's wall clock, ready to print.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct When {
    /// "Sun 29 Nov 2026, 09:00"
    pub(super) full: String,
    /// "Sun 29 Nov, 09:00"
    pub(super) short: String,
    /// "29 Nov 2026"
    pub(super) date: String,
    /// "09:00"
    pub(super) time: String,
    /// "09:00:12"
    pub(super) seconds: String,
    /// "UTC−4"
    pub(super) offset: String,
    /// "Halifax", of "America/Halifax".
    pub(super) place: String,
    /// For `<time datetime>`.
    pub(super) iso: String,
}

impl When {
    /// An unknown zone is shown as UTC, which is then what is printed.
    pub(super) fn new(at: Millis, zone: &str) -> Self {
        let tz = zone::find(zone).unwrap_or(TimeZone::UTC);
        let place = place(zone::name_of(&tz));
        let at = at.timestamp().to_zoned_datetime(tz);
        let print = |format: &str| at.strftime(format).to_string();
        Self {
            full: print("%a %-d %b %Y, %H:%M"),
            short: print("%a %-d %b, %H:%M"),
            date: print("%-d %b %Y"),
            time: print("%H:%M"),
            seconds: print("%H:%M:%S"),
            offset: wall::offset_text(at.offset()),
            place,
            iso: print("%Y-%m-%dT%H:%M:%S%:z"),
        }
    }

    /// "09:00:12" today, "Sun 29 Nov, 09:00" otherwise.
    pub(super) fn near(at: Millis, now: Millis, zone: &str) -> String {
        let (at, now) = (Self::new(at, zone), Self::new(now, zone));
        if at.date == now.date { at.seconds } else { at.short }
    }
}

/// The city of a zone: "Halifax" of "America/Halifax".
pub(super) fn place(zone: &str) -> String {
    zone.rsplit('/').next().unwrap_or(zone).replace('_', " ")
}

/// "4 d 15 h", "3 h 20 min", "5 min", "42 s": the two largest units that say something.
pub(super) fn span(millis: i64) -> String {
    let seconds = millis.abs() / Millis::SECOND;
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min"),
        (0, _, 0) => format!("{hours} h"),
        (0, ..) => format!("{hours} h {minutes} min"),
        (_, 0, _) => format!("{days} d"),
        _ => format!("{days} d {hours} h"),
    }
}

/// "in 4 d 15 h" or "3 h 20 min ago".
pub(super) fn from_now(at: Millis, now: Millis) -> String {
    let away = at.since(now);
    if away >= 0 { format!("in {}", span(away)) } else { format!("{} ago", span(away)) }
}

/// "4,211".
pub(super) fn number(n: i64) -> String {
    let digits = n.unsigned_abs().to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3 + 1);
    if n < 0 {
        grouped.push('−');
    }
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// "1 reader", "4,211 readers".
pub(super) fn count(n: i64, one: &str, many: &str) -> String {
    format!("{} {}", number(n), if n == 1 { one } else { many })
}

/// "48.3 %" of a whole; nothing of nothing is all of it.
pub(super) fn percent(part: i64, whole: i64) -> String {
    if whole == 0 {
        return "100 %".to_owned();
    }
    let tenths = part.saturating_mul(1_000) / whole;
    if tenths % 10 == 0 { format!("{} %", tenths / 10) } else { format!("{}.{} %", tenths / 10, tenths % 10) }
}

#[cfg(test)]
mod tests {
    use super::{When, count, from_now, number, percent, span};
    use crate::values::clock::Millis;

    #[test]
    fn a_time_is_shown_on_the_zones_own_clock() {
        let at = Millis("2026-11-29T13:00:05Z".parse::<jiff::Timestamp>().expect("is a time").as_millisecond());
        let when = When::new(at, "America/Halifax");
        assert_eq!((when.full.as_str(), when.offset.as_str()), ("Sun 29 Nov 2026, 09:00", "UTC−4"));
        assert_eq!((when.place.as_str(), when.seconds.as_str()), ("Halifax", "09:00:05"));
        assert_eq!(When::new(at, "Asia/Kolkata").offset, "UTC+5:30");
        assert_eq!(When::new(at, "Europe/Lisbon").offset, "UTC");
        assert_eq!(When::new(at, "Nowhere/Land").place, "UTC");
    }

    #[test]
    fn spans_and_numbers_read_as_in_print() {
        for (millis, wanted) in
            [(42_000, "42 s"), (90_000, "1 min"), (12_000_000, "3 h 20 min"), (400_000_000, "4 d 15 h"), (0, "0 s")]
        {
            assert_eq!(span(millis), wanted);
        }
        assert_eq!(from_now(Millis(5_000), Millis(65_000)), "1 min ago");
        assert_eq!(
            (number(4_211), number(999), number(-1_000_000)),
            ("4,211".into(), "999".into(), "−1,000,000".into())
        );
        assert_eq!(
            (count(1, "reader", "readers"), count(0, "reader", "readers")),
            ("1 reader".into(), "0 readers".into())
        );
        assert_eq!(
            (percent(483, 1_000), percent(1, 2), percent(0, 0)),
            ("48.3 %".into(), "50 %".into(), "100 %".into())
        );
    }
}

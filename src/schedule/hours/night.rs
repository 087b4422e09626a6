//! Quiet hours while mail leaves. A plan keeps due times out of them; what is late (a slow relay, a retry, a machine
//! that slept) comes to its turn at any hour, and is asked here.

use std::fmt;
use std::str::FromStr;

use jiff::tz::TimeZone;

use super::{Hours, Quiet};
use crate::schedule::zone;
use crate::values::clock::Millis;

/// The quiet hours of one published issue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Night {
    pub quiet: Quiet,
    /// The newsletter's zone, which stands in for readers whose zone is not known.
    pub house: String,
    /// Each reader's own clock counts.
    pub own: bool,
}

/// A stretch in which nothing is begun: from its first instant to before its last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub from: Millis,
    pub until: Millis,
}

impl Span {
    /// When mail may leave again, if not now.
    #[must_use]
    pub fn end_at(&self, now: Millis) -> Option<Millis> {
        (self.from <= now && now < self.until).then_some(self.until)
    }
}

impl Night {
    /// What an issue's hours say of it; `None` where they know no quiet.
    #[must_use]
    pub fn of(hours: &Hours, house: &str) -> Option<Self> {
        Some(Self { quiet: hours.quiet?, house: house.to_owned(), own: hours.local.is_some() })
    }

    /// The quiet span that lies around `now`, or the next one, on a reader's clock. `zone`: as the reader's row names
    /// it, empty where it is not known.
    #[must_use]
    pub fn span(&self, zone: &str, now: Millis) -> Option<Span> {
        let zone = if self.own && !zone.is_empty() { zone } else { &self.house };
        let tz = zone::find(zone).or_else(|_| zone::find(&self.house)).unwrap_or(TimeZone::UTC);
        if let Some(until) = self.quiet.end_at(now, &tz) {
            return Some(Span { from: now, until });
        }
        self.quiet.next_after(now, &tz).map(|(from, until)| Span { from, until })
    }

    /// When it ends for everybody, if it is quiet for everybody: one clock counts.
    #[must_use]
    pub fn end_for_all(&self, now: Millis) -> Option<Millis> {
        self.span("", now).filter(|_| !self.own)?.end_at(now)
    }
}

const OWN: &str = "own";

impl fmt::Display for Night {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}{}", self.quiet, self.house, if self.own { " own" } else { "" })
    }
}

impl FromStr for Night {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut words = text.split(' ');
        let (quiet, house) = (words.next().unwrap_or_default().parse()?, words.next().unwrap_or_default());
        Ok(Self { quiet, house: house.to_owned(), own: words.next() == Some(OWN) })
    }
}

#[cfg(test)]
mod tests {
    use super::Night;
    use crate::values::clock::Millis;

    fn at(text: &str) -> Millis {
        Millis::from(text.parse::<jiff::Timestamp>().expect("is a time"))
    }

    #[test]
    fn its_text_comes_back() {
        for text in ["22:00-07:00 Europe/Lisbon", "00:30-06:00 Asia/Tokyo own"] {
            assert_eq!(text.parse::<Night>().map(|night| night.to_string()).as_deref(), Ok(text));
        }
        assert!("".parse::<Night>().is_err());
    }

    #[test]
    fn one_clock_counts_or_everybodys_own() {
        let one: Night = "22:00-07:00 Europe/Lisbon".parse().expect("is one");
        let own: Night = "22:00-07:00 Europe/Lisbon own".parse().expect("is one");
        // 23:00 in Lisbon, 08:00 in Tokyo.
        let now = at("2026-11-29T23:00:00Z");
        let ends = at("2026-11-30T07:00:00Z");
        assert_eq!((one.end_for_all(now), own.end_for_all(now)), (Some(ends), None));
        let end = |night: &Night, zone| night.span(zone, now).and_then(|span| span.end_at(now));
        assert_eq!((end(&one, "Asia/Tokyo"), end(&own, "Asia/Tokyo")), (Some(ends), None));
        assert_eq!((end(&own, ""), end(&own, "No/Where")), (Some(ends), Some(ends)));
        let tokyo = own.span("Asia/Tokyo", now).expect("comes");
        assert_eq!((tokyo.from, tokyo.until), (at("2026-11-30T13:00:00Z"), at("2026-11-30T22:00:00Z")));
        assert_eq!(one.end_for_all(at("2026-11-30T07:00:00Z")), None, "its last instant is outside");
    }

    #[test]
    fn clocks_that_are_put_forward_shorten_it() {
        let night: Night = "22:00-07:00 Europe/Berlin".parse().expect("is one");
        let span = night.span("", at("2027-03-27T22:00:00Z")).expect("is now");
        assert_eq!(span.until, at("2027-03-28T05:00:00Z"), "07:00 is summer time");
    }
}

//! When each reader's copy leaves, as a form and as a picture: on the review page for one issue, in the settings for all.

use serde::Deserialize;

use super::words::{When, count, number};
use crate::schedule::hours::forecast::Forecast;
use crate::schedule::hours::{Hours, Passed, Spread, Wish, Wishes};

/// Spans one would choose; another that is set already is added to them.
const SPREADS: [&str; 8] = ["1h", "2h", "3h", "6h", "12h", "24h", "48h", "72h"];
/// The hour a form proposes where none is set.
const HOUR_PROPOSED: &str = "09:00";

/// Hours as they are typed.
#[derive(Clone, Deserialize, Default)]
#[serde(default)]
pub(super) struct HoursForm {
    /// `given` once a person has seen the form; before that what holds is filled in.
    pub(super) hours: String,
    /// `yes`, or nothing.
    pub(super) local: String,
    pub(super) hour: String,
    pub(super) passed: String,
    pub(super) spread: String,
    pub(super) quiet_from: String,
    pub(super) quiet_until: String,
}

impl HoursForm {
    pub(super) fn of(hours: &Hours) -> Self {
        let quiet = |time: fn(&crate::schedule::hours::Quiet) -> jiff::civil::Time| {
            hours.quiet.as_ref().map(|quiet| time(quiet).strftime("%H:%M").to_string()).unwrap_or_default()
        };
        Self {
            hours: "given".into(),
            local: hours.local.map(|_| "yes".to_owned()).unwrap_or_default(),
            hour: hours.local.map_or(HOUR_PROPOSED.into(), |hour| hour.strftime("%H:%M").to_string()),
            passed: hours.passed.as_str().into(),
            spread: if hours.spread_ms > 0 { Spread(hours.spread_ms).to_string() } else { "off".into() },
            quiet_from: quiet(|quiet| quiet.from),
            quiet_until: quiet(|quiet| quiet.until),
        }
    }

    /// What was typed; everything is said, be it "off".
    pub(super) fn wishes(&self) -> Result<Wishes, String> {
        let or = |text: &str, other: &str| if text.trim().is_empty() { other.to_owned() } else { text.to_owned() };
        let local = if self.local == "yes" { or(&self.hour, HOUR_PROPOSED) } else { "off".to_owned() };
        let quiet = match (self.quiet_from.trim(), self.quiet_until.trim()) {
            ("", "") => "off".to_owned(),
            (from, until) => format!("{from}-{until}"),
        };
        Ok(Wishes {
            local: Wish::read(&local)?,
            passed: Some(or(&self.passed, Passed::default().as_str()).parse()?),
            spread: Wish::read(&or(&self.spread, "off"))?,
            quiet: Wish::read(&quiet)?,
        })
    }

    /// `(value, words, chosen)` of the spans to choose from.
    pub(super) fn spreads(&self) -> Vec<(String, String, bool)> {
        let mut values: Vec<String> = SPREADS.iter().map(|value| (*value).to_owned()).collect();
        if self.spread.parse::<Spread>().is_ok() && !values.contains(&self.spread) {
            values.insert(0, self.spread.clone());
        }
        let words =
            |value: &str| value.parse::<Spread>().map(|spread| super::words::span(spread.0)).unwrap_or_default();
        let spans = values.into_iter().map(|value| {
            let (words, chosen) = (words(&value), value == self.spread);
            (value, words, chosen)
        });
        std::iter::once(("off".to_owned(), "nothing: all at once".to_owned(), false)).chain(spans).collect()
    }
}

/// Readers by the hour they are due in: bars, and the same as a table.
pub(super) struct Picture {
    pub(super) label: String,
    pub(super) bars: Vec<HourBar>,
    pub(super) top: String,
    pub(super) from: String,
    pub(super) to: String,
    /// `(from when, readers)` of bars with any.
    pub(super) table: Vec<(String, String)>,
    /// Whose zone is not known.
    pub(super) unknown: String,
}

/// In per cent of the picture.
pub(super) struct HourBar {
    pub(super) x: String,
    pub(super) y: String,
    pub(super) width: String,
    pub(super) height: String,
}

/// The bars stand on this line and are at most so high, in per cent of the picture.
const FOOT: i64 = 82;
const HEIGHT: i64 = 66;
/// The part of its place that a bar takes, in per cent; the rest is air.
const BAR_WIDTH: i64 = 82;

pub(super) fn picture(seen: &Forecast, zone: &str) -> Option<Picture> {
    let (first, last) = (seen.bars.first()?, seen.bars.last()?);
    let high = seen.bars.iter().map(|(_, many)| *many).max().unwrap_or(1).max(1);
    let places = i64::try_from(seen.bars.len()).unwrap_or(i64::MAX).max(8);
    let percent = |thousandths: i64| format!("{}.{:03}%", thousandths / 1_000, thousandths % 1_000);
    let bars = seen.bars.iter().zip(0_i64..).filter(|((_, many), _)| *many > 0).map(|((_, many), at)| {
        // Whoever is there is seen.
        let height = (many * HEIGHT * 1_000 / high).max(1_000);
        HourBar {
            x: percent(at * 100_000 / places),
            y: percent(FOOT * 1_000 - height),
            width: percent(BAR_WIDTH * 1_000 / places),
            height: percent(height),
        }
    });
    let short = |at| When::new(at, zone).short;
    let known = count(seen.unknown, "reader has", "readers have");
    let place = super::words::place(zone);
    Some(Picture {
        label: format!("Readers by the hour: {}", seen.sentence(zone)),
        bars: bars.collect(),
        top: number(high),
        from: short(first.0),
        to: if seen.bars.len() > 1 { short(last.0) } else { String::new() },
        table: seen.bars.iter().filter(|(_, many)| *many > 0).map(|(at, many)| (short(*at), number(*many))).collect(),
        unknown: format!("{known} not told where they live, and go by {place}."),
    })
}

#[cfg(test)]
mod tests {
    use super::HoursForm;
    use crate::schedule::hours::Wishes;

    #[test]
    fn a_form_says_what_it_was_filled_with() {
        for text in [
            "local 09:00, passed skip, spread 3h, quiet 22:00-07:00",
            "local off, passed at-once, spread off, quiet off",
        ] {
            let wishes: Wishes = text.parse().expect("wishes");
            let again = HoursForm::of(&wishes.hours()).wishes().map(|wishes| wishes.to_string());
            assert_eq!(again, Ok(text.to_owned()));
        }
        let odd = HoursForm { spread: "90m".into(), ..HoursForm::default() };
        assert!(odd.spreads().iter().any(|(value, words, chosen)| value == "90m" && words == "1 h 30 min" && *chosen));
        let half = HoursForm { quiet_from: "22:00".into(), ..HoursForm::default() };
        assert!(half.wishes().is_err_and(|why| why.contains("22:00-07:00")));
    }
}

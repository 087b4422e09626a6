//! Charts as plain SVG: lines in a stretched inner picture, words by percentages, every number again in a table.

use super::words::{When, number};
use crate::store::desk::Tides;
use crate::values::clock::Millis;

/// A line over time.
pub(super) struct Chart {
    /// What it says, in a sentence.
    pub(super) label: String,
    /// Points in a square of 100 by 100.
    pub(super) points: String,
    /// Where the last point is, in per cent of the whole height.
    pub(super) end: String,
    /// `(y, words)` of the lines behind it.
    pub(super) grid: Vec<(String, String)>,
    /// First and last day.
    pub(super) from: String,
    pub(super) to: String,
    /// Foot of the chart.
    pub(super) foot: String,
    /// `(day, readers)`, a row a week.
    pub(super) table: Vec<(String, String)>,
}

/// The inner picture begins at 12 % of the height and is 74 % high.
const TOP: f64 = 12.0;
const HEIGHT: f64 = 74.0;
/// Lines behind the chart.
const GRID_LINES: i64 = 3;

/// Readers by day, from today's number back through comings and goings.
pub(super) fn tide(readers: i64, tides: &Tides, now: Millis, days: i64, zone: &str) -> Chart {
    let today = now.0 / Millis::DAY;
    let on = |list: &[(i64, i64)], day: i64| list.iter().find(|(known, _)| *known == day).map_or(0, |(_, many)| *many);
    let mut counts = vec![readers; usize::try_from(days).unwrap_or(0) + 1];
    let mut count = readers;
    for (back, place) in counts.iter_mut().rev().enumerate() {
        *place = count.max(0);
        let day = today - i64::try_from(back).unwrap_or(0);
        count += on(&tides.left, day) - on(&tides.joined, day);
    }
    let (low, high) = (counts.iter().min().copied().unwrap_or(0), counts.iter().max().copied().unwrap_or(1));
    let step = round_step((high - low).max(1));
    let foot = low / step * step;
    let span = (high - foot).max(step) as f64;
    let x = |at: usize| at as f64 * 100.0 / days.max(1) as f64;
    let y = |many: i64| 100.0 - (many - foot) as f64 * 100.0 / span;
    let points: Vec<String> =
        counts.iter().enumerate().map(|(at, many)| format!("{:.2},{:.2}", x(at), y(*many))).collect();
    let outer = |many: i64| format!("{:.1}%", TOP + y(many) * HEIGHT / 100.0);
    let lines = (1..=GRID_LINES).map(|line| foot + line * step).filter(|many| *many <= high);
    let date = |back: i64| When::new(now.plus(-back * Millis::DAY), zone).date;
    let weeks = (0..=days / 7).rev().map(|week| week * 7);
    Chart {
        label: format!("Readers over {days} days, from {} to {} today", number(counts[0]), number(readers)),
        points: points.join(" "),
        end: outer(readers),
        grid: lines.map(|many| (outer(many), number(many))).collect(),
        from: date(days),
        to: date(0),
        foot: number(foot),
        table: weeks
            .map(|back| (date(back), number(counts[counts.len() - 1 - usize::try_from(back).unwrap_or(0)])))
            .collect(),
    }
}

/// A third of the span, rounded up to 1, 2 or 5 times a power of ten.
fn round_step(span: i64) -> i64 {
    let wanted = (span + GRID_LINES - 1) / GRID_LINES;
    let mut unit = 1;
    loop {
        for step in [unit, 2 * unit, 5 * unit] {
            if step >= wanted {
                return step;
            }
        }
        unit *= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::{round_step, tide};
    use crate::store::desk::Tides;
    use crate::values::clock::Millis;

    #[test]
    fn steps_are_round() {
        for (span, wanted) in [(1, 1), (6, 2), (231, 100), (40, 20), (1_000_000, 500_000)] {
            assert_eq!(round_step(span), wanted, "{span}");
        }
    }

    #[test]
    fn the_chart_walks_back_from_today() {
        let now = Millis(20_000 * Millis::DAY);
        let tides = Tides { joined: vec![(20_000, 5), (19_990, 10)], left: vec![(19_995, 3)] };
        let chart = tide(100, &tides, now, 90, "UTC");
        assert!(chart.label.starts_with("Readers over 90 days, from 88 to 100"), "{}", chart.label);
        assert_eq!(chart.points.split(' ').count(), 91);
        assert_eq!(chart.table.last().map(|(_, many)| many.as_str()), Some("100"));
    }
}

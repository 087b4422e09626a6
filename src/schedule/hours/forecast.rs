//! What a plan comes to, by counting readers by zone: the sentence and the picture before an issue is sent.

use super::plan::{Plan, ZonePlan};
use crate::values::clock::Millis;

/// Bars of the picture: more cannot be told apart on a phone.
const BARS_MAX: i64 = 60;
/// Widths of a bar, of which the first that needs few enough is taken.
const WIDTHS_MS: [i64; 5] = [Millis::HOUR, 3 * Millis::HOUR, 6 * Millis::HOUR, 12 * Millis::HOUR, Millis::DAY];

/// What leaves when, before it leaves.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Forecast {
    pub readers: i64,
    /// First and last of those who get it, with their zones (empty: the newsletter's).
    pub first: Option<(Millis, String)>,
    pub last: Option<(Millis, String)>,
    /// Their hour has passed, and they get it at once.
    pub at_once: i64,
    /// Their hour has passed, and they do not get it.
    pub skipped: i64,
    /// Readers whose zone is not known, and who live by the newsletter's.
    pub unknown: i64,
    /// How long a bar is.
    pub bar_ms: i64,
    /// `(from when, readers)`, without a break, from the first bar to the last.
    pub bars: Vec<(Millis, i64)>,
}

impl Forecast {
    /// "first Wed 25 Nov 20:00 UTC (Auckland), last Thu 26 Nov 20:00 UTC (Pago Pago); 312 whose hour has passed get it
    /// at once". `house` is the newsletter's zone.
    #[must_use]
    pub fn sentence(&self, house: &str) -> String {
        let (Some(first), Some(last)) = (&self.first, &self.last) else {
            return "nobody: everybody's hour has passed".into();
        };
        let say = |(at, zone): &(Millis, String)| {
            let zone = if zone.is_empty() { house } else { zone };
            let city = zone.rsplit('/').next().unwrap_or(zone).replace('_', " ");
            format!("{} UTC ({city})", at.timestamp().strftime("%a %-d %b %H:%M"))
        };
        let span = if first.0.since(last.0).abs() < Millis::MINUTE {
            format!("all {}", say(first))
        } else {
            format!("first {}, last {}", say(first), say(last))
        };
        let passed =
            [(self.at_once, "get it at once", "gets it at once"), (self.skipped, "get nothing", "gets nothing")]
                .into_iter()
                .filter(|(many, ..)| *many > 0)
                .map(|(many, all, one)| {
                    format!("; {many} whose hour has passed {}", if many == 1 { one } else { all })
                });
        span + &passed.collect::<String>()
    }
}

/// Counts a plan with `(zone, readers)`. Zones that the plan does not name go by its empty one.
#[must_use]
pub fn forecast(plan: &Plan, readers: &[(String, i64)]) -> Forecast {
    let fallback = plan.zones.iter().find(|zone| zone.zone.is_empty());
    let of = |name: &str| plan.zones.iter().find(|zone| zone.zone == name).or(fallback);
    let groups: Vec<(&ZonePlan, i64)> =
        readers.iter().filter_map(|(name, many)| Some((of(name)?, *many))).filter(|(_, many)| *many > 0).collect();
    let spans = || groups.iter().filter_map(|(zone, _)| Some((zone.span()?, zone.zone.clone())));
    let first = spans().map(|((first, _), zone)| (first, zone)).min_by_key(|(at, _)| *at);
    let last = spans().map(|((_, last), zone)| (last, zone)).max_by_key(|(at, _)| *at);
    let sum =
        |wanted: &dyn Fn(&ZonePlan) -> bool| groups.iter().filter(|(zone, _)| wanted(zone)).map(|(_, many)| many).sum();
    let bar_ms = first.as_ref().zip(last.as_ref()).map_or(Millis::HOUR, |((first, _), (last, _))| width(*first, *last));
    Forecast {
        readers: groups.iter().map(|(_, many)| many).sum(),
        at_once: sum(&|zone| zone.passed && !zone.stretches.is_empty()),
        skipped: sum(&|zone| zone.passed && zone.stretches.is_empty()),
        unknown: sum(&|zone| zone.zone.is_empty()),
        bar_ms,
        bars: bars(&groups, plan.spread_ms, bar_ms),
        first,
        last,
    }
}

fn width(first: Millis, last: Millis) -> i64 {
    let needs = |width: &i64| last.0.div_euclid(*width) - first.0.div_euclid(*width) < BARS_MAX;
    WIDTHS_MS.into_iter().find(needs).unwrap_or(Millis::DAY)
}

fn bars(groups: &[(&ZonePlan, i64)], spread_ms: i64, bar_ms: i64) -> Vec<(Millis, i64)> {
    let mut counted = std::collections::BTreeMap::<i64, i64>::new();
    let whole = spread_ms.max(1);
    for (zone, many) in groups {
        for stretch in &zone.stretches {
            let mut from = stretch.from;
            while from < stretch.until {
                let bar = (stretch.shift + from).div_euclid(bar_ms);
                let until = ((bar + 1) * bar_ms - stretch.shift).min(stretch.until);
                // By what is reached at both ends, so that the parts add up to the whole.
                let reached = |share: i64| many.saturating_mul(share) / whole;
                *counted.entry(bar).or_default() += reached(until) - reached(from);
                from = until;
            }
        }
    }
    let (Some(first), Some(last)) = (counted.keys().min().copied(), counted.keys().max().copied()) else {
        return Vec::new();
    };
    (first..=last).map(|bar| (Millis(bar * bar_ms), counted.get(&bar).copied().unwrap_or(0))).collect()
}

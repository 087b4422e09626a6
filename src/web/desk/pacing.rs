//! Relays of an issue on its way: which rests and why, how fast each may go.

use super::state::State as Ink;
use super::words::{When, number};
use crate::values::clock::Millis;
use crate::verbs::progress::RelayStanding;

pub(super) struct RelayRow {
    pub(super) name: String,
    pub(super) share: String,
    pub(super) state: Ink,
    pub(super) why: String,
    pub(super) pace: String,
    pub(super) used: String,
    pub(super) sites: Vec<String>,
}

impl RelayRow {
    pub(super) fn of(relay: &RelayStanding, zone: &str, now: Millis) -> Self {
        Self {
            name: relay.name.clone(),
            share: if relay.weight == 0 { "a spare".into() } else { String::new() },
            state: state(relay, zone, now),
            why: relay.why.clone().unwrap_or_default(),
            pace: pace(relay),
            used: used(relay),
            sites: sites(relay, zone, now),
        }
    }
}

fn state(relay: &RelayStanding, zone: &str, now: Millis) -> Ink {
    match relay.rests_until {
        Some(until) => Ink::new("warn", "pause", format!("Rests until {}", When::near(until, now, zone))),
        None if relay.why.is_some() => Ink::new("warn", "clock", "Slowed down"),
        None => Ink::new("good", "check", "Takes mail"),
    }
}

/// "8 of 16 connections, 300 a minute".
fn pace(relay: &RelayStanding) -> String {
    let connections = match relay.connections == relay.connections_max {
        true => format!("up to {} connections", relay.connections_max),
        false => format!("{} of {} connections", relay.connections, relay.connections_max),
    };
    let slowed = relay.slowed_to_per_minute.map(i64::from);
    let limits = [(relay.per_second, "second"), (slowed.or(relay.per_minute), "minute")];
    let limits = limits.into_iter().filter_map(|(many, span)| many.map(|many| format!("{} a {span}", number(many))));
    std::iter::once(connections).chain(limits).collect::<Vec<_>>().join(", ")
}

/// "120 of 500 in an hour".
fn used(relay: &RelayStanding) -> String {
    let limits = [(relay.per_hour, relay.used_in_hour, "an hour"), (relay.per_day, relay.used_in_day, "24 hours")];
    let part = |(limit, used, span): (Option<i64>, u32, &str)| {
        limit.map(|limit| format!("{} of {} in {span}", number(i64::from(used)), number(limit)))
    };
    let parts: Vec<String> = limits.into_iter().filter_map(part).collect();
    if parts.is_empty() { "no limit".into() } else { parts.join(", ") }
}

/// "gmail rests until 17:34", "example.org is slow: 2 on the wire, 2 silent".
fn sites(relay: &RelayStanding, zone: &str, now: Millis) -> Vec<String> {
    let line = |site: &crate::verbs::progress::SiteStanding| match (site.rests_until, site.per_minute) {
        (Some(until), _) => format!("{} rests until {}", site.site, When::near(until, now, zone)),
        (None, Some(many)) => format!("{} asked for {many} a minute", site.site),
        (None, None) => {
            format!("{} is slow: {} on the wire, {} silent", site.site, site.on_the_wire, site.silent)
        }
    };
    relay.sites.iter().map(line).collect()
}

//! One receiving site in trouble does not hold up the others.
//!
//! Behind one relay every receiver shares its connections. A site whose mail is refused for now, or whose messages get
//! no answer, could keep them all: so each site begins with one of them (as TCP does with packets), doubles it
//! with every answer, and loses it when it refuses or is silent. While it rests, its readers are put off in the ledger,
//! where they cost nobody a connection.

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};

use super::adapt::{Adapt, Event, Slow};
use super::meter::{Limits, Meter};
use super::sites::SiteKey;
use crate::values::clock::Millis;

/// What a message for a site may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admit {
    /// Go on the wire; the site counts it until [`Gate::ended`].
    Go,
    /// Not just now; an answer is about to come. Keep it aside and take another's first; where too many are aside
    /// already, give it back for [`SOON_MS`].
    Soon,
    /// Not before then: give it back to the ledger.
    Later(Millis),
}

/// How a message on the wire ended, as far as it says something about its site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Taken, or refused for a reason of the reader's own: the site answers.
    Answered,
    /// Refused for now, and not because of the reader.
    Refused,
    /// Silence, or the conversation broke while it was about this site's reader.
    Silent,
    /// Nothing is known of the site: we stopped, or the fault was the relay's or ours.
    Unknown,
}

/// What a site may have at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    pub connections: u32,
    pub limits: Limits,
}

impl Bounds {
    /// One node's part of them, where several send: `node` is how many there are, and which of them it is. Never less
    /// than one connection, and a rate that cannot be split is counted over the next longer span.
    #[must_use]
    pub fn part(&self, node: (u32, u32)) -> Self {
        let (nodes, place) = (node.0.max(1), node.1);
        let share = |many: u32| many / nodes + u32::from(place < many % nodes);
        let Limits { mut per_second, mut per_minute, mut per_hour, per_day } = self.limits;
        // One a second is sixty a minute, and those can be split.
        let widen = |short: &mut Option<u32>, long: &mut Option<u32>| {
            if let Some(many) = short.take_if(|many| *many < nodes) {
                let widened = many.saturating_mul(60);
                *long = Some(long.map_or(widened, |long| long.min(widened)));
            }
        };
        widen(&mut per_second, &mut per_minute);
        widen(&mut per_minute, &mut per_hour);
        let share_of = |limit: Option<u32>| limit.map(|many| share(many).max(1));
        Self {
            connections: share(self.connections).max(1),
            limits: Limits {
                per_second: share_of(per_second),
                per_minute: share_of(per_minute),
                per_hour: share_of(per_hour),
                per_day: share_of(per_day),
            },
        }
    }
}

/// How long a message is put off that was to go soon and for which there is no room to wait.
pub const SOON_MS: i64 = 300;
/// Seats that a site begins with: a dead one never has more, and a live one has them all after a few answers.
const FIRST: u32 = 1;
/// A message that has had no answer for so long is slow: receivers answer within a second or two.
const SLOW_MS: i64 = 3 * Millis::SECOND;
/// Readers of a slow site are put off for so long, and then for as long again as its oldest message has waited: each
/// time they come due and are put off again costs the ledger something.
const AGAIN_MS: i64 = 30 * Millis::SECOND;
/// Refusals in a row after which a site rests; silence counts for all of them.
const REFUSALS_MAX: u32 = 5;
/// How long a site that has not answered yet may say nothing before the final dot, every other time. RFC 5321 section
/// 4.5.3.2 wants five minutes: it gets them at the tries between, when it has rested.
const IMPATIENT_MS: i64 = Millis::MINUTE;
/// First rest of a site, and how it grows: as the pauses of a single message do.
const REST_FIRST_MS: i64 = 5 * Millis::MINUTE;
const REST_MAX_MS: i64 = Millis::HOUR;
/// Sites that are remembered; beyond, those forgotten first have nothing to remember.
const SITES_MAX: usize = 20_000;

/// The receiving sites behind one relay.
#[derive(Debug, Default)]
pub struct Gate {
    sites: HashMap<SiteKey, Site>,
    /// Those with messages on the wire.
    busy: HashSet<SiteKey>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Site {
    meter: Meter,
    adapt: Adapt,
    refusals: u32,
    rests: u32,
    /// The epoch: never.
    rest_until: Millis,
    /// Whether it has answered since it was last in trouble.
    #[serde(skip)]
    answers: bool,
    /// Messages on the wire at once; 0: never tried.
    #[serde(skip)]
    window: u32,
    /// When each message on the wire began.
    #[serde(skip)]
    in_air: Vec<Millis>,
}

impl Gate {
    /// Asks for a message that is about to be taken. `seats`: connections that there are in all.
    /// `bounds`: of the provider table, where the relay wants them.
    pub fn ask(&mut self, site: &SiteKey, seats: u32, bounds: Option<&Bounds>, now: Millis) -> Admit {
        self.forget();
        let unproven = self.sites.get(site).is_none_or(|state| state.window <= FIRST);
        let crowded = unproven && self.is_crowded(seats, now);
        let state = self.sites.entry(site.clone()).or_default();
        if state.window == 0 {
            state.window = FIRST;
        }
        let admit = state.admit(bounds, now);
        if admit == Admit::Go {
            // Many different sites that are all silent are held to half of the seats together.
            if crowded {
                return Admit::Later(now.plus(AGAIN_MS));
            }
            if let Some(until) = state.pace(bounds, now) {
                return until;
            }
            state.in_air.push(now);
            self.busy.insert(site.clone());
        }
        admit
    }

    /// Says how a message that was let go has ended. `begun`: when it was. `most`: messages that may be on the wire at
    /// once in all.
    pub fn ended(&mut self, site: &SiteKey, begun: Millis, ended: Ended, most: u32, now: Millis) {
        let Some(state) = self.sites.get_mut(site) else { return };
        // A message begins a moment after it was let go, by another look at the clock: it is the last one let go
        // before that. One left behind would look silent for ever, and hold up every site that is not known yet.
        let place = state.in_air.iter().rposition(|at| *at <= begun).or((!state.in_air.is_empty()).then_some(0));
        if let Some(place) = place {
            state.in_air.remove(place);
        }
        if state.in_air.is_empty() {
            self.busy.remove(site);
        }
        match ended {
            Ended::Answered => {
                state.window = state.window.saturating_mul(2).clamp(1, most.max(1));
                (state.refusals, state.rests, state.answers) = (0, 0, true);
                state.adapt = state.adapt.clone().after(Event::Taken { begun }, most, now);
            }
            Ended::Refused => state.refused(1, now),
            Ended::Silent => state.refused(REFUSALS_MAX, now),
            Ended::Unknown => {}
        }
    }

    /// A reply that asks this site's mail to be slower.
    pub fn slow(&mut self, site: &SiteKey, slow: Slow, begun: Millis, bounds: Option<&Bounds>, now: Millis) {
        let state = self.sites.entry(site.clone()).or_default();
        let most = bounds.map_or(state.window.max(1), |bounds| bounds.connections);
        state.adapt = state.adapt.clone().after(Event::Slow { slow, begun }, most, now);
    }

    /// Somebody said "try again now".
    pub fn go(&mut self) {
        for state in self.sites.values_mut() {
            (state.refusals, state.rests, state.rest_until) = (0, 0, Millis(0));
            state.adapt = Adapt::default();
        }
    }

    /// How long a message for this site may wait for an answer before its final dot; `None`: as long as usual.
    #[must_use]
    pub fn patience_ms(&self, site: &SiteKey) -> Option<i64> {
        let state = self.sites.get(site)?;
        (!state.answers && state.rests % 2 == 0).then_some(IMPATIENT_MS)
    }

    /// Until when nothing for a site need be tried: it rests, or it is silent and what it may have is on the wire.
    #[must_use]
    pub fn shut_until(&self, site: &SiteKey, now: Millis) -> Option<Millis> {
        let state = self.sites.get(site)?;
        state.rests_until(now).or_else(|| {
            let full = state.in_air.len() >= state.window.max(1) as usize;
            (full && state.slow_in_air(now) > 0).then(|| state.again(now))
        })
    }

    /// Until when a site rests, if it does.
    #[must_use]
    pub fn rest_until(&self, site: &SiteKey, now: Millis) -> Option<Millis> {
        self.sites.get(site)?.rests_until(now)
    }

    /// Sites that are slower than they would be: since when they rest, connections and messages a minute.
    #[must_use]
    pub fn troubled(&self, now: Millis) -> Vec<Troubled> {
        let mut found: Vec<Troubled> = self.sites.iter().filter_map(|(site, state)| state.trouble(site, now)).collect();
        found.sort_by(|one, two| one.site.cmp(&two.site));
        found
    }

    /// What must outlive this process: meters and rests, by site.
    #[must_use]
    pub fn kept(&self, now: Millis) -> String {
        let worth: std::collections::BTreeMap<&str, &Site> = self
            .sites
            .iter()
            .filter(|(_, state)| state.is_worth_keeping(now))
            .map(|(site, state)| (site.as_str(), state))
            .collect();
        serde_json::to_string(&worth).unwrap_or_default()
    }

    /// From what [`Gate::kept`] wrote; what cannot be read is nothing to hold the mail up for.
    #[must_use]
    pub fn of(kept: &str) -> Self {
        let sites: HashMap<String, Site> = serde_json::from_str(kept).unwrap_or_default();
        let sites = sites.into_iter().map(|(site, state)| (SiteKey::new(&site), state)).collect();
        Self { sites, busy: HashSet::new() }
    }

    /// Half of the seats wait for answers that do not come.
    fn is_crowded(&self, seats: u32, now: Millis) -> bool {
        let states = self.busy.iter().filter_map(|site| self.sites.get(site));
        let slow: usize = states.map(|state| state.slow_in_air(now)).sum();
        slow * 2 >= seats.max(2) as usize
    }

    fn forget(&mut self) {
        if self.sites.len() >= SITES_MAX {
            self.sites.retain(|_, state| !state.in_air.is_empty() || state.refusals > 0 || state.rest_until.0 > 0);
        }
    }
}

/// A site that is slower than it would be, for the eye.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Troubled {
    pub site: SiteKey,
    pub rest_until: Option<Millis>,
    pub per_minute: Option<u32>,
    /// Messages on the wire now, and how many of them have waited long for an answer.
    pub in_air: usize,
    pub slow: usize,
}

impl Site {
    fn admit(&self, bounds: Option<&Bounds>, now: Millis) -> Admit {
        if let Some(until) = self.rests_until(now) {
            return Admit::Later(until);
        }
        let most = bounds.map_or(u32::MAX, |bounds| bounds.connections).max(1);
        let window = self.window.min(self.adapt.connections(most, now)).max(1);
        if self.in_air.len() < window as usize {
            Admit::Go
        } else if self.slow_in_air(now) > 0 {
            Admit::Later(self.again(now))
        } else {
            Admit::Soon
        }
    }

    /// What its limits over time say, if they say wait.
    fn pace(&mut self, bounds: Option<&Bounds>, now: Millis) -> Option<Admit> {
        let trickle = Limits { per_minute: self.adapt.per_minute(now), ..Limits::default() };
        let limits = bounds.map_or(trickle, |bounds| bounds.limits.and(&trickle));
        if limits.is_none() {
            return None;
        }
        let mut meter = self.meter.clone();
        match meter.take(&limits, 1, now) {
            Ok(grant) if grant.moments.first().is_none_or(|at| *at <= now) => {
                self.meter = meter;
                None
            }
            Ok(_) => Some(Admit::Soon),
            Err(wait) => Some(Admit::Later(wait.until)),
        }
    }

    fn refused(&mut self, counts: u32, now: Millis) {
        self.window = (self.window / 2).max(1);
        self.refusals += counts;
        if self.refusals >= REFUSALS_MAX {
            let long = REST_FIRST_MS.saturating_mul(3_i64.saturating_pow(self.rests)).min(REST_MAX_MS);
            self.rest_until = now.plus(long);
            (self.rests, self.answers) = (self.rests.saturating_add(1), false);
            // After the rest one message finds out; refused again, the rest is longer.
            (self.window, self.refusals) = (1, REFUSALS_MAX - 1);
        }
    }

    fn rests_until(&self, now: Millis) -> Option<Millis> {
        let until = self.rest_until.max(self.adapt.rest_until(now).unwrap_or(now));
        (until > now).then_some(until)
    }

    fn again(&self, now: Millis) -> Millis {
        let waited = self.in_air.iter().map(|begun| now.since(*begun)).max().unwrap_or(0);
        now.plus(waited.max(AGAIN_MS))
    }

    fn slow_in_air(&self, now: Millis) -> usize {
        self.in_air.iter().filter(|begun| now.since(**begun) >= SLOW_MS).count()
    }

    fn trouble(&self, site: &SiteKey, now: Millis) -> Option<Troubled> {
        let (rest_until, per_minute, slow) = (self.rests_until(now), self.adapt.per_minute(now), self.slow_in_air(now));
        let any = rest_until.is_some() || per_minute.is_some() || slow > 0;
        any.then(|| Troubled { site: site.clone(), rest_until, per_minute, in_air: self.in_air.len(), slow })
    }

    fn is_worth_keeping(&self, now: Millis) -> bool {
        self.rests_until(now).is_some() || self.meter != Meter::default() || self.adapt != Adapt::default()
    }
}

#[cfg(test)]
mod tests;

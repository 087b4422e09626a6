//! Slower when a receiver asks for it, faster again step by step: additive increase, multiplicative decrease.
//!
//! One state per relay, and one per receiving site behind direct relays. `state + event → state`; how fast one may go
//! now is read from the state. What a reply asks for ([`Slow`]) is decided where replies are read, not here.

use serde::{Deserialize, Serialize};

use crate::values::clock::Millis;

/// What an answer asks of the pace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Slow {
    /// A 421 or 4.7.x that asks for nothing else: half the connections.
    Halve,
    /// Gmail's 4.7.28 as documented, and whoever else names a pause: nothing for so long, then one connection, then
    /// one more at a time; refused again, as long again.
    Rest { ms: i64 },
    /// "Busy" of a receiver that counts messages: one connection and so many a minute, for so long.
    Trickle { per_minute: u32, ms: i64 },
    /// "Too many connections": one at most, for so long.
    OneConnection { ms: i64 },
    /// Half the connections; at the third time within an hour, a rest.
    RestAtThird { ms: i64 },
    /// "Too many messages in this connection": fewer next time. Speed is not what it minds.
    FewerPerConnection { carried: u32 },
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A message was taken. `begun`: when its conversation began.
    Taken { begun: Millis },
    /// It was refused in a way that asks us to be slower.
    Slow { slow: Slow, begun: Millis },
    /// Somebody said "try again now".
    Go,
}

/// Messages that each connection carries without a complaint before one more is opened.
const CLIMB_MESSAGES: u32 = 20;
/// And at least so long after the last change: on fast wires twenty messages are nothing.
const CLIMB_MS: i64 = 10 * Millis::SECOND;
/// Span in which three refusals are one too many ([`Slow::RestAtThird`]).
const THIRD_WITHIN_MS: i64 = Millis::HOUR;
/// Longest rest or trickle that an answer can bring about: a typing error in a table must not stop the mail for weeks.
const LONGEST_MS: i64 = Millis::DAY;
/// A ceiling that nothing reaches: no slow-down is in force.
const FREE: u32 = u32::MAX;

/// How a relay or site is treated now. The value to keep.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Adapt {
    /// Connections at once; [`FREE`] without a slow-down.
    allowed: u32,
    /// Taken since the last change.
    taken: u32,
    /// When `allowed` last changed. What began before says nothing about the pace since.
    changed_at: Millis,
    rest_until: Millis,
    /// Connections do not climb before.
    hold_until: Millis,
    trickle: Option<u32>,
    trickle_until: Millis,
    per_connection: Option<u32>,
    /// Of the last hour, for [`Slow::RestAtThird`].
    complaints: Vec<Millis>,
}

impl Default for Adapt {
    fn default() -> Self {
        Self {
            allowed: FREE,
            taken: 0,
            changed_at: Millis(i64::MIN),
            rest_until: Millis(0),
            hold_until: Millis(0),
            trickle: None,
            trickle_until: Millis(0),
            per_connection: None,
            complaints: Vec::new(),
        }
    }
}

impl Adapt {
    /// The state after an event. `most`: the connections that are the rule there.
    #[must_use]
    pub fn after(mut self, event: Event, most: u32, now: Millis) -> Self {
        match event {
            Event::Taken { begun } => self.taken(begun, most, now),
            Event::Slow { slow, begun } => self.slow(slow, begun, most.max(1), now),
            Event::Go => {
                let per_connection = self.per_connection;
                self = Self { per_connection, ..Self::default() };
            }
        }
        self
    }

    /// Connections at once now, of `most`; none while it rests.
    #[must_use]
    pub fn connections(&self, most: u32, now: Millis) -> u32 {
        if now < self.rest_until { 0 } else { self.allowed.min(most) }
    }

    /// Messages a minute, where it asked for that.
    #[must_use]
    pub fn per_minute(&self, now: Millis) -> Option<u32> {
        self.trickle.filter(|_| now < self.trickle_until)
    }

    /// When it may be tried again, while it rests.
    #[must_use]
    pub fn rest_until(&self, now: Millis) -> Option<Millis> {
        (now < self.rest_until).then_some(self.rest_until)
    }

    /// Messages in one connection, of `most`, where it said that it minds.
    #[must_use]
    pub fn per_connection(&self, most: u32) -> u32 {
        self.per_connection.map_or(most, |few| few.min(most))
    }

    /// Whether anything is slower than it would be.
    #[must_use]
    pub fn is_slowed(&self, most: u32, now: Millis) -> bool {
        self.connections(most, now) < most || self.per_minute(now).is_some()
    }

    fn taken(&mut self, begun: Millis, most: u32, now: Millis) {
        if self.allowed == FREE || begun < self.changed_at {
            return;
        }
        self.taken = self.taken.saturating_add(1);
        let carried = self.taken >= self.allowed.saturating_mul(CLIMB_MESSAGES);
        if carried && now.since(self.changed_at) >= CLIMB_MS && now >= self.hold_until && now >= self.trickle_until {
            self.allowed += 1;
            (self.taken, self.changed_at) = (0, now);
            if self.allowed >= most {
                self.allowed = FREE;
            }
        }
    }

    fn slow(&mut self, slow: Slow, begun: Millis, most: u32, now: Millis) {
        if let Slow::FewerPerConnection { carried } = slow {
            let before = self.per_connection.unwrap_or(FREE);
            self.per_connection = Some(carried.clamp(1, before));
            return;
        }
        // Connections that are refused together are one refusal.
        if begun < self.changed_at || now < self.rest_until {
            return;
        }
        match slow {
            Slow::Halve => self.change((self.allowed.min(most) / 2).max(1), now),
            Slow::Rest { ms } => self.rest(ms, now),
            Slow::Trickle { per_minute, ms } => {
                self.change(1, now);
                self.trickle = Some(per_minute.max(1));
                self.trickle_until = now.plus(ms.min(LONGEST_MS));
            }
            Slow::OneConnection { ms } => {
                self.change(1, now);
                self.hold_until = now.plus(ms.min(LONGEST_MS));
            }
            Slow::RestAtThird { ms } => {
                self.complaints.retain(|at| now.since(*at) < THIRD_WITHIN_MS);
                self.complaints.push(now);
                if self.complaints.len() >= 3 {
                    self.complaints.clear();
                    self.rest(ms, now);
                } else {
                    self.change((self.allowed.min(most) / 2).max(1), now);
                }
            }
            Slow::FewerPerConnection { .. } => {}
        }
    }

    fn rest(&mut self, ms: i64, now: Millis) {
        self.change(1, now);
        self.rest_until = now.plus(ms.min(LONGEST_MS));
    }

    fn change(&mut self, allowed: u32, now: Millis) {
        // What began in this very millisecond began before the answer that we have only just read.
        (self.allowed, self.taken, self.changed_at) = (allowed, 0, now.plus(1));
    }
}

#[cfg(test)]
mod tests;

//! How many connections a relay is best used with, found by trying: more as long as more carry more.
//!
//! Where a relay offers neither PIPELINING nor CHUNKING every message costs several round trips, and connections are
//! the only lever. Where it offers one of them, a known number is used as it is.

use crate::values::clock::Millis;

/// Connections to begin with: what every relay grants.
const FIRST: u32 = 4;
/// How long one number of connections is watched before the next is tried.
pub const WATCH_MS: i64 = 2 * Millis::SECOND;
/// More connections are worth it if they carry this much more, in hundredths: less is noise.
const WORTH_PERCENT: u64 = 10;
/// After so many watches at the best number a larger one is tried again: relays and lines have better hours.
const AGAIN_AFTER: u32 = 150;

/// The search. Lives as long as the connections do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finder {
    now: u32,
    most: u32,
    /// The best number so far and what it carried, in thousandths of a message a second.
    best: (u32, u64),
    /// Watches since the number was settled; `None` while it grows.
    settled: Option<u32>,
}

impl Finder {
    /// Begins a search that never goes over `most`. `fixed`: use `most` at once, the relay's windows do the rest.
    #[must_use]
    pub fn new(most: u32, fixed: bool) -> Self {
        let most = most.max(1);
        let now = if fixed { most } else { FIRST.min(most) };
        Self { now, most, best: (now, 0), settled: (now == most).then_some(0) }
    }

    /// Connections to use now.
    #[must_use]
    pub fn connections(&self) -> u32 {
        self.now
    }

    /// What `connections()` of them carried in a watch during which there was always something to carry.
    pub fn watched(&mut self, messages: u64, millis: i64) {
        let rate = messages.saturating_mul(1_000_000) / u64::try_from(millis.max(1)).unwrap_or(1);
        if let Some(watches) = &mut self.settled {
            *watches += 1;
            if *watches < AGAIN_AFTER || self.now >= self.most {
                return;
            }
            self.best = (self.now, rate);
            return self.grow();
        }
        let worth = self.best.1 + self.best.1 * WORTH_PERCENT / 100;
        if rate > worth || self.best.1 == 0 {
            self.best = (self.now, rate);
            if self.now < self.most { self.grow() } else { self.settled = Some(0) }
        } else {
            (self.now, self.settled) = (self.best.0, Some(0));
        }
    }

    /// The relay refused a connection with `open` others open: that is its own limit, for now.
    pub fn refused(&mut self, open: u32) {
        self.now = open.clamp(1, self.now);
        self.best.0 = self.best.0.min(self.now);
        self.settled = Some(0);
    }

    fn grow(&mut self) {
        self.now = (self.now + self.now.div_ceil(2)).min(self.most);
        self.settled = None;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::proptest;

    use super::{AGAIN_AFTER, FIRST, Finder, WATCH_MS};

    /// A relay with a round trip and a ceiling: what so many connections carry in one watch.
    fn carried(connections: u32, ceiling: u64) -> u64 {
        (u64::from(connections) * 20).min(ceiling)
    }

    fn settle(finder: &mut Finder, ceiling: u64) -> u32 {
        for _ in 0..20 {
            finder.watched(carried(finder.connections(), ceiling), WATCH_MS);
        }
        finder.connections()
    }

    #[test]
    fn it_grows_as_long_as_more_carry_more() {
        let mut finder = Finder::new(64, false);
        assert_eq!(finder.connections(), FIRST);
        assert_eq!(settle(&mut finder, u64::MAX), 64);
        let found = settle(&mut Finder::new(64, false), 20 * 12);
        assert!((12..=18).contains(&found), "twelve fill it; {found}");
    }

    #[test]
    fn a_known_number_is_used_at_once() {
        assert_eq!(Finder::new(20, true).connections(), 20);
        assert_eq!(Finder::new(0, false).connections(), 1);
    }

    #[test]
    fn the_relays_own_limit_is_kept_and_tried_again_later() {
        let mut finder = Finder::new(64, false);
        finder.watched(80, WATCH_MS);
        finder.refused(5);
        assert_eq!(settle(&mut finder, u64::MAX), 5);
        let tried_more = (0..AGAIN_AFTER).any(|_| {
            finder.watched(100, WATCH_MS);
            finder.connections() > 5
        });
        assert!(tried_more);
    }

    proptest! {
        #[test]
        fn it_stays_between_one_and_the_most(most in 0_u32..200, events in proptest::collection::vec((0_u64..5_000, 0_u32..300), 0..400)) {
            let mut finder = Finder::new(most, false);
            for (messages, open) in events {
                if open > 290 { finder.refused(open - 290) } else { finder.watched(messages, WATCH_MS) }
                assert!((1..=most.max(1)).contains(&finder.connections()));
            }
        }
    }
}

//! Guesses: how many links that are none were opened from a network lately. Nobody guesses a token (128 bits of MAC);
//! this keeps the trying from costing anything. Right links always work, from wherever, or nobody could leave from
//! behind a school's address. Kept in memory: a restart gives an attacker thirty cheap answers more.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::values::clock::Millis;

/// Wrong links that one network may open in an hour: some are mangled by mail programs, and tried again.
pub const WRONG_AN_HOUR_MAX: u32 = 30;
/// Networks counted at once; beyond that those are forgotten whose hour is longest ago.
const NETWORKS_MAX: usize = 10_000;

/// By network: since when, and how many.
#[derive(Default)]
pub struct Guesses(Mutex<HashMap<String, (Millis, u32)>>);

impl Guesses {
    /// Counts a wrong link; `true` if the network has opened too many.
    #[must_use]
    pub fn wrong(&self, network: &str, now: Millis) -> bool {
        let mut counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if counted.len() >= NETWORKS_MAX && !counted.contains_key(network) {
            counted.retain(|_, (since, _)| now.since(*since) < Millis::HOUR);
            if counted.len() >= NETWORKS_MAX {
                counted.clear();
            }
        }
        let (since, many) = counted.entry(network.to_owned()).or_insert((now, 0));
        if now.since(*since) >= Millis::HOUR {
            (*since, *many) = (now, 0);
        }
        *many = many.saturating_add(1);
        *many > WRONG_AN_HOUR_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::{Guesses, WRONG_AN_HOUR_MAX};
    use crate::values::clock::Millis;

    #[test]
    fn a_network_is_stopped_for_an_hour_and_others_are_not() {
        let (guesses, now) = (Guesses::default(), Millis(1_795_000_000_000));
        let wrong: Vec<bool> = (0..=WRONG_AN_HOUR_MAX).map(|_| guesses.wrong("a", now)).collect();
        assert_eq!(wrong.iter().filter(|stopped| **stopped).count(), 1);
        assert!(!guesses.wrong("b", now));
        assert!(!guesses.wrong("a", now.plus(Millis::HOUR)));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let (guesses, now) = (Guesses::default(), Millis(1_795_000_000_000));
        for n in 0..30_000 {
            let _ = guesses.wrong(&n.to_string(), now);
        }
        assert!(guesses.0.lock().expect("is whole").len() <= super::NETWORKS_MAX);
    }
}

//! Whose heart stands still: decided by one watcher's own steady clock and by nobody's wall clock.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use super::FENCE_BEATS;
use crate::values::ids::NodeId;

/// A watcher that missed more than so many of its own beats knows nothing about those of others.
const GAP_BEATS_MAX: u32 = 2;

pub(super) struct Watch {
    beat: Duration,
    /// The last beat heard of each, and when it was first heard.
    heard: HashMap<NodeId, (i64, Instant)>,
    looked_at: Option<Instant>,
}

impl Watch {
    pub(super) fn new(beat: Duration) -> Self {
        Self { beat, heard: HashMap::new(), looked_at: None }
    }

    /// Takes a look at `(node, beats)` of all others; gives those that have not beaten for too long, each with the
    /// beat it stopped at.
    pub(super) fn dead(&mut self, others: &[(NodeId, i64)], now: Instant) -> Vec<(NodeId, i64)> {
        let gap = self.looked_at.replace(now).is_none_or(|at| now - at > self.beat * (GAP_BEATS_MAX + 1));
        let before = std::mem::take(&mut self.heard);
        for (id, beats) in others {
            let known = before.get(id).filter(|(heard, _)| heard == beats && !gap);
            self.heard.insert(*id, (*beats, known.map_or(now, |(_, since)| *since)));
        }
        let stands = |(_, since): &(i64, Instant)| now - *since >= self.beat * FENCE_BEATS;
        self.heard.iter().filter(|(_, heard)| stands(heard)).map(|(id, (beats, _))| (*id, *beats)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::Watch;
    use crate::values::ids::NodeId;
    use std::time::Duration;
    use tokio::time::Instant;

    const BEAT: Duration = Duration::from_secs(2);
    const OTHER: NodeId = NodeId(7);

    #[test]
    fn a_heart_that_stands_still_for_four_beats_is_dead_and_not_before() {
        let (mut watch, start) = (Watch::new(BEAT), Instant::now());
        for step in 0..4 {
            assert_eq!(watch.dead(&[(OTHER, 5)], start + BEAT * step), [], "after {step} beats");
        }
        assert_eq!(watch.dead(&[(OTHER, 5)], start + BEAT * 4), [(OTHER, 5)]);
    }

    #[test]
    fn one_beat_in_between_is_life() {
        let (mut watch, start) = (Watch::new(BEAT), Instant::now());
        for step in 0..20 {
            assert_eq!(watch.dead(&[(OTHER, i64::from(step / 3))], start + BEAT * step), []);
        }
    }

    #[test]
    fn whoever_did_not_hear_its_own_heart_takes_nobody_for_dead() {
        let (mut watch, start) = (Watch::new(BEAT), Instant::now());
        let mut at = start;
        // The database was away for a minute: for the watcher, too.
        for pause in [1, 1, 1, 30, 1, 1, 1] {
            at += BEAT * pause;
            assert_eq!(watch.dead(&[(OTHER, 5)], at), []);
        }
        assert_eq!(watch.dead(&[(OTHER, 5)], at + BEAT), [(OTHER, 5)]);
    }
}

//! When to try again. Pure: time and chance are handed in.

use super::outcome::Class;
use crate::values::clock::Millis;

/// After this long from the first attempt a message is given up: a weekly issue that comes on Thursday is no news.
/// RFC 5321 §4.5.4.1 suggests four to five days for mail between people.
pub const GIVE_UP_MS: i64 = 72 * Millis::HOUR;
/// A mailbox that is full today may be emptied tonight; one that is full for longer is not read.
const GIVE_UP_FULL_MS: i64 = 24 * Millis::HOUR;
/// Pause before the one try on a new connection, where only the connection was worn out.
const AT_ONCE_MS: i64 = Millis::SECOND;
/// Pauses after the first, second, third … attempt; the last one repeats. The first is what greylisting asks for.
const PAUSES_MS: [i64; 6] =
    [5 * Millis::MINUTE, 15 * Millis::MINUTE, 30 * Millis::MINUTE, Millis::HOUR, 2 * Millis::HOUR, 4 * Millis::HOUR];
/// A pause is longer or shorter by up to this part of it, so that what failed together does not come back together.
const JITTER: f64 = 0.2;
/// The first rest of a relay after a fault of ours.
const REST_FIRST_MS: i64 = 5 * Millis::SECOND;
/// How much longer each further rest is.
const REST_GROWTH: i64 = 3;
/// The longest rest: a relay that is back should not wait for us much longer.
const REST_MAX_MS: i64 = 15 * Millis::MINUTE;

/// How long after the first attempt a message is given up that was refused like this.
#[must_use]
pub fn give_up_ms(class: Class) -> i64 {
    if class == Class::MailboxFull { GIVE_UP_FULL_MS } else { GIVE_UP_MS }
}

/// When to try again after the `attempts`th attempt (from 1) ended at `now`; `None` when there is no time left:
/// `give_up_ms` after the first attempt.
///
/// `least_ms` is a wait that the answer asked for. `chance` is a random number from 0 to 1. The last attempt is made
/// exactly when the time ends.
#[must_use]
pub fn next_attempt(
    first_attempt: Millis,
    now: Millis,
    attempts: u32,
    least_ms: Option<i64>,
    give_up_ms: i64,
    chance: f64,
) -> Option<Millis> {
    let end = first_attempt.plus(give_up_ms);
    if now >= end {
        return None;
    }
    let pause = PAUSES_MS[(attempts.max(1) as usize - 1).min(PAUSES_MS.len() - 1)];
    let pause = jittered(pause, chance).max(least_ms.unwrap_or(0));
    Some(now.plus(pause).min(end))
}

/// When to try again on a new connection.
#[must_use]
pub fn at_once(now: Millis, chance: f64) -> Millis {
    now.plus(jittered(AT_ONCE_MS, chance))
}

/// A pause of at least `least_ms`, and up to a fifth longer by chance.
#[must_use]
pub fn pause_ms(least_ms: i64, chance: f64) -> i64 {
    jittered(least_ms, f64::midpoint(chance, 1.0))
}

/// How long a relay rests after the `faults`th fault of ours in a row (from 1), at least `least_ms`
/// ([`super::outcome::Fault::rest_min_ms`]).
#[must_use]
pub fn relay_rest_ms(faults: u32, least_ms: i64, chance: f64) -> i64 {
    let grown = REST_GROWTH.saturating_pow(faults.max(1) - 1).saturating_mul(REST_FIRST_MS).min(REST_MAX_MS);
    jittered(grown.max(least_ms), chance)
}

fn jittered(pause_ms: i64, chance: f64) -> i64 {
    let factor = 1.0 + JITTER * (2.0 * chance.clamp(0.0, 1.0) - 1.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "pauses are hours, not ages")]
    let pause = (pause_ms as f64 * factor) as i64;
    pause
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop, proptest};

    use super::{GIVE_UP_MS, REST_MAX_MS, next_attempt, relay_rest_ms};
    use crate::values::clock::Millis;

    const NO_JITTER: f64 = 0.5;

    #[test]
    fn pauses_grow_from_minutes_to_hours() {
        let pauses: Vec<i64> = (1..=8)
            .map(|attempts| {
                let next = next_attempt(Millis(0), Millis(0), attempts, None, GIVE_UP_MS, NO_JITTER);
                next.expect("there is time").0 / Millis::MINUTE
            })
            .collect();
        assert_eq!(pauses, [5, 15, 30, 60, 120, 240, 240, 240]);
    }

    #[test]
    fn a_wait_that_was_asked_for_is_kept() {
        let next = next_attempt(Millis(0), Millis(1_000), 1, Some(2 * Millis::HOUR), GIVE_UP_MS, 1.0);
        assert_eq!(next, Some(Millis(1_000 + 2 * Millis::HOUR)));
    }

    #[test]
    fn the_last_attempt_is_when_the_time_ends() {
        let late = Millis(GIVE_UP_MS - 1);
        assert_eq!(
            next_attempt(Millis(0), late, 30, Some(Millis::DAY), GIVE_UP_MS, NO_JITTER),
            Some(Millis(GIVE_UP_MS))
        );
        assert_eq!(next_attempt(Millis(0), Millis(GIVE_UP_MS), 31, None, GIVE_UP_MS, NO_JITTER), None);
    }

    #[test]
    fn a_relay_rests_longer_with_every_fault() {
        let rests: Vec<i64> = (1..=7).map(|faults| relay_rest_ms(faults, 0, NO_JITTER) / Millis::SECOND).collect();
        assert_eq!(rests, [5, 15, 45, 135, 405, 900, 900]);
        assert_eq!(relay_rest_ms(1, Millis::MINUTE, NO_JITTER), Millis::MINUTE);
        assert!(relay_rest_ms(u32::MAX, 0, 1.0) <= REST_MAX_MS * 12 / 10);
    }

    proptest! {
        #[test]
        fn whatever_chance_says_attempts_go_forward_and_end(
            chances in prop::collection::vec(0.0..=1.0_f64, 100), took_ms in 0_i64..600_000, start in 0_i64..i64::MAX / 2
        ) {
            let (first, mut now, mut attempts) = (Millis(start), Millis(start), 1);
            for chance in chances {
                now = now.plus(took_ms);
                let Some(next) = next_attempt(first, now, attempts, None, GIVE_UP_MS, chance) else { break };
                assert!(next > now && next <= first.plus(GIVE_UP_MS));
                now = next;
                attempts += 1;
            }
            assert!(now >= first.plus(GIVE_UP_MS), "it went on for ever");
            assert!(attempts < 40);
        }
    }
}

use proptest::prelude::{Strategy, any, prop, prop_oneof, proptest};

use super::{Adapt, CLIMB_MESSAGES, CLIMB_MS, Event, Slow};
use crate::values::clock::Millis;

const START: Millis = Millis(1_800_000_000_000);
const MOST: u32 = 8;
const GMAIL: Slow = Slow::Rest { ms: 10 * Millis::MINUTE };

fn slowed(adapt: Adapt, slow: Slow, now: Millis) -> Adapt {
    adapt.after(Event::Slow { slow, begun: now }, MOST, now)
}

/// Everything is taken until one more connection is open; gives the state and the time.
fn climb(mut adapt: Adapt, mut now: Millis) -> (Adapt, Millis) {
    let before = adapt.connections(MOST, now);
    while adapt.connections(MOST, now) == before {
        now = now.plus(CLIMB_MS / 10);
        for _ in 0..before {
            adapt = adapt.after(Event::Taken { begun: now }, MOST, now);
        }
    }
    (adapt, now)
}

#[test]
fn a_421_halves_and_good_messages_add_one_at_a_time() {
    let mut adapt = slowed(Adapt::default(), Slow::Halve, START);
    assert_eq!(adapt.connections(MOST, START), 4);
    adapt = slowed(adapt, Slow::Halve, START.plus(5_000));
    assert_eq!(adapt.connections(MOST, START), 2);
    let (mut seen, mut now) = (Vec::new(), START.plus(5_000));
    while adapt.connections(MOST, now) < MOST {
        (adapt, now) = climb(adapt, now);
        seen.push(adapt.connections(MOST, now));
    }
    assert_eq!(seen, [3, 4, 5, 6, 7, 8]);
    assert!(!adapt.is_slowed(MOST, now));
}

#[test]
fn gmail_gets_ten_minutes_then_one_connection_then_one_more_at_a_time() {
    let adapt = slowed(Adapt::default(), GMAIL, START);
    let almost = START.plus(10 * Millis::MINUTE - 1);
    assert_eq!((adapt.connections(MOST, START), adapt.connections(MOST, almost)), (0, 0));
    let then = START.plus(10 * Millis::MINUTE);
    assert_eq!((adapt.connections(MOST, then), adapt.rest_until(then)), (1, None));
    let (adapt, later) = climb(adapt, then);
    assert_eq!(adapt.connections(MOST, later), 2);
    let again = slowed(adapt, GMAIL, later);
    assert_eq!(again.rest_until(later), Some(later.plus(10 * Millis::MINUTE)));
    assert_eq!(again.connections(MOST, later.plus(10 * Millis::MINUTE)), 1);
}

#[test]
fn connections_that_are_refused_together_are_one_refusal() {
    let mut adapt = Adapt::default();
    for place in 0..8 {
        adapt = adapt.after(Event::Slow { slow: Slow::Halve, begun: START }, MOST, START.plus(place * 3));
    }
    assert_eq!(adapt.connections(MOST, START), 4);
    let late = adapt.clone().after(Event::Taken { begun: START }, MOST, START.plus(CLIMB_MS * 2));
    assert_eq!(late, adapt, "what began before the change says nothing about the pace since");
}

#[test]
fn busy_means_one_a_minute_and_one_connection_until_it_is_over() {
    let adapt = slowed(Adapt::default(), Slow::Trickle { per_minute: 1, ms: 30 * Millis::MINUTE }, START);
    assert_eq!((adapt.connections(MOST, START), adapt.per_minute(START)), (1, Some(1)));
    let mut now = START;
    let mut during = adapt;
    for _ in 0..29 {
        now = now.plus(Millis::MINUTE);
        during = during.after(Event::Taken { begun: now }, MOST, now);
    }
    assert_eq!((during.connections(MOST, now), during.per_minute(now)), (1, Some(1)));
    assert_eq!(during.per_minute(START.plus(30 * Millis::MINUTE)), None);
}

#[test]
fn too_many_connections_is_one_for_an_hour() {
    let adapt = slowed(Adapt::default(), Slow::OneConnection { ms: Millis::HOUR }, START);
    let mut during = adapt;
    for tick in 1..=59 {
        let now = START.plus(tick * Millis::MINUTE);
        for _ in 0..CLIMB_MESSAGES {
            during = during.after(Event::Taken { begun: now }, MOST, now);
        }
        assert_eq!(during.connections(MOST, now), 1);
    }
    let (after, now) = climb(during, START.plus(Millis::HOUR));
    assert_eq!(after.connections(MOST, now), 2);
}

#[test]
fn the_third_time_in_an_hour_is_a_rest() {
    let slow = Slow::RestAtThird { ms: 15 * Millis::MINUTE };
    let at = |minute: i64| START.plus(minute * Millis::MINUTE);
    let adapt = slowed(slowed(Adapt::default(), slow, at(0)), slow, at(20));
    assert_eq!(adapt.connections(MOST, at(20)), 2);
    let third = slowed(adapt.clone(), slow, at(59));
    assert_eq!(third.rest_until(at(59)), Some(at(59 + 15)));
    let spread = slowed(adapt, slow, at(61));
    assert_eq!(spread.rest_until(at(61)), None, "the first was over an hour ago");
}

#[test]
fn fewer_in_a_connection_is_learnt_and_does_not_slow() {
    let adapt = slowed(Adapt::default(), Slow::FewerPerConnection { carried: 20 }, START);
    assert_eq!((adapt.per_connection(100), adapt.per_connection(5)), (20, 5));
    assert!(!adapt.is_slowed(MOST, START));
    assert_eq!(slowed(adapt, Slow::FewerPerConnection { carried: 0 }, START).per_connection(100), 1);
}

#[test]
fn a_person_s_word_ends_it_all() {
    let adapt = slowed(Adapt::default(), GMAIL, START).after(Event::Go, MOST, START.plus(1));
    assert_eq!(adapt.connections(MOST, START.plus(1)), MOST);
}

fn event() -> impl Strategy<Value = (Slow, bool, i64)> {
    let slow = prop_oneof![
        prop_oneof![0_u32..1].prop_map(|_| Slow::Halve),
        (0_i64..Millis::HOUR * 48).prop_map(|ms| Slow::Rest { ms }),
        (0_u32..100, 0_i64..Millis::HOUR).prop_map(|(per_minute, ms)| Slow::Trickle { per_minute, ms }),
        (0_i64..Millis::HOUR).prop_map(|ms| Slow::OneConnection { ms }),
        (0_i64..Millis::HOUR).prop_map(|ms| Slow::RestAtThird { ms }),
        (0_u32..200).prop_map(|carried| Slow::FewerPerConnection { carried }),
    ];
    (slow, any::<bool>(), 0_i64..60_000)
}

proptest! {
    #[test]
    fn it_never_stops_for_good_and_never_goes_over(events in prop::collection::vec(event(), 0..200), most in 1_u32..100) {
        let (mut adapt, mut now) = (Adapt::default(), START);
        for (slow, taken, pause) in events {
            let event = if taken { Event::Taken { begun: now } } else { Event::Slow { slow, begun: now } };
            adapt = adapt.after(event, most, now);
            now = now.plus(pause);
            assert!(adapt.connections(most, now) <= most);
            let rested = adapt.rest_until(now).unwrap_or(now);
            assert!(rested.since(now) <= Millis::DAY);
            assert!(adapt.connections(most, rested) >= 1);
            assert!(adapt.per_connection(50) >= 1);
            let kept = serde_json::to_string(&adapt).expect("can be written");
            assert_eq!(serde_json::from_str::<Adapt>(&kept).expect("can be read"), adapt);
        }
    }
}

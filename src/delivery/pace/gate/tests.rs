use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use proptest::prelude::{prop, proptest};

use super::{Admit, Bounds, Ended, Gate, REST_FIRST_MS, SLOW_MS, SOON_MS};
use crate::delivery::pace::adapt::Slow;
use crate::delivery::pace::meter::Limits;
use crate::delivery::pace::sites::SiteKey;
use crate::values::clock::Millis;

const START: Millis = Millis(1_800_000_000_000);
const TICK: i64 = 100;

fn key(site: &str) -> SiteKey {
    SiteKey::new(site)
}

/// How a site's server treats a message.
#[derive(Clone, Copy, PartialEq)]
enum Server {
    Takes,
    Refuses,
    /// No answer until we lose patience, or until the time-out of five minutes.
    Hangs,
}

/// `seats` connections, one tick a message, nine readers in ten at the dead site. Gives live messages a tick, in
/// percent of what the seats could carry, until `live` are through.
fn speed(seats: usize, dead: Server, live: usize) -> usize {
    const TIMEOUT_TICKS: i64 = 3_000;
    let (mut gate, mut wire, mut done, mut tick) = (Gate::default(), Vec::<(i64, Millis, bool)>::new(), 0, 0_i64);
    let (mut aside, mut put_off, mut next) =
        (VecDeque::<bool>::new(), BinaryHeap::<(Reverse<Millis>, bool)>::new(), 0_usize);
    while done < live {
        let now = START.plus(tick * TICK);
        wire.retain(|(ends, begun, is_dead)| {
            if *ends > tick {
                return true;
            }
            let ended = match (*is_dead, dead) {
                (true, Server::Refuses) => Ended::Refused,
                (true, Server::Hangs) => Ended::Silent,
                _ => Ended::Answered,
            };
            gate.ended(&key(if *is_dead { "dead" } else { "live" }), *begun, ended, seats as u32, now);
            done += usize::from(!*is_dead);
            false
        });
        let mut claims = 0;
        while wire.len() < seats && claims < 5_000 {
            claims += 1;
            // What was put off and is due again comes first, as in the ledger.
            let due = put_off.peek().filter(|(Reverse(until), _)| *until <= now).map(|(_, is_dead)| *is_dead);
            if aside.is_empty() && due.is_some() {
                put_off.pop();
            }
            let is_dead = aside.pop_front().or(due).unwrap_or_else(|| {
                next += 1;
                next % 10 != 0
            });
            match gate.ask(&key(if is_dead { "dead" } else { "live" }), seats as u32, None, now) {
                Admit::Go => {
                    let patience = gate.patience_ms(&key("dead")).map_or(TIMEOUT_TICKS, |ms| ms / TICK);
                    let long = if is_dead && dead == Server::Hangs { patience } else { 1 };
                    wire.push((tick + long, now, is_dead));
                }
                Admit::Later(until) => put_off.push((Reverse(until), is_dead)),
                Admit::Soon if aside.len() < 64 => aside.push_back(is_dead),
                Admit::Soon => put_off.push((Reverse(now.plus(SOON_MS)), is_dead)),
            }
        }
        tick += 1;
        assert!(tick < 1_000_000, "it stands still");
    }
    live * 100 / (seats * usize::try_from(tick).expect("fits"))
}

#[test]
fn with_nine_readers_in_ten_at_a_dead_site_the_rest_goes_at_nine_tenths_of_full_speed() {
    for seats in [10, 20, 50] {
        for dead in [Server::Refuses, Server::Hangs] {
            let speed = speed(seats, dead, 20_000);
            assert!(speed >= 90, "{speed} % with {seats} seats");
        }
    }
}

#[test]
fn a_site_that_answers_gets_all_seats_soon() {
    assert!(speed(10, Server::Takes, 1_000) >= 9, "all in turn: one in ten is the live site's");
    let (mut gate, site) = (Gate::default(), key("gmail"));
    let mut on_wire = 1;
    for round in 0..4 {
        let now = START.plus(round * TICK);
        let gone = (0..100).filter(|_| gate.ask(&site, 10, None, now) == Admit::Go).count();
        assert_eq!(gone, on_wire.min(10));
        assert_eq!(gate.ask(&site, 10, None, now), Admit::Soon);
        for _ in 0..gone {
            gate.ended(&site, now, Ended::Answered, 10, now.plus(50));
        }
        on_wire = 10.min(on_wire * (1 << gone));
    }
}

#[test]
fn five_refusals_in_a_row_are_a_rest_that_grows_and_one_answer_ends_it() {
    let (mut gate, site, mut now) = (Gate::default(), key("full.example"), START);
    let refuse = |gate: &mut Gate, now: Millis| {
        assert_eq!(gate.ask(&site, 10, None, now), Admit::Go);
        gate.ended(&site, now, Ended::Refused, 10, now);
    };
    (0..5).for_each(|_| refuse(&mut gate, now));
    assert_eq!(gate.ask(&site, 10, None, now), Admit::Later(now.plus(REST_FIRST_MS)));
    now = now.plus(REST_FIRST_MS);
    refuse(&mut gate, now);
    assert_eq!(gate.rest_until(&site, now), Some(now.plus(3 * REST_FIRST_MS)), "one was enough this time");
    now = now.plus(3 * REST_FIRST_MS);
    assert_eq!(gate.ask(&site, 10, None, now), Admit::Go);
    gate.ended(&site, now, Ended::Answered, 10, now);
    (0..4).for_each(|_| refuse(&mut gate, now));
    assert_eq!(gate.rest_until(&site, now), None);
}

#[test]
fn readers_of_a_silent_site_are_put_off_while_its_one_message_waits() {
    let (mut gate, site) = (Gate::default(), key("silent.example"));
    assert_eq!(gate.ask(&site, 10, None, START), Admit::Go);
    assert_eq!(gate.ask(&site, 10, None, START.plus(10)), Admit::Soon);
    assert!(matches!(gate.ask(&site, 10, None, START.plus(SLOW_MS)), Admit::Later(_)));
    assert_eq!(gate.troubled(START.plus(SLOW_MS))[0].slow, 1);
    gate.ended(&site, START, Ended::Unknown, 10, START.plus(SLOW_MS));
    assert_eq!(gate.ask(&site, 10, None, START.plus(SLOW_MS)), Admit::Go);
}

#[test]
fn many_silent_sites_are_held_to_half_of_the_seats() {
    let mut gate = Gate::default();
    for site in 0..5 {
        assert_eq!(gate.ask(&key(&format!("{site}.example")), 10, None, START), Admit::Go);
    }
    let later = START.plus(SLOW_MS);
    assert!(matches!(gate.ask(&key("new.example"), 10, None, later), Admit::Later(_)));
    gate.ended(&key("0.example"), START, Ended::Answered, 10, later);
    assert_eq!(gate.ask(&key("0.example"), 10, None, later), Admit::Go, "who answers is not held");
}

#[test]
fn the_bounds_of_the_table_and_a_trickle_are_kept() {
    let (mut gate, site) = (Gate::default(), key("google"));
    let bounds = Bounds { connections: 2, limits: Limits { per_minute: Some(60), ..Limits::default() } };
    let before = START.plus(-Millis::HOUR);
    assert_eq!(gate.ask(&site, 20, Some(&bounds), before), Admit::Go);
    gate.ended(&site, before, Ended::Answered, 20, before);
    assert_eq!(gate.ask(&site, 20, Some(&bounds), START), Admit::Go);
    assert_eq!(gate.ask(&site, 20, Some(&bounds), START), Admit::Soon, "one a second");
    assert_eq!(gate.ask(&site, 20, Some(&bounds), START.plus(1_000)), Admit::Go);
    assert_eq!(gate.ask(&site, 20, Some(&bounds), START.plus(2_000)), Admit::Soon, "two connections");
    gate.ended(&site, START, Ended::Answered, 20, START.plus(2_000));
    gate.slow(
        &site,
        Slow::Trickle { per_minute: 1, ms: Millis::HOUR },
        START.plus(2_000),
        Some(&bounds),
        START.plus(2_000),
    );
    gate.ended(&site, START.plus(1_000), Ended::Answered, 20, START.plus(2_000));
    assert_eq!(gate.ask(&site, 20, Some(&bounds), START.plus(2_500)), Admit::Go, "the first of one a minute");
    gate.ended(&site, START.plus(2_500), Ended::Answered, 20, START.plus(2_600));
    assert!(matches!(gate.ask(&site, 20, Some(&bounds), START.plus(3_000)), Admit::Later(_)));
}

#[test]
fn nodes_share_a_sites_bounds_and_their_parts_add_up() {
    let bounds = |connections, per_second, per_minute, per_day| Bounds {
        connections,
        limits: Limits { per_second, per_minute, per_hour: None, per_day },
    };
    let whole = bounds(20, Some(10), None, Some(1_000));
    let parts: Vec<Bounds> = (0..3).map(|place| whole.part((3, place))).collect();
    assert_eq!(parts.iter().map(|part| part.connections).collect::<Vec<_>>(), [7, 7, 6]);
    assert_eq!(parts.iter().filter_map(|part| part.limits.per_second).sum::<u32>(), 10);
    assert_eq!(parts.iter().filter_map(|part| part.limits.per_day).sum::<u32>(), 1_000);
    assert_eq!(whole.part((1, 0)), whole);
    assert_eq!(bounds(1, Some(1), None, None).part((3, 2)), bounds(1, None, Some(20), None));
    assert_eq!(bounds(1, Some(1), Some(30), None).part((3, 0)), bounds(1, None, Some(10), None));
    let slow = bounds(1, None, Some(1), None).part((3, 1));
    assert_eq!((slow.limits.per_minute, slow.limits.per_hour), (None, Some(20)));
}

#[test]
fn rests_and_meters_outlive_the_process() {
    let (mut gate, site) = (Gate::default(), key("google"));
    let bounds = Bounds { connections: 9, limits: Limits { per_day: Some(1), ..Limits::default() } };
    assert_eq!(gate.ask(&site, 20, Some(&bounds), START), Admit::Go);
    gate.slow(&key("outlook"), Slow::Rest { ms: Millis::HOUR }, START, None, START);
    let mut again = Gate::of(&gate.kept(START));
    assert!(matches!(again.ask(&site, 20, Some(&bounds), START.plus(5_000)), Admit::Later(_)));
    assert_eq!(again.rest_until(&key("outlook"), START), Some(START.plus(Millis::HOUR)));
    assert!(Gate::of("{ not json").troubled(START).is_empty());
}

proptest! {
    #[test]
    fn no_site_is_shut_out_for_ever(ends in prop::collection::vec((0_usize..4, 0_i64..400_000), 1..200), seats in 1_u32..64) {
        let (mut gate, site, mut now) = (Gate::default(), key("x.example"), START);
        for (how, pause) in ends {
            let ended = [Ended::Answered, Ended::Refused, Ended::Silent, Ended::Unknown][how];
            match gate.ask(&site, seats, None, now) {
                Admit::Go => gate.ended(&site, now, ended, seats, now.plus(pause)),
                Admit::Later(until) => {
                    assert!(until > now && until.since(now) <= Millis::HOUR);
                    now = until;
                    continue;
                }
                Admit::Soon => panic!("nothing is on the wire"),
            }
            now = now.plus(pause);
        }
    }
}

#[test]
fn a_message_that_began_a_moment_after_it_was_let_go_leaves_the_wire_all_the_same() {
    let (mut gate, site) = (Gate::default(), key("slowly.example"));
    assert_eq!(gate.ask(&site, 2, None, START), Admit::Go);
    gate.ended(&site, START.plus(3), Ended::Answered, 64, START.plus(300));
    assert!(gate.troubled(START.plus(10 * SLOW_MS)).is_empty(), "it is thought to be on the wire still");
    assert_eq!(gate.ask(&key("new.example"), 2, None, START.plus(10 * SLOW_MS)), Admit::Go, "and holds up the others");
}

use proptest::prelude::{prop, proptest};

use super::{LATE_MS, Limits, Meter, Span, Wait};
use crate::values::clock::Millis;

const START: Millis = Millis(1_800_000_000_123);

/// One message at a time, as early as it may: the moments at which they leave.
fn run(meter: &mut Meter, limits: &Limits, from: Millis, many: usize) -> Vec<Millis> {
    let (mut now, mut left) = (from, Vec::new());
    while left.len() < many {
        match meter.take(limits, 1, now) {
            Ok(grant) => {
                now = now.max(grant.moments[0]);
                left.push(now);
            }
            Err(wait) => {
                assert!(wait.until > now, "a wait that is over makes a busy loop");
                now = wait.until;
            }
        }
    }
    left
}

#[test]
fn thirds_of_a_second_do_not_drift() {
    let limits = Limits { per_second: Some(3), ..Limits::default() };
    let left = run(&mut Meter::default(), &limits, START, 30_001);
    assert_eq!(left[30_000].since(START), 10_000 * Millis::SECOND);
    assert_eq!(left[1].since(START), 334, "rounded up: never early");
}

#[test]
fn the_narrowest_limit_rules_and_says_so() {
    let limits = Limits { per_second: Some(100), per_minute: Some(6), ..Limits::default() };
    let mut meter = Meter::default();
    let left = run(&mut meter, &limits, START, 3);
    assert_eq!(left.iter().map(|at| at.since(START)).collect::<Vec<_>>(), [0, 10_000, 20_000]);
    let wait = meter.take(&limits, 1, left[2]).expect_err("ten seconds apart");
    assert_eq!(wait, Wait { until: left[2].plus(10_000), span: Span::Minute });
}

#[test]
fn a_day_s_quota_goes_at_once_and_comes_back_a_day_later() {
    let limits = Limits { per_day: Some(500), ..Limits::default() };
    let mut meter = Meter::default();
    let grant = meter.take(&limits, 1_000, START).expect("all of it");
    assert_eq!(grant.moments.len(), 500);
    let wait = meter.take(&limits, 1, START.plus(Millis::HOUR)).expect_err("the day is used");
    assert_eq!(wait.span, Span::Day);
    let late = wait.until.since(START);
    assert!((Millis::DAY..=Millis::DAY + 16 * Millis::MINUTE).contains(&late), "{late}");
    assert!(meter.take(&limits, 1, wait.until).is_ok());
}

#[test]
fn a_restart_gives_no_fresh_day() {
    let limits = Limits { per_day: Some(10), per_second: Some(5), ..Limits::default() };
    let mut meter = Meter::default();
    run(&mut meter, &limits, START, 10);
    let kept = serde_json::to_string(&meter).expect("can be written");
    let mut again: Meter = serde_json::from_str(&kept).expect("can be read");
    assert_eq!(again, meter);
    assert!(again.take(&limits, 1, START.plus(Millis::MINUTE)).is_err());
    assert_eq!(again.used(START.plus(Millis::MINUTE)), (0, 10));
}

#[test]
fn what_was_not_used_is_given_back() {
    let limits = Limits { per_hour: Some(10), ..Limits::default() };
    let mut meter = Meter::default();
    let grant = meter.take(&limits, 10, START).expect("ten");
    assert!(meter.take(&limits, 1, START).is_err());
    meter.give_back(4, grant.counted_at);
    assert_eq!(meter.take(&limits, 10, START).expect("four").moments.len(), 4);
}

#[test]
fn a_changed_limit_counts_at_once() {
    let mut meter = Meter::default();
    let slow = Limits { per_minute: Some(1), ..Limits::default() };
    assert!(meter.take(&slow, 1, START).is_ok());
    assert!(meter.take(&slow, 1, START.plus(1_000)).is_err());
    let fast = Limits { per_minute: Some(600), ..Limits::default() };
    let first = meter.take(&fast, 1, START.plus(1_000)).expect("a tenth of a second").moments[0];
    assert!(first.since(START) <= 1_101, "{}", first.since(START));
    assert!(meter.take(&slow, 1, START.plus(1_200)).is_ok(), "the new row begins");
    assert!(meter.take(&slow, 1, START.plus(1_300)).is_err(), "and is narrow at once");
}

#[test]
fn a_clock_that_goes_back_does_not_stop_the_mail() {
    let limits = Limits { per_second: Some(1), ..Limits::default() };
    let mut meter = Meter::default();
    run(&mut meter, &limits, START, 5);
    let back = START.plus(-Millis::DAY);
    let wait = meter.take(&limits, 1, back).map_or_else(|wait| wait.until, |grant| grant.moments[0]);
    assert!(wait.since(back) <= 2 * Millis::SECOND + 1);
}

#[test]
fn no_limit_is_no_wait() {
    let grant = Meter::default().take(&Limits::default(), 64, START).expect("goes");
    assert_eq!(grant.moments, vec![START; 64]);
}

proptest! {
    /// Whatever is asked when, and however late it leaves: no span of a limit's length holds more than the limit.
    #[test]
    fn no_span_ever_holds_more_than_its_limit(
        asks in prop::collection::vec((1_u32..40, 0_i64..200_000), 1..300),
        per_minute in 1_u32..200, per_hour in 1_u32..300, per_day in 1_u32..500, late in 0_i64..LATE_MS,
    ) {
        let limits = Limits { per_second: None, per_minute: Some(per_minute), per_hour: Some(per_hour), per_day: Some(per_day) };
        let (mut meter, mut now, mut left) = (Meter::default(), START, Vec::new());
        for (wanted, pause) in asks {
            if let Ok(grant) = meter.take(&limits, wanted, now) {
                assert!(grant.moments.windows(2).all(|pair| pair[0] <= pair[1]));
                left.extend(grant.moments.iter().map(|at| at.plus(late)));
            }
            now = now.plus(pause);
        }
        left.sort();
        for (span, limit) in [(Span::Minute, per_minute + 1), (Span::Hour, per_hour), (Span::Day, per_day)] {
            let (mut first, limit) = (0, limit as usize);
            for (place, at) in left.iter().enumerate() {
                while at.since(left[first]) >= span.millis() { first += 1; }
                assert!(place - first < limit, "{} in a {}", place - first + 1, span.as_str());
            }
        }
    }

    /// Many takers that take a little ahead get no more than one that takes all.
    #[test]
    fn the_sum_of_many_nodes_keeps_the_limit(nodes in prop::collection::vec(1_u32..50, 1..6), per_second in 1_u32..100) {
        let limits = Limits { per_second: Some(per_second), ..Limits::default() };
        let (mut meter, mut left) = (Meter::default(), Vec::new());
        for tick in 0..200_i64 {
            for wanted in &nodes {
                if let Ok(grant) = meter.take(&limits, *wanted, START.plus(tick * 50)) {
                    left.extend(grant.moments);
                }
            }
        }
        left.sort();
        let many = i64::try_from(left.len()).expect("fits");
        let seconds = (left[left.len() - 1].since(left[0]) + 999) / 1_000;
        assert!(many <= i64::from(per_second) * seconds + 1, "{many} in {seconds} s");
        let asked = nodes.iter().map(|wanted| i64::from(*wanted)).sum::<i64>() * 20;
        assert!(many >= (i64::from(per_second) * 9).min(asked * 9), "the limit is used: {many} in ten seconds at {per_second}");
    }
}

//! Warm-up: a sender's domain that receivers do not know yet begins with few messages a day and site and ends with all.
//!
//! The cap of a day is the first step of the ramp above the largest day so far. So a domain that sends weekly goes on
//! where it stopped, and never more than doubles (Google: "immediately doubling your volume … could result in rate
//! limiting"). An issue that does not fit is spread over days; the days are known before it is sent.

use std::collections::BTreeMap;

use super::sites::SiteKey;

/// The first days of a domain at a site.
const STEPS: [u64; 7] = [50, 100, 200, 400, 800, 1_500, 3_000];
/// Beyond the steps: half as much again each day.
const GROWTH: (u64, u64) = (3, 2);
/// Days of a plan; a newsletter that needs more waits for another relay, not for a plan.
const DAYS_MAX: u32 = 400;

/// Readers of an issue at one site, and what is known of the sender's domain there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Want {
    pub site: SiteKey,
    pub readers: u64,
    /// The largest day of the domain at this site before today; `None`: this site is not warmed up, or no longer.
    pub most: Option<u64>,
    /// Of each day from today on, what other issues have taken already.
    pub taken: Vec<u64>,
    /// Days from today on in which the cap does not grow: the site asked for less.
    pub held: u32,
}

/// One day of a plan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Day {
    pub many: u64,
    /// Only sites that get any.
    pub by_site: BTreeMap<SiteKey, u64>,
}

/// The day's cap where the largest day so far was `most`.
#[must_use]
pub fn cap(most: u64) -> u64 {
    let step = STEPS.into_iter().find(|step| *step > most);
    step.unwrap_or(most / GROWTH.1 * GROWTH.0)
}

/// How an issue goes out: one entry a day from today. `in_all`: what a quota allows each day, today's first, the last
/// one repeated; empty: no quota.
#[must_use]
pub fn plan(wants: &[Want], in_all: &[u64]) -> Vec<Day> {
    let mut left: Vec<u64> = wants.iter().map(|want| want.readers).collect();
    let mut most: Vec<Option<u64>> = wants.iter().map(|want| want.most).collect();
    let mut days = Vec::new();
    while left.iter().any(|readers| *readers > 0) {
        let number = u32::try_from(days.len()).unwrap_or(u32::MAX);
        let last = number + 1 >= DAYS_MAX;
        let mut room = in_all.get(days.len()).or(in_all.last()).copied().filter(|_| !last).unwrap_or(u64::MAX);
        let mut day = Day::default();
        for (place, want) in wants.iter().enumerate() {
            let taken = want.taken.get(days.len()).copied().unwrap_or(0);
            let cap = most[place].filter(|_| !last).map_or(u64::MAX, |most| day_cap(most, number < want.held));
            let many = left[place].min(cap.saturating_sub(taken)).min(room);
            if many > 0 {
                day.by_site.insert(want.site.clone(), many);
            }
            (left[place], room, day.many) = (left[place] - many, room - many, day.many + many);
            if let Some(most) = &mut most[place] {
                *most = (*most).max(taken + many);
            }
        }
        days.push(day);
    }
    days
}

/// A held site gets what it had on its best day, and what every beginner gets at least.
fn day_cap(most: u64, held: bool) -> u64 {
    if held { most.max(STEPS[0]) } else { cap(most) }
}

/// Deals readers out over the days of a plan, in the order in which they come: those who joined last come first, as
/// they are the surest to want it.
#[derive(Debug)]
pub struct Dealer {
    /// Of each site, its days with what is left of them, soonest last.
    left: BTreeMap<SiteKey, Vec<(u32, u64)>>,
}

impl Dealer {
    #[must_use]
    pub fn new(days: &[Day]) -> Self {
        let mut left: BTreeMap<SiteKey, Vec<(u32, u64)>> = BTreeMap::new();
        for (number, day) in days.iter().enumerate().rev() {
            for (site, many) in &day.by_site {
                left.entry(site.clone()).or_default().push((u32::try_from(number).unwrap_or(u32::MAX), *many));
            }
        }
        Self { left }
    }

    /// The day of the next reader at a site. Whoever the plan does not know gets it today.
    pub fn day(&mut self, site: &SiteKey) -> u32 {
        let Some(days) = self.left.get_mut(site) else { return 0 };
        let Some((number, many)) = days.last_mut() else { return 0 };
        let number = *number;
        *many -= 1;
        if *many == 0 {
            days.pop();
        }
        number
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop, proptest};

    use super::{Dealer, Want, cap, plan};
    use crate::delivery::pace::sites::SiteKey;

    fn want(site: &str, readers: u64, most: Option<u64>) -> Want {
        Want { site: SiteKey::new(site), readers, most, taken: Vec::new(), held: 0 }
    }

    fn days(wants: &[Want], in_all: &[u64]) -> Vec<u64> {
        plan(wants, in_all).iter().map(|day| day.many).collect()
    }

    #[test]
    fn thirty_days_of_a_new_domain() {
        let mut most = 0;
        let caps: Vec<u64> = (0..30)
            .map(|_| {
                most = cap(most);
                most
            })
            .collect();
        assert_eq!(caps[..9], [50, 100, 200, 400, 800, 1_500, 3_000, 4_500, 6_750]);
        assert!(caps.windows(2).all(|pair| pair[1] > pair[0] && pair[1] <= pair[0] * 2));
        assert!(caps[29] > 10_000_000);
    }

    #[test]
    fn an_issue_is_spread_over_days_by_itself() {
        assert_eq!(days(&[want("google", 500, Some(0)), want("x.example", 3, Some(0))], &[]), [53, 100, 200, 150]);
        assert_eq!(days(&[want("google", 500, Some(150))], &[]), [200, 300]);
        assert_eq!(days(&[want("google", 500, None)], &[]), [500]);
        assert_eq!(days(&[], &[]), Vec::<u64>::new());
    }

    #[test]
    fn what_another_issue_took_and_a_held_day_count() {
        let taken = Want { taken: vec![40, 10], ..want("google", 150, Some(0)) };
        assert_eq!(days(&[taken], &[]), [10, 90, 50]);
        let held = Want { held: 2, ..want("google", 500, Some(100)) };
        assert_eq!(days(&[held], &[]), [100, 100, 200, 100]);
    }

    #[test]
    fn a_relay_s_quota_is_in_the_plan_too() {
        assert_eq!(days(&[want("google", 900, None), want("x.example", 300, None)], &[100, 500]), [100, 500, 500, 100]);
        assert_eq!(days(&[want("google", 10, None)], &[0, 5]), [0, 5, 5]);
    }

    proptest! {
        #[test]
        fn a_plan_and_its_dealing_give_everybody_exactly_one_day(
            readers in prop::collection::vec((0_u64..5_000, prop::option::of(0_u64..400)), 1..6),
            in_all in prop::collection::vec(1_u64..3_000, 0..3),
        ) {
            let wants: Vec<Want> = readers.iter().enumerate()
                .map(|(place, (readers, most))| want(&format!("s{place}"), *readers, *most)).collect();
            let days = plan(&wants, &in_all);
            let mut dealer = Dealer::new(&days);
            let mut dealt = vec![0_u64; days.len()];
            for want in &wants {
                let mut before = 0;
                for _ in 0..want.readers {
                    let day = dealer.day(&want.site);
                    assert!(day >= before);
                    before = day;
                    dealt[day as usize] += 1;
                }
            }
            assert_eq!(dealt, days.iter().map(|day| day.many).collect::<Vec<_>>());
        }
    }
}

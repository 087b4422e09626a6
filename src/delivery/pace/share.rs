//! Issues that go out together share a relay: half of it evenly, half by what each still has to send.
//!
//! So an issue of a hundred readers beside one of a million is through within a few hundred messages, and the large one
//! loses next to nothing by it. What one cannot use the others get: nothing of the relay lies idle.

/// Splits `total` messages between issues that have `remaining` to send. `turn` counts up from call to call: where
/// there are more issues than messages, it says whose turn it is.
#[must_use]
pub fn split(total: u64, remaining: &[u64], turn: u64) -> Vec<u64> {
    let mut parts = vec![0; remaining.len()];
    let mut left = total;
    while left > 0 {
        let open: Vec<usize> = (0..remaining.len()).filter(|place| parts[*place] < remaining[*place]).collect();
        if open.is_empty() {
            break;
        }
        left -= hand_out(left, &open, remaining, &mut parts, turn);
    }
    parts
}

/// One round over those that can take more; gives how many were handed out, which is never none.
fn hand_out(left: u64, open: &[usize], remaining: &[u64], parts: &mut [u64], turn: u64) -> u64 {
    let many = open.len() as u64;
    if left < many {
        // The turn moves on by one message each time, so everybody's comes.
        let first = usize::try_from(turn.wrapping_mul(left) % many).unwrap_or(0);
        for place in open.iter().cycle().skip(first).take(usize::try_from(left).unwrap_or(0)) {
            parts[*place] += 1;
        }
        return left;
    }
    let wanted: u128 = open.iter().map(|place| u128::from(remaining[*place])).sum();
    let mut handed = 0;
    for place in open {
        let even = left / (2 * many);
        let by_need = u128::from(left / 2) * u128::from(remaining[*place]) / wanted;
        let fair = (even + u64::try_from(by_need).unwrap_or(left)).max(1);
        let part = fair.min(remaining[*place] - parts[*place]).min(left - handed);
        parts[*place] += part;
        handed += part;
    }
    handed
}

#[cfg(test)]
mod tests {
    use proptest::prelude::proptest;

    use super::split;

    #[test]
    fn a_short_issue_beside_a_long_one_gets_a_quarter_at_least() {
        let parts = split(256, &[1_000_000, 100], 0);
        assert!(parts[1] >= 64 && parts.iter().sum::<u64>() == 256, "{parts:?}");
        assert_eq!(split(256, &[1_000_000, 3], 0), [253, 3]);
        assert_eq!(split(256, &[1_000_000], 7), [256]);
        assert_eq!(split(256, &[0, 5], 7), [0, 5]);
    }

    #[test]
    fn when_there_are_more_issues_than_places_everybody_has_a_turn() {
        let remaining = [9, 9, 9, 9, 9];
        let mut had = [0; 5];
        for turn in 0..5 {
            for (place, part) in split(2, &remaining, turn).iter().enumerate() {
                had[place] += part;
            }
        }
        assert_eq!(had, [2, 2, 2, 2, 2]);
    }

    proptest! {
        #[test]
        fn nothing_lies_idle_and_nobody_starves(
            total in 0_u64..5_000, remaining in proptest::collection::vec(0_u64..2_000_000, 0..20), turn in 0_u64..1_000
        ) {
            let parts = split(total, &remaining, turn);
            assert!(parts.iter().zip(&remaining).all(|(part, all)| part <= all));
            assert_eq!(parts.iter().sum::<u64>(), total.min(remaining.iter().sum()));
            let open = remaining.iter().filter(|all| **all > 0).count() as u64;
            if open > 0 && total >= open {
                for (part, all) in parts.iter().zip(&remaining) {
                    assert!(*part >= (total / (2 * open)).min(*all), "{parts:?} of {total} for {remaining:?}");
                }
            }
        }
    }
}

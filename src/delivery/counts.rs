//! How many deliveries stand where. Counted from rows in one snapshot, so that the states add up to the audience.

use super::state::DeliveryState;

/// Deliveries of one issue by state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Counts {
    /// Readers in the frozen audience.
    pub audience: i64,
    pub pending: i64,
    pub claimed: i64,
    pub inflight: i64,
    pub sent: i64,
    pub failed: i64,
    pub skipped: i64,
    pub in_doubt: i64,
}

impl Counts {
    /// Counts from `(state, how many)` rows.
    #[must_use]
    pub fn of(audience: i64, rows: impl IntoIterator<Item = (DeliveryState, i64)>) -> Self {
        let mut counts = Self { audience, ..Self::default() };
        for (state, many) in rows {
            *counts.place(state) += many;
        }
        counts
    }

    fn place(&mut self, state: DeliveryState) -> &mut i64 {
        match state {
            DeliveryState::Pending => &mut self.pending,
            DeliveryState::Claimed => &mut self.claimed,
            DeliveryState::Inflight => &mut self.inflight,
            DeliveryState::Sent => &mut self.sent,
            DeliveryState::Failed => &mut self.failed,
            DeliveryState::Skipped => &mut self.skipped,
            DeliveryState::InDoubt => &mut self.in_doubt,
        }
    }

    /// Rows in all states together.
    #[must_use]
    pub fn total(&self) -> i64 {
        self.pending + self.claimed + self.inflight + self.sent + self.failed + self.skipped + self.in_doubt
    }

    /// Every reader of the audience is in exactly one state.
    #[must_use]
    pub fn adds_up(&self) -> bool {
        self.total() == self.audience
    }

    /// Deliveries that still have somewhere to go.
    #[must_use]
    pub fn unfinished(&self) -> i64 {
        self.pending + self.claimed + self.inflight
    }

    /// Of a hundred, how many are settled; 100 only when all are.
    #[must_use]
    pub fn percent_done(&self) -> i64 {
        let done = self.total() - self.unfinished();
        if self.audience == 0 { 0 } else { done * 100 / self.audience }
    }
}

#[cfg(test)]
mod tests {
    use super::Counts;
    use crate::delivery::state::DeliveryState;

    #[test]
    fn the_states_add_up_and_done_means_settled() {
        let rows = [(DeliveryState::Sent, 996), (DeliveryState::InDoubt, 3), (DeliveryState::Pending, 1)];
        let counts = Counts::of(1_000, rows);
        assert!(counts.adds_up());
        assert_eq!((counts.unfinished(), counts.percent_done()), (1, 99));
        assert!(!Counts { audience: 2, ..counts }.adds_up());
        assert_eq!(Counts::default().percent_done(), 0);
    }
}

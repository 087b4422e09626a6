//! The ledger of one issue as its rules say, in memory: `delivery::state` with the fences of the statements.

use broadsheet::delivery::state::{DeliveryState, Move};
use broadsheet::delivery::step::End;
use broadsheet::store::issue::IssueState;
use broadsheet::values::clock::Millis;

/// One reader's copy, and whether the reader still wants it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) state: DeliveryState,
    pub(super) attempts: i64,
    pub(super) next_at: Millis,
    pub(super) epoch: i64,
    pub(super) first_at: Option<Millis>,
    pub(super) wanted: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Model {
    pub(super) issue: IssueState,
    pub(super) rows: Vec<Row>,
}

impl Model {
    pub(super) fn of(readers: usize, now: Millis) -> Self {
        let state = DeliveryState::Pending;
        let row = Row { state, attempts: 0, next_at: now, epoch: 0, first_at: None, wanted: true };
        Self { issue: IssueState::Sending, rows: vec![row; readers] }
    }

    pub(super) fn due(&self, now: Millis) -> Vec<usize> {
        if self.issue != IssueState::Sending {
            return Vec::new();
        }
        let due = |row: &Row| row.state == DeliveryState::Pending && row.next_at <= now;
        (0..self.rows.len()).filter(|&n| due(&self.rows[n])).collect()
    }

    /// Claims these, which are due; gives those whose reader is still there, the others are skipped.
    pub(super) fn claim(&mut self, picked: &[usize], epoch: i64, lease_until: Millis) -> Vec<usize> {
        let (wanted, gone): (Vec<usize>, Vec<usize>) = picked.iter().partition(|&&n| self.rows[n].wanted);
        for n in gone {
            self.go(n, Move::Skip);
        }
        for &n in &wanted {
            self.go(n, Move::Claim);
            (self.rows[n].epoch, self.rows[n].next_at) = (epoch, lease_until);
        }
        wanted
    }

    pub(super) fn mark(&mut self, n: usize, epoch: i64, lease_until: Millis, now: Millis) -> bool {
        let row = &self.rows[n];
        let may = row.epoch == epoch && row.wanted && self.issue == IssueState::Sending;
        if !may || !self.go(n, Move::Mark) {
            return false;
        }
        self.rows[n].next_at = lease_until;
        self.rows[n].first_at.get_or_insert(now);
        true
    }

    pub(super) fn release(&mut self, n: usize, epoch: i64, now: Millis) {
        if self.rows[n].epoch == epoch && self.go(n, Move::Release) {
            self.rows[n].next_at = now;
        }
    }

    pub(super) fn settle(&mut self, n: usize, epoch: i64, end: &End) -> bool {
        if self.rows[n].epoch != epoch || !self.go(n, Move::Settle(end.to)) {
            return false;
        }
        self.rows[n].next_at = end.next_at;
        self.rows[n].attempts += i64::from(end.tried);
        self.sweep();
        true
    }

    /// Leases that ended before `ended` are taken back, for these rows or all.
    pub(super) fn recover(&mut self, ended: Millis, now: Millis) {
        for n in 0..self.rows.len() {
            let row = &self.rows[n];
            let held = matches!(row.state, DeliveryState::Claimed | DeliveryState::Inflight);
            if !held || row.next_at > ended {
                continue;
            }
            self.go(n, Move::LeaseEnded);
            match self.rows[n].state {
                DeliveryState::Pending => self.rows[n].next_at = now,
                _ => self.rows[n].attempts += 1,
            }
        }
        self.sweep();
    }

    pub(super) fn resend(&mut self, n: usize, now: Millis) -> bool {
        let may = matches!(self.issue, IssueState::Sending | IssueState::Paused);
        if may && self.go(n, Move::Resend) {
            self.rows[n].next_at = now;
            return true;
        }
        false
    }

    pub(super) fn cancel(&mut self) {
        if matches!(self.issue, IssueState::Sending | IssueState::Paused) {
            self.issue = IssueState::Cancelled;
            self.sweep();
        }
    }

    /// What comes back to pending after a cancel is skipped.
    pub(super) fn sweep(&mut self) {
        if self.issue == IssueState::Cancelled {
            for n in 0..self.rows.len() {
                self.go(n, Move::Cancel);
            }
        }
    }

    fn go(&mut self, n: usize, what: Move) -> bool {
        let Some(to) = self.rows[n].state.after(what) else { return false };
        self.rows[n].state = to;
        true
    }
}

//! Who has left while mail is going out.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use crate::values::ids::{NewsletterId, SubscriberId};

/// Readers who left, were suppressed or paused since this process started: looked at between the ledger's mark and
/// the first byte, so that somebody who unsubscribes in that very moment is still obeyed. The ledger asks the rows
/// themselves at every claim and mark; this closes the last milliseconds, in this process.
#[derive(Debug, Default)]
pub struct Departed(Mutex<HashSet<(NewsletterId, SubscriberId)>>);

/// Entries kept: 16 bytes each. Rows remember the rest; an entry matters only for milliseconds after it is made.
const ENTRIES_MAX: usize = 100_000;

impl Departed {
    /// Somebody may not be mailed any more. Call it when the transaction that says so is committed.
    pub fn add(&self, newsletter: NewsletterId, subscriber: SubscriberId) {
        let mut gone = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if gone.len() >= ENTRIES_MAX {
            gone.clear();
        }
        gone.insert((newsletter, subscriber));
    }

    /// Somebody came back.
    pub fn remove(&self, newsletter: NewsletterId, subscriber: SubscriberId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&(newsletter, subscriber));
    }

    #[must_use]
    pub fn contains(&self, newsletter: NewsletterId, subscriber: SubscriberId) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(&(newsletter, subscriber))
    }
}

//! What a relay's connections take from: messages that are made, in the order in which they were claimed.
//!
//! The queue also counts what is on its way to it, so that a line claims when little is left and never fills the
//! memory; and it can be held, while the relay rests.

use std::collections::VecDeque;
use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::job::Made;

#[derive(Default)]
pub(super) struct Ready {
    state: Mutex<State>,
    /// Rung when there may be something to take, and when the queue is closed.
    there: Notify,
    /// Rung when something was taken.
    taken: Notify,
}

#[derive(Default)]
struct State {
    made: VecDeque<Made>,
    /// Handed to the makers or waiting here.
    ahead: usize,
    held: bool,
    closed: bool,
}

impl Ready {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// So many will come.
    pub(super) fn expect(&self, many: usize) {
        self.state().ahead += many;
    }

    /// So many of them will not.
    pub(super) fn forget(&self, many: usize) {
        let mut state = self.state();
        state.ahead = state.ahead.saturating_sub(many);
        drop(state);
        self.taken.notify_one();
    }

    /// Puts a message in; gives it back while the queue is held or closed.
    pub(super) fn put(&self, made: Made) -> Result<(), Made> {
        let mut state = self.state();
        if state.held || state.closed {
            state.ahead = state.ahead.saturating_sub(1);
            return Err(made);
        }
        state.made.push_back(made);
        drop(state);
        self.there.notify_one();
        Ok(())
    }

    pub(super) fn take(&self) -> Option<Made> {
        let mut state = self.state();
        if state.held {
            return None;
        }
        let made = state.made.pop_front()?;
        state.ahead = state.ahead.saturating_sub(1);
        drop(state);
        self.taken.notify_one();
        Some(made)
    }

    /// Waits until there is something to take; `false` when nothing will come any more.
    pub(super) async fn there(&self) -> bool {
        loop {
            let mut rung = pin!(self.there.notified());
            rung.as_mut().enable();
            {
                let state = self.state();
                if !state.made.is_empty() && !state.held {
                    return true;
                }
                if state.closed {
                    return false;
                }
            }
            rung.await;
        }
    }

    /// Waits until no more than `few` are here or on their way.
    pub(super) async fn fewer_than(&self, few: usize) {
        loop {
            let mut rung = pin!(self.taken.notified());
            rung.as_mut().enable();
            if self.state().ahead < few {
                return;
            }
            rung.await;
        }
    }

    /// Nothing can be taken or put in from here on; gives what was waiting.
    pub(super) fn hold(&self) -> Vec<Made> {
        let mut state = self.state();
        state.held = true;
        let waiting: Vec<Made> = state.made.drain(..).collect();
        state.ahead = state.ahead.saturating_sub(waiting.len());
        drop(state);
        self.taken.notify_one();
        waiting
    }

    /// Ends a hold.
    pub(super) fn go_on(&self) {
        self.state().held = false;
        self.there.notify_waiters();
    }

    /// Nothing will come any more; gives what was waiting.
    pub(super) fn close(&self) -> Vec<Made> {
        let waiting = self.hold();
        self.state().closed = true;
        self.there.notify_waiters();
        waiting
    }
}

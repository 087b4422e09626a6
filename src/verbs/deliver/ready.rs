//! What a relay's connections take from: messages that are made, in the order in which they were claimed,
//! except that nobody waits for a message whose receiving site is not to have it just now.
//!
//! The queue also counts what is on its way to it, so that a line claims when little is left and never fills the
//! memory; and it can be held, while the relay rests.

use std::collections::VecDeque;
use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::job::Made;
use super::laden::Laden;
use crate::delivery::pace::gate::{Admit, SOON_MS};
use crate::values::clock::Millis;

/// Messages for one domain that are kept aside until it may have them; what does not fit is put off.
const ASIDE_MAX: usize = 128;
/// The same for all domains.
const ASIDE_ALL_MAX: usize = 512;
/// Messages marked ahead at one relay, whatever it may have in doubt: with a commit of 10 ms, enough for 6,000 a second.
const DEPTH_MAX: usize = 63;
/// After so many messages whose marks were on the disk in time, one less is marked ahead: what lies there is in doubt
/// if this machine dies, so there is no more of it than the disk's slowness needs.
const IN_TIME_FOR_LESS: u32 = 256;

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
    /// Of those, how many were looked at and must wait for an answer.
    aside: usize,
    /// Nothing that is here may go until something changes.
    blocked: bool,
    held: bool,
    closed: bool,
    /// Their marks are ordered; no connection has taken them yet.
    marked: VecDeque<Laden>,
    /// How many are to lie there beyond the first.
    depth: usize,
    /// Messages taken since a connection last had to wait for a mark, and since `depth` last grew.
    in_time: u32,
    since_deeper: usize,
}

/// What was found in the queue.
#[derive(Default)]
pub(super) struct Taken {
    pub made: Option<Made>,
    /// Not to be waited for: they go back to the ledger until then.
    pub put_off: Vec<(Made, Millis)>,
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
    pub(super) fn put(&self, made: Made) -> Option<Made> {
        let mut state = self.state();
        if state.held || state.closed {
            state.ahead = state.ahead.saturating_sub(1);
            return Some(made);
        }
        state.made.push_back(made);
        state.blocked = false;
        drop(state);
        self.there.notify_one();
        None
    }

    /// Takes the first message that `ask` lets go, and with it those that are to be put off.
    pub(super) fn take(&self, now: Millis, mut ask: impl FnMut(&Made) -> Admit) -> Taken {
        let (mut state, mut taken, mut aside) = (self.state(), Taken::default(), 0);
        let mut waiting: Vec<(String, usize)> = Vec::new();
        while !state.held && taken.made.is_none() && aside < state.made.len() {
            let until = match ask(&state.made[aside]) {
                Admit::Go => {
                    taken.made = state.made.remove(aside);
                    continue;
                }
                Admit::Soon if aside < ASIDE_ALL_MAX && has_room(&mut waiting, &state.made[aside]) => {
                    aside += 1;
                    continue;
                }
                Admit::Soon => now.plus(SOON_MS),
                Admit::Later(until) => until,
            };
            taken.put_off.extend(state.made.remove(aside).map(|made| (made, until)));
        }
        let more_aside = std::mem::replace(&mut state.aside, aside) != aside;
        state.blocked = taken.made.is_none();
        let gone = usize::from(taken.made.is_some()) + taken.put_off.len();
        state.ahead = state.ahead.saturating_sub(gone);
        drop(state);
        if gone > 0 || more_aside {
            self.taken.notify_one();
        }
        taken
    }

    /// Whether the next message should be marked, so that the disk keeps up with the wire.
    pub(super) fn is_short(&self) -> bool {
        let state = self.state();
        state.marked.len() <= state.depth
    }

    pub(super) fn put_marked(&self, laden: Laden) {
        self.state().marked.push_back(laden);
    }

    /// The message that was marked first, and whether others are left.
    pub(super) fn take_marked(&self) -> Option<(Laden, bool)> {
        let mut state = self.state();
        let laden = state.marked.pop_front()?;
        state.in_time += 1;
        state.since_deeper += 1;
        if state.in_time >= IN_TIME_FOR_LESS {
            (state.in_time, state.depth) = (0, state.depth.saturating_sub(1));
        }
        Some((laden, !state.marked.is_empty()))
    }

    /// A connection had to wait for a mark: from here on more are ordered ahead, as far as what may be in doubt allows.
    /// The next step is taken only when this one has had time to show.
    pub(super) fn waited(&self) {
        let mut state = self.state();
        if state.since_deeper >= state.depth {
            (state.since_deeper, state.depth) = (0, (state.depth + 1).min(DEPTH_MAX));
        }
        state.in_time = 0;
    }

    /// What is marked and was not taken.
    pub(super) fn drain_marked(&self) -> VecDeque<Laden> {
        std::mem::take(&mut self.state().marked)
    }

    /// Passes a bell on that was heard by one who cannot take.
    pub(super) fn ring(&self) {
        self.there.notify_one();
    }

    /// What had to wait may have its turn now.
    pub(super) fn unblock(&self) {
        let was = std::mem::take(&mut self.state().blocked);
        if was {
            self.there.notify_waiters();
        }
    }

    pub(super) fn has_marked(&self) -> bool {
        !self.state().marked.is_empty()
    }

    /// Waits until there is something to take; `false` when nothing will come any more.
    pub(super) async fn there(&self) -> bool {
        loop {
            let mut rung = pin!(self.there.notified());
            rung.as_mut().enable();
            {
                let state = self.state();
                if !state.marked.is_empty() || (!state.made.is_empty() && !state.held && !state.blocked) {
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
            let waiting = {
                let state = self.state();
                state.ahead.saturating_sub(state.aside)
            };
            if waiting < few {
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
        (state.aside, state.blocked) = (0, false);
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

/// Whether one more message for its domain may be kept aside; counts it.
fn has_room(waiting: &mut Vec<(String, usize)>, made: &Made) -> bool {
    let domain = made.outgoing.rcpt_to.rsplit_once('@').map_or("", |(_, domain)| domain);
    if let Some((_, many)) = waiting.iter_mut().find(|(known, _)| known == domain) {
        *many += 1;
        return *many <= ASIDE_MAX;
    }
    waiting.push((domain.to_owned(), 1));
    true
}

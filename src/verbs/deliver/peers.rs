//! The relays of each newsletter, as they see each other: so that shares are kept, and a spare waits for its turn.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::delivery::pace::choice::{self, Peer};
use crate::store::relay::Part;
use crate::values::ids::{NewsletterId, RelayId};

#[derive(Default)]
pub(super) struct Peers(Mutex<State>);

#[derive(Default)]
struct State {
    parts: Vec<Part>,
    taken: HashMap<(NewsletterId, RelayId), u64>,
    /// Lines that could begin more just now.
    room: HashMap<RelayId, bool>,
    resting: HashMap<RelayId, bool>,
}

impl Peers {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The lists as they are in the database now.
    pub(super) fn follow(&self, parts: Vec<Part>) {
        self.state().parts = parts;
    }

    pub(super) fn has_room(&self, relay: Option<RelayId>, has_room: bool) {
        if let Some(relay) = relay {
            self.state().room.insert(relay, has_room);
        }
    }

    /// A relay begins or ends a rest. Who comes back does not make up for what it missed.
    pub(super) fn rests(&self, relay: Option<RelayId>, rests: bool) {
        let Some(relay) = relay else { return };
        let mut state = self.state();
        let rested = state.resting.insert(relay, rests).unwrap_or(false);
        if rested && !rests {
            state.welcome(relay);
        }
    }

    /// A relay's line has ended; another may begin anew.
    pub(super) fn leave(&self, relay: Option<RelayId>) {
        if let Some(relay) = relay {
            self.state().room.remove(&relay);
        }
    }

    pub(super) fn taken(&self, relay: Option<RelayId>, newsletter: NewsletterId, many: u64) {
        if let Some(relay) = relay {
            *self.state().taken.entry((newsletter, relay)).or_default() += many;
        }
    }

    /// Whether a relay may take the newsletter's next messages.
    pub(super) fn may_take(&self, relay: Option<RelayId>, newsletter: NewsletterId) -> bool {
        let Some(relay) = relay else { return true };
        let state = self.state();
        let (relays, peers) = state.peers(newsletter);
        relays.iter().position(|other| *other == relay).is_some_and(|me| choice::may_take(me, &peers))
    }
}

impl State {
    fn peers(&self, newsletter: NewsletterId) -> (Vec<RelayId>, Vec<Peer>) {
        let parts = self.parts.iter().filter(|part| part.newsletter_id == newsletter);
        let peer = |part: &Part| Peer {
            weight: u32::try_from(part.weight).unwrap_or(0),
            place: u32::try_from(part.place).unwrap_or(0),
            taken: self.taken.get(&(newsletter, part.relay_id)).copied().unwrap_or(0),
            has_room: self.room.get(&part.relay_id).copied().unwrap_or(false),
            rests: self.resting.get(&part.relay_id).copied().unwrap_or(false),
        };
        parts.map(|part| (part.relay_id, peer(part))).unzip()
    }

    fn welcome(&mut self, relay: RelayId) {
        let newsletters: Vec<NewsletterId> =
            self.parts.iter().filter(|part| part.relay_id == relay).map(|part| part.newsletter_id).collect();
        for newsletter in newsletters {
            let (relays, mut peers) = self.peers(newsletter);
            let Some(back) = relays.iter().position(|other| *other == relay) else { continue };
            choice::welcome(&mut peers, back);
            self.taken.insert((newsletter, relay), peers[back].taken);
        }
    }
}

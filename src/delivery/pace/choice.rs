//! Which of a newsletter's relays carries the next messages: by weight, and the spare ones when all others rest.
//!
//! Every relay takes work by itself as fast as it can. Weights are kept by letting one that is ahead of its part wait
//! for one that is behind and has room; one that is behind because it is slow has no room, and nobody waits for it.

/// A relay as the newsletter's other relays see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its part; 0: a spare, used when all others rest.
    pub weight: u32,
    /// Where it stands in the newsletter's list; spares are asked in this order.
    pub place: u32,
    /// Messages of this newsletter it has taken so far.
    pub taken: u64,
    /// Whether it could begin more just now.
    pub has_room: bool,
    /// A fault or a receiver's word keeps it from taking any.
    pub rests: bool,
}

/// So many messages a relay may be ahead of its part: less would have the relays wait for each other all the time.
const AHEAD_MAX: u64 = 64;

/// Whether the relay at `me` may take the next messages.
#[must_use]
pub fn may_take(me: usize, peers: &[Peer]) -> bool {
    let Some(mine) = peers.get(me).filter(|peer| !peer.rests) else { return false };
    if mine.weight == 0 {
        let ahead = |peer: &Peer| peer.weight > 0 || peer.place < mine.place;
        return !peers.iter().enumerate().any(|(place, peer)| place != me && !peer.rests && ahead(peer));
    }
    let others = peers.iter().enumerate().filter(|(place, peer)| *place != me && !peer.rests && peer.weight > 0);
    // `mine.taken / mine.weight > peer.taken / peer.weight + slack`, without the division.
    let ahead_of = |peer: &Peer| {
        let mine_scaled = u128::from(mine.taken.saturating_sub(AHEAD_MAX)) * u128::from(peer.weight);
        mine_scaled > u128::from(peer.taken) * u128::from(mine.weight)
    };
    !others.filter(|(_, peer)| peer.has_room).any(|(_, peer)| ahead_of(peer))
}

/// `taken` of every relay after one came back from a rest: it does not make up for what it missed, or it alone would
/// carry everything until it had.
pub fn welcome(peers: &mut [Peer], back: usize) {
    let most = peers.iter().enumerate().filter(|(place, peer)| *place != back && peer.weight > 0 && !peer.rests);
    let level = most.map(|(_, peer)| peer.taken / u64::from(peer.weight)).max();
    if let (Some(level), Some(peer)) = (level, peers.get_mut(back)) {
        peer.taken = peer.taken.max(level * u64::from(peer.weight));
    }
}

#[cfg(test)]
mod tests {
    use super::{AHEAD_MAX, Peer, may_take, welcome};

    fn peer(weight: u32, place: u32) -> Peer {
        Peer { weight, place, taken: 0, has_room: true, rests: false }
    }

    /// Each relay takes what it may, `speed` messages a tick at most.
    fn run(peers: &mut [Peer], speeds: &[u64], ticks: usize) -> Vec<u64> {
        for _ in 0..ticks {
            let mut room: Vec<u64> = speeds.to_vec();
            loop {
                for (peer, room) in peers.iter_mut().zip(&room) {
                    peer.has_room = *room > 0;
                }
                let Some(me) = (0..peers.len()).find(|me| room[*me] > 0 && may_take(*me, peers)) else { break };
                peers[me].taken += 1;
                room[me] -= 1;
            }
        }
        peers.iter().map(|peer| peer.taken).collect()
    }

    #[test]
    fn weights_are_kept_while_all_keep_up() {
        let mut peers = [peer(3, 0), peer(1, 1)];
        let mut had = [0_u64; 2];
        for _ in 0..10_000 {
            // Both have room; whoever may take it does.
            let me = if may_take(1, &peers) { 1 } else { 0 };
            assert!(may_take(me, &peers), "one of them always may");
            peers[me].taken += 1;
            had[me] += 1;
        }
        assert!(had[1].abs_diff(2_500) <= AHEAD_MAX, "{had:?}");
    }

    #[test]
    fn a_slow_relay_holds_up_nobody() {
        let taken = run(&mut [peer(1, 0), peer(1, 1)], &[1, 100], 1_000);
        assert_eq!(taken, [1_000, 100_000]);
    }

    #[test]
    fn a_resting_relay_s_part_goes_to_the_others_and_spares_come_last() {
        let mut peers = [peer(1, 0), peer(0, 1), peer(0, 2)];
        assert_eq!([0, 1, 2].map(|me| may_take(me, &peers)), [true, false, false]);
        peers[0].rests = true;
        assert_eq!([0, 1, 2].map(|me| may_take(me, &peers)), [false, true, false]);
        peers[1].rests = true;
        assert_eq!([0, 1, 2].map(|me| may_take(me, &peers)), [false, false, true]);
    }

    #[test]
    fn who_comes_back_does_not_make_up_for_its_rest() {
        let mut peers = [peer(1, 0), peer(1, 1)];
        peers[1].rests = true;
        peers[0].taken = 1_000_000;
        peers[1].rests = false;
        welcome(&mut peers, 1);
        assert_eq!(peers[1].taken, 1_000_000);
        assert!(may_take(0, &peers) && may_take(1, &peers));
    }
}

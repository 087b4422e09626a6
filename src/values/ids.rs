//! Ids: 63-bit, time-ordered, made in Rust, one type per kind of thing.
//!
//! Layout from the top: 41 bits of milliseconds since 2025 (69 years), 10 bits drawn at random when the process
//! starts, 12 bits of counter. An id is 8 bytes in a row and in two indexes of a ledger with a million rows, where
//! a UUID as text would be 36. Written down it is 13 letters of Crockford's base 32, so that it sorts as text too.
//! An id is not a secret: what a stranger may hold is a [token](super::token), which hides it.

use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicI64, Ordering};

/// 2025-01-01T00:00:00Z in unix milliseconds.
const EPOCH_MILLIS: i64 = 1_735_689_600_000;
const COUNTER_BITS: u32 = 12;
const NODE_BITS: u32 = 10;
/// Seats that nodes can have; 0 is nobody's.
pub const SEATS: i64 = 1 << NODE_BITS;
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const TEXT_LETTERS: usize = 13;

/// Last (millisecond, counter) given out, as one number, so that ids never repeat within a process.
static LAST: AtomicI64 = AtomicI64::new(0);
static NODE: LazyLock<i64> = LazyLock::new(|| {
    let mut two = [0_u8; 2];
    // A machine without randomness cannot make secrets either and stops there; ids may go on with node 0.
    let _ = aws_lc_rs::rand::fill(&mut two);
    i64::from(u16::from_be_bytes(two)) & ((1 << NODE_BITS) - 1)
});

fn next(now: super::clock::Millis) -> i64 {
    at_node(now, *NODE)
}

/// A claim's epoch: an id whose node bits are the claiming node's seat, so that a lease tells whose it is (SQL finds
/// the seat as `(epoch / 4096) % 1024`).
#[must_use]
pub fn epoch(now: super::clock::Millis, seat: i64) -> i64 {
    at_node(now, seat & (SEATS - 1))
}

/// When a claim was made, by its node's clock.
#[must_use]
pub fn epoch_at(epoch: i64) -> super::clock::Millis {
    super::clock::Millis((epoch >> (COUNTER_BITS + NODE_BITS)) + EPOCH_MILLIS)
}

fn at_node(now: super::clock::Millis, node: i64) -> i64 {
    let floor = now.0.saturating_sub(EPOCH_MILLIS).max(0) << COUNTER_BITS;
    let bump = |last: i64| Some((last + 1).max(floor));
    let last = LAST.fetch_update(Ordering::SeqCst, Ordering::SeqCst, bump).unwrap_or(floor);
    let tick = (last + 1).max(floor);
    let (millis, counter) = (tick >> COUNTER_BITS, tick & ((1 << COUNTER_BITS) - 1));
    (millis << (COUNTER_BITS + NODE_BITS)) | (node << COUNTER_BITS) | counter
}

/// Why a text is not an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an id is {TEXT_LETTERS} letters and digits, as Broadsheet printed it")]
pub struct NotAnId;

fn write_id(id: i64, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for place in (0..TEXT_LETTERS).rev() {
        let digit = (id >> (place * 5)) & 31;
        f.write_str(char::from(ALPHABET[digit as usize]).encode_utf8(&mut [0; 4]))?;
    }
    Ok(())
}

fn read_id(text: &str) -> Result<i64, NotAnId> {
    if text.len() != TEXT_LETTERS {
        return Err(NotAnId);
    }
    let mut id: u128 = 0;
    for letter in text.bytes() {
        let digit = ALPHABET.iter().position(|known| *known == letter.to_ascii_lowercase()).ok_or(NotAnId)?;
        id = (id << 5) | digit as u128;
    }
    i64::try_from(id).map_err(|_| NotAnId)
}

macro_rules! id {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, sqlx::Type)]
        #[sqlx(transparent)]
        pub struct $name(pub i64);

        impl $name {
            /// A new id, later than every one before it in this process.
            #[must_use]
            pub fn new(now: super::clock::Millis) -> Self {
                Self(next(now))
            }

            /// Before every id that is made at `at` or later, on a machine whose clock is right.
            #[must_use]
            pub fn before(at: super::clock::Millis) -> Self {
                Self(at.0.saturating_sub(EPOCH_MILLIS).max(0) << (COUNTER_BITS + NODE_BITS))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_id(self.0, f)
            }
        }

        impl FromStr for $name {
            type Err = NotAnId;

            fn from_str(text: &str) -> Result<Self, NotAnId> {
                read_id(text).map(Self)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )+};
}

id! {
    /// A newsletter.
    NewsletterId,
    /// One edition of a newsletter.
    IssueId,
    /// A person's address.
    SubscriberId,
    /// An SMTP server that we hand mail to.
    RelayId,
    /// Somebody who may use the desk.
    AccountId,
    /// A mail of the house to one person: confirmation, notice, test.
    LetterId,
    /// A line of somebody's history.
    EventId,
    /// One SMTP try.
    AttemptId,
    /// A process that serves.
    NodeId,
    /// An uploaded file that waits for a yes.
    UploadId,
    /// A mail in the catcher.
    CaughtId,
    /// A way in.
    FormId,
    /// A line of somebody's proof of consent.
    ConsentId,
    /// A welcome mail.
    WelcomeId,
}

#[cfg(test)]
mod tests {
    use super::{IssueId, NotAnId, SEATS, epoch};
    use crate::values::clock::Millis;

    #[test]
    fn ids_grow_and_come_back_from_their_text() {
        let now = Millis(1_795_000_000_000);
        let ids: Vec<IssueId> = (0..10_000).map(|_| IssueId::new(now)).collect();
        assert!(ids.windows(2).all(|pair| pair[0] < pair[1] && pair[0].to_string() < pair[1].to_string()));
        assert!(ids.iter().all(|id| id.to_string().parse() == Ok(*id)));
    }

    #[test]
    fn an_epoch_says_whose_it_is_and_never_comes_twice() {
        let now = Millis(1_795_000_000_000);
        let epochs: Vec<i64> = (1..SEATS).map(|seat| epoch(now, seat)).collect();
        assert!(epochs.iter().zip(1..).all(|(epoch, seat)| (epoch / 4096) % 1024 == seat));
        assert!(epochs.iter().all(|epoch| *epoch >= IssueId::before(now).0));
        let again: Vec<i64> = (0..10_000).map(|_| epoch(now, 7)).collect();
        assert!(again.windows(2).all(|pair| pair[0] < pair[1]));
    }

    #[test]
    fn a_text_that_is_no_id_is_refused() {
        for text in ["", "31", "zzzzzzzzzzzzz", "0123456789abu", "0123456789abcd", "../../etc/pas"] {
            assert_eq!(text.parse::<IssueId>(), Err(NotAnId), "{text}");
        }
    }
}

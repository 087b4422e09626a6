//! Tokens: what stands in a link instead of an address or an id.
//!
//! A token is `KEY.BODY`: the id of the key it was made with, and 40 bytes in base64url. The bytes are a 16-byte
//! MAC (HMAC-SHA-256, cut) over purpose and payload, then the payload under a key stream drawn from that MAC, so a
//! token is opaque, the same for the same reader and issue, cannot be altered, and cannot be used for another
//! purpose than the one it was made for (RFC 8058 §3.1 and §6: the link alone identifies reader and list, and
//! nobody can make one). Old keys go on opening tokens for ever; the newest makes them.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// What a token is good for. The number is part of what is signed: never renumber.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Purpose {
    /// A reader's own links in a mail: web copy, leave, preferences. Payload: newsletter, subscriber, issue (or 0).
    /// Never expires.
    Reader = 1,
    /// Confirming a sign-up. Payload: newsletter, subscriber, expiry in unix milliseconds.
    Confirm = 2,
    /// The return path of one delivery (VERP). Payload: issue, subscriber, attempt-independent 0.
    Return = 3,
    /// The time a sign-up form was shown, against robots. Payload: newsletter, unix milliseconds, 0.
    Form = 4,
    /// Work that a sign-up is asked for. Payload: newsletter, unix milliseconds, zero bits.
    Work = 5,
}

/// Why a text is not a token of ours. The reasons are for logs and tests; a visitor sees one page for all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadToken {
    #[error("the token is not in the form of one")]
    Shape,
    #[error("the token names a key that this installation does not have")]
    UnknownKey,
    #[error("the token was altered or made for another purpose")]
    Forged,
}

const MAC_BYTES: usize = 16;
const PAYLOAD_BYTES: usize = 24;
/// Longest text looked at: a key id and the body. Longer texts are refused before any work is done on them.
const TOKEN_LETTERS_MAX: usize = 80;

/// The three numbers that a token carries.
pub type Payload = [i64; 3];

/// One key: an id that stands in the token, and 32 secret bytes.
#[derive(Clone)]
pub struct Key {
    id: String,
    key: hmac::Key,
}

/// Every key of this installation; the first makes tokens, all open them.
#[derive(Clone)]
pub struct Keyring {
    keys: Vec<Key>,
}

impl Keyring {
    /// A ring of `(id, secret)` pairs, newest first. Ids are short and without dots ("k1").
    #[must_use]
    pub fn new(keys: Vec<(String, [u8; 32])>) -> Self {
        let keys = keys.into_iter().map(|(id, secret)| Key { id, key: hmac::Key::new(hmac::HMAC_SHA256, &secret) });
        Self { keys: keys.collect() }
    }

    /// The token for `payload`. Empty if the ring is, which `App` never lets happen.
    #[must_use]
    pub fn seal(&self, purpose: Purpose, payload: Payload) -> String {
        let Some(key) = self.keys.first() else { return String::new() };
        let mut clear = [0_u8; PAYLOAD_BYTES];
        for (place, number) in clear.chunks_exact_mut(8).zip(payload) {
            place.copy_from_slice(&number.to_be_bytes());
        }
        let mac = mac(&key.key, purpose, &clear);
        let mut body = [0_u8; MAC_BYTES + PAYLOAD_BYTES];
        body[..MAC_BYTES].copy_from_slice(&mac);
        body[MAC_BYTES..].copy_from_slice(&under_stream(&key.key, &mac, clear));
        format!("{}.{}", key.id, URL_SAFE_NO_PAD.encode(body))
    }

    /// What the token carries.
    ///
    /// # Errors
    /// [`BadToken`], for whatever was not made by [`Keyring::seal`] with a key of this ring for this purpose.
    pub fn open(&self, purpose: Purpose, token: &str) -> Result<Payload, BadToken> {
        if token.len() > TOKEN_LETTERS_MAX {
            return Err(BadToken::Shape);
        }
        let (id, body) = token.split_once('.').ok_or(BadToken::Shape)?;
        let body = URL_SAFE_NO_PAD.decode(body).map_err(|_| BadToken::Shape)?;
        let body: [u8; MAC_BYTES + PAYLOAD_BYTES] = body.try_into().map_err(|_| BadToken::Shape)?;
        let key = self.keys.iter().find(|key| key.id == id).ok_or(BadToken::UnknownKey)?;
        let (sent_mac, hidden) = body.split_at(MAC_BYTES);
        let mut clear = [0_u8; PAYLOAD_BYTES];
        clear.copy_from_slice(hidden);
        let sent_mac: [u8; MAC_BYTES] = sent_mac.try_into().map_err(|_| BadToken::Shape)?;
        let clear = under_stream(&key.key, &sent_mac, clear);
        aws_lc_rs::constant_time::verify_slices_are_equal(&mac(&key.key, purpose, &clear), &sent_mac)
            .map_err(|_| BadToken::Forged)?;
        let mut payload = [0_i64; 3];
        for (number, place) in payload.iter_mut().zip(clear.chunks_exact(8)) {
            *number = i64::from_be_bytes(place.try_into().map_err(|_| BadToken::Shape)?);
        }
        Ok(payload)
    }

    /// A keyed hash of `text` for things that must be recognised and not read (addresses after erasure, buckets of
    /// rate limits), as base64url.
    #[must_use]
    pub fn fingerprint(&self, text: &str) -> String {
        let Some(oldest) = self.keys.last() else { return String::new() };
        let tag = hmac::sign(&oldest.key, text.as_bytes());
        URL_SAFE_NO_PAD.encode(&tag.as_ref()[..MAC_BYTES])
    }
}

fn mac(key: &hmac::Key, purpose: Purpose, clear: &[u8; PAYLOAD_BYTES]) -> [u8; MAC_BYTES] {
    let mut context = hmac::Context::with_key(key);
    context.update(b"broadsheet token v1");
    context.update(&[purpose as u8]);
    context.update(clear);
    let mut short = [0_u8; MAC_BYTES];
    short.copy_from_slice(&context.sign().as_ref()[..MAC_BYTES]);
    short
}

fn under_stream(key: &hmac::Key, mac: &[u8; MAC_BYTES], mut bytes: [u8; PAYLOAD_BYTES]) -> [u8; PAYLOAD_BYTES] {
    let mut context = hmac::Context::with_key(key);
    context.update(b"broadsheet stream v1");
    context.update(mac);
    for (byte, mask) in bytes.iter_mut().zip(context.sign().as_ref()) {
        *byte ^= mask;
    }
    bytes
}

/// 32 bytes from the operating system.
///
/// # Errors
/// When the operating system has no randomness to give.
pub fn random_secret() -> anyhow::Result<[u8; 32]> {
    let mut secret = [0_u8; 32];
    aws_lc_rs::rand::fill(&mut secret).map_err(|_| anyhow::anyhow!("the operating system gave no random bytes"))?;
    Ok(secret)
}

#[cfg(test)]
mod tests {
    use super::{BadToken, Keyring, Purpose};
    use proptest::prelude::{any, proptest};

    fn ring(id: &str, byte: u8) -> Keyring {
        Keyring::new(vec![(id.into(), [byte; 32])])
    }

    proptest! {
        #[test]
        fn a_token_opens_to_what_was_sealed(payload in any::<[i64; 3]>()) {
            let ring = ring("k1", 7);
            let token = ring.seal(Purpose::Reader, payload);
            assert_eq!(ring.open(Purpose::Reader, &token), Ok(payload));
            assert_eq!(ring.open(Purpose::Confirm, &token), Err(BadToken::Forged));
        }

        #[test]
        fn a_token_with_one_letter_changed_is_refused(payload in any::<[i64; 3]>(), at in 3_usize..50) {
            let ring = ring("k1", 7);
            let mut token = ring.seal(Purpose::Reader, payload).into_bytes();
            token[at] = if token[at] == b'A' { b'B' } else { b'A' };
            let token = String::from_utf8(token).expect("base64 is ASCII");
            assert!(ring.open(Purpose::Reader, &token).is_err());
        }

        #[test]
        fn whatever_is_typed_is_refused_without_a_panic(text in ".{0,120}") {
            assert!(ring("k1", 7).open(Purpose::Reader, &text).is_err());
        }
    }

    #[test]
    fn an_old_key_goes_on_opening_and_a_strange_one_does_not() {
        let old = ring("k1", 1).seal(Purpose::Reader, [1, 2, 3]);
        let both = Keyring::new(vec![("k2".into(), [2; 32]), ("k1".into(), [1; 32])]);
        assert_eq!(both.open(Purpose::Reader, &old), Ok([1, 2, 3]));
        assert_eq!(ring("k2", 2).open(Purpose::Reader, &old), Err(BadToken::UnknownKey));
    }
}

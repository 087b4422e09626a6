//! The names of one delivery: its Message-ID, its return path, the address that leaves by mail. All of them are the
//! same at every try of the same delivery, and different for every other.

use crate::values::clock::Millis;
use crate::values::ids::{IssueId, SubscriberId};
use crate::values::token::{Keyring, Purpose};

/// Who the SMTP transaction is between.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// MAIL FROM: where bounces go, naming the delivery (VERP).
    pub return_path: String,
    /// RCPT TO.
    pub recipient: String,
}

/// `ISSUE.SUBSCRIBER.HASH@domain`, without brackets: unique per delivery, because Gmail has a quota for messages with
/// the same Message-ID, and nobody's to guess.
#[must_use]
pub fn message_id(keys: &Keyring, issue: IssueId, subscriber: SubscriberId, domain: &str) -> String {
    let hash = keys.fingerprint(&format!("message {issue} {subscriber}"));
    format!("{issue}.{subscriber}.{hash}@{domain}")
}

/// The same for a letter of the house: `KIND` and whom it goes to, at the instant it was written.
#[must_use]
pub fn letter_message_id(keys: &Keyring, kind: &str, address: &str, at: Millis, domain: &str) -> String {
    let hash = keys.fingerprint(&format!("letter {kind} {address} {}", at.0));
    format!("{kind}.{}.{hash}@{domain}", at.0)
}

/// `b+TOKEN@domain`: a bounce that comes back there names the delivery, whatever its text.
#[must_use]
pub fn return_path(keys: &Keyring, issue: IssueId, subscriber: SubscriberId, domain: &str) -> String {
    format!("b+{}@{domain}", keys.seal(Purpose::Return, [issue.0, subscriber.0, 0]))
}

/// `u+TOKEN@domain`: the way out by mail, for programs that take no other (RFC 2369 §3.2).
#[must_use]
pub fn leave_address(reader_token: &str, domain: &str) -> String {
    format!("u+{reader_token}@{domain}")
}

#[cfg(test)]
mod tests {
    use super::{leave_address, message_id, return_path};
    use crate::values::ids::{IssueId, SubscriberId};
    use crate::values::token::{Keyring, Purpose};

    #[test]
    fn a_delivery_has_names_of_its_own_that_stay() {
        let keys = Keyring::new(vec![("k1".to_owned(), [7; 32])]);
        let one = message_id(&keys, IssueId(5), SubscriberId(6), "tidewater.example");
        assert_eq!(one, message_id(&keys, IssueId(5), SubscriberId(6), "tidewater.example"));
        assert_ne!(one, message_id(&keys, IssueId(5), SubscriberId(7), "tidewater.example"));
        let path = return_path(&keys, IssueId(5), SubscriberId(6), "bounce.tidewater.example");
        let (local, _) = path.split_once('@').expect("an address");
        assert!(local.len() <= 64, "RFC 5321 §4.5.3.1.1: {local}");
        assert_eq!(keys.open(Purpose::Return, &local[2..]), Ok([5, 6, 0]));
        let token = keys.seal(Purpose::Reader, [1, 6, 5]);
        assert!(leave_address(&token, "x.example").len() <= 64 + "@x.example".len());
    }
}

//! A recipient: somebody who may be mailed now. There is one way to become one, through [`admit`].

use crate::values::clock::Millis;
use crate::values::ids::SubscriberId;

/// A reader who is active, not suppressed and not paused at the instant this was made. Fields are private: nobody
/// can write one down, the store can only ask [`admit`] for one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipient {
    subscriber: SubscriberId,
    address: String,
    name: String,
}

impl Recipient {
    #[must_use]
    pub fn subscriber(&self) -> SubscriberId {
        self.subscriber
    }

    /// The whole address, for the envelope and the To header; never for a log.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Empty where none is known.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// How a reader stands with a newsletter, as the rows say in one snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The subscription's status; `None` where there is no subscription any more.
    pub status: Option<String>,
    pub paused_until: Option<Millis>,
    pub suppressed: bool,
}

/// Why a reader of the frozen audience gets nothing after all. The word stands on the ledger's row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Skip {
    Unsubscribed,
    Bounced,
    Complained,
    Unconfirmed,
    Suppressed,
    Paused,
    /// Erased, or taken off the list altogether.
    Gone,
    /// The editor cancelled the rest.
    Cancelled,
}

impl Skip {
    /// The word in database and JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unsubscribed => "unsubscribed",
            Self::Bounced => "bounced",
            Self::Complained => "complained",
            Self::Unconfirmed => "unconfirmed",
            Self::Suppressed => "suppressed",
            Self::Paused => "paused",
            Self::Gone => "gone",
            Self::Cancelled => "cancelled",
        }
    }
}

/// Lets a reader in, or says why not.
///
/// # Errors
/// [`Skip`]: the reader left, bounced, complained, was suppressed, has paused or is gone.
pub fn admit(
    subscriber: SubscriberId,
    address: String,
    name: String,
    standing: &Standing,
    now: Millis,
) -> Result<Recipient, Skip> {
    if standing.suppressed {
        return Err(Skip::Suppressed);
    }
    match standing.status.as_deref() {
        Some("active") if standing.paused_until.is_some_and(|until| until > now) => Err(Skip::Paused),
        Some("active") => Ok(Recipient { subscriber, address, name }),
        Some("unsubscribed") => Err(Skip::Unsubscribed),
        Some("bounced") => Err(Skip::Bounced),
        Some("complained") => Err(Skip::Complained),
        Some(_) => Err(Skip::Unconfirmed),
        None => Err(Skip::Gone),
    }
}

#[cfg(test)]
mod tests {
    use super::{Skip, Standing, admit};
    use crate::values::clock::Millis;
    use crate::values::ids::SubscriberId;

    const NOW: Millis = Millis(1_000);

    fn answer(status: Option<&str>, paused_until: Option<i64>, suppressed: bool) -> Option<Skip> {
        let standing =
            Standing { status: status.map(ToOwned::to_owned), paused_until: paused_until.map(Millis), suppressed };
        admit(SubscriberId(1), "ann@example.org".into(), String::new(), &standing, NOW).err()
    }

    #[test]
    fn only_an_active_unsuppressed_unpaused_reader_is_let_in() {
        assert_eq!(answer(Some("active"), None, false), None);
        assert_eq!(answer(Some("active"), Some(1_000), false), None);
        assert_eq!(answer(Some("active"), Some(1_001), false), Some(Skip::Paused));
        assert_eq!(answer(Some("active"), None, true), Some(Skip::Suppressed));
        assert_eq!(answer(Some("pending"), None, false), Some(Skip::Unconfirmed));
        assert_eq!(answer(Some("unsubscribed"), None, false), Some(Skip::Unsubscribed));
        assert_eq!(answer(Some("bounced"), None, false), Some(Skip::Bounced));
        assert_eq!(answer(Some("complained"), None, false), Some(Skip::Complained));
        assert_eq!(answer(None, None, false), Some(Skip::Gone));
    }
}

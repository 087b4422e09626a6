//! What a connection is given to carry: one reader's copy of an issue, or one letter.

use std::sync::Arc;

use crate::delivery::step::{End, Tried};
use crate::issue::dkim::Signer;
use crate::schedule::hours::night::Span;
use crate::store::delivery::claim::Claimed;
use crate::store::letter::LetterRow;
use crate::values::clock::Millis;
use crate::values::ids::{IssueId, LetterId, NewsletterId, SubscriberId};
use crate::verbs::deliver::sheet::Sheet;

/// A row of the ledger or a letter, and the epoch of the claim it is held under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    Copy { issue: IssueId, newsletter: NewsletterId, subscriber: SubscriberId, epoch: i64 },
    Letter { id: LetterId, epoch: i64 },
}

/// Claimed work.
pub(super) enum Job {
    Copy {
        sheet: Arc<Sheet>,
        reader: Claimed,
        epoch: i64,
        /// The reader's next quiet hours.
        night: Option<Span>,
    },
    Letter {
        letter: Box<LetterRow>,
        signer: Arc<Signer>,
        epoch: i64,
    },
}

/// A message and its envelope, ready for the wire.
pub(in crate::verbs) struct Outgoing {
    pub mail_from: String,
    pub rcpt_to: String,
    pub message: Vec<u8>,
}

/// A job whose message is made.
pub(super) struct Made {
    pub job: Job,
    pub outgoing: Outgoing,
}

impl Job {
    pub(super) fn key(&self) -> Key {
        match self {
            Self::Copy { sheet, reader, epoch, .. } => Key::Copy {
                issue: sheet.issue,
                newsletter: sheet.newsletter,
                subscriber: reader.recipient.subscriber(),
                epoch: *epoch,
            },
            Self::Letter { letter, epoch, .. } => Key::Letter { id: letter.id, epoch: *epoch },
        }
    }

    /// Until when its reader's quiet hours last, if it is in them.
    pub(super) fn quiet_until(&self, now: Millis) -> Option<Millis> {
        match self {
            Self::Copy { night, .. } => night.as_ref()?.end_at(now),
            Self::Letter { .. } => None,
        }
    }

    /// The message for the wire, in `buffer`. Costs a signature: call it on a thread that may work.
    ///
    /// # Errors
    /// Why it cannot be made.
    pub(super) fn outgoing(&self, buffer: Vec<u8>) -> anyhow::Result<Outgoing> {
        match self {
            Self::Copy { sheet, reader, .. } => sheet.outgoing(&reader.recipient, buffer),
            Self::Letter { letter, signer, .. } => {
                let mut message = letter.message.clone();
                signer.sign(&mut message, Millis(letter.created_at));
                Ok(Outgoing { mail_from: letter.return_path.clone(), rcpt_to: letter.address.clone(), message })
            }
        }
    }

    pub(super) fn tried(&self, now: Millis) -> Tried {
        match self {
            Self::Copy { reader, .. } => {
                Tried { attempts: reader.attempts, first_at: reader.first_at.unwrap_or(now), now }
            }
            Self::Letter { letter, .. } => {
                Tried { attempts: letter.attempts, first_at: Millis(letter.created_at), now }
            }
        }
    }
}

/// Something for the ledger's one writer.
pub(super) enum Order {
    /// Bytes are about to leave; the answer says whether they may.
    Mark { key: Key, answer: tokio::sync::oneshot::Sender<bool> },
    /// A try ended.
    Settle { key: Key, end: End },
    /// Nothing left; the claim is given back.
    Release { key: Key },
}

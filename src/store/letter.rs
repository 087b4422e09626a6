//! Letters: mail of the house to one person (confirmation, notice, test), with the ledger's states.

use super::Tx;
use crate::values::ids::{LetterId, NewsletterId, SubscriberId};

/// Why the house writes to somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LetterKind {
    Confirm,
    Notice,
    Test,
}

impl LetterKind {
    /// The word in the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Confirm => "confirm",
            Self::Notice => "notice",
            Self::Test => "test",
        }
    }
}

/// A letter to be written. `message` is complete and signed or to be signed as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewLetter {
    pub kind: LetterKind,
    pub newsletter_id: NewsletterId,
    pub subscriber_id: Option<SubscriberId>,
    pub address: String,
    pub return_path: String,
    pub message: Vec<u8>,
}

/// A letter, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct LetterRow {
    pub id: LetterId,
    pub kind: String,
    pub newsletter_id: NewsletterId,
    pub subscriber_id: Option<SubscriberId>,
    pub address: String,
    pub return_path: String,
    pub message: Vec<u8>,
    pub state: String,
    pub attempts: i64,
    pub next_at: i64,
    pub epoch: i64,
    pub created_at: i64,
    pub settled_at: Option<i64>,
    pub stage: Option<String>,
    pub reply_code: Option<i64>,
    pub reply_text: Option<String>,
    pub reason: Option<String>,
}

const INSERT: &str = "INSERT INTO letter (id, kind, newsletter_id, subscriber_id, address, return_path, message, \
    state, next_at, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, 'pending', $8, $8)";

/// Puts a letter into the out-tray: it leaves with the next turn of the engine, before any issue.
///
/// # Errors
/// When the store cannot.
pub async fn insert(tx: &mut Tx, letter: &NewLetter) -> Result<LetterId, sqlx::Error> {
    let (id, now) = (LetterId::new(tx.now), tx.now.0);
    let NewLetter { kind, newsletter_id, subscriber_id, address, return_path, message } = letter;
    execute!(tx, INSERT, id, kind.as_str(), newsletter_id, subscriber_id, address, return_path, message, now)?;
    Ok(id)
}

const BY_ID: &str = "SELECT * FROM letter WHERE id = $1";

/// The letter and what became of it.
///
/// # Errors
/// When the store cannot.
pub async fn by_id(tx: &mut Tx, id: LetterId) -> Result<Option<LetterRow>, sqlx::Error> {
    sql!(tx, fetch_optional, BY_ID, id)
}

/// A letter without its message, as a history shows it.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct LetterLine {
    pub kind: String,
    pub newsletter_id: NewsletterId,
    pub state: String,
    pub attempts: i64,
    pub created_at: i64,
    pub settled_at: Option<i64>,
    pub reply_code: Option<i64>,
    pub reply_text: Option<String>,
    pub reason: Option<String>,
}

const BY_SUBSCRIBER: &str = "SELECT kind, newsletter_id, state, attempts, created_at, settled_at, reply_code, \
    reply_text, reason FROM letter WHERE subscriber_id = $1 ORDER BY id DESC LIMIT $2";

/// The newest letters to a person, without what stands in them.
///
/// # Errors
/// When the store cannot.
pub async fn by_subscriber(tx: &mut Tx, subscriber: SubscriberId, limit: i64) -> Result<Vec<LetterLine>, sqlx::Error> {
    sql!(tx, fetch_all, BY_SUBSCRIBER, subscriber, limit)
}

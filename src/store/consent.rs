//! Proof of consent: what was asked, answered and taken back, line by line. There is no statement here that changes a
//! line: one is added, read, or taken away with the person it is about.

use super::Tx;
use crate::values::ids::{ConsentId, LetterId, NewsletterId, SubscriberId};

/// A line that is to be added.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Line {
    /// asked, written, confirmed, single, disowned.
    pub act: String,
    pub address: String,
    /// Name and version of the form.
    pub form: String,
    pub version: i64,
    /// The exact words.
    pub wording: String,
    pub language: String,
    /// The page the form stood on.
    pub page: String,
    /// A /24 or /64.
    pub network: String,
    pub letter_id: Option<LetterId>,
    /// SHA-256 of the letter's bytes, in hex.
    pub letter_hash: String,
    /// Why no confirmation was asked for.
    pub reason: String,
}

/// A line as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow, serde::Serialize)]
pub struct ConsentRow {
    pub id: ConsentId,
    /// Unix milliseconds.
    pub at: i64,
    pub newsletter_id: NewsletterId,
    pub subscriber_id: SubscriberId,
    pub act: String,
    pub address: String,
    pub form: String,
    pub version: i64,
    pub wording: String,
    pub language: String,
    pub page: String,
    pub network: String,
    pub letter_id: Option<LetterId>,
    pub letter_hash: String,
    pub reason: String,
    pub seal: String,
}

impl ConsentRow {
    /// The row of a line, without its seal.
    #[must_use]
    pub fn new(id: ConsentId, at: i64, newsletter: NewsletterId, subscriber: SubscriberId, line: Line) -> Self {
        let Line { act, address, form, version, wording, language, page, network, letter_id, letter_hash, reason } =
            line;
        Self {
            id,
            at,
            newsletter_id: newsletter,
            subscriber_id: subscriber,
            act,
            address,
            form,
            version,
            wording,
            language,
            page,
            network,
            letter_id,
            letter_hash,
            reason,
            seal: String::new(),
        }
    }

    /// What the seal is made over: everything else, each part with its length, so that nothing can move between them.
    #[must_use]
    pub fn sealed_text(&self) -> String {
        let (letter, version) = (self.letter_id.map(|id| id.to_string()).unwrap_or_default(), self.version.to_string());
        let (id, at) = (self.id.to_string(), self.at.to_string());
        let (newsletter, subscriber) = (self.newsletter_id.to_string(), self.subscriber_id.to_string());
        let parts = [
            "consent line 1",
            &id,
            &at,
            &newsletter,
            &subscriber,
            &self.act,
            &self.address,
            &self.form,
            &version,
            &self.wording,
            &self.language,
            &self.page,
            &self.network,
            &letter,
            &self.letter_hash,
            &self.reason,
        ];
        parts.iter().map(|part| format!("{}:{part},", part.len())).collect()
    }
}

const INSERT: &str = "INSERT INTO consent (id, at, newsletter_id, subscriber_id, act, address, form, version, wording, \
    language, page, network, letter_id, letter_hash, reason, seal) \
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)";

/// Adds a line.
///
/// # Errors
/// When the store cannot.
pub async fn insert(tx: &mut Tx, row: &ConsentRow) -> Result<(), sqlx::Error> {
    let r = row;
    execute!(
        tx,
        INSERT,
        r.id,
        r.at,
        r.newsletter_id,
        r.subscriber_id,
        &r.act,
        &r.address,
        &r.form,
        r.version,
        &r.wording,
        &r.language,
        &r.page,
        &r.network,
        r.letter_id,
        &r.letter_hash,
        &r.reason,
        &r.seal
    )
    .map(drop)
}

const OF: &str = "SELECT * FROM consent WHERE newsletter_id = $1 AND subscriber_id = $2 ORDER BY id";

/// Everything that is kept of a person's consent to one newsletter, oldest first.
///
/// # Errors
/// When the store cannot.
pub async fn of(
    tx: &mut Tx,
    newsletter: NewsletterId,
    subscriber: SubscriberId,
) -> Result<Vec<ConsentRow>, sqlx::Error> {
    sql!(tx, fetch_all, OF, newsletter, subscriber)
}

const ERASE: &str = "DELETE FROM consent WHERE subscriber_id = $1";

/// Takes a person's lines away, all of them: for erasure alone.
///
/// # Errors
/// When the store cannot.
pub async fn erase(tx: &mut Tx, subscriber: SubscriberId) -> Result<(), sqlx::Error> {
    execute!(tx, ERASE, subscriber).map(drop)
}

//! Subscribers: one row an address, whatever it is subscribed to.

use super::Tx;
use super::many::{ROWS_MAX, places};
use crate::values::address::Address;
use crate::values::ids::SubscriberId;

/// A person's address.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow, serde::Serialize)]
pub struct Subscriber {
    pub id: SubscriberId,
    /// As mail goes to it.
    pub address: String,
    /// The form in which two spellings of one mailbox are equal.
    pub address_key: String,
    /// Empty where none is known.
    pub name: String,
    /// IANA name of the zone they live in; empty where it is not known.
    pub zone: String,
    /// BCP 47, of pages and letters to them; empty where they have not chosen one.
    pub language: String,
    /// Unix milliseconds.
    pub created_at: i64,
}

impl Subscriber {
    /// "ma…@post.example", for pages that a forwarded link may show to somebody else.
    #[must_use]
    pub fn masked(&self) -> String {
        Address::parse(&self.address).map_or_else(|_| "…".into(), |address| address.masked())
    }
}

const BY_ID: &str = "SELECT * FROM subscriber WHERE id = $1";

/// # Errors
/// When the database cannot be read.
pub async fn by_id(tx: &mut Tx, id: SubscriberId) -> Result<Option<Subscriber>, sqlx::Error> {
    sql!(tx, fetch_optional, BY_ID, id)
}

const BY_KEY: &str = "SELECT * FROM subscriber WHERE address_key = $1";

/// The subscriber of an address, in any of its spellings.
///
/// # Errors
/// When the database cannot be read.
pub async fn by_address(tx: &mut Tx, address: &Address) -> Result<Option<Subscriber>, sqlx::Error> {
    sql!(tx, fetch_optional, BY_KEY, address.key())
}

// The update changes nothing; it makes RETURNING give the row that was there before.
const KEEP: &str = "INSERT INTO subscriber (id, address, address_key, name, created_at) VALUES ($1, $2, $3, $4, $5) \
    ON CONFLICT (address_key) DO UPDATE SET address_key = excluded.address_key RETURNING id";

/// The id of an address: `id` if it is new here, else the one it has. A name that is known stays.
///
/// # Errors
/// When the database cannot be written.
pub async fn keep(tx: &mut Tx, id: SubscriberId, address: &Address, name: &str) -> Result<SubscriberId, sqlx::Error> {
    let now = tx.now.0;
    let row: Result<(SubscriberId,), _> = sql!(tx, fetch_one, KEEP, id, address.as_str(), address.key(), name, now);
    Ok(row?.0)
}

const SET_NAME: &str = "UPDATE subscriber SET name = $2 WHERE id = $1 AND name <> $2";

/// Writes the name; `false` if it was that already, or there is no such subscriber.
///
/// # Errors
/// When the database cannot be written.
pub async fn set_name(tx: &mut Tx, id: SubscriberId, name: &str) -> Result<bool, sqlx::Error> {
    execute!(tx, SET_NAME, id, name).map(|rows| rows == 1)
}

const SET_ZONE: &str = "UPDATE subscriber SET zone = $2 WHERE id = $1 AND zone <> $2";

/// Writes the zone a person lives in; `false` if it was that already, or there is no such subscriber.
///
/// # Errors
/// When the database cannot be written.
pub async fn set_zone(tx: &mut Tx, id: SubscriberId, zone: &str) -> Result<bool, sqlx::Error> {
    execute!(tx, SET_ZONE, id, zone).map(|rows| rows == 1)
}

const LEARN_ZONE: &str = "UPDATE subscriber SET zone = $2 WHERE id = $1 AND zone = ''";

/// Writes a zone where none is known: what a form says of somebody does not undo what they said themselves.
///
/// # Errors
/// When the database cannot be written.
pub async fn learn_zone(tx: &mut Tx, id: SubscriberId, zone: &str) -> Result<bool, sqlx::Error> {
    execute!(tx, LEARN_ZONE, id, zone).map(|rows| rows == 1)
}

const FIND: &str = "SELECT * FROM subscriber WHERE address_key LIKE $1 ESCAPE '\\' OR LOWER(name) LIKE $1 ESCAPE '\\' \
    ORDER BY address_key LIMIT $2";

/// Subscribers whose address or name contains `words`, literally.
///
/// # Errors
/// When the database cannot be read.
pub async fn find(tx: &mut Tx, words: &str, limit: i64) -> Result<Vec<Subscriber>, sqlx::Error> {
    sql!(tx, fetch_all, FIND, like(words), limit)
}

/// `words` as a LIKE pattern that means just these letters, anywhere.
pub(crate) fn like(words: &str) -> String {
    let literal = words.trim().to_lowercase().replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    format!("%{literal}%")
}

/// An address that is to be kept, from an import.
#[derive(Clone, Debug)]
pub struct NewSubscriber {
    pub id: SubscriberId,
    pub address: String,
    pub key: String,
    pub name: String,
    /// IANA name, or empty.
    pub zone: String,
}

/// Keeps many at once, each key once; gives `(key, id)` of all of them.
///
/// # Errors
/// When the database cannot be written.
pub async fn keep_many(tx: &mut Tx, new: &[NewSubscriber]) -> Result<Vec<(String, SubscriberId)>, sqlx::Error> {
    let (now, mut kept) = (tx.now.0, Vec::with_capacity(new.len()));
    for some in new.chunks(ROWS_MAX) {
        let text = format!(
            "INSERT INTO subscriber (id, address, address_key, name, zone, created_at) VALUES {} \
             ON CONFLICT (address_key) DO UPDATE SET zone = CASE WHEN subscriber.zone = '' THEN excluded.zone \
             ELSE subscriber.zone END RETURNING address_key, id",
            places(some.len(), 6, 1)
        );
        let rows: Result<Vec<(String, SubscriberId)>, sqlx::Error> =
            sql_many!(tx, text, [], some, |row| [row.id, &row.address, &row.key, &row.name, &row.zone, now]);
        kept.extend(rows?);
    }
    Ok(kept)
}

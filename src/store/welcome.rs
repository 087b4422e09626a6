//! The welcome: mails that a new reader gets, each so long after joining, and who is still to get which.

use super::Tx;
use crate::values::clock::Millis;
use crate::values::ids::{LetterId, NewsletterId, SubscriberId, WelcomeId};

/// A welcome mail, every column.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow, serde::Serialize)]
pub struct Welcome {
    pub id: WelcomeId,
    pub newsletter_id: NewsletterId,
    /// After joining.
    pub delay_ms: i64,
    /// Markdown with a head, as an issue's.
    pub source: String,
    pub is_on: bool,
    /// Unix milliseconds.
    pub created_at: i64,
    pub updated_at: i64,
}

const OF: &str = "SELECT * FROM welcome WHERE newsletter_id = $1 ORDER BY delay_ms, id";

/// A newsletter's welcome mails, in the order they leave.
///
/// # Errors
/// When the store cannot.
pub async fn of(tx: &mut Tx, newsletter: NewsletterId) -> Result<Vec<Welcome>, sqlx::Error> {
    sql!(tx, fetch_all, OF, newsletter)
}

const BY_ID: &str = "SELECT * FROM welcome WHERE id = $1";

/// # Errors
/// When the store cannot.
pub async fn by_id(tx: &mut Tx, id: WelcomeId) -> Result<Option<Welcome>, sqlx::Error> {
    sql!(tx, fetch_optional, BY_ID, id)
}

const KEEP: &str = "INSERT INTO welcome (id, newsletter_id, delay_ms, source, is_on, created_at, updated_at) \
    VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (id) DO UPDATE SET delay_ms = excluded.delay_ms, \
    source = excluded.source, is_on = excluded.is_on, updated_at = excluded.updated_at";

/// Writes a welcome mail, new or changed.
///
/// # Errors
/// When the store cannot.
pub async fn keep(tx: &mut Tx, welcome: &Welcome) -> Result<(), sqlx::Error> {
    let Welcome { id, newsletter_id, delay_ms, source, is_on, created_at, updated_at } = welcome;
    execute!(tx, KEEP, *id, *newsletter_id, *delay_ms, source, *is_on, *created_at, *updated_at).map(drop)
}

const REMOVE: &str = "DELETE FROM welcome WHERE newsletter_id = $1 AND id = $2";
const FORGET: &str = "DELETE FROM welcome_due WHERE welcome_id = $1";

/// Removes a welcome mail; nobody gets it any more.
///
/// # Errors
/// When the store cannot.
pub async fn remove(tx: &mut Tx, newsletter: NewsletterId, id: WelcomeId) -> Result<bool, sqlx::Error> {
    let gone = execute!(tx, REMOVE, newsletter, id)? == 1;
    if gone {
        execute!(tx, FORGET, id)?;
    }
    Ok(gone)
}

const BEGIN: &str = "INSERT INTO welcome_due (welcome_id, subscriber_id, due_at) \
    SELECT w.id, $2, $3 + w.delay_ms FROM welcome w WHERE w.newsletter_id = $1 AND w.is_on AND NOT EXISTS \
    (SELECT 1 FROM welcomed d WHERE d.welcome_id = w.id AND d.subscriber_id = $2) \
    ON CONFLICT (welcome_id, subscriber_id) DO UPDATE SET due_at = excluded.due_at";

/// Begins the welcome of a reader who joined now; what they had before they do not get again.
///
/// # Errors
/// When the store cannot.
pub async fn begin(tx: &mut Tx, newsletter: NewsletterId, subscriber: SubscriberId) -> Result<(), sqlx::Error> {
    let now = tx.now.0;
    execute!(tx, BEGIN, newsletter, subscriber, now).map(drop)
}

/// Somebody who is to get a welcome mail now.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Due {
    pub welcome_id: WelcomeId,
    pub subscriber_id: SubscriberId,
    pub address: String,
    pub name: String,
    /// A reader of the newsletter who is not paused; others are greeted no more.
    pub wanted: bool,
}

const DUE: &str = "SELECT d.welcome_id, d.subscriber_id, s.address, s.name, \
    (w.is_on AND COALESCE(x.status, '') = 'active' AND p.address_key IS NULL) AS wanted FROM welcome_due d \
    JOIN welcome w ON w.id = d.welcome_id JOIN subscriber s ON s.id = d.subscriber_id \
    LEFT JOIN subscription x ON x.newsletter_id = w.newsletter_id AND x.subscriber_id = d.subscriber_id \
    LEFT JOIN suppression p ON p.address_key = s.address_key \
    WHERE d.due_at <= $1 ORDER BY d.due_at LIMIT $2";

/// Who is to get which mail now, oldest first.
///
/// # Errors
/// When the store cannot.
pub async fn due(tx: &mut Tx, limit: i64) -> Result<Vec<Due>, sqlx::Error> {
    let now = tx.now.0;
    sql!(tx, fetch_all, DUE, now, limit)
}

const TAKE: &str = "DELETE FROM welcome_due WHERE welcome_id = $1 AND subscriber_id = $2";

/// Takes one from the list; `false` if another node was faster.
///
/// # Errors
/// When the store cannot.
pub async fn take(tx: &mut Tx, welcome: WelcomeId, subscriber: SubscriberId) -> Result<bool, sqlx::Error> {
    execute!(tx, TAKE, welcome, subscriber).map(|rows| rows == 1)
}

const WRITTEN: &str = "INSERT INTO welcomed (welcome_id, subscriber_id, letter_id, at) VALUES ($1, $2, $3, $4) \
    ON CONFLICT (welcome_id, subscriber_id) DO NOTHING";

/// Writes that the letter lies in the out-tray; `false` if one did before.
///
/// # Errors
/// When the store cannot.
pub async fn written(
    tx: &mut Tx,
    welcome: WelcomeId,
    subscriber: SubscriberId,
    letter: LetterId,
) -> Result<bool, sqlx::Error> {
    let now = tx.now.0;
    execute!(tx, WRITTEN, welcome, subscriber, letter, now).map(|rows| rows == 1)
}

const WAITING: &str = "SELECT COUNT(*) FROM welcome_due WHERE welcome_id = $1";
const SENT: &str = "SELECT COUNT(*) FROM welcomed d JOIN letter l ON l.id = d.letter_id WHERE d.welcome_id = $1 \
    AND l.state = 'sent'";

/// How many wait for a welcome mail, and how many were sent it.
///
/// # Errors
/// When the store cannot.
pub async fn counts(tx: &mut Tx, welcome: WelcomeId) -> Result<(i64, i64), sqlx::Error> {
    let (waiting,): (i64,) = sql!(tx, fetch_one, WAITING, welcome)?;
    let (sent,): (i64,) = sql!(tx, fetch_one, SENT, welcome)?;
    Ok((waiting, sent))
}

const NEXT: &str = "SELECT MIN(due_at) FROM welcome_due";

/// When the next welcome mail is due.
///
/// # Errors
/// When the store cannot.
pub async fn next_due(tx: &mut Tx) -> Result<Option<Millis>, sqlx::Error> {
    let (at,): (Option<i64>,) = sql!(tx, fetch_one, NEXT)?;
    Ok(at.map(Millis))
}

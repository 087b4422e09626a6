//! The history: append-only, one line a thing that happened to a person or an issue.

use super::Tx;
use super::many::{ROWS_MAX, places};
use crate::values::ids::{AccountId, EventId, IssueId, NewsletterId, SubscriberId};

/// Whom and what a line of history is about. Leave out what it is not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct About {
    pub newsletter: Option<NewsletterId>,
    pub subscriber: Option<SubscriberId>,
    pub issue: Option<IssueId>,
    /// Who did it, where somebody at the desk did.
    pub account: Option<AccountId>,
}

/// A line of history.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow, serde::Serialize)]
pub struct EventRow {
    pub id: EventId,
    /// Unix milliseconds.
    pub at: i64,
    /// `thing.happened`: "subscription.confirmed", "issue.published", "delivery.bounced".
    pub kind: String,
    pub newsletter_id: Option<NewsletterId>,
    pub subscriber_id: Option<SubscriberId>,
    pub issue_id: Option<IssueId>,
    pub account_id: Option<AccountId>,
    /// JSON in the event's own shape.
    pub detail: String,
}

const INSERT: &str = "INSERT INTO event (id, at, kind, newsletter_id, subscriber_id, issue_id, account_id, detail) \
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";

/// Adds a line to the history.
///
/// # Errors
/// When the store cannot.
pub async fn insert(tx: &mut Tx, kind: &str, about: About, detail: &serde_json::Value) -> Result<EventId, sqlx::Error> {
    let (id, now) = (EventId::new(tx.now), tx.now.0);
    let About { newsletter, subscriber, issue, account } = about;
    execute!(tx, INSERT, id, now, kind, newsletter, subscriber, issue, account, detail.to_string())?;
    Ok(id)
}

/// Adds the same line for many persons at once.
///
/// # Errors
/// When the store cannot.
pub async fn insert_many(
    tx: &mut Tx,
    kind: &str,
    newsletter: NewsletterId,
    account: Option<AccountId>,
    subscribers: &[SubscriberId],
    detail: &serde_json::Value,
) -> Result<(), sqlx::Error> {
    let (now, at, detail) = (tx.now.0, tx.now, detail.to_string());
    let new = || EventId::new(at);
    for some in subscribers.chunks(ROWS_MAX) {
        let text = format!(
            "INSERT INTO event (id, at, kind, newsletter_id, subscriber_id, account_id, detail) VALUES {}",
            places(some.len(), 7, 1)
        );
        execute_many!(tx, text, [], some, |id| [new(), now, kind, newsletter, *id, account, &detail])?;
    }
    Ok(())
}

/// Adds the same line about one thing for many persons at once.
///
/// # Errors
/// When the store cannot.
pub async fn insert_for_each(
    tx: &mut Tx,
    kind: &str,
    about: About,
    subscribers: &[SubscriberId],
    detail: &serde_json::Value,
) -> Result<(), sqlx::Error> {
    let (now, at, detail) = (tx.now.0, tx.now, detail.to_string());
    let About { newsletter, issue, account, .. } = about;
    let new = || EventId::new(at);
    for some in subscribers.chunks(ROWS_MAX) {
        let text = format!(
            "INSERT INTO event (id, at, kind, newsletter_id, subscriber_id, issue_id, account_id, detail) VALUES {}",
            places(some.len(), 8, 1)
        );
        execute_many!(tx, text, [], some, |id| [new(), now, kind, newsletter, *id, issue, account, &detail])?;
    }
    Ok(())
}

const BY_SUBSCRIBER: &str = "SELECT * FROM event WHERE subscriber_id = $1 ORDER BY id DESC LIMIT $2";

/// The newest lines about a person, newest first.
///
/// # Errors
/// When the store cannot.
pub async fn by_subscriber(tx: &mut Tx, subscriber: SubscriberId, limit: i64) -> Result<Vec<EventRow>, sqlx::Error> {
    sql!(tx, fetch_all, BY_SUBSCRIBER, subscriber, limit)
}

const BY_ISSUE: &str = "SELECT * FROM event WHERE issue_id = $1 ORDER BY id DESC LIMIT $2";

/// The newest lines about an issue, newest first.
///
/// # Errors
/// When the store cannot.
pub async fn by_issue(tx: &mut Tx, issue: IssueId, limit: i64) -> Result<Vec<EventRow>, sqlx::Error> {
    sql!(tx, fetch_all, BY_ISSUE, issue, limit)
}

const OF_KINDS: &str = "SELECT kind, detail FROM event WHERE issue_id = $1 AND $2 LIKE '%,' || kind || ',%' \
    ORDER BY id DESC LIMIT $3";

/// The newest lines about an issue that are of one of these kinds, as `(kind, detail)`: `,a.b,c.d,`.
///
/// # Errors
/// When the store cannot.
pub async fn of_kinds(
    tx: &mut Tx,
    issue: IssueId,
    kinds: &str,
    limit: i64,
) -> Result<Vec<(String, String)>, sqlx::Error> {
    sql!(tx, fetch_all, OF_KINDS, issue, kinds, limit)
}

//! The audience is frozen: one row for everybody who may be mailed, in one statement.

use crate::store::Tx;
use crate::values::clock::Millis;
use crate::values::ids::{IssueId, NewsletterId};

const FREEZE: &str = "INSERT INTO delivery (issue_id, subscriber_id, address, state, next_at) \
    SELECT $1, s.id, s.address, 'pending', $3 FROM subscription x JOIN subscriber s ON s.id = x.subscriber_id \
    WHERE x.newsletter_id = $2 AND x.status = 'active' AND (x.paused_until IS NULL OR x.paused_until <= $4) \
    AND NOT EXISTS (SELECT 1 FROM suppression p WHERE p.address_key = s.address_key) \
    ORDER BY x.subscriber_id \
    ON CONFLICT (issue_id, subscriber_id) DO NOTHING";

/// Writes the ledger of an issue, from active, unsuppressed, unpaused subscriptions and from nothing else; gives how
/// many readers that is. Their deliveries are due at `due`.
///
/// # Errors
/// When the store cannot.
pub async fn freeze(tx: &mut Tx, issue: IssueId, newsletter: NewsletterId, due: Millis) -> Result<i64, sqlx::Error> {
    let now = tx.now.0;
    let readers = execute!(tx, FREEZE, issue, newsletter, due.0, now)?;
    Ok(i64::try_from(readers).unwrap_or(i64::MAX))
}

const MAILABLE: &str = "SELECT COUNT(*) FROM subscription x JOIN subscriber s ON s.id = x.subscriber_id \
    WHERE x.newsletter_id = $1 AND x.status = 'active' AND (x.paused_until IS NULL OR x.paused_until <= $2) \
    AND NOT EXISTS (SELECT 1 FROM suppression p WHERE p.address_key = s.address_key)";

/// How many readers would be frozen now: the number in the editor's sentence before it is sent.
///
/// # Errors
/// When the store cannot.
pub async fn mailable(tx: &mut Tx, newsletter: NewsletterId) -> Result<i64, sqlx::Error> {
    let now = tx.now.0;
    let (readers,): (i64,) = sql!(tx, fetch_one, MAILABLE, newsletter, now)?;
    Ok(readers)
}

pub const TOUCHED: &str = "SELECT COUNT(*) FROM (SELECT 1 FROM delivery WHERE issue_id = $1 \
    AND (state <> 'pending' OR attempts > 0) AND COALESCE(reason, '') <> 'hour_passed' LIMIT 1) AS touched";
pub const THAW: &str = "DELETE FROM delivery WHERE issue_id = $1";

/// Removes the ledger of an issue again, if nothing of it was ever claimed; says whether it did.
///
/// # Errors
/// When the store cannot.
pub async fn thaw(tx: &mut Tx, issue: IssueId) -> Result<bool, sqlx::Error> {
    let (touched,): (i64,) = sql!(tx, fetch_one, TOUCHED, issue)?;
    if touched > 0 {
        return Ok(false);
    }
    execute!(tx, THAW, issue)?;
    Ok(true)
}

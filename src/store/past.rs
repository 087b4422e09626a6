//! The demo's past: deliveries that are told as having happened. Nothing here is used where mail is really sent.

use super::Tx;
use crate::values::clock::Millis;
use crate::values::ids::{IssueId, SubscriberId};

/// Milliseconds over which the answers of an issue are spread, by the reader's id: a minute and a half.
const SPREAD_MS: i64 = 90_000;

const SENT: &str = "UPDATE delivery SET state = 'sent', attempts = 1, epoch = 1, stage = 'after-dot', reply_code = 250, \
    reply_text = '2.0.0 Ok', first_at = $2 + (subscriber_id % $3), settled_at = $2 + (subscriber_id % $3) + 400 \
    WHERE issue_id = $1 AND state = 'pending'";

/// Everything of an issue that is still pending went out from `at` on.
///
/// # Errors
/// When the database cannot be written.
pub async fn sent(tx: &mut Tx, issue: IssueId, at: Millis) -> Result<u64, sqlx::Error> {
    execute!(tx, SENT, issue, at.0, SPREAD_MS)
}

const REFUSED: &str = "UPDATE delivery SET state = 'failed', attempts = 1, epoch = 1, stage = 'rcpt-to', \
    reply_code = 550, reply_text = $4, reason = $4, first_at = $3, settled_at = $3 + 200 \
    WHERE issue_id = $1 AND subscriber_id = $2 AND state = 'pending'";

/// One reader's site refused the mail for good.
///
/// # Errors
/// When the database cannot be written.
pub async fn refused(
    tx: &mut Tx,
    issue: IssueId,
    subscriber: SubscriberId,
    at: Millis,
    reply: &str,
) -> Result<u64, sqlx::Error> {
    execute!(tx, REFUSED, issue, subscriber, at.0, reply)
}

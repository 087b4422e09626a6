//! In doubt: what was on the wire when nobody could hear the answer any more, and what people and proofs make of it.

use super::{Fork, json_list, spelling, with_ids};
use crate::delivery::state::DeliveryState;
use crate::store::Tx;
use crate::values::ids::{IssueId, SubscriberId};

/// Why a row that was in doubt counts as sent, where nobody needed to say it.
pub const PROVEN: &str = "proven by the reader";

/// A delivery in doubt, with where it was when it came to that.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct DoubtRow {
    pub subscriber_id: SubscriberId,
    pub address: String,
    pub attempts: i64,
    /// Of one that was interrupted: the lease of its mark ended then. Unix milliseconds, like every `_at`.
    pub next_at: i64,
    pub epoch: i64,
    pub settled_at: Option<i64>,
    pub stage: Option<String>,
    pub reply_text: Option<String>,
    pub reason: Option<String>,
    pub relay: Option<String>,
    pub relay_host: Option<String>,
    pub relay_port: Option<i64>,
    /// Whoever sits now where the claim was made; somebody else's, if it started later than the claim was.
    pub node_host: Option<String>,
    pub node_started_at: Option<i64>,
}

pub const PAGE: &str = "SELECT d.subscriber_id, d.address, d.attempts, d.next_at, d.epoch, d.settled_at, d.stage, \
    d.reply_text, d.reason, r.name AS relay, r.host AS relay_host, r.port AS relay_port, n.host AS node_host, \
    n.started_at AS node_started_at FROM delivery d LEFT JOIN relay r ON r.id = d.relay_id \
    LEFT JOIN node n ON n.seat = (d.epoch / 4096) % 1024 \
    WHERE d.issue_id = $1 AND d.state = 'in_doubt' AND d.state IN ('failed', 'in_doubt', 'skipped') \
    AND d.subscriber_id > $2 ORDER BY d.subscriber_id LIMIT $3";

/// A page of an issue's deliveries in doubt, after a reader.
///
/// # Errors
/// When the store cannot.
pub async fn page(tx: &mut Tx, issue: IssueId, after: SubscriberId, limit: i64) -> Result<Vec<DoubtRow>, sqlx::Error> {
    sql!(tx, fetch_all, PAGE, issue, after, limit)
}

const BY_ADDRESS: &str = "SELECT subscriber_id FROM delivery WHERE issue_id = $1 AND state = 'in_doubt' \
    AND state IN ('failed', 'in_doubt', 'skipped') AND LOWER(address) = LOWER($2)";

/// Whose delivery to that address is in doubt.
///
/// # Errors
/// When the store cannot.
pub async fn by_address(tx: &mut Tx, issue: IssueId, address: &str) -> Result<Option<SubscriberId>, sqlx::Error> {
    let found: Option<(SubscriberId,)> = sql!(tx, fetch_optional, BY_ADDRESS, issue, address)?;
    Ok(found.map(|(subscriber,)| subscriber))
}

pub const RESEND_ALL: &str = "UPDATE delivery SET state = 'pending', next_at = $2, settled_at = NULL, \
    reason = 'sent again by hand' WHERE issue_id = $1 AND state = 'in_doubt' \
    AND state IN ('failed', 'in_doubt', 'skipped') RETURNING subscriber_id";
pub const RESEND: Fork = with_ids!(
    "UPDATE delivery SET state = 'pending', next_at = $2, settled_at = NULL, \
     reason = 'sent again by hand' WHERE issue_id = $1 AND state = 'in_doubt' AND subscriber_id IN ",
    "$3",
    " RETURNING subscriber_id"
);

/// Sends what is in doubt once more, by somebody's word: for `only` these readers, or for all. Gives whose.
///
/// # Errors
/// When the store cannot.
pub async fn resend(
    tx: &mut Tx,
    issue: IssueId,
    only: Option<&[SubscriberId]>,
) -> Result<Vec<SubscriberId>, sqlx::Error> {
    settle(tx, issue, only, RESEND_ALL, RESEND).await
}

pub const MARK_ALL: &str = "UPDATE delivery SET state = 'sent', settled_at = $2, reason = 'marked by hand' \
    WHERE issue_id = $1 AND state = 'in_doubt' AND state IN ('failed', 'in_doubt', 'skipped') \
    RETURNING subscriber_id";
pub const MARK: Fork = with_ids!(
    "UPDATE delivery SET state = 'sent', settled_at = $2, reason = 'marked by hand' \
     WHERE issue_id = $1 AND state = 'in_doubt' AND subscriber_id IN ",
    "$3",
    " RETURNING subscriber_id"
);

/// Takes what is in doubt for sent, by somebody's word: for `only` these readers, or for all. Gives whose.
///
/// # Errors
/// When the store cannot.
pub async fn mark_sent(
    tx: &mut Tx,
    issue: IssueId,
    only: Option<&[SubscriberId]>,
) -> Result<Vec<SubscriberId>, sqlx::Error> {
    settle(tx, issue, only, MARK_ALL, MARK).await
}

async fn settle(
    tx: &mut Tx,
    issue: IssueId,
    only: Option<&[SubscriberId]>,
    all: &'static str,
    some: Fork,
) -> Result<Vec<SubscriberId>, sqlx::Error> {
    let now = tx.now.0;
    let rows: Vec<(SubscriberId,)> = match only {
        None => sql!(tx, fetch_all, all, issue, now)?,
        Some(who) => {
            let list = json_list(who.iter().map(|subscriber| subscriber.0));
            let text = spelling(tx, some);
            sql!(tx, fetch_all, text, issue, now, list)?
        }
    };
    Ok(rows.into_iter().map(|(subscriber,)| subscriber).collect())
}

/// What somebody else's doing says of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proof<'a> {
    pub to: DeliveryState,
    pub reason: &'a str,
    pub code: Option<i64>,
    pub text: Option<&'a str>,
}

/// One that was sent again by hand and waits for its turn is still in doubt in this: its first copy may have arrived.
pub const PROVE: &str = "UPDATE delivery SET state = $3, settled_at = $4, reason = $5, \
    reply_code = COALESCE($6, reply_code), reply_text = COALESCE($7, reply_text) \
    WHERE issue_id = $1 AND subscriber_id = $2 \
    AND (state = 'in_doubt' OR (state = 'pending' AND EXISTS (SELECT 1 FROM event e WHERE e.subscriber_id = $2 \
        AND e.issue_id = $1 AND e.kind = 'delivery.resent')))";

/// Ends a doubt by a proof; `false` if there was none to end.
///
/// # Errors
/// When the store cannot.
pub async fn prove(
    tx: &mut Tx,
    issue: IssueId,
    subscriber: SubscriberId,
    proof: Proof<'_>,
) -> Result<bool, sqlx::Error> {
    let (now, Proof { to, reason, code, text }) = (tx.now.0, proof);
    Ok(execute!(tx, PROVE, issue, subscriber, to.as_str(), now, reason, code, text)? == 1)
}

pub const PROVE_BY_LEAVING: &str = "UPDATE delivery SET state = 'sent', settled_at = $1, \
    reason = 'proven by the reader' WHERE state = 'in_doubt' AND state IN ('failed', 'in_doubt', 'skipped') \
    AND issue_id IN (SELECT id FROM issue WHERE state IN ('sending', 'paused', 'cancelled', 'sent')) \
    AND EXISTS (SELECT 1 FROM subscription x WHERE x.subscriber_id = delivery.subscriber_id \
        AND x.left_issue_id = delivery.issue_id AND x.left_how IN ('one_click', 'page', 'page_all', 'mail'))";

/// Ends the doubts about readers who left by a link in that very mail before anybody knew that it was in doubt.
///
/// # Errors
/// When the store cannot.
pub async fn prove_by_leaving(tx: &mut Tx) -> Result<u64, sqlx::Error> {
    let now = tx.now.0;
    execute!(tx, PROVE_BY_LEAVING, now)
}

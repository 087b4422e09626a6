//! Outcomes: what became of a delivery is a row, and one statement writes a whole batch of them.

use super::{Fork, spelling};
use crate::delivery::state::DeliveryState;
use crate::store::Tx;
use crate::store::many::places;
use crate::values::clock::Millis;
use crate::values::ids::{AttemptId, IssueId, SubscriberId};

/// The end of one try, with the epoch of the claim it was made under.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settlement {
    pub issue: IssueId,
    pub subscriber: SubscriberId,
    pub epoch: i64,
    pub to: DeliveryState,
    /// For pending: not before.
    pub next_at: Millis,
    /// Whether this counts as a try: not where a fault of ours kept the reader from being asked at all.
    pub tried: bool,
    pub stage: Option<&'static str>,
    pub code: Option<i64>,
    pub text: Option<String>,
    pub reason: Option<String>,
}

/// Rows of one statement; each row has eleven binds.
const ROWS_MAX: usize = 256;

/// The statement for so many rows. All three parts of the key come from the list and the list is written down first,
/// so both engines go through it row by row, each row by the primary key; with the issue's id as a bind of its own,
/// SQLite would walk every row of the issue. The casts are for Postgres, which must know what the binds are. Only
/// under the epoch of the claim; and a delivery already in doubt learns only the clear truth.
#[must_use]
pub fn settle_text(rows: usize) -> String {
    const HEAD: &str = "WITH j (i, s, e, st, tr, n, z, sg, c, t, r) AS MATERIALIZED (\
        VALUES (CAST($1 AS BIGINT), CAST($2 AS BIGINT), CAST($3 AS BIGINT), CAST($4 AS TEXT), CAST($5 AS BIGINT), \
        CAST($6 AS BIGINT), CAST($7 AS BIGINT), CAST($8 AS TEXT), CAST($9 AS BIGINT), CAST($10 AS TEXT), \
        CAST($11 AS TEXT))";
    const TAIL: &str = ") UPDATE delivery AS d SET state = j.st, attempts = d.attempts + j.tr, next_at = j.n, \
        settled_at = j.z, stage = COALESCE(j.sg, d.stage), reply_code = COALESCE(j.c, d.reply_code), \
        reply_text = COALESCE(j.t, d.reply_text), reason = j.r FROM j \
        WHERE d.issue_id = j.i AND d.subscriber_id = j.s AND d.epoch = j.e \
        AND (d.state IN ('claimed', 'inflight') OR (d.state = 'in_doubt' AND j.st IN ('sent', 'failed')))";
    let more = if rows > 1 { format!(", {}", places(rows - 1, 11, 12)) } else { String::new() };
    format!("{HEAD}{more}{TAIL}")
}

/// Writes the ends of tries; gives how many rows took them (fewer than given: a stale epoch). Every try that was not
/// answered with 2xx is also kept as an attempt.
///
/// # Errors
/// When the store cannot.
pub async fn settle(tx: &mut Tx, batch: &[Settlement]) -> Result<u64, sqlx::Error> {
    let (now, mut settled) = (tx.now.0, 0);
    for some in batch.chunks(ROWS_MAX) {
        // Lists of a few lengths only, filled up with rows of nulls that find nothing: each length is a statement that
        // the connection keeps prepared.
        let rows = some.len().next_power_of_two();
        let text = settle_text(rows);
        let rows = some.iter().map(Some).chain(std::iter::repeat_n(None, rows - some.len()));
        settled += execute_many!(tx, text, [], rows, |end| [
            end.map(|end| end.issue),
            end.map(|end| end.subscriber),
            end.map(|end| end.epoch),
            end.map(|end| end.to.as_str()),
            end.map(|end| i64::from(end.tried)),
            end.map(|end| end.next_at.0),
            end.filter(|end| end.to != DeliveryState::Pending).map(|_| now),
            end.and_then(|end| end.stage),
            end.and_then(|end| end.code),
            end.and_then(|end| end.text.as_deref()),
            end.and_then(|end| end.reason.as_deref()),
        ])?;
    }
    let tries: Vec<&Settlement> = batch.iter().filter(|end| end.tried && end.to != DeliveryState::Sent).collect();
    keep_attempts(tx, &tries).await?;
    Ok(settled)
}

async fn keep_attempts(tx: &mut Tx, tries: &[&Settlement]) -> Result<(), sqlx::Error> {
    let (at, now) = (tx.now, tx.now.0);
    for some in tries.chunks(ROWS_MAX) {
        let text = format!(
            "INSERT INTO attempt (id, issue_id, subscriber_id, at, stage, reply_code, reply_text, outcome) VALUES {}",
            places(some.len(), 8, 1)
        );
        execute_many!(tx, text, [], some, |end| [
            AttemptId::new(at),
            end.issue,
            end.subscriber,
            now,
            end.stage.unwrap_or_default(),
            end.code,
            end.text.as_deref().or(end.reason.as_deref()).unwrap_or_default(),
            if end.to == DeliveryState::Pending { "retry" } else { end.to.as_str() },
        ])?;
    }
    Ok(())
}

/// Rows that one statement cancels: it holds SQLite's writer for some tens of milliseconds.
pub const CANCELLED_AT_ONCE: i64 = 10_000;

macro_rules! cancel {
    ($whose:literal) => {
        concat!(
            "UPDATE delivery SET state = 'skipped', reason = 'cancelled', settled_at = $2 \
             WHERE issue_id = $1 AND state = 'pending' AND subscriber_id ",
            $whose,
            "(SELECT subscriber_id FROM delivery WHERE issue_id = $1 AND state = 'pending' ORDER BY next_at LIMIT $3)"
        )
    };
}

/// Differs because Postgres, with a table that has just grown and no figures about it yet, joins the list by walking
/// the issue once for every row of it; an array it looks up.
pub const CANCEL: Fork = [cancel!("IN "), concat!(cancel!("= ANY (ARRAY"), ")")];

/// Skips what is still pending of an issue, at most [`CANCELLED_AT_ONCE`] deliveries of it; gives how many. Call it,
/// each time in a transaction of its own, until it gives less.
///
/// # Errors
/// When the store cannot.
pub async fn cancel_pending(tx: &mut Tx, issue: IssueId) -> Result<u64, sqlx::Error> {
    let now = tx.now.0;
    let text = spelling(tx, CANCEL);
    execute!(tx, text, issue, now, CANCELLED_AT_ONCE)
}

//! Outcomes: what became of a delivery is a row, and one statement writes a whole batch of them.

use super::{Fork, json_list, spelling, with_ids};
use crate::delivery::state::DeliveryState;
use crate::store::Tx;
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

/// The JSON of one row, with the names that the statements below use.
#[derive(serde::Serialize)]
struct Line<'a> {
    i: i64,
    s: i64,
    e: i64,
    st: &'a str,
    n: i64,
    tr: i64,
    sg: Option<&'a str>,
    c: Option<i64>,
    t: Option<&'a str>,
    r: Option<&'a str>,
}

impl<'a> Line<'a> {
    fn of(settlement: &'a Settlement) -> Self {
        Self {
            i: settlement.issue.0,
            s: settlement.subscriber.0,
            e: settlement.epoch,
            st: settlement.to.as_str(),
            n: settlement.next_at.0,
            tr: i64::from(settlement.tried),
            sg: settlement.stage,
            c: settlement.code,
            t: settlement.text.as_deref(),
            r: settlement.reason.as_deref(),
        }
    }
}

/// Differs because SQLite plans `UPDATE … FROM json_each(…)` as a walk over the whole issue; an upsert that reads
/// the row first goes by the primary key, and the join keeps it from ever inserting. Postgres plans the plain form
/// well. In both: only under the epoch of the claim; and a delivery already in doubt learns only the clear truth.
pub const SETTLE: Fork = [
    "INSERT INTO delivery (issue_id, subscriber_id, address, state, attempts, next_at, epoch, first_at, settled_at, \
     stage, reply_code, reply_text, reason) \
     SELECT d.issue_id, d.subscriber_id, d.address, j.value->>'st', d.attempts + (j.value->>'tr'), j.value->>'n', \
     d.epoch, d.first_at, CASE WHEN j.value->>'st' = 'pending' THEN NULL ELSE $2 END, \
     COALESCE(j.value->>'sg', d.stage), COALESCE(j.value->>'c', d.reply_code), COALESCE(j.value->>'t', d.reply_text), \
     j.value->>'r' \
     FROM json_each($1) AS j CROSS JOIN delivery AS d \
     WHERE d.issue_id = CAST(j.value->>'i' AS BIGINT) AND d.subscriber_id = CAST(j.value->>'s' AS BIGINT) \
     AND d.epoch = CAST(j.value->>'e' AS BIGINT) \
     AND (d.state IN ('claimed', 'inflight') OR (d.state = 'in_doubt' AND j.value->>'st' IN ('sent', 'failed'))) \
     ON CONFLICT (issue_id, subscriber_id) DO UPDATE SET state = excluded.state, attempts = excluded.attempts, \
     next_at = excluded.next_at, settled_at = excluded.settled_at, stage = excluded.stage, \
     reply_code = excluded.reply_code, reply_text = excluded.reply_text, reason = excluded.reason",
    "UPDATE delivery AS d SET state = j.st, attempts = d.attempts + j.tr, next_at = j.n, \
     settled_at = CASE WHEN j.st = 'pending' THEN NULL ELSE CAST($2 AS BIGINT) END, stage = COALESCE(j.sg, d.stage), \
     reply_code = COALESCE(j.c, d.reply_code), reply_text = COALESCE(j.t, d.reply_text), reason = j.r \
     FROM json_to_recordset(CAST($1 AS json)) AS j (i BIGINT, s BIGINT, e BIGINT, st TEXT, n BIGINT, tr BIGINT, \
     sg TEXT, c BIGINT, t TEXT, r TEXT) \
     WHERE d.issue_id = j.i AND d.subscriber_id = j.s AND d.epoch = j.e \
     AND (d.state IN ('claimed', 'inflight') OR (d.state = 'in_doubt' AND j.st IN ('sent', 'failed')))",
];

const ATTEMPT: &str = "INSERT INTO attempt (id, issue_id, subscriber_id, at, stage, reply_code, reply_text, outcome) \
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";

/// Writes the ends of tries; gives how many rows took them (fewer than given: a stale epoch). Every try that was not
/// answered with 2xx is also kept as an attempt.
///
/// # Errors
/// When the store cannot.
pub async fn settle(tx: &mut Tx, batch: &[Settlement]) -> Result<u64, sqlx::Error> {
    if batch.is_empty() {
        return Ok(0);
    }
    let now = tx.now.0;
    let lines: Vec<Line<'_>> = batch.iter().map(Line::of).collect();
    let json = serde_json::to_string(&lines).map_err(|error| sqlx::Error::Encode(Box::new(error)))?;
    let text = spelling(tx, SETTLE);
    let settled = execute!(tx, text, json, now)?;
    for end in batch.iter().filter(|end| end.tried && end.to != DeliveryState::Sent) {
        let outcome = if end.to == DeliveryState::Pending { "retry" } else { end.to.as_str() };
        let text = end.text.as_deref().or(end.reason.as_deref()).unwrap_or_default();
        let (id, stage) = (AttemptId::new(tx.now), end.stage.unwrap_or_default());
        execute!(tx, ATTEMPT, id, end.issue, end.subscriber, now, stage, end.code, text, outcome)?;
    }
    Ok(settled)
}

pub const CANCEL: &str = "UPDATE delivery SET state = 'skipped', reason = 'cancelled', settled_at = $2 \
    WHERE issue_id = $1 AND state = 'pending'";

/// Skips everything of an issue that is still pending.
///
/// # Errors
/// When the store cannot.
pub async fn cancel_pending(tx: &mut Tx, issue: IssueId) -> Result<u64, sqlx::Error> {
    let now = tx.now.0;
    execute!(tx, CANCEL, issue, now)
}

pub const RESEND_ALL: &str = "UPDATE delivery SET state = 'pending', next_at = $2, settled_at = NULL, \
    reason = 'sent again by hand' WHERE issue_id = $1 AND state = 'in_doubt' \
    AND state IN ('failed', 'in_doubt')";
pub const RESEND: Fork = with_ids!(
    "UPDATE delivery SET state = 'pending', next_at = $2, settled_at = NULL, \
     reason = 'sent again by hand' WHERE issue_id = $1 AND state = 'in_doubt' AND subscriber_id IN ",
    "$3",
    ""
);

/// Sends what is in doubt once more, by somebody's word: for `only` these readers, or for all.
///
/// # Errors
/// When the store cannot.
pub async fn resend(tx: &mut Tx, issue: IssueId, only: Option<&[SubscriberId]>) -> Result<u64, sqlx::Error> {
    let now = tx.now.0;
    match only {
        None => execute!(tx, RESEND_ALL, issue, now),
        Some(who) => {
            let list = json_list(who.iter().map(|subscriber| subscriber.0));
            let text = spelling(tx, RESEND);
            execute!(tx, text, issue, now, list)
        }
    }
}

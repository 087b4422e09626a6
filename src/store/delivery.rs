//! The ledger: one row for every reader of every issue.
//!
//! ```text
//! pending ─claim, lease─▶ claimed ─mark, before a byte leaves─▶ inflight ─2xx▶ sent
//!    ▲                      │ left, suppressed, paused: skipped    │ 4xx ▶ pending (next_at)   5xx ▶ failed (why)
//!    │                      │ cannot be made ×3: failed (render)   └ no clear answer, or crash ▶ in_doubt
//!    └── any failure before the bytes, or the lease ran out ───────┘
//! ```
//!
//! Every write after the claim carries the claim's epoch, so whoever lost the lease changes nothing. Statements that
//! touch many rows take them as one JSON parameter, in the forms that SQLite answers from the primary key: the
//! obvious `UPDATE … FROM json_each(…)` walks every row of the issue.

pub mod claim;
pub mod doubt;
pub mod freeze;
pub mod hours;
pub mod settle;

use super::Tx;
use crate::delivery::counts::Counts;
use crate::delivery::state::DeliveryState;
use crate::values::clock::Millis;
use crate::values::ids::{AttemptId, IssueId, RelayId, SubscriberId};

/// One statement in two spellings, where the engines have none in common; `[SQLite, Postgres]`.
type Fork = [&'static str; 2];

/// A statement that ends in a list of ids, given as a JSON array of numbers.
///
/// Differs because neither engine reads the other's JSON functions, and a list of binds would make a new statement
/// for every length.
macro_rules! with_ids {
    ($head:literal, $list:literal, $tail:literal) => {
        [
            concat!($head, "(SELECT value FROM json_each(", $list, "))", $tail),
            concat!(
                $head,
                "(SELECT CAST(value AS BIGINT) FROM json_array_elements_text(CAST(",
                $list,
                " AS json)))",
                $tail
            ),
        ]
    };
}
use with_ids;

fn spelling(tx: &Tx, fork: Fork) -> &'static str {
    if tx.is_sqlite() { fork[0] } else { fork[1] }
}

/// `[1,2,3]`, as the statements above read it.
fn json_list(ids: impl IntoIterator<Item = i64>) -> String {
    let ids: Vec<i64> = ids.into_iter().collect();
    serde_json::Value::from(ids).to_string()
}

/// One reader's copy of one issue, and what happened to it.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow, serde::Serialize)]
pub struct DeliveryRow {
    pub issue_id: IssueId,
    pub subscriber_id: SubscriberId,
    pub address: String,
    #[sqlx(try_from = "String")]
    pub state: DeliveryState,
    /// SMTP tries that reached the reader's part of the conversation.
    pub attempts: i64,
    /// Pending: not before. Claimed, in flight: the lease ends. Unix milliseconds, like every `_at`.
    pub next_at: i64,
    pub epoch: i64,
    pub first_at: Option<i64>,
    pub settled_at: Option<i64>,
    pub stage: Option<String>,
    pub reply_code: Option<i64>,
    pub reply_text: Option<String>,
    pub reason: Option<String>,
    /// The relay for which it was last claimed.
    pub relay_id: Option<RelayId>,
}

/// A try that was not answered with 2xx.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow, serde::Serialize)]
pub struct AttemptRow {
    pub id: AttemptId,
    pub issue_id: IssueId,
    pub subscriber_id: SubscriberId,
    pub at: i64,
    pub stage: String,
    pub reply_code: Option<i64>,
    pub reply_text: String,
    /// What we concluded: "retry", "failed", "in_doubt".
    pub outcome: String,
}

/// A try that went wrong, with whom it was for and how that delivery stands now.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow, serde::Serialize)]
pub struct Problem {
    pub at: i64,
    pub subscriber_id: SubscriberId,
    pub address: String,
    #[sqlx(try_from = "String")]
    pub state: DeliveryState,
    pub stage: String,
    pub reply_code: Option<i64>,
    pub reply_text: String,
    pub outcome: String,
}

const AUDIENCE: &str = "SELECT audience FROM issue WHERE id = $1";
/// Each part is answered by an index of its own and touches no row of the table. Sent is what is left of all rows.
pub const COUNTS: &str = "SELECT 'pending', COUNT(*) FROM delivery WHERE issue_id = $1 AND state = 'pending' \
    UNION ALL SELECT state, COUNT(*) FROM delivery WHERE issue_id = $1 AND state IN ('claimed', 'inflight') \
        GROUP BY state \
    UNION ALL SELECT state, COUNT(*) FROM delivery WHERE issue_id = $1 AND state IN ('failed', 'in_doubt', 'skipped') \
        GROUP BY state \
    UNION ALL SELECT 'sent', (SELECT COUNT(*) FROM delivery WHERE issue_id = $1) \
        - (SELECT COUNT(*) FROM delivery WHERE issue_id = $1 AND state = 'pending') \
        - (SELECT COUNT(*) FROM delivery WHERE issue_id = $1 AND state IN ('claimed', 'inflight')) \
        - (SELECT COUNT(*) FROM delivery WHERE issue_id = $1 AND state IN ('failed', 'in_doubt', 'skipped'))";

/// How many deliveries of an issue stand where, counted from the rows in this transaction's snapshot.
///
/// # Errors
/// When the store cannot.
pub async fn counts(tx: &mut Tx, issue: IssueId) -> Result<Counts, sqlx::Error> {
    let audience: Option<(i64,)> = sql!(tx, fetch_optional, AUDIENCE, issue)?;
    let rows: Vec<(String, i64)> = sql!(tx, fetch_all, COUNTS, issue)?;
    let rows = rows.into_iter().filter_map(|(word, many)| Some((word.parse().ok()?, many)));
    Ok(Counts::of(audience.map_or(0, |(audience,)| audience), rows))
}

const DEFERRED: &str = "SELECT COUNT(*), MIN(next_at) FROM delivery WHERE issue_id = $1 AND state = 'pending' \
    AND next_at > $2";
const DEFERRED_BY_TRY: &str = "SELECT COUNT(*), MIN(next_at) FROM delivery WHERE issue_id = $1 AND state = 'pending' \
    AND next_at > $2 AND attempts > 0";

/// Deliveries that were answered "later", or whose site rests: how many, and when the next of them is tried. Of an issue
/// whose readers have hours, only those that were tried: the others wait for their hour.
///
/// # Errors
/// When the store cannot.
pub async fn deferred(tx: &mut Tx, issue: IssueId, has_hours: bool) -> Result<(i64, Option<Millis>), sqlx::Error> {
    let (now, text) = (tx.now.0, if has_hours { DEFERRED_BY_TRY } else { DEFERRED });
    let (many, next): (i64, Option<i64>) = sql!(tx, fetch_one, text, issue, now)?;
    Ok((many, next.map(Millis)))
}

pub const PAGE: &str = "SELECT * FROM delivery WHERE issue_id = $1 AND subscriber_id > $2 AND ($3 = '' OR state = $3) \
    ORDER BY subscriber_id LIMIT $4";

/// A page of an issue's deliveries after a subscriber, in any state or in one: the way through a million of them is
/// page after page, each its own snapshot.
///
/// # Errors
/// When the store cannot.
pub async fn page(
    tx: &mut Tx,
    issue: IssueId,
    after: SubscriberId,
    state: Option<DeliveryState>,
    limit: i64,
) -> Result<Vec<DeliveryRow>, sqlx::Error> {
    let state = state.map_or("", DeliveryState::as_str);
    sql!(tx, fetch_all, PAGE, issue, after, state, limit)
}

pub const ONE: &str = "SELECT * FROM delivery WHERE issue_id = $1 AND subscriber_id = $2";

/// One reader's copy of one issue.
///
/// # Errors
/// When the store cannot.
pub async fn one(tx: &mut Tx, issue: IssueId, subscriber: SubscriberId) -> Result<Option<DeliveryRow>, sqlx::Error> {
    sql!(tx, fetch_optional, ONE, issue, subscriber)
}

/// Issue by issue: there are hundreds of them where there are millions of deliveries, and an index by subscriber would
/// cost every freeze a third of its time.
pub const BY_SUBSCRIBER: &str = "SELECT d.* FROM issue i JOIN delivery d ON d.issue_id = i.id AND d.subscriber_id = $1 \
    WHERE i.state IN ('sending', 'paused', 'sent', 'cancelled') ORDER BY d.issue_id DESC LIMIT $2";

/// What a reader was sent, newest first.
///
/// # Errors
/// When the store cannot.
pub async fn by_subscriber(tx: &mut Tx, subscriber: SubscriberId, limit: i64) -> Result<Vec<DeliveryRow>, sqlx::Error> {
    sql!(tx, fetch_all, BY_SUBSCRIBER, subscriber, limit)
}

pub const ATTEMPTS: &str = "SELECT * FROM attempt WHERE issue_id = $1 AND subscriber_id = $2 ORDER BY id";

/// The tries of one delivery that were not answered with 2xx, oldest first.
///
/// # Errors
/// When the store cannot.
pub async fn attempts(tx: &mut Tx, issue: IssueId, subscriber: SubscriberId) -> Result<Vec<AttemptRow>, sqlx::Error> {
    sql!(tx, fetch_all, ATTEMPTS, issue, subscriber)
}

pub const PROBLEMS: &str = "SELECT a.at, a.subscriber_id, d.address, d.state, a.stage, a.reply_code, a.reply_text, \
    a.outcome FROM attempt a JOIN delivery d ON d.issue_id = a.issue_id AND d.subscriber_id = a.subscriber_id \
    WHERE a.issue_id = $1 ORDER BY a.id DESC LIMIT $2";

/// The last tries of an issue that went wrong, newest first.
///
/// # Errors
/// When the store cannot.
pub async fn problems(tx: &mut Tx, issue: IssueId, limit: i64) -> Result<Vec<Problem>, sqlx::Error> {
    sql!(tx, fetch_all, PROBLEMS, issue, limit)
}

//! What pages of the desk read across tables.

use crate::delivery::counts::Counts;
use crate::store::delivery::DeliveryRow;
use crate::store::subscriber::like;
use crate::store::{Tx, delivery};
use crate::values::ids::{IssueId, NewsletterId, SubscriberId};

/// An issue that is being sent.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Running {
    pub id: IssueId,
    pub newsletter: String,
    pub number: Option<i64>,
    pub state: String,
}

const ON_THE_WIRE: &str = "SELECT issue.id, newsletter.name AS newsletter, issue.number, issue.state \
    FROM issue JOIN newsletter ON newsletter.id = issue.newsletter_id WHERE issue.state IN ('sending', 'paused') \
    ORDER BY issue.published_at DESC, issue.id DESC LIMIT 1";

/// The issue that went onto the wire last and is still there, whichever newsletter's, and where its deliveries stand.
///
/// # Errors
/// When the database cannot be read.
pub async fn on_the_wire(tx: &mut Tx) -> Result<Option<(Running, Counts)>, sqlx::Error> {
    let running: Option<Running> = sql!(tx, fetch_optional, ON_THE_WIRE)?;
    let Some(running) = running else { return Ok(None) };
    let counts = delivery::counts(tx, running.id).await?;
    Ok(Some((running, counts)))
}

const STATES: &str = "SELECT state, COUNT(*) FROM issue WHERE newsletter_id = $1 GROUP BY state";

/// How many issues of a newsletter stand in each state.
///
/// # Errors
/// When the database cannot be read.
pub async fn issue_states(tx: &mut Tx, newsletter: NewsletterId) -> Result<Vec<(String, i64)>, sqlx::Error> {
    sql!(tx, fetch_all, STATES, newsletter)
}

const LEFT_BY: &str = "SELECT COUNT(*) FROM subscription WHERE newsletter_id = $1 AND left_issue_id = $2";

/// How many readers left by a link in that issue.
///
/// # Errors
/// When the database cannot be read.
pub async fn left_by(tx: &mut Tx, newsletter: NewsletterId, issue: IssueId) -> Result<i64, sqlx::Error> {
    let (left,): (i64,) = sql!(tx, fetch_one, LEFT_BY, newsletter, issue)?;
    Ok(left)
}

// Whole days since the epoch, by integer division, which both engines do alike.
const JOINED: &str = "SELECT confirmed_at / 86400000 AS day, COUNT(*) FROM subscription \
    WHERE newsletter_id = $1 AND confirmed_at >= $2 GROUP BY 1 ORDER BY 1";
const LEFT: &str = "SELECT left_at / 86400000 AS day, COUNT(*) FROM subscription \
    WHERE newsletter_id = $1 AND left_at >= $2 AND confirmed_at IS NOT NULL GROUP BY 1 ORDER BY 1";

/// Comings and goings: `(day since 1970 in UTC, readers)`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tides {
    pub joined: Vec<(i64, i64)>,
    pub left: Vec<(i64, i64)>,
}

/// Who was confirmed and who left, by day, since `since` (unix milliseconds).
///
/// # Errors
/// When the database cannot be read.
pub async fn tides(tx: &mut Tx, newsletter: NewsletterId, since: i64) -> Result<Tides, sqlx::Error> {
    let joined = sql!(tx, fetch_all, JOINED, newsletter, since)?;
    let left = sql!(tx, fetch_all, LEFT, newsletter, since)?;
    Ok(Tides { joined, left })
}

const IN_DOUBT: &str = "SELECT COUNT(*) FROM delivery JOIN issue ON issue.id = delivery.issue_id \
    WHERE issue.newsletter_id = $1 AND delivery.state IN ('failed', 'in_doubt') AND delivery.state = 'in_doubt'";

/// Deliveries of a newsletter that wait for somebody to say whether they go out again.
///
/// # Errors
/// When the database cannot be read.
pub async fn in_doubt(tx: &mut Tx, newsletter: NewsletterId) -> Result<i64, sqlx::Error> {
    let (doubtful,): (i64,) = sql!(tx, fetch_one, IN_DOUBT, newsletter)?;
    Ok(doubtful)
}

const LATER: &str = "SELECT COUNT(*) FROM delivery WHERE issue_id = $1 AND state = 'pending' AND next_at > $2";

/// Deliveries that were answered "later" and wait for their next try.
///
/// # Errors
/// When the database cannot be read.
pub async fn later(tx: &mut Tx, issue: IssueId) -> Result<i64, sqlx::Error> {
    let now = tx.now.0;
    let (later,): (i64,) = sql!(tx, fetch_one, LATER, issue, now)?;
    Ok(later)
}

const REASONS: &str = "SELECT state, COALESCE(reason, '') AS reason, COUNT(*) AS many FROM delivery \
    WHERE issue_id = $1 AND state IN ('failed', 'skipped', 'in_doubt') GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2";

/// Why deliveries of an issue did not arrive: `(state, reason, how many)`, most first.
///
/// # Errors
/// When the database cannot be read.
pub async fn reasons(tx: &mut Tx, issue: IssueId) -> Result<Vec<(String, String, i64)>, sqlx::Error> {
    sql!(tx, fetch_all, REASONS, issue)
}

const DELIVERIES: &str = "SELECT * FROM delivery WHERE issue_id = $1 AND subscriber_id > $2 \
    AND ($3 = '' OR state = $3) AND ($4 = '%%' OR LOWER(address) LIKE $4 ESCAPE '\\' \
        OR LOWER(COALESCE(reply_text, '')) LIKE $4 ESCAPE '\\') ORDER BY subscriber_id LIMIT $5";

/// A page of an issue's deliveries after a reader: in one state or any (""), whose address or reply contains `words`.
///
/// # Errors
/// When the database cannot be read.
pub async fn deliveries(
    tx: &mut Tx,
    issue: IssueId,
    after: SubscriberId,
    state: &str,
    words: &str,
    limit: i64,
) -> Result<Vec<DeliveryRow>, sqlx::Error> {
    sql!(tx, fetch_all, DELIVERIES, issue, after, state, like(words), limit)
}

const FIND_ISSUES: &str = "SELECT id, number, subject, state FROM issue WHERE newsletter_id = $1 \
    AND (LOWER(subject) LIKE $2 ESCAPE '\\' OR LOWER(source) LIKE $2 ESCAPE '\\') ORDER BY id DESC LIMIT $3";

/// Issues whose subject or text contains `words`, newest first: `(id, number, subject, state)`.
///
/// # Errors
/// When the database cannot be read.
pub async fn find_issues(
    tx: &mut Tx,
    newsletter: NewsletterId,
    words: &str,
    limit: i64,
) -> Result<Vec<(IssueId, Option<i64>, String, String)>, sqlx::Error> {
    sql!(tx, fetch_all, FIND_ISSUES, newsletter, like(words), limit)
}

const AUDIENCE: &str = "SELECT COUNT(*), \
    CAST(COALESCE(SUM(CASE WHEN p.address_key IS NOT NULL THEN 1 ELSE 0 END), 0) AS BIGINT), \
    CAST(COALESCE(SUM(CASE WHEN p.address_key IS NULL AND n.paused_until > $2 THEN 1 ELSE 0 END), 0) AS BIGINT) \
    FROM subscription n JOIN subscriber s ON s.id = n.subscriber_id \
    LEFT JOIN suppression p ON p.address_key = s.address_key WHERE n.newsletter_id = $1 AND n.status = 'active'";

/// Active readers of a newsletter, and how many of them are suppressed, or else paused: `(active, suppressed, paused)`.
///
/// # Errors
/// When the database cannot be read.
pub async fn audience(tx: &mut Tx, newsletter: NewsletterId) -> Result<(i64, i64, i64), sqlx::Error> {
    let now = tx.now.0;
    sql!(tx, fetch_one, AUDIENCE, newsletter, now)
}

/// A test mail and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct TestRow {
    pub address: String,
    pub state: String,
    pub next_at: i64,
    pub created_at: i64,
    pub settled_at: Option<i64>,
    pub reply_code: Option<i64>,
    pub reply_text: Option<String>,
}

const TESTS: &str = "SELECT address, state, next_at, created_at, settled_at, reply_code, reply_text FROM letter \
    WHERE newsletter_id = $1 AND kind = 'test' ORDER BY id DESC LIMIT $2";

/// The last test mails of a newsletter, newest first.
///
/// # Errors
/// When the database cannot be read.
pub async fn tests(tx: &mut Tx, newsletter: NewsletterId, limit: i64) -> Result<Vec<TestRow>, sqlx::Error> {
    sql!(tx, fetch_all, TESTS, newsletter, limit)
}

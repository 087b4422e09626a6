//! Warm-up of senders' domains: which are, and what each day holds for each receiving site.

use super::Tx;
use crate::values::ids::{IssueId, NewsletterId, SubscriberId};

const START: &str = "INSERT INTO warm_up (domain, started_at) VALUES ($1, $2) ON CONFLICT (domain) DO NOTHING";
const STOP: &str = "DELETE FROM warm_up WHERE domain = $1";
const FORGET_DAYS: &str = "DELETE FROM warm_up_day WHERE domain = $1";

/// Begins to warm a domain up; `false` if that goes on already.
///
/// # Errors
/// When the database cannot be written.
pub async fn start(tx: &mut Tx, domain: &str) -> Result<bool, sqlx::Error> {
    let now = tx.now.0;
    Ok(execute!(tx, START, domain, now)? == 1)
}

/// Ends the warm-up of a domain and forgets its days; `false` if there was none.
///
/// # Errors
/// When the database cannot be written.
pub async fn stop(tx: &mut Tx, domain: &str) -> Result<bool, sqlx::Error> {
    execute!(tx, FORGET_DAYS, domain)?;
    Ok(execute!(tx, STOP, domain)? == 1)
}

const SINCE: &str = "SELECT started_at FROM warm_up WHERE domain = $1";

/// Since when a domain is warmed up (unix milliseconds), if it is.
///
/// # Errors
/// When the database cannot be read.
pub async fn since(tx: &mut Tx, domain: &str) -> Result<Option<i64>, sqlx::Error> {
    let row: Option<(i64,)> = sql!(tx, fetch_optional, SINCE, domain)?;
    Ok(row.map(|(at,)| at))
}

/// What a day holds for a site.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct SiteDay {
    pub site: String,
    /// Days since 1970.
    pub day: i64,
    pub many: i64,
    pub held: bool,
}

const DAYS: &str = "SELECT site, day, many, held FROM warm_up_day WHERE domain = $1 ORDER BY site, day";

/// Every day of a domain so far, and those that are planned.
///
/// # Errors
/// When the database cannot be read.
pub async fn days(tx: &mut Tx, domain: &str) -> Result<Vec<SiteDay>, sqlx::Error> {
    sql!(tx, fetch_all, DAYS, domain)
}

const ADD: &str = "INSERT INTO warm_up_day (domain, site, day, many) VALUES ($1, $2, $3, $4) \
    ON CONFLICT (domain, site, day) DO UPDATE SET many = warm_up_day.many + excluded.many";

/// Adds messages to a day (or takes them away again: negative).
///
/// # Errors
/// When the database cannot be written.
pub async fn add(tx: &mut Tx, domain: &str, site: &str, day: i64, many: i64) -> Result<(), sqlx::Error> {
    execute!(tx, ADD, domain, site, day, many).map(drop)
}

const HOLD: &str = "INSERT INTO warm_up_day (domain, site, day, many, held) VALUES ($1, $2, $3, 0, TRUE) \
    ON CONFLICT (domain, site, day) DO UPDATE SET held = TRUE WHERE warm_up_day.held = FALSE";

/// The site asked for less on that day; `true` if that is news.
///
/// # Errors
/// When the database cannot be written.
pub async fn hold(tx: &mut Tx, domain: &str, site: &str, day: i64) -> Result<bool, sqlx::Error> {
    Ok(execute!(tx, HOLD, domain, site, day)? == 1)
}

/// Differs because the engines have no function in common that finds a letter in a text. An address has one @ that
/// is not quoted, and we take no quoted ones.
const BY_DOMAIN: [&str; 2] = [
    "SELECT LOWER(SUBSTR(s.address, INSTR(s.address, '@') + 1)) AS domain, COUNT(*) FROM subscription x \
     JOIN subscriber s ON s.id = x.subscriber_id WHERE x.newsletter_id = $1 AND x.status = 'active' \
     AND (x.paused_until IS NULL OR x.paused_until <= $2) \
     AND NOT EXISTS (SELECT 1 FROM suppression p WHERE p.address_key = s.address_key) GROUP BY 1",
    "SELECT LOWER(SUBSTR(s.address, STRPOS(s.address, '@') + 1)) AS domain, COUNT(*) FROM subscription x \
     JOIN subscriber s ON s.id = x.subscriber_id WHERE x.newsletter_id = $1 AND x.status = 'active' \
     AND (x.paused_until IS NULL OR x.paused_until <= $2) \
     AND NOT EXISTS (SELECT 1 FROM suppression p WHERE p.address_key = s.address_key) GROUP BY 1",
];

/// How many readers an issue would have now at each domain.
///
/// # Errors
/// When the database cannot be read.
pub async fn readers_by_domain(tx: &mut Tx, newsletter: NewsletterId) -> Result<Vec<(String, i64)>, sqlx::Error> {
    let (now, text) = (tx.now.0, BY_DOMAIN[usize::from(!tx.is_sqlite())]);
    sql!(tx, fetch_all, text, newsletter, now)
}

const FROZEN: &str = "SELECT d.subscriber_id, d.address, d.next_at FROM delivery d \
    LEFT JOIN subscription x ON x.newsletter_id = $2 AND x.subscriber_id = d.subscriber_id \
    WHERE d.issue_id = $1 AND d.state = 'pending' ORDER BY COALESCE(x.confirmed_at, x.consent_at) DESC, d.subscriber_id";

/// Everybody an issue was frozen for, with the moment it is due: those who joined last first, as they are the surest
/// to want it.
///
/// # Errors
/// When the database cannot be read.
pub async fn frozen(
    tx: &mut Tx,
    issue: IssueId,
    newsletter: NewsletterId,
) -> Result<Vec<(SubscriberId, String, i64)>, sqlx::Error> {
    sql!(tx, fetch_all, FROZEN, issue, newsletter)
}

/// Differs because each engine has its own way of taking a list apart.
const POSTPONE: [&str; 2] = [
    "UPDATE delivery SET next_at = next_at + $2 WHERE issue_id = $1 AND state = 'pending' \
     AND subscriber_id IN (SELECT value FROM json_each($3))",
    "UPDATE delivery SET next_at = next_at + $2 WHERE issue_id = $1 AND state = 'pending' \
     AND subscriber_id IN (SELECT CAST(value AS BIGINT) FROM json_array_elements_text(CAST($3 AS json)))",
];

/// Makes readers' copies due so much later.
///
/// # Errors
/// When the database cannot be written.
pub async fn postpone(tx: &mut Tx, issue: IssueId, by_ms: i64, who: &[SubscriberId]) -> Result<u64, sqlx::Error> {
    let list = serde_json::to_string(&who.iter().map(|reader| reader.0).collect::<Vec<_>>());
    let list = list.map_err(|error| sqlx::Error::Encode(Box::new(error)))?;
    let text = POSTPONE[usize::from(!tx.is_sqlite())];
    execute!(tx, text, issue, by_ms, list)
}

const WAITING: &str = "SELECT i.id, i.newsletter_id FROM issue i JOIN newsletter n ON n.id = i.newsletter_id \
    WHERE i.state IN ('sending', 'paused') AND n.from_address LIKE $1";

/// Issues of a sender's domain that are going out.
///
/// # Errors
/// When the database cannot be read.
pub async fn going_out(tx: &mut Tx, domain: &str) -> Result<Vec<(IssueId, NewsletterId)>, sqlx::Error> {
    sql!(tx, fetch_all, WAITING, format!("%@{domain}"))
}

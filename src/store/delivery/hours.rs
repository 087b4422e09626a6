//! The audience frozen with due times of its own: by zone, and spread. The plan is a small table in each statement.

use super::freeze::Freezing;
use super::{Fork, json_list, spelling, with_ids};
use crate::schedule::hours::plan::{self, Plan};
use crate::store::Tx;
use crate::values::clock::Millis;
use crate::values::ids::{IssueId, NewsletterId, SubscriberId};

/// The reason on the rows of readers whose hour had passed.
pub const HOUR_PASSED: &str = "hour_passed";

/// A reader's share of the spread is the sum of [`plan::place`]; the stretch it falls into says when that is. Who
/// lives in a zone that the plan does not know is due with the first.
macro_rules! planned {
    ($table:literal) => {
        concat!(
            "WITH plan (zone, first, past, shift) AS MATERIALIZED (",
            $table,
            "), reader AS (SELECT s.id, s.address, s.zone, \
             CAST($6 AS BIGINT) * (((s.id % 1000003) * 618037 + CAST($7 AS BIGINT)) % 1000003) / 1000003 AS share \
             FROM subscription x JOIN subscriber s ON s.id = x.subscriber_id \
             WHERE x.newsletter_id = $2 AND x.status = 'active' AND x.subscriber_id > $9 AND x.subscriber_id <= $10 \
             AND (x.paused_until IS NULL OR x.paused_until <= $4) \
             AND (x.confirmed_at IS NULL OR x.confirmed_at <= $4 OR x.confirmed_at > $8) \
             AND NOT EXISTS (SELECT 1 FROM suppression p WHERE p.address_key = s.address_key) \
             ORDER BY x.subscriber_id) \
             INSERT INTO delivery (issue_id, subscriber_id, address, state, next_at, settled_at, reason) \
             SELECT $1, r.id, r.address, CASE WHEN p.shift < 0 THEN 'skipped' ELSE 'pending' END, \
             CASE WHEN p.shift >= 0 THEN p.shift + r.share ELSE $3 END, \
             CASE WHEN p.shift < 0 THEN CAST($4 AS BIGINT) END, CASE WHEN p.shift < 0 THEN 'hour_passed' END \
             FROM reader r LEFT JOIN plan p ON p.zone = r.zone AND p.first <= r.share AND r.share < p.past \
             WHERE true ON CONFLICT (issue_id, subscriber_id) DO NOTHING"
        )
    };
}

/// Differs because neither engine reads the other's JSON functions. Without its cast SQLite compares the name by another
/// affinity and walks the whole plan for each reader in place of making an index.
pub const FREEZE_PLANNED: Fork = [
    planned!(
        "SELECT CAST(json_extract(value, '$[0]') AS TEXT), json_extract(value, '$[1]'), json_extract(value, '$[2]'), \
         json_extract(value, '$[3]') FROM json_each($5)"
    ),
    planned!(
        "SELECT value ->> 0, CAST(value ->> 1 AS BIGINT), CAST(value ->> 2 AS BIGINT), CAST(value ->> 3 AS BIGINT) \
         FROM json_array_elements(CAST($5 AS json))"
    ),
];

/// Writes a piece of an issue's ledger by its plan, as [`super::freeze::piece`] does for one instant: subscribers up to
/// `until`. Gives how many readers that is, with those who are skipped because their hour had passed.
pub(super) async fn freeze_piece(tx: &mut Tx, work: &Freezing, until: i64) -> Result<u64, sqlx::Error> {
    let (now, salt, text) = (tx.now.0, plan::salt(work.issue_id.0), spelling(tx, FREEZE_PLANNED));
    let Freezing { issue_id, newsletter_id, hold_until, frozen_at, plan, spread_ms, after_id, .. } = work;
    execute!(tx, text, issue_id, newsletter_id, hold_until, frozen_at, plan, spread_ms, salt, now, after_id, until)
}

/// `[["Asia/Tokyo", first, past, shift], …]`; a shift below nothing is a skip. Every zone of the audience is there: those
/// that have no plan of their own go by the empty name's.
#[must_use]
pub fn table(plan: &Plan, zones: &[String]) -> String {
    let mut rows: Vec<serde_json::Value> = Vec::new();
    let fallback = plan.zones.iter().find(|known| known.zone.is_empty());
    let all = std::iter::once("").chain(zones.iter().map(String::as_str).filter(|zone| !zone.is_empty()));
    for name in all {
        let Some(zone) = plan.zones.iter().find(|known| known.zone == name).or(fallback) else { continue };
        if zone.stretches.is_empty() {
            rows.push(serde_json::json!([name, 0, i64::MAX, -1]));
        }
        rows.extend(zone.stretches.iter().map(|part| serde_json::json!([name, part.from, part.until, part.shift])));
    }
    serde_json::Value::from(rows).to_string()
}

/// A walk along the index from zone to zone: a few steps for each, however many readers live there.
const ZONES: &str = "WITH RECURSIVE known (zone) AS (SELECT MIN(zone) FROM subscriber WHERE zone <> '' UNION ALL \
    SELECT (SELECT MIN(s.zone) FROM subscriber s WHERE s.zone <> '' AND s.zone > known.zone) FROM known \
    WHERE known.zone IS NOT NULL) \
    SELECT zone FROM known WHERE zone IS NOT NULL AND EXISTS (SELECT 1 FROM subscriber s \
    JOIN subscription x ON x.newsletter_id = $1 AND x.subscriber_id = s.id AND x.status = 'active' \
    WHERE s.zone <> '' AND s.zone = known.zone) ORDER BY zone";

/// The zones that active readers of a newsletter have given.
///
/// # Errors
/// When the store cannot.
pub async fn zones(tx: &mut Tx, newsletter: NewsletterId) -> Result<Vec<String>, sqlx::Error> {
    let rows: Vec<(String,)> = sql!(tx, fetch_all, ZONES, newsletter)?;
    Ok(rows.into_iter().map(|(zone,)| zone).collect())
}

const BY_ZONE: &str = "SELECT s.zone, COUNT(*) FROM subscription x JOIN subscriber s ON s.id = x.subscriber_id \
    WHERE x.newsletter_id = $1 AND x.status = 'active' AND (x.paused_until IS NULL OR x.paused_until <= $2) \
    AND NOT EXISTS (SELECT 1 FROM suppression p WHERE p.address_key = s.address_key) GROUP BY s.zone ORDER BY s.zone";

/// How many readers of each zone would be frozen now: `(zone, readers)`, the empty zone for those not known.
///
/// # Errors
/// When the store cannot.
pub async fn mailable_by_zone(tx: &mut Tx, newsletter: NewsletterId) -> Result<Vec<(String, i64)>, sqlx::Error> {
    let now = tx.now.0;
    sql!(tx, fetch_all, BY_ZONE, newsletter, now)
}

pub const ZONES_OF: Fork = with_ids!("SELECT id, zone FROM subscriber WHERE zone <> '' AND id IN ", "$1", "");

/// The zones of those among some readers who have given one.
///
/// # Errors
/// When the store cannot.
pub async fn zones_of(
    tx: &mut Tx,
    who: impl IntoIterator<Item = SubscriberId>,
) -> Result<Vec<(SubscriberId, String)>, sqlx::Error> {
    let (list, text) = (json_list(who.into_iter().map(|reader| reader.0)), spelling(tx, ZONES_OF));
    sql!(tx, fetch_all, text, list)
}

/// The reason on rows that wait for the morning.
pub const QUIET_HOURS: &str = "quiet_hours";
/// Rows that one statement puts off, as many as one cancels.
const PUT_OFF_AT_ONCE: i64 = 10_000;

pub const PUT_OFF: &str = "UPDATE delivery SET next_at = $3, reason = 'quiet_hours' WHERE issue_id = $1 \
    AND state = 'pending' AND subscriber_id IN (SELECT subscriber_id FROM delivery \
    WHERE issue_id = $1 AND state = 'pending' AND next_at <= $2 ORDER BY next_at LIMIT $4)";

/// Puts off what is due of an issue, a piece of it; gives how many.
///
/// # Errors
/// When the store cannot.
pub async fn put_off_due(tx: &mut Tx, issue: IssueId, until: Millis) -> Result<u64, sqlx::Error> {
    let now = tx.now.0;
    execute!(tx, PUT_OFF, issue, now, until.0, PUT_OFF_AT_ONCE)
}

pub const WAITING: &str = "SELECT COUNT(*), MIN(next_at) FROM delivery WHERE issue_id = $1 AND state = 'pending' \
    AND next_at > $2 AND attempts = 0";

/// Deliveries that wait for their hour and were never tried: how many, and when the next of them is due.
///
/// # Errors
/// When the store cannot.
pub async fn waiting(tx: &mut Tx, issue: IssueId) -> Result<(i64, Option<Millis>), sqlx::Error> {
    let now = tx.now.0;
    let (many, next): (i64, Option<i64>) = sql!(tx, fetch_one, WAITING, issue, now)?;
    Ok((many, next.map(Millis)))
}

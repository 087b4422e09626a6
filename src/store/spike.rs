//! Sign-ups by the hour, and spikes: more in an hour than a newsletter ever has.

use super::Tx;
use crate::values::clock::Millis;
use crate::values::ids::NewsletterId;

/// Hours a usual hour is told from: a week, so that every hour of it counts once.
const WEEK_HOURS: i64 = 7 * 24;

/// A spike, and until when it is treated as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::FromRow, serde::Serialize)]
pub struct Spike {
    /// Unix milliseconds, both.
    pub since: i64,
    pub until: i64,
    /// Sign-ups of its greatest hour so far, and of a usual hour before it, times a hundred.
    pub asked: i64,
    pub usual: i64,
}

const COUNT: &str = "INSERT INTO tide (newsletter_id, hour, asked) VALUES ($1, $2, 1) \
    ON CONFLICT (newsletter_id, hour) DO UPDATE SET asked = tide.asked + 1 RETURNING asked";
const USUAL: &str = "SELECT CAST(COALESCE(SUM(asked), 0) AS BIGINT) FROM tide WHERE newsletter_id = $1 \
    AND hour < $2 AND hour >= $3";
const SWEEP: &str = "DELETE FROM tide WHERE newsletter_id = $1 AND hour < $2";

/// Counts a sign-up; gives those of this hour, and of a usual hour of the week before it, times a hundred.
///
/// # Errors
/// When the store cannot.
pub async fn count(tx: &mut Tx, newsletter: NewsletterId) -> Result<(i64, i64), sqlx::Error> {
    let hour = tx.now.0 / Millis::HOUR;
    let first = hour - WEEK_HOURS;
    let (asked,): (i64,) = sql!(tx, fetch_one, COUNT, newsletter, hour)?;
    if asked == 1 {
        execute!(tx, SWEEP, newsletter, first)?;
    }
    let (week,): (i64,) = sql!(tx, fetch_one, USUAL, newsletter, hour, first)?;
    Ok((asked, week * 100 / WEEK_HOURS))
}

const KEEP: &str = "INSERT INTO spike (newsletter_id, since, until, asked, usual) VALUES ($1, $2, $3, $4, $5) \
    ON CONFLICT (newsletter_id) DO UPDATE SET \
    since = CASE WHEN spike.until <= $2 THEN excluded.since ELSE spike.since END, \
    asked = CASE WHEN spike.until <= $2 OR spike.asked < $4 THEN excluded.asked ELSE spike.asked END, \
    usual = CASE WHEN spike.until <= $2 THEN excluded.usual ELSE spike.usual END, until = excluded.until \
    RETURNING since";

/// Writes that there is a spike until then; `true` if it is a new one, which somebody should be told of.
///
/// # Errors
/// When the store cannot.
pub async fn keep(
    tx: &mut Tx,
    newsletter: NewsletterId,
    until: Millis,
    asked: i64,
    usual: i64,
) -> Result<bool, sqlx::Error> {
    let known = now(tx, newsletter).await?.is_some();
    let (at, until) = (tx.now.0, until.0);
    let _: (i64,) = sql!(tx, fetch_one, KEEP, newsletter, at, until, asked, usual)?;
    Ok(!known)
}

const NOW: &str = "SELECT since, until, asked, usual FROM spike WHERE newsletter_id = $1 AND until > $2";

/// The spike of a newsletter, if there is one now.
///
/// # Errors
/// When the store cannot.
pub async fn now(tx: &mut Tx, newsletter: NewsletterId) -> Result<Option<Spike>, sqlx::Error> {
    let at = tx.now.0;
    sql!(tx, fetch_optional, NOW, newsletter, at)
}

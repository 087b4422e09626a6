//! Allowances: how often something was done lately, by keyed hashes of addresses and machines. Kept over restarts,
//! so that restarting the program gives nobody a fresh start.

use super::Tx;

const TAKE: &str = "INSERT INTO allowance (bucket, started_at, used) VALUES ($1, $2, 1) \
    ON CONFLICT (bucket) DO UPDATE SET \
    started_at = CASE WHEN allowance.started_at <= $3 THEN excluded.started_at ELSE allowance.started_at END, \
    used = CASE WHEN allowance.started_at <= $3 THEN 1 ELSE allowance.used + 1 END RETURNING used";

/// Counts one use of `bucket` and gives how often it was used in its current window, which begins with its first
/// use. Around the end of a window up to twice as many can fall close together; where that matters, use [`slot`].
///
/// # Errors
/// When the database cannot be written.
pub async fn count(tx: &mut Tx, bucket: &str, window_ms: i64) -> Result<i64, sqlx::Error> {
    let (now, over) = (tx.now.0, tx.now.plus(-window_ms).0);
    let row: Result<(i64,), _> = sql!(tx, fetch_one, TAKE, bucket, now, over);
    Ok(row?.0)
}

const SLOT: &str = "INSERT INTO allowance (bucket, started_at, used) VALUES ($1, $2, 1) \
    ON CONFLICT (bucket) DO UPDATE SET started_at = excluded.started_at, used = 1 WHERE allowance.started_at <= $3";

/// Takes one of `slots` places, each of which is free again `window_ms` after it was taken: never more than `slots`
/// uses in any span of that length. `false` if none is free.
///
/// # Errors
/// When the database cannot be written.
pub async fn slot(tx: &mut Tx, bucket: &str, slots: u8, window_ms: i64) -> Result<bool, sqlx::Error> {
    let (now, over) = (tx.now.0, tx.now.plus(-window_ms).0);
    for place in 0..slots {
        if execute!(tx, SLOT, format!("{bucket}/{place}"), now, over)? == 1 {
            return Ok(true);
        }
    }
    Ok(false)
}

const FORGET: &str = "DELETE FROM allowance WHERE bucket = $1";

/// Forgets what was counted in `bucket`: somebody has shown who they are.
///
/// # Errors
/// When the database cannot be written.
pub async fn forget(tx: &mut Tx, bucket: &str) -> Result<(), sqlx::Error> {
    execute!(tx, FORGET, bucket).map(drop)
}

const SWEEP: &str = "DELETE FROM allowance WHERE started_at < $1";

/// Forgets what is older than `age_ms`, which must be longer than every window.
///
/// # Errors
/// When the database cannot be written.
pub async fn sweep(tx: &mut Tx, age_ms: i64) -> Result<u64, sqlx::Error> {
    execute!(tx, SWEEP, tx.now.plus(-age_ms).0)
}

//! What was used of limits, as `delivery::pace` writes it down: one row for a relay, one for the sites behind it.

use super::Tx;

const MAKE: &str = "INSERT INTO pace (what, state, changed_at) VALUES ($1, '', $2) ON CONFLICT (what) DO NOTHING";
/// Differs because SQLite has one writer; on Postgres nodes that take from one limit wait for each other here.
const LOCK: [&str; 2] = ["SELECT state FROM pace WHERE what = $1", "SELECT state FROM pace WHERE what = $1 FOR UPDATE"];

/// What is written, empty at first; nobody else changes it until the transaction ends.
///
/// # Errors
/// When the database cannot be written.
pub async fn lock(tx: &mut Tx, what: &str) -> Result<String, sqlx::Error> {
    let now = tx.now.0;
    execute!(tx, MAKE, what, now)?;
    let text = LOCK[usize::from(!tx.is_sqlite())];
    let (state,): (String,) = sql!(tx, fetch_one, text, what)?;
    Ok(state)
}

/// What is written, to look at.
///
/// # Errors
/// When the database cannot be read.
pub async fn read(tx: &mut Tx, what: &str) -> Result<Option<String>, sqlx::Error> {
    let row: Option<(String,)> = sql!(tx, fetch_optional, LOCK[0], what)?;
    Ok(row.map(|(state,)| state))
}

const WRITE: &str = "INSERT INTO pace (what, state, changed_at) VALUES ($1, $2, $3) \
    ON CONFLICT (what) DO UPDATE SET state = excluded.state, changed_at = excluded.changed_at";

/// Writes it down.
///
/// # Errors
/// When the database cannot be written.
pub async fn write(tx: &mut Tx, what: &str, state: &str) -> Result<(), sqlx::Error> {
    let now = tx.now.0;
    execute!(tx, WRITE, what, state, now).map(drop)
}

const FORGET: &str = "DELETE FROM pace WHERE what = $1 OR what = $2";

/// Forgets a relay and the sites behind it.
///
/// # Errors
/// When the database cannot be written.
pub async fn forget(tx: &mut Tx, relay: &str, sites: &str) -> Result<(), sqlx::Error> {
    execute!(tx, FORGET, relay, sites).map(drop)
}

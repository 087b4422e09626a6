//! Settings of the installation: one row a name.

use super::Tx;

const GET: &str = "SELECT value FROM setting WHERE name = $1";

/// The value of a setting.
///
/// # Errors
/// When the store cannot.
pub async fn get(tx: &mut Tx, name: &str) -> Result<Option<String>, sqlx::Error> {
    let row: Option<(String,)> = sql!(tx, fetch_optional, GET, name)?;
    Ok(row.map(|(value,)| value))
}

const LOCK: &str = "UPDATE setting SET changed_at = changed_at WHERE name = $1";

/// Keeps a setting from being changed by others until the transaction ends, so that what is read can be stepped on.
///
/// # Errors
/// When the store cannot.
pub async fn lock(tx: &mut Tx, name: &str) -> Result<(), sqlx::Error> {
    execute!(tx, LOCK, name).map(drop)
}

const SET: &str = "INSERT INTO setting (name, value, changed_at) VALUES ($1, $2, $3) \
    ON CONFLICT (name) DO UPDATE SET value = excluded.value, changed_at = excluded.changed_at";

/// Gives a setting its value.
///
/// # Errors
/// When the store cannot.
pub async fn set(tx: &mut Tx, name: &str, value: &str) -> Result<(), sqlx::Error> {
    let now = tx.now.0;
    execute!(tx, SET, name, value, now).map(drop)
}

const REMOVE: &str = "DELETE FROM setting WHERE name = $1";

/// Forgets a setting; says whether it was set.
///
/// # Errors
/// When the store cannot.
pub async fn remove(tx: &mut Tx, name: &str) -> Result<bool, sqlx::Error> {
    Ok(execute!(tx, REMOVE, name)? == 1)
}

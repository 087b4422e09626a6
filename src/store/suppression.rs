//! Suppressions: addresses never to be mailed, whatever they are subscribed to.

use super::Tx;
use super::many::{ROWS_MAX, places};

/// Why an address must not be mailed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    Bounce,
    Complaint,
    Manual,
    /// "This was not me", pressed in a confirmation.
    NotMe,
    Import,
}

impl Reason {
    /// The word in the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bounce => "bounce",
            Self::Complaint => "complaint",
            Self::Manual => "manual",
            Self::NotMe => "not_me",
            Self::Import => "import",
        }
    }
}

/// A suppressed address.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow, serde::Serialize)]
pub struct Suppression {
    pub address_key: String,
    pub reason: String,
    pub source: String,
    /// Unix milliseconds.
    pub created_at: i64,
}

const INSERT: &str = "INSERT INTO suppression (address_key, reason, source, created_at) VALUES ($1, $2, $3, $4) \
    ON CONFLICT (address_key) DO NOTHING";

/// Suppresses an address; `false` if it was already, and then the older reason stays.
///
/// # Errors
/// When the database cannot be written.
pub async fn insert(tx: &mut Tx, key: &str, reason: Reason, source: &str) -> Result<bool, sqlx::Error> {
    let now = tx.now.0;
    execute!(tx, INSERT, key, reason.as_str(), source, now).map(|rows| rows == 1)
}

const DELETE: &str = "DELETE FROM suppression WHERE address_key = $1";

/// Lifts a suppression; `false` if there was none.
///
/// # Errors
/// When the database cannot be written.
pub async fn delete(tx: &mut Tx, key: &str) -> Result<bool, sqlx::Error> {
    execute!(tx, DELETE, key).map(|rows| rows == 1)
}

const BY_KEY: &str = "SELECT * FROM suppression WHERE address_key = $1";

/// The suppression of an address, if there is one.
///
/// # Errors
/// When the database cannot be read.
pub async fn by_key(tx: &mut Tx, key: &str) -> Result<Option<Suppression>, sqlx::Error> {
    sql!(tx, fetch_optional, BY_KEY, key)
}

const LIST: &str = "SELECT * FROM suppression ORDER BY created_at DESC, address_key LIMIT $1";

/// The newest suppressions.
///
/// # Errors
/// When the database cannot be read.
pub async fn list(tx: &mut Tx, limit: i64) -> Result<Vec<Suppression>, sqlx::Error> {
    sql!(tx, fetch_all, LIST, limit)
}

/// Which of these keys are suppressed.
///
/// # Errors
/// When the database cannot be read.
pub async fn among(tx: &mut Tx, keys: &[String]) -> Result<Vec<String>, sqlx::Error> {
    let mut suppressed = Vec::new();
    for some in keys.chunks(ROWS_MAX) {
        let text = format!("SELECT address_key FROM suppression WHERE address_key IN {}", places(1, some.len(), 1));
        let rows: Result<Vec<(String,)>, sqlx::Error> = sql_many!(tx, text, [], some, |key| [key]);
        suppressed.extend(rows?.into_iter().map(|(key,)| key));
    }
    Ok(suppressed)
}

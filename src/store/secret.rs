//! Keys: of tokens ("token"), of DKIM ("dkim", one domain each). The newest of a purpose is in use.

use crate::store::Tx;

/// One key.
#[derive(Clone, sqlx::FromRow)]
pub struct Secret {
    /// Short, without dots: "k1". A DKIM key's is its selector.
    pub key_id: String,
    /// Empty for keys that belong to no domain.
    pub domain: String,
    /// As its purpose writes it: base64 of 32 bytes, PEM.
    pub value: String,
    pub created_at: i64,
}

const OF_PURPOSE: &str = "SELECT key_id, domain, value, created_at FROM secret \
    WHERE purpose = $1 AND domain = $2 ORDER BY created_at DESC, key_id DESC";

/// The keys of `purpose` for `domain` (or ""), newest first.
///
/// # Errors
/// When the database cannot be read.
pub async fn of_purpose(tx: &mut Tx, purpose: &str, domain: &str) -> Result<Vec<Secret>, sqlx::Error> {
    sql!(tx, fetch_all, OF_PURPOSE, purpose, domain)
}

const INSERT: &str = "INSERT INTO secret (purpose, key_id, domain, value, created_at) VALUES ($1, $2, $3, $4, $5) \
    ON CONFLICT (purpose, domain, key_id) DO NOTHING";

/// Keeps a key under its id, unless that id is taken: of two programs that start at once, one makes the key and
/// both read it back. `true` if this call kept it.
///
/// # Errors
/// When the database cannot be written.
pub async fn insert(tx: &mut Tx, purpose: &str, domain: &str, key_id: &str, value: &str) -> Result<bool, sqlx::Error> {
    let now = tx.now.0;
    execute!(tx, INSERT, purpose, key_id, domain, value, now).map(|rows| rows == 1)
}

//! Files that somebody has uploaded and not yet confirmed: between the dry run of an import and its button. Kept in
//! the database, so that any node can go on, and not for long.

use crate::store::Tx;
use crate::values::ids::{AccountId, NewsletterId, UploadId};

/// An uploaded file.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Upload {
    pub id: UploadId,
    pub newsletter_id: NewsletterId,
    pub account_id: AccountId,
    pub name: String,
    pub bytes: Vec<u8>,
    pub created_at: i64,
}

const INSERT: &str = "INSERT INTO upload (id, newsletter_id, account_id, name, bytes, created_at) \
    VALUES ($1, $2, $3, $4, $5, $6)";

/// Keeps a file for a while.
///
/// # Errors
/// When the database cannot be written.
pub async fn insert(
    tx: &mut Tx,
    newsletter: NewsletterId,
    account: AccountId,
    name: &str,
    bytes: &[u8],
) -> Result<UploadId, sqlx::Error> {
    let (id, now) = (UploadId::new(tx.now), tx.now.0);
    execute!(tx, INSERT, id, newsletter, account, name, bytes, now)?;
    Ok(id)
}

const BY_ID: &str = "SELECT * FROM upload WHERE id = $1 AND newsletter_id = $2";

/// The file, if it is still there and of that newsletter.
///
/// # Errors
/// When the database cannot be read.
pub async fn by_id(tx: &mut Tx, id: UploadId, newsletter: NewsletterId) -> Result<Option<Upload>, sqlx::Error> {
    sql!(tx, fetch_optional, BY_ID, id, newsletter)
}

const DELETE: &str = "DELETE FROM upload WHERE id = $1 OR created_at < $2";

/// Forgets a file, and all that are older than `before` (unix milliseconds).
///
/// # Errors
/// When the database cannot be written.
pub async fn forget(tx: &mut Tx, id: UploadId, before: i64) -> Result<(), sqlx::Error> {
    execute!(tx, DELETE, id, before).map(drop)
}

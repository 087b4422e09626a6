//! Pictures, by the hash of their bytes, and which of them an issue names.

use super::Tx;
use crate::values::ids::IssueId;

/// A picture with its bytes.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Media {
    /// Hash of the bytes and an ending: "3f9a…c2.jpg". What stands at it never changes.
    pub name: String,
    pub content_type: String,
    pub width: i64,
    pub height: i64,
    pub bytes: Vec<u8>,
    /// Unix milliseconds.
    pub created_at: i64,
}

/// A picture as an issue names it, without its bytes.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Named {
    /// As written in the Markdown: "cover.jpg".
    pub reference: String,
    pub name: String,
    pub width: i64,
    pub height: i64,
    /// Size of the file.
    pub size: i64,
}

const INSERT: &str = "INSERT INTO media (name, content_type, width, height, bytes, created_at) \
    VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (name) DO NOTHING";

/// Keeps a picture; `false` if it was kept before.
///
/// # Errors
/// When the database cannot be written.
pub async fn insert(
    tx: &mut Tx,
    name: &str,
    content_type: &str,
    (width, height): (i64, i64),
    bytes: &[u8],
) -> Result<bool, sqlx::Error> {
    let now = tx.now.0;
    execute!(tx, INSERT, name, content_type, width, height, bytes, now).map(|rows| rows == 1)
}

const BY_NAME: &str = "SELECT * FROM media WHERE name = $1";

/// # Errors
/// When the database cannot be read.
pub async fn by_name(tx: &mut Tx, name: &str) -> Result<Option<Media>, sqlx::Error> {
    sql!(tx, fetch_optional, BY_NAME, name)
}

const NAME: &str = "INSERT INTO issue_media (issue_id, reference, name) VALUES ($1, $2, $3) \
    ON CONFLICT (issue_id, reference) DO UPDATE SET name = excluded.name";

/// Says which picture an issue means by a reference.
///
/// # Errors
/// When the database cannot be written.
pub async fn name_in_issue(tx: &mut Tx, issue: IssueId, reference: &str, name: &str) -> Result<(), sqlx::Error> {
    execute!(tx, NAME, issue, reference, name).map(drop)
}

const OF_ISSUE: &str = "SELECT i.reference, m.name, m.width, m.height, CAST(LENGTH(m.bytes) AS BIGINT) AS size \
    FROM issue_media i JOIN media m ON m.name = i.name WHERE i.issue_id = $1 ORDER BY i.reference";

/// The pictures of an issue.
///
/// # Errors
/// When the database cannot be read.
pub async fn of_issue(tx: &mut Tx, issue: IssueId) -> Result<Vec<Named>, sqlx::Error> {
    sql!(tx, fetch_all, OF_ISSUE, issue)
}

//! Frozen renderings: what publish fixed and every message is made from.

use super::Tx;
use crate::issue::rendered::Rendered;
use crate::values::clock::Millis;
use crate::values::ids::IssueId;

/// What publish froze.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frozen {
    pub rendered: Rendered,
    /// The Date of every message of this issue.
    pub message_at: Millis,
}

const INSERT: &str = "INSERT INTO rendering (issue_id, hash, rendered, message_at) VALUES ($1, $2, $3, $4)";

/// Keeps the rendering of an issue.
///
/// # Errors
/// When there is one already, or the store cannot.
pub async fn insert(tx: &mut Tx, issue: IssueId, rendered: &Rendered, message_at: Millis) -> anyhow::Result<()> {
    let text = serde_json::to_string(rendered)?;
    execute!(tx, INSERT, issue, &rendered.hash, text, message_at.0)?;
    Ok(())
}

const BY_ISSUE: &str = "SELECT rendered, message_at FROM rendering WHERE issue_id = $1";

/// The frozen rendering of a published issue.
///
/// # Errors
/// When the store cannot, or what it holds cannot be read.
pub async fn by_issue(tx: &mut Tx, issue: IssueId) -> anyhow::Result<Option<Frozen>> {
    let row: Option<(String, i64)> = sql!(tx, fetch_optional, BY_ISSUE, issue)?;
    let frozen =
        row.map(|(text, at)| serde_json::from_str(&text).map(|rendered| Frozen { rendered, message_at: Millis(at) }));
    Ok(frozen.transpose()?)
}

const REMOVE: &str = "DELETE FROM rendering WHERE issue_id = $1";

/// Forgets it: the issue is a draft again.
///
/// # Errors
/// When the store cannot.
pub async fn remove(tx: &mut Tx, issue: IssueId) -> Result<(), sqlx::Error> {
    execute!(tx, REMOVE, issue).map(drop)
}

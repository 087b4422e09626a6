//! Frozen renderings: what publish fixed and every message is made from.

use super::Tx;
use crate::issue::newsletter::Masthead;
use crate::issue::rendered::Rendered;
use crate::schedule::hours::night::Night;
use crate::values::clock::Millis;
use crate::values::ids::IssueId;

/// What publish froze.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frozen {
    pub rendered: Rendered,
    /// The newsletter as it was then; `None` where it went out before this was kept.
    pub masthead: Option<Masthead>,
    /// The Date of every message of this issue.
    pub message_at: Millis,
    /// The quiet hours it goes out with.
    pub night: Option<Night>,
}

const INSERT: &str = "INSERT INTO rendering (issue_id, hash, rendered, masthead, message_at) \
    VALUES ($1, $2, $3, $4, $5)";

/// Keeps the rendering of an issue, and what its newsletter is at this moment.
///
/// # Errors
/// When there is one already, or the store cannot.
pub async fn insert(
    tx: &mut Tx,
    issue: IssueId,
    rendered: &Rendered,
    masthead: &Masthead,
    message_at: Millis,
) -> anyhow::Result<()> {
    let (text, masthead) = (serde_json::to_string(rendered)?, serde_json::to_string(masthead)?);
    execute!(tx, INSERT, issue, &rendered.hash, text, masthead, message_at.0)?;
    Ok(())
}

const BY_ISSUE: &str = "SELECT rendered, masthead, message_at, night FROM rendering WHERE issue_id = $1";

/// The frozen rendering of a published issue.
///
/// # Errors
/// When the store cannot, or what it holds cannot be read.
pub async fn by_issue(tx: &mut Tx, issue: IssueId) -> anyhow::Result<Option<Frozen>> {
    let row: Option<(String, String, i64, String)> = sql!(tx, fetch_optional, BY_ISSUE, issue)?;
    let Some((text, masthead, at, night)) = row else { return Ok(None) };
    let masthead = if masthead.is_empty() { None } else { Some(serde_json::from_str(&masthead)?) };
    Ok(Some(Frozen {
        rendered: serde_json::from_str(&text)?,
        masthead,
        message_at: Millis(at),
        night: night.parse().ok(),
    }))
}

const SET_NIGHT: &str = "UPDATE rendering SET night = $2 WHERE issue_id = $1";

/// The quiet hours that an issue goes out with.
///
/// # Errors
/// When the store cannot.
pub async fn set_night(tx: &mut Tx, issue: IssueId, night: &Night) -> Result<(), sqlx::Error> {
    execute!(tx, SET_NIGHT, issue, night.to_string()).map(drop)
}

const NIGHT: &str = "SELECT night FROM rendering WHERE issue_id = $1";

/// The same, read.
///
/// # Errors
/// When the store cannot.
pub async fn night(tx: &mut Tx, issue: IssueId) -> Result<Option<Night>, sqlx::Error> {
    let row: Option<(String,)> = sql!(tx, fetch_optional, NIGHT, issue)?;
    Ok(row.and_then(|(night,)| night.parse().ok()))
}

const HASH: &str = "SELECT hash FROM rendering WHERE issue_id = $1";

/// The hash of what was frozen; empty where nothing was.
///
/// # Errors
/// When the store cannot.
pub async fn hash(tx: &mut Tx, issue: IssueId) -> Result<String, sqlx::Error> {
    let row: Option<(String,)> = sql!(tx, fetch_optional, HASH, issue)?;
    Ok(row.map(|(hash,)| hash).unwrap_or_default())
}

const MASTHEAD: &str = "SELECT masthead FROM rendering WHERE issue_id = $1";

/// The newsletter as an issue went out under it, if that was kept.
///
/// # Errors
/// When the store cannot, or what it holds cannot be read.
pub async fn masthead(tx: &mut Tx, issue: IssueId) -> anyhow::Result<Option<Masthead>> {
    let row: Option<(String,)> = sql!(tx, fetch_optional, MASTHEAD, issue)?;
    let kept = row.map(|(text,)| text).filter(|text| !text.is_empty());
    Ok(kept.map(|text| serde_json::from_str(&text)).transpose()?)
}

const REMOVE: &str = "DELETE FROM rendering WHERE issue_id = $1";

/// Forgets it: the issue is a draft again.
///
/// # Errors
/// When the store cannot.
pub async fn remove(tx: &mut Tx, issue: IssueId) -> Result<(), sqlx::Error> {
    execute!(tx, REMOVE, issue).map(drop)
}

//! Slots that were decided, and what editors were told of those to come.

use std::collections::BTreeSet;

use crate::store::Tx;
use crate::values::clock::Millis;
use crate::values::ids::{IssueId, NewsletterId};

/// What became of a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SlotState {
    Fired,
    Missed,
    Held,
}

impl SlotState {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fired => "fired",
            Self::Missed => "missed",
            Self::Held => "held",
        }
    }
}

impl TryFrom<String> for SlotState {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let all = [Self::Fired, Self::Missed, Self::Held];
        all.into_iter().find(|state| state.as_str() == text).ok_or_else(|| format!("\"{text}\" is no state of a slot"))
    }
}

/// A slot that was decided.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, sqlx::FromRow)]
pub struct Slot {
    pub newsletter_id: NewsletterId,
    /// Wall time in the newsletter's zone: "2026-11-29T09:00".
    pub wall: String,
    /// Unix milliseconds.
    pub due_at: i64,
    #[sqlx(try_from = "String")]
    pub state: SlotState,
    pub issue_id: Option<IssueId>,
    pub decided_at: i64,
}

const INSERT: &str = "INSERT INTO slot (newsletter_id, wall, due_at, state, issue_id, decided_at) \
    VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (newsletter_id, wall) DO NOTHING";

/// Writes a decision down. `false` if the slot was decided already, by whomever: then nothing may follow from this
/// call. On Postgres a second scheduler waits here until the first has committed.
///
/// # Errors
/// When the database cannot be written.
pub async fn decide(
    tx: &mut Tx,
    newsletter: NewsletterId,
    wall: &str,
    due: Millis,
    state: SlotState,
    issue: Option<IssueId>,
) -> Result<bool, sqlx::Error> {
    let now = tx.now.0;
    execute!(tx, INSERT, newsletter, wall, due.0, state.as_str(), issue, now).map(|rows| rows == 1)
}

const RECENT: &str = "SELECT * FROM slot WHERE newsletter_id = $1 ORDER BY due_at DESC LIMIT $2";

/// The newest decided slots first.
///
/// # Errors
/// When the database cannot be read.
pub async fn recent(tx: &mut Tx, newsletter: NewsletterId, limit: i64) -> Result<Vec<Slot>, sqlx::Error> {
    sql!(tx, fetch_all, RECENT, newsletter, limit)
}

const INSERT_NOTICE: &str = "INSERT INTO slot_notice (newsletter_id, wall, kind, told_at) VALUES ($1, $2, $3, $4) \
    ON CONFLICT (newsletter_id, wall, kind) DO NOTHING";

/// Writes down that editors are told; `false` if they were already.
///
/// # Errors
/// When the database cannot be written.
pub async fn tell(tx: &mut Tx, newsletter: NewsletterId, wall: &str, kind: &str) -> Result<bool, sqlx::Error> {
    let now = tx.now.0;
    execute!(tx, INSERT_NOTICE, newsletter, wall, kind, now).map(|rows| rows == 1)
}

const TOLD: &str = "SELECT wall, kind FROM slot_notice WHERE newsletter_id = $1 AND told_at >= $2";

/// `(wall, kind)` of what editors were told since `since`.
///
/// # Errors
/// When the database cannot be read.
pub async fn told(
    tx: &mut Tx,
    newsletter: NewsletterId,
    since: Millis,
) -> Result<BTreeSet<(String, String)>, sqlx::Error> {
    let told: Vec<(String, String)> = sql!(tx, fetch_all, TOLD, newsletter, since.0)?;
    Ok(told.into_iter().collect())
}

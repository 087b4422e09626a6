//! Issues: their rows, and every change of state as one guarded UPDATE, so that whoever comes second changes nothing.

use super::Tx;
use crate::values::clock::Millis;
use crate::values::ids::{IssueId, NewsletterId, RelayId};

/// What is happening to an issue. See the table in the first migration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IssueState {
    Draft,
    Ready,
    Scheduled,
    Held,
    Sending,
    Paused,
    Sent,
    Cancelled,
}

impl IssueState {
    pub const ALL: [Self; 8] = [
        Self::Draft,
        Self::Ready,
        Self::Scheduled,
        Self::Held,
        Self::Sending,
        Self::Paused,
        Self::Sent,
        Self::Cancelled,
    ];

    /// The word in database and JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Ready => "ready",
            Self::Scheduled => "scheduled",
            Self::Held => "held",
            Self::Sending => "sending",
            Self::Paused => "paused",
            Self::Sent => "sent",
            Self::Cancelled => "cancelled",
        }
    }

    /// Its text may still change, and it may still be published: nothing of it has left the house.
    #[must_use]
    pub fn is_editable(self) -> bool {
        matches!(self, Self::Draft | Self::Ready | Self::Scheduled | Self::Held)
    }
}

impl TryFrom<String> for IssueState {
    type Error = String;

    fn try_from(word: String) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|state| state.as_str() == word)
            .ok_or_else(|| format!("“{word}” is no state of an issue"))
    }
}

impl IssueRow {
    /// It is published, and its ledger is not whole yet.
    #[must_use]
    pub fn is_freezing(&self) -> bool {
        matches!(self.state, IssueState::Sending | IssueState::Paused) && self.hold_until.is_none()
    }
}

/// One edition, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow, serde::Serialize)]
pub struct IssueRow {
    pub id: IssueId,
    pub newsletter_id: NewsletterId,
    pub number: Option<i64>,
    pub slug: String,
    /// Plain words: fields show their default.
    pub subject: String,
    pub preheader: String,
    #[sqlx(try_from = "String")]
    pub state: IssueState,
    /// Why it is held or paused, in words for the editor; else empty.
    pub state_reason: String,
    /// The Markdown. Empty in lists, which do not load it.
    pub source: String,
    /// Grows with every save; whoever saves says which one they began from.
    pub revision: i64,
    pub scheduled_wall: Option<String>,
    pub scheduled_zone: Option<String>,
    /// Unix milliseconds, like every `_at` and `_until`.
    pub scheduled_at: Option<i64>,
    /// Nothing leaves before. None of a sending issue: its ledger is being written (`delivery::freeze`).
    pub hold_until: Option<i64>,
    pub published_at: Option<i64>,
    pub finished_at: Option<i64>,
    /// Readers in the frozen audience; 0 before it is published.
    pub audience: i64,
    /// What it says of its own hours, in the form of `schedule::hours::Wishes`.
    pub hours: String,
    pub created_at: i64,
    pub updated_at: i64,
}

/// What an issue begins with, and what a save replaces.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IssueText {
    pub number: Option<i64>,
    pub slug: String,
    pub subject: String,
    pub preheader: String,
    pub source: String,
}

/// What became of a save.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Saved {
    /// Kept, as this revision.
    As(i64),
    /// Somebody saved since; nothing was changed.
    Stale,
    /// It is published, or not there; nothing was changed.
    Closed,
}

const INSERT: &str = "INSERT INTO issue (id, newsletter_id, number, slug, subject, preheader, state, source, revision, \
    created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, 'draft', $7, 1, $8, $8)";

/// Keeps a new draft.
///
/// # Errors
/// When its slug is taken in that newsletter, or the store cannot.
pub async fn insert(tx: &mut Tx, newsletter: NewsletterId, text: &IssueText) -> Result<IssueId, sqlx::Error> {
    let (id, now) = (IssueId::new(tx.now), tx.now.0);
    let IssueText { number, slug, subject, preheader, source } = text;
    execute!(tx, INSERT, id, newsletter, number, slug, subject, preheader, source, now)?;
    Ok(id)
}

const BY_ID: &str = "SELECT * FROM issue WHERE id = $1";

/// The issue, with its Markdown.
///
/// # Errors
/// When the store cannot.
pub async fn by_id(tx: &mut Tx, id: IssueId) -> Result<Option<IssueRow>, sqlx::Error> {
    sql!(tx, fetch_optional, BY_ID, id)
}

const BY_SLUG: &str = "SELECT * FROM issue WHERE newsletter_id = $1 AND slug = $2";

/// The issue of that slug in a newsletter, with its Markdown.
///
/// # Errors
/// When the store cannot.
pub async fn by_slug(tx: &mut Tx, newsletter: NewsletterId, slug: &str) -> Result<Option<IssueRow>, sqlx::Error> {
    sql!(tx, fetch_optional, BY_SLUG, newsletter, slug)
}

/// Every column but the Markdown.
macro_rules! listed {
    ($rest:literal) => {
        concat!(
            "SELECT id, newsletter_id, number, slug, subject, preheader, state, state_reason, '' AS source, revision, \
             scheduled_wall, scheduled_zone, scheduled_at, hold_until, published_at, finished_at, audience, \
             hours, created_at, updated_at FROM issue ",
            $rest
        )
    };
}

const LIST: &str = listed!(
    "WHERE ($1 = 0 OR newsletter_id = $1) AND ($2 = '' OR $2 LIKE '%,' || state || ',%') ORDER BY id DESC LIMIT $3"
);

/// The newest issues, of one newsletter or of all, in any of `states` (none given: in any). Without Markdown.
///
/// # Errors
/// When the store cannot.
pub async fn list(
    tx: &mut Tx,
    newsletter: Option<NewsletterId>,
    states: &[IssueState],
    limit: i64,
) -> Result<Vec<IssueRow>, sqlx::Error> {
    let newsletter = newsletter.map_or(0, |id| id.0);
    sql!(tx, fetch_all, LIST, newsletter, words(states), limit)
}

const ARCHIVE: &str = listed!(
    "WHERE newsletter_id = $1 AND state IN ('sending', 'paused', 'sent', 'cancelled') AND hold_until <= $2 \
     ORDER BY published_at DESC, id DESC LIMIT $3"
);

/// Published issues whose undo hold is over, newest first: the public archive. Without Markdown.
///
/// # Errors
/// When the store cannot.
pub async fn archive(tx: &mut Tx, newsletter: NewsletterId, limit: i64) -> Result<Vec<IssueRow>, sqlx::Error> {
    let now = tx.now.0;
    sql!(tx, fetch_all, ARCHIVE, newsletter, now, limit)
}

const DUE: &str = listed!("WHERE state = 'scheduled' AND scheduled_at <= $1 ORDER BY scheduled_at, id");

/// Scheduled issues whose time has come. Without Markdown.
///
/// # Errors
/// When the store cannot.
pub async fn due(tx: &mut Tx, at: Millis) -> Result<Vec<IssueRow>, sqlx::Error> {
    sql!(tx, fetch_all, DUE, at.0)
}

const NEXT_DUE: &str = "SELECT MIN(scheduled_at) FROM issue WHERE state = 'scheduled'";

/// When the next scheduled issue is due, be it past.
///
/// # Errors
/// When the store cannot.
pub async fn next_due(tx: &mut Tx) -> Result<Option<Millis>, sqlx::Error> {
    let (at,): (Option<i64>,) = sql!(tx, fetch_one, NEXT_DUE)?;
    Ok(at.map(Millis))
}

const FIRST_READY: &str = listed!("WHERE newsletter_id = $1 AND state = 'ready' ORDER BY id LIMIT 1");

/// The oldest ready issue of a newsletter: the one that takes the next slot. Without Markdown.
///
/// # Errors
/// When the store cannot.
pub async fn first_ready(tx: &mut Tx, newsletter: NewsletterId) -> Result<Option<IssueRow>, sqlx::Error> {
    sql!(tx, fetch_optional, FIRST_READY, newsletter)
}

const NEXT_NUMBER: &str = "SELECT CAST(COALESCE(MAX(number), 0) + 1 AS BIGINT) FROM issue WHERE newsletter_id = $1";

/// The number after the newsletter's highest.
///
/// # Errors
/// When the store cannot.
pub async fn next_number(tx: &mut Tx, newsletter: NewsletterId) -> Result<i64, sqlx::Error> {
    let (next,): (i64,) = sql!(tx, fetch_one, NEXT_NUMBER, newsletter)?;
    Ok(next)
}

const SAVE: &str = "UPDATE issue SET number = $3, slug = $4, subject = $5, preheader = $6, source = $7, \
    revision = revision + 1, updated_at = $8 \
    WHERE id = $1 AND revision = $2 AND state IN ('draft', 'ready', 'scheduled', 'held')";

/// Replaces the text of an issue that is not published, if `revision` is still the newest.
///
/// # Errors
/// When its slug is taken in that newsletter, or the store cannot.
pub async fn save(tx: &mut Tx, id: IssueId, revision: i64, text: &IssueText) -> Result<Saved, sqlx::Error> {
    let now = tx.now.0;
    let IssueText { number, slug, subject, preheader, source } = text;
    if execute!(tx, SAVE, id, revision, number, slug, subject, preheader, source, now)? == 1 {
        return Ok(Saved::As(revision + 1));
    }
    let stands = by_id(tx, id).await?;
    Ok(if stands.is_some_and(|issue| issue.state.is_editable()) { Saved::Stale } else { Saved::Closed })
}

const MOVE: &str = "UPDATE issue SET state = $2, state_reason = $3, updated_at = $4 \
    WHERE id = $1 AND $5 LIKE '%,' || state || ',%'";

/// Moves an issue to a state if it stands in one of `from`; says whether it did.
///
/// # Errors
/// When the store cannot.
pub async fn move_to(
    tx: &mut Tx,
    id: IssueId,
    from: &[IssueState],
    to: IssueState,
    reason: &str,
) -> Result<bool, sqlx::Error> {
    let now = tx.now.0;
    Ok(execute!(tx, MOVE, id, to.as_str(), reason, now, words(from))? == 1)
}

const SCHEDULE: &str = "UPDATE issue SET state = 'scheduled', state_reason = '', scheduled_wall = $2, \
    scheduled_zone = $3, scheduled_at = $4, updated_at = $5 \
    WHERE id = $1 AND state IN ('draft', 'ready', 'scheduled', 'held')";

/// Gives an unpublished issue a time; says whether it could have one.
///
/// # Errors
/// When the store cannot.
pub async fn schedule(tx: &mut Tx, id: IssueId, wall: &str, zone: &str, at: Millis) -> Result<bool, sqlx::Error> {
    let now = tx.now.0;
    Ok(execute!(tx, SCHEDULE, id, wall, zone, at.0, now)? == 1)
}

const SET_TIME: &str = "UPDATE issue SET scheduled_at = $2 WHERE id = $1 AND state = 'scheduled' AND scheduled_at = $3";

/// Moves the instant of a scheduled issue, whose wall time stays: the first reader's zone is another than it was.
///
/// # Errors
/// When the store cannot.
pub async fn move_time(tx: &mut Tx, id: IssueId, from: Millis, to: Millis) -> Result<bool, sqlx::Error> {
    Ok(execute!(tx, SET_TIME, id, to.0, from.0)? == 1)
}

const SET_HOURS: &str = "UPDATE issue SET hours = $2, updated_at = $3 \
    WHERE id = $1 AND state IN ('draft', 'ready', 'scheduled', 'held')";

/// Writes what an unpublished issue says of its hours; says whether it could still be told.
///
/// # Errors
/// When the store cannot.
pub async fn set_hours(tx: &mut Tx, id: IssueId, hours: &str) -> Result<bool, sqlx::Error> {
    let now = tx.now.0;
    Ok(execute!(tx, SET_HOURS, id, hours, now)? == 1)
}

const UNSCHEDULE: &str = "UPDATE issue SET state = 'draft', state_reason = '', scheduled_wall = NULL, \
    scheduled_zone = NULL, scheduled_at = NULL, updated_at = $2 WHERE id = $1 AND state IN ('scheduled', 'held')";

/// Takes the time from a scheduled or held issue: a draft again. Says whether there was one to take.
///
/// # Errors
/// When the store cannot.
pub async fn unschedule(tx: &mut Tx, id: IssueId) -> Result<bool, sqlx::Error> {
    let now = tx.now.0;
    Ok(execute!(tx, UNSCHEDULE, id, now)? == 1)
}

const PUBLISH: &str = "UPDATE issue SET state = 'sending', state_reason = '', hold_until = NULL, published_at = $3, \
    finished_at = NULL, updated_at = $3 \
    WHERE id = $1 AND revision = $2 AND state IN ('draft', 'ready', 'scheduled', 'held')";

/// The issue goes out, in the revision that was rendered; says whether this caller is the one who published it. Nothing
/// leaves before its ledger is written (`delivery::freeze`), which gives it its `hold_until`.
///
/// # Errors
/// When the store cannot.
pub async fn publish(tx: &mut Tx, id: IssueId, revision: i64) -> Result<bool, sqlx::Error> {
    let now = tx.now.0;
    Ok(execute!(tx, PUBLISH, id, revision, now)? == 1)
}

const UNPUBLISH: &str = "UPDATE issue SET state = 'draft', state_reason = '', hold_until = NULL, published_at = NULL, \
    scheduled_wall = NULL, scheduled_zone = NULL, scheduled_at = NULL, audience = 0, updated_at = $2 \
    WHERE id = $1 AND state IN ('sending', 'paused') AND (hold_until IS NULL OR hold_until > $2)";

/// Back to a draft, while its ledger is written or the hold lasts; says whether it still was so.
///
/// # Errors
/// When the store cannot.
pub async fn unpublish(tx: &mut Tx, id: IssueId) -> Result<bool, sqlx::Error> {
    let now = tx.now.0;
    Ok(execute!(tx, UNPUBLISH, id, now)? == 1)
}

const FINISH: &str = "UPDATE issue SET state = 'sent', state_reason = '', finished_at = $2, updated_at = $2 \
    WHERE id = $1 AND state = 'sending' AND hold_until <= $2 \
    AND NOT EXISTS (SELECT 1 FROM delivery WHERE issue_id = $1 AND state = 'pending') \
    AND NOT EXISTS (SELECT 1 FROM delivery WHERE issue_id = $1 AND state IN ('claimed', 'inflight'))";

/// The issue is sent, if no row of it is unfinished; says whether that has just become so.
///
/// # Errors
/// When the store cannot.
pub async fn finish(tx: &mut Tx, id: IssueId) -> Result<bool, sqlx::Error> {
    let now = tx.now.0;
    Ok(execute!(tx, FINISH, id, now)? == 1)
}

/// An issue whose hold is over and whose mail is to leave now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Leaving {
    pub id: IssueId,
    pub newsletter_id: NewsletterId,
    /// Told apart from an earlier publishing of the same issue that was undone.
    pub published_at: i64,
}

const LEAVING: &str = "SELECT i.id, i.newsletter_id, i.published_at FROM issue i \
    WHERE i.state = 'sending' AND i.hold_until <= $1 AND ($2 = 0 OR EXISTS (SELECT 1 FROM newsletter_relay p \
    WHERE p.newsletter_id = i.newsletter_id AND p.relay_id = $2)) ORDER BY i.id";

/// Issues that are to leave now through a relay (`None`: through any).
///
/// # Errors
/// When the store cannot.
pub async fn leaving(tx: &mut Tx, relay: Option<RelayId>) -> Result<Vec<Leaving>, sqlx::Error> {
    let (now, relay) = (tx.now.0, relay.map_or(0, |id| id.0));
    sql!(tx, fetch_all, LEAVING, now, relay)
}

const STRANDED: &str = "SELECT i.id FROM issue i JOIN newsletter n ON n.id = i.newsletter_id \
    WHERE i.state = 'sending' AND n.relay_id IS NULL";

/// Sending issues of newsletters that have lost their relay.
///
/// # Errors
/// When the store cannot.
pub async fn stranded(tx: &mut Tx) -> Result<Vec<IssueId>, sqlx::Error> {
    let rows: Vec<(IssueId,)> = sql!(tx, fetch_all, STRANDED)?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

const BUSY_RELAYS: &str = "SELECT DISTINCT p.relay_id FROM newsletter_relay p \
    JOIN newsletter n ON n.id = p.newsletter_id WHERE (EXISTS (SELECT 1 FROM issue i WHERE i.newsletter_id = n.id AND i.state = 'sending') \
    OR EXISTS (SELECT 1 FROM letter l WHERE l.newsletter_id = n.id AND l.state IN ('pending', 'claimed', 'inflight')))";

/// Relays that have anything to carry, now or later.
///
/// # Errors
/// When the store cannot.
pub async fn busy_relays(tx: &mut Tx) -> Result<Vec<RelayId>, sqlx::Error> {
    let rows: Vec<(RelayId,)> = sql!(tx, fetch_all, BUSY_RELAYS)?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

const UNFINISHED: &str = "SELECT CASE WHEN EXISTS (SELECT 1 FROM delivery WHERE issue_id = $1 AND state = 'pending') \
    OR EXISTS (SELECT 1 FROM delivery WHERE issue_id = $1 AND state IN ('claimed', 'inflight')) THEN 1 ELSE 0 END";

/// Whether any delivery of the issue still has somewhere to go.
///
/// # Errors
/// When the store cannot.
pub async fn is_unfinished(tx: &mut Tx, id: IssueId) -> Result<bool, sqlx::Error> {
    let (unfinished,): (i32,) = sql!(tx, fetch_one, UNFINISHED, id)?;
    Ok(unfinished != 0)
}

/// `,draft,ready,`: a list that `LIKE` can look into, the same on both engines. Empty for none.
fn words(states: &[IssueState]) -> String {
    states.iter().fold(String::new(), |list, state| {
        let comma = if list.is_empty() { "," } else { "" };
        format!("{list}{comma}{},", state.as_str())
    })
}

#[cfg(test)]
mod tests {
    use super::{IssueState, words};

    #[test]
    fn a_list_of_states_can_be_looked_into() {
        assert_eq!(words(&[]), "");
        assert_eq!(words(&[IssueState::Draft, IssueState::Ready]), ",draft,ready,");
    }

    #[test]
    fn every_state_comes_back_from_its_word() {
        for state in IssueState::ALL {
            assert_eq!(IssueState::try_from(state.as_str().to_owned()), Ok(state));
        }
        assert!(IssueState::try_from("gone".to_owned()).is_err());
    }
}

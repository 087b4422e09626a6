//! Letters: mail of the house to one person (confirmation, notice, test), with the ledger's states.

use super::Tx;
use crate::delivery::state::DeliveryState;
use crate::values::clock::Millis;
use crate::values::ids::{LetterId, NewsletterId, RelayId, SubscriberId};

/// Why the house writes to somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LetterKind {
    Confirm,
    Notice,
    Test,
    /// Of a new reader; only while they are one.
    Welcome,
}

impl LetterKind {
    /// The word in the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Confirm => "confirm",
            Self::Notice => "notice",
            Self::Test => "test",
            Self::Welcome => "welcome",
        }
    }
}

/// A letter to be written. `message` is complete but for its signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewLetter {
    pub kind: LetterKind,
    pub newsletter_id: NewsletterId,
    pub subscriber_id: Option<SubscriberId>,
    pub address: String,
    pub return_path: String,
    pub message: Vec<u8>,
}

/// A letter, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct LetterRow {
    pub id: LetterId,
    pub kind: String,
    pub newsletter_id: NewsletterId,
    pub subscriber_id: Option<SubscriberId>,
    pub address: String,
    pub return_path: String,
    pub message: Vec<u8>,
    pub state: String,
    pub attempts: i64,
    pub next_at: i64,
    pub epoch: i64,
    pub created_at: i64,
    pub settled_at: Option<i64>,
    pub stage: Option<String>,
    pub reply_code: Option<i64>,
    pub reply_text: Option<String>,
    pub reason: Option<String>,
}

const INSERT: &str = "INSERT INTO letter (id, kind, newsletter_id, subscriber_id, address, return_path, message, \
    state, next_at, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, 'pending', $8, $8)";

/// Puts a letter into the out-tray: it leaves with the next turn of the engine, before any issue.
///
/// # Errors
/// When the store cannot.
pub async fn insert(tx: &mut Tx, letter: &NewLetter) -> Result<LetterId, sqlx::Error> {
    let (id, now) = (LetterId::new(tx.now), tx.now.0);
    let NewLetter { kind, newsletter_id, subscriber_id, address, return_path, message } = letter;
    execute!(tx, INSERT, id, kind.as_str(), newsletter_id, subscriber_id, address, return_path, message, now)?;
    Ok(id)
}

const BY_ID: &str = "SELECT * FROM letter WHERE id = $1";

/// The letter and what became of it.
///
/// # Errors
/// When the store cannot.
pub async fn by_id(tx: &mut Tx, id: LetterId) -> Result<Option<LetterRow>, sqlx::Error> {
    sql!(tx, fetch_optional, BY_ID, id)
}

/// A letter without its message, as a history shows it.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct LetterLine {
    pub kind: String,
    pub newsletter_id: NewsletterId,
    pub state: String,
    pub attempts: i64,
    pub created_at: i64,
    pub settled_at: Option<i64>,
    pub reply_code: Option<i64>,
    pub reply_text: Option<String>,
    pub reason: Option<String>,
}

const BY_SUBSCRIBER: &str = "SELECT kind, newsletter_id, state, attempts, created_at, settled_at, reply_code, \
    reply_text, reason FROM letter WHERE subscriber_id = $1 ORDER BY id DESC LIMIT $2";

/// The newest letters to a person, without what stands in them.
///
/// # Errors
/// When the store cannot.
pub async fn by_subscriber(tx: &mut Tx, subscriber: SubscriberId, limit: i64) -> Result<Vec<LetterLine>, sqlx::Error> {
    sql!(tx, fetch_all, BY_SUBSCRIBER, subscriber, limit)
}

macro_rules! due {
    ($tail:literal) => {
        concat!(
            "SELECT l.* FROM letter l WHERE l.state = 'pending' \
             AND l.state IN ('pending', 'claimed', 'inflight') AND l.next_at <= $1 \
             AND ($2 = 0 OR EXISTS (SELECT 1 FROM newsletter_relay p WHERE p.newsletter_id = l.newsletter_id \
             AND p.relay_id = $2)) ORDER BY l.next_at LIMIT $3",
            $tail
        )
    };
}

/// Differs because SQLite has one writer and no row locks; on Postgres nodes step over each other's rows.
const DUE: [&str; 2] = [due!(""), due!(" FOR UPDATE OF l SKIP LOCKED")];
const SUPPRESSED: &str = "SELECT COUNT(*) FROM subscriber s JOIN suppression p ON p.address_key = s.address_key \
    WHERE s.id = $1";
// Only a welcome asks whether its reader still is one: whoever left or paused is greeted no more.
const GONE: &str = "SELECT COUNT(*) FROM letter l WHERE l.id = $1 AND l.kind = 'welcome' AND NOT EXISTS (SELECT 1 \
    FROM subscription x WHERE x.newsletter_id = l.newsletter_id AND x.subscriber_id = l.subscriber_id \
    AND x.status = 'active')";
const SKIP: &str = "UPDATE letter SET state = 'skipped', reason = $3, settled_at = $2 WHERE id = $1";
const TAKE: &str = "UPDATE letter SET state = 'claimed', epoch = $2, next_at = $3 WHERE id = $1";

const ANY_DUE: &str = "SELECT COUNT(*) FROM letter l WHERE l.state = 'pending' AND l.state IN ('pending', 'claimed', 'inflight') AND l.next_at <= $1 \
    AND ($2 = 0 OR EXISTS (SELECT 1 FROM newsletter_relay p WHERE p.newsletter_id = l.newsletter_id \
    AND p.relay_id = $2))";

/// Whether any letter is due through a relay (`None`: through any).
///
/// # Errors
/// When the store cannot.
pub async fn any_due(tx: &mut Tx, relay: Option<RelayId>) -> Result<bool, sqlx::Error> {
    let (now, relay) = (tx.now.0, relay.map_or(0, |id| id.0));
    let (due,): (i64,) = sql!(tx, fetch_one, ANY_DUE, now, relay)?;
    Ok(due > 0)
}

/// Claims letters that are due through a relay (`None`: through any), under a lease. A letter to somebody who was
/// suppressed since is skipped, and a welcome to somebody who left.
///
/// # Errors
/// When the store cannot.
pub async fn claim(
    tx: &mut Tx,
    relay: Option<RelayId>,
    epoch: i64,
    lease_until: Millis,
    limit: i64,
) -> Result<Vec<LetterRow>, sqlx::Error> {
    let (now, relay) = (tx.now.0, relay.map_or(0, |id| id.0));
    let text = DUE[usize::from(!tx.is_sqlite())];
    let due: Vec<LetterRow> = sql!(tx, fetch_all, text, now, relay, limit)?;
    let mut claimed = Vec::with_capacity(due.len());
    for letter in due {
        let (suppressed,): (i64,) = sql!(tx, fetch_one, SUPPRESSED, letter.subscriber_id)?;
        let (gone,): (i64,) = sql!(tx, fetch_one, GONE, letter.id)?;
        if suppressed + gone > 0 {
            let why = if suppressed > 0 { "suppressed" } else { "unsubscribed" };
            execute!(tx, SKIP, letter.id, now, why)?;
        } else {
            execute!(tx, TAKE, letter.id, epoch, lease_until.0)?;
            claimed.push(letter);
        }
    }
    Ok(claimed)
}

const MARK: &str = "UPDATE letter SET state = 'inflight', next_at = $3 WHERE id = $1 AND epoch = $2 \
    AND state = 'claimed'";

/// Marks a claimed letter as in flight; says whether the lease was still this epoch's.
///
/// # Errors
/// When the store cannot.
pub async fn mark(tx: &mut Tx, id: LetterId, epoch: i64, lease_until: Millis) -> Result<bool, sqlx::Error> {
    Ok(execute!(tx, MARK, id, epoch, lease_until.0)? == 1)
}

const IS_MARKED: &str = "SELECT COUNT(*) FROM letter WHERE id = $1 AND epoch = $2 AND state = 'inflight'";

/// Whether a letter is in flight under this epoch: asked by whoever never heard whether its mark went through.
///
/// # Errors
/// When the store cannot.
pub async fn is_marked(tx: &mut Tx, id: LetterId, epoch: i64) -> Result<bool, sqlx::Error> {
    let (many,): (i64,) = sql!(tx, fetch_one, IS_MARKED, id, epoch)?;
    Ok(many > 0)
}

const RELEASE: &str = "UPDATE letter SET state = 'pending', next_at = $3 WHERE id = $1 AND epoch = $2 \
    AND state = 'claimed'";

/// Gives a claimed letter back: due at once, no try counted.
///
/// # Errors
/// When the store cannot.
pub async fn release(tx: &mut Tx, id: LetterId, epoch: i64) -> Result<(), sqlx::Error> {
    let now = tx.now.0;
    execute!(tx, RELEASE, id, epoch, now).map(drop)
}

/// The end of one try of a letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LetterEnd {
    pub id: LetterId,
    pub epoch: i64,
    pub to: DeliveryState,
    pub next_at: Millis,
    pub tried: bool,
    pub stage: Option<&'static str>,
    pub code: Option<i64>,
    pub text: Option<String>,
    pub reason: Option<String>,
}

// A confirmation in doubt is sent once more by itself: two are a nuisance, none is a reader lost.
const SETTLE: &str = "UPDATE letter SET \
    state = CASE WHEN $3 = 'in_doubt' AND kind = 'confirm' AND attempts = 0 THEN 'pending' ELSE $3 END, \
    next_at = $4, attempts = attempts + $5, settled_at = CASE WHEN $3 = 'pending' THEN NULL ELSE $6 END, \
    stage = COALESCE($7, stage), reply_code = COALESCE($8, reply_code), reply_text = COALESCE($9, reply_text), \
    reason = $10 WHERE id = $1 AND epoch = $2 AND state IN ('claimed', 'inflight')";

/// Writes the end of a try; says whether the lease was still this epoch's.
///
/// # Errors
/// When the store cannot.
pub async fn settle(tx: &mut Tx, end: &LetterEnd) -> Result<bool, sqlx::Error> {
    let (now, tried) = (tx.now.0, i64::from(end.tried));
    let LetterEnd { id, epoch, to, next_at, stage, code, text, reason, .. } = end;
    let (to, next_at) = (to.as_str(), next_at.0);
    let (text, reason) = (text.as_deref(), reason.as_deref());
    Ok(execute!(tx, SETTLE, id, epoch, to, next_at, tried, now, *stage, code, text, reason)? == 1)
}

macro_rules! unclaim {
    ($whose:literal) => {
        concat!(
            "UPDATE letter SET state = 'pending', next_at = $1 WHERE state = 'claimed' AND ",
            $whose,
            " AND state IN ('pending', 'claimed', 'inflight')"
        )
    };
}
macro_rules! doubt {
    ($whose:literal) => {
        concat!(
            "UPDATE letter SET attempts = attempts + 1, reason = 'interrupted', next_at = $1, settled_at = $1, \
             state = CASE WHEN kind = 'confirm' AND attempts = 0 THEN 'pending' ELSE 'in_doubt' END \
             WHERE state = 'inflight' AND ",
            $whose,
            " AND state IN ('pending', 'claimed', 'inflight')"
        )
    };
}

const UNCLAIM: &str = unclaim!("next_at <= $2");
const DOUBT: &str = doubt!("next_at <= $2");
const UNCLAIM_ORPHANS: &str = unclaim!("(epoch / 4096) % 1024 NOT IN (SELECT seat FROM node WHERE seat <> $2)");
const DOUBT_ORPHANS: &str = doubt!("(epoch / 4096) % 1024 NOT IN (SELECT seat FROM node WHERE seat <> $2)");

/// Takes back every lease that ended before `ended`, as [`super::delivery::claim::recover`] does.
///
/// # Errors
/// When the store cannot.
pub async fn recover(tx: &mut Tx, ended: Millis) -> Result<(), sqlx::Error> {
    let now = tx.now.0;
    execute!(tx, UNCLAIM, now, ended.0)?;
    execute!(tx, DOUBT, now, ended.0).map(drop)
}

/// Takes back every lease of nodes that are no more, as [`super::delivery::claim::take_back`] does.
///
/// # Errors
/// When the store cannot.
pub async fn take_back(tx: &mut Tx, seat: i64) -> Result<(), sqlx::Error> {
    let now = tx.now.0;
    execute!(tx, UNCLAIM_ORPHANS, now, seat)?;
    execute!(tx, DOUBT_ORPHANS, now, seat).map(drop)
}

const ORPHANS: &str = "SELECT COUNT(*) FROM (SELECT 1 FROM letter WHERE state IN ('claimed', 'inflight') \
    AND state IN ('pending', 'claimed', 'inflight') AND (epoch / 4096) % 1024 NOT IN (SELECT seat FROM node) \
    LIMIT 1) AS orphans";

/// Whether there are leases of nodes that are no more.
///
/// # Errors
/// When the store cannot.
pub async fn any_orphans(tx: &mut Tx) -> Result<bool, sqlx::Error> {
    let (orphans,): (i64,) = sql!(tx, fetch_one, ORPHANS)?;
    Ok(orphans > 0)
}

//! The audience is frozen: one row for everybody who may be mailed, a piece of them in each transaction.
//!
//! The row in `freezing` says how far it is. While it is there the issue has no `hold_until`, and so nothing of it can
//! be claimed; the last piece gives it one. Whoever leaves after their piece is skipped by the claim and the mark.

use super::hours::freeze_piece;
use crate::store::Tx;
use crate::values::clock::Millis;
use crate::values::ids::{AttemptId, IssueId, NewsletterId};

/// Subscriptions of one piece: with its commit it holds SQLite's writer for less than a tenth of a second (measured,
/// `bench freeze`), and a million readers are forty commits.
pub const PIECE: i64 = 25_000;

/// An audience that is being written down, or taken away again.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Freezing {
    pub issue_id: IssueId,
    pub newsletter_id: NewsletterId,
    /// It was undone: rows go.
    pub thawing: bool,
    pub epoch: i64,
    /// The instant of publishing (unix milliseconds, like every `_at`).
    pub frozen_at: i64,
    pub hold_until: i64,
    /// By zone, as [`super::hours::table`] writes it; empty where all are due at `hold_until`.
    pub plan: String,
    pub spread_ms: i64,
    pub after_id: i64,
    /// Readers written so far.
    pub readers: i64,
}

/// What a piece came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece {
    More,
    Last,
    /// Somebody else goes on with it, or it was cancelled: nothing was written.
    Lost,
}

const BEGIN: &str = "INSERT INTO freezing (issue_id, newsletter_id, epoch, frozen_at, hold_until, plan, spread_ms) \
    VALUES ($1, $2, $3, $4, $5, $6, $7)";

/// Begins the ledger of an issue, from this instant's audience. `plan` and `spread_ms`: due times by zone.
///
/// # Errors
/// When one was begun already, or the store cannot.
pub async fn begin(
    tx: &mut Tx,
    issue_id: IssueId,
    newsletter_id: NewsletterId,
    hold_until: Millis,
    plan: Option<(String, i64)>,
) -> Result<Freezing, sqlx::Error> {
    let (epoch, frozen_at) = (AttemptId::new(tx.now).0, tx.now.0);
    let (plan, spread_ms) = plan.unwrap_or_default();
    execute!(tx, BEGIN, issue_id, newsletter_id, epoch, frozen_at, hold_until.0, &plan, spread_ms)?;
    let (hold_until, thawing, after_id, readers) = (hold_until.0, false, 0, 0);
    Ok(Freezing { issue_id, newsletter_id, thawing, epoch, frozen_at, hold_until, plan, spread_ms, after_id, readers })
}

const ALL: &str = "SELECT * FROM freezing ORDER BY issue_id";

/// What is being frozen or thawed, or was left so by a process that died.
///
/// # Errors
/// When the store cannot.
pub async fn all(tx: &mut Tx) -> Result<Vec<Freezing>, sqlx::Error> {
    sql!(tx, fetch_all, ALL)
}

const BY_ISSUE: &str = "SELECT * FROM freezing WHERE issue_id = $1";

/// The same of one issue.
///
/// # Errors
/// When the store cannot.
pub async fn by_issue(tx: &mut Tx, issue: IssueId) -> Result<Option<Freezing>, sqlx::Error> {
    sql!(tx, fetch_optional, BY_ISSUE, issue)
}

const TAKE_OVER: &str = "UPDATE freezing SET epoch = $3 WHERE issue_id = $1 AND epoch = $2";

/// Goes on with what somebody else began; `None` if it has moved since `seen`.
///
/// # Errors
/// When the store cannot.
pub async fn take_over(tx: &mut Tx, seen: &Freezing) -> Result<Option<Freezing>, sqlx::Error> {
    let epoch = AttemptId::new(tx.now).0;
    if execute!(tx, TAKE_OVER, seen.issue_id, seen.epoch, epoch)? == 0 {
        return Ok(None);
    }
    by_issue(tx, seen.issue_id).await
}

/// Written first in every piece, so that on Postgres two nodes wait for each other at this row.
const HOLD: &str = "UPDATE freezing SET after_id = after_id WHERE issue_id = $1 AND epoch = $2";
pub const BOUND: &str = "SELECT subscriber_id FROM subscription WHERE newsletter_id = $1 AND status = 'active' \
    AND subscriber_id > $2 ORDER BY subscriber_id LIMIT 1 OFFSET $3";
const STEP: &str = "UPDATE freezing SET after_id = $2, readers = $3 WHERE issue_id = $1";
const AUDIENCE: &str = "UPDATE issue SET audience = $2 WHERE id = $1";

/// Whoever became active after `$5` and until `$6` joined while it was frozen.
pub const FREEZE: &str = "INSERT INTO delivery (issue_id, subscriber_id, address, state, next_at) \
    SELECT $1, s.id, s.address, 'pending', $3 FROM subscription x JOIN subscriber s ON s.id = x.subscriber_id \
    WHERE x.newsletter_id = $2 AND x.status = 'active' AND x.subscriber_id > $6 AND x.subscriber_id <= $7 \
    AND (x.paused_until IS NULL OR x.paused_until <= $4) \
    AND (x.confirmed_at IS NULL OR x.confirmed_at <= $4 OR x.confirmed_at > $5) \
    AND NOT EXISTS (SELECT 1 FROM suppression p WHERE p.address_key = s.address_key) \
    ORDER BY x.subscriber_id \
    ON CONFLICT (issue_id, subscriber_id) DO NOTHING";

/// Writes the next piece of an issue's ledger, from active, unsuppressed, unpaused subscriptions and from nothing else.
/// After the last one call [`end`] in the same transaction.
///
/// # Errors
/// When the store cannot.
pub async fn piece(tx: &mut Tx, work: &mut Freezing) -> Result<Piece, sqlx::Error> {
    if execute!(tx, HOLD, work.issue_id, work.epoch)? == 0 {
        return Ok(Piece::Lost);
    }
    let (issue, newsletter, now) = (work.issue_id, work.newsletter_id, tx.now.0);
    let bound: Option<(i64,)> = sql!(tx, fetch_optional, BOUND, newsletter, work.after_id, PIECE - 1)?;
    let (after, until) = (work.after_id, bound.map_or(i64::MAX, |(bound,)| bound));
    let readers = match work.plan.is_empty() {
        true => execute!(tx, FREEZE, issue, newsletter, work.hold_until, work.frozen_at, now, after, until)?,
        false => freeze_piece(tx, work, until).await?,
    };
    work.after_id = until;
    work.readers += i64::try_from(readers).unwrap_or(i64::MAX);
    execute!(tx, STEP, issue, work.after_id, work.readers)?;
    execute!(tx, AUDIENCE, issue, work.readers)?;
    Ok(if bound.is_some() { Piece::More } else { Piece::Last })
}

const END: &str = "UPDATE issue SET audience = $2, hold_until = $3 WHERE id = $1";
const REMOVE: &str = "DELETE FROM freezing WHERE issue_id = $1";

/// The ledger is whole: when the hold is over, mail leaves.
///
/// # Errors
/// When the store cannot.
pub async fn end(tx: &mut Tx, work: &Freezing) -> Result<(), sqlx::Error> {
    execute!(tx, END, work.issue_id, work.readers, work.hold_until)?;
    stop(tx, work.issue_id).await.map(drop)
}

/// Nobody goes on with it; says whether anybody would have.
///
/// # Errors
/// When the store cannot.
pub async fn stop(tx: &mut Tx, issue: IssueId) -> Result<bool, sqlx::Error> {
    Ok(execute!(tx, REMOVE, issue)? == 1)
}

/// The whole ledger in this one transaction, for issues of an invented past. Gives how many readers that is; their
/// deliveries are due at `due`.
///
/// # Errors
/// When the store cannot.
pub async fn freeze(tx: &mut Tx, issue: IssueId, newsletter: NewsletterId, due: Millis) -> Result<i64, sqlx::Error> {
    let mut work = begin(tx, issue, newsletter, due, None).await?;
    while piece(tx, &mut work).await? == Piece::More {}
    end(tx, &work).await?;
    Ok(work.readers)
}

const MAILABLE: &str = "SELECT COUNT(*) FROM subscription x JOIN subscriber s ON s.id = x.subscriber_id \
    WHERE x.newsletter_id = $1 AND x.status = 'active' AND (x.paused_until IS NULL OR x.paused_until <= $2) \
    AND NOT EXISTS (SELECT 1 FROM suppression p WHERE p.address_key = s.address_key)";

/// How many readers would be frozen now: the number in the editor's sentence before it is sent.
///
/// # Errors
/// When the store cannot.
pub async fn mailable(tx: &mut Tx, newsletter: NewsletterId) -> Result<i64, sqlx::Error> {
    let now = tx.now.0;
    let (readers,): (i64,) = sql!(tx, fetch_one, MAILABLE, newsletter, now)?;
    Ok(readers)
}

pub const TOUCHED: &str = "SELECT COUNT(*) FROM (SELECT 1 FROM delivery WHERE issue_id = $1 \
    AND (state <> 'pending' OR attempts > 0) AND COALESCE(reason, '') <> 'hour_passed' LIMIT 1) AS touched";

/// Whether anything of an issue was ever claimed. Walks the issue: ask it in a snapshot, not while others want to write.
///
/// # Errors
/// When the store cannot.
pub async fn is_touched(tx: &mut Tx, issue: IssueId) -> Result<bool, sqlx::Error> {
    let (touched,): (i64,) = sql!(tx, fetch_one, TOUCHED, issue)?;
    Ok(touched > 0)
}

const BEGIN_THAW: &str = "INSERT INTO freezing (issue_id, newsletter_id, thawing, epoch, frozen_at, hold_until) \
    VALUES ($1, $2, TRUE, $3, $4, $4) ON CONFLICT (issue_id) DO UPDATE SET thawing = TRUE, epoch = excluded.epoch, \
    after_id = 0, readers = 0";

/// Begins to take the ledger of an issue away again, be it whole or half written.
///
/// # Errors
/// When the store cannot.
pub async fn begin_thaw(tx: &mut Tx, issue: IssueId, newsletter: NewsletterId) -> Result<Freezing, sqlx::Error> {
    let (epoch, now) = (AttemptId::new(tx.now).0, tx.now.0);
    execute!(tx, BEGIN_THAW, issue, newsletter, epoch, now)?;
    by_issue(tx, issue).await?.ok_or(sqlx::Error::RowNotFound)
}

pub const THAW_BOUND: &str = "SELECT subscriber_id FROM delivery WHERE issue_id = $1 AND subscriber_id > $2 \
    ORDER BY subscriber_id LIMIT 1 OFFSET $3";
pub const THAW: &str = "DELETE FROM delivery WHERE issue_id = $1 AND subscriber_id > $2 AND subscriber_id <= $3";

/// Takes the next piece of it away; after the last one nothing is left of it.
///
/// # Errors
/// When the store cannot.
pub async fn thaw_piece(tx: &mut Tx, work: &mut Freezing) -> Result<Piece, sqlx::Error> {
    if execute!(tx, HOLD, work.issue_id, work.epoch)? == 0 {
        return Ok(Piece::Lost);
    }
    let (issue, after) = (work.issue_id, work.after_id);
    let bound: Option<(i64,)> = sql!(tx, fetch_optional, THAW_BOUND, issue, after, PIECE - 1)?;
    work.after_id = bound.map_or(i64::MAX, |(bound,)| bound);
    execute!(tx, THAW, issue, after, work.after_id)?;
    if bound.is_some() {
        execute!(tx, STEP, issue, work.after_id, 0_i64)?;
        return Ok(Piece::More);
    }
    stop(tx, issue).await?;
    Ok(Piece::Last)
}

//! Leases: claiming what is due, marking what goes on the wire, and taking back what somebody left behind.

use super::doubt::prove_by_leaving;
use super::settle::cancel_pending;
use super::{Fork, json_list, spelling, with_ids};
use crate::audience::recipient::{Recipient, Skip, Standing, admit};
use crate::store::Tx;
use crate::values::clock::Millis;
use crate::values::ids::{IssueId, NewsletterId, RelayId, SubscriberId};

/// Where a claim looks and how long it lasts.
#[derive(Clone, Copy, Debug)]
pub struct Claim {
    pub issue: IssueId,
    pub newsletter: NewsletterId,
    /// For whom: kept on the row, so that whoever looks for a mail knows in whose log. `None`: the catcher.
    pub relay: Option<RelayId>,
    /// Unique to this claim: what fences everybody else off.
    pub epoch: i64,
    pub lease_until: Millis,
    /// At most so many readers.
    pub limit: i64,
}

/// A reader whose copy this claim's holder may send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimed {
    pub recipient: Recipient,
    /// Tries before this one.
    pub attempts: i64,
    /// When the first of them was.
    pub first_at: Option<Millis>,
}

#[derive(sqlx::FromRow)]
struct DueRow {
    subscriber_id: SubscriberId,
    address: String,
    attempts: i64,
    first_at: Option<i64>,
    name: Option<String>,
    status: Option<String>,
    paused_until: Option<i64>,
    suppressed: bool,
}

macro_rules! due {
    ($tail:literal) => {
        concat!(
            "SELECT d.subscriber_id, d.address, d.attempts, d.first_at, s.name, x.status, x.paused_until, \
             (p.address_key IS NOT NULL) AS suppressed FROM delivery d \
             LEFT JOIN subscriber s ON s.id = d.subscriber_id \
             LEFT JOIN subscription x ON x.newsletter_id = $2 AND x.subscriber_id = d.subscriber_id \
             LEFT JOIN suppression p ON p.address_key = s.address_key \
             WHERE d.issue_id = $1 AND d.state = 'pending' AND d.next_at <= $3 \
             AND EXISTS (SELECT 1 FROM issue i WHERE i.id = $1 AND i.state = 'sending' AND i.hold_until <= $3) \
             ORDER BY d.next_at LIMIT $4",
            $tail
        )
    };
}

/// Differs because SQLite has one writer and no row locks; on Postgres nodes step over each other's rows.
pub const DUE: Fork = [due!(""), due!(" FOR UPDATE OF d SKIP LOCKED")];

pub const ANY_DUE: &str = "SELECT COUNT(*) FROM (SELECT 1 FROM delivery WHERE issue_id = $1 AND state = 'pending' \
    AND next_at <= $2 LIMIT 1) AS due";

const DUE_NOW: &str = "SELECT COUNT(*) FROM (SELECT 1 FROM delivery WHERE issue_id = $1 AND state = 'pending' \
    AND next_at <= $2 LIMIT $3) AS due";

/// How many of an issue can be claimed now; nobody counts further than `most`.
///
/// # Errors
/// When the store cannot.
pub async fn due(tx: &mut Tx, issue: IssueId, most: u64) -> Result<u64, sqlx::Error> {
    let (now, most) = (tx.now.0, i64::try_from(most).unwrap_or(i64::MAX));
    let (due,): (i64,) = sql!(tx, fetch_one, DUE_NOW, issue, now, most)?;
    Ok(due.unsigned_abs())
}

/// Whether an issue has anything to claim now.
///
/// # Errors
/// When the store cannot.
pub async fn any_due(tx: &mut Tx, issue: IssueId) -> Result<bool, sqlx::Error> {
    let now = tx.now.0;
    let (due,): (i64,) = sql!(tx, fetch_one, ANY_DUE, issue, now)?;
    Ok(due > 0)
}

pub const TAKE: Fork = with_ids!(
    "UPDATE delivery SET state = 'claimed', epoch = $2, next_at = $3, relay_id = $4 WHERE issue_id = $1 \
     AND state = 'pending' AND subscriber_id IN ",
    "$5",
    ""
);

/// Claims readers whose copy is due, under a lease. Who has left, was suppressed or has paused since the freeze is
/// settled as skipped here and is not in the answer; the second number says how many those were.
///
/// # Errors
/// When the store cannot.
pub async fn claim(tx: &mut Tx, claim: Claim) -> Result<(Vec<Claimed>, usize), sqlx::Error> {
    let now = tx.now;
    let Claim { issue, newsletter, relay, epoch, lease_until, limit } = claim;
    let text = spelling(tx, DUE);
    let due: Vec<DueRow> = sql!(tx, fetch_all, text, issue, newsletter, now.0, limit)?;
    let (mut claimed, mut skipped) = (Vec::with_capacity(due.len()), Vec::new());
    for row in due {
        match row.stand(now) {
            Ok(reader) => claimed.push(reader),
            Err(who) => skipped.push(who),
        }
    }
    if !claimed.is_empty() {
        let list = json_list(claimed.iter().map(|reader| reader.recipient.subscriber().0));
        let text = spelling(tx, TAKE);
        execute!(tx, text, issue, epoch, lease_until.0, relay, list)?;
    }
    skip(tx, issue, &skipped).await?;
    Ok((claimed, skipped.len()))
}

impl DueRow {
    fn stand(self, now: Millis) -> Result<Claimed, (SubscriberId, Skip)> {
        let standing =
            Standing { status: self.status, paused_until: self.paused_until.map(Millis), suppressed: self.suppressed };
        let who = self.subscriber_id;
        let recipient =
            admit(who, self.address, self.name.unwrap_or_default(), &standing, now).map_err(|why| (who, why))?;
        Ok(Claimed { recipient, attempts: self.attempts, first_at: self.first_at.map(Millis) })
    }
}

pub const SKIP: Fork = with_ids!(
    "UPDATE delivery SET state = 'skipped', reason = $2, settled_at = $3 WHERE issue_id = $1 \
     AND state = 'pending' AND subscriber_id IN ",
    "$4",
    ""
);

async fn skip(tx: &mut Tx, issue: IssueId, who: &[(SubscriberId, Skip)]) -> Result<(), sqlx::Error> {
    let now = tx.now.0;
    let reasons: std::collections::HashSet<Skip> = who.iter().map(|(_, why)| *why).collect();
    for reason in reasons {
        let list = json_list(who.iter().filter(|(_, why)| *why == reason).map(|(subscriber, _)| subscriber.0));
        let text = spelling(tx, SKIP);
        execute!(tx, text, issue, reason.as_str(), now, list)?;
    }
    Ok(())
}

/// Whether a reader may be mailed, asked again in the statement that lets the bytes go.
macro_rules! still_wanted {
    () => {
        "AND EXISTS (SELECT 1 FROM issue i JOIN subscription x ON x.newsletter_id = i.newsletter_id \
            WHERE i.id = $1 AND i.state = 'sending' AND x.subscriber_id = delivery.subscriber_id \
            AND x.status = 'active' AND (x.paused_until IS NULL OR x.paused_until <= $4)) \
         AND NOT EXISTS (SELECT 1 FROM subscriber s JOIN suppression p ON p.address_key = s.address_key \
            WHERE s.id = delivery.subscriber_id) RETURNING subscriber_id"
    };
}

pub const MARK: Fork = [
    concat!(
        "UPDATE delivery SET state = 'inflight', next_at = $3, first_at = COALESCE(first_at, $4) \
         WHERE issue_id = $1 AND epoch = $2 AND state = 'claimed' \
         AND subscriber_id IN (SELECT value FROM json_each($5)) ",
        still_wanted!()
    ),
    concat!(
        "UPDATE delivery SET state = 'inflight', next_at = $3, first_at = COALESCE(first_at, $4) \
         WHERE issue_id = $1 AND epoch = $2 AND state = 'claimed' \
         AND subscriber_id IN (SELECT CAST(value AS BIGINT) FROM json_array_elements_text(CAST($5 AS json))) ",
        still_wanted!()
    ),
];

/// Marks claimed deliveries as in flight and gives those it marked: the issue is still sending, the reader is still
/// active, unsuppressed and unpaused, the lease is still this epoch's. Bytes may leave for these once this is
/// committed, and for no others.
///
/// # Errors
/// When the store cannot.
pub async fn mark(
    tx: &mut Tx,
    issue: IssueId,
    epoch: i64,
    lease_until: Millis,
    who: &[SubscriberId],
) -> Result<Vec<SubscriberId>, sqlx::Error> {
    let now = tx.now.0;
    let list = json_list(who.iter().map(|subscriber| subscriber.0));
    let text = spelling(tx, MARK);
    let marked: Vec<(SubscriberId,)> = sql!(tx, fetch_all, text, issue, epoch, lease_until.0, now, list)?;
    Ok(marked.into_iter().map(|(subscriber,)| subscriber).collect())
}

pub const MARKED: Fork = with_ids!(
    "SELECT subscriber_id FROM delivery WHERE issue_id = $1 AND epoch = $2 AND state = 'inflight' \
     AND subscriber_id IN ",
    "$3",
    ""
);

/// Which of these are in flight under this epoch: asked by whoever ordered their marks and never heard whether the
/// commit went through.
///
/// # Errors
/// When the store cannot.
pub async fn marked(
    tx: &mut Tx,
    issue: IssueId,
    epoch: i64,
    who: &[SubscriberId],
) -> Result<Vec<SubscriberId>, sqlx::Error> {
    let (list, text) = (json_list(who.iter().map(|subscriber| subscriber.0)), spelling(tx, MARKED));
    let marked: Vec<(SubscriberId,)> = sql!(tx, fetch_all, text, issue, epoch, list)?;
    Ok(marked.into_iter().map(|(subscriber,)| subscriber).collect())
}

pub const RELEASE: Fork = with_ids!(
    "UPDATE delivery SET state = 'pending', next_at = $3 WHERE issue_id = $1 AND epoch = $2 \
     AND state = 'claimed' AND subscriber_id IN ",
    "$4",
    ""
);

/// Gives claimed deliveries back: due at once, no try counted. The next claim finds out who has left.
///
/// # Errors
/// When the store cannot.
pub async fn release(tx: &mut Tx, issue: IssueId, epoch: i64, who: &[SubscriberId]) -> Result<(), sqlx::Error> {
    let now = tx.now.0;
    let list = json_list(who.iter().map(|subscriber| subscriber.0));
    let text = spelling(tx, RELEASE);
    execute!(tx, text, issue, epoch, now, list).map(drop)
}

/// What a crash or a lost lease left behind, and what was made of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Claimed, nothing sent: pending again.
    pub released: u64,
    /// Perhaps on the wire: in doubt, held.
    pub in_doubt: u64,
}

/// Takes leased rows back, of issues that can have any; `$whose` picks them, by `$2` or without.
macro_rules! unclaim {
    ($whose:literal) => {
        concat!(
            "UPDATE delivery SET state = 'pending', next_at = $1 WHERE state = 'claimed' AND ",
            $whose,
            " AND state IN ('claimed', 'inflight') AND issue_id IN (SELECT id FROM issue WHERE state IN \
             ('sending', 'paused', 'cancelled', 'sent'))"
        )
    };
}
macro_rules! doubt {
    ($whose:literal) => {
        concat!(
            "UPDATE delivery SET state = 'in_doubt', settled_at = $1, attempts = attempts + 1, \
             reason = 'interrupted' WHERE state = 'inflight' AND ",
            $whose,
            " AND state IN ('claimed', 'inflight') AND issue_id IN (SELECT id FROM issue WHERE state IN \
             ('sending', 'paused', 'cancelled', 'sent'))"
        )
    };
}

pub const UNCLAIM: &str = unclaim!("next_at <= $2");
pub const DOUBT: &str = doubt!("next_at <= $2");
pub const UNCLAIM_ORPHANS: &str = unclaim!("(epoch / 4096) % 1024 NOT IN (SELECT seat FROM node WHERE seat <> $2)");
pub const DOUBT_ORPHANS: &str = doubt!("(epoch / 4096) % 1024 NOT IN (SELECT seat FROM node WHERE seat <> $2)");

/// Takes back every lease that ended before `ended`: what was only claimed is pending again, what was in flight is
/// in doubt. At the start of the only process on a database, every lease has ended: `Millis(i64::MAX)`.
///
/// # Errors
/// When the store cannot.
pub async fn recover(tx: &mut Tx, ended: Millis) -> Result<Recovered, sqlx::Error> {
    let now = tx.now.0;
    let released = execute!(tx, UNCLAIM, now, ended.0)?;
    let in_doubt = execute!(tx, DOUBT, now, ended.0)?;
    learn(tx, in_doubt).await?;
    sweep_cancelled(tx).await?;
    Ok(Recovered { released, in_doubt })
}

/// Takes back every lease of nodes that are no more, and of `seat` if it was somebody else's before (0: nobody's).
/// Whoever holds them can do nothing with them any more: the epoch is on every mark and every outcome.
///
/// # Errors
/// When the store cannot.
pub async fn take_back(tx: &mut Tx, seat: i64) -> Result<Recovered, sqlx::Error> {
    let now = tx.now.0;
    let released = execute!(tx, UNCLAIM_ORPHANS, now, seat)?;
    let in_doubt = execute!(tx, DOUBT_ORPHANS, now, seat)?;
    learn(tx, in_doubt).await?;
    if released > 0 {
        sweep_cancelled(tx).await?;
    }
    Ok(Recovered { released, in_doubt })
}

/// Of what has just become doubtful, some is known already.
async fn learn(tx: &mut Tx, in_doubt: u64) -> Result<(), sqlx::Error> {
    if in_doubt > 0 {
        prove_by_leaving(tx).await?;
    }
    Ok(())
}

pub const ORPHANS: &str = "SELECT COUNT(*) FROM (SELECT 1 FROM delivery WHERE state IN ('claimed', 'inflight') \
    AND (epoch / 4096) % 1024 NOT IN (SELECT seat FROM node) AND issue_id IN (SELECT id FROM issue WHERE state IN \
    ('sending', 'paused', 'cancelled', 'sent')) LIMIT 1) AS orphans";

/// Whether there are leases of nodes that are no more.
///
/// # Errors
/// When the store cannot.
pub async fn any_orphans(tx: &mut Tx) -> Result<bool, sqlx::Error> {
    let (orphans,): (i64,) = sql!(tx, fetch_one, ORPHANS)?;
    Ok(orphans > 0)
}

pub const LEFT_OVER: &str = "SELECT i.id FROM issue i WHERE i.state = 'cancelled' \
    AND EXISTS (SELECT 1 FROM delivery d WHERE d.issue_id = i.id AND d.state = 'pending') LIMIT 1";

/// Skips what came back to pending after its issue was cancelled, and what a cancel that was cut short left over: at
/// most [`super::settle::CANCELLED_AT_ONCE`] of one issue. Gives how many; nothing is written where there is nothing.
///
/// # Errors
/// When the store cannot.
pub async fn sweep_cancelled(tx: &mut Tx) -> Result<u64, sqlx::Error> {
    let issue: Option<(IssueId,)> = sql!(tx, fetch_optional, LEFT_OVER)?;
    match issue {
        Some((issue,)) => cancel_pending(tx, issue).await,
        None => Ok(0),
    }
}

const IS_CANCELLED: &str = "SELECT COUNT(*) FROM issue WHERE id = $1 AND state = 'cancelled'";

/// The same for one issue of which deliveries have just come back: one look at one row where it was not cancelled,
/// however many others ever were.
///
/// # Errors
/// When the store cannot.
pub async fn sweep_if_cancelled(tx: &mut Tx, issue: IssueId) -> Result<u64, sqlx::Error> {
    let (cancelled,): (i64,) = sql!(tx, fetch_one, IS_CANCELLED, issue)?;
    if cancelled == 0 { Ok(0) } else { cancel_pending(tx, issue).await }
}

const IN_HAND: &str = "SELECT COUNT(*) FROM issue i WHERE i.state IN ('sending', 'paused', 'cancelled') \
    AND (EXISTS (SELECT 1 FROM delivery WHERE issue_id = i.id AND state IN ('claimed', 'inflight')) \
    OR (i.state = 'sending' AND i.hold_until <= $1 AND NOT EXISTS (SELECT 1 FROM newsletter n \
            WHERE n.id = i.newsletter_id AND n.relay_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM newsletter_relay p \
            JOIN relay r ON r.id = p.relay_id WHERE p.newsletter_id = n.id \
            AND (r.paused_until IS NULL OR r.paused_until <= $1))) \
        AND (EXISTS (SELECT 1 FROM delivery WHERE issue_id = i.id AND state = 'pending' AND next_at <= $1) \
        OR NOT EXISTS (SELECT 1 FROM delivery WHERE issue_id = i.id AND state = 'pending'))))";
const LETTERS_IN_HAND: &str = "SELECT COUNT(*) FROM letter l WHERE l.state IN ('pending', 'claimed', 'inflight') \
    AND (l.state <> 'pending' OR (l.next_at <= $1 AND NOT EXISTS (SELECT 1 FROM newsletter n \
    WHERE n.id = l.newsletter_id AND n.relay_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM newsletter_relay p \
    JOIN relay r ON r.id = p.relay_id WHERE p.newsletter_id = n.id \
    AND (r.paused_until IS NULL OR r.paused_until <= $1)))))";

/// Whether there is anything to do at this instant: a delivery or letter that is due and can go, a lease that is
/// held, an audience that is being frozen, an issue that waits to be called finished.
///
/// # Errors
/// When the store cannot.
pub async fn is_anything_in_hand(tx: &mut Tx) -> Result<bool, sqlx::Error> {
    let now = tx.now.0;
    let (issues,): (i64,) = sql!(tx, fetch_one, IN_HAND, now)?;
    let (letters,): (i64,) = sql!(tx, fetch_one, LETTERS_IN_HAND, now)?;
    Ok(issues + letters > 0 || !super::freeze::all(tx).await?.is_empty())
}

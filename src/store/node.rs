//! Nodes: the processes that serve this database, and whether their hearts beat.

use std::collections::{HashMap, HashSet};

use super::Tx;
use crate::values::ids::{IssueId, NodeId};

/// A process that serves, as others see it.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow, serde::Serialize)]
pub struct NodeRow {
    pub id: NodeId,
    pub seat: i64,
    pub place: String,
    pub host: String,
    pub pid: i64,
    pub version: String,
    pub roles: String,
    pub started_at: i64,
    pub heartbeat_at: i64,
    pub beats: i64,
    pub skew_ms: i64,
}

const INSERT: &str = "INSERT INTO node (id, seat, place, host, pid, version, roles, started_at, heartbeat_at) \
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8) ON CONFLICT DO NOTHING";

/// Takes a seat; `false` if somebody else just did.
///
/// # Errors
/// When the store cannot.
pub async fn insert(tx: &mut Tx, row: &NodeRow) -> Result<bool, sqlx::Error> {
    let NodeRow { id, seat, place, host, pid, version, roles, started_at, .. } = row;
    Ok(execute!(tx, INSERT, id, seat, place, host, pid, version, roles, started_at)? == 1)
}

const ALL: &str = "SELECT * FROM node ORDER BY id";

/// Every node that nobody has taken away, oldest first.
///
/// # Errors
/// When the store cannot.
pub async fn all(tx: &mut Tx) -> Result<Vec<NodeRow>, sqlx::Error> {
    sql!(tx, fetch_all, ALL)
}

/// Seats that are taken.
///
/// # Errors
/// When the store cannot.
pub async fn seats(tx: &mut Tx) -> Result<HashSet<i64>, sqlx::Error> {
    Ok(all(tx).await?.into_iter().map(|row| row.seat).collect())
}

/// Differs because SQLite lives in the process whose clock it would be compared with.
const BEAT: [&str; 2] = [
    "UPDATE node SET beats = beats + 1, heartbeat_at = $2 WHERE id = $1 RETURNING beats, skew_ms",
    "UPDATE node SET beats = beats + 1, heartbeat_at = $2, \
     skew_ms = $2 - CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT) WHERE id = $1 \
     RETURNING beats, skew_ms",
];

/// One beat: how many there were, and how far the node's clock is ahead of the server's. `None`: the row was taken
/// away, and every lease with it.
///
/// # Errors
/// When the store cannot.
pub async fn beat(tx: &mut Tx, id: NodeId) -> Result<Option<(i64, i64)>, sqlx::Error> {
    let (now, text) = (tx.now.0, BEAT[usize::from(!tx.is_sqlite())]);
    sql!(tx, fetch_optional, text, id, now)
}

/// Differs because SQLite has one writer and no row locks; on Postgres nobody can take the row away until the
/// transaction ends, while heart-beats, which change no key, go on.
const HOLD: [&str; 2] = ["SELECT seat FROM node WHERE id = $1", "SELECT seat FROM node WHERE id = $1 FOR KEY SHARE"];

/// Whether a node is still one: asked in every transaction that claims, so that no claim appears under a seat that
/// was given up.
///
/// # Errors
/// When the store cannot.
pub async fn is_there(tx: &mut Tx, id: NodeId) -> Result<bool, sqlx::Error> {
    let text = HOLD[usize::from(!tx.is_sqlite())];
    let seat: Option<(i64,)> = sql!(tx, fetch_optional, text, id)?;
    Ok(seat.is_some())
}

const FENCE: &str = "DELETE FROM node WHERE id = $1 AND beats = $2";

/// Takes a node away whose heart has not beaten since `beats`; `false` if it has.
///
/// # Errors
/// When the store cannot.
pub async fn fence(tx: &mut Tx, id: NodeId, beats: i64) -> Result<bool, sqlx::Error> {
    Ok(execute!(tx, FENCE, id, beats)? == 1)
}

const REMOVE: &str = "DELETE FROM node WHERE id = $1";

/// A node leaves in order.
///
/// # Errors
/// When the store cannot.
pub async fn remove(tx: &mut Tx, id: NodeId) -> Result<(), sqlx::Error> {
    execute!(tx, REMOVE, id).map(drop)
}

const REMOVE_PLACE: &str = "DELETE FROM node WHERE place = $1";

/// Takes away whoever served a data folder before: its lock is ours, so that process is dead.
///
/// # Errors
/// When the store cannot.
pub async fn remove_place(tx: &mut Tx, place: &str) -> Result<(), sqlx::Error> {
    execute!(tx, REMOVE_PLACE, place).map(drop)
}

const REMOVE_ALL: &str = "DELETE FROM node";

/// Takes all away: at the start of the only process on a SQLite database.
///
/// # Errors
/// When the store cannot.
pub async fn remove_all(tx: &mut Tx) -> Result<(), sqlx::Error> {
    execute!(tx, REMOVE_ALL).map(drop)
}

/// Which database this is, as its server tells it: a copy has another `server` or `database`, one that was brought
/// back to an earlier point, or a standby that took over, another `timeline`.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Home {
    pub server: String,
    pub database: i64,
    pub timeline: String,
    /// A commit waits for a standby, so that one that takes over has forgotten nothing.
    pub is_mirrored: bool,
}

const TELLS_HOME: &str = "SELECT COALESCE(has_function_privilege(to_regprocedure('pg_control_system()'), 'execute') \
    AND has_function_privilege(to_regprocedure('pg_walfile_name(pg_lsn)'), 'execute'), FALSE)";
const HOME: &str = "SELECT CAST((SELECT system_identifier FROM pg_control_system()) AS TEXT) AS server, \
    CAST((SELECT oid FROM pg_database WHERE datname = current_database()) AS BIGINT) AS database, \
    SUBSTR(pg_walfile_name(pg_current_wal_lsn()), 1, 8) AS timeline, \
    (current_setting('synchronous_standby_names') <> '' \
     AND current_setting('synchronous_commit') NOT IN ('off', 'local')) AS is_mirrored";

/// The database's home. `None` where there is nothing to tell: SQLite (differs because it has no server, and a file
/// beside it instead), and servers that keep it to themselves.
///
/// # Errors
/// When the store cannot.
pub async fn home(tx: &mut Tx) -> Result<Option<Home>, sqlx::Error> {
    if tx.is_sqlite() {
        return Ok(None);
    }
    let (tells,): (bool,) = sql!(tx, fetch_one, TELLS_HOME)?;
    if tells { sql!(tx, fetch_one, HOME).map(Some) } else { Ok(None) }
}

const HOLDS: &str = "SELECT (epoch / 4096) % 1024 AS seat, COUNT(*) FROM delivery WHERE state IN ('claimed', 'inflight') \
    AND issue_id IN (SELECT id FROM issue WHERE state IN ('sending', 'paused', 'cancelled', 'sent')) GROUP BY 1";

/// How many deliveries each seat has in its hands, claimed or on the wire.
///
/// # Errors
/// When the store cannot.
pub async fn holds(tx: &mut Tx) -> Result<HashMap<i64, i64>, sqlx::Error> {
    let rows: Vec<(i64, i64)> = sql!(tx, fetch_all, HOLDS)?;
    Ok(rows.into_iter().collect())
}

const MOVING: &str =
    "SELECT id, state, updated_at FROM issue WHERE state IN ('ready', 'scheduled', 'sending', 'paused')";

/// Issues that are on their way: what becomes of them may be another process's doing.
///
/// # Errors
/// When the store cannot.
pub async fn moving(tx: &mut Tx) -> Result<Vec<(IssueId, String, i64)>, sqlx::Error> {
    sql!(tx, fetch_all, MOVING)
}

//! Nodes: this process among those that serve one Postgres database, and what is done when a heart stops.
//!
//! A node takes a seat, beats, and watches the others. A heart that stands still for `FENCE_BEATS` is taken for
//! dead: one statement removes its row, and every lease whose seat has no row goes back: what was claimed is pending
//! again, what may have been on the wire is in doubt. A node that was only asleep finds its row gone, takes a new
//! seat and goes on; nothing it still holds can be marked or settled, because the rows are no longer its epoch's.
//!
//! Nobody compares clocks of two machines: a watcher counts on its own, and starts anew whenever it did not hear its
//! own heart, so that a database that was away for all makes nobody dead. On SQLite there is one node, kept single by
//! the folder's lock; it takes back at its start whatever the one before it left.

mod hear;
mod watch;

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::time::Instant;

use crate::config::Config;
use crate::store::delivery::claim::{self, Recovered};
use crate::store::node::{self, Home, NodeRow};
use crate::store::{Tx, letter};
use crate::values::clock::Millis;
use crate::values::ids::{NodeId, SEATS, epoch};
use crate::values::token::random_secret;
use crate::verbs::app::App;
use crate::verbs::instance;
use watch::Watch;

pub use hear::hear;

/// A node is dead after so many beats that others did not hear.
const FENCE_BEATS: u32 = 4;
/// It stops sending by itself after so many halves of a beat that it could not write: well before it is dead to
/// others, with room for a beat on its way and for clocks that do not run alike.
const TRUST_HALF_BEATS: u32 = 5;
/// See [`patience`].
const PATIENCE_BEATS: u32 = 15;
/// For taking back what dead nodes held; what hangs longer is begun anew with the next beat.
const TAKING_MAX: Duration = Duration::from_secs(10);
/// On SQLite nobody watches; the beat only shows in `node list` that the process lives.
const BEAT_ALONE: Duration = Duration::from_secs(30);
/// Seats tried at the start before it is given up: two nodes that start at once may draw the same.
const SEATS_TRIED_MAX: usize = 16;
/// A clock this far from the database server's is told: what is due is decided by the nodes' own clocks.
const SKEW_TOLD_MS: i64 = 2 * Millis::SECOND;

const FORGOTTEN: &str =
    "the database has forgotten what was committed seconds ago (a standby that was behind took over?)";

/// This process as a node; empty until [`enter`].
#[derive(Debug, Default)]
pub struct Node(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    seat: Option<Seat>,
    /// Not the first seat: the folder's former process is long taken care of.
    has_entered: bool,
    /// Mail is on hold until somebody says go; read with every beat, and only on Postgres.
    is_held: bool,
    /// Which database this was at the last beat.
    home: Option<Home>,
}

#[derive(Clone, Copy, Debug)]
struct Seat {
    id: NodeId,
    number: i64,
    /// Beats that are known to be committed: a database that counts fewer has forgotten some.
    beats: i64,
    /// `None`: it is alone on its database, and nobody takes anything from it.
    trusted: Option<(Instant, Millis)>,
}

impl Node {
    /// Whether bytes may leave now: asked just before they do. `false` while this node is not one, or could not write
    /// its heart-beat for so long that others may be about to take its leases back.
    #[must_use]
    pub fn may_send(&self, now: Millis) -> bool {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Two clocks, because the steady one stands still while a machine sleeps and the other one may be set.
        !state.is_held
            && state
                .seat
                .is_some_and(|seat| seat.trusted.is_none_or(|(until, wall)| Instant::now() < until && now < wall))
    }

    /// Its id, while it is a node.
    #[must_use]
    pub fn id(&self) -> Option<NodeId> {
        self.seat().map(|seat| seat.id)
    }

    fn seat(&self) -> Option<Seat> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).seat
    }

    fn sit(&self, seat: Option<Seat>) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.seat = seat;
        state.has_entered |= seat.is_some();
    }

    /// Remembers which database this is, and whether it holds its mail; says whether it is another than before.
    fn look_around(&self, home: Option<Home>, is_held: bool) -> bool {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.is_held = is_held;
        let before = std::mem::replace(&mut state.home, home);
        before.is_some() && before != state.home
    }

    fn has_entered(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).has_entered
    }
}

/// Takes a seat, and takes back what the process before this one in the folder left behind. Does nothing if it has
/// a seat already.
///
/// # Errors
/// When the store cannot, or the folder's name cannot be kept.
pub async fn enter(app: &App) -> anyhow::Result<()> {
    if app.node.seat().is_some() {
        return Ok(());
    }
    let place = place(app)?;
    for _ in 0..SEATS_TRIED_MAX {
        let began = Instant::now();
        let mut tx = app.store.pulse().await?;
        if !app.node.has_entered() {
            forget_former(&mut tx, &place).await?;
        }
        let row = row(app, &mut tx, &place).await?;
        if !node::insert(&mut tx, &row).await? {
            continue;
        }
        take_back(&mut tx, row.seat).await?;
        let now = tx.now;
        tx.commit().await?;
        let trusted = (!app.store.is_sqlite()).then(|| trust(app, began, now));
        app.node.sit(Some(Seat { id: row.id, number: row.seat, beats: 0, trusted }));
        return Ok(());
    }
    bail!("no seat for this node could be had: too many start at once, or all {SEATS} are taken")
}

async fn forget_former(tx: &mut Tx, place: &str) -> anyhow::Result<()> {
    if tx.is_sqlite() {
        node::remove_all(tx).await?
    } else {
        node::remove_place(tx, place).await?
    }
    Ok(())
}

async fn row(app: &App, tx: &mut Tx, place: &str) -> anyhow::Result<NodeRow> {
    let taken = node::seats(tx).await?;
    let first = i64::from(u16::from_be_bytes([random_secret()?[0], random_secret()?[0]]));
    let seat = (0..SEATS).map(|step| (first + step) % SEATS).find(|seat| *seat != 0 && !taken.contains(seat));
    let host = hostname::get().ok().and_then(|host| host.into_string().ok()).unwrap_or_default();
    Ok(NodeRow {
        id: NodeId::new(tx.now),
        seat: seat.with_context(|| format!("all {SEATS} seats are taken"))?,
        place: place.to_owned(),
        host,
        pid: i64::from(std::process::id()),
        version: env!("CARGO_PKG_VERSION").into(),
        roles: app.config.roles.clone(),
        started_at: tx.now.0,
        heartbeat_at: tx.now.0,
        beats: 0,
        skew_ms: 0,
    })
}

/// The data folder's own name, drawn when it is first asked for.
fn place(app: &App) -> anyhow::Result<String> {
    let path = app.config.data.join("node");
    if let Ok(kept) = std::fs::read_to_string(&path)
        && !kept.trim().is_empty()
    {
        return Ok(kept.trim().to_owned());
    }
    let drawn: String = random_secret()?.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    std::fs::write(&path, &drawn).with_context(|| format!("{} cannot be written", path.display()))?;
    Ok(drawn)
}

/// The epoch for a claim in `tx`, which is this node's until `tx` ends. `None`: it is not a node (any more), and
/// nothing may be claimed.
///
/// # Errors
/// When the store cannot.
pub async fn claiming(app: &App, tx: &mut Tx) -> anyhow::Result<Option<i64>> {
    let Some(seat) = app.node.seat() else { return Ok(None) };
    let fine = app.node.may_send(tx.now) && node::is_there(tx, seat.id).await?;
    Ok(fine.then(|| epoch(tx.now, seat.number)))
}

/// How long the database may take for a statement: several times as long as others wait for a heart, half a minute
/// unless set. A connection that is silent for longer is gone, whatever the system's network still hopes.
#[must_use]
pub fn patience(config: &Config) -> Duration {
    Duration::from_millis(config.heartbeat_ms) * PATIENCE_BEATS
}

/// Beats and watches until it is dropped.
pub async fn beat(app: App) {
    let mut watch = Watch::new(beat_time(&app));
    let mut silent = false;
    // Taking back may wait for locks; the heart does not wait for it.
    let mut taking = tokio::task::JoinSet::new();
    loop {
        tokio::time::sleep(beat_time(&app)).await;
        while taking.try_join_next().is_some() {}
        match tokio::time::timeout(beat_time(&app) * 2, once(&app)).await {
            Ok(Ok(others)) => {
                silent = false;
                let dead = watch.dead(&others, Instant::now());
                if taking.is_empty() && !app.store.is_sqlite() {
                    taking.spawn(tokio::time::timeout(TAKING_MAX, take_over(app.clone(), dead)));
                }
            }
            Ok(Err(error)) => told(&mut silent, &format!("{error:#}")),
            Err(_) => {
                told(&mut silent, "the database does not answer");
                app.store.renew_pulse();
            }
        }
    }
}

fn told(silent: &mut bool, why: &str) {
    if !std::mem::replace(silent, true) {
        tracing::warn!("this node's heart-beat cannot be written ({why}); it sends nothing until it can");
    }
}

/// One beat; gives the others and what they have beaten.
async fn once(app: &App) -> anyhow::Result<Vec<(NodeId, i64)>> {
    let Some(seat) = app.node.seat() else {
        enter(app).await?;
        return Ok(Vec::new());
    };
    let began = Instant::now();
    let mut tx = app.store.pulse().await?;
    let beaten = node::beat(&mut tx, seat.id).await?;
    let (rows, home, now) = (node::all(&mut tx).await?, node::home(&mut tx).await?, tx.now);
    let is_held = home.is_some() && instance::is_held(&mut tx).await?;
    tx.commit().await?;
    if app.node.look_around(home, is_held) {
        instance::check(app).await?;
    }
    let Some((beats, skew_ms)) = beaten else {
        tracing::warn!("this node was taken for dead, and its leases were taken back; it goes on under a new name");
        app.node.sit(None);
        enter(app).await?;
        return Ok(Vec::new());
    };
    if beats <= seat.beats {
        instance::put_on_hold(app, FORGOTTEN).await?;
    }
    let trusted = seat.trusted.map(|_| trust(app, began, now));
    app.node.sit(Some(Seat { beats, trusted, ..seat }));
    if skew_ms.abs() > SKEW_TOLD_MS {
        tracing::warn!("this machine's clock is {skew_ms} ms ahead of the database server's; set one of them");
    }
    Ok(rows.into_iter().filter(|row| row.id != seat.id).map(|row| (row.id, row.beats)).collect())
}

/// Takes the dead away, with what they held, and every lease whose node went some other way.
async fn take_over(app: App, dead: Vec<(NodeId, i64)>) {
    for (id, beats) in dead {
        match fence(&app, id, beats).await {
            Ok(true) => tracing::warn!(node = %id, "a node's heart stands still; what it held was taken back"),
            Ok(false) => {}
            Err(error) => tracing::warn!(node = %id, "a dead node cannot be taken away yet: {error:#}"),
        }
    }
    match sweep(&app).await {
        Ok(true) => app.wake.notify_waiters(),
        Ok(false) => {}
        Err(error) => tracing::warn!("what dead nodes held cannot be taken back yet: {error:#}"),
    }
}

async fn fence(app: &App, id: NodeId, beats: i64) -> anyhow::Result<bool> {
    let mut tx = app.store.pulse().await?;
    let fenced = node::fence(&mut tx, id, beats).await?;
    tx.commit().await?;
    Ok(fenced)
}

/// Takes back the leases of nodes that are no more, if there are any.
async fn sweep(app: &App) -> anyhow::Result<bool> {
    let mut tx = app.store.pulse().await?;
    let any = claim::any_orphans(&mut tx).await? || letter::any_orphans(&mut tx).await?;
    if any {
        take_back(&mut tx, 0).await?;
    }
    tx.commit().await?;
    Ok(any)
}

/// Gives the seat up, in order; what is still held then is taken back.
///
/// # Errors
/// When the store cannot; then others will find out by themselves.
pub async fn leave(app: &App) -> anyhow::Result<()> {
    let Some(seat) = app.node.seat() else { return Ok(()) };
    app.node.sit(None);
    let mut tx = app.store.pulse().await?;
    node::remove(&mut tx, seat.id).await?;
    take_back(&mut tx, 0).await?;
    Ok(tx.commit().await?)
}

async fn take_back(tx: &mut Tx, seat: i64) -> anyhow::Result<()> {
    tell(claim::take_back(tx, seat).await?);
    Ok(letter::take_back(tx, seat).await?)
}

/// Says what was taken back, if anything was.
pub(super) fn tell(found: Recovered) {
    if found.released + found.in_doubt > 0 {
        tracing::warn!(
            "found {} claimed deliveries (pending again) and {} that may have been on the wire (in doubt, held)",
            found.released,
            found.in_doubt
        );
    }
}

/// A node as it is shown to people.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Standing {
    #[serde(flatten)]
    pub row: NodeRow,
    /// Milliseconds since its last heart-beat, as far as two clocks agree.
    pub silent_ms: i64,
    /// Longer than two beats: it is about to be taken for dead.
    pub is_late: bool,
    /// Deliveries it has claimed or on the wire.
    pub holds: i64,
    /// Whether it is the process that was asked.
    pub is_this: bool,
}

/// Every node that serves this database.
///
/// # Errors
/// When the store cannot.
pub async fn list(app: &App) -> anyhow::Result<Vec<Standing>> {
    let mut tx = app.store.read().await?;
    let (rows, holds, me) = (node::all(&mut tx).await?, node::holds(&mut tx).await?, app.node.id());
    let late = i64::try_from(beat_time(app).as_millis() * 2).unwrap_or(i64::MAX);
    let now = tx.now;
    let standing = |row: NodeRow| {
        let silent_ms = now.since(Millis(row.heartbeat_at - row.skew_ms)).max(0);
        let (holds, is_this) = (holds.get(&row.seat).copied().unwrap_or(0), Some(row.id) == me);
        Standing { row, silent_ms, is_late: silent_ms > late, holds, is_this }
    };
    Ok(rows.into_iter().map(standing).collect())
}

fn beat_time(app: &App) -> Duration {
    if app.store.is_sqlite() { BEAT_ALONE } else { Duration::from_millis(app.config.heartbeat_ms) }
}

fn trust(app: &App, began: Instant, now: Millis) -> (Instant, Millis) {
    let share = beat_time(app) * TRUST_HALF_BEATS / 2;
    (began + share, now.plus(i64::try_from(share.as_millis()).unwrap_or(0)))
}

//! Delivery: from rows that are pending to rows that say how it ended.
//!
//! One *line* a relay claims what is due and has it made by *makers*, threads that splice and sign ahead; its
//! *workers*, one connection each, take what is ready. All of them write through one *writer*, which commits marks
//! while what goes before is on its way; how fast and where to says the *pacer*. Nothing here decides what an answer
//! means (`delivery::step` does) or who may be mailed (the claim and the mark do, from the rows). Deliberately absent: a
//! transaction that waits for the network.

pub(super) mod job;
mod laden;
mod lane;
mod line;
mod maker;
mod night;
mod pacer;
mod peers;
mod ready;
pub(super) mod sheet;
pub mod unwritten;
mod worker;
mod writer;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use line::Line;
use maker::Makers;
use peers::Peers;
use writer::Writer;

/// Messages marked and unanswered for each connection at most: a far relay's window, and what is marked ahead while the
/// disk is slow. A relay with one connection has no use for all that one with twenty may have in doubt.
pub(in crate::verbs) const MARKED_MAX: u32 = WINDOW_AUTO + 4;

pub use sheet::return_domain;
pub(in crate::verbs) use writer::INFLIGHT_LEASE_MS;

use crate::smtp::client::WINDOW_AUTO;
use crate::store::delivery::claim;
use crate::store::{issue, letter};
use crate::values::clock::Millis;
use crate::values::ids::RelayId;
use crate::verbs::app::App;
use crate::verbs::publish::freezing::Watch;
use crate::verbs::{breakers, instance, nodes, publish};

/// How often the rows are asked which relays have work, where nobody rings.
const TICK: Duration = Duration::from_millis(500);
/// How often leases that ran out are looked for.
const RECOVER_EVERY_MS: i64 = 15 * Millis::SECOND;
/// How often the instance's epoch steps on while there is mail: a backup put back is told from the present if mail
/// went out for longer than this since.
const ADVANCE_EVERY_MS: i64 = 15 * Millis::SECOND;
/// How often breakers tell what they saw and hear what others did.
const SHARE_EVERY: Duration = Duration::from_secs(2);
/// How often `drain` looks whether all is done; a message takes about as long.
const DRAIN_LOOK: Duration = Duration::from_millis(5);

/// Sends what is due until the program is asked to stop; then nothing new is begun, what is on the wire ends (within
/// thirty seconds), what was claimed is given back.
///
/// # Errors
/// When the ledger cannot be read at the start.
pub async fn run(app: App) -> anyhow::Result<()> {
    let stop = app.stop.clone();
    run_until(app, stop).await
}

/// Sends everything that is due at this moment and can go, and comes back: for tests and the command line.
///
/// # Errors
/// When the ledger cannot be read.
pub async fn drain(app: &App) -> anyhow::Result<()> {
    let stop = app.stop.child_token();
    nodes::enter(app).await?;
    let beating = tokio::spawn(nodes::beat(app.clone()));
    let engine = tokio::spawn(run_until(app.clone(), stop.clone()));
    while !engine.is_finished() && instance::hold(app).await?.is_none() {
        let mut tx = app.store.read().await?;
        let busy = claim::is_anything_in_hand(&mut tx).await?;
        drop(tx);
        if !busy {
            break;
        }
        tokio::time::sleep(DRAIN_LOOK).await;
    }
    stop.cancel();
    let ended = engine.await?;
    beating.abort();
    nodes::leave(app).await?;
    ended
}

/// The same with a stop of its own.
///
/// # Errors
/// When the ledger cannot be read at the start.
pub async fn run_until(app: App, stop: CancellationToken) -> anyhow::Result<()> {
    nodes::enter(&app).await?;
    let ending = app.clone();
    let (writer, writing) = Writer::start(app.clone());
    let makers = Makers::start().context("no thread can be had for signing; nothing was sent")?;
    let (lines, never) = (HashMap::new(), Millis(0));
    let peers = Arc::default();
    let freezing = Watch::default();
    let mut engine = Engine {
        app,
        writer,
        makers,
        peers,
        stop,
        lines,
        freezing,
        shared_at: Instant::now(),
        recovered_at: never,
        advanced_at: never,
    };
    engine.watch().await;
    engine.end().await;
    writing.await?;
    if let Err(error) = breakers::share(&ending).await {
        tracing::warn!("what breakers saw last could not be written down: {error:#}");
    }
    Ok(())
}

struct Engine {
    app: App,
    writer: Writer,
    makers: Makers,
    peers: Arc<Peers>,
    stop: CancellationToken,
    lines: HashMap<Option<RelayId>, JoinHandle<()>>,
    freezing: Watch,
    shared_at: Instant,
    recovered_at: Millis,
    advanced_at: Millis,
}

impl Engine {
    async fn watch(&mut self) {
        while !self.stop.is_cancelled() {
            if let Err(error) = self.look().await {
                tracing::error!("the ledger cannot be read, sending waits: {error:#}");
            }
            tokio::select! {
                () = self.stop.cancelled() => {}
                () = self.app.wake.notified() => {}
                () = tokio::time::sleep(TICK) => {}
            }
        }
    }

    /// Opens lines for relays that have work, pauses issues that have lost their relay, takes back lost leases.
    async fn look(&mut self) -> anyhow::Result<()> {
        if instance::hold(&self.app).await?.is_some() {
            return Ok(());
        }
        self.app.replies.refresh(&self.app.config.data);
        let now = self.app.clock.now();
        if now.since(self.recovered_at) >= RECOVER_EVERY_MS {
            self.recovered_at = now;
            recover(&self.app).await?;
        }
        if self.shared_at.elapsed() >= SHARE_EVERY {
            self.shared_at = Instant::now();
            breakers::share(&self.app).await?;
        }
        self.freezing.look(&self.app).await?;
        let wanted = self.wanted().await?;
        if !wanted.is_empty() && now.since(self.advanced_at) >= ADVANCE_EVERY_MS {
            self.advanced_at = now;
            instance::advance(&self.app).await?;
        }
        for relay in wanted {
            let running = self.lines.get(&relay).is_some_and(|line| !line.is_finished());
            if !running {
                let line = Line::new(
                    self.app.clone(),
                    relay,
                    self.writer.clone(),
                    self.makers.clone(),
                    Arc::clone(&self.peers),
                    self.stop.clone(),
                );
                self.lines.insert(relay, tokio::spawn(line.run()));
            }
        }
        Ok(())
    }

    async fn wanted(&self) -> anyhow::Result<Vec<Option<RelayId>>> {
        if !self.app.outlet.needs_relay() {
            return Ok(vec![None]);
        }
        let mut tx = self.app.store.read().await?;
        let (busy, stranded) = (issue::busy_relays(&mut tx).await?, issue::stranded(&mut tx).await?);
        drop(tx);
        for issue in stranded {
            publish::pause(&self.app, issue, "the newsletter has no relay: give it one, then resume").await?;
        }
        Ok(busy.into_iter().map(Some).collect())
    }

    /// Lines end by the stop; the writer ends when the last of them has let go of it.
    async fn end(self) {
        for (_, line) in self.lines {
            // A line that panicked has nothing to end.
            let _ = line.await;
        }
    }
}

/// Leases that ran out while their node lives: a connection that hung longer than any conversation may.
async fn recover(app: &App) -> anyhow::Result<()> {
    let mut tx = app.store.write().await?;
    let ended = tx.now;
    let found = claim::recover(&mut tx, ended).await?;
    letter::recover(&mut tx, ended).await?;
    tx.commit().await?;
    nodes::tell(found);
    Ok(())
}

/// A random number from 0 to 1.
fn chance() -> f64 {
    let mut bytes = [0_u8; 4];
    // Without randomness, pauses are all shortest; nothing worse.
    let _ = aws_lc_rs::rand::fill(&mut bytes);
    f64::from(u32::from_be_bytes(bytes)) / f64::from(u32::MAX)
}

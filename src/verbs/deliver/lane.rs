//! A relay as its connections see it: where it is, and whether it rests.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use crate::delivery::outcome::Fault;
use crate::delivery::reply::Answer;
use crate::delivery::retry::relay_rest_ms;
use crate::delivery::step::Said;
use crate::smtp::client::Target;
use crate::store::relay;
use crate::values::clock::Millis;
use crate::values::ids::RelayId;
use crate::verbs::app::App;

/// Where there is no row to write a rest on (the demo's catcher), a fault is waited out for this long.
const REST_WITHOUT_ROW_MS: i64 = Millis::SECOND;

pub(super) struct Lane {
    /// `None`: the catcher, which is no relay and has no row.
    pub relay: Option<RelayId>,
    pub target: Target,
    /// Unix milliseconds; jobs that come before it are given back unsent.
    resting_until: AtomicI64,
    /// Whether the row has faults that the next success takes away.
    faulty: AtomicBool,
    /// Connections that fail together make one fault.
    telling: tokio::sync::Mutex<()>,
}

impl Lane {
    pub(super) fn new(relay: Option<RelayId>, target: Target, faulty: bool) -> Self {
        let (resting_until, faulty) = (AtomicI64::new(0), AtomicBool::new(faulty));
        Self { relay, target, resting_until, faulty, telling: tokio::sync::Mutex::new(()) }
    }

    pub(super) fn is_resting(&self, now: Millis) -> bool {
        now.0 < self.resting_until.load(Ordering::SeqCst)
    }

    /// A message was taken: whatever was wrong is over. Not while the relay rests: then the message had been begun
    /// before the fault and says nothing about it.
    pub(super) async fn works(&self, app: &App) {
        if !self.faulty.load(Ordering::SeqCst) {
            return;
        }
        let _one = self.telling.lock().await;
        let Some(id) = self.relay.filter(|_| !self.is_resting(app.clock.now())) else { return };
        match clear(app, id).await {
            Ok(()) => self.faulty.store(false, Ordering::SeqCst),
            Err(error) => tracing::warn!("that the relay works again could not be written down: {error:#}"),
        }
    }

    /// The row says that the relay does not rest, and the row is right: somebody said "try again now".
    pub(super) fn wake(&self) {
        self.resting_until.store(0, Ordering::SeqCst);
    }

    /// A fault of ours: the relay rests, with the answer as the reason, and no reader is touched.
    pub(super) async fn rest(&self, app: &App, fault: Fault, answer: &Answer) {
        let _one = self.telling.lock().await;
        if self.is_resting(app.clock.now()) {
            return;
        }
        self.faulty.store(true, Ordering::SeqCst);
        let until = match pause(app, self.relay, fault, answer).await {
            Ok(until) => until,
            Err(error) => {
                tracing::warn!("the relay's rest could not be written down: {error:#}");
                app.clock.now().plus(REST_WITHOUT_ROW_MS)
            }
        };
        self.resting_until.store(until.0, Ordering::SeqCst);
    }
}

async fn pause(app: &App, id: Option<RelayId>, fault: Fault, answer: &Answer) -> anyhow::Result<Millis> {
    let Some(id) = id else { return Ok(app.clock.now().plus(REST_WITHOUT_ROW_MS)) };
    let mut tx = app.store.write().await?;
    let Some(row) = relay::by_id(&mut tx, id).await? else { anyhow::bail!("the relay is gone") };
    if let Some(until) = row.paused_until.map(Millis).filter(|until| *until > tx.now) {
        return Ok(until);
    }
    let faults = u32::try_from(row.faults + 1).unwrap_or(u32::MAX);
    let until = tx.now.plus(relay_rest_ms(faults, fault.rest_min_ms(), super::chance()));
    let said = Said::of(answer);
    let code = said.code.map(|code| format!(" {code}")).unwrap_or_default();
    let reason = format!("{}:{code} {}", said.stage.unwrap_or_default(), said.text.unwrap_or_default());
    relay::pause(&mut tx, id, until, &reason).await?;
    tx.commit().await?;
    tracing::warn!(relay = row.name, fault = fault.as_str(), "{} {reason}", fault.explain());
    Ok(until)
}

async fn clear(app: &App, id: RelayId) -> anyhow::Result<()> {
    let mut tx = app.store.write().await?;
    relay::clear_pause(&mut tx, id).await?;
    tx.commit().await?;
    Ok(())
}

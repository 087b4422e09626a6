//! Limits in use: what is taken from them, kept where every node sees it and a restart forgets nothing.
//!
//! Takers take a second's worth at once in one short transaction (`delivery::pace::meter`). The row is locked while it
//! is changed, so a limit holds for the sum of all nodes. The slow-down of a relay is in the same row.

use std::collections::HashMap;
use std::io::ErrorKind;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use super::app::App;
use crate::delivery::pace::adapt::Adapt;
use crate::delivery::pace::gate::Troubled;
use crate::delivery::pace::meter::{Grant, Limits, Meter, Wait};
use crate::delivery::pace::sites::Sites;
use crate::store::relay::Relay;
use crate::store::{Tx, pace, relay};
use crate::values::clock::Millis;
use crate::values::ids::{NewsletterId, RelayId};

/// Receiving sites that are slower than they would be, as the lines of this process saw them last, by relay.
#[derive(Debug, Default)]
pub struct Troubles(Mutex<HashMap<Option<RelayId>, Vec<Troubled>>>);

impl Troubles {
    pub(super) fn keep(&self, relay: Option<RelayId>, troubled: Vec<Troubled>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(relay, troubled);
    }

    #[must_use]
    pub fn of(&self, relay: Option<RelayId>) -> Vec<Troubled> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&relay).cloned().unwrap_or_default()
    }
}

/// The operator's table of receiving sites, in the data folder.
pub const SITES_FILE: &str = "sites.toml";
/// A longer file is a mistake; ours has a hundred lines.
const SITES_BYTES_MAX: u64 = 1024 * 1024;

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Kept {
    meter: Meter,
    adapt: Adapt,
}

impl Kept {
    /// What cannot be read is begun anew: a limit forgotten for a moment is better than mail that stands still.
    fn of(state: &str) -> Self {
        serde_json::from_str(state).unwrap_or_default()
    }

    fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

fn row(relay: RelayId) -> String {
    format!("relay/{relay}")
}

fn sites_row(relay: RelayId) -> String {
    format!("relay/{relay}/sites")
}

/// Takes up to `wanted` messages from a relay's limits.
///
/// # Errors
/// When the database cannot be written; then nothing was taken.
pub(super) async fn take(
    app: &App,
    relay: RelayId,
    limits: &Limits,
    wanted: u32,
) -> anyhow::Result<Result<Grant, Wait>> {
    let mut tx = app.store.write().await?;
    let mut kept = Kept::of(&pace::lock(&mut tx, &row(relay)).await?);
    let granted = kept.meter.take(limits, wanted, tx.now);
    if granted.is_ok() {
        pace::write(&mut tx, &row(relay), &kept.text()).await?;
        tx.commit().await?;
    }
    Ok(granted)
}

/// Gives back what was taken and not used.
///
/// # Errors
/// When the database cannot be written; then it is lost, and the limit is kept all the same.
pub(super) async fn give_back(app: &App, relay: RelayId, many: u32, counted_at: Millis) -> anyhow::Result<()> {
    let mut tx = app.store.write().await?;
    let mut kept = Kept::of(&pace::lock(&mut tx, &row(relay)).await?);
    kept.meter.give_back(many, counted_at);
    pace::write(&mut tx, &row(relay), &kept.text()).await?;
    Ok(tx.commit().await?)
}

/// Writes down how slow a relay is treated.
///
/// # Errors
/// When the database cannot be written.
pub(super) async fn write_adapt(app: &App, relay: RelayId, adapt: Adapt) -> anyhow::Result<()> {
    let mut tx = app.store.write().await?;
    let mut kept = Kept::of(&pace::lock(&mut tx, &row(relay)).await?);
    kept.adapt = adapt;
    pace::write(&mut tx, &row(relay), &kept.text()).await?;
    Ok(tx.commit().await?)
}

/// How slow a relay is treated, as it was last written down.
///
/// # Errors
/// When the database cannot be read.
pub async fn read_adapt(tx: &mut Tx, relay: RelayId) -> anyhow::Result<Adapt> {
    Ok(Kept::of(&pace::read(tx, &row(relay)).await?.unwrap_or_default()).adapt)
}

/// What is known of the sites behind a relay, as [`write_sites`] wrote it.
///
/// # Errors
/// When the database cannot be read.
pub(super) async fn sites_behind(tx: &mut Tx, relay: RelayId) -> anyhow::Result<String> {
    Ok(pace::read(tx, &sites_row(relay)).await?.unwrap_or_default())
}

/// Writes down what is known of the sites behind a relay.
///
/// # Errors
/// When the database cannot be written.
pub(super) async fn write_sites(app: &App, relay: RelayId, kept: &str) -> anyhow::Result<()> {
    let mut tx = app.store.write().await?;
    pace::write(&mut tx, &sites_row(relay), kept).await?;
    Ok(tx.commit().await?)
}

/// Somebody said "try again now": the relay is treated as if it had never asked for less. Its quotas stay.
///
/// # Errors
/// When the database cannot be written.
pub async fn go(tx: &mut Tx, relay: RelayId) -> anyhow::Result<()> {
    let mut kept = Kept::of(&pace::lock(tx, &row(relay)).await?);
    kept.adapt = Adapt::default();
    Ok(pace::write(tx, &row(relay), &kept.text()).await?)
}

/// What a relay has used of its limits in the last hour and in the last day. Only limits count, so 0 without.
///
/// # Errors
/// When the database cannot be read.
pub async fn used(tx: &mut Tx, relay: RelayId) -> anyhow::Result<(u32, u32)> {
    let kept = Kept::of(&pace::read(tx, &row(relay)).await?.unwrap_or_default());
    Ok(kept.meter.used(tx.now))
}

/// What the relays of a newsletter can carry today and on each day after, where all of them have limits; else nothing.
///
/// # Errors
/// When the database cannot be read.
pub(super) async fn room(tx: &mut Tx, newsletter: NewsletterId) -> anyhow::Result<Vec<u64>> {
    let (mut today, mut later) = (0_u64, 0_u64);
    for part in relay::parts(tx).await?.into_iter().filter(|part| part.newsletter_id == newsletter && part.weight > 0) {
        let Some(row) = relay::by_id(tx, part.relay_id).await? else { continue };
        let Some(day) = a_day(&row) else { return Ok(Vec::new()) };
        let used = u64::from(used(tx, row.id).await?.1);
        let left = row.per_day.map_or(day, |_| day.saturating_sub(used));
        (today, later) = (today.saturating_add(left), later.saturating_add(day));
    }
    Ok(if later == 0 { Vec::new() } else { vec![today, later] })
}

/// Messages a day, by the narrowest of a relay's limits.
fn a_day(relay: &Relay) -> Option<u64> {
    let limits = relay.limits();
    let per_day = [(limits.per_second, 86_400), (limits.per_minute, 1_440), (limits.per_hour, 24), (limits.per_day, 1)];
    per_day.into_iter().filter_map(|(many, times)| many.map(|many| u64::from(many) * times)).min()
}

/// The table of receiving sites: ours, and the operator's file over it if there is one.
///
/// # Errors
/// What is wrong with the file.
pub fn read_sites(app: &App) -> Result<Sites, String> {
    Sites::with(&sites_text(app)?).map_err(|why| format!("{SITES_FILE}: {why}"))
}

/// The operator's file as it is; empty without one.
///
/// # Errors
/// When it is there and cannot be read.
pub(super) fn sites_text(app: &App) -> Result<String, String> {
    let path = app.config.data.join(SITES_FILE);
    match std::fs::metadata(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(String::new()),
        Ok(found) if found.len() > SITES_BYTES_MAX => return Err(format!("{SITES_FILE} is far too long")),
        _ => {}
    }
    std::fs::read_to_string(&path).map_err(|error| format!("{SITES_FILE} cannot be read: {error}"))
}

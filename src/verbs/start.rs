//! Starting: from a configuration to the [`App`] that everything is handed.

use std::time::Duration;

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::app::App;
use super::outlet::Outlet;
use super::{deliver, nodes, scheduling};
use crate::config::{Config, folder};
use crate::store::{Store, secret};
use crate::values::clock::Clock;
use crate::values::token::{Keyring, random_secret};

/// What is on the wire when we are asked to stop gets this long to end; service managers kill after 90 s or sooner.
const DRAIN_MAX: Duration = Duration::from_secs(35);

/// Opens everything: the data folder (made, for its owner alone), the database (brought up to date), the keys (made
/// once). Beside a running `serve` too: only serving takes the folder's lock.
///
/// # Errors
/// When a part cannot be opened, or the database is of a newer version than this program.
pub async fn open(config: Config, clock: Clock) -> anyhow::Result<App> {
    open_with_outlet(config, clock, Outlet::Relays).await
}

/// The same, with mail leaving by `outlet`: the demo's ends in the catcher.
///
/// # Errors
/// As [`open`].
pub async fn open_with_outlet(config: Config, clock: Clock, outlet: Outlet) -> anyhow::Result<App> {
    let store = open_store(&config, clock.clone()).await?;
    migrate(&config, &store).await?;
    let keys = token_keys(&store).await?;
    Ok(App::with_outlet(config, store, clock, keys, outlet))
}

/// Opens the database and leaves it as it is: for `migrate status`.
///
/// # Errors
/// When the folder cannot be made, or the database cannot be opened.
pub async fn open_store(config: &Config, clock: Clock) -> anyhow::Result<Store> {
    // Whoever is second finds the same provider installed, which is all we want.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    folder::make(&config.data)?;
    let store = Store::open(&config.database_url(), clock).await?.with_patience(nodes::patience(config));
    Ok(store.with_commit_delay(config.bench.commit_delay))
}

/// Brings the database up to date.
///
/// # Errors
/// When it is of a newer version than this program, or cannot be changed.
pub async fn migrate(config: &Config, store: &Store) -> anyhow::Result<()> {
    // SQLite does not keep two programs from migrating at once; the folder's own lock does, for as long as it takes.
    let _turn = folder::turn(&config.data)?;
    store.migrate().await
}

/// The web server's listener, taken before anything is opened, so that a port in use is told at once.
///
/// # Errors
/// When the address cannot be listened on.
pub async fn listen(config: &Config) -> anyhow::Result<TcpListener> {
    TcpListener::bind(&config.listen).await.with_context(|| {
        format!("{} cannot be listened on; nothing was started. Choose another with --listen ADDR:PORT", config.listen)
    })
}

/// [`serve_until`] the operator asks us to stop.
///
/// # Errors
/// Those of [`serve_until`].
pub async fn serve(app: App, door: impl Future<Output = anyhow::Result<()>> + Send + 'static) -> anyhow::Result<()> {
    serve_until(app, door, signals()?).await
}

/// Runs everything until `asked` (see [`signals`]) or a part that fails; then drains. `door` is the web server, which
/// ends when the app's `stop` is cancelled.
///
/// # Errors
/// Those of the part that failed; the others are stopped in order all the same.
pub async fn serve_until(
    app: App,
    door: impl Future<Output = anyhow::Result<()>> + Send + 'static,
    asked: impl Future<Output = ()> + Send + 'static,
) -> anyhow::Result<()> {
    nodes::enter(&app).await?;
    let beating = tokio::spawn(nodes::beat(app.clone()));
    let hearing = tokio::spawn(nodes::hear(app.clone()));
    let mut parts: JoinSet<anyhow::Result<()>> = JoinSet::new();
    if app.config.plays("web") {
        parts.spawn(door);
    }
    if app.config.plays("schedule") {
        parts.spawn(scheduling::run(app.clone()));
    }
    if app.config.plays("send") {
        parts.spawn(deliver::run(app.clone()));
    }
    parts.spawn(stop_when(asked, app.stop.clone()));
    let first = parts.join_next().await;
    app.stop.cancel();
    let drained = tokio::time::timeout(DRAIN_MAX, async { while parts.join_next().await.is_some() {} }).await;
    if drained.is_err() {
        tracing::warn!("something was still busy after {} s and was left; the ledger knows what", DRAIN_MAX.as_secs());
    }
    beating.abort();
    hearing.abort();
    if let Err(error) = nodes::leave(&app).await {
        tracing::warn!("the other nodes could not be told that this one stops: {error:#}");
    }
    app.store.close().await;
    match first {
        Some(Ok(ended)) => ended,
        Some(Err(panicked)) => Err(panicked).context("a part of the program stopped unexpectedly"),
        None => Ok(()),
    }
}

/// Listens for the operator's wish to stop: Ctrl-C, or the SIGTERM of a service manager. Called before anybody is told
/// that we serve, so that no signal finds us deaf.
///
/// # Errors
/// When the operating system gives no signals.
#[cfg(unix)]
pub fn signals() -> anyhow::Result<impl Future<Output = ()> + Send + 'static> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut terminated, mut interrupted) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminated.recv() => {}
            _ = interrupted.recv() => {}
        }
    })
}

/// Listens for Ctrl-C.
///
/// # Errors
/// None on this system.
#[cfg(not(unix))]
pub fn signals() -> anyhow::Result<impl Future<Output = ()> + Send + 'static> {
    Ok(async { drop(tokio::signal::ctrl_c().await) })
}

async fn stop_when(asked: impl Future<Output = ()>, stop: CancellationToken) -> anyhow::Result<()> {
    tokio::select! {
        () = asked => tracing::info!("stopping: what is on the wire ends, nothing new begins"),
        () = stop.cancelled() => {}
    }
    Ok(())
}

/// The keys of tokens, newest first; the first is made here, once: of two programs that start at the same moment,
/// one's key is kept and both read it.
async fn token_keys(store: &Store) -> anyhow::Result<Keyring> {
    const PURPOSE: &str = "token";
    let mut tx = store.write().await?;
    if secret::of_purpose(&mut tx, PURPOSE, "").await?.is_empty() {
        secret::insert(&mut tx, PURPOSE, "", "k1", &STANDARD.encode(random_secret()?)).await?;
    }
    let kept = secret::of_purpose(&mut tx, PURPOSE, "").await?;
    tx.commit().await?;
    let read = |key: secret::Secret| {
        let bytes = STANDARD.decode(&key.value).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
        let bytes = bytes.with_context(|| format!("the token key {} in the database is damaged", key.key_id))?;
        Ok((key.key_id, bytes))
    };
    Ok(Keyring::new(kept.into_iter().map(read).collect::<anyhow::Result<_>>()?))
}

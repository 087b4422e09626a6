//! Starting: from a configuration to the [`App`] that everything is handed.

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::app::App;
use crate::config::{Config, folder};
use crate::store::{Store, secret};
use crate::values::clock::Clock;
use crate::values::token::{Keyring, random_secret};

/// Opens everything: the data folder (made, for its owner alone), the database (brought up to date), the keys (made
/// once). Beside a running `serve` too: only serving takes the folder's lock.
///
/// # Errors
/// When a part cannot be opened, or the database is of a newer version than this program.
pub async fn open(config: Config, clock: Clock) -> anyhow::Result<App> {
    let store = open_store(&config, clock.clone()).await?;
    {
        // The engines differ in how they keep two programs from migrating at once, and SQLite does not; the folder's
        // own lock does, for the moment that it takes.
        let _turn = folder::turn(&config.data)?;
        store.migrate().await?;
    }
    let keys = token_keys(&store).await?;
    Ok(App::new(config, store, clock, keys))
}

/// Opens the database and leaves it as it is: for `migrate status`.
///
/// # Errors
/// When the folder cannot be made, or the database cannot be opened.
pub async fn open_store(config: &Config, clock: Clock) -> anyhow::Result<Store> {
    // Whoever is second finds the same provider installed, which is all we want.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    folder::make(&config.data)?;
    Store::open(&config.database_url(), clock).await
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

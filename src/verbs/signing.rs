//! DKIM keys: one for each sender's domain, made when it is first needed and kept in the database.

use anyhow::Context as _;

use super::app::App;
use crate::issue::dkim::{Signer, new_rsa_key};
use crate::store::secret;

const PURPOSE: &str = "dkim";
/// The first key's selector: `bs1._domainkey.DOMAIN` is where its record goes.
const SELECTOR: &str = "bs1";

/// The signer of a domain. Its key is made here if there is none yet; of two programs that do so at once, one's is
/// kept and both use it.
///
/// # Errors
/// When the store cannot, no key can be made, or the kept one is damaged.
pub async fn signer(app: &App, domain: &str) -> anyhow::Result<Signer> {
    let mut tx = app.store.read().await?;
    let kept = secret::of_purpose(&mut tx, PURPOSE, domain).await?;
    drop(tx);
    let key = match kept.into_iter().next() {
        Some(key) => key,
        None => make(app, domain).await?,
    };
    Signer::new(domain, &key.key_id, &key.value).with_context(|| format!("the DKIM key of {domain}"))
}

async fn make(app: &App, domain: &str) -> anyhow::Result<secret::Secret> {
    // Finding two primes takes a good part of a second.
    let value = tokio::task::spawn_blocking(new_rsa_key).await.context("making a DKIM key failed")??;
    let mut tx = app.store.write().await?;
    secret::insert(&mut tx, PURPOSE, domain, SELECTOR, &value).await?;
    let kept = secret::of_purpose(&mut tx, PURPOSE, domain).await?;
    tx.commit().await?;
    kept.into_iter().next().context("the DKIM key was not kept")
}

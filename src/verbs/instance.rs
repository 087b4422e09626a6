//! Whether this database is where it was: a restored or cloned one starts on hold until a person says go.
//!
//! The database and a file beside it both keep `ID EPOCH`, written again and again while mail goes out. A backup that
//! is put back is behind the file; a copy on another machine has no file: mail that the ledger does not know of may
//! have left since. On Postgres many nodes share the database, and a new one has no file. There the database also
//! keeps what its server says of itself: a dump put back elsewhere has another server or database, one that was
//! brought back to an earlier point, or a standby that took over, another timeline. And every node knows how often its
//! own heart has beaten. Not noticed: a standby, not synchronous, that was behind by less than a heart-beat, where
//! the server does not tell its timeline.

use std::path::PathBuf;

use crate::store::node::{self, Home};
use crate::store::{Tx, setting};
use crate::values::token::random_secret;
use crate::verbs::app::App;

const SETTING: &str = "instance";
const HOLD: &str = "outbound_hold";
const FILE: &str = "instance";
/// Where the database was when mail last might go: `SERVER DATABASE TIMELINE mirrored|alone`, on Postgres.
const HOME: &str = "home";

/// Why nothing leaves this installation at present; `None` if mail may go.
///
/// # Errors
/// When the store cannot.
pub async fn hold(app: &App) -> anyhow::Result<Option<String>> {
    let mut tx = app.store.read().await?;
    Ok(setting::get(&mut tx, HOLD).await?)
}

/// The same within a transaction.
///
/// # Errors
/// When the store cannot.
pub async fn is_held(tx: &mut Tx) -> anyhow::Result<bool> {
    Ok(setting::get(tx, HOLD).await?.is_some())
}

/// Mail may go again, by somebody's word.
///
/// # Errors
/// When the store cannot, or the file beside it cannot be written.
pub async fn go_ahead(app: &App) -> anyhow::Result<()> {
    let mut tx = app.store.write().await?;
    setting::remove(&mut tx, HOLD).await?;
    if let Some(home) = node::home(&mut tx).await? {
        setting::set(&mut tx, HOME, &told(&home)).await?;
        // From here on it is another one: what the nodes' files say of the one before is no longer compared.
        setting::remove(&mut tx, SETTING).await?;
    }
    tx.commit().await?;
    advance(app).await?;
    app.wake.notify_waiters();
    Ok(())
}

/// At the start of `serve`, and when a node finds its database changed: compares database, server and file, and puts
/// outgoing mail on hold if they differ. Gives the reason, if there is one, to be shown.
///
/// # Errors
/// When the store cannot, or the file beside it cannot be written.
pub async fn check(app: &App) -> anyhow::Result<Option<String>> {
    let mut tx = app.store.write().await?;
    let kept = setting::get(&mut tx, SETTING).await?;
    let beside = std::fs::read_to_string(path(app)).ok();
    let why = match (kept.as_deref(), beside.as_deref()) {
        _ if !tx.is_sqlite() => strange_home(&mut tx).await?.or(behind(kept.as_deref(), beside.as_deref())),
        (None, _) => None,
        (Some(_), None) => Some("this database came here from somewhere else (there is no file “instance” beside it)"),
        (Some(kept), Some(beside)) if same(kept, beside) => None,
        (Some(_), Some(_)) => Some("this database is older than what was sent last from here (a backup put back?)"),
    };
    tx.commit().await?;
    if let Some(why) = why {
        put_on_hold(app, why).await?;
    }
    let held = hold(app).await?;
    if held.is_none() {
        advance(app).await?;
    }
    Ok(held)
}

/// Nothing leaves from now on, for that reason, until somebody says go. A hold that is there keeps its reason.
///
/// # Errors
/// When the store cannot.
pub async fn put_on_hold(app: &App, why: &str) -> anyhow::Result<()> {
    let mut tx = app.store.write().await?;
    if setting::get(&mut tx, HOLD).await?.is_none() {
        let words = format!("{why}. Issues that it calls unfinished may have gone out already, so nothing is sent");
        setting::set(&mut tx, HOLD, &words).await?;
        tracing::error!("mail is on hold: {words}");
    }
    Ok(tx.commit().await?)
}

/// Steps both on: called at the start and while mail goes out, so that a backup is behind soon after it was made.
///
/// # Errors
/// When the store cannot, or the file beside it cannot be written.
pub async fn advance(app: &App) -> anyhow::Result<()> {
    let mut tx = app.store.write().await?;
    // Two nodes that step on at once would make it step back otherwise.
    setting::lock(&mut tx, SETTING).await?;
    let next = match setting::get(&mut tx, SETTING).await? {
        Some(kept) => {
            let (id, epoch) = parts(&kept);
            format!("{id} {}", epoch + 1)
        }
        None => {
            let id: String = random_secret()?.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
            format!("{id} 1")
        }
    };
    setting::set(&mut tx, SETTING, &next).await?;
    tx.commit().await?;
    std::fs::write(path(app), &next)?;
    Ok(())
}

/// Compares what the server says of itself with what was kept, and keeps it if that is the first time.
async fn strange_home(tx: &mut Tx) -> anyhow::Result<Option<&'static str>> {
    let Some(home) = node::home(tx).await? else { return Ok(None) };
    let (now, kept) = (told(&home), setting::get(tx, HOME).await?);
    let why = kept.as_deref().and_then(|kept| moved(kept, &now));
    if why.is_none() && kept.as_ref() != Some(&now) {
        setting::set(tx, HOME, &now).await?;
    }
    Ok(why)
}

fn told(home: &Home) -> String {
    let Home { server, database, timeline, is_mirrored } = home;
    format!("{server} {database} {timeline} {}", if *is_mirrored { "mirrored" } else { "alone" })
}

/// Why a database that was at `kept` and is at `now` may have forgotten something; `None` if it has not.
fn moved(kept: &str, now: &str) -> Option<&'static str> {
    let (kept, now): (Vec<&str>, Vec<&str>) = (kept.split(' ').collect(), now.split(' ').collect());
    if kept.get(..2) != now.get(..2) {
        return Some("this database came here from another server or another database (a copy, or a backup put back?)");
    }
    let may_forget = kept.get(2) != now.get(2) && kept.get(3) != Some(&"mirrored");
    may_forget.then_some(
        "the database server was brought back to an earlier point, or a standby took over that may have been behind",
    )
}

/// On Postgres other nodes step the database on; that it is behind this one's file cannot be.
fn behind(kept: Option<&str>, beside: Option<&str>) -> Option<&'static str> {
    let ((id, epoch), (beside_id, beside_epoch)) = (parts(kept?), parts(beside?));
    (id == beside_id && epoch < beside_epoch)
        .then_some("this database is older than what was sent last from here (a backup put back?)")
}

/// Equal, or the database one ahead: the program died between the two writes. A backup is never ahead.
fn same(kept: &str, beside: &str) -> bool {
    let ((id, epoch), (beside_id, beside_epoch)) = (parts(kept), parts(beside));
    id == beside_id && (epoch == beside_epoch || epoch == beside_epoch + 1)
}

fn parts(text: &str) -> (&str, u64) {
    let (id, epoch) = text.trim().split_once(' ').unwrap_or((text, "0"));
    (id, epoch.parse().unwrap_or(0))
}

fn path(app: &App) -> PathBuf {
    app.config.data.join(FILE)
}

#[cfg(test)]
mod tests {
    use super::{behind, moved, same};

    #[test]
    fn a_backup_put_back_is_told_from_a_crash_between_two_writes() {
        assert!(same("ab 7", "ab 7\n"));
        assert!(same("ab 8", "ab 7"));
        assert!(!same("ab 6", "ab 7"));
        assert!(!same("ab 9", "ab 7"));
        assert!(!same("cd 7", "ab 7"));
    }

    #[test]
    fn a_copy_and_a_standby_that_may_have_been_behind_are_noticed() {
        assert_eq!(moved("7 5 00000001 alone", "7 5 00000001 mirrored"), None);
        assert_eq!(moved("7 5 00000001 mirrored", "7 5 00000002 alone"), None);
        assert!(moved("7 5 00000001 alone", "7 5 00000002 alone").is_some_and(|why| why.contains("standby")));
        assert!(moved("7 5 00000001 alone", "8 5 00000001 alone").is_some_and(|why| why.contains("another server")));
        assert!(moved("7 5 00000001 mirrored", "7 6 00000001 mirrored").is_some());
    }

    #[test]
    fn on_postgres_only_a_database_behind_the_file_is_strange() {
        assert_eq!(behind(Some("ab 9"), Some("ab 3\n")), None);
        assert!(behind(Some("ab 2"), Some("ab 3")).is_some());
        assert_eq!(behind(Some("cd 2"), Some("ab 3")), None);
        assert_eq!(behind(Some("ab 2"), None), None);
    }
}

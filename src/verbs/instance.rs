//! Whether this database is where it was: a restored or cloned one starts on hold until a person says go.
//!
//! The database and a file beside it both keep `ID EPOCH`, written again and again while mail goes out. A backup that
//! is put back is behind the file; a copy on another machine has no file: mail that the ledger does not know of may
//! have left since. On Postgres many nodes share the database, each with a folder of its own, so nothing is compared.

use std::path::PathBuf;

use crate::store::setting;
use crate::values::token::random_secret;
use crate::verbs::app::App;

const SETTING: &str = "instance";
const HOLD: &str = "outbound_hold";
const FILE: &str = "instance";

/// Why nothing leaves this installation at present; `None` if mail may go.
///
/// # Errors
/// When the store cannot.
pub async fn hold(app: &App) -> anyhow::Result<Option<String>> {
    let mut tx = app.store.read().await?;
    Ok(setting::get(&mut tx, HOLD).await?)
}

/// Mail may go again, by somebody's word.
///
/// # Errors
/// When the store cannot, or the file beside it cannot be written.
pub async fn go_ahead(app: &App) -> anyhow::Result<()> {
    let mut tx = app.store.write().await?;
    setting::remove(&mut tx, HOLD).await?;
    tx.commit().await?;
    advance(app).await?;
    app.wake.notify_waiters();
    Ok(())
}

/// At the start of `serve`: compares database and file, and puts outgoing mail on hold if they differ. Gives the
/// reason, if there is one, to be shown.
///
/// # Errors
/// When the store cannot, or the file beside it cannot be written.
pub async fn check(app: &App) -> anyhow::Result<Option<String>> {
    if !app.store.is_sqlite() {
        return hold(app).await;
    }
    let mut tx = app.store.write().await?;
    let kept = setting::get(&mut tx, SETTING).await?;
    let beside = std::fs::read_to_string(path(app)).ok();
    let why = match (kept.as_deref(), beside.as_deref()) {
        (None, _) => None,
        (Some(_), None) => Some("this database came here from somewhere else (there is no file “instance” beside it)"),
        (Some(kept), Some(beside)) if same(kept, beside) => None,
        (Some(_), Some(_)) => Some("this database is older than what was sent last from here (a backup put back?)"),
    };
    if let Some(why) = why {
        let words = format!("{why}. Issues that it calls unfinished may have gone out already, so nothing is sent");
        setting::set(&mut tx, HOLD, &words).await?;
    }
    tx.commit().await?;
    if why.is_none() && hold(app).await?.is_none() {
        advance(app).await?;
    }
    hold(app).await
}

/// Steps both on: called at the start and while mail goes out, so that a backup is behind soon after it was made.
///
/// # Errors
/// When the store cannot, or the file beside it cannot be written.
pub async fn advance(app: &App) -> anyhow::Result<()> {
    if !app.store.is_sqlite() {
        return Ok(());
    }
    let mut tx = app.store.write().await?;
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
    use super::same;

    #[test]
    fn a_backup_put_back_is_told_from_a_crash_between_two_writes() {
        assert!(same("ab 7", "ab 7\n"));
        assert!(same("ab 8", "ab 7"));
        assert!(!same("ab 6", "ab 7"));
        assert!(!same("ab 9", "ab 7"));
        assert!(!same("cd 7", "ab 7"));
    }
}

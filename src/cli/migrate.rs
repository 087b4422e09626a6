//! `migrate status`, `migrate up`.

use clap::Subcommand;
use serde_json::json;

use super::{Global, print};
use crate::values::clock::Clock;
use crate::verbs::start;

#[derive(Debug, Subcommand)]
pub enum MigrateCommand {
    /// List the changes of the database's shape, and which of them it has
    Status,
    /// Bring the database up to date; every other command does so too when it starts
    Up,
}

/// # Errors
/// When the database cannot be opened or changed.
pub async fn run(global: &Global, command: &MigrateCommand) -> anyhow::Result<()> {
    let config = global.load(Vec::new())?.config;
    let store = start::open_store(&config, Clock::System).await?;
    if matches!(command, MigrateCommand::Up) {
        start::migrate(&config, &store).await?;
    }
    let all = store.migrations().await?;
    store.close().await;
    if global.json {
        let rows = all
            .iter()
            .map(|(version, about, applied)| json!({ "version": version, "about": about, "applied": applied }));
        return print::json(&rows.collect::<Vec<_>>());
    }
    let rows = all.iter().map(|(version, about, applied)| {
        vec![version.to_string(), about.clone(), if *applied { "applied" } else { "missing" }.into()]
    });
    print::table(&["version", "change", "state"], rows)
}

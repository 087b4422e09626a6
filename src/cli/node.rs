//! `node`: the processes that serve this database.

use clap::Subcommand;

use super::{Global, print};
use crate::values::clock::Millis;
use crate::verbs::nodes::{self, Standing};

#[derive(Debug, Subcommand)]
pub enum NodeCommand {
    /// List the nodes: where, since when, which roles, last heart-beat, deliveries in their hands
    List,
}

/// # Errors
/// When the database cannot be read.
pub async fn run(global: &Global, command: &NodeCommand) -> anyhow::Result<()> {
    let NodeCommand::List = command;
    let app = global.open().await?;
    let all = nodes::list(&app).await?;
    if global.json {
        return print::json(&all);
    }
    if all.is_empty() {
        return print::line("No node serves this database.");
    }
    let heads = ["node", "host", "process", "roles", "since", "last heart-beat", "holds", "version"];
    print::table(&heads, all.iter().map(|standing| cells(standing).to_vec()))
}

fn cells(standing: &Standing) -> [String; 8] {
    let row = &standing.row;
    [
        row.id.to_string(),
        row.host.clone(),
        row.pid.to_string(),
        row.roles.replace(' ', ", "),
        Millis(row.started_at).timestamp().to_string(),
        format!("{} s ago{}", standing.silent_ms / Millis::SECOND, if standing.is_late { ", late" } else { "" }),
        standing.holds.to_string(),
        row.version.clone(),
    ]
}

//! The nodes, as the settings page shows them.

use super::state::State as Ink;
use super::words::{count, from_now, span};
use crate::values::clock::Millis;
use crate::verbs::app::App;
use crate::verbs::nodes::{self, Standing};

/// One process that serves the database.
pub(super) struct NodeLine {
    /// "press-2, process 4711"
    pub(super) name: String,
    pub(super) state: Ink,
    /// "web, send, schedule"
    pub(super) roles: String,
    /// "3 d 2 h ago"
    pub(super) since: String,
    /// "40 deliveries"
    pub(super) holds: String,
}

pub(super) async fn lines(app: &App) -> anyhow::Result<Vec<NodeLine>> {
    let now = app.clock.now();
    Ok(nodes::list(app).await?.iter().map(|node| line(node, now)).collect())
}

fn line(node: &Standing, now: Millis) -> NodeLine {
    let row = &node.row;
    let this = if node.is_this { ", this one" } else { "" };
    let beat = if node.is_late {
        Ink::new("warn", "clock", format!("No heart-beat for {}", span(node.silent_ms)))
    } else {
        Ink::new("good", "check", format!("Lives, {} ago", span(node.silent_ms)))
    };
    NodeLine {
        name: format!("{}, process {}{this}", row.host, row.pid),
        state: beat,
        roles: row.roles.replace(' ', ", "),
        since: from_now(Millis(row.started_at), now),
        holds: count(node.holds, "delivery", "deliveries"),
    }
}

//! `issue departures`: who left by an issue, by which way, and why.

use super::{Global, known};
use crate::cli::print;
use crate::values::ids::IssueId;
use crate::verbs::app::App;
use crate::verbs::membership;

pub(super) async fn show(global: &Global, app: &App, id: IssueId) -> anyhow::Result<()> {
    known(app, id).await?;
    let found = membership::departures(app, id).await?;
    if global.json {
        return print::json(&found);
    }
    print::line(&format!("{} left by this issue, {} took it back", found.left, found.undone))?;
    let ways = found.ways.into_iter().map(|(way, many)| vec![way.replace('_', " "), many.to_string()]);
    print::table(&["way", "readers"], ways)?;
    let whys = found.reasons.into_iter().map(|(why, many)| vec![why.words().to_owned(), many.to_string()]);
    print::table(&["reason", "answers"], whys)?;
    found.words.iter().try_for_each(|words| print::line(&format!("“{words}”")))
}

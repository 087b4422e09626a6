//! `issue deliveries`: everybody's copy, page by page, however many they are.

use super::{DeliveriesArgs, Global, known};
use crate::audience::export;
use crate::cli::print;
use crate::store::delivery::DeliveryRow;
use crate::values::clock::Millis;
use crate::verbs::app::App;
use crate::verbs::progress;

/// Rows read at once: what is in memory, whatever the audience.
const PAGE_ROWS: i64 = 1_000;
const HEADS: [&str; 8] = ["address", "state", "attempts", "reply", "stage", "reason", "first_at", "settled_at"];

pub(super) async fn run(global: &Global, app: &App, args: &DeliveriesArgs) -> anyhow::Result<()> {
    known(app, args.id).await?;
    if args.csv {
        print::text(&export::row(&HEADS))?;
    }
    let mut array = print::Array::new(global.json && !args.csv);
    let mut after = None;
    loop {
        let page = progress::deliveries(app, args.id, after, args.state, PAGE_ROWS).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.subscriber_id);
        match (args.csv, global.json) {
            (true, _) => print::text(&page.iter().map(csv_row).collect::<String>())?,
            (false, true) => page.iter().try_for_each(|row| array.item(row))?,
            // A table knows its widths when it knows its rows: each page is one.
            (false, false) => print::table(&HEADS, page.iter().map(|row| cells(row).to_vec()))?,
        }
    }
    array.end()
}

fn csv_row(row: &DeliveryRow) -> String {
    export::row(&cells(row).each_ref().map(String::as_str))
}

fn cells(row: &DeliveryRow) -> [String; 8] {
    let time = |at: Option<i64>| at.map(|at| Millis(at).timestamp().to_string()).unwrap_or_default();
    let reply = [row.reply_code.map(|code| code.to_string()), row.reply_text.clone()];
    [
        row.address.clone(),
        row.state.as_str().to_owned(),
        row.attempts.to_string(),
        reply.into_iter().flatten().collect::<Vec<_>>().join(" "),
        row.stage.clone().unwrap_or_default(),
        row.reason.clone().unwrap_or_default(),
        time(row.first_at),
        time(row.settled_at),
    ]
}

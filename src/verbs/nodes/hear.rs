//! What other processes did to the same database, heard by reading the rows: who left or came back, what is on its way.

use std::collections::HashMap;
use std::time::Duration;

use crate::store::{node, subscription};
use crate::values::clock::Millis;
use crate::values::ids::{EventId, IssueId};
use crate::verbs::app::App;

/// How often the rows are read. A reader who leaves by another node is heard of within this; whoever is not yet
/// marked as in flight is protected by the row itself.
const EVERY: Duration = Duration::from_secs(1);
/// Events are looked for so far back: their ids carry the clock of the machine that wrote them, and a transaction may
/// be committed a while after it wrote its event.
const BACK_MS: i64 = 15 * Millis::SECOND;

/// Listens until it is dropped.
pub async fn hear(app: App) {
    let mut moving = HashMap::new();
    loop {
        tokio::time::sleep(EVERY).await;
        if let Err(error) = turned(&app).await.and(issues(&app, &mut moving).await) {
            tracing::debug!("what other processes did cannot be read: {error:#}");
        }
    }
}

/// Makes the set of the departed say what the rows say.
async fn turned(app: &App) -> anyhow::Result<()> {
    let mut tx = app.store.read().await?;
    let since = EventId::before(tx.now.plus(-BACK_MS));
    for (newsletter, subscriber, wanted) in subscription::turned(&mut tx, since).await? {
        if wanted {
            app.departed.remove(newsletter, subscriber);
        } else {
            app.departed.add(newsletter, subscriber);
        }
    }
    Ok(())
}

/// Rings for live pages: an issue that is going out changes all the time, others when their row does.
async fn issues(app: &App, before: &mut HashMap<IssueId, (String, i64)>) -> anyhow::Result<()> {
    let mut tx = app.store.read().await?;
    let rows = node::moving(&mut tx).await?;
    drop(tx);
    let now: HashMap<_, _> = rows.into_iter().map(|(id, state, at)| (id, (state, at))).collect();
    let differs = |(id, row): &(&IssueId, &(String, i64))| row.0 == "sending" || before.get(id) != Some(row);
    let changed = now.iter().filter(differs).map(|(id, _)| *id);
    let gone = before.keys().filter(|id| !now.contains_key(id)).copied();
    for issue in changed.chain(gone) {
        // Nobody looking is no error.
        let _ = app.changed.send(issue);
    }
    *before = now;
    Ok(())
}

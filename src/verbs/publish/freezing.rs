//! The rest of an audience, piece after piece, each in a transaction of its own: in between others write. Whoever
//! publishes drives it; where that process died, an engine that sees it stand still goes on.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::json;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::store::delivery::freeze::{self, Freezing, Piece};
use crate::store::{self, Tx};
use crate::values::ids::IssueId;
use crate::verbs::app::App;
use crate::verbs::{failpoint, warm_up};

/// An audience that has not grown for so long has nobody who writes it: a piece takes a tenth of a second, on a slow
/// disk a second.
const STALLED: Duration = Duration::from_secs(3);

/// The first pieces, in the transaction that publishes: until there is a reader, or it is known that there is none.
/// Gives whether that was all.
pub(super) async fn first(tx: &mut Tx, work: &mut Freezing) -> anyhow::Result<bool> {
    loop {
        match freeze::piece(tx, work).await? {
            Piece::Last => return Ok(true),
            Piece::Lost => anyhow::bail!("the ledger was taken away while it was begun; nothing was frozen"),
            Piece::More if work.readers > 0 => return Ok(false),
            Piece::More => {}
        }
    }
}

/// After the last piece: the issue may leave.
pub(super) async fn end(tx: &mut Tx, app: &App, work: &Freezing) -> anyhow::Result<()> {
    let row = super::known(tx, work.issue_id).await?;
    let newsletter = store::newsletter::by_id(tx, work.newsletter_id).await?.context("the newsletter is gone")?;
    warm_up::spread(tx, app, work.issue_id, &newsletter).await?;
    freeze::end(tx, work).await?;
    let hash = store::rendering::hash(tx, work.issue_id).await?;
    super::note(tx, "issue.published", &row, json!({ "audience": work.readers, "hash": hash })).await
}

/// Freezes what is left. Gives the audience; `None` where somebody else goes on with it, or it was undone or cancelled.
pub(super) async fn drive(app: &App, mut work: Freezing) -> anyhow::Result<Option<i64>> {
    loop {
        failpoint::check("freezing")?;
        let mut tx = app.store.write().await?;
        let piece = freeze::piece(&mut tx, &mut work).await?;
        match piece {
            Piece::Lost => return Ok(None),
            Piece::Last => end(&mut tx, app, &work).await?,
            Piece::More => {}
        }
        failpoint::check("piece")?;
        tx.commit().await?;
        super::tell_page(app, work.issue_id);
        if piece == Piece::Last {
            failpoint::check("published")?;
            super::tell(app, work.issue_id);
            return Ok(Some(work.readers));
        }
    }
}

/// Takes what is left of an undone issue's ledger away.
pub(super) async fn thaw(app: &App, mut work: Freezing) -> anyhow::Result<()> {
    loop {
        failpoint::check("thawing")?;
        let mut tx = app.store.write().await?;
        let piece = freeze::thaw_piece(&mut tx, &mut work).await?;
        tx.commit().await?;
        if piece != Piece::More {
            super::tell(app, work.issue_id);
            return Ok(());
        }
    }
}

/// Before an issue is published again: what is left of its undone ledger goes.
pub(super) async fn thawed(app: &App, issue: IssueId) -> anyhow::Result<()> {
    let mut tx = app.store.read().await?;
    let left = freeze::by_issue(&mut tx, issue).await?.filter(|work| work.thawing);
    drop(tx);
    match left {
        Some(work) => go_on(app, &work).await,
        None => Ok(()),
    }
}

async fn go_on(app: &App, seen: &Freezing) -> anyhow::Result<()> {
    let mut tx = app.store.write().await?;
    let Some(work) = freeze::take_over(&mut tx, seen).await? else { return Ok(()) };
    tx.commit().await?;
    if work.thawing { thaw(app, work).await } else { drive(app, work).await.map(drop) }
}

/// What an engine remembers of audiences that are being frozen, to see which of them stand still.
#[derive(Debug, Default)]
pub struct Watch {
    /// Others' clocks differ from ours, so what counts is how long a row has looked the same from here.
    seen: HashMap<IssueId, (Freezing, Instant)>,
    going_on: Option<JoinHandle<()>>,
}

impl Watch {
    /// Goes on, beside everything else, with an audience that stands still.
    ///
    /// # Errors
    /// When the store cannot.
    pub async fn look(&mut self, app: &App) -> anyhow::Result<()> {
        let mut tx = app.store.read().await?;
        let left = freeze::all(&mut tx).await?;
        drop(tx);
        self.seen.retain(|issue, _| left.iter().any(|work| work.issue_id == *issue));
        let mut stalled = Vec::new();
        for work in left {
            match self.seen.get(&work.issue_id) {
                Some((seen, since)) if *seen == work => stalled.extend((since.elapsed() >= STALLED).then_some(work)),
                _ => drop(self.seen.insert(work.issue_id, (work, Instant::now()))),
            }
        }
        if stalled.is_empty() || self.going_on.as_ref().is_some_and(|task| !task.is_finished()) {
            return Ok(());
        }
        let app = app.clone();
        self.going_on = Some(tokio::spawn(async move {
            for work in stalled {
                if let Err(error) = go_on(&app, &work).await {
                    tracing::error!("an audience cannot be frozen to its end, it is tried again: {error:#}");
                }
            }
        }));
        Ok(())
    }
}

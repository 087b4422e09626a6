//! The engine with its ledger off, for the one benchmark that says what the ledger costs. Claims are made before the
//! time is taken; marks are granted at once and ends are counted.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use tokio::task::JoinSet;

use super::job::Job;
use super::lane::Lane;
use super::maker::Makers;
use super::pacer::Pacer;
use super::sheet::Sheet;
use super::worker::Worker;
use super::writer::Writer;
use crate::store::delivery::claim::{Claim, Claimed, claim};
use crate::store::{issue, newsletter, relay};
use crate::values::clock::Millis;
use crate::values::ids::{AttemptId, IssueId};
use crate::verbs::app::App;
use crate::verbs::outlet;

/// Readers of one claim; none of it is measured.
const CLAIM: i64 = 10_000;
/// Messages handed to the makers beyond what the connections have in hand.
const AHEAD: usize = 512;
/// Between two looks whether all is done.
const LOOK: Duration = Duration::from_millis(1);

/// Sends a published issue of which nothing has gone, and forgets what became of it; gives how long that took and how
/// many were sent. What the pace puts off is not: nobody would remember to try it again.
///
/// # Errors
/// When the store cannot, or the issue cannot go.
pub async fn send(app: &App, id: IssueId, connections: usize) -> anyhow::Result<(Duration, usize)> {
    let mut tx = app.store.read().await?;
    let row = issue::by_id(&mut tx, id).await?.context("the issue is gone")?;
    let relay = newsletter::by_id(&mut tx, row.newsletter_id).await?.and_then(|newsletter| newsletter.relay_id);
    let relay = relay.context("the newsletter has no relay")?;
    let leaving = issue::leaving(&mut tx, Some(relay)).await?;
    let leaving = leaving.into_iter().find(|leaving| leaving.id == id).context("the issue is not going out")?;
    let row = relay::by_id(&mut tx, relay).await?.context("the relay is gone")?;
    let target = outlet::target(app, Some(&row)).context("there is no relay")?;
    drop(tx);
    let sheet = Arc::new(Sheet::of(app, &leaving).await?);
    let claimed = claim_all(app, &leaving).await?;
    let (writer, ends) = Writer::nowhere();
    let makers = Makers::start()?;
    let over = app.stop.child_token();
    let pacer = Pacer::new(app.clone(), Some(&row), connections);
    let lane = Arc::new(Lane::new(app.clone(), Some(relay), target, writer, makers.spare(), pacer, over.clone()));
    let (keeping, ended) = (Arc::clone(&lane), over.clone());
    let keeper = tokio::spawn(async move { keeping.pacer.keep(ended, || keeping.ready.unblock()).await });
    let (began, many) = (Instant::now(), claimed.len());
    let mut workers = JoinSet::new();
    for seat in 0..connections {
        workers.spawn(Worker::new(Arc::clone(&lane), seat).run());
    }
    let jobs = claimed.into_iter().map(|reader| Job::Copy { sheet: Arc::clone(&sheet), reader, epoch: 0, night: None });
    let mut jobs = jobs.peekable();
    while jobs.peek().is_some() {
        let some: Vec<Job> = jobs.by_ref().take(AHEAD / 2).collect();
        lane.ready.expect(some.len());
        makers.make(&lane, some);
        lane.ready.fewer_than(AHEAD).await;
    }
    while ends.all.load(Ordering::Relaxed) < many {
        tokio::time::sleep(LOOK).await;
    }
    let (took, sent) = (began.elapsed(), ends.sent.load(Ordering::Relaxed));
    over.cancel();
    lane.ready.close();
    while workers.join_next().await.is_some() {}
    keeper.await.context("the pace was not kept")?;
    forget(app, id).await?;
    Ok((took, sent))
}

async fn claim_all(app: &App, leaving: &issue::Leaving) -> anyhow::Result<Vec<Claimed>> {
    let mut all = Vec::new();
    loop {
        let mut tx = app.store.write().await?;
        let (epoch, lease_until) = (AttemptId::new(tx.now).0, tx.now.plus(Millis::HOUR));
        let wanted = Claim {
            issue: leaving.id,
            newsletter: leaving.newsletter_id,
            relay: None,
            epoch,
            lease_until,
            limit: CLAIM,
        };
        let (claimed, _) = claim(&mut tx, wanted).await?;
        tx.commit().await?;
        if claimed.is_empty() {
            return Ok(all);
        }
        all.extend(claimed);
    }
}

/// Takes the issue out of the engine's sight.
async fn forget(app: &App, id: IssueId) -> anyhow::Result<()> {
    crate::verbs::publish::pause(app, id, "sent by a benchmark that writes nothing down").await?;
    Ok(())
}

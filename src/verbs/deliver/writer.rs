//! The ledger's one writer: marks and outcomes of all connections, committed in groups.
//!
//! While one commit is on its way to the disk the next group gathers, so that groups grow with the load by
//! themselves and nobody waits for a timer. Orders of one connection are kept in their order: its last outcome is
//! committed with or before its next mark, so a kill leaves at most one row a connection in flight.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::json;
use tokio::sync::{mpsc, oneshot};

use super::job::{Key, Order};
use crate::audience::status::Status;
use crate::delivery::state::DeliveryState;
use crate::delivery::step::End;
use crate::store::delivery::claim;
use crate::store::delivery::settle::{Settlement, settle};
use crate::store::event::About;
use crate::store::letter::{self, LetterEnd};
use crate::store::suppression::{self, Reason};
use crate::store::{Tx, event, subscriber, subscription};
use crate::values::address::Address;
use crate::values::clock::Millis;
use crate::values::ids::{IssueId, NewsletterId, SubscriberId};
use crate::verbs::app::App;
use crate::verbs::failpoint;

/// Orders in one commit: beyond a few hundred a group costs no less a row (measured), and the marks in it wait.
const GROUP_MAX: usize = 256;
/// Orders waiting: more than any number of connections can have at once.
const QUEUE_MAX: usize = 4_096;
/// A mark's lease: longer than the longest conversation that follows it, all time-outs of RFC 5321 together.
pub(super) const INFLIGHT_LEASE_MS: i64 = 45 * Millis::MINUTE;
/// Pause after the database refused a group (disk full, locked): connections wait, nothing is lost.
const RETRY_PAUSE: Duration = Duration::from_millis(500);
/// After the program was asked to stop, a database that refuses is asked so often and then left.
const RETRIES_WHEN_STOPPING: u32 = 20;

/// The way to the writer; it ends when the last of these is dropped and everything is written.
#[derive(Clone)]
pub(super) struct Writer(mpsc::Sender<Order>);

impl Writer {
    /// Starts the writer.
    pub(super) fn start(app: App) -> (Self, tokio::task::JoinHandle<()>) {
        let (orders, queue) = mpsc::channel(QUEUE_MAX);
        (Self(orders), tokio::spawn(run(app, queue)))
    }

    /// Marks a row as in flight and waits until that is on the disk. `false`: nothing may be sent for it.
    pub(super) async fn mark(&self, key: Key) -> bool {
        let (answer, told) = oneshot::channel();
        self.order(Order::Mark { key, answer }).await;
        told.await.unwrap_or(false)
    }

    /// Writes down how a try ended; does not wait for the disk.
    pub(super) async fn settle(&self, key: Key, end: End) {
        self.order(Order::Settle { key, end }).await;
    }

    /// Gives a claim back.
    pub(super) async fn release(&self, key: Key) {
        self.order(Order::Release { key }).await;
    }

    async fn order(&self, order: Order) {
        // The queue is closed only when the writer gave up; then leases run out by themselves.
        let _ = self.0.send(order).await;
    }
}

async fn run(app: App, mut queue: mpsc::Receiver<Order>) {
    let mut group = Vec::with_capacity(GROUP_MAX);
    while queue.recv_many(&mut group, GROUP_MAX).await > 0 {
        let mut refusals = 0;
        loop {
            match commit(&app, &group).await {
                Ok(marked) => break tell(&app, &mut group, &marked),
                Err(error) => {
                    tracing::error!("the ledger cannot be written, sending waits: {error:#}");
                    refusals += 1;
                    if app.stop.is_cancelled() && refusals > RETRIES_WHEN_STOPPING {
                        return;
                    }
                    tokio::time::sleep(RETRY_PAUSE).await;
                }
            }
        }
    }
}

/// Which marks were made.
type Marked = BTreeSet<(i64, i64)>;

/// One group, one transaction.
async fn commit(app: &App, group: &[Order]) -> anyhow::Result<Marked> {
    let mut tx = app.store.write().await?;
    write_ends(&mut tx, group).await?;
    write_releases(&mut tx, group).await?;
    let marked = write_marks(&mut tx, group).await?;
    failpoint::pass("group-before-commit");
    tx.commit().await?;
    failpoint::pass("group-after-commit");
    Ok(marked)
}

async fn write_ends(tx: &mut Tx, group: &[Order]) -> anyhow::Result<()> {
    let (mut copies, mut again) = (Vec::new(), false);
    for order in group {
        let Order::Settle { key, end } = order else { continue };
        again |= end.to == DeliveryState::Pending;
        match *key {
            Key::Copy { issue, newsletter, subscriber, epoch } => {
                copies.push(settlement(issue, subscriber, epoch, end));
                if end.hard {
                    bounce(tx, newsletter, subscriber, issue, end).await?;
                }
            }
            Key::Letter { id, epoch } => {
                letter::settle(tx, &letter_end(id, epoch, end)).await?;
            }
        }
    }
    let taken = settle(tx, &copies).await?;
    if taken < copies.len() as u64 {
        tracing::warn!("{} outcomes came under a lease that had run out", copies.len() as u64 - taken);
    }
    if again {
        claim::sweep_cancelled(tx).await?;
    }
    Ok(())
}

fn settlement(issue: IssueId, subscriber: SubscriberId, epoch: i64, end: &End) -> Settlement {
    let End { to, next_at, tried, said, reason, .. } = end.clone();
    let (stage, code, text) = (said.stage, said.code, said.text);
    Settlement { issue, subscriber, epoch, to, next_at, tried, stage, code, text, reason }
}

fn letter_end(id: crate::values::ids::LetterId, epoch: i64, end: &End) -> LetterEnd {
    let End { to, next_at, tried, said, reason, .. } = end.clone();
    LetterEnd { id, epoch, to, next_at, tried, stage: said.stage, code: said.code, text: said.text, reason }
}

/// The address is no good: the subscription ends, and nobody writes to it again.
async fn bounce(
    tx: &mut Tx,
    newsletter: NewsletterId,
    who: SubscriberId,
    issue: IssueId,
    end: &End,
) -> anyhow::Result<()> {
    subscription::end(tx, newsletter, who, Status::Bounced, "hard bounce", Some(issue)).await?;
    if let Some(row) = subscriber::by_id(tx, who).await?
        && let Ok(address) = Address::parse(&row.address)
    {
        suppression::insert(tx, &address.key(), Reason::Bounce, end.said.text.as_deref().unwrap_or_default()).await?;
    }
    let about = About { newsletter: Some(newsletter), subscriber: Some(who), issue: Some(issue), account: None };
    let detail = json!({ "class": end.reason, "code": end.said.code, "reply": end.said.text });
    event::insert(tx, "delivery.bounced", about, &detail).await?;
    Ok(())
}

async fn write_releases(tx: &mut Tx, group: &[Order]) -> anyhow::Result<()> {
    let mut copies: BTreeMap<(i64, i64), Vec<SubscriberId>> = BTreeMap::new();
    for order in group {
        match order {
            Order::Release { key: Key::Copy { issue, subscriber, epoch, .. } } => {
                copies.entry((issue.0, *epoch)).or_default().push(*subscriber);
            }
            Order::Release { key: Key::Letter { id, epoch } } => letter::release(tx, *id, *epoch).await?,
            _ => {}
        }
    }
    if copies.is_empty() {
        return Ok(());
    }
    for ((issue, epoch), who) in copies {
        claim::release(tx, IssueId(issue), epoch, &who).await?;
    }
    claim::sweep_cancelled(tx).await?;
    Ok(())
}

async fn write_marks(tx: &mut Tx, group: &[Order]) -> anyhow::Result<Marked> {
    let lease = tx.now.plus(INFLIGHT_LEASE_MS);
    let (mut marked, mut copies) = (Marked::new(), BTreeMap::<(i64, i64), Vec<SubscriberId>>::new());
    for order in group {
        match order {
            Order::Mark { key: Key::Copy { issue, subscriber, epoch, .. }, .. } => {
                copies.entry((issue.0, *epoch)).or_default().push(*subscriber);
            }
            Order::Mark { key: Key::Letter { id, epoch }, .. } if letter::mark(tx, *id, *epoch, lease).await? => {
                marked.insert((*epoch, id.0));
            }
            _ => {}
        }
    }
    for ((issue, epoch), who) in copies {
        let done = claim::mark(tx, IssueId(issue), epoch, lease, &who).await?;
        marked.extend(done.into_iter().map(|subscriber| (epoch, subscriber.0)));
    }
    Ok(marked)
}

/// After the commit: connections get their answers, live pages hear of it.
fn tell(app: &App, group: &mut Vec<Order>, marked: &Marked) {
    let mut changed = BTreeSet::new();
    for order in group.drain(..) {
        let (Order::Mark { key, .. } | Order::Settle { key, .. } | Order::Release { key }) = &order;
        let made = match *key {
            Key::Copy { issue, subscriber, epoch, .. } => {
                changed.insert(issue);
                marked.contains(&(epoch, subscriber.0))
            }
            Key::Letter { id, epoch } => marked.contains(&(epoch, id.0)),
        };
        if let Order::Mark { answer, .. } = order {
            // A connection that went away in the meantime leaves its row in flight, and so in doubt.
            let _ = answer.send(made);
        }
    }
    for issue in changed {
        let _ = app.changed.send(issue);
    }
}

//! The ledger's one writer: marks and outcomes of all connections, committed in groups.
//!
//! While one commit is on its way to the disk the next group gathers, so that groups grow with the load by
//! themselves. Orders of one connection are kept in their order: its last outcome is committed with or before its
//! next mark, so a kill leaves at most a window of rows a connection in flight.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;
use tokio::sync::{mpsc, oneshot};

use super::job::{Key, Order};
use crate::audience::status::Status;
use crate::delivery::state::DeliveryState;
use crate::delivery::step::End;
use crate::store::delivery::by_subscriber;
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
use crate::verbs::breakers;
use crate::verbs::failpoint;

/// Orders in one commit: beyond a few hundred a group costs no less a row (measured), and the marks in it wait.
const GROUP_MAX: usize = 512;
/// A group waits at most this long for more of the marks that are about to be ordered: a commit costs the disk and the
/// processor about the same for one row as for thirty. With few messages in hand there is nothing to wait for. Marks
/// are ordered ahead, so what waits here is seldom waited for on the wire.
const GATHER: Duration = Duration::from_millis(1);
/// A mark's lease: longer than the longest conversation that follows it, all time-outs of RFC 5321 together.
pub(in crate::verbs) const INFLIGHT_LEASE_MS: i64 = 45 * Millis::MINUTE;
/// Pause after the database refused a group (disk full, locked): connections wait, nothing is lost.
const RETRY_PAUSE: Duration = Duration::from_millis(500);
/// After the program was asked to stop, a database that refuses is asked so often and then left.
const RETRIES_WHEN_STOPPING: u32 = 20;

/// The way to the writer; it ends when the last of these is dropped and everything is written. Orders are few: a
/// connection has at most a window of them, and only then takes the next message.
#[derive(Clone)]
pub(super) struct Writer(Way);

#[derive(Clone)]
enum Way {
    Ledger {
        orders: mpsc::UnboundedSender<Order>,
        in_hand: Arc<AtomicUsize>,
    },
    /// Nothing is written; ends are only counted.
    Nowhere(Arc<Ends>),
}

/// How many were heard of for the last time, and how many of these were sent.
#[derive(Default)]
pub(super) struct Ends {
    pub all: AtomicUsize,
    pub sent: AtomicUsize,
}

/// Whether a row is marked as in flight.
pub(super) enum Mark {
    Ordered(oneshot::Receiver<bool>),
    Made,
    /// Nothing may be sent for it.
    Refused,
}

impl Mark {
    /// Whether it is not known yet.
    pub(super) fn is_awaited(&mut self) -> bool {
        if let Self::Ordered(told) = self {
            match told.try_recv() {
                Ok(made) => *self = if made { Self::Made } else { Self::Refused },
                Err(oneshot::error::TryRecvError::Closed) => *self = Self::Refused,
                Err(oneshot::error::TryRecvError::Empty) => return true,
            }
        }
        false
    }

    /// Waits until the mark is on the disk; `false` if it was not made. May be asked again.
    pub(super) async fn made(&mut self) -> bool {
        if let Self::Ordered(told) = self {
            *self = if told.await.unwrap_or(false) { Self::Made } else { Self::Refused };
        }
        matches!(self, Self::Made)
    }

    pub(super) fn is_refused(&self) -> bool {
        matches!(self, Self::Refused)
    }
}

impl Writer {
    /// Starts the writer.
    pub(super) fn start(app: App) -> (Self, tokio::task::JoinHandle<()>) {
        let (orders, queue) = mpsc::unbounded_channel();
        let in_hand = Arc::<AtomicUsize>::default();
        let task = tokio::spawn(run(app, queue, Arc::clone(&in_hand)));
        (Self(Way::Ledger { orders, in_hand }), task)
    }

    /// One that writes nothing, for the benchmark that says what the ledger costs.
    pub(super) fn nowhere() -> (Self, Arc<Ends>) {
        let ends = Arc::<Ends>::default();
        (Self(Way::Nowhere(Arc::clone(&ends))), ends)
    }

    /// Orders a row's mark. Orders of one caller are carried out in their order.
    pub(super) fn mark(&self, key: Key) -> Mark {
        let (answer, told) = oneshot::channel();
        match &self.0 {
            Way::Ledger { .. } => self.order(Order::Mark { key, answer }),
            Way::Nowhere(_) => return Mark::Made,
        }
        Mark::Ordered(told)
    }

    /// Writes down how a try ended; does not wait for the disk.
    pub(super) fn settle(&self, key: Key, end: End) {
        self.order(Order::Settle { key, end });
    }

    /// Gives a claim back.
    pub(super) fn release(&self, key: Key) {
        self.order(Order::Release { key });
    }

    /// A message is in hand: its mark and its end will be ordered.
    pub(super) fn begun(&self) {
        if let Way::Ledger { in_hand, .. } = &self.0 {
            in_hand.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// It is not any more.
    pub(super) fn ended(&self) {
        if let Way::Ledger { in_hand, .. } = &self.0 {
            in_hand.fetch_sub(1, Ordering::Relaxed);
        }
    }

    fn order(&self, order: Order) {
        match &self.0 {
            // The queue is closed only when the writer gave up; then leases run out by themselves.
            Way::Ledger { orders, .. } => drop(orders.send(order)),
            Way::Nowhere(ends) => {
                if matches!(&order, Order::Settle { end, .. } if end.to == DeliveryState::Sent) {
                    ends.sent.fetch_add(1, Ordering::Relaxed);
                }
                ends.all.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

async fn run(app: App, mut queue: mpsc::UnboundedReceiver<Order>, in_hand: Arc<AtomicUsize>) {
    let mut group = Vec::with_capacity(GROUP_MAX);
    while queue.recv_many(&mut group, GROUP_MAX).await > 0 {
        gather(&mut queue, &mut group, &in_hand).await;
        let mut refusals = 0;
        loop {
            match commit(&app, &group, refusals > 0).await {
                Ok(marked) => break breakers::pause(&app, tell(&app, &mut group, &marked)).await,
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

/// Lets a group grow until a quarter of the messages in hand wait for it, for a moment at most.
async fn gather(queue: &mut mpsc::UnboundedReceiver<Order>, group: &mut Vec<Order>, in_hand: &AtomicUsize) {
    let marks = |group: &[Order]| group.iter().filter(|order| matches!(order, Order::Mark { .. })).count();
    let enough = |marks: usize| marks >= (in_hand.load(Ordering::Relaxed) / 4).max(1);
    let mut waiting = marks(group);
    if enough(waiting) {
        return;
    }
    let deadline = tokio::time::Instant::now() + GATHER;
    while group.len() < GROUP_MAX && !enough(waiting) {
        let seen = group.len();
        match tokio::time::timeout_at(deadline, queue.recv_many(group, GROUP_MAX - seen)).await {
            Ok(more) if more > 0 => waiting += marks(&group[seen..]),
            _ => return,
        }
    }
}

/// Which marks were made.
type Marked = BTreeSet<(i64, i64)>;

/// One group, one transaction. `again`: a commit of it may have gone through, with an answer that was lost.
async fn commit(app: &App, group: &[Order], again: bool) -> anyhow::Result<Marked> {
    let mut tx = app.store.write().await?;
    write_ends(&mut tx, group).await?;
    write_releases(&mut tx, group).await?;
    let marked = write_marks(&mut tx, group, again).await?;
    failpoint::check("group-before-commit")?;
    tx.commit().await?;
    failpoint::check("group-after-commit")?;
    Ok(marked)
}

async fn write_ends(tx: &mut Tx, group: &[Order]) -> anyhow::Result<()> {
    let (mut copies, mut again) = (Vec::new(), BTreeSet::new());
    for order in group {
        let Order::Settle { key, end } = order else { continue };
        match *key {
            Key::Copy { issue, newsletter, subscriber, epoch } => {
                if end.to == DeliveryState::Pending {
                    again.insert(issue);
                }
                copies.push(settlement(issue, subscriber, epoch, end));
                if end.hard || is_struck(tx, subscriber, issue, end).await? {
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
    sweep(tx, again).await
}

/// What came back to pending after its issue was cancelled is skipped.
async fn sweep(tx: &mut Tx, issues: impl IntoIterator<Item = IssueId>) -> anyhow::Result<()> {
    for issue in issues {
        claim::sweep_if_cancelled(tx, issue).await?;
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

/// Deliveries of a reader that are looked at for earlier refusals.
const STRIKES_LOOKED_AT: i64 = 20;

/// Whether this is the refusal that makes the address no good: the same reason as for issues before it, and none was
/// taken in between.
async fn is_struck(tx: &mut Tx, who: SubscriberId, issue: IssueId, end: &End) -> anyhow::Result<bool> {
    if end.note.hard_after < 2 || end.to != DeliveryState::Failed {
        return Ok(false);
    }
    let rows = by_subscriber(tx, who, STRIKES_LOOKED_AT).await?;
    let before = rows.iter().filter(|row| row.issue_id != issue).take_while(|row| row.state != DeliveryState::Sent);
    let strikes = before.filter(|row| row.state == DeliveryState::Failed && row.reason == end.reason).count();
    Ok(strikes + 1 >= end.note.hard_after as usize)
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
    let issues: BTreeSet<IssueId> = copies.keys().map(|(issue, _)| IssueId(*issue)).collect();
    for ((issue, epoch), who) in copies {
        claim::release(tx, IssueId(issue), epoch, &who).await?;
    }
    sweep(tx, issues).await
}

async fn write_marks(tx: &mut Tx, group: &[Order], again: bool) -> anyhow::Result<Marked> {
    let lease = tx.now.plus(INFLIGHT_LEASE_MS);
    let (mut marked, mut copies) = (Marked::new(), BTreeMap::<(i64, i64), Vec<SubscriberId>>::new());
    for order in group {
        match order {
            Order::Mark { key: Key::Copy { issue, subscriber, epoch, .. }, .. } => {
                copies.entry((issue.0, *epoch)).or_default().push(*subscriber);
            }
            Order::Mark { key: Key::Letter { id, epoch }, .. } => {
                let marked_now = letter::mark(tx, *id, *epoch, lease).await?;
                let is_marked = marked_now || (again && letter::is_marked(tx, *id, *epoch).await?);
                marked.extend(is_marked.then_some((*epoch, id.0)));
            }
            _ => {}
        }
    }
    for ((issue, epoch), who) in copies {
        let mut done = claim::mark(tx, IssueId(issue), epoch, lease, &who).await?;
        if again {
            // Each is marked once in a claim: what is in flight already was marked by this very group.
            done.extend(claim::marked(tx, IssueId(issue), epoch, &who).await?);
        }
        marked.extend(done.into_iter().map(|subscriber| (epoch, subscriber.0)));
    }
    Ok(marked)
}

/// After the commit: connections get their answers, live pages hear of it. Gives the issues that should pause, and why.
fn tell(app: &App, group: &mut Vec<Order>, marked: &Marked) -> Vec<(IssueId, String)> {
    let (mut changed, mut too_much) = (BTreeSet::new(), Vec::new());
    for order in group.drain(..) {
        let (Order::Mark { key, .. } | Order::Settle { key, .. } | Order::Release { key }) = &order;
        let made = match *key {
            Key::Copy { issue, subscriber, epoch, .. } => {
                changed.insert(issue);
                marked.contains(&(epoch, subscriber.0))
            }
            Key::Letter { id, epoch } => marked.contains(&(epoch, id.0)),
        };
        if let Order::Settle { key: Key::Copy { issue, .. }, end } = &order {
            too_much.extend(app.breakers.saw(*issue, end).map(|why| (*issue, why)));
        }
        if let Order::Mark { answer, .. } = order {
            // A connection that went away in the meantime leaves its row in flight, and so in doubt.
            let _ = answer.send(made);
        }
    }
    for issue in changed {
        let _ = app.changed.send(issue);
    }
    too_much
}

//! A relay's line: claims what is due, feeds its connections, and calls issues finished. One line a relay, so that a
//! slow relay keeps nobody else waiting; its issues take turns, so that a long one keeps no short one waiting.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::json;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::job::Job;
use super::lane::Lane;
use super::maker::{CHUNK, Makers};
use super::night::{self, Nights};
use super::pacer::Pacer;
use super::peers::Peers;
use super::sheet::Sheet;
use super::worker::Worker;
use super::writer::Writer;
use crate::delivery::pace::share;
use crate::issue::dkim::Signer;
use crate::store::delivery::claim::{Claim, claim};
use crate::store::event::About;
use crate::store::issue::{self, Leaving};
use crate::store::{delivery, event, letter, newsletter, relay};
use crate::values::clock::Millis;
use crate::values::ids::{IssueId, NewsletterId, RelayId};
use crate::verbs::app::App;
use crate::verbs::failpoint;
use crate::verbs::{nodes, outlet, signing};

/// A claim's lease. What is claimed waits for a connection; if they are so slow that the lease runs out, the mark
/// fails and the row is claimed anew.
const CLAIM_LEASE_MS: i64 = 10 * Millis::MINUTE;
/// A claim of fewer rows costs as much as one of so many.
const CLAIM_MIN: usize = 16;
/// And one of more holds the writer too long.
const CLAIM_MAX: usize = 512;
/// Claims grow until one lasts about this long: little waits in memory when the relay is slow or the issue is paused,
/// and claims cost little when it is fast.
const CLAIM_LASTS_MS: i64 = 200;
/// Letters claimed at once; they go before any issue.
const LETTERS_MAX: i64 = 32;
/// With nothing due and nobody ringing, the rows are asked again after this long (other nodes, retries, holds).
const TICK: Duration = Duration::from_millis(500);
/// How long messages on the wire may take to end when the program stops.
pub(super) const STOP_GRACE: Duration = Duration::from_secs(30);
/// Prepared issues kept by one line.
const SHEETS_MAX: usize = 8;

/// Messages made ahead for each connection; more would only fill the memory.
const MADE_PER_CONNECTION: usize = 4;

pub(super) struct Line {
    pub app: App,
    /// `None`: the demo's catcher, which takes the mail of all newsletters.
    pub relay: Option<RelayId>,
    pub writer: Writer,
    pub makers: Makers,
    pub stop: CancellationToken,
    sheets: HashMap<(IssueId, i64), Arc<Sheet>>,
    signers: HashMap<NewsletterId, Arc<Signer>>,
    /// The relays of each newsletter, as they see each other.
    peers: Arc<Peers>,
    turn: u64,
    /// Claimed, and not yet with the makers.
    backlog: VecDeque<Job>,
    /// How many a claim takes, and when the last one was.
    share: usize,
    claimed_at: Millis,
}

impl Line {
    pub(super) fn new(
        app: App,
        relay: Option<RelayId>,
        writer: Writer,
        makers: Makers,
        peers: Arc<Peers>,
        stop: CancellationToken,
    ) -> Self {
        let (sheets, signers, backlog) = (HashMap::new(), HashMap::new(), VecDeque::new());
        let (share, claimed_at) = (CLAIM_MIN, Millis(0));
        Self { app, relay, writer, makers, stop, sheets, signers, peers, turn: 0, backlog, share, claimed_at }
    }

    /// Works until told to stop. When the relay's settings change, its connections are made anew.
    pub(super) async fn run(mut self) {
        while !self.stop.is_cancelled() {
            match self.open().await {
                Ok(Some(lane)) => self.feed(&Arc::new(lane)).await,
                Ok(None) => self.wait().await,
                Err(error) => {
                    tracing::error!("a relay's settings cannot be read, sending waits: {error:#}");
                    self.wait().await;
                }
            }
        }
    }

    async fn open(&self) -> anyhow::Result<Option<Lane>> {
        let lane = |target, pacer| {
            let (app, writer) = (self.app.clone(), self.writer.clone());
            Lane::new(app, self.relay, target, writer, self.makers.spare(), pacer, self.stop.clone())
        };
        let Some(id) = self.relay else {
            let target = outlet::target(&self.app, None);
            let pacer = Pacer::new(self.app.clone(), None, self.app.config.connections_max);
            return Ok(target.map(|target| lane(target, pacer)));
        };
        let mut tx = self.app.store.read().await?;
        let Some(row) = relay::by_id(&mut tx, id).await? else { return Ok(None) };
        let target = outlet::target(&self.app, Some(&row));
        let pacer = Pacer::new(self.app.clone(), Some(&row), row.connections_most() as usize);
        Ok(target.map(|target| lane(target, pacer).with_faults(row.faults > 0)))
    }

    async fn feed(&mut self, lane: &Arc<Lane>) {
        let mut workers = JoinSet::new();
        let (ended, keeping) = (CancellationToken::new(), Arc::clone(lane));
        let over = ended.clone();
        let keeper = tokio::spawn(async move { keeping.pacer.keep(over, || keeping.ready.unblock()).await });
        let settings = self.settings().await;
        // A sender's domain may have changed with the settings; its key is looked up again.
        self.signers.clear();
        while !self.stop.is_cancelled() {
            // More connections than before are more tasks; fewer have no seat and wait.
            for seat in workers.len()..lane.pacer.most() {
                workers.spawn(Worker::new(Arc::clone(lane), seat).run());
            }
            match self.round(lane).await {
                Ok(0) => {
                    self.wait().await;
                    if self.settings().await != settings {
                        break;
                    }
                }
                Ok(_) => self.pass_on(lane).await,
                Err(error) => {
                    tracing::error!("nothing can be claimed, sending waits: {error:#}");
                    self.wait().await;
                }
            }
        }
        lane.give_back(self.backlog.drain(..).map(|job| job.key()));
        lane.give_back(lane.ready.close().iter().map(|made| made.job.key()));
        let ending = async { while workers.join_next().await.is_some() {} };
        if tokio::time::timeout(STOP_GRACE, ending).await.is_err() {
            tracing::warn!("some messages did not end in time; the ledger holds them as in doubt");
            workers.shutdown().await;
        }
        lane.put_all_back();
        ended.cancel();
        // A keeper that panicked has nothing to end.
        let _ = keeper.await;
        self.peers.leave(self.relay);
        lane.written().await;
    }

    /// What, when it changes, makes the connections obsolete.
    async fn settings(&self) -> Option<String> {
        let mut tx = self.app.store.read().await.ok()?;
        let row = relay::by_id(&mut tx, self.relay?).await.ok()??;
        Some(format!("{:?} {:?} {:?}", row.url(), row.username, row.password))
    }

    /// Has what was claimed made, as fast as the connections take it; comes back when it is time for another claim.
    async fn pass_on(&mut self, lane: &Arc<Lane>) {
        self.peers.has_room(self.relay, false);
        while !self.backlog.is_empty() && !self.stop.is_cancelled() {
            if lane.is_resting() || lane.pacer.long_wait().is_some() {
                return lane.give_back(self.backlog.drain(..).map(|job| job.key()));
            }
            let most = lane.pacer.most() * MADE_PER_CONNECTION + 2 * CHUNK;
            tokio::select! {
                () = self.stop.cancelled() => {}
                () = lane.ready.fewer_than(most) => {
                    let some: Vec<Job> = self.backlog.drain(..CHUNK.min(self.backlog.len())).collect();
                    lane.ready.expect(some.len());
                    self.makers.make(lane, some);
                }
            }
        }
    }

    async fn wait(&self) {
        tokio::select! {
            () = self.stop.cancelled() => {}
            () = self.app.wake.notified() => {}
            () = tokio::time::sleep(TICK) => {}
        }
    }

    /// One turn: letters, then a claim for each issue. Gives how many jobs it handed out.
    async fn round(&mut self, lane: &Arc<Lane>) -> anyhow::Result<usize> {
        let rests = self.rests(lane).await?;
        self.peers.rests(self.relay, rests);
        if rests {
            return Ok(0);
        }
        self.peers.has_room(self.relay, true);
        let mut handed = self.letters().await?;
        self.fit_share(lane.pacer.most());
        let mut tx = self.app.store.read().await?;
        self.peers.follow(relay::parts(&mut tx).await?);
        let (mut leaving, mut due) = (Vec::new(), Vec::new());
        for issue in issue::leaving(&mut tx, self.relay).await? {
            if self.peers.may_take(self.relay, issue.newsletter_id) {
                due.push(delivery::claim::due(&mut tx, issue.id, self.share as u64).await?);
                leaving.push(issue);
            }
        }
        drop(tx);
        self.turn += 1;
        let parts = share::split(self.share as u64, &due, self.turn);
        for (issue, (part, due)) in leaving.iter().zip(parts.into_iter().zip(due)) {
            if due == 0 {
                self.finish_if_done(issue).await?;
            } else if part > 0 {
                handed += self.copies(lane, issue, part).await?;
            }
        }
        Ok(handed)
    }

    async fn rests(&self, lane: &Lane) -> anyhow::Result<bool> {
        let waits = lane.pacer.long_wait().is_some();
        let paused = match self.relay {
            None => lane.is_resting(),
            Some(id) => {
                let mut tx = self.app.store.read().await?;
                relay::by_id(&mut tx, id).await?.is_none_or(|row| row.is_paused(tx.now))
            }
        };
        if waits {
            // A limit is used up, or the relay asked for a pause: what is made goes back, so that others may have it.
            lane.give_back(lane.ready.hold().iter().map(|made| made.job.key()));
        } else if !paused {
            lane.wake();
        }
        Ok(waits || paused || lane.is_resting())
    }

    async fn letters(&mut self) -> anyhow::Result<usize> {
        let mut tx = self.app.store.read().await?;
        if !letter::any_due(&mut tx, self.relay).await? {
            return Ok(0);
        }
        drop(tx);
        let mut tx = self.app.store.write().await?;
        let Some(epoch) = nodes::claiming(&self.app, &mut tx).await? else { return Ok(0) };
        let lease = tx.now.plus(CLAIM_LEASE_MS);
        let claimed = letter::claim(&mut tx, self.relay, epoch, lease, LETTERS_MAX).await?;
        tx.commit().await?;
        let mut jobs = Vec::with_capacity(claimed.len());
        for letter in claimed {
            let signer = self.signer(letter.newsletter_id).await?;
            jobs.push(Job::Letter { letter: Box::new(letter), signer, epoch });
        }
        let many = jobs.len();
        self.backlog.extend(jobs);
        Ok(many)
    }

    async fn signer(&mut self, id: NewsletterId) -> anyhow::Result<Arc<Signer>> {
        if let Some(signer) = self.signers.get(&id) {
            return Ok(Arc::clone(signer));
        }
        let mut tx = self.app.store.read().await?;
        let row = newsletter::by_id(&mut tx, id).await?.context("the newsletter of a letter is gone")?;
        drop(tx);
        let signer = Arc::new(signing::signer(&self.app, row.sender_domain()).await?);
        self.signers.insert(id, Arc::clone(&signer));
        Ok(signer)
    }

    async fn finish_if_done(&mut self, issue: &Leaving) -> anyhow::Result<()> {
        let mut tx = self.app.store.read().await?;
        let unfinished = issue::is_unfinished(&mut tx, issue.id).await?;
        drop(tx);
        if unfinished { Ok(()) } else { self.finish(issue).await }
    }

    async fn copies(&mut self, lane: &Arc<Lane>, issue: &Leaving, many: u64) -> anyhow::Result<usize> {
        let sheet = self.sheet(issue).await?;
        let mut tx = self.app.store.write().await?;
        if let Some(many) = night::put_off(&mut tx, issue.id, sheet.night.as_ref()).await? {
            tx.commit().await?;
            return Ok(many);
        }
        let Some(epoch) = nodes::claiming(&self.app, &mut tx).await? else { return Ok(0) };
        let lease_until = tx.now.plus(CLAIM_LEASE_MS);
        let (id, newsletter, relay) = (issue.id, issue.newsletter_id, self.relay);
        let limit = i64::try_from(many).unwrap_or(1);
        let wanted = Claim { issue: id, newsletter, relay, epoch, lease_until, limit };
        let (claimed, skipped) = claim(&mut tx, wanted).await?;
        let mut nights = Nights::of(&mut tx, sheet.night.as_ref(), &claimed).await?;
        let now = tx.now;
        tx.commit().await?;
        failpoint::check("claimed")?;
        self.peers.taken(self.relay, newsletter, claimed.len() as u64);
        let handled = claimed.len() + skipped;
        for reader in claimed {
            // Readers of a site that rests are put off before anything is made for them.
            let shut = lane.pacer.shut_until(reader.recipient.address());
            let night = nights.span(reader.recipient.subscriber());
            let job = Job::Copy { sheet: Arc::clone(&sheet), reader, epoch, night };
            match (job.quiet_until(now), shut) {
                (Some(until), _) => lane.wait_for_morning(job.key(), until),
                (None, Some(until)) => lane.put_off(job.key(), until),
                (None, None) => self.backlog.push_back(job),
            }
        }
        Ok(handled)
    }

    /// A claim that was used up quickly is followed by a bigger one, and the other way round.
    fn fit_share(&mut self, connections: usize) {
        let now = self.app.clock.now();
        let lasted = now.since(self.claimed_at);
        self.claimed_at = now;
        let share = if lasted < CLAIM_LASTS_MS { self.share * 2 } else { self.share / 2 };
        self.share = share.clamp(CLAIM_MIN.max(connections * 2), CLAIM_MAX);
    }

    async fn sheet(&mut self, issue: &Leaving) -> anyhow::Result<Arc<Sheet>> {
        let key = (issue.id, issue.published_at);
        if let Some(sheet) = self.sheets.get(&key) {
            return Ok(Arc::clone(sheet));
        }
        if self.sheets.len() >= SHEETS_MAX {
            self.sheets.clear();
        }
        let sheet = Arc::new(Sheet::of(&self.app, issue).await?);
        self.sheets.insert(key, Arc::clone(&sheet));
        Ok(sheet)
    }

    async fn finish(&mut self, issue: &Leaving) -> anyhow::Result<()> {
        let mut tx = self.app.store.write().await?;
        if !issue::finish(&mut tx, issue.id).await? {
            return Ok(());
        }
        let counts = delivery::counts(&mut tx, issue.id).await?;
        let about = About { newsletter: Some(issue.newsletter_id), issue: Some(issue.id), ..About::default() };
        event::insert(&mut tx, "issue.sent", about, &json!(counts)).await?;
        failpoint::check("finish-before-commit")?;
        tx.commit().await?;
        failpoint::check("finish-after-commit")?;
        self.sheets.retain(|(id, _), _| *id != issue.id);
        let _ = self.app.changed.send(issue.id);
        Ok(())
    }
}

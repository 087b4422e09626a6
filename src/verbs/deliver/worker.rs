//! One connection to one relay: takes a job, makes the message, marks it, sends it, says how it ended.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, mpsc};
use tokio_util::sync::CancellationToken;

use super::job::{Job, Key, Outgoing};
use super::lane::Lane;
use super::writer::Writer;
use crate::delivery::reply::Answer;
use crate::delivery::state::DeliveryState;
use crate::delivery::step::{End, Note, Said, step};
use crate::smtp::client::{Connection, Handover, connect};
use crate::values::clock::Millis;
use crate::verbs::app::App;
use crate::verbs::failpoint;

/// A connection with nothing to carry is closed after this long: shorter than any relay's own patience.
const IDLE: Duration = Duration::from_secs(10);
/// A message that could not be made is tried so often; the cause may be a passing one (memory, a thread that died).
const RENDER_TRIES: i64 = 3;
/// Pause between these tries.
const RENDER_PAUSE_MS: i64 = Millis::MINUTE;

/// The queue that all connections of a relay take from.
pub(super) type Jobs = Arc<Mutex<mpsc::Receiver<Job>>>;

pub(super) struct Worker {
    pub app: App,
    pub lane: Arc<Lane>,
    pub jobs: Jobs,
    pub writer: Writer,
    /// From here on claims are given back and nothing new is sent.
    pub stop: CancellationToken,
    pub connection: Option<Connection>,
}

impl Worker {
    /// Works until the queue is closed and empty.
    pub(super) async fn run(mut self) {
        loop {
            let next = tokio::time::timeout(IDLE, async { self.jobs.lock().await.recv().await }).await;
            match next {
                Ok(Some(job)) => self.carry(job).await,
                Ok(None) => break,
                Err(_) => self.hang_up().await,
            }
        }
        self.hang_up().await;
    }

    async fn hang_up(&mut self) {
        if let Some(connection) = self.connection.take() {
            connection.quit().await;
        }
    }

    async fn carry(&mut self, job: Job) {
        let key = job.key();
        if self.stop.is_cancelled() || self.lane.is_resting(self.app.clock.now()) {
            return self.writer.release(key).await;
        }
        let job = Arc::new(job);
        let making = Arc::clone(&job);
        let made = tokio::task::spawn_blocking(move || making.outgoing()).await;
        let outgoing = match made {
            Ok(Ok(outgoing)) => outgoing,
            Ok(Err(error)) => return self.cannot_be_made(&job, &format!("{error:#}")).await,
            Err(_) => return self.cannot_be_made(&job, "making the message failed unexpectedly").await,
        };
        if let Err(answer) = self.connected().await {
            return self.fault_before(key, &answer).await;
        }
        failpoint::pass("before-mark");
        if !self.writer.mark(key).await {
            return self.writer.release(key).await;
        }
        failpoint::pass("marked");
        self.hand_over(&job, key, &outgoing).await;
    }

    /// Sends a marked message, at most twice: a kept connection that the relay had closed meanwhile is replaced.
    async fn hand_over(&mut self, job: &Job, key: Key, outgoing: &Outgoing) {
        let mut handover = self.try_once(key, outgoing).await;
        if matches!(handover, Handover::Stale { .. }) {
            handover = match self.connected().await {
                Ok(()) => self.try_once(key, outgoing).await,
                Err(answer) => Handover::Answered(answer),
            };
        }
        failpoint::pass("answered");
        match handover {
            Handover::Answered(answer) => self.conclude(job, key, &answer).await,
            Handover::Withdrawn => self.untried(key, Said::default()).await,
            Handover::Stale { why } => self.untried(key, Said { text: Some(why), ..Said::default() }).await,
        }
    }

    async fn try_once(&mut self, key: Key, outgoing: &Outgoing) -> Handover {
        let Some(connection) = self.connection.take() else {
            return Handover::Stale { why: "there was no connection".into() };
        };
        let app = self.app.clone();
        let asked = std::sync::atomic::AtomicBool::new(false);
        let may_go = move || {
            if asked.swap(true, std::sync::atomic::Ordering::Relaxed) {
                failpoint::pass("before-text");
            }
            let has_left = match key {
                Key::Copy { newsletter, subscriber, .. } => app.departed.contains(newsletter, subscriber),
                Key::Letter { .. } => false,
            };
            !has_left && app.node.may_send(app.clock.now())
        };
        let sending = connection.send(&outgoing.mail_from, &outgoing.rcpt_to, &outgoing.message, may_go);
        let (handover, kept) = sending.await;
        self.connection = kept;
        handover
    }

    async fn connected(&mut self) -> Result<(), Answer> {
        if self.connection.is_none() {
            self.connection = Some(connect(&self.lane.target).await?);
        }
        Ok(())
    }

    async fn conclude(&self, job: &Job, key: Key, answer: &Answer) {
        let now = self.app.clock.now();
        let (end, fault) = step(job.tried(now), answer, super::chance());
        if end.to == DeliveryState::Sent {
            self.lane.works(&self.app).await;
        }
        if let Some(fault) = fault {
            self.lane.rest(&self.app, fault, answer).await;
        }
        if end.to == DeliveryState::Pending {
            failpoint::pass("before-retry");
        }
        self.writer.settle(key, end).await;
    }

    /// No connection: the claim is given back, and the relay rests.
    async fn fault_before(&self, key: Key, answer: &Answer) {
        let tried = crate::delivery::step::Tried { attempts: 0, first_at: Millis(0), now: self.app.clock.now() };
        if let (_, Some(fault)) = step(tried, answer, super::chance()) {
            self.lane.rest(&self.app, fault, answer).await;
        }
        self.writer.release(key).await;
    }

    /// Nothing was sent and nothing counts: pending again, and the next claim finds out why.
    async fn untried(&self, key: Key, said: Said) {
        let (now, to) = (self.app.clock.now(), DeliveryState::Pending);
        self.writer
            .settle(key, End { to, next_at: now, tried: false, said, reason: None, hard: false, note: Note::default() })
            .await;
    }

    async fn cannot_be_made(&self, job: &Job, why: &str) {
        let tried = job.tried(self.app.clock.now());
        let last = tried.attempts + 1 >= RENDER_TRIES;
        let end = End {
            to: if last { DeliveryState::Failed } else { DeliveryState::Pending },
            next_at: tried.now.plus(RENDER_PAUSE_MS),
            tried: true,
            said: Said { stage: None, code: None, text: Some(why.to_owned()) },
            reason: Some("render".into()),
            hard: false,
            note: Note::default(),
        };
        self.writer.settle(job.key(), end).await;
    }
}

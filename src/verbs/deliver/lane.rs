//! A relay as its connections see it: where it is, what is ready for it, and whether it rests.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::job::{Job, Key, Made};
use super::laden::Laden;
use super::maker::Spare;
use super::night;
use super::pacer::Pacer;
use super::ready::{Ready, Taken};
use super::writer::Writer;
use crate::delivery::outcome::{Fault, Pace, Speaker};
use crate::delivery::pace::gate::{Admit, Ended};
use crate::delivery::pace::sites::SiteKey;
use crate::delivery::reply::Answer;
use crate::delivery::retry::relay_rest_ms;
use crate::delivery::state::DeliveryState;
use crate::delivery::step::{End, Note, Said, Tried};
use crate::smtp::client::Target;
use crate::store::delivery::hours;
use crate::store::relay;
use crate::values::clock::Millis;
use crate::values::ids::{NewsletterId, RelayId};
use crate::verbs::app::App;
use crate::verbs::{failpoint, warm_up};

/// Where there is no row to write a rest on (the demo's catcher), and until a rest is written, a fault is waited out
/// for this long.
const REST_WITHOUT_ROW_MS: i64 = Millis::SECOND;
/// A message that could not be made is tried so often; the cause may be a passing one (memory, a thread that died).
const RENDER_TRIES: i64 = 3;
/// Pause between these tries.
const RENDER_PAUSE_MS: i64 = Millis::MINUTE;

pub(super) struct Lane {
    pub app: App,
    /// `None`: the catcher, which is no relay and has no row.
    pub relay: Option<RelayId>,
    pub target: Target,
    pub writer: Writer,
    pub ready: Ready,
    pub spare: Spare,
    pub pacer: Pacer,
    /// From here on claims are given back and nothing new is sent.
    over: CancellationToken,
    /// Unix milliseconds; nothing is taken from the queue before.
    resting_until: AtomicI64,
    /// A rest is being written down; connections that fail together make one fault.
    telling: AtomicBool,
    /// Whether the row has faults that the next success takes away.
    faulty: AtomicBool,
    /// What is being written about the relay.
    notes: TaskTracker,
    /// Held by the one who has messages marked ahead, so that no more than may be in doubt are.
    stocking: Mutex<()>,
}

impl Lane {
    pub(super) fn new(
        app: App,
        relay: Option<RelayId>,
        target: Target,
        writer: Writer,
        spare: Spare,
        pacer: Pacer,
        over: CancellationToken,
    ) -> Self {
        Self {
            app,
            relay,
            target,
            writer,
            ready: Ready::default(),
            spare,
            pacer,
            over,
            resting_until: AtomicI64::new(0),
            telling: AtomicBool::new(false),
            faulty: AtomicBool::new(false),
            notes: TaskTracker::new(),
            stocking: Mutex::new(()),
        }
    }

    /// The row says that there were faults.
    pub(super) fn with_faults(mut self, faulty: bool) -> Self {
        self.faulty = AtomicBool::new(faulty);
        self
    }

    pub(super) fn is_over(&self) -> bool {
        self.over.is_cancelled()
    }

    pub(super) fn is_resting(&self) -> bool {
        self.telling.load(Ordering::SeqCst) || self.app.clock.now().0 < self.resting_until.load(Ordering::SeqCst)
    }

    /// Nothing of these has left; others may claim them.
    pub(super) fn give_back(&self, keys: impl IntoIterator<Item = Key>) {
        for key in keys {
            self.writer.release(key);
        }
    }

    /// Nothing of this has left, and nothing of it is to be tried before `until`.
    pub(super) fn put_off(&self, key: Key, until: Millis) {
        self.wait(key, until, "the receiving site is given a rest", None);
    }

    /// The same for a reader whose quiet hours last until then.
    pub(super) fn wait_for_morning(&self, key: Key, until: Millis) {
        self.wait(key, until, night::WHY, Some(hours::QUIET_HOURS.to_owned()));
    }

    fn wait(&self, key: Key, until: Millis, why: &str, reason: Option<String>) {
        let said = Said { stage: None, code: None, text: Some(why.into()) };
        let (to, note) = (DeliveryState::Pending, Note::default());
        self.writer.settle(key, End { to, next_at: until, tried: false, said, reason, hard: false, note });
    }

    /// Waits until a message may be taken; `false` when nothing will come any more.
    pub(super) async fn there(&self) -> bool {
        while self.ready.there().await {
            if self.ready.has_marked() {
                return true;
            }
            match self.pacer.opens_at() {
                None => return true,
                Some(until) => self.pacer.changed(until).await,
            }
        }
        false
    }

    /// The next message that may go, if there is one.
    fn take(&self) -> Option<Made> {
        if self.pacer.opens_at().is_some() {
            return None;
        }
        let now = self.app.clock.now();
        let Taken { made, put_off } = self.ready.take(now, |made| match made.job.quiet_until(now) {
            Some(until) => Admit::Later(until),
            None => self.pacer.ask(&made.outgoing.rcpt_to),
        });
        for (made, until) in put_off {
            match made.job.quiet_until(now) {
                Some(until) => self.wait_for_morning(made.job.key(), until),
                None => self.put_off(made.job.key(), until),
            }
        }
        made
    }

    /// Has messages marked before a connection asks for them, so that their commit is over when it does.
    pub(super) fn stock(&self) {
        let _alone = self.stocking.lock().unwrap_or_else(PoisonError::into_inner);
        while !self.is_over() && !self.is_resting() && self.ready.is_short() {
            let Some(made) = self.take() else { return };
            self.ready.put_marked(self.begin(made));
        }
    }

    /// Orders a message's mark: it is committed while what goes before is on its way.
    fn begin(&self, made: Made) -> Laden {
        failpoint::pass("before-mark");
        self.writer.begun();
        let mark = self.writer.mark(made.job.key());
        let (site, begun) = (self.pacer.site_of(&made.outgoing.rcpt_to), self.app.clock.now());
        let patience = self.pacer.patience(&site);
        Laden { made, mark, again: false, passed: AtomicBool::new(false), site, begun, patience }
    }

    /// For a connection that is free: the message that was marked first.
    pub(super) fn next_marked(&self) -> Option<Laden> {
        self.stock();
        let (laden, more) = self.ready.take_marked()?;
        self.stock();
        if more {
            self.ready.ring();
        }
        Some(laden)
    }

    /// A message is no longer in hand, and what that says of its receiving site.
    pub(super) fn ended(&self, laden: &Laden, ended: Ended) {
        self.pacer.off_wire(&laden.site, laden.begun, ended);
        self.ready.unblock();
        self.writer.ended();
    }

    /// What was marked and cannot go now: nothing was sent and nothing counts.
    pub(super) fn put_back(&self, laden: Laden) {
        self.ended(&laden, Ended::Unknown);
        self.untried(laden.made.job.key(), Said::default());
    }

    /// The same for everything that no connection has taken.
    pub(super) fn put_all_back(&self) {
        let _alone = self.stocking.lock().unwrap_or_else(PoisonError::into_inner);
        for laden in self.ready.drain_marked() {
            self.put_back(laden);
        }
    }

    /// Nothing was sent and nothing counts: pending again, and the next claim finds out why.
    pub(super) fn untried(&self, key: Key, said: Said) {
        let (next_at, to) = (self.app.clock.now(), DeliveryState::Pending);
        let note = Note::default();
        self.writer.settle(key, End { to, next_at, tried: false, said, reason: None, hard: false, note });
    }

    /// Waits until the connection with this number may be open; `false` when the line ends.
    pub(super) async fn seated(&self, seat: usize) -> bool {
        while !self.is_over() {
            if self.pacer.has_seat(seat) {
                return true;
            }
            self.pacer.changed(self.app.clock.now().plus(Millis::SECOND)).await;
        }
        false
    }

    pub(super) fn cannot_be_made(&self, job: &Job, why: &str) {
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
        self.writer.settle(job.key(), end);
    }

    /// A message was taken: whatever was wrong is over. Not while the relay rests: then the message had been begun
    /// before the fault and says nothing about it.
    pub(super) fn works(self: &Arc<Self>) {
        if !self.faulty.load(Ordering::SeqCst) || self.is_resting() {
            return;
        }
        let Some(id) = self.relay else { return };
        self.faulty.store(false, Ordering::SeqCst);
        let lane = Arc::clone(self);
        self.notes.spawn(async move {
            if let Err(error) = clear(&lane.app, id).await {
                lane.faulty.store(true, Ordering::SeqCst);
                tracing::warn!("that the relay works again could not be written down: {error:#}");
            }
        });
    }

    /// The row says that the relay does not rest, and the row is right: somebody said "try again now".
    pub(super) fn wake(&self) {
        if !self.telling.load(Ordering::SeqCst) {
            self.resting_until.store(0, Ordering::SeqCst);
            self.ready.go_on();
        }
    }

    /// There is no connection; always a fault of ours.
    pub(super) fn unreachable(self: &Arc<Self>, answer: &Answer) {
        let tried = Tried { attempts: 0, first_at: Millis(0), now: self.app.clock.now() };
        let (end, fault) = self.app.replies.step(Speaker::Relay, tried, answer, super::chance());
        if end.note.pace == Some(Pace::Slow) {
            self.pacer.too_many();
        }
        self.rest(fault.unwrap_or(Fault::Connection), end.note.wait_ms, answer);
    }

    /// A fault of ours: the relay rests, with the answer as the reason, what waits goes back, and no reader is touched.
    /// `wait_ms`: the answer, or its rule, asks for a rest of so long.
    pub(super) fn rest(self: &Arc<Self>, fault: Fault, wait_ms: Option<i64>, answer: &Answer) {
        if self.is_resting() || self.telling.swap(true, Ordering::SeqCst) {
            return;
        }
        self.faulty.store(true, Ordering::SeqCst);
        self.give_back(self.ready.hold().iter().map(|made| made.job.key()));
        self.put_all_back();
        let (lane, answer) = (Arc::clone(self), answer.clone());
        self.notes.spawn(async move {
            let until = match pause(&lane.app, lane.relay, fault, wait_ms, &answer).await {
                Ok(until) => until,
                Err(error) => {
                    tracing::warn!("the relay's rest could not be written down: {error:#}");
                    lane.app.clock.now().plus(REST_WITHOUT_ROW_MS)
                }
            };
            lane.resting_until.store(until.0, Ordering::SeqCst);
            lane.telling.store(false, Ordering::SeqCst);
        });
    }

    /// A receiver asked for less: where the sender's domain is being warmed up, that holds for a day.
    pub(super) fn hold_warm_up(self: &Arc<Self>, newsletter: NewsletterId, site: SiteKey) {
        let lane = Arc::clone(self);
        self.notes.spawn(async move {
            if let Err(error) = warm_up::hold_a_day(&lane.app, newsletter, &site).await {
                tracing::warn!("a day of the warm-up could not be held: {error:#}");
            }
        });
    }

    /// Waits until everything about the relay is written.
    pub(super) async fn written(&self) {
        self.notes.close();
        self.notes.wait().await;
    }
}

async fn pause(
    app: &App,
    id: Option<RelayId>,
    fault: Fault,
    wait_ms: Option<i64>,
    answer: &Answer,
) -> anyhow::Result<Millis> {
    let Some(id) = id else { return Ok(app.clock.now().plus(REST_WITHOUT_ROW_MS)) };
    let mut tx = app.store.write().await?;
    let Some(row) = relay::by_id(&mut tx, id).await? else { anyhow::bail!("the relay is gone") };
    if let Some(until) = row.paused_until.map(Millis).filter(|until| *until > tx.now) {
        return Ok(until);
    }
    let faults = u32::try_from(row.faults + 1).unwrap_or(u32::MAX);
    let least_ms = wait_ms.unwrap_or(0).max(fault.rest_min_ms());
    let until = tx.now.plus(relay_rest_ms(faults, least_ms, super::chance()));
    let said = Said::of(answer);
    let code = said.code.map(|code| format!(" {code}")).unwrap_or_default();
    let reason = format!("{}:{code} {}", said.stage.unwrap_or_default(), said.text.unwrap_or_default());
    relay::pause(&mut tx, id, until, &reason).await?;
    tx.commit().await?;
    tracing::warn!(relay = row.name, fault = fault.as_str(), "{} {reason}", fault.explain());
    Ok(until)
}

async fn clear(app: &App, id: RelayId) -> anyhow::Result<()> {
    let mut tx = app.store.write().await?;
    relay::clear_pause(&mut tx, id).await?;
    tx.commit().await?;
    Ok(())
}

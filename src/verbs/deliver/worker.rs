//! One connection to one relay: takes what is made, has it marked, sends it, says how it ended.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::job::{Key, Made};
use super::lane::Lane;
use super::writer::Mark;
use crate::delivery::outcome::Speaker;
use crate::delivery::reply::Answer;
use crate::delivery::state::DeliveryState;
use crate::delivery::step::{End, Note, Said};
use crate::smtp::client::{Cargo, Carried, Connection, Handover, connect};
use crate::verbs::failpoint;

/// A connection with nothing to carry is closed after this long: shorter than any relay's own patience.
const IDLE: Duration = Duration::from_secs(10);

pub(super) struct Worker {
    lane: Arc<Lane>,
    /// Messages that may be marked and unanswered at once.
    window: usize,
    unanswered: usize,
    /// Marked, and spoiled by the end of a kept connection before anything of them was taken: they go first.
    again: VecDeque<Laden>,
}

/// A message on its way, and how its mark stands.
pub(super) struct Laden {
    made: Made,
    mark: Mark,
    /// It had its second connection already.
    again: bool,
    passed: AtomicBool,
}

impl Carried for Laden {
    fn mail_from(&self) -> &str {
        &self.made.outgoing.mail_from
    }

    fn rcpt_to(&self) -> &str {
        &self.made.outgoing.rcpt_to
    }

    fn text(&self) -> &[u8] {
        &self.made.outgoing.message
    }
}

impl Worker {
    pub(super) fn new(lane: Arc<Lane>, window: usize) -> Self {
        Self { lane, window, unanswered: 0, again: VecDeque::new() }
    }

    /// Works until the queue is closed and empty.
    pub(super) async fn run(mut self) {
        let mut kept = None;
        loop {
            if self.again.is_empty() {
                let there = tokio::time::timeout(IDLE, self.lane.ready.there()).await;
                match there {
                    Ok(true) => {}
                    Ok(false) => break,
                    Err(_) => {
                        hang_up(kept.take()).await;
                        if !self.lane.ready.there().await {
                            break;
                        }
                    }
                }
            }
            if self.lane.is_over() {
                break;
            }
            let connection = match kept.take() {
                Some(connection) => connection,
                None => match connect(&self.lane.target).await {
                    Ok(connection) => connection,
                    Err(answer) => {
                        self.lane.unreachable(&answer);
                        self.put_back();
                        continue;
                    }
                },
            };
            kept = connection.carry(&mut self).await;
        }
        self.put_back();
        hang_up(kept).await;
    }

    /// What was marked and cannot go now: nothing was sent and nothing counts.
    fn put_back(&mut self) {
        while let Some(laden) = self.again.pop_front() {
            self.done();
            self.untried(laden.made.job.key(), Said::default());
        }
    }

    fn may_begin(&self) -> bool {
        self.unanswered < self.window && !self.lane.is_over() && !self.lane.is_resting()
    }

    /// Takes a message and orders its mark: it is committed while the envelope is on its way.
    fn begin(&mut self, made: Made) -> Laden {
        failpoint::pass("before-mark");
        if self.unanswered == 0 {
            self.lane.writer.connection_busy();
        }
        self.unanswered += 1;
        let mark = self.lane.writer.mark(made.job.key());
        Laden { made, mark, again: false, passed: AtomicBool::new(false) }
    }

    fn done(&mut self) {
        self.unanswered -= 1;
        if self.unanswered == 0 {
            self.lane.writer.connection_idle();
        }
    }

    fn conclude(&self, laden: &Laden, answer: &Answer) {
        let now = self.lane.app.clock.now();
        let app = &self.lane.app;
        let (end, fault) = app.replies.step(Speaker::Relay, laden.made.job.tried(now), answer, super::chance());
        if end.to == DeliveryState::Sent {
            self.lane.works();
        }
        if let Some(fault) = fault {
            self.lane.rest(fault, end.note.wait_ms, answer);
        }
        if end.to == DeliveryState::Pending {
            failpoint::pass("before-retry");
        }
        self.lane.writer.settle(laden.made.job.key(), end);
    }

    /// Nothing was sent and nothing counts: pending again, and the next claim finds out why.
    fn untried(&self, key: Key, said: Said) {
        let (next_at, to) = (self.lane.app.clock.now(), DeliveryState::Pending);
        let note = Note::default();
        self.lane.writer.settle(key, End { to, next_at, tried: false, said, reason: None, hard: false, note });
    }
}

impl Cargo for Worker {
    type Message = Laden;

    /// Ends when nothing came for a while, and when the relay rests or the line ends.
    async fn next(&mut self) -> Option<Laden> {
        if let Some(laden) = self.again.pop_front() {
            return Some(laden);
        }
        loop {
            if self.lane.is_over() || self.lane.is_resting() {
                return None;
            }
            if self.unanswered >= self.window {
                // Dropped by the next answer, which makes room.
                std::future::pending::<()>().await;
            }
            if let Some(laden) = self.ready() {
                return Some(laden);
            }
            let there = tokio::time::timeout(IDLE, self.lane.ready.there()).await;
            if !matches!(there, Ok(true)) {
                return None;
            }
        }
    }

    fn ready(&mut self) -> Option<Laden> {
        if !self.may_begin() {
            return None;
        }
        let made = self.lane.ready.take()?;
        Some(self.begin(made))
    }

    async fn cleared(&mut self, laden: &mut Laden) -> bool {
        let marked = laden.mark.made().await;
        if marked {
            failpoint::pass("marked");
        }
        marked
    }

    fn may_go(&self, laden: &Laden) -> bool {
        if !laden.passed.swap(true, Ordering::Relaxed) {
            failpoint::pass("before-text");
        }
        let app = &self.lane.app;
        let has_left = match laden.made.job.key() {
            Key::Copy { newsletter, subscriber, .. } => app.departed.contains(newsletter, subscriber),
            Key::Letter { .. } => false,
        };
        !has_left && app.node.may_send(app.clock.now())
    }

    fn answered(&mut self, mut laden: Laden, handover: Handover) {
        failpoint::pass("answered");
        let key = laden.made.job.key();
        match handover {
            Handover::Stale { .. } if !laden.again && !self.lane.is_over() => {
                laden.again = true;
                return self.again.push_back(laden);
            }
            Handover::Stale { why } => self.untried(key, Said { text: Some(why), ..Said::default() }),
            Handover::Withdrawn if laden.mark.is_refused() => self.lane.writer.release(key),
            Handover::Withdrawn => self.untried(key, Said::default()),
            Handover::Answered(answer) => self.conclude(&laden, &answer),
        }
        self.done();
        self.lane.spare.give_back(laden.made.outgoing.message);
    }
}

async fn hang_up(connection: Option<Connection>) {
    if let Some(connection) = connection {
        connection.quit().await;
    }
}

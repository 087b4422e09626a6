//! One connection to one relay: takes what is made, has it marked, sends it, says how it ended.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::job::Key;
use super::laden::Laden;
use super::lane::Lane;
use crate::delivery::outcome::{Blame, Pace, Speaker};
use crate::delivery::pace::adapt::Slow;
use crate::delivery::pace::gate::Ended;
use crate::delivery::reply::{Answer, Stage};
use crate::delivery::state::DeliveryState;
use crate::delivery::step::{End, Said};
use crate::smtp::client::{Cargo, Connection, Handover, connect};
use crate::values::clock::Millis;
use crate::verbs::failpoint;

/// A connection with nothing to carry is closed after this long: shorter than any relay's own patience.
const IDLE: Duration = Duration::from_secs(10);

/// A rest that an answer asks for without saying how long: Gmail's, which is the one that is documented.
const REST_MS: i64 = 10 * Millis::MINUTE;
/// How long a receiver is sent to by the minute that does not say for how long (Yahoo's TS codes: half an hour).
const TRICKLE_MS: i64 = 30 * Millis::MINUTE;
/// How long one that counted our connections has only one.
const ONE_AT_MOST_MS: i64 = Millis::HOUR;

pub(super) struct Worker {
    lane: Arc<Lane>,
    /// Its number among the relay's connections, from 0.
    seat: usize,
    /// Messages that this connection has carried.
    carried: u32,
    unanswered: usize,
    /// Marked, and spoiled by the end of a kept connection before anything of them was taken: they go first.
    again: VecDeque<Laden>,
}

impl Worker {
    pub(super) fn new(lane: Arc<Lane>, seat: usize) -> Self {
        Self { lane, seat, carried: 0, unanswered: 0, again: VecDeque::new() }
    }

    /// Works until the queue is closed and empty.
    pub(super) async fn run(mut self) {
        let mut kept = None;
        loop {
            if self.lane.is_resting() {
                self.put_back();
            }
            if self.again.is_empty() {
                if !self.lane.pacer.has_seat(self.seat) || self.is_worn_out() {
                    hang_up(kept.take()).await;
                }
                if !self.lane.seated(self.seat).await {
                    break;
                }
                let there = tokio::time::timeout(IDLE, self.lane.there()).await;
                match there {
                    Ok(true) => {}
                    Ok(false) => break,
                    Err(_) => {
                        hang_up(kept.take()).await;
                        if !self.lane.there().await {
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
                    Ok(connection) => {
                        self.carried = u32::try_from(self.again.len()).unwrap_or(u32::MAX);
                        connection
                    }
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
            self.unanswered -= 1;
            self.lane.put_back(laden);
        }
    }

    fn is_full(&self) -> bool {
        self.unanswered >= self.lane.pacer.window()
    }

    fn is_worn_out(&self) -> bool {
        self.lane.pacer.per_connection().is_some_and(|most| self.carried >= most)
    }

    /// Nothing more goes over this connection.
    fn is_through(&self) -> bool {
        let no_seat = !self.lane.pacer.has_seat(self.seat);
        self.lane.is_over() || self.lane.is_resting() || no_seat || self.is_worn_out()
    }

    fn done(&mut self, laden: &Laden, ended: Ended) {
        self.lane.ended(laden, ended);
        self.unanswered -= 1;
    }

    /// Gives what the answer says of the receiving site.
    fn conclude(&self, laden: &Laden, answer: &Answer) -> Ended {
        let now = self.lane.app.clock.now();
        let app = &self.lane.app;
        let (mut end, fault) = app.replies.step(Speaker::Relay, laden.made.job.tried(now), answer, super::chance());
        if end.to == DeliveryState::Sent {
            self.lane.works();
        }
        if let Some(fault) = fault {
            self.lane.rest(fault, end.note.wait_ms, answer);
        }
        if end.to == DeliveryState::Pending {
            failpoint::pass("before-retry");
        }
        self.learn(laden, answer, &end);
        let ended = site_of_it(answer, &end);
        if end.to == DeliveryState::InDoubt {
            // For whoever looks for it in the relay's log.
            let heard = end.said.text.take().unwrap_or_default();
            end.said.text = Some(format!("{heard} (connection {})", self.seat + 1));
        }
        self.lane.writer.settle(laden.made.job.key(), end);
        ended
    }

    /// What the pace learns from an answer: the relay's, or the receiving site's.
    fn learn(&self, laden: &Laden, answer: &Answer, end: &End) {
        let Some(pace) = end.note.pace else { return };
        let wait_ms = end.note.wait_ms;
        let slow = match pace {
            Pace::Slow => Slow::Halve,
            Pace::Pause | Pace::OneConnection => Slow::Rest { ms: wait_ms.unwrap_or(REST_MS) },
            Pace::OneAMinute => Slow::Trickle { per_minute: 1, ms: wait_ms.unwrap_or(TRICKLE_MS) },
            Pace::TenAMinute => Slow::Trickle { per_minute: 10, ms: wait_ms.unwrap_or(TRICKLE_MS) },
            Pace::OneAtMost => Slow::OneConnection { ms: wait_ms.unwrap_or(ONE_AT_MOST_MS) },
            Pace::RestAtThird => Slow::RestAtThird { ms: wait_ms.unwrap_or(REST_MS) },
            Pace::NewConnection => {
                if counts_messages(answer) {
                    let fewer = Slow::FewerPerConnection { carried: self.carried };
                    self.lane.pacer.slow(fewer, None, laden.begun);
                }
                return;
            }
        };
        let at_site = end.note.blame == Some(Blame::Site);
        self.lane.pacer.slow(slow, at_site.then_some(&laden.site), laden.begun);
        if let (true, Key::Copy { newsletter, .. }) = (at_site, laden.made.job.key()) {
            self.lane.hold_warm_up(newsletter, laden.site.clone());
        }
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
            if self.is_through() {
                // The bell that woke it may have been for a message that another is to take now.
                self.lane.ready.ring();
                return None;
            }
            if self.is_full() {
                // Dropped by the next answer, which makes room.
                std::future::pending::<()>().await;
            }
            if let Some(laden) = self.ready() {
                return Some(laden);
            }
            let there = tokio::time::timeout(IDLE, self.lane.there()).await;
            if !matches!(there, Ok(true)) {
                return None;
            }
        }
    }

    fn ready(&mut self) -> Option<Laden> {
        if self.is_full() || self.is_through() {
            return None;
        }
        let laden = self.lane.next_marked()?;
        self.unanswered += 1;
        self.carried += 1;
        Some(laden)
    }

    async fn cleared(&mut self, laden: &mut Laden) -> bool {
        if laden.mark.is_awaited() {
            self.lane.ready.waited();
        }
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
        let (key, mut ended) = (laden.made.job.key(), Ended::Unknown);
        match handover {
            Handover::Stale { .. } if !laden.again && !self.lane.is_over() => {
                laden.again = true;
                return self.again.push_back(laden);
            }
            Handover::Stale { why } => self.lane.untried(key, Said { text: Some(why), ..Said::default() }),
            Handover::Withdrawn if laden.mark.is_refused() => self.lane.writer.release(key),
            Handover::Withdrawn => self.lane.untried(key, Said::default()),
            Handover::Answered(answer) => ended = self.conclude(&laden, &answer),
        }
        self.done(&laden, ended);
        self.lane.spare.give_back(laden.made.outgoing.message);
        self.lane.stock();
    }
}

/// "Too many messages in this connection", in the words that are used for it.
fn counts_messages(answer: &Answer) -> bool {
    let Answer::Reply(reply) = answer else { return false };
    let text = reply.text.to_lowercase();
    text.contains("messages per connection") || text.contains("too many messages")
}

/// What an answer says of the site that it is about. Silence and refusals for now that are not the reader's own are
/// the site's; what the relay does not want from us says nothing about it.
fn site_of_it(answer: &Answer, end: &End) -> Ended {
    match answer {
        Answer::Broken { stage: Stage::RcptTo | Stage::Data, .. } | Answer::Unclear { .. } => Ended::Silent,
        Answer::Broken { .. } => Ended::Unknown,
        Answer::Reply(_) if end.to == DeliveryState::Sent || end.to == DeliveryState::Failed => Ended::Answered,
        Answer::Reply(_) if end.note.fault.is_some() => Ended::Unknown,
        Answer::Reply(_) => match (end.note.blame, end.note.pace) {
            (Some(Blame::Site), _) | (Some(Blame::Relay) | None, None) => Ended::Refused,
            (Some(Blame::Relay | Blame::Us), _) | (None, _) => Ended::Unknown,
            (Some(_), _) => Ended::Answered,
        },
    }
}

async fn hang_up(connection: Option<Connection>) {
    if let Some(connection) = connection {
        connection.quit().await;
    }
}

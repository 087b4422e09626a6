//! A connection that is ready for the next message, and the choice of how messages follow each other on it.

use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::time::Instant;

use super::hello::Offers;
use super::one::One;
use super::wire::Wire;
use super::{Cargo, Handover, Learnt, Mode, Target, Timeouts, WINDOW_AUTO, Window, envelope};
use crate::delivery::reply::{Answer, Stage};

/// A relay whose answers take less is near: more than one text on the wire would win nothing and leave more in doubt.
/// Networks within a building answer in under 1 ms, the next city's in 5.
const NEAR: Duration = Duration::from_millis(3);

/// A connection that is ready for the next message, and owned by whoever sends. There is no way to have one in the
/// middle of a transaction: [`Connection::carry`] takes it and gives it back only when it is clean.
pub struct Connection {
    pub(super) wire: Wire,
    pub(super) offers: Offers,
    pub(super) timeouts: Timeouts,
    window: Window,
    chunking: bool,
    pub(super) learnt: Learnt,
    /// The relay has taken a message with BDAT on this connection.
    pub(super) chunks_known: bool,
    /// Messages of which this connection has heard something.
    pub(super) carried: u32,
    /// The last transaction was left open by a refusal, so RSET goes before the next. Never before the first one:
    /// Postfix counts RSET as junk until something was delivered.
    pub(super) reset_first: bool,
    /// Fastest answer so far.
    round_trip: Duration,
    /// Whether an envelope was among those measured: EHLO alone may have waited for a look-up of our name.
    measured: bool,
    /// Commands ready for the wire, kept for their memory.
    pub(super) out: String,
}

/// The connection is not to be used again; everything taken was answered for.
pub(super) struct Over;

impl Connection {
    pub(super) fn new(wire: Wire, mut offers: Offers, target: &Target, round_trip: Duration) -> Self {
        offers.pipelining &= target.pipelining;
        Self {
            wire,
            offers,
            timeouts: target.timeouts,
            window: target.window,
            chunking: target.chunking,
            learnt: target.learnt.clone(),
            chunks_known: false,
            carried: 0,
            reset_first: false,
            round_trip,
            measured: false,
            out: String::new(),
        }
    }

    /// Messages that were tried on this connection.
    #[must_use]
    pub fn carried(&self) -> u32 {
        self.carried
    }

    /// How the next message goes. With [`Window::Auto`] it depends on the round trip measured so far.
    #[must_use]
    pub fn mode(&self) -> Mode {
        let chunks = self.chunking && self.offers.chunking && self.learnt.may_chunk();
        match self.window {
            _ if !self.offers.pipelining => Mode::LockStep,
            Window::Fixed(count) if chunks => Mode::Chunks { window: count.max(1) },
            Window::Fixed(0 | 1) => Mode::Alone,
            Window::Fixed(_) => Mode::Riding,
            Window::Auto if !self.measured => Mode::Alone,
            Window::Auto if chunks && self.round_trip >= NEAR => Mode::Chunks { window: WINDOW_AUTO },
            Window::Auto => Mode::Riding,
        }
    }

    /// How many messages may be unanswered at once, as [`Connection::mode`] stands.
    #[must_use]
    pub fn window(&self) -> u32 {
        self.mode().window()
    }

    /// The fastest answer so far: about one round trip.
    #[must_use]
    pub fn round_trip(&self) -> Duration {
        self.round_trip
    }

    /// Carries messages until `cargo` has none for now; then the connection comes back. It does not come back once
    /// anything went wrong on it, or the relay closed it. Every message that was taken is answered for in `cargo`.
    /// Dropping the future closes the connection.
    pub async fn carry<C: Cargo>(mut self, cargo: &mut C) -> Option<Self> {
        while let Some(message) = self.next(cargo).await.ok()? {
            let more = match self.mode() {
                Mode::Chunks { .. } => self.chunks(cargo, message).await,
                Mode::LockStep | Mode::Alone | Mode::Riding => self.texts(cargo, message).await.map(|()| true),
            };
            if !more.ok()? {
                break;
            }
        }
        Some(self)
    }

    /// Hands over one message (complete, lines ending in CRLF, not dot-stuffed) from `mail_from` to `rcpt_to`.
    ///
    /// `may_go` is asked twice: before anything is written, and again just before the text. The ledger's mark must be
    /// committed before this is called. The connection comes back if it can carry another message.
    pub async fn send(
        self,
        mail_from: &str,
        rcpt_to: &str,
        message: &[u8],
        may_go: impl Fn() -> bool + Send,
    ) -> (Handover, Option<Self>) {
        let mut one = One::new(mail_from, rcpt_to, message, may_go);
        let kept = self.carry(&mut one).await;
        (one.handover(), kept)
    }

    /// Says goodbye and closes, within the time for it.
    pub async fn quit(mut self) {
        let goodbye = async {
            // Whatever is answered, the connection is closed.
            let _ = self.wire.ask(Stage::Ehlo, b"QUIT\r\n", self.timeouts.quit).await;
            let _ = self.wire.socket.shutdown().await;
        };
        let _ = tokio::time::timeout(self.timeouts.quit, goodbye).await;
    }

    /// Waits for the next message that can be said. A connection that has carried messages and that the relay closes
    /// meanwhile is over without one; on a fresh one the next message learns of it, so that it is known as a fault.
    async fn next<C: Cargo>(&mut self, cargo: &mut C) -> Result<Option<C::Message>, Over> {
        loop {
            let next = if self.carried > 0 {
                tokio::select! {
                    biased;
                    _ = self.wire.interruption() => return Err(Over),
                    next = cargo.next() => next,
                }
            } else {
                cargo.next().await
            };
            let Some(message) = next else { return Ok(None) };
            let Some(message) = self.sayable(cargo, message) else { continue };
            if self.carried == 0
                && let Some(why) = self.wire.interrupted()
            {
                let answer = Answer::Broken { stage: Stage::MailFrom, why };
                cargo.answered(message, Handover::Answered(answer));
                return Err(Over);
            }
            return Ok(Some(message));
        }
    }

    /// A message that is there at this moment and can be said.
    pub(super) fn ready<C: Cargo>(&self, cargo: &mut C) -> Option<C::Message> {
        loop {
            let message = cargo.ready()?;
            if let Some(message) = self.sayable(cargo, message) {
                return Some(message);
            }
        }
    }

    /// The message back, unless nothing need be said of it.
    pub(super) fn sayable<C: Cargo>(&self, cargo: &mut C, message: C::Message) -> Option<C::Message> {
        if let Some(refusal) = envelope::refuse_unsaid(&self.offers, &message) {
            cargo.answered(message, Handover::Answered(Answer::Reply(refusal)));
            return None;
        }
        if !cargo.may_go(&message) {
            cargo.answered(message, Handover::Withdrawn);
            return None;
        }
        Some(message)
    }

    /// An envelope that was said alone was answered.
    pub(super) fn measure(&mut self, said: Instant) {
        self.round_trip = self.round_trip.min(said.elapsed());
        self.measured = true;
    }

    /// Nothing was delivered. If nothing was answered either, on a connection that has carried messages, the message
    /// never began.
    pub(super) fn broken(&self, stage: Stage, why: String, nothing_answered: bool) -> Handover {
        if nothing_answered && self.carried > 0 {
            Handover::Stale { why }
        } else {
            Handover::Answered(Answer::Broken { stage, why })
        }
    }
}

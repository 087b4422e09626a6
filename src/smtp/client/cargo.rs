//! What a connection carries, and what became of each message. The engine implements this; the connection drives.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::delivery::reply::Answer;

/// One message and its envelope.
pub trait Carried {
    /// The return path.
    fn mail_from(&self) -> &str;
    fn rcpt_to(&self) -> &str;
    /// Complete, lines ending in CRLF, not dot-stuffed.
    fn text(&self) -> &[u8];

    /// How long its recipient may go unanswered, where that is to be less than usual.
    fn patience(&self) -> Option<Duration> {
        None
    }
}

/// Messages for one connection, one after the other; [`super::Connection::carry`] pulls them.
///
/// Every message that was taken comes back through [`Cargo::answered`], exactly once, before `carry` returns. If the
/// future of `carry` is dropped, its connection closes, and messages whose text may have left are dropped with it.
pub trait Cargo: Send {
    type Message: Carried + Send;

    /// The next message, waited for. `None`: nothing more for now; what is on the wire is answered for, and the
    /// connection goes back to the caller, still open. Must be cancel safe: it may be dropped and asked again.
    /// Where the caller bounds what is in doubt, this waits for room; answers go on coming meanwhile.
    fn next(&mut self) -> impl Future<Output = Option<Self::Message>> + Send;

    /// One that is there at this moment. `None` also where the caller's bound on what is in doubt is reached.
    fn ready(&mut self) -> Option<Self::Message>;

    /// Waits until this message's text may leave (its mark is committed); `false` withdraws it. Asked right before the
    /// first byte of text: with DATA when the relay has said 354, with BDAT before anything of the message is said.
    /// Must be cancel safe: it is dropped and asked again when an answer to an earlier message comes meanwhile.
    fn cleared(&mut self, message: &mut Self::Message) -> impl Future<Output = bool> + Send;

    /// A last look, cheap and at once: `false` withdraws. Asked before the envelope, and again after `cleared` just
    /// before the text.
    fn may_go(&self, message: &Self::Message) -> bool;

    /// What became of it. Answers come in the order in which the messages were taken, except that one which is not
    /// said at all (too big for the relay, an address that cannot be written, withdrawn) may overtake.
    fn answered(&mut self, message: Self::Message, handover: Handover);
}

/// What became of one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Handover {
    /// The relay decided, or the conversation broke.
    Answered(Answer),
    /// The gate said no in time: nothing was delivered, and nothing counts against anybody.
    Withdrawn,
    /// The connection came to its end before the relay had answered anything of this message, and nothing of it can
    /// have been delivered: servers do that which allow so many messages a connection, and a message whose envelope
    /// rode behind another's text ends so when that one breaks the connection. Nobody is to blame; send it on a new
    /// connection at once. Only where the connection had carried messages or broke at an earlier one, so that sending
    /// again makes progress.
    Stale { why: String },
}

/// How messages follow each other on the wire; see [`super::Connection::mode`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Each command waits for its answer: the relay offers no PIPELINING. Four round trips a message.
    LockStep,
    /// Envelope in one write, text in the next: two round trips, one message at a time.
    Alone,
    /// Text and the next envelope in one write (RFC 2920 §3.1): one round trip. One text is on the wire, and one
    /// envelope behind it.
    Riding,
    /// Whole transactions with BDAT (RFC 3030), so many of them unanswered at once.
    Chunks { window: u32 },
}

impl Mode {
    /// How many messages may be unanswered at once.
    #[must_use]
    pub fn window(self) -> u32 {
        match self {
            Self::LockStep | Self::Alone => 1,
            Self::Riding => 2,
            Self::Chunks { window } => window,
        }
    }
}

/// How many messages a connection may have unanswered at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Window {
    /// By the round trip that the connection measures: [`WINDOW_AUTO`] at a far relay that offers CHUNKING; else two
    /// with PIPELINING, of which one is on the wire and the other's envelope rides behind it; else one.
    Auto,
    /// So many; without CHUNKING at most two. Zero is one.
    Fixed(u32),
}

/// Messages on the wire to a far relay with CHUNKING. With 20 ms round trip 8 bring ten times the rate of one, and
/// 10 connections stay within the bound of about a hundred readers in doubt after a crash.
pub const WINDOW_AUTO: u32 = 8;

impl Window {
    /// The most that it comes to, whatever the relay offers.
    #[must_use]
    pub fn at_most(self) -> u32 {
        match self {
            Self::Auto => WINDOW_AUTO,
            Self::Fixed(count) => count.max(1),
        }
    }
}

/// What the connections to a relay have learnt of it and share, as clones of one [`super::Target`] do.
#[derive(Clone, Debug, Default)]
pub struct Learnt {
    /// It offers CHUNKING and does not know BDAT.
    no_chunks: Arc<AtomicBool>,
}

impl Learnt {
    pub(super) fn forget_chunks(&self) {
        self.no_chunks.store(true, Ordering::Relaxed);
    }

    pub(super) fn may_chunk(&self) -> bool {
        !self.no_chunks.load(Ordering::Relaxed)
    }
}

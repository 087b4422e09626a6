//! Messages with BDAT (RFC 3030): whole transactions in one write each, several of them unanswered at once.
//!
//! Each transaction behind an unanswered one begins with RSET. Without it, a message whose recipient was refused would
//! leave its transaction open, the next MAIL would be refused as nested, and the next text would go to whoever the
//! open transaction already has. Answers come in the order of the commands (RFC 2920 §3.2), so they are counted off;
//! what cannot be an answer to the command whose turn it is puts everything unanswered in doubt.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::io::IoSlice;

use tokio::time::Instant;

use super::connection::{Connection, Over};
use super::heard::{Heard, Verdict};
use super::{Cargo, Carried, Handover, envelope};
use crate::delivery::reply::{Answer, Reply, Stage};

/// A message that was written and is not answered yet.
struct Flight<M> {
    message: M,
    heard: Heard,
    /// [`super::wire::Wire::written`] when its last byte was handed over; beyond that if it was not.
    end: u64,
}

/// The messages on the wire, in their order.
struct Flights<M> {
    all: VecDeque<Flight<M>>,
    /// When something of the first was heard last, or it was written.
    since: Instant,
    /// Why nothing more can be written; answers may still come.
    cut: Option<String>,
}

/// What comes next.
enum Event<M> {
    Next(Option<M>),
    Cleared(bool),
    Heard(Result<Reply, Answer>),
}

/// How a connection ended.
enum End {
    /// The relay said 421 and closed: it has done nothing of what came behind (RFC 5321 §3.8).
    Closed(Reply),
    /// It broke, or time ran out.
    Broken(String),
    /// What was said cannot have been the answer to what was asked.
    Nonsense(String),
    /// It offered CHUNKING and did not know BDAT, so it read the text as commands.
    Unknown,
}

impl Connection {
    /// Carries `first` and whatever is ready, until nothing is on the wire and nothing is ready. `false`: `cargo` has
    /// nothing more for now.
    pub(super) async fn chunks<C: Cargo>(&mut self, cargo: &mut C, first: C::Message) -> Result<bool, Over> {
        let mut flights = Flights { all: VecDeque::new(), since: Instant::now(), cut: None };
        let (mut waiting, mut more) = (Some(first), true);
        loop {
            let room = more && flights.cut.is_none() && flights.all.len() < self.room();
            if waiting.is_none() && room {
                waiting = self.ready(cargo);
            }
            if waiting.is_none() && flights.all.is_empty() {
                return if flights.cut.is_some() { Err(Over) } else { Ok(more) };
            }
            match self.event(cargo, &flights, &mut waiting, room).await {
                Event::Next(Some(message)) => waiting = self.sayable(cargo, message),
                Event::Next(None) => more = false,
                Event::Cleared(yes) => {
                    let Some(message) = waiting.take() else { continue };
                    if yes && cargo.may_go(&message) {
                        self.launch(cargo, &mut flights, message).await?;
                    } else {
                        cargo.answered(message, Handover::Withdrawn);
                    }
                }
                Event::Heard(heard) => {
                    if let Err(end) = self.count_off(cargo, &mut flights, heard).await {
                        self.end(cargo, flights, &end);
                        stale(cargo, waiting);
                        return Err(Over);
                    }
                }
            }
            if flights.cut.is_some() {
                stale(cargo, waiting.take());
            }
        }
    }

    /// How many may be on the wire: one, until the relay has shown that it knows BDAT.
    fn room(&self) -> usize {
        if self.chunks_known { usize::try_from(self.window()).unwrap_or(usize::MAX) } else { 1 }
    }

    async fn event<C: Cargo>(
        &mut self,
        cargo: &mut C,
        flights: &Flights<C::Message>,
        waiting: &mut Option<C::Message>,
        room: bool,
    ) -> Event<C::Message> {
        let Some(first) = flights.all.front() else {
            return match waiting {
                Some(message) => Event::Cleared(cargo.cleared(message).await),
                None => Event::Next(None),
            };
        };
        let (stage, within) = first.heard.due().phase(&self.timeouts);
        let within = if flights.cut.is_some() { within.min(self.timeouts.quit) } else { within };
        let reply = self.wire.reply_by(stage, flights.since + within);
        match waiting {
            // Gone first, heard then: the window is filled before anybody waits.
            Some(message) => tokio::select! {
                biased;
                yes = cargo.cleared(message) => Event::Cleared(yes),
                reply = reply => Event::Heard(reply),
            },
            None if room => tokio::select! {
                biased;
                reply = reply => Event::Heard(reply),
                next = cargo.next() => Event::Next(next),
            },
            None => Event::Heard(reply.await),
        }
    }

    /// Writes a message whole, or as far as it goes.
    async fn launch<C: Cargo>(
        &mut self,
        cargo: &mut C,
        flights: &mut Flights<C::Message>,
        message: C::Message,
    ) -> Result<(), Over> {
        if flights.all.is_empty() {
            if let Some(why) = self.wire.interrupted() {
                cargo.answered(message, self.broken(Stage::MailFrom, why, true));
                return Err(Over);
            }
            flights.since = Instant::now();
        }
        let reset = std::mem::take(&mut self.reset_first) || !flights.all.is_empty();
        let text = message.text();
        let tail: &[u8] = if text.ends_with(b"\r\n") { b"" } else { b"\r\n" };
        self.out.clear();
        if reset {
            self.out.push_str("RSET\r\n");
        }
        envelope::write_mail(&mut self.out, &self.offers, &message);
        envelope::write_rcpt(&mut self.out, &message);
        // Writing to a String cannot fail.
        let _ = write!(self.out, "BDAT {} LAST\r\n", text.len() + tail.len());
        let end = self.wire.written() + (self.out.len() + text.len() + tail.len()) as u64;
        let mut slices = [IoSlice::new(self.out.as_bytes()), IoSlice::new(text), IoSlice::new(tail)];
        let written = self.wire.write_slices(&mut slices, self.timeouts.data_block).await;
        flights.all.push_back(Flight { message, heard: Heard::new(reset), end });
        if let Err(why) = written {
            // What was answered before may still be read.
            flights.cut = Some(why);
            flights.since = Instant::now();
        }
        Ok(())
    }

    /// Takes one reply for the command whose turn it is.
    async fn count_off<C: Cargo>(
        &mut self,
        cargo: &mut C,
        flights: &mut Flights<C::Message>,
        heard: Result<Reply, Answer>,
    ) -> Result<(), End> {
        let reply = match heard {
            Ok(reply) => reply,
            Err(Answer::Broken { why, .. } | Answer::Unclear { why }) => {
                return Err(End::Broken(flights.cut.take().unwrap_or(why)));
            }
            Err(Answer::Reply(reply)) => reply,
        };
        if reply.code == 421 {
            return Err(self.closing(reply).await);
        }
        let Some(first) = flights.all.front_mut() else { return Ok(()) };
        self.carried += u32::from(!first.heard.is_anything());
        flights.since = Instant::now();
        match first.heard.take(reply) {
            Verdict::More => return Ok(()),
            Verdict::Nonsense(why) => return Err(End::Nonsense(why)),
            Verdict::Ended(reply) => self.land(cargo, flights, reply)?,
        }
        if flights.all.is_empty() && self.wire.has_unread() {
            // One reply too many: nobody knows which was whose.
            flights.cut = Some("the server spoke out of turn".into());
        }
        Ok(())
    }

    /// The first message on the wire has its answer.
    fn land<C: Cargo>(&mut self, cargo: &mut C, flights: &mut Flights<C::Message>, reply: Reply) -> Result<(), End> {
        let whole = flights.all.front().is_some_and(|first| first.end <= self.wire.written());
        let taken = reply.stage == Stage::AfterDot && reply.code < 300;
        if taken && !whole {
            return Err(End::Nonsense("the server took a message that was not written whole".into()));
        }
        if reply.stage == Stage::AfterDot && matches!(reply.code, 500 | 502 | 504) && !self.chunks_known {
            self.learnt.forget_chunks();
            return Err(End::Unknown);
        }
        self.chunks_known |= taken;
        self.reset_first = !taken;
        if let Some(first) = flights.all.pop_front() {
            cargo.answered(first.message, Handover::Answered(Answer::Reply(reply)));
        }
        Ok(())
    }

    /// The relay says that it closes: whether it does, without another word, tells what is known of the rest.
    async fn closing(&mut self, reply: Reply) -> End {
        if self.wire.closes_within(self.timeouts.quit).await {
            End::Closed(reply)
        } else {
            End::Broken(format!("{} {}", reply.code, reply.text))
        }
    }

    /// Answers for everything that is on the wire of a connection that is over.
    fn end<C: Cargo>(&self, cargo: &mut C, flights: Flights<C::Message>, end: &End) {
        for (place, flight) in flights.all.into_iter().enumerate() {
            let whole = flight.end <= self.wire.written();
            let handover = match end {
                End::Closed(reply) => self.closed(place == 0, flight.heard, reply),
                End::Unknown => unknown(flight.message.text()),
                End::Nonsense(why) if whole => Handover::Answered(Answer::Unclear { why: why.clone() }),
                End::Broken(why) | End::Nonsense(why) => self.cut_off(place == 0, flight.heard, whole, why),
            };
            cargo.answered(flight.message, handover);
        }
    }

    /// After a 421 that was the last word: it is the answer of the first message, and nobody has seen the others.
    fn closed(&self, first: bool, heard: Heard, reply: &Reply) -> Handover {
        if first && (heard.is_anything() || self.carried == 0) {
            Handover::Answered(Answer::Reply(heard.refusal().unwrap_or_else(|| reply.clone())))
        } else {
            Handover::Stale { why: format!("{} {}", reply.code, reply.text) }
        }
    }

    fn cut_off(&self, first: bool, heard: Heard, whole: bool, why: &str) -> Handover {
        let nothing = !heard.is_anything();
        match heard.refusal() {
            Some(refusal) => Handover::Answered(Answer::Reply(refusal)),
            None if whole => Handover::Answered(Answer::Unclear { why: why.to_owned() }),
            None if first => self.broken(Stage::Data, why.to_owned(), nothing),
            None => Handover::Stale { why: why.to_owned() },
        }
    }
}

/// A text that was read as commands delivers nothing, unless one of its lines is the command to deliver.
fn unknown(text: &[u8]) -> Handover {
    let why = "the relay offers CHUNKING and does not know BDAT".to_owned();
    if text.split(|byte| *byte == b'\n').any(|line| line.trim_ascii().eq_ignore_ascii_case(b"DATA")) {
        Handover::Answered(Answer::Unclear { why })
    } else {
        Handover::Stale { why }
    }
}

/// Nothing was said of it, and the connection is over.
fn stale<C: Cargo>(cargo: &mut C, message: Option<C::Message>) {
    if let Some(message) = message {
        let why = "the connection ended at a message before".into();
        cargo.answered(message, Handover::Stale { why });
    }
}

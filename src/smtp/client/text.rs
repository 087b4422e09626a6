//! Messages with DATA: command by command, envelope and text in turn, or each text with the next envelope behind it.

use std::io::IoSlice;

use tokio::time::Instant;

use super::connection::{Connection, Over};
use super::envelope::Envelope;
use super::stuffed::{Stuffed, stuffed};
use super::{Cargo, Carried, Handover, Mode};
use crate::delivery::reply::{Answer, Reply, Stage};

/// What became of one text.
struct Ended {
    handover: Handover,
    /// Whether the connection can go on; if so and an envelope rode behind the text, its answers come next.
    clean: bool,
}

impl Connection {
    /// Carries `message`, and after it those whose envelopes ride behind a text, until none does.
    pub(super) async fn texts<C: Cargo>(&mut self, cargo: &mut C, mut message: C::Message) -> Result<(), Over> {
        let reset = std::mem::take(&mut self.reset_first);
        let mut envelope = Envelope::write(&mut self.out, &self.offers, &message, reset);
        let mut said = Some(Instant::now());
        if let Err(handover) = self.say().await {
            cargo.answered(message, handover);
            return Err(Over);
        }
        loop {
            match self.hear(envelope, said.take()).await {
                Ok(None) => {}
                Ok(Some(refusal)) => {
                    cargo.answered(message, Handover::Answered(Answer::Reply(refusal)));
                    return Ok(());
                }
                Err(handover) => {
                    cargo.answered(message, handover);
                    return Err(Over);
                }
            }
            // After 354 there is no way back but the end of the connection.
            if !cargo.cleared(&mut message).await || !cargo.may_go(&message) {
                cargo.answered(message, Handover::Withdrawn);
                return Err(Over);
            }
            let behind = if self.mode() == Mode::Riding { self.ready(cargo) } else { None };
            if let Some(behind) = &behind {
                envelope = Envelope::write(&mut self.out, &self.offers, behind, false);
            }
            let ended = self.text(stuffed(message.text()), behind.is_some()).await;
            cargo.answered(message, ended.handover);
            match behind {
                Some(next) if ended.clean => message = next,
                Some(next) => {
                    let why = "the connection ended at the message before".into();
                    cargo.answered(next, Handover::Stale { why });
                    return Err(Over);
                }
                None => return if ended.clean { Ok(()) } else { Err(Over) },
            }
        }
    }

    /// Says an envelope: all in one write where PIPELINING is offered (RFC 2920 §3.1). Else [`Connection::hear`] says
    /// its commands one by one.
    async fn say(&mut self) -> Result<(), Handover> {
        if !self.offers.pipelining {
            return Ok(());
        }
        let written = self.wire.write(Stage::MailFrom, self.out.as_bytes(), self.timeouts.mail).await;
        written.map_err(|answer| self.cut_short(&[], answer))
    }

    /// The first refusal among the answers to MAIL, RCPT and DATA, if any; leaves the connection ready for the text,
    /// or after a refusal for the next message.
    async fn hear(&mut self, envelope: Envelope, said: Option<Instant>) -> Result<Option<Reply>, Handover> {
        let replies = self.replies(envelope, said).await?;
        self.carried += 1;
        self.judge(replies).await
    }

    /// The replies to MAIL, RCPT and DATA; without PIPELINING up to the first refusal.
    async fn replies(&mut self, envelope: Envelope, mut said: Option<Instant>) -> Result<Vec<Reply>, Handover> {
        let pipelining = self.offers.pipelining;
        let mut replies: Vec<Reply> = Vec::with_capacity(4);
        for step in envelope.steps(&self.timeouts) {
            let reply = if pipelining {
                self.wire.reply(step.stage, step.within).await
            } else {
                self.wire.ask(step.stage, self.out[step.line].as_bytes(), step.within).await
            };
            let reply = reply.map_err(|answer| self.cut_short(&replies, answer))?;
            if let Some(said) = said.take() {
                self.measure(said);
            }
            // 421 announces the end of the connection: no more replies come.
            if reply.code == 421 {
                return Err(self.cut_short(&replies, Answer::Reply(reply)));
            }
            let refused = reply.code >= 400;
            replies.push(reply);
            if refused && !pipelining {
                break;
            }
        }
        if envelope.has_reset() {
            let reset = replies.remove(0);
            if reset.code >= 300 {
                return Err(self.broken(Stage::MailFrom, format!("RSET was answered with {}", reset.code), true));
            }
        }
        Ok(replies)
    }

    /// The conversation ended in the envelope. A refusal that came before still counts; if nothing was answered yet on
    /// a connection that has carried messages, it had been closed and this message never began.
    fn cut_short(&self, replies: &[Reply], answer: Answer) -> Handover {
        if let Some(refusal) = replies.iter().find(|reply| reply.code >= 400) {
            return Handover::Answered(Answer::Reply(refusal.clone()));
        }
        match answer {
            Answer::Broken { stage, why } => self.broken(stage, why, replies.is_empty()),
            Answer::Reply(reply) if replies.is_empty() && self.carried > 0 => {
                Handover::Stale { why: format!("{} {}", reply.code, reply.text) }
            }
            other => Handover::Answered(other),
        }
    }

    /// The first refusal among the replies to MAIL, RCPT and DATA, if any; leaves the connection ready for the next.
    async fn judge(&mut self, replies: Vec<Reply>) -> Result<Option<Reply>, Handover> {
        for reply in &replies {
            let expected = if reply.stage == Stage::Data { reply.code == 354 } else { reply.code < 300 };
            if reply.code < 400 && !expected {
                let why = format!("the server answered {} where that makes no sense", reply.code);
                return Err(Handover::Answered(Answer::Broken { stage: reply.stage, why }));
            }
        }
        let Some(first) = replies.iter().position(|reply| reply.code >= 400) else {
            return Ok(None);
        };
        let data_open = replies.iter().any(|reply| reply.stage == Stage::Data && reply.code == 354);
        let taken = |stage| replies.iter().any(|reply| reply.stage == stage && reply.code < 300);
        let (mail_taken, rcpt_taken) = (taken(Stage::MailFrom), taken(Stage::RcptTo));
        let refusal = replies.into_iter().nth(first);
        if data_open {
            // RFC 2920 §3.1: the server waits for text although no recipient is left. A dot alone ends that, and
            // delivers nothing as there is nobody; were there somebody, only closing would.
            let ended = !rcpt_taken && self.lone_dot().await;
            if !ended {
                return refusal.map_or(Ok(None), |reply| Err(Handover::Answered(Answer::Reply(reply))));
            }
        }
        self.reset_first = mail_taken;
        Ok(refusal)
    }

    /// Ends an empty text; whether the server is still with us.
    async fn lone_dot(&mut self) -> bool {
        self.wire.ask(Stage::Data, b".\r\n", self.timeouts.data_end).await.is_ok_and(|reply| reply.code != 421)
    }

    /// Text and dot in one write, with the envelope in `self.out` behind them if there is one; then the answer that
    /// counts.
    async fn text(&mut self, text: Stuffed<'_>, behind: bool) -> Ended {
        let over = |answer| Ended { handover: Handover::Answered(answer), clean: false };
        if let Some(why) = self.wire.interrupted() {
            // It would be taken for the answer to the dot, and the message for sent.
            return over(Answer::Broken { stage: Stage::Data, why });
        }
        let Stuffed { mut slices, bytes } = text;
        let end = self.wire.written() + bytes;
        if behind {
            slices.push(IoSlice::new(self.out.as_bytes()));
        }
        let written = self.wire.write_slices(&mut slices, self.timeouts.data_block).await;
        if let Err(why) = &written
            && self.wire.written() < end
        {
            return over(self.last_words(why.clone()).await);
        }
        match self.wire.reply(Stage::AfterDot, self.timeouts.data_end).await {
            Ok(reply) if (300..400).contains(&reply.code) => {
                over(Answer::Unclear { why: format!("the server answered {} after the dot", reply.code) })
            }
            Ok(reply) => {
                let surplus = !behind && self.wire.has_unread();
                let clean = reply.code != 421 && !surplus && written.is_ok();
                Ended { handover: Handover::Answered(Answer::Reply(reply)), clean }
            }
            Err(Answer::Broken { why, .. } | Answer::Unclear { why }) => over(Answer::Unclear { why }),
            Err(reply) => over(reply),
        }
    }

    /// The server took no more text; it may have said why before it closed.
    async fn last_words(&mut self, why: String) -> Answer {
        match self.wire.reply(Stage::Data, self.timeouts.quit).await {
            Ok(reply) if reply.code >= 400 => Answer::Reply(reply),
            _ => Answer::Broken { stage: Stage::Data, why },
        }
    }
}

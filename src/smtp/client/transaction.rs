//! One message over one connection: MAIL, RCPT, DATA, text, dot.

use std::time::Duration;

use tokio::io::AsyncWriteExt as _;

use super::Timeouts;
use super::hello::Offers;
use super::wire::{Unwritten, Wire};
use crate::delivery::reply::{Answer, Reply, Stage};

/// A connection that is ready for the next message, and owned by whoever sends. There is no way to have one in the
/// middle of a transaction: [`Connection::send`] takes it and gives it back only when it is clean.
pub struct Connection {
    wire: Wire,
    offers: Offers,
    timeouts: Timeouts,
    /// Messages that this connection has tried.
    carried: u32,
    /// The last transaction was left open by a refusal, so RSET goes before the next. Never before the first one:
    /// Postfix counts RSET as junk until something was delivered.
    reset_first: bool,
    /// Text ready for the wire, kept for its memory.
    out: Vec<u8>,
}

/// What became of one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Handover {
    /// The relay decided, or the conversation broke.
    Answered(Answer),
    /// The gate said no in time: nothing was delivered, and nothing counts against anybody.
    Withdrawn,
    /// A connection that had already carried messages was closed before it answered anything of this one, as servers
    /// do that allow so many messages a connection. Nothing was delivered; send it on a new connection at once.
    Stale { why: String },
}

/// One command of the envelope.
struct Step {
    stage: Stage,
    line: String,
    within: Duration,
}

impl Connection {
    pub(super) fn new(wire: Wire, offers: Offers, timeouts: Timeouts) -> Self {
        Self { wire, offers, timeouts, carried: 0, reset_first: false, out: Vec::new() }
    }

    /// Messages that were tried on this connection.
    #[must_use]
    pub fn carried(&self) -> u32 {
        self.carried
    }

    /// Hands over `message` (complete, lines ending in CRLF, not dot-stuffed) from `mail_from` to `rcpt_to`.
    ///
    /// `may_go` is asked twice: before anything is written, and again after the relay has said 354, just before the
    /// text and the dot that completes it. The ledger's mark must be committed before this is called.
    /// The connection comes back if it can carry another message; dropping the future closes it.
    pub async fn send(
        mut self,
        mail_from: &str,
        rcpt_to: &str,
        message: &[u8],
        may_go: impl Fn() -> bool,
    ) -> (Handover, Option<Self>) {
        match self.hand_over(mail_from, rcpt_to, message, may_go).await {
            Ok(handover) => (handover, Some(self)),
            Err(handover) => (handover, None),
        }
    }

    /// Says goodbye and closes, within the time for it.
    pub async fn quit(mut self) {
        let goodbye = async {
            // Whatever is answered, the connection is closed.
            let _ = self.wire.ask(Stage::Ehlo, "QUIT\r\n", self.timeouts.quit).await;
            let _ = self.wire.socket.shutdown().await;
        };
        let _ = tokio::time::timeout(self.timeouts.quit, goodbye).await;
    }

    /// `Ok` leaves the connection clean, `Err` does not.
    async fn hand_over(
        &mut self,
        mail_from: &str,
        rcpt_to: &str,
        message: &[u8],
        may_go: impl Fn() -> bool,
    ) -> Result<Handover, Handover> {
        if let Some(refusal) = self.refuse_unsaid(mail_from, rcpt_to, message.len()) {
            return Ok(Handover::Answered(Answer::Reply(refusal)));
        }
        if !may_go() {
            return Ok(Handover::Withdrawn);
        }
        let steps = self.steps(mail_from, rcpt_to, message.len());
        let replies = self.converse(&steps).await?;
        self.carried += 1;
        if let Some(refusal) = self.judge(replies).await? {
            return Ok(Handover::Answered(Answer::Reply(refusal)));
        }
        if !may_go() {
            return Err(Handover::Withdrawn);
        }
        self.text(message).await
    }

    /// What need not be asked: the relay has said how much it takes, and not every address can be written.
    fn refuse_unsaid(&self, mail_from: &str, rcpt_to: &str, bytes: usize) -> Option<Reply> {
        let refusal = |stage, code, enhanced: &str, text: String| {
            Some(Reply { stage, code, enhanced: Some(enhanced.to_owned()), text })
        };
        if !writable(mail_from) {
            return refusal(
                Stage::MailFrom,
                501,
                "5.1.7",
                "Not sent: the return path cannot be written in SMTP".into(),
            );
        }
        if rcpt_to.is_empty() || !writable(rcpt_to) {
            return refusal(Stage::RcptTo, 501, "5.1.3", "Not sent: this address cannot be written in SMTP".into());
        }
        if !rcpt_to.is_ascii() && !self.offers.smtputf8 {
            let text = "Not sent: the relay does not take addresses with letters beyond ASCII (SMTPUTF8)";
            return refusal(Stage::RcptTo, 553, "5.6.7", text.into());
        }
        match self.offers.size {
            Some(limit) if limit > 0 && bytes as u64 > limit => {
                let text = format!("Not sent: the message has {bytes} bytes, the relay takes {limit}");
                refusal(Stage::Data, 552, "5.3.4", text)
            }
            _ => None,
        }
    }

    fn steps(&self, mail_from: &str, rcpt_to: &str, bytes: usize) -> Vec<Step> {
        let mut mail = format!("MAIL FROM:<{mail_from}>");
        if self.offers.size.is_some() {
            mail.push_str(&format!(" SIZE={bytes}"));
        }
        // Bounces need not carry the whole issue back (RFC 3461 §4.3).
        if self.offers.dsn {
            mail.push_str(" RET=HDRS");
        }
        // Only where an address needs it: the next hop may not know it (RFC 6531 §3.1). Never BODY: our text is 7-bit.
        if !(mail_from.is_ascii() && rcpt_to.is_ascii()) {
            mail.push_str(" SMTPUTF8");
        }
        mail.push_str("\r\n");
        let Timeouts { mail: mail_time, rcpt, data_start, command, .. } = self.timeouts;
        let reset = Step { stage: Stage::MailFrom, line: "RSET\r\n".into(), within: command };
        let envelope = [
            Step { stage: Stage::MailFrom, line: mail, within: mail_time },
            Step { stage: Stage::RcptTo, line: format!("RCPT TO:<{rcpt_to}>\r\n"), within: rcpt },
            Step { stage: Stage::Data, line: "DATA\r\n".into(), within: data_start },
        ];
        self.reset_first.then_some(reset).into_iter().chain(envelope).collect()
    }

    /// Says the steps and gives the replies to MAIL, RCPT and DATA: all in one write where PIPELINING is offered
    /// (RFC 2920 §3.1), else one by one up to the first refusal.
    async fn converse(&mut self, steps: &[Step]) -> Result<Vec<Reply>, Handover> {
        if self.wire.has_unread() {
            return Err(self.broken(Stage::MailFrom, "the server spoke out of turn".into(), true));
        }
        let pipelining = self.offers.pipelining;
        let mut replies: Vec<Reply> = Vec::with_capacity(steps.len());
        if pipelining {
            let group: String = steps.iter().map(|step| step.line.as_str()).collect();
            let within = self.timeouts.mail;
            let written = self.wire.write(Stage::MailFrom, group.as_bytes(), within).await;
            written.map_err(|answer| self.cut_short(&replies, answer))?;
        }
        for step in steps {
            let reply = if pipelining {
                self.wire.reply(step.stage, step.within).await
            } else {
                self.wire.ask(step.stage, &step.line, step.within).await
            };
            let reply = reply.map_err(|answer| self.cut_short(&replies, answer))?;
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
        if self.reset_first {
            let reset = replies.remove(0);
            if reset.code >= 300 {
                return Err(self.broken(Stage::MailFrom, format!("RSET was answered with {}", reset.code), true));
            }
            self.reset_first = false;
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

    fn broken(&self, stage: Stage, why: String, nothing_answered: bool) -> Handover {
        if nothing_answered && self.carried > 0 {
            Handover::Stale { why }
        } else {
            Handover::Answered(Answer::Broken { stage, why })
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
        self.wire.ask(Stage::Data, ".\r\n", self.timeouts.data_end).await.is_ok_and(|reply| reply.code != 421)
    }

    /// Text and dot in one write, then the answer that counts.
    async fn text(&mut self, message: &[u8]) -> Result<Handover, Handover> {
        let answered = |answer| Err(Handover::Answered(answer));
        if self.wire.has_unread() {
            // It would be taken for the answer to the dot, and the message for sent.
            return answered(Answer::Broken { stage: Stage::Data, why: "the server spoke out of turn".into() });
        }
        stuff(message, &mut self.out);
        match self.wire.write_message(&self.out, self.timeouts.data_block).await {
            Ok(()) => {}
            Err(Unwritten { complete: true, why }) => return answered(Answer::Unclear { why }),
            Err(Unwritten { complete: false, why }) => return answered(self.last_words(why).await),
        }
        match self.wire.reply(Stage::AfterDot, self.timeouts.data_end).await {
            Ok(reply) if (300..400).contains(&reply.code) => {
                answered(Answer::Unclear { why: format!("the server answered {} after the dot", reply.code) })
            }
            Ok(reply) if reply.code == 421 || self.wire.has_unread() => answered(Answer::Reply(reply)),
            Ok(reply) => Ok(Handover::Answered(Answer::Reply(reply))),
            Err(Answer::Broken { why, .. } | Answer::Unclear { why }) => answered(Answer::Unclear { why }),
            Err(reply) => answered(reply),
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

/// Whether an address can stand between angle brackets without ending them or the line. What is beyond that was
/// checked when the address came in.
fn writable(address: &str) -> bool {
    let quoted = address.starts_with('"');
    !address.chars().any(|c| c.is_control() || (!quoted && matches!(c, '<' | '>' | ' ')))
}

/// Doubles a dot at the beginning of a line (RFC 5321 §4.5.2), ends the last line, adds the final dot. A line begins
/// after any LF here, so that text with bare LFs cannot end the message early at a server that takes them for ends.
fn stuff(message: &[u8], out: &mut Vec<u8>) {
    /// Room for a few stuffed dots and the end, so that most messages are copied without growing.
    const SPARE_BYTES: usize = 64;
    out.clear();
    out.reserve(message.len() + SPARE_BYTES);
    if message.first() == Some(&b'.') {
        out.push(b'.');
    }
    let mut from = 0;
    for at in memchr::memmem::find_iter(message, b"\n.") {
        out.extend_from_slice(&message[from..=at]);
        out.push(b'.');
        from = at + 1;
    }
    out.extend_from_slice(&message[from..]);
    if !message.ends_with(b"\r\n") {
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b".\r\n");
}

#[cfg(test)]
mod tests {
    use proptest::prelude::proptest;

    use super::{stuff, writable};

    fn stuffed(text: &str) -> String {
        let mut out = b"left over".to_vec();
        stuff(text.as_bytes(), &mut out);
        String::from_utf8(out).expect("text in, text out")
    }

    #[test]
    fn dots_at_the_beginning_of_lines_are_doubled() {
        for (text, on_the_wire) in [
            ("a\r\n", "a\r\n.\r\n"),
            ("a", "a\r\n.\r\n"),
            ("", "\r\n.\r\n"),
            (".", "..\r\n.\r\n"),
            ("..\r\n.a\r\n", "...\r\n..a\r\n.\r\n"),
            ("a.\r\n b.c\r\n", "a.\r\n b.c\r\n.\r\n"),
            ("a\r\n.\r\nMAIL", "a\r\n..\r\nMAIL\r\n.\r\n"),
            ("a\n.\nb", "a\n..\nb\r\n.\r\n"),
        ] {
            assert_eq!(stuffed(text), on_the_wire, "{text:?}");
        }
    }

    #[test]
    fn an_address_cannot_bring_its_own_command() {
        for (address, fine) in [
            ("ann@example.com", true),
            ("", true),
            ("\"a b\"@example.com", true),
            ("a>\r\nRCPT TO:<b@example.com", false),
            ("a@example.com> X=Y", false),
            ("a\0@example.com", false),
            ("<a@example.com>", false),
        ] {
            assert_eq!(writable(address), fine, "{address:?}");
        }
    }

    proptest! {
        #[test]
        fn only_the_last_line_is_a_dot_alone_and_nothing_is_lost(text in "[.a\r\n]{0,60}") {
            let wire = stuffed(&text);
            assert_eq!(format!("\r\n{wire}").find("\r\n.\r\n"), Some(wire.len() - 3));
            let unstuffed: String = wire[..wire.len() - 3].split_inclusive('\n')
                .map(|line| line.strip_prefix('.').unwrap_or(line)).collect();
            assert!(unstuffed == text || unstuffed.strip_suffix("\r\n") == Some(&text));
        }
    }
}

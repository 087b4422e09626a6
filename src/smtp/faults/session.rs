//! One client's conversation, friendly but for what the rules say.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::sleep;

use super::House;
use super::rule::{Action, Phase, Rule};
use super::truth::Accepted;
use super::wire::{Over, Wire};
use crate::smtp::server::text::{Fed, Text};

/// Bytes of one message.
const MESSAGE_BYTES_MAX: usize = crate::smtp::server::MESSAGE_BYTES_MAX;
const GOODBYE: &[u8] = b"421 4.3.2 Closing on purpose\r\n";
/// Of a message that a rule says is not taken.
const NOT_TAKEN: &str = "451 4.3.0 Not taken on purpose";
const TAKEN: &str = "250 2.0.0 Taken";

pub(super) struct Session {
    wire: Wire,
    house: Arc<House>,
    connection: u64,
    mail_from: Option<String>,
    rcpt_to: Vec<String>,
    /// What BDAT has brought so far.
    chunks: Vec<u8>,
    /// A message was answered, and nothing has come since.
    rests: bool,
}

impl Session {
    pub(super) fn new(tcp: TcpStream, house: Arc<House>, connection: u64) -> Self {
        let (rcpt_to, chunks) = (Vec::new(), Vec::new());
        Self { wire: Wire::new(tcp), house, connection, mail_from: None, rcpt_to, chunks, rests: false }
    }

    pub(super) async fn run(mut self) {
        let over = match self.talk().await {
            Ok(()) => Over::Closed,
            Err(over) => over,
        };
        self.wire.end(over).await;
    }

    async fn talk(&mut self) -> Result<(), Over> {
        self.silent(Phase::Connect).await?;
        self.answer(Phase::Banner, "220 faults.example ESMTP").await?;
        loop {
            if self.rests && self.wire.read.is_empty() {
                self.rests = false;
                self.wire.flush().await?;
                self.silent(Phase::Idle).await?;
            }
            let line = self.wire.line().await?;
            self.rests = false;
            if line.to_ascii_uppercase().starts_with("QUIT") {
                self.answer(Phase::Quit, "221 2.0.0 Goodbye").await?;
                return Ok(());
            }
            self.obey(&line).await?;
        }
    }

    async fn obey(&mut self, line: &str) -> Result<(), Over> {
        let upper = line.to_ascii_uppercase();
        match upper.split([' ', ':']).next().unwrap_or_default() {
            "EHLO" | "HELO" => self.hello(&upper).await?,
            "STARTTLS" => {
                self.answer(Phase::StartTls, "454 4.7.0 There is no certificate here").await?;
            }
            "AUTH" => self.auth(&upper).await?,
            "MAIL" => self.mail(line).await?,
            "RCPT" => self.rcpt(line).await?,
            "DATA" => self.data().await?,
            "BDAT" => self.chunk(&upper).await?,
            "RSET" => {
                self.forget();
                self.wire.say(b"250 2.0.0 Forgotten\r\n");
            }
            "NOOP" => self.wire.say(b"250 2.0.0 Still here\r\n"),
            _ => self.wire.say(b"502 5.5.1 Not known here\r\n"),
        }
        Ok(())
    }

    async fn hello(&mut self, line: &str) -> Result<(), Over> {
        self.forget();
        if line.starts_with("HELO") {
            self.answer(Phase::Ehlo, "250 faults.example").await?;
            return Ok(());
        }
        let rule = self.pass(Phase::Ehlo);
        let (mut without, mut size) = (String::new(), MESSAGE_BYTES_MAX as u64);
        match rule.as_ref().map(|rule| &rule.action) {
            Some(Action::Without(name)) => without.clone_from(name),
            Some(Action::Size(bytes)) => size = *bytes,
            _ => {}
        }
        let has = |name: &str| !without.eq_ignore_ascii_case(name);
        let Offered { pipelining, chunking, auth, starttls } = self.offered();
        let mut offers = vec!["faults.example".to_owned()];
        let known = [("PIPELINING", pipelining), ("8BITMIME", true), ("SMTPUTF8", true), ("CHUNKING", chunking)];
        offers.extend(known.into_iter().filter(|(name, on)| *on && has(name)).map(|(name, _)| name.to_owned()));
        if has("SIZE") {
            offers.push(format!("SIZE {size}"));
        }
        if auth && has("AUTH") {
            offers.push("AUTH PLAIN LOGIN".into());
        }
        if starttls && has("STARTTLS") {
            offers.push("STARTTLS".into());
        }
        if has("ENHANCEDSTATUSCODES") {
            offers.push("ENHANCEDSTATUSCODES".into());
        }
        let last = offers.len() - 1;
        let line = |(at, offer): (usize, &String)| format!("250{}{offer}", if at == last { ' ' } else { '-' });
        let friendly = offers.iter().enumerate().map(line).collect::<Vec<_>>().join("\r\n");
        self.act(rule.as_ref(), &friendly).await?;
        Ok(())
    }

    fn offered(&self) -> Offered {
        let options = &self.house.options;
        let starttls = self.house.rules().mention(Phase::StartTls);
        Offered { pipelining: options.pipelining, chunking: options.chunking, auth: options.auth, starttls }
    }

    async fn auth(&mut self, line: &str) -> Result<(), Over> {
        if line == "AUTH LOGIN" {
            for prompt in ["334 VXNlcm5hbWU6\r\n", "334 UGFzc3dvcmQ6\r\n"] {
                self.wire.say(prompt.as_bytes());
                self.wire.line().await?;
            }
        }
        self.answer(Phase::Auth, "235 2.7.0 Welcome").await?;
        Ok(())
    }

    async fn mail(&mut self, line: &str) -> Result<(), Over> {
        if self.mail_from.is_some() {
            self.wire.say(b"503 5.5.1 There is a sender already\r\n");
        } else if self.answer(Phase::Mail, "250 2.1.0 Sender noted").await? < 300 {
            self.mail_from = Some(path(line));
        }
        Ok(())
    }

    async fn rcpt(&mut self, line: &str) -> Result<(), Over> {
        if self.mail_from.is_none() {
            self.wire.say(b"503 5.5.1 Say MAIL first\r\n");
            return Ok(());
        }
        let rule = self.house.rules().pass(Phase::Rcpt, &[path(line)]).cloned();
        if self.act(rule.as_ref(), "250 2.1.5 Recipient noted").await? < 300 {
            self.rcpt_to.push(path(line));
        }
        Ok(())
    }

    async fn data(&mut self) -> Result<(), Over> {
        if self.rcpt_to.is_empty() {
            self.wire.say(b"503 5.5.1 Nobody to send to\r\n");
            return Ok(());
        }
        // A reply other than 354 means that no text comes.
        if self.answer(Phase::Data, "354 Text, ended by a dot alone").await? != 354 {
            return Ok(());
        }
        let mut text = Text::new(MESSAGE_BYTES_MAX);
        let rule = self.pass(Phase::Body);
        let mut due = rule.as_ref();
        let mut said = false;
        loop {
            let piece = std::mem::take(&mut self.wire.read);
            let fed = text.feed(&piece);
            // The line end of DATA counts two.
            if due.is_some_and(|rule| text.len() >= rule.bytes + 2 && !piece.is_empty()) {
                said = self.in_the_middle(due.take()).await?;
            }
            if let Fed::End { rest } = fed {
                self.wire.read.extend_from_slice(&piece[piece.len() - rest..]);
                break;
            }
            self.wire.fill().await?;
        }
        if said {
            self.forget();
            return Ok(());
        }
        let message = text.message();
        self.complete(message).await
    }

    /// One chunk (RFC 3030 §2). It is on its way whatever we think of it.
    async fn chunk(&mut self, line: &str) -> Result<(), Over> {
        let mut words = line.split_whitespace().skip(1);
        let bytes: Option<usize> = words.next().and_then(|bytes| bytes.parse().ok());
        let last = words.next() == Some("LAST");
        let Some(bytes) = bytes.filter(|bytes| *bytes <= MESSAGE_BYTES_MAX) else {
            self.wire.say(b"501 5.5.4 This is no chunk\r\n");
            return Err(Over::Closed);
        };
        let wanted = !self.rcpt_to.is_empty();
        let rule = if wanted && self.chunks.is_empty() { self.pass(Phase::Body) } else { None };
        let mut due = rule.as_ref();
        let mut said = false;
        while self.wire.read.len() < bytes {
            if due.is_some_and(|rule| self.wire.read.len() >= rule.bytes) {
                said = self.in_the_middle(due.take()).await?;
            }
            self.wire.fill().await?;
        }
        if due.is_some_and(|rule| bytes >= rule.bytes) {
            said = self.in_the_middle(due.take()).await?;
        }
        let rest = self.wire.read.split_off(bytes);
        let chunk = std::mem::replace(&mut self.wire.read, rest);
        if said {
            self.forget();
        } else if !wanted {
            self.wire.say(b"503 5.5.1 Nobody to send to\r\n");
        } else if last {
            let mut message = std::mem::take(&mut self.chunks);
            message.extend_from_slice(&chunk);
            self.complete(message).await?;
        } else {
            self.chunks.extend_from_slice(&chunk);
            self.wire.say(b"250 2.0.0 Go on\r\n");
        }
        Ok(())
    }

    /// A fault while the text comes; whether something was said, which is then the reply to the whole.
    async fn in_the_middle(&mut self, rule: Option<&Rule>) -> Result<bool, Over> {
        match rule.map(|rule| &rule.action) {
            None => Ok(false),
            Some(Action::Delay(ms)) => {
                sleep(Duration::from_millis(*ms)).await;
                Ok(false)
            }
            Some(Action::SlowRead(pace)) => {
                self.wire.slow_down(*pace);
                Ok(false)
            }
            Some(_) => {
                self.act(rule, NOT_TAKEN).await?;
                self.wire.flush().await?;
                Ok(true)
            }
        }
    }

    /// The text is complete: taken, unless a rule says otherwise.
    async fn complete(&mut self, message: Vec<u8>) -> Result<(), Over> {
        let (from, to) = (self.mail_from.take().unwrap_or_default(), std::mem::take(&mut self.rcpt_to));
        self.forget();
        self.rests = true;
        let before = self.house.rules().pass(Phase::DotBeforeLog, &to).cloned();
        if before.is_some() {
            self.act(before.as_ref(), NOT_TAKEN).await?;
            return Ok(());
        }
        let after = self.house.rules().pass(Phase::DotAfterLog, &to).cloned();
        if !self.write_down(from, to, message).await {
            self.wire.say(b"451 4.3.0 The truth could not be written down\r\n");
            return Ok(());
        }
        self.house.taken.fetch_add(1, Ordering::SeqCst);
        self.act(after.as_ref(), TAKEN).await?;
        Ok(())
    }

    /// The message goes before its line, so that whoever reads the line finds it.
    async fn write_down(&self, from: String, to: Vec<String>, message: Vec<u8>) -> bool {
        let options = &self.house.options;
        if options.truth.is_none() && options.keep.is_none() {
            return true;
        }
        let accepted = Accepted::of(options.clock.now().0, self.connection, from, to, &message);
        if let Some(folder) = &options.keep
            && tokio::fs::write(folder.join(format!("{}.eml", accepted.sha256)), message).await.is_err()
        {
            return false;
        }
        match &options.truth {
            Some(truth) => truth.keep(accepted).await,
            None => true,
        }
    }

    fn forget(&mut self) {
        self.mail_from = None;
        self.rcpt_to.clear();
        self.chunks.clear();
    }

    fn pass(&self, phase: Phase) -> Option<Rule> {
        self.house.rules().pass(phase, &self.rcpt_to).cloned()
    }

    async fn answer(&mut self, phase: Phase, friendly: &str) -> Result<u16, Over> {
        let rule = self.pass(phase);
        self.act(rule.as_ref(), friendly).await
    }

    /// A phase at which a friendly server says nothing.
    async fn silent(&mut self, phase: Phase) -> Result<(), Over> {
        let rule = self.pass(phase);
        match rule.as_ref().map(|rule| &rule.action) {
            None => {}
            Some(Action::Delay(ms)) => sleep(Duration::from_millis(*ms)).await,
            Some(Action::SlowRead(pace)) => self.wire.slow_down(*pace),
            Some(_) => {
                self.act(rule.as_ref(), "250 2.0.0 Nobody asked").await?;
                self.wire.flush().await?;
            }
        }
        Ok(())
    }

    /// Says `friendly`, its last line without its end, in the way of the rule; gives the code that was said.
    async fn act(&mut self, rule: Option<&Rule>, friendly: &str) -> Result<u16, Over> {
        let whole = format!("{friendly}\r\n");
        let (code, text) = friendly.split_at_checked(3).unwrap_or(("250", ""));
        let said: u16 = code.parse().unwrap_or(250);
        let text = text.get(1..).unwrap_or_default().lines().next().unwrap_or_default();
        match rule.map(|rule| &rule.action) {
            None | Some(Action::Without(_) | Action::Size(_)) => self.wire.say(whole.as_bytes()),
            Some(Action::Reply { code, text }) => {
                self.wire.say(format!("{code} {text}\r\n").as_bytes());
                return Ok(*code);
            }
            Some(Action::Drop) => return Err(Over::Closed),
            Some(Action::Reset) => return Err(Over::Reset),
            Some(Action::SayGoodbye) => {
                self.wire.say(GOODBYE);
                return Err(Over::Closed);
            }
            Some(Action::HalfClose) => return Err(Over::Half),
            Some(Action::Never) => return Err(Over::Deaf),
            Some(Action::Delay(ms)) => {
                self.wire.flush().await?;
                sleep(Duration::from_millis(*ms)).await;
                self.wire.say(whole.as_bytes());
            }
            Some(Action::Trickle(ms)) => self.wire.trickle(whole.as_bytes(), Duration::from_millis(*ms)).await?,
            Some(Action::Garbage(bytes)) => {
                let garbage: Vec<u8> = (0..*bytes).map(|at| b"\x00\xFF\x80\r\n%s\x1B["[at % 9]).collect();
                self.wire.say(&garbage);
                self.wire.say(b"\r\n");
                return Ok(999);
            }
            Some(Action::Multiline(lines)) => {
                for _ in 1..*lines {
                    self.wire.say(format!("{code}-{text}\r\n").as_bytes());
                }
                self.wire.say(whole.as_bytes());
            }
            Some(Action::LongLine(bytes)) => {
                let filler = "x".repeat(bytes.saturating_sub(text.len() + 7));
                self.wire.say(format!("{code} {text} {filler}\r\n").as_bytes());
            }
            Some(Action::BadUtf8) => {
                self.wire.say(format!("{code} {text} ").as_bytes());
                self.wire.say(b"\xFF\xFE\xC3\x28\r\n");
            }
            Some(Action::WrongCode(wrong)) => {
                let wrong = wrong.unwrap_or(if said == 354 { 250 } else { 354 });
                self.wire.say(format!("{wrong} This code does not belong here\r\n").as_bytes());
                return Ok(wrong);
            }
            Some(Action::Twice) => self.wire.say(whole.repeat(2).as_bytes()),
            Some(Action::SlowRead(pace)) => {
                self.wire.slow_down(*pace);
                self.wire.say(whole.as_bytes());
            }
        }
        Ok(said)
    }
}

/// Extensions.
struct Offered {
    pipelining: bool,
    chunking: bool,
    auth: bool,
    starttls: bool,
}

/// The address between angle brackets.
fn path(line: &str) -> String {
    let path = line.split_once('<').and_then(|(_, rest)| rest.split_once('>'));
    path.map_or(String::new(), |(path, _)| path.to_owned())
}

//! One client's conversation.

use std::io;
use std::sync::Arc;

use smtp_proto::{Error, Request};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::text::{Fed, Text, has_bare_line_end};
use super::{Envelope, LINE_BYTES_MAX, Limits, MISTAKES_MAX, Refusal, Sink};

/// Room for one read: most of a message.
const READ_BYTES: usize = 64 * 1024;
/// Times the allowed length that a text is read through before the client is cut off.
const PATIENCE: usize = 4;

pub(super) struct Session<S> {
    tcp: TcpStream,
    name: String,
    limits: Limits,
    sink: Arc<S>,
    read: Vec<u8>,
    /// Replies not yet written: a group of commands is answered in one write.
    out: Vec<u8>,
    said_hello: bool,
    mail_from: Option<String>,
    rcpt_to: Vec<String>,
    /// What BDAT has brought so far.
    chunks: Option<Vec<u8>>,
    mistakes: u32,
}

/// What to do after a command.
enum Next {
    Go,
    Close,
    Data,
    Chunk { bytes: usize, last: bool },
}

impl<S: Sink> Session<S> {
    pub(super) fn new(tcp: TcpStream, name: String, limits: Limits, sink: Arc<S>) -> Self {
        let (read, out, rcpt_to) = (Vec::new(), Vec::new(), Vec::new());
        let (said_hello, mail_from, chunks, mistakes) = (false, None, None, 0);
        Self { tcp, name, limits, sink, read, out, said_hello, mail_from, rcpt_to, chunks, mistakes }
    }

    pub(super) async fn turn_away(mut self) {
        self.say(421, "4.7.0 Too many connections, come back later");
        // Gone already or not: it has been said.
        let _ = self.flush().await;
    }

    pub(super) async fn run(mut self, stop: CancellationToken) {
        let greeting = format!("{} ESMTP", self.name);
        self.say(220, &greeting);
        // An error means that the client is gone; there is nobody to tell.
        let _ = self.talk(&stop).await;
        let _ = self.flush().await;
        let _ = self.tcp.shutdown().await;
    }

    async fn talk(&mut self, stop: &CancellationToken) -> io::Result<()> {
        loop {
            let Some(line) = self.line(stop).await? else {
                return Ok(());
            };
            let next = if line.ends_with(b"\r\n") {
                self.obey(&line)
            } else {
                self.say(500, "5.5.2 A command ends with CR LF");
                Next::Close
            };
            match next {
                Next::Go if self.mistakes > MISTAKES_MAX => {
                    self.say(421, "4.7.0 Too many mistakes");
                    return Ok(());
                }
                Next::Go => {}
                Next::Close => return Ok(()),
                Next::Data if !self.data().await? => return Ok(()),
                Next::Chunk { bytes, last } if !self.chunk(bytes, last).await? => return Ok(()),
                Next::Data | Next::Chunk { .. } => {}
            }
        }
    }

    /// The next line, its end included; `None` when there will be none. Replies are written only when no further
    /// command is waiting.
    async fn line(&mut self, stop: &CancellationToken) -> io::Result<Option<Vec<u8>>> {
        loop {
            if let Some(end) = memchr::memchr(b'\n', &self.read) {
                return Ok(Some(self.read.drain(..=end).collect()));
            }
            if self.read.len() > LINE_BYTES_MAX {
                self.say(500, "5.5.2 Line too long");
                return Ok(None);
            }
            self.flush().await?;
            let came = tokio::select! {
                () = stop.cancelled() => {
                    self.say(421, "4.3.2 Shutting down");
                    return Ok(None);
                }
                came = timeout(self.limits.idle, self.tcp.read_buf(&mut self.read)) => came,
            };
            match came {
                Ok(Ok(0)) => return Ok(None),
                Ok(Ok(_)) => {}
                Ok(Err(error)) => return Err(error),
                Err(_) => {
                    self.say(421, "4.4.2 Nothing was said for too long");
                    return Ok(None);
                }
            }
        }
    }

    fn obey(&mut self, line: &[u8]) -> Next {
        let request = match Request::parse(&mut line.iter()) {
            Ok(request) => request,
            Err(error) => return self.mistake(&error),
        };
        match request {
            Request::Ehlo { .. } => self.hello(),
            Request::Helo { .. } => {
                self.forget();
                self.said_hello = true;
                let name = self.name.clone();
                self.say(250, &name);
            }
            Request::Mail { from } => self.mail(&from.address, from.size),
            Request::Rcpt { to } => self.rcpt(&to.address),
            Request::Data => return self.begin_data(),
            Request::Bdat { chunk_size, is_last } => return Next::Chunk { bytes: chunk_size, last: is_last },
            Request::Rset => {
                self.forget();
                self.say(250, "2.0.0 Forgotten");
            }
            Request::Noop { .. } => self.say(250, "2.0.0 Still here"),
            Request::Vrfy { .. } => self.say(252, "2.5.2 Send it and see"),
            Request::Quit => {
                self.say(221, "2.0.0 Goodbye");
                return Next::Close;
            }
            _ => {
                self.mistakes += 1;
                self.say(502, "5.5.1 Not known here");
            }
        }
        Next::Go
    }

    fn mistake(&mut self, error: &Error) -> Next {
        self.mistakes += 1;
        match error {
            Error::UnknownCommand => self.say(500, "5.5.1 Not known here"),
            Error::InvalidSenderAddress => self.say(501, "5.1.7 This is not a sender's address"),
            Error::InvalidRecipientAddress => self.say(501, "5.1.3 This is not a recipient's address"),
            Error::UnsupportedParameter { .. } => self.say(555, "5.5.4 A parameter is not known here"),
            _ => self.say(501, "5.5.4 This cannot be understood"),
        }
        Next::Go
    }

    fn hello(&mut self) {
        self.forget();
        self.said_hello = true;
        let offers = format!(
            "250-{}\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-CHUNKING\r\n250-ENHANCEDSTATUSCODES\r\n250 SIZE {}\r\n",
            self.name, self.limits.message_bytes
        );
        self.out.extend_from_slice(offers.as_bytes());
    }

    fn mail(&mut self, from: &str, size: usize) {
        if !self.said_hello {
            self.say(503, "5.5.1 Say EHLO first");
        } else if self.mail_from.is_some() {
            self.say(503, "5.5.1 There is a sender already");
        } else if size > self.limits.message_bytes {
            self.say(552, "5.3.4 Too big");
        } else {
            self.mail_from = Some(from.to_owned());
            self.say(250, "2.1.0 Sender noted");
        }
    }

    fn rcpt(&mut self, to: &str) {
        if self.mail_from.is_none() {
            self.say(503, "5.5.1 Say MAIL first");
        } else if self.rcpt_to.len() >= self.limits.recipients {
            self.say(452, "4.5.3 Too many recipients");
        } else {
            self.rcpt_to.push(to.to_owned());
            self.say(250, "2.1.5 Recipient noted");
        }
    }

    fn begin_data(&mut self) -> Next {
        if self.chunks.is_some() {
            self.say(503, "5.5.1 No DATA after BDAT");
        } else if self.rcpt_to.is_empty() {
            self.say(503, "5.5.1 Nobody to send to");
        } else {
            self.say(354, "Text, ended by a dot alone");
            return Next::Data;
        }
        Next::Go
    }

    /// Reads the text; false when the connection is over.
    async fn data(&mut self) -> io::Result<bool> {
        self.flush().await?;
        let mut text = Text::new(self.limits.message_bytes);
        loop {
            let piece = std::mem::take(&mut self.read);
            if let Fed::End { rest } = text.feed(&piece) {
                self.read = piece[piece.len() - rest..].to_vec();
                break;
            }
            if text.len() > self.limits.message_bytes.saturating_mul(PATIENCE) {
                self.say(552, "5.3.4 Far too big");
                return Ok(false);
            }
            if !self.fill().await? {
                return Ok(false);
            }
        }
        if text.is_too_long() {
            self.forget();
            self.say(552, "5.3.4 Too big");
        } else {
            self.keep(text.message()).await;
        }
        Ok(true)
    }

    /// Reads one chunk (RFC 3030); false when the connection is over. The chunk is on its way whatever we think of it.
    async fn chunk(&mut self, bytes: usize, last: bool) -> io::Result<bool> {
        let so_far = self.chunks.as_ref().map_or(0, Vec::len);
        if bytes > self.limits.message_bytes.saturating_sub(so_far) {
            self.say(552, "5.3.4 Too big");
            return Ok(false);
        }
        while self.read.len() < bytes {
            if !self.fill().await? {
                return Ok(false);
            }
        }
        let rest = self.read.split_off(bytes);
        let chunk = std::mem::replace(&mut self.read, rest);
        if self.rcpt_to.is_empty() {
            self.say(503, "5.5.1 Nobody to send to");
            return Ok(true);
        }
        self.chunks.get_or_insert_default().extend_from_slice(&chunk);
        if last {
            let message = self.chunks.take().unwrap_or_default();
            self.keep(message).await;
        } else {
            self.say(250, "2.0.0 Go on");
        }
        Ok(true)
    }

    /// Waits for more bytes; false when the client is gone or silent.
    async fn fill(&mut self) -> io::Result<bool> {
        self.flush().await?;
        self.read.reserve(READ_BYTES);
        match timeout(self.limits.idle, self.tcp.read_buf(&mut self.read)).await {
            Ok(came) => Ok(came? > 0),
            Err(_) => {
                self.say(421, "4.4.2 Nothing came for too long");
                Ok(false)
            }
        }
    }

    async fn keep(&mut self, message: Vec<u8>) {
        let (mail_from, rcpt_to) = (self.mail_from.take().unwrap_or_default(), std::mem::take(&mut self.rcpt_to));
        self.forget();
        if has_bare_line_end(&message) {
            self.say(550, "5.6.0 Lines end with CR LF, never with one of them alone");
            return;
        }
        match self.sink.keep(Envelope { mail_from, rcpt_to }, message).await {
            Ok(()) => self.say(250, "2.0.0 Kept"),
            Err(Refusal { code, text }) => self.say(code, &text),
        }
    }

    fn forget(&mut self) {
        self.mail_from = None;
        self.rcpt_to.clear();
        self.chunks = None;
    }

    fn say(&mut self, code: u16, text: &str) {
        self.out.extend_from_slice(format!("{code} {text}\r\n").as_bytes());
    }

    async fn flush(&mut self) -> io::Result<()> {
        if self.out.is_empty() {
            return Ok(());
        }
        let written = timeout(self.limits.idle, self.tcp.write_all(&self.out)).await;
        self.out.clear();
        written.map_err(|_| io::ErrorKind::TimedOut)?
    }
}

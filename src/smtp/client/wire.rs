//! Bytes to and from a server, each step within its time.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::client::TlsStream;

use super::lines::{self, Parsed};
use crate::delivery::reply::{Answer, Reply, Stage};

/// Room for one read. Replies to a whole group fit; bulk senders receive next to nothing.
const READ_BYTES: usize = 4 * 1024;

/// A TCP stream, plain or with TLS around it.
pub(super) enum Socket {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Socket {
    fn tcp(&self) -> &TcpStream {
        match self {
            Self::Plain(tcp) => tcp,
            Self::Tls(tls) => tls.get_ref().0,
        }
    }

    /// Acknowledges at once. A relay answers a group of commands in several small writes; its Nagle holds the second
    /// back until we acknowledge the first, and ours would be delayed by 40 ms because we have nothing to say. The
    /// kernel forgets the setting, so it is made anew whenever something came and more must.
    #[cfg(target_os = "linux")]
    fn acknowledge_quickly(&self) {
        // It is about speed only: a kernel that refuses still sends the mail.
        let _ = socket2::SockRef::from(self.tcp()).set_tcp_quickack(true);
    }

    #[cfg(not(target_os = "linux"))]
    fn acknowledge_quickly(&self) {}
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_read(cx, buf),
            Self::Tls(tls) => Pin::new(tls.as_mut()).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_write(cx, bytes),
            Self::Tls(tls) => Pin::new(tls.as_mut()).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_flush(cx),
            Self::Tls(tls) => Pin::new(tls.as_mut()).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Self::Tls(tls) => Pin::new(tls.as_mut()).poll_shutdown(cx),
        }
    }
}

/// A socket and what was read from it but not yet understood.
pub(super) struct Wire {
    pub(super) socket: Socket,
    read: Vec<u8>,
    /// Something was read since the last write: its acknowledgement may be waiting for something to ride on.
    unacknowledged: bool,
}

/// One reply with its lines, as EHLO needs them.
pub(super) struct Lines {
    pub(super) code: u16,
    pub(super) lines: Vec<String>,
}

/// How far a write of message text came.
pub(super) struct Unwritten {
    /// Every byte was handed over, so the final dot may be on its way.
    pub(super) complete: bool,
    pub(super) why: String,
}

impl Wire {
    pub(super) fn new(socket: Socket) -> Self {
        Self { socket, read: Vec::new(), unacknowledged: false }
    }

    /// Whether the server has said something that nobody asked for.
    pub(super) fn has_unread(&self) -> bool {
        !self.read.is_empty()
    }

    pub(super) fn is_tls(&self) -> bool {
        matches!(self.socket, Socket::Tls(_))
    }

    pub(super) fn peer_is_loopback(&self) -> bool {
        self.socket.tcp().peer_addr().is_ok_and(|at| at.ip().to_canonical().is_loopback())
    }

    /// Writes a group of commands in one go.
    pub(super) async fn write(&mut self, stage: Stage, bytes: &[u8], within: Duration) -> Result<(), Answer> {
        self.unacknowledged = false;
        let writing = async {
            self.socket.write_all(bytes).await?;
            self.socket.flush().await
        };
        match timeout(within, writing).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(Answer::Broken { stage, why: format!("the connection broke: {error}") }),
            Err(_) => Err(Answer::Broken { stage, why: late(within) }),
        }
    }

    /// Writes message text and final dot; `within` bounds every step that makes no progress, not the whole. Tells
    /// apart whether the dot can have left: neither TCP nor a TLS record passes on a byte that it was not given.
    pub(super) async fn write_message(&mut self, bytes: &[u8], within: Duration) -> Result<(), Unwritten> {
        self.unacknowledged = false;
        let mut rest = bytes;
        while !rest.is_empty() {
            let written = match timeout(within, self.socket.write(rest)).await {
                Ok(Ok(written)) if written > 0 => written,
                Ok(Ok(_)) => return Err(Unwritten { complete: false, why: "the connection takes no more".into() }),
                Ok(Err(error)) => {
                    return Err(Unwritten { complete: false, why: format!("the connection broke: {error}") });
                }
                Err(_) => return Err(Unwritten { complete: false, why: late(within) }),
            };
            rest = &rest[written..];
        }
        match timeout(within, self.socket.flush()).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(Unwritten { complete: true, why: format!("the connection broke: {error}") }),
            Err(_) => Err(Unwritten { complete: true, why: late(within) }),
        }
    }

    /// Waits for one reply; `within` bounds the whole of it, so a server cannot dribble for ever.
    pub(super) async fn lines(&mut self, stage: Stage, within: Duration) -> Result<Lines, Answer> {
        let broken = |why: String| Answer::Broken { stage, why };
        let deadline = Instant::now() + within;
        loop {
            match lines::parse(&self.read) {
                Parsed::Whole { code, lines, used } => {
                    self.read.drain(..used);
                    return Ok(Lines { code, lines });
                }
                Parsed::Garbage(why) => return Err(broken(why)),
                Parsed::More => {}
            }
            if self.unacknowledged {
                self.socket.acknowledge_quickly();
            }
            self.unacknowledged = true;
            self.read.reserve(READ_BYTES);
            match timeout_at(deadline, self.socket.read_buf(&mut self.read)).await {
                Ok(Ok(0)) => return Err(broken("the server closed the connection".into())),
                Ok(Ok(_)) => {}
                Ok(Err(error)) => return Err(broken(format!("the connection broke: {error}"))),
                Err(_) => return Err(broken(late(within))),
            }
        }
    }

    pub(super) async fn reply(&mut self, stage: Stage, within: Duration) -> Result<Reply, Answer> {
        let Lines { code, lines } = self.lines(stage, within).await?;
        Ok(lines::reply(stage, code, &lines))
    }

    /// One command and its reply, which may be a refusal.
    pub(super) async fn ask(&mut self, stage: Stage, command: &str, within: Duration) -> Result<Reply, Answer> {
        self.write(stage, command.as_bytes(), within).await?;
        self.reply(stage, within).await
    }
}

fn late(within: Duration) -> String {
    format!("no answer within {:.1} s", within.as_secs_f64())
}

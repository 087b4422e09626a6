//! Bytes to and from a server, each step within its time.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
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
    /// kernel forgets the setting, so it is made anew before each read that waits after something came.
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

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_write_vectored(cx, slices),
            Self::Tls(tls) => Pin::new(tls.as_mut()).poll_write_vectored(cx, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
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
    /// Bytes handed over by [`Wire::write_slices`]. Neither TCP nor a TLS record passes on a byte that it was not
    /// given, so what lies beyond cannot have left.
    written: u64,
}

/// One reply with its lines, as EHLO needs them.
pub(super) struct Lines {
    pub(super) code: u16,
    pub(super) lines: Vec<String>,
}

impl Wire {
    pub(super) fn new(socket: Socket) -> Self {
        Self { socket, read: Vec::new(), unacknowledged: false, written: 0 }
    }

    /// Whether the server has said something that is not understood yet.
    pub(super) fn has_unread(&self) -> bool {
        !self.read.is_empty()
    }

    pub(super) fn is_tls(&self) -> bool {
        matches!(self.socket, Socket::Tls(_))
    }

    pub(super) fn peer_is_loopback(&self) -> bool {
        self.socket.tcp().peer_addr().is_ok_and(|at| at.ip().to_canonical().is_loopback())
    }

    /// Bytes of text and what goes with it that were handed over so far.
    pub(super) fn written(&self) -> u64 {
        self.written
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
            Ok(Err(error)) => Err(Answer::Broken { stage, why: broke(&error) }),
            Err(_) => Err(Answer::Broken { stage, why: late(within) }),
        }
    }

    /// Writes message text and what rides with it, as few calls as the socket allows; `within` bounds every step that
    /// makes no progress, not the whole. [`Wire::written`] says how far it came.
    pub(super) async fn write_slices(
        &mut self,
        mut slices: &mut [IoSlice<'_>],
        within: Duration,
    ) -> Result<(), String> {
        /// Slices of one call: the kernel takes 1,024, most texts have three.
        const SLICES_MAX: usize = 512;
        self.unacknowledged = false;
        IoSlice::advance_slices(&mut slices, 0);
        while !slices.is_empty() {
            let some = &slices[..slices.len().min(SLICES_MAX)];
            let written = match timeout(within, self.socket.write_vectored(some)).await {
                Ok(Ok(written)) if written > 0 => written,
                Ok(Ok(_)) => return Err("the connection takes no more".into()),
                Ok(Err(error)) => return Err(broke(&error)),
                Err(_) => return Err(late(within)),
            };
            self.written += written as u64;
            IoSlice::advance_slices(&mut slices, written);
        }
        match timeout(within, self.socket.flush()).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(broke(&error)),
            Err(_) => Err(late(within)),
        }
    }

    /// One read of whatever comes.
    async fn read_some(&mut self) -> io::Result<usize> {
        self.read.reserve(READ_BYTES);
        let mut asked = false;
        poll_fn(|cx| {
            let polled = std::pin::pin!(self.socket.read_buf(&mut self.read)).poll(cx);
            match &polled {
                Poll::Pending if self.unacknowledged && !asked => {
                    asked = true;
                    self.socket.acknowledge_quickly();
                }
                Poll::Pending => {}
                Poll::Ready(_) => self.unacknowledged = true,
            }
            polled
        })
        .await
    }

    /// Waits until the server says something that nobody asked for, or hangs up; gives what it was. Cancel safe.
    pub(super) async fn interruption(&mut self) -> String {
        if !self.has_unread() {
            match self.read_some().await {
                Ok(0) => return "the server closed the connection".into(),
                Ok(_) => {}
                Err(error) => return broke(&error),
            }
        }
        match lines::parse(&self.read) {
            Parsed::Whole { code, lines, .. } => format!("{code} {}", lines.join(" ")),
            Parsed::More | Parsed::Garbage(_) => "the server spoke out of turn".into(),
        }
    }

    /// The same for now, without waiting: `None` if all is quiet.
    pub(super) fn interrupted(&mut self) -> Option<String> {
        let mut cx = Context::from_waker(Waker::noop());
        match std::pin::pin!(self.interruption()).poll(&mut cx) {
            Poll::Ready(why) => Some(why),
            Poll::Pending => None,
        }
    }

    /// Whether the server hangs up in time without another word.
    pub(super) async fn closes_within(&mut self, within: Duration) -> bool {
        // Broken is closed, as our own bytes may have met a closed door.
        !self.has_unread() && matches!(timeout(within, self.read_some()).await, Ok(Ok(0) | Err(_)))
    }

    /// Waits for one reply until `deadline`, which bounds the whole of it, so a server cannot dribble for ever.
    /// Cancel safe: half a reply waits for the next call.
    pub(super) async fn lines_by(&mut self, stage: Stage, deadline: Instant) -> Result<Lines, Answer> {
        let broken = |why: String| Answer::Broken { stage, why };
        let mut began = None;
        let mut seen = 0;
        loop {
            // A line that is not over yet tells nothing new, however many pieces it comes in.
            let news = memchr::memchr(b'\n', &self.read[seen..]).is_some() || self.read.len() > lines::REPLY_BYTES_MAX;
            seen = self.read.len();
            match if news { lines::parse(&self.read) } else { Parsed::More } {
                Parsed::Whole { code, lines, used } => {
                    self.read.drain(..used);
                    return Ok(Lines { code, lines });
                }
                Parsed::Garbage(why) => return Err(broken(why)),
                Parsed::More => {}
            }
            let began = *began.get_or_insert_with(Instant::now);
            match timeout_at(deadline, self.read_some()).await {
                Ok(Ok(0)) => return Err(broken("the server closed the connection".into())),
                Ok(Ok(_)) => {}
                Ok(Err(error)) => return Err(broken(broke(&error))),
                Err(_) => return Err(broken(late(deadline.saturating_duration_since(began)))),
            }
        }
    }

    pub(super) async fn lines(&mut self, stage: Stage, within: Duration) -> Result<Lines, Answer> {
        self.lines_by(stage, Instant::now() + within).await
    }

    pub(super) async fn reply_by(&mut self, stage: Stage, deadline: Instant) -> Result<Reply, Answer> {
        let Lines { code, lines } = self.lines_by(stage, deadline).await?;
        Ok(lines::reply(stage, code, &lines))
    }

    pub(super) async fn reply(&mut self, stage: Stage, within: Duration) -> Result<Reply, Answer> {
        self.reply_by(stage, Instant::now() + within).await
    }

    /// One command and its reply, which may be a refusal.
    pub(super) async fn ask(&mut self, stage: Stage, command: &[u8], within: Duration) -> Result<Reply, Answer> {
        self.write(stage, command, within).await?;
        self.reply(stage, within).await
    }
}

fn broke(error: &io::Error) -> String {
    format!("the connection broke: {error}")
}

fn late(within: Duration) -> String {
    format!("no answer within {:.1} s", within.as_secs_f64())
}

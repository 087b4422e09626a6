//! Bytes to and from the client, slowly if a rule says so, and the ends that a connection can come to.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

/// Room for one read: most of a message.
const READ_BYTES: usize = 64 * 1024;
/// A client that says nothing for so long is left; longer than any time-out of RFC 5321 §4.5.3.2.
const IDLE: Duration = Duration::from_secs(15 * 60);
/// Slow reading is done so many times a second.
const SIPS_A_SECOND: u64 = 10;

/// The conversation is over, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Over {
    Closed,
    Reset,
    /// Whatever still comes is read and thrown away, until the client has had enough.
    Deaf,
    /// The same, with our half of the connection closed.
    Half,
}

impl From<io::Error> for Over {
    fn from(_: io::Error) -> Self {
        Self::Closed
    }
}

pub(super) struct Wire {
    tcp: TcpStream,
    pub(super) read: Vec<u8>,
    /// Replies not yet written: a group of commands is answered in one write.
    out: Vec<u8>,
    /// Bytes a second that are read.
    pace: Option<u64>,
}

impl Wire {
    pub(super) fn new(tcp: TcpStream) -> Self {
        // Replies are small and awaited.
        let _ = tcp.set_nodelay(true);
        Self { tcp, read: Vec::new(), out: Vec::new(), pace: None }
    }

    pub(super) fn say(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    pub(super) async fn flush(&mut self) -> Result<(), Over> {
        if !self.out.is_empty() {
            let out = std::mem::take(&mut self.out);
            timeout(IDLE, self.tcp.write_all(&out)).await.map_err(|_| Over::Closed)??;
        }
        Ok(())
    }

    /// Writes what waits, then these bytes one by one.
    pub(super) async fn trickle(&mut self, bytes: &[u8], pause: Duration) -> Result<(), Over> {
        self.flush().await?;
        for byte in bytes {
            sleep(pause).await;
            self.tcp.write_all(&[*byte]).await?;
        }
        Ok(())
    }

    /// From now on, so many bytes a second.
    pub(super) fn slow_down(&mut self, bytes_a_second: u64) {
        // A kernel that keeps its buffer as it is only makes the slowness come later.
        let _ = socket2::SockRef::from(&self.tcp).set_recv_buffer_size(4 * 1024);
        self.pace = Some(bytes_a_second);
    }

    /// Writes what waits and reads more.
    pub(super) async fn fill(&mut self) -> Result<(), Over> {
        self.flush().await?;
        let room = match self.pace {
            Some(pace) => {
                sleep(Duration::from_millis(1_000 / SIPS_A_SECOND)).await;
                usize::try_from(pace / SIPS_A_SECOND).unwrap_or(READ_BYTES).clamp(1, READ_BYTES)
            }
            None => READ_BYTES,
        };
        let before = self.read.len();
        self.read.resize(before + room, 0);
        let came = timeout(IDLE, self.tcp.read(&mut self.read[before..])).await;
        let came = came.map_err(|_| Over::Closed).and_then(|came| Ok(came?));
        self.read.truncate(before + came.as_ref().copied().unwrap_or(0));
        if came? == 0 { Err(Over::Closed) } else { Ok(()) }
    }

    /// The next line without its end.
    pub(super) async fn line(&mut self) -> Result<String, Over> {
        loop {
            if let Some(line) = self.buffered_line() {
                return Ok(line);
            }
            self.fill().await?;
        }
    }

    fn buffered_line(&mut self) -> Option<String> {
        let end = memchr::memchr(b'\n', &self.read)?;
        let line: Vec<u8> = self.read.drain(..=end).collect();
        Some(String::from_utf8_lossy(&line).trim_end().to_owned())
    }

    pub(super) async fn end(mut self, over: Over) {
        // A client that is gone cannot be told anything more.
        let _ = self.flush().await;
        match over {
            Over::Closed => {
                let _ = self.tcp.shutdown().await;
            }
            Over::Reset => {
                // Closing with a linger of nothing sends RST.
                let _ = socket2::SockRef::from(&self.tcp).set_linger(Some(Duration::ZERO));
            }
            Over::Half => {
                let _ = self.tcp.shutdown().await;
                self.listen_in_vain().await;
            }
            Over::Deaf => self.listen_in_vain().await,
        }
    }

    async fn listen_in_vain(&mut self) {
        while self.fill().await.is_ok() {
            self.read.clear();
        }
    }
}

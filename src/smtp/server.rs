//! The server that catches: for the catcher and for tests, on this machine. It does not relay, sign in or encrypt.
//!
//! Strict where leniency would let one message hide in another: a command or a text with a bare LF is refused, and
//! only CRLF dot CRLF ends a text.

mod session;
pub(in crate::smtp) mod text;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use session::Session;

/// Bytes of one message: four times what the largest mailboxes take.
pub const MESSAGE_BYTES_MAX: usize = 100 * 1024 * 1024;
/// Recipients of one message; RFC 5321 §4.5.3.1.8 wants at least 100.
pub const RECIPIENTS_MAX: usize = 1_000;
/// Bytes of one command line; RFC 5321 §4.5.3.1.4 wants 512, extensions add to it.
pub const LINE_BYTES_MAX: usize = 4_096;
/// Connections at once.
pub const CONNECTIONS_MAX: usize = 256;
/// A client that says nothing for so long is sent away; RFC 5321 §4.5.3.2.7 wants at least 5 minutes.
pub const IDLE: Duration = Duration::from_secs(5 * 60);
/// Mistakes before a client is sent away.
const MISTAKES_MAX: u32 = 20;
/// How long the messages that are being handed over may take when the server stops.
const STOP_GRACE: Duration = Duration::from_secs(5);

/// Who a message is from and for, as said in SMTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    pub mail_from: String,
    pub rcpt_to: Vec<String>,
}

/// Why a message was not taken: an SMTP code, 4xx or 5xx, and a text of one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub code: u16,
    pub text: String,
}

/// Where messages go. Awaited before the 250, so whoever has the 250 has the message kept.
pub trait Sink: Send + Sync + 'static {
    /// Keeps one message.
    fn keep(&self, envelope: Envelope, message: Vec<u8>) -> impl Future<Output = Result<(), Refusal>> + Send;
}

impl<F, Kept> Sink for F
where
    F: Fn(Envelope, Vec<u8>) -> Kept + Send + Sync + 'static,
    Kept: Future<Output = Result<(), Refusal>> + Send,
{
    fn keep(&self, envelope: Envelope, message: Vec<u8>) -> impl Future<Output = Result<(), Refusal>> + Send {
        self(envelope, message)
    }
}

/// What one server allows; the defaults are the constants of this module.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub message_bytes: usize,
    pub recipients: usize,
    pub connections: usize,
    pub idle: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { message_bytes: MESSAGE_BYTES_MAX, recipients: RECIPIENTS_MAX, connections: CONNECTIONS_MAX, idle: IDLE }
    }
}

/// A server that is bound and not yet listening to anybody.
pub struct Server<S> {
    listener: TcpListener,
    name: String,
    limits: Limits,
    sink: Arc<S>,
}

impl<S: Sink> Server<S> {
    /// Binds to `address`; port 0 takes any free one. `name` is what it calls itself in its greeting.
    ///
    /// # Errors
    /// When the address is taken or not ours.
    pub async fn bind(address: SocketAddr, name: &str, limits: Limits, sink: S) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        Ok(Self { listener, name: name.to_owned(), limits, sink: Arc::new(sink) })
    }

    /// Where it can be reached.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `stop`; then idle clients are told 421, and messages in hand get a few seconds.
    pub async fn run(self, stop: CancellationToken) {
        let places = Arc::new(Semaphore::new(self.limits.connections));
        let mut sessions = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => break,
                // Finished sessions are taken off as they end, so that their number stays that of the connections.
                Some(_) = sessions.join_next() => continue,
                accepted = self.listener.accept() => accepted,
            };
            let Ok((tcp, _)) = accepted else {
                // Out of file descriptors, or a client that was gone before it came: the next one may fare better.
                tokio::task::yield_now().await;
                continue;
            };
            // Replies are small and awaited.
            let _ = tcp.set_nodelay(true);
            let place = Arc::clone(&places).try_acquire_owned().ok();
            let session = Session::new(tcp, self.name.clone(), self.limits, Arc::clone(&self.sink));
            let stop = stop.clone();
            sessions.spawn(async move {
                match place {
                    Some(_place) => session.run(stop).await,
                    None => session.turn_away().await,
                }
            });
        }
        let _ = timeout(STOP_GRACE, async { while sessions.join_next().await.is_some() {} }).await;
        sessions.shutdown().await;
    }
}

//! A relay that fails on purpose, for tests and for developers: it does what its rules say, and writes down the truth
//! about what it took. On this machine only.
//!
//! Of the pair of RFC 1047, `dot-before-log` is the message that was not taken and whose reply was lost, and
//! `dot-after-log` the one that was taken and whose reply was lost. To a client both look the same.

mod rule;
mod session;
mod truth;
mod wire;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub use rule::{Action, BadRule, Phase, Rule, Rules};
pub use truth::{Accepted, Truth};

use crate::values::clock::Clock;
use session::Session;

/// What EHLO offers, and what the truth needs.
#[derive(Clone, Debug)]
pub struct Options {
    pub pipelining: bool,
    /// BDAT (RFC 3030), with any number of messages on the wire.
    pub chunking: bool,
    /// AUTH PLAIN and LOGIN; any user with any password is let in.
    pub auth: bool,
    /// Nothing is written down without.
    pub truth: Option<Truth>,
    /// Folder for the messages that were taken, each named by its SHA-256.
    pub keep: Option<PathBuf>,
    pub clock: Clock,
}

/// What all sessions share.
struct House {
    options: Options,
    rules: RwLock<Arc<Rules>>,
    connections: AtomicU64,
    taken: AtomicU64,
}

/// The relay, bound and not yet listening to anybody.
pub struct Faults {
    listener: TcpListener,
    house: Arc<House>,
}

/// Changes the rules of a running relay, and asks what it did.
#[derive(Clone)]
pub struct Handle(Arc<House>);

impl Handle {
    /// From the next phase on these rules count; a fault under way ends as it began.
    pub fn set_rules(&self, rules: Rules) {
        *self.0.rules.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(rules);
    }

    /// Messages that were taken.
    #[must_use]
    pub fn taken(&self) -> u64 {
        self.0.taken.load(Ordering::SeqCst)
    }

    /// Connections that were made.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.0.connections.load(Ordering::SeqCst)
    }
}

impl House {
    fn rules(&self) -> Arc<Rules> {
        Arc::clone(&self.rules.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Faults {
    /// Binds to an address of this machine; port 0 takes any free one.
    ///
    /// # Errors
    /// When the address is not a loopback one, or is taken.
    pub async fn bind(address: SocketAddr, options: Options, rules: Rules) -> io::Result<Self> {
        if !address.ip().is_loopback() {
            let why = format!("{address} can be reached from other machines, and this relay is for this one only");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
        }
        let listener = TcpListener::bind(address).await?;
        let rules = RwLock::new(Arc::new(rules));
        let (connections, taken) = (AtomicU64::new(0), AtomicU64::new(0));
        Ok(Self { listener, house: Arc::new(House { options, rules, connections, taken }) })
    }

    /// Where it can be reached.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    #[must_use]
    pub fn handle(&self) -> Handle {
        Handle(Arc::clone(&self.house))
    }

    /// Serves until `stop`; what is under way is then cut off.
    pub async fn run(self, stop: CancellationToken) {
        let mut sessions = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => break,
                Some(_) = sessions.join_next() => continue,
                accepted = self.listener.accept() => accepted,
            };
            let Ok((tcp, _)) = accepted else {
                // Out of file descriptors, or a client that was gone before it came.
                tokio::task::yield_now().await;
                continue;
            };
            let connection = self.house.connections.fetch_add(1, Ordering::SeqCst) + 1;
            sessions.spawn(Session::new(tcp, Arc::clone(&self.house), connection).run());
        }
        sessions.shutdown().await;
    }
}

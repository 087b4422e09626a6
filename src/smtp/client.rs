//! The client that sends in bulk: one connection to one relay, owned by one task.
//!
//! Every reply is known with its stage, every phase has a time-out, and a connection on which anything went wrong
//! cannot be used again: [`Connection::carry`] takes it and gives it back only when it is clean. Dropping a future of
//! this module closes its connection. Deliberately absent: a pool (whoever sends owns its connection), VRFY and RCPT
//! without a message (receivers take them for address harvesting).

mod auth;
mod cargo;
mod chunks;
mod connect;
mod connection;
mod envelope;
mod heard;
mod hello;
mod lines;
mod one;
mod stuffed;
mod text;
mod tls;
mod wire;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

pub use cargo::{Cargo, Carried, Handover, Learnt, Mode, WINDOW_AUTO, Window};
pub use connect::connect;
pub use connection::Connection;
pub use lines::{Parsed, parse};
pub use tls::Trust;

use crate::delivery::reply::{Answer, Stage};
use crate::values::relay::Tls;

/// User name and password at the relay. Shows itself without the password.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    pub username: String,
    pub password: String,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("username", &self.username).finish_non_exhaustive()
    }
}

/// How long each phase may take. The defaults are those of RFC 5321 §4.5.3.2; shorter ones make duplicates, because
/// a relay that is still thinking after the dot has often taken the message.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// TCP, for each address of the relay. The RFC leaves it open; 30 s is what a person waits.
    pub connect: Duration,
    /// TLS handshake. Not in the RFC; as long as the greeting would be far too patient.
    pub tls: Duration,
    pub greeting: Duration,
    /// EHLO, STARTTLS, AUTH, RSET.
    pub command: Duration,
    pub mail: Duration,
    pub rcpt: Duration,
    pub data_start: Duration,
    /// One write of message text that makes no progress at all.
    pub data_block: Duration,
    pub data_end: Duration,
    /// The whole of a polite goodbye. Nothing depends on it.
    pub quit: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        let minutes = |count: u64| Duration::from_secs(60 * count);
        Self {
            connect: Duration::from_secs(30),
            tls: Duration::from_secs(60),
            greeting: minutes(5),
            command: minutes(5),
            mail: minutes(5),
            rcpt: minutes(5),
            data_start: minutes(2),
            data_block: minutes(3),
            data_end: minutes(10),
            quit: Duration::from_secs(2),
        }
    }
}

impl Timeouts {
    /// The same time-out for every phase; for tests and for trying out a relay while a person waits.
    #[must_use]
    pub fn all(each: Duration) -> Self {
        Self {
            connect: each,
            tls: each,
            greeting: each,
            command: each,
            mail: each,
            rcpt: each,
            data_start: each,
            data_block: each,
            data_end: each,
            quit: each,
        }
    }
}

/// A relay and how to speak to it. Make it once per relay: [`Trust`] is costly to make and cheap to clone.
#[derive(Clone, Debug)]
pub struct Target {
    pub host: String,
    pub port: u16,
    /// There is no opportunistic mode: a relay is known beforehand.
    pub tls: Tls,
    pub credentials: Option<Credentials>,
    /// The name in EHLO: a fully qualified one that resolves; some receivers refuse others (RFC 5321 §4.1.4).
    pub helo: String,
    pub timeouts: Timeouts,
    /// The certificates that we believe.
    pub trust: Trust,
    /// Plain text to other machines, said in so many words in the configuration.
    pub plain_allowed: bool,
    /// How many messages a connection may have unanswered.
    pub window: Window,
    /// PIPELINING where it is offered; `false` for a relay that offers it and cannot do it.
    pub pipelining: bool,
    /// CHUNKING where it is offered together with PIPELINING, and the window allows for more than one message.
    pub chunking: bool,
    /// What its connections have learnt of it.
    pub learnt: Learnt,
}

impl Target {
    /// A relay with default time-outs, without credentials, checked against the web's public roots.
    #[must_use]
    pub fn new(host: impl Into<String>, port: u16, tls: Tls, helo: impl Into<String>) -> Self {
        Self {
            host: host.into(),
            port,
            tls,
            credentials: None,
            helo: helo.into(),
            timeouts: Timeouts::default(),
            trust: Trust::public(),
            plain_allowed: false,
            window: Window::Auto,
            pipelining: true,
            chunking: true,
            learnt: Learnt::default(),
        }
    }

    /// The addresses of the relay that we may speak to, in the resolver's order. Without TLS these are the loopback
    /// ones only, unless [`Target::plain_allowed`].
    ///
    /// # Errors
    /// [`Answer::Broken`] at [`Stage::Connect`] when the name does not resolve, or no address may be spoken to.
    pub async fn addresses(&self) -> Result<Vec<SocketAddr>, Answer> {
        let broken = |why: String| Answer::Broken { stage: Stage::Connect, why };
        let bare = self.host.trim_start_matches('[').trim_end_matches(']');
        let looking = tokio::time::timeout(self.timeouts.connect, tokio::net::lookup_host((bare, self.port))).await;
        let found = looking
            .map_err(|_| broken(format!("the name {} was not resolved in time", self.host)))?
            .map_err(|error| broken(format!("the name {} does not resolve: {error}", self.host)))?;
        let all: Vec<SocketAddr> = found.collect();
        if all.is_empty() {
            return Err(broken(format!("the name {} has no address", self.host)));
        }
        let allowed: Vec<SocketAddr> = all.into_iter().filter(|at| self.may_speak_to(at.ip())).collect();
        if allowed.is_empty() {
            return Err(broken(format!(
                "{} is another machine and the relay has no TLS; nothing was sent. Set tls to \"starttls\" or \
                 \"implicit\", or allow_relay_without_tls = true if the way there is safe",
                self.host
            )));
        }
        Ok(allowed)
    }

    fn may_speak_to(&self, ip: IpAddr) -> bool {
        self.tls != Tls::None || self.plain_allowed || ip.to_canonical().is_loopback()
    }
}

//! Configuration: what the operator decides at start. Editorial things are in the database.
//!
//! One TOML file, the environment over it, flags over that. Every value knows where it came from.

pub mod folder;
pub mod keys;
pub mod load;

use std::path::PathBuf;

pub use load::{Loaded, Origin, Sources, load};

/// Everything that can be set. A field here is a key of the file; [`keys`] says what each is for.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Folder for everything we keep: `broadsheet.db`, the lock file, `broadsheet.toml`.
    pub data: PathBuf,
    /// Address and port of the web server.
    pub listen: String,
    /// Where readers reach us, without a slash at the end. Default: `http://` and `listen`.
    pub public_url: String,
    /// `postgres://…`, or empty for `broadsheet.db` in the data folder.
    pub database: String,
    /// Hold a published issue this long before its first mail leaves (undo), in seconds.
    pub hold_seconds: u64,
    /// Accept a relay without TLS that is not on the loopback.
    pub allow_relay_without_tls: bool,
    /// The name we say in EHLO. Default: the host of `public_url`.
    pub helo: String,
    /// Domain of return paths, `bounce.` and the sender's domain if empty.
    pub return_domain: String,
    /// Connections to one relay at once.
    pub connections_max: usize,
    /// What this node does: `web`, `send`, `schedule`, separated by spaces or commas.
    pub roles: String,
    /// Milliseconds between a node's heart-beats on Postgres. After four without one, others take over what it held.
    pub heartbeat_ms: u64,
    /// How long a relay may take for any step, in place of the times of RFC 5321: tests only, because shorter ones make
    /// duplicates.
    #[serde(skip)]
    pub smtp_patience: Option<std::time::Duration>,
    /// Let anybody in without signing in: the demo only.
    #[serde(skip)]
    pub demo: bool,
    /// What benchmarks vary and nobody can configure.
    #[serde(skip)]
    pub bench: Bench,
}

/// Switches of benchmarks.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bench {
    /// Leave messages without a signature, to measure what one costs.
    pub unsigned: bool,
    /// So many messages unanswered on a connection, whatever its round trip.
    pub window: Option<u32>,
    /// After each commit wait so long, as a slow disk would.
    pub commit_delay: std::time::Duration,
}

/// Undo is worth most in the first minute: that is when one sees the mistake.
const HOLD_SECONDS_DEFAULT: u64 = 60;
/// Most relays allow ten or more connections from one customer; fewer readers than ten never notice.
const CONNECTIONS_DEFAULT: usize = 10;
/// A dead node's readers wait ten seconds; a beat costs the database nothing that could be seen.
const HEARTBEAT_MS_DEFAULT: u64 = 2_000;

impl Default for Config {
    fn default() -> Self {
        Self {
            data: PathBuf::from("."),
            listen: "127.0.0.1:8080".into(),
            public_url: String::new(),
            database: String::new(),
            hold_seconds: HOLD_SECONDS_DEFAULT,
            allow_relay_without_tls: false,
            helo: String::new(),
            return_domain: String::new(),
            connections_max: CONNECTIONS_DEFAULT,
            roles: "web send schedule".into(),
            heartbeat_ms: HEARTBEAT_MS_DEFAULT,
            smtp_patience: None,
            demo: false,
            bench: Bench::default(),
        }
    }
}

impl Config {
    /// Whether this node plays a role of [`keys::ROLES`].
    #[must_use]
    pub fn plays(&self, role: &str) -> bool {
        self.roles.split(' ').any(|played| played == role)
    }

    /// What [`crate::store::Store::open`] opens.
    #[must_use]
    pub fn database_url(&self) -> String {
        match self.database.as_str() {
            "" => self.data.join("broadsheet.db").to_string_lossy().into_owned(),
            url => url.to_owned(),
        }
    }
}

/// Why the configuration cannot be used: every problem at once, each with its place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct BadConfig(pub Vec<String>);

impl BadConfig {
    #[must_use]
    pub fn one(problem: impl Into<String>) -> Self {
        Self(vec![problem.into()])
    }
}

//! Configuration: what the operator decides at start. Editorial things are in the database.

use std::path::PathBuf;

/// Everything that can be set. One TOML file, environment over it, flags over that.
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
    /// Let anybody in without signing in: the demo only.
    #[serde(skip)]
    pub demo: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data: PathBuf::from("."),
            listen: "127.0.0.1:8080".into(),
            public_url: String::new(),
            database: String::new(),
            hold_seconds: 60,
            allow_relay_without_tls: false,
            helo: String::new(),
            return_domain: String::new(),
            connections_max: 10,
            demo: false,
        }
    }
}

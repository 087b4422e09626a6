//! Relays: the SMTP servers that we hand mail to.

use std::fmt;

use crate::store::Tx;
use crate::values::clock::Millis;
use crate::values::ids::RelayId;
use crate::values::relay::{RelayUrl, Tls};

/// A relay, every column. Shows itself without its password.
#[derive(Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Relay {
    pub id: RelayId,
    pub name: String,
    pub host: String,
    pub port: i64,
    #[sqlx(try_from = "String")]
    pub tls: Tls,
    pub username: Option<String>,
    pub password: Option<String>,
    pub connections_max: i64,
    /// Unix milliseconds. Set while a fault of ours keeps it from taking mail.
    pub paused_until: Option<i64>,
    pub paused_reason: Option<String>,
    /// Faults in a row; the pause grows with them.
    pub faults: i64,
    pub created_at: i64,
}

impl Relay {
    /// A new relay from its address, not yet written down.
    #[must_use]
    pub fn new(name: &str, url: &RelayUrl, connections_max: i64, now: Millis) -> Self {
        Self {
            id: RelayId::new(now),
            name: name.to_owned(),
            host: url.host.clone(),
            port: i64::from(url.port),
            tls: url.tls,
            username: url.username.clone(),
            password: url.password.clone(),
            connections_max,
            paused_until: None,
            paused_reason: None,
            faults: 0,
            created_at: now.0,
        }
    }

    #[must_use]
    pub fn is_paused(&self, now: Millis) -> bool {
        self.paused_until.is_some_and(|until| now.0 < until)
    }

    /// The address it was made from.
    #[must_use]
    pub fn url(&self) -> RelayUrl {
        RelayUrl {
            host: self.host.clone(),
            port: u16::try_from(self.port).unwrap_or(0),
            tls: self.tls,
            username: self.username.clone(),
            password: self.password.clone(),
        }
    }
}

impl fmt::Debug for Relay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Relay({}, {})", self.id, self.url())
    }
}

const BY_ID: &str = "SELECT * FROM relay WHERE id = $1";

/// # Errors
/// When the database cannot be read.
pub async fn by_id(tx: &mut Tx, id: RelayId) -> Result<Option<Relay>, sqlx::Error> {
    sql!(tx, fetch_optional, BY_ID, id)
}

const BY_NAME: &str = "SELECT * FROM relay WHERE name = $1";

/// # Errors
/// When the database cannot be read.
pub async fn by_name(tx: &mut Tx, name: &str) -> Result<Option<Relay>, sqlx::Error> {
    sql!(tx, fetch_optional, BY_NAME, name)
}

const ALL: &str = "SELECT * FROM relay ORDER BY name";

/// # Errors
/// When the database cannot be read.
pub async fn all(tx: &mut Tx) -> Result<Vec<Relay>, sqlx::Error> {
    sql!(tx, fetch_all, ALL)
}

const INSERT: &str = "INSERT INTO relay (id, name, host, port, tls, username, password, connections_max, faults, \
    created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0, $9)";

/// # Errors
/// When the database cannot be written, or the name is taken.
pub async fn insert(tx: &mut Tx, new: &Relay) -> Result<(), sqlx::Error> {
    let r = new;
    execute!(
        tx,
        INSERT,
        r.id,
        &r.name,
        &r.host,
        r.port,
        r.tls.as_str(),
        r.username.as_deref(),
        r.password.as_deref(),
        r.connections_max,
        r.created_at
    )
    .map(|_| ())
}

// A relay that was told something new is tried at once: its pause was for the old settings.
const UPDATE: &str = "UPDATE relay SET name = $2, host = $3, port = $4, tls = $5, username = $6, password = $7, \
    connections_max = $8, paused_until = NULL, paused_reason = NULL, faults = 0 WHERE id = $1";

/// Writes where and how it is reached, and lifts its pause; `false` if there is no such relay.
///
/// # Errors
/// When the database cannot be written, or the name is another relay's.
pub async fn update(tx: &mut Tx, new: &Relay) -> Result<bool, sqlx::Error> {
    let r = new;
    execute!(
        tx,
        UPDATE,
        r.id,
        &r.name,
        &r.host,
        r.port,
        r.tls.as_str(),
        r.username.as_deref(),
        r.password.as_deref(),
        r.connections_max
    )
    .map(|rows| rows == 1)
}

const PAUSE: &str = "UPDATE relay SET paused_until = $2, paused_reason = $3, faults = faults + 1 WHERE id = $1";

/// Keeps the relay from taking mail until `until`, with the reply or fault that says why.
///
/// # Errors
/// When the database cannot be written.
pub async fn pause(tx: &mut Tx, id: RelayId, until: Millis, reason: &str) -> Result<(), sqlx::Error> {
    execute!(tx, PAUSE, id, until.0, reason).map(|_| ())
}

const CLEAR_PAUSE: &str = "UPDATE relay SET paused_until = NULL, paused_reason = NULL, faults = 0 \
    WHERE id = $1 AND (faults <> 0 OR paused_until IS NOT NULL)";

/// The relay took mail again, or a person said go: no pause and no faults. `true` if there were any.
///
/// # Errors
/// When the database cannot be written.
pub async fn clear_pause(tx: &mut Tx, id: RelayId) -> Result<bool, sqlx::Error> {
    execute!(tx, CLEAR_PAUSE, id).map(|rows| rows == 1)
}

//! Relays: the SMTP servers that we hand mail to.

use std::fmt;

use crate::delivery::pace::meter::Limits;
use crate::store::Tx;
use crate::values::clock::Millis;
use crate::values::ids::{NewsletterId, RelayId};
use crate::values::relay::{RelayUrl, Tls};

/// What a crash may leave in doubt where nobody said otherwise: few enough to look at one by one.
pub const IN_DOUBT_DEFAULT: i64 = 64;

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
    /// 0: as many as carry more, up to `in_doubt_max`.
    pub connections_max: i64,
    /// Then a connection is closed and opened anew; `None`: when the relay says so.
    pub messages_per_connection: Option<i64>,
    pub per_second: Option<i64>,
    pub per_minute: Option<i64>,
    pub per_hour: Option<i64>,
    pub per_day: Option<i64>,
    /// Messages on the wire unanswered at once, on all connections: what a crash may leave in doubt.
    pub in_doubt_max: i64,
    /// Whether the table of receiving sites counts behind it.
    pub per_site: bool,
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
            messages_per_connection: None,
            per_second: None,
            per_minute: None,
            per_hour: None,
            per_day: None,
            in_doubt_max: IN_DOUBT_DEFAULT,
            per_site: false,
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

    /// Its limits over time.
    #[must_use]
    pub fn limits(&self) -> Limits {
        let limit = |many: Option<i64>| many.map(|many| u32::try_from(many).unwrap_or(0));
        Limits {
            per_second: limit(self.per_second),
            per_minute: limit(self.per_minute),
            per_hour: limit(self.per_hour),
            per_day: limit(self.per_day),
        }
    }

    /// The most connections at once, whoever finds their number.
    #[must_use]
    pub fn connections_most(&self) -> u32 {
        let bound =
            if self.connections_max > 0 { self.connections_max.min(self.in_doubt_max) } else { self.in_doubt_max };
        u32::try_from(bound.max(1)).unwrap_or(1)
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
    created_at, messages_per_connection, per_second, per_minute, per_hour, per_day, in_doubt_max, per_site) \
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0, $9, $10, $11, $12, $13, $14, $15, $16)";

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
        r.created_at,
        r.messages_per_connection,
        r.per_second,
        r.per_minute,
        r.per_hour,
        r.per_day,
        r.in_doubt_max,
        r.per_site
    )
    .map(|_| ())
}

// A relay that was told something new is tried at once: its pause was for the old settings.
const UPDATE: &str = "UPDATE relay SET name = $2, host = $3, port = $4, tls = $5, username = $6, password = $7, \
    paused_until = NULL, paused_reason = NULL, faults = 0 WHERE id = $1";

/// Writes where and how it is reached, and lifts its pause; `false` if there is no such relay.
///
/// # Errors
/// When the database cannot be written, or the name is another relay's.
pub async fn update(tx: &mut Tx, new: &Relay) -> Result<bool, sqlx::Error> {
    let r = new;
    execute!(tx, UPDATE, r.id, &r.name, &r.host, r.port, r.tls.as_str(), r.username.as_deref(), r.password.as_deref())
        .map(|rows| rows == 1)
}

const SET_PACE: &str = "UPDATE relay SET connections_max = $2, messages_per_connection = $3, per_second = $4, \
    per_minute = $5, per_hour = $6, per_day = $7, in_doubt_max = $8, per_site = $9 WHERE id = $1";

/// Writes how fast it is used; `false` if there is no such relay.
///
/// # Errors
/// When the database cannot be written.
pub async fn set_pace(tx: &mut Tx, new: &Relay) -> Result<bool, sqlx::Error> {
    let r = new;
    execute!(
        tx,
        SET_PACE,
        r.id,
        r.connections_max,
        r.messages_per_connection,
        r.per_second,
        r.per_minute,
        r.per_hour,
        r.per_day,
        r.in_doubt_max,
        r.per_site
    )
    .map(|rows| rows == 1)
}

const REMOVE: &str = "DELETE FROM relay WHERE id = $1";

/// Removes a relay that no newsletter names.
///
/// # Errors
/// When the database cannot be written, or a newsletter names it.
pub async fn remove(tx: &mut Tx, id: RelayId) -> Result<bool, sqlx::Error> {
    execute!(tx, REMOVE, id).map(|rows| rows == 1)
}

/// A relay in a newsletter's list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Part {
    pub newsletter_id: NewsletterId,
    pub relay_id: RelayId,
    /// 0: a spare.
    pub weight: i64,
    pub place: i64,
}

const PARTS: &str = "SELECT * FROM newsletter_relay ORDER BY newsletter_id, place";

/// Every newsletter's relays, in their order.
///
/// # Errors
/// When the database cannot be read.
pub async fn parts(tx: &mut Tx) -> Result<Vec<Part>, sqlx::Error> {
    sql!(tx, fetch_all, PARTS)
}

const CLEAR_PARTS: &str = "DELETE FROM newsletter_relay WHERE newsletter_id = $1";
const ADD_PART: &str = "INSERT INTO newsletter_relay (newsletter_id, relay_id, weight, place) VALUES ($1, $2, $3, $4)";
const SET_FIRST: &str = "UPDATE newsletter SET relay_id = $2 WHERE id = $1";

/// Gives a newsletter its relays, with their weights; the first is what is shown where there is room for one.
///
/// # Errors
/// When the database cannot be written.
pub async fn set_parts(tx: &mut Tx, newsletter: NewsletterId, parts: &[(RelayId, i64)]) -> Result<(), sqlx::Error> {
    execute!(tx, CLEAR_PARTS, newsletter)?;
    for (place, (relay, weight)) in parts.iter().enumerate() {
        let place = i64::try_from(place).unwrap_or(i64::MAX);
        execute!(tx, ADD_PART, newsletter, relay, weight, place)?;
    }
    let first = parts.first().map(|(relay, _)| *relay);
    execute!(tx, SET_FIRST, newsletter, first).map(drop)
}

const LISTS: &str = "SELECT COUNT(*) FROM newsletter_relay WHERE newsletter_id = $1 AND relay_id = $2";

/// A newsletter was given one relay: its list is that relay, unless it is in the list already.
///
/// # Errors
/// When the database cannot be written.
pub async fn follow(tx: &mut Tx, newsletter: NewsletterId, relay: Option<RelayId>) -> Result<(), sqlx::Error> {
    if let Some(relay) = relay {
        let (listed,): (i64,) = sql!(tx, fetch_one, LISTS, newsletter, relay)?;
        if listed > 0 {
            return Ok(());
        }
    }
    let parts: Vec<(RelayId, i64)> = relay.into_iter().map(|relay| (relay, 1)).collect();
    set_parts(tx, newsletter, &parts).await
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

//! Who may use the desk: accounts, their sessions, and the one-time link that makes the first account.

use std::fmt;

use crate::store::Tx;
use crate::values::ids::AccountId;

/// An account, every column. Shows itself without its password's hash.
#[derive(Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Account {
    pub id: AccountId,
    /// Lower case.
    pub email: String,
    pub name: String,
    /// `owner` or `editor`.
    pub role: String,
    /// PHC string, argon2id.
    pub password_hash: String,
    /// `auto`, `light` or `dark`.
    pub theme: String,
    pub created_at: i64,
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Account({})", self.id)
    }
}

/// A browser that is signed in. The token itself is in that browser's cookie and nowhere else.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Session {
    /// SHA-256 of the token, in hex.
    pub token_hash: String,
    pub account_id: AccountId,
    pub created_at: i64,
    pub last_seen_at: i64,
    pub expires_at: i64,
    pub ip: String,
    pub agent: String,
}

const COUNT: &str = "SELECT COUNT(*) FROM account";

/// # Errors
/// When the database cannot be read.
pub async fn count(tx: &mut Tx) -> Result<i64, sqlx::Error> {
    let (count,): (i64,) = sql!(tx, fetch_one, COUNT)?;
    Ok(count)
}

const BY_EMAIL: &str = "SELECT * FROM account WHERE email = $1";

/// `email` in lower case.
///
/// # Errors
/// When the database cannot be read.
pub async fn by_email(tx: &mut Tx, email: &str) -> Result<Option<Account>, sqlx::Error> {
    sql!(tx, fetch_optional, BY_EMAIL, email)
}

const FIRST: &str = "SELECT * FROM account ORDER BY id LIMIT 1";

/// The oldest account.
///
/// # Errors
/// When the database cannot be read.
pub async fn first(tx: &mut Tx) -> Result<Option<Account>, sqlx::Error> {
    sql!(tx, fetch_optional, FIRST)
}

const ALL: &str = "SELECT * FROM account ORDER BY id";

/// Everybody who may use the desk: a handful.
///
/// # Errors
/// When the database cannot be read.
pub async fn all(tx: &mut Tx) -> Result<Vec<Account>, sqlx::Error> {
    sql!(tx, fetch_all, ALL)
}

const INSERT: &str = "INSERT INTO account (id, email, name, role, password_hash, theme, created_at) \
    VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (email) DO NOTHING";

/// `false` if the address has an account already, and then nothing is written.
///
/// # Errors
/// When the database cannot be written.
pub async fn insert(tx: &mut Tx, new: &Account) -> Result<bool, sqlx::Error> {
    let a = new;
    execute!(tx, INSERT, a.id, &a.email, &a.name, &a.role, &a.password_hash, &a.theme, a.created_at)
        .map(|rows| rows == 1)
}

const SET_PASSWORD: &str = "UPDATE account SET password_hash = $2 WHERE id = $1";

/// # Errors
/// When the database cannot be written.
pub async fn set_password(tx: &mut Tx, id: AccountId, password_hash: &str) -> Result<(), sqlx::Error> {
    execute!(tx, SET_PASSWORD, id, password_hash).map(|_| ())
}

const SET_THEME: &str = "UPDATE account SET theme = $2 WHERE id = $1";

/// # Errors
/// When the database cannot be written.
pub async fn set_theme(tx: &mut Tx, id: AccountId, theme: &str) -> Result<(), sqlx::Error> {
    execute!(tx, SET_THEME, id, theme).map(|_| ())
}

const INSERT_SESSION: &str = "INSERT INTO session (token_hash, account_id, created_at, last_seen_at, expires_at, ip, \
    agent) VALUES ($1, $2, $3, $4, $5, $6, $7)";

/// # Errors
/// When the database cannot be written.
pub async fn insert_session(tx: &mut Tx, new: &Session) -> Result<(), sqlx::Error> {
    let s = new;
    execute!(
        tx,
        INSERT_SESSION,
        &s.token_hash,
        s.account_id,
        s.created_at,
        s.last_seen_at,
        s.expires_at,
        &s.ip,
        &s.agent
    )
    .map(|_| ())
}

const BY_SESSION: &str = "SELECT account.* FROM session JOIN account ON account.id = session.account_id \
    WHERE session.token_hash = $1 AND session.expires_at > $2";

/// Whose session this is, if it has not expired.
///
/// # Errors
/// When the database cannot be read.
pub async fn by_session(tx: &mut Tx, token_hash: &str) -> Result<Option<Account>, sqlx::Error> {
    sql!(tx, fetch_optional, BY_SESSION, token_hash, tx.now.0)
}

const STALE: &str = "SELECT last_seen_at FROM session WHERE token_hash = $1 AND last_seen_at < $2";

/// Whether the session was last seen before `before`.
///
/// # Errors
/// When the database cannot be read.
pub async fn seen_before(tx: &mut Tx, token_hash: &str, before: i64) -> Result<bool, sqlx::Error> {
    let row: Option<(i64,)> = sql!(tx, fetch_optional, STALE, token_hash, before)?;
    Ok(row.is_some())
}

const TOUCH: &str = "UPDATE session SET last_seen_at = $2 WHERE token_hash = $1";

/// # Errors
/// When the database cannot be written.
pub async fn touch(tx: &mut Tx, token_hash: &str) -> Result<(), sqlx::Error> {
    execute!(tx, TOUCH, token_hash, tx.now.0).map(|_| ())
}

const SESSIONS: &str = "SELECT * FROM session WHERE account_id = $1 AND expires_at > $2 ORDER BY last_seen_at DESC";

/// Where somebody is signed in, last seen first.
///
/// # Errors
/// When the database cannot be read.
pub async fn sessions(tx: &mut Tx, id: AccountId) -> Result<Vec<Session>, sqlx::Error> {
    sql!(tx, fetch_all, SESSIONS, id, tx.now.0)
}

const DELETE_SESSION: &str = "DELETE FROM session WHERE token_hash = $1";

/// # Errors
/// When the database cannot be written.
pub async fn delete_session(tx: &mut Tx, token_hash: &str) -> Result<(), sqlx::Error> {
    execute!(tx, DELETE_SESSION, token_hash).map(|_| ())
}

const DELETE_OTHERS: &str = "DELETE FROM session WHERE account_id = $1 AND token_hash <> $2";

/// Signs an account out everywhere but in the session `keep`.
///
/// # Errors
/// When the database cannot be written.
pub async fn delete_other_sessions(tx: &mut Tx, id: AccountId, keep: &str) -> Result<u64, sqlx::Error> {
    execute!(tx, DELETE_OTHERS, id, keep)
}

const DELETE_EXPIRED: &str = "DELETE FROM session WHERE expires_at <= $1";

/// # Errors
/// When the database cannot be written.
pub async fn delete_expired_sessions(tx: &mut Tx) -> Result<u64, sqlx::Error> {
    execute!(tx, DELETE_EXPIRED, tx.now.0)
}

const FORGET_LINKS: &str = "DELETE FROM setup_link";
const INSERT_LINK: &str = "INSERT INTO setup_link (token_hash, expires_at) VALUES ($1, $2)";

/// Makes this the one link that is good; older ones are forgotten.
///
/// # Errors
/// When the database cannot be written.
pub async fn put_setup_link(tx: &mut Tx, token_hash: &str, expires_at: i64) -> Result<(), sqlx::Error> {
    execute!(tx, FORGET_LINKS)?;
    execute!(tx, INSERT_LINK, token_hash, expires_at).map(|_| ())
}

const LINK_IS_GOOD: &str =
    "SELECT expires_at FROM setup_link WHERE token_hash = $1 AND used_at IS NULL AND expires_at > $2";

/// # Errors
/// When the database cannot be read.
pub async fn setup_link_is_good(tx: &mut Tx, token_hash: &str) -> Result<bool, sqlx::Error> {
    let row: Option<(i64,)> = sql!(tx, fetch_optional, LINK_IS_GOOD, token_hash, tx.now.0)?;
    Ok(row.is_some())
}

const USE_LINK: &str =
    "UPDATE setup_link SET used_at = $2 WHERE token_hash = $1 AND used_at IS NULL AND expires_at > $2";

/// `true` for the one caller who uses it up.
///
/// # Errors
/// When the database cannot be written.
pub async fn use_setup_link(tx: &mut Tx, token_hash: &str) -> Result<bool, sqlx::Error> {
    execute!(tx, USE_LINK, token_hash, tx.now.0).map(|rows| rows == 1)
}

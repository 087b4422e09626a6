//! Who may use the desk: making accounts, signing in and out, the one-time set-up link.

use argon2::{Argon2, PasswordHash, PasswordHasher as _, PasswordVerifier as _};
use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use tokio::sync::Semaphore;

use super::app::{App, to_the_end};
use crate::store::account::{self, Account, Session};
use crate::store::allowance;
use crate::values::address::{Address, BadAddress};
use crate::values::clock::Millis;
use crate::values::ids::AccountId;
use crate::values::token::random_secret;

/// Shorter passwords are guessed. NIST SP 800-63B §3.1.1 asks for length and for nothing else, so do we.
pub const PASSWORD_CHARS_MIN: usize = 10;
/// Longer ones are a way to keep us busy; hashing is linear in their length.
pub const PASSWORD_CHARS_MAX: usize = 256;
/// Hashing takes about 20 MB and 30 ms each; more at once would let strangers at the door slow down sending.
const HASHING_AT_ONCE: usize = 2;
/// Wrong passwords for one account before it must wait.
const SIGN_INS_PER_ACCOUNT: i64 = 6;
const SIGN_INS_ACCOUNT_WINDOW_MS: i64 = Millis::MINUTE;
/// Tries from one place, for all accounts together.
const SIGN_INS_PER_PLACE: i64 = 40;
const SIGN_INS_PLACE_WINDOW_MS: i64 = 10 * Millis::MINUTE;
/// A session of somebody who did not ask to stay: a working day.
const SESSION_MS: i64 = 12 * Millis::HOUR;
/// A session of somebody who did.
pub const SESSION_STAY_MS: i64 = 30 * Millis::DAY;
/// "Last seen" is written at most this often, so that reading pages does not write all day.
const SEEN_EVERY_MS: i64 = 10 * Millis::MINUTE;
const SETUP_LINK_MS: i64 = 30 * Millis::MINUTE;
/// What is kept of a browser's name.
const AGENT_CHARS_MAX: usize = 200;

static HASHING: Semaphore = Semaphore::const_new(HASHING_AT_ONCE);

/// A hash that no password fits, for addresses without an account: they must take as long as the others. Made once by
/// `Argon2::default()`, whose parameters it names.
const NOBODYS_HASH: &str = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$\
    ZGVza2Rlc2tkZXNrZGVza2Rlc2tkZXNrZGVza2Rlc2s";

/// What an account may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Owner,
    Editor,
}

impl Role {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Editor => "editor",
        }
    }
}

/// What a new account is made of, as typed.
#[derive(Clone, Default)]
pub struct NewAccount {
    pub email: String,
    pub name: String,
    pub password: String,
}

/// Why there is no account. Nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum AccountRefused {
    #[error("{0}")]
    Address(#[from] BadAddress),
    #[error("write a name: colleagues see it")]
    Name,
    #[error("the password must have at least {PASSWORD_CHARS_MIN} characters, and no more than {PASSWORD_CHARS_MAX}")]
    Password,
    #[error("there is an account with this address already")]
    Taken,
    #[error("this set-up link has been used or has run out; starting the program again prints a new one")]
    Link,
    #[error("the old password is not right; nothing was changed")]
    OldPassword,
    #[error(transparent)]
    Ours(#[from] anyhow::Error),
}

/// How a try to sign in ended.
#[derive(Debug, PartialEq, Eq)]
pub enum SignIn {
    /// The token for the cookie.
    In(String),
    /// Unknown address or wrong password: nobody is told which.
    Wrong,
    /// Too many tries; in a minute again.
    TooMany,
}

/// Where a request comes from, for the list of sessions and for limits.
#[derive(Clone, Debug, Default)]
pub struct Place {
    pub ip: String,
    /// What is counted: the IP, or its network.
    pub neighbourhood: String,
    /// The browser's own name.
    pub agent: String,
}

/// Makes an account.
///
/// # Errors
/// [`AccountRefused`], and then nothing was written.
pub async fn create_account(app: &App, new: NewAccount, role: Role) -> Result<AccountId, AccountRefused> {
    let account = checked(app, new, role).await?;
    let (app, id) = (app.clone(), account.id);
    let made = to_the_end(async move {
        let mut tx = app.store.write().await?;
        let made = account::insert(&mut tx, &account).await?;
        tx.commit().await?;
        Ok(made)
    })
    .await?;
    if made { Ok(id) } else { Err(AccountRefused::Taken) }
}

/// A new one-time link that makes the first account, or `None` when there is an account. Printed by `serve`.
///
/// # Errors
/// When the database cannot be written or the public URL is not one.
pub async fn setup_link(app: &App) -> anyhow::Result<Option<url::Url>> {
    let app = app.clone();
    to_the_end(async move {
        let mut tx = app.store.write().await?;
        if account::count(&mut tx).await? > 0 {
            return Ok(None);
        }
        let token = URL_SAFE_NO_PAD.encode(random_secret()?);
        let expires_at = tx.now.plus(SETUP_LINK_MS).0;
        account::put_setup_link(&mut tx, &hashed(&token), expires_at).await?;
        tx.commit().await?;
        let base = app.config.public_url.trim_end_matches('/');
        Ok(Some(url::Url::parse(&format!("{base}/desk/setup/{token}"))?))
    })
    .await
}

/// Whether the link would still make an account.
///
/// # Errors
/// When the database cannot be read.
pub async fn setup_link_is_good(app: &App, token: &str) -> anyhow::Result<bool> {
    let mut tx = app.store.read().await?;
    Ok(account::count(&mut tx).await? == 0 && account::setup_link_is_good(&mut tx, &hashed(token)).await?)
}

/// Uses the link up and makes the owner's account, in one transaction: of two at once, one gets it. Gives the token of
/// a session for whoever did it.
///
/// # Errors
/// [`AccountRefused`], and then the link is still good, unless it was not before.
pub async fn set_up(app: &App, token: &str, new: NewAccount, place: Place) -> Result<String, AccountRefused> {
    if !setup_link_is_good(app, token).await? {
        return Err(AccountRefused::Link);
    }
    let account = checked(app, new, Role::Owner).await?;
    let (app, link) = (app.clone(), hashed(token));
    let token = to_the_end(async move {
        let mut tx = app.store.write().await?;
        if !account::use_setup_link(&mut tx, &link).await? || account::count(&mut tx).await? > 0 {
            return Ok(None);
        }
        account::insert(&mut tx, &account).await?;
        let (token, session) = new_session(account.id, &place, SESSION_MS, tx.now)?;
        account::insert_session(&mut tx, &session).await?;
        tx.commit().await?;
        Ok(Some(token))
    })
    .await?;
    token.ok_or(AccountRefused::Link)
}

/// Signs somebody in. `stay` keeps the session for a month.
///
/// # Errors
/// When the database cannot be reached.
pub async fn sign_in(app: &App, email: &str, password: &str, stay: bool, place: Place) -> anyhow::Result<SignIn> {
    let email = email.trim().to_lowercase();
    let by_account = app.keys.fingerprint(&format!("sign-in account {email}"));
    let by_place = app.keys.fingerprint(&format!("sign-in place {}", place.neighbourhood));
    let Some(found) = ask_to_try(app, &email, by_account.clone(), by_place).await? else { return Ok(SignIn::TooMany) };
    let hash = found.as_ref().map_or(NOBODYS_HASH, |account| account.password_hash.as_str());
    let fits = fits(password, hash).await?;
    let Some(account) = found.filter(|_| fits) else { return Ok(SignIn::Wrong) };
    let app = app.clone();
    let token = to_the_end(async move {
        let mut tx = app.store.write().await?;
        allowance::forget(&mut tx, &by_account).await?;
        account::delete_expired_sessions(&mut tx).await?;
        let lasts = if stay { SESSION_STAY_MS } else { SESSION_MS };
        let (token, session) = new_session(account.id, &place, lasts, tx.now)?;
        account::insert_session(&mut tx, &session).await?;
        tx.commit().await?;
        Ok(token)
    })
    .await?;
    Ok(SignIn::In(token))
}

/// Whose session the token is, and the session's name in the list.
///
/// # Errors
/// When the database cannot be read.
pub async fn signed_in(app: &App, token: &str) -> anyhow::Result<Option<(Account, String)>> {
    let hash = hashed(token);
    let mut tx = app.store.read().await?;
    let Some(account) = account::by_session(&mut tx, &hash).await? else { return Ok(None) };
    let before = tx.now.plus(-SEEN_EVERY_MS).0;
    if account::seen_before(&mut tx, &hash, before).await? {
        drop(tx);
        let (app, hash) = (app.clone(), hash.clone());
        to_the_end(async move {
            let mut tx = app.store.write().await?;
            account::touch(&mut tx, &hash).await?;
            Ok(tx.commit().await?)
        })
        .await?;
    }
    Ok(Some((account, hash)))
}

/// The account that the demo lets everybody be.
///
/// # Errors
/// When the database cannot be read.
pub async fn demo_account(app: &App) -> anyhow::Result<Option<Account>> {
    Ok(account::first(&mut app.store.read().await?).await?)
}

/// Where somebody is signed in.
///
/// # Errors
/// When the database cannot be read.
pub async fn sessions(app: &App, id: AccountId) -> anyhow::Result<Vec<Session>> {
    Ok(account::sessions(&mut app.store.read().await?, id).await?)
}

/// Ends one session.
///
/// # Errors
/// When the database cannot be written.
pub async fn sign_out(app: &App, session: String) -> anyhow::Result<()> {
    let app = app.clone();
    to_the_end(async move {
        let mut tx = app.store.write().await?;
        account::delete_session(&mut tx, &session).await?;
        Ok(tx.commit().await?)
    })
    .await
}

/// Ends every session of an account but the one that asks; gives their number.
///
/// # Errors
/// When the database cannot be written.
pub async fn sign_out_elsewhere(app: &App, id: AccountId, keep: String) -> anyhow::Result<u64> {
    let app = app.clone();
    to_the_end(async move {
        let mut tx = app.store.write().await?;
        let ended = account::delete_other_sessions(&mut tx, id, &keep).await?;
        tx.commit().await?;
        Ok(ended)
    })
    .await
}

/// Changes a password and ends every other session.
///
/// # Errors
/// [`AccountRefused`], and then nothing was changed.
pub async fn change_password(
    app: &App,
    account: &Account,
    old: &str,
    new: &str,
    keep: String,
) -> Result<(), AccountRefused> {
    if !fits(old, &account.password_hash).await? {
        return Err(AccountRefused::OldPassword);
    }
    let hash = password_hash(new).await?;
    let (app, id) = (app.clone(), account.id);
    to_the_end(async move {
        let mut tx = app.store.write().await?;
        account::set_password(&mut tx, id, &hash).await?;
        account::delete_other_sessions(&mut tx, id, &keep).await?;
        Ok(tx.commit().await?)
    })
    .await?;
    Ok(())
}

/// Light, dark, or as the system: `auto`. Anything else is `auto`.
///
/// # Errors
/// When the database cannot be written.
pub async fn set_theme(app: &App, id: AccountId, theme: &str) -> anyhow::Result<()> {
    let theme = if matches!(theme, "light" | "dark") { theme.to_owned() } else { "auto".to_owned() };
    let app = app.clone();
    to_the_end(async move {
        let mut tx = app.store.write().await?;
        account::set_theme(&mut tx, id, &theme).await?;
        Ok(tx.commit().await?)
    })
    .await
}

/// Counts the try and looks the account up; `None` when there were too many.
async fn ask_to_try(
    app: &App,
    email: &str,
    by_account: String,
    by_place: String,
) -> anyhow::Result<Option<Option<Account>>> {
    let (app, email) = (app.clone(), email.to_owned());
    to_the_end(async move {
        let mut tx = app.store.write().await?;
        let account_tries = allowance::count(&mut tx, &by_account, SIGN_INS_ACCOUNT_WINDOW_MS).await?;
        let place_tries = allowance::count(&mut tx, &by_place, SIGN_INS_PLACE_WINDOW_MS).await?;
        let calm = account_tries <= SIGN_INS_PER_ACCOUNT && place_tries <= SIGN_INS_PER_PLACE;
        let found = account::by_email(&mut tx, &email).await?;
        tx.commit().await?;
        Ok(calm.then_some(found))
    })
    .await
}

/// What was typed, checked, as an account that is not yet written down.
async fn checked(app: &App, new: NewAccount, role: Role) -> Result<Account, AccountRefused> {
    let email = Address::parse(&new.email)?.as_str().to_lowercase();
    let name = new.name.trim().to_owned();
    if name.is_empty() || name.chars().any(char::is_control) {
        return Err(AccountRefused::Name);
    }
    let password_hash = password_hash(&new.password).await?;
    let now = app.clock.now();
    let (role, theme) = (role.as_str().to_owned(), "auto".to_owned());
    Ok(Account { id: AccountId::new(now), email, name, role, password_hash, theme, created_at: now.0 })
}

async fn password_hash(password: &str) -> Result<String, AccountRefused> {
    if !(PASSWORD_CHARS_MIN..=PASSWORD_CHARS_MAX).contains(&password.chars().count()) {
        return Err(AccountRefused::Password);
    }
    let password = password.to_owned();
    let hash = hashing(move || {
        let hash = Argon2::default().hash_password(password.as_bytes());
        hash.map(|hash| hash.to_string()).map_err(|error| anyhow::anyhow!("the password could not be hashed: {error}"))
    });
    Ok(hash.await??)
}

async fn fits(password: &str, hash: &str) -> anyhow::Result<bool> {
    if password.chars().count() > PASSWORD_CHARS_MAX {
        return Ok(false);
    }
    let (password, hash) = (password.to_owned(), hash.to_owned());
    hashing(move || {
        let parsed = PasswordHash::new(&hash);
        parsed.is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
    })
    .await
}

/// Runs something slow beside the runtime's threads, two at once.
async fn hashing<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> anyhow::Result<T> {
    let _turn = HASHING.acquire().await?;
    Ok(tokio::task::spawn_blocking(work).await?)
}

fn new_session(id: AccountId, place: &Place, lasts_ms: i64, now: Millis) -> anyhow::Result<(String, Session)> {
    let token = URL_SAFE_NO_PAD.encode(random_secret()?);
    let session = Session {
        token_hash: hashed(&token),
        account_id: id,
        created_at: now.0,
        last_seen_at: now.0,
        expires_at: now.plus(lasts_ms).0,
        ip: place.ip.clone(),
        agent: place.agent.chars().filter(|letter| !letter.is_control()).take(AGENT_CHARS_MAX).collect(),
    };
    Ok((token, session))
}

/// Tokens are random, so one round of SHA-256 is enough to keep a copied database from opening doors.
fn hashed(token: &str) -> String {
    let hash = digest::digest(&digest::SHA256, token.as_bytes());
    hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::{NOBODYS_HASH, fits, password_hash};

    #[tokio::test]
    async fn a_password_fits_its_hash_and_no_other() {
        let hash = password_hash("the tide is out").await.expect("is long enough");
        assert!(hash.starts_with("$argon2id$"));
        assert!(fits("the tide is out", &hash).await.expect("hashes"));
        assert!(!fits("the tide is in!", &hash).await.expect("hashes"));
        assert!(password_hash("short").await.is_err());
    }

    #[tokio::test]
    async fn the_hash_of_nobody_is_one_and_costs_what_others_cost() {
        let ours = password_hash("the tide is out").await.expect("is long enough");
        let costs = |hash: &str| hash.split('$').nth(3).map(str::to_owned);
        assert_eq!(costs(&ours), costs(NOBODYS_HASH));
        assert!(argon2::PasswordHash::new(NOBODYS_HASH).is_ok());
        assert!(!fits("", NOBODYS_HASH).await.expect("hashes"));
    }
}

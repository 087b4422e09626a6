//! Relays: making one, how it may be used, trying it as far as it goes without a message.

use std::time::Duration;

use super::app::App;
use super::newsletters::{refuse_if, relay_problem};
use super::outlet;
use super::problem::Problem;
use crate::delivery::reply::Answer;
use crate::smtp::client::Timeouts;
use crate::smtp::client::connect;
use crate::store::relay::{self, Relay};
use crate::store::{Tx, newsletter, pace};
use crate::values::ids::{NewsletterId, RelayId};
use crate::values::relay::RelayUrl;

/// Whoever tries a relay waits before the screen: each phase gets this long, and not its usual minutes.
const EACH_PHASE: Duration = Duration::from_secs(10);

/// How a try ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hello {
    /// It greeted us, spoke TLS if it should, and took our password if there is one.
    Welcome,
    /// What it answered or what broke, in words.
    Trouble(String),
}

/// Connects, says hello, signs in, and leaves.
pub async fn hello(app: &App, relay: Option<&Relay>) -> Hello {
    let Some(mut target) = outlet::target(app, relay) else {
        return Hello::Trouble("there is no relay yet".into());
    };
    target.timeouts = Timeouts::all(EACH_PHASE);
    match connect(&target).await {
        Ok(connection) => {
            connection.quit().await;
            Hello::Welcome
        }
        Err(Answer::Reply(reply)) => {
            let code = reply.enhanced.as_deref().map(|code| format!(" {code}")).unwrap_or_default();
            Hello::Trouble(format!("{}{code} {} (at {})", reply.code, reply.text, reply.stage.as_str()))
        }
        Err(Answer::Broken { stage, why }) => Hello::Trouble(format!("{why} (at {})", stage.as_str())),
        Err(Answer::Unclear { why }) => Hello::Trouble(why),
    }
}

/// What is to be changed about how a relay is used; `None` leaves it, `Some(None)` takes a limit away.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    pub name: Option<String>,
    pub url: Option<RelayUrl>,
    /// 0: found by trying.
    pub connections: Option<i64>,
    pub messages_per_connection: Option<Option<i64>>,
    pub per_second: Option<Option<i64>>,
    pub per_minute: Option<Option<i64>>,
    pub per_hour: Option<Option<i64>>,
    pub per_day: Option<Option<i64>>,
    pub in_doubt_max: Option<i64>,
    pub per_site: Option<bool>,
}

/// More connections or unanswered messages than this are no relay's idea of a customer.
const CONNECTIONS_LIMIT: i64 = 500;
/// Longest name of a relay: it stands in tables.
const NAME_LETTERS_MAX: usize = 60;

/// Makes a relay.
///
/// # Errors
/// [`Problem::Invalid`] with everything that is wrong; then nothing was made.
pub async fn add(app: &App, name: &str, url: &RelayUrl, change: Change) -> anyhow::Result<Relay> {
    let mut tx = app.store.write().await?;
    let mut new = Relay::new(name.trim(), url, i64::try_from(app.config.connections_max)?, tx.now);
    let refused = "the relay was not made";
    if relay::by_name(&mut tx, &new.name).await?.is_some() {
        return Err(Problem::Invalid(format!("there is a relay \"{}\" already; {refused}", new.name)).into());
    }
    apply(&mut new, Change { name: None, url: None, ..change });
    refuse_if(&problems(app, &new), refused)?;
    relay::insert(&mut tx, &new).await?;
    tx.commit().await?;
    Ok(new)
}

/// Changes a relay, also while it sends: what is on the wire is not disturbed.
///
/// # Errors
/// [`Problem::NotFound`]; [`Problem::Invalid`] with everything that is wrong, and then nothing was changed.
pub async fn set(app: &App, name: &str, change: Change) -> anyhow::Result<Relay> {
    let mut tx = app.store.write().await?;
    let before = find(&mut tx, name).await?;
    let mut new = before.clone();
    apply(&mut new, change);
    let mut wrong = problems(app, &new);
    if relay::by_name(&mut tx, &new.name).await?.is_some_and(|other| other.id != new.id) {
        wrong.push(format!("there is another relay \"{}\"", new.name));
    }
    refuse_if(&wrong, "nothing was changed")?;
    if (&new.name, new.url()) != (&before.name, before.url()) {
        relay::update(&mut tx, &new).await?;
    }
    relay::set_pace(&mut tx, &new).await?;
    tx.commit().await?;
    app.wake.notify_waiters();
    Ok(new)
}

/// Removes a relay that no newsletter uses.
///
/// # Errors
/// [`Problem::NotFound`]; [`Problem::Refused`] while a newsletter uses it.
pub async fn remove(app: &App, name: &str) -> anyhow::Result<()> {
    let mut tx = app.store.write().await?;
    let found = find(&mut tx, name).await?;
    let users: Vec<_> = relay::parts(&mut tx).await?.into_iter().filter(|part| part.relay_id == found.id).collect();
    if let Some(part) = users.first() {
        let user = newsletter::by_id(&mut tx, part.newsletter_id).await?.map(|user| user.slug).unwrap_or_default();
        return Err(Problem::Refused(format!(
            "the newsletter \"{user}\" uses the relay \"{name}\"; nothing was removed. Give it another first: \
             broadsheet newsletter set {user} --relay NAME"
        ))
        .into());
    }
    pace::forget(&mut tx, &format!("relay/{}", found.id), &format!("relay/{}/sites", found.id)).await?;
    relay::remove(&mut tx, found.id).await?;
    Ok(tx.commit().await?)
}

/// Gives a newsletter its relays: names with weights, 0 for a spare.
///
/// # Errors
/// [`Problem::NotFound`], [`Problem::Invalid`]; then nothing was changed.
pub async fn share(app: &App, newsletter: NewsletterId, parts: &[(String, i64)]) -> anyhow::Result<RelayId> {
    let mut tx = app.store.write().await?;
    let mut list = Vec::with_capacity(parts.len());
    for (name, weight) in parts {
        let found = find(&mut tx, name).await?;
        if list.iter().any(|(id, _)| *id == found.id) {
            return Err(Problem::Invalid(format!("the relay \"{name}\" is named twice; nothing was changed")).into());
        }
        list.push((found.id, *weight));
    }
    let first = list.first().map(|(id, _)| *id);
    let Some(first) = first.filter(|_| list.iter().any(|(_, weight)| *weight > 0)) else {
        let why = "all of these relays are spares (weight 0), so none would carry anything; nothing was changed";
        return Err(Problem::Invalid(why.into()).into());
    };
    relay::set_parts(&mut tx, newsletter, &list).await?;
    tx.commit().await?;
    app.wake.notify_waiters();
    Ok(first)
}

/// The relay of that name.
///
/// # Errors
/// [`Problem::NotFound`], naming those there are.
pub async fn find(tx: &mut Tx, name: &str) -> anyhow::Result<Relay> {
    if let Some(found) = relay::by_name(tx, name.trim()).await? {
        return Ok(found);
    }
    let names: Vec<String> = relay::all(tx).await?.into_iter().map(|known| known.name).collect();
    let known = match names.as_slice() {
        [] => "there is none yet; make one with `broadsheet relay add`".to_owned(),
        some => format!("there are {}", some.join(", ")),
    };
    Err(Problem::NotFound(format!("there is no relay \"{name}\": {known}")).into())
}

fn apply(relay: &mut Relay, change: Change) {
    if let Some(url) = change.url {
        let RelayUrl { host, port, tls, username, password } = url;
        (relay.host, relay.port, relay.tls) = (host, i64::from(port), tls);
        (relay.username, relay.password) = (username, password);
    }
    let set = |kept: &mut Option<i64>, wanted: Option<Option<i64>>| *kept = wanted.unwrap_or(*kept);
    set(&mut relay.messages_per_connection, change.messages_per_connection);
    set(&mut relay.per_second, change.per_second);
    set(&mut relay.per_minute, change.per_minute);
    set(&mut relay.per_hour, change.per_hour);
    set(&mut relay.per_day, change.per_day);
    relay.name = change.name.map_or_else(|| relay.name.clone(), |name| name.trim().to_owned());
    relay.connections_max = change.connections.unwrap_or(relay.connections_max);
    relay.in_doubt_max = change.in_doubt_max.unwrap_or(relay.in_doubt_max);
    relay.per_site = change.per_site.unwrap_or(relay.per_site);
}

fn problems(app: &App, relay: &Relay) -> Vec<String> {
    let mut wrong: Vec<String> = relay_problem(&app.config, &relay.url()).into_iter().collect();
    let name = &relay.name;
    if name.is_empty()
        || name.len() > NAME_LETTERS_MAX
        || name.contains([',', '='])
        || name.chars().any(char::is_control)
    {
        wrong.push(format!("\"{name}\" cannot be a relay's name: up to {NAME_LETTERS_MAX} letters, no comma and no ="));
    }
    if !(0..=CONNECTIONS_LIMIT).contains(&relay.connections_max) {
        wrong.push(format!("connections must be from 1 to {CONNECTIONS_LIMIT}, or auto"));
    }
    if !(1..=CONNECTIONS_LIMIT).contains(&relay.in_doubt_max) {
        wrong.push(format!("in-doubt must be from 1 to {CONNECTIONS_LIMIT} messages"));
    } else if relay.connections_max > relay.in_doubt_max {
        wrong.push(format!(
            "{} connections carry {} messages at least, which is more than the {} that may be in doubt: \
             raise in-doubt or lower connections",
            relay.connections_max, relay.connections_max, relay.in_doubt_max
        ));
    }
    for (what, many) in [
        ("messages per connection", relay.messages_per_connection),
        ("messages per second", relay.per_second),
        ("messages per minute", relay.per_minute),
        ("messages per hour", relay.per_hour),
        ("messages per day", relay.per_day),
    ] {
        if many.is_some_and(|many| !(1..=i64::from(u32::MAX)).contains(&many)) {
            wrong.push(format!("{what} must be 1 or more, or none; to stop a relay, pause its issues"));
        }
    }
    wrong
}

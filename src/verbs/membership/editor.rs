//! What editors do for readers, one at a time.

use serde_json::json;

use crate::audience::csv::tidy_name;
use crate::audience::status::{Event, Status};
use crate::store::event::About;
use crate::store::subscription::Consent;
use crate::store::suppression::Reason;
use crate::store::{event, subscriber, subscription, suppression};
use crate::values::address::Address;
use crate::values::ids::{AccountId, NewsletterId, SubscriberId};
use crate::verbs::app::App;

/// A reader whom an editor puts on by hand.
#[derive(Clone, Debug)]
pub struct NewReader {
    pub newsletter: NewsletterId,
    pub address: Address,
    pub name: String,
    /// What the person agreed to and where, in words; it is the proof that is kept.
    pub consent: String,
    /// Who did it, in words ("the command line", an editor's name), and their account if they have one.
    pub by: String,
    pub account: Option<AccountId>,
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Added {
    Active(SubscriberId),
    AlreadyActive(SubscriberId),
    /// Left, bounced or complained before: only they can come back, by the form.
    LeftBefore(SubscriberId),
    Suppressed,
}

/// Puts a reader on, active at once, with the consent stated.
///
/// # Errors
/// When no consent is stated, or the database cannot be written.
pub async fn add_reader(app: &App, new: NewReader) -> anyhow::Result<Added> {
    anyhow::ensure!(
        !new.consent.trim().is_empty(),
        "say where and to what this reader agreed (consent is the proof that is kept); nobody was added"
    );
    let mut tx = app.store.write().await?;
    if suppression::by_key(&mut tx, &new.address.key()).await?.is_some() {
        return Ok(Added::Suppressed);
    }
    let fresh = SubscriberId::new(tx.now);
    let id = subscriber::keep(&mut tx, fresh, &new.address, &tidy_name(&new.name)).await?;
    let status = subscription::by_ids(&mut tx, new.newsletter, id).await?.map(|row| row.status);
    match status {
        Some(Status::Active) => return Ok(Added::AlreadyActive(id)),
        Some(status) if status.after(Event::Added) != Status::Active => return Ok(Added::LeftBefore(id)),
        _ => {}
    }
    let consent = Consent { text: new.consent, source: new.by, ip: String::new() };
    subscription::begin(&mut tx, new.newsletter, id, Status::Active, &consent).await?;
    let about =
        About { newsletter: Some(new.newsletter), subscriber: Some(id), account: new.account, ..About::default() };
    let detail = json!({"consent": consent.text, "by": consent.source});
    event::insert(&mut tx, "subscription.added", about, &detail).await?;
    tx.commit().await?;
    app.departed.remove(new.newsletter, id);
    Ok(Added::Active(id))
}

/// Takes a reader off one newsletter on their wish; `false` if they were not on it.
///
/// # Errors
/// When the database cannot be written.
pub async fn unsubscribe_by_editor(
    app: &App,
    newsletter: NewsletterId,
    subscriber: SubscriberId,
    account: Option<AccountId>,
) -> anyhow::Result<bool> {
    let mut tx = app.store.write().await?;
    let Some(row) = subscription::by_ids(&mut tx, newsletter, subscriber).await? else { return Ok(false) };
    let after = row.status.after(Event::Left);
    if after == row.status {
        return Ok(false);
    }
    subscription::end(&mut tx, newsletter, subscriber, after, "editor", None).await?;
    let about = About { newsletter: Some(newsletter), subscriber: Some(subscriber), account, ..About::default() };
    event::insert(&mut tx, "subscription.left", about, &json!({"how": "editor"})).await?;
    tx.commit().await?;
    app.departed.add(newsletter, subscriber);
    Ok(true)
}

/// Puts an address on the suppression list: it is never mailed again, by any newsletter. `false` if it was on it.
///
/// # Errors
/// When the database cannot be written.
pub async fn suppress(app: &App, address: &Address, by: &str, account: Option<AccountId>) -> anyhow::Result<bool> {
    let mut tx = app.store.write().await?;
    let new = suppression::insert(&mut tx, &address.key(), Reason::Manual, by).await?;
    let person = subscriber::by_address(&mut tx, address).await?.map(|person| person.id);
    if new {
        let about = About { subscriber: person, account, ..About::default() };
        event::insert(&mut tx, "subscriber.suppressed", about, &json!({"reason": "manual", "by": by})).await?;
    }
    let subscriptions = match person {
        Some(person) => subscription::of(&mut tx, person).await?,
        None => Vec::new(),
    };
    tx.commit().await?;
    subscriptions.iter().for_each(|row| app.departed.add(row.newsletter_id, row.subscriber_id));
    Ok(new)
}

/// Takes an address off the suppression list; `false` if it was not on it. Subscriptions stay as they are.
///
/// # Errors
/// When the database cannot be written.
pub async fn lift_suppression(
    app: &App,
    address: &Address,
    by: &str,
    account: Option<AccountId>,
) -> anyhow::Result<bool> {
    let mut tx = app.store.write().await?;
    let lifted = suppression::delete(&mut tx, &address.key()).await?;
    let person = subscriber::by_address(&mut tx, address).await?.map(|person| person.id);
    let mut subscriptions = Vec::new();
    if lifted {
        let about = About { subscriber: person, account, ..About::default() };
        event::insert(&mut tx, "subscriber.unsuppressed", about, &json!({"by": by})).await?;
        if let Some(person) = person {
            subscriptions = subscription::of(&mut tx, person).await?;
        }
    }
    tx.commit().await?;
    let active = subscriptions.iter().filter(|row| row.status == Status::Active);
    active.for_each(|row| app.departed.remove(row.newsletter_id, row.subscriber_id));
    Ok(lifted)
}

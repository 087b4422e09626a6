//! Coming in: sign-up, confirmation, "this was not me". Double opt-in: nobody is mailed an issue who has not pressed
//! the button in a mail that only they can read.

use std::net::IpAddr;

use serde_json::json;

use super::letter;
use super::seat::{Seat, look_up, open};
use crate::audience::status::{Event, Status};
use crate::store::event::About;
use crate::store::newsletter::Newsletter;
use crate::store::subscription::Consent;
use crate::store::suppression::Reason;
use crate::store::{Tx, allowance, event, letter as letters, subscriber, subscription, suppression};
use crate::values::address::Address;
use crate::values::clock::Millis;
use crate::values::ids::SubscriberId;
use crate::values::token::{BadToken, Purpose};
use crate::values::zone;
use crate::verbs::app::App;

/// Confirmations that one mailbox gets in any span of a day, over all newsletters and however many machines ask
/// (list bombing: in 2016 nine people got 81,000).
const LETTERS_A_DAY_MAX: u8 = 3;
/// Between two confirmations of one newsletter to one mailbox.
const LETTER_GAP_MS: i64 = 10 * Millis::MINUTE;
/// Sign-ups from one network (/24, /64) in an hour: a school class behind one address gets through, a robot doesn't.
const FROM_NETWORK_AN_HOUR_MAX: i64 = 40;
/// Sign-ups of one newsletter in an hour: far above a good launch, far below what hurts a relay.
const OF_NEWSLETTER_AN_HOUR_MAX: i64 = 5_000;
/// People need longer than this to fill in a form, robots don't.
const FILL_IN_MS_MIN: i64 = 800;
/// Longest window of all allowances, and a day for good measure.
const ALLOWANCE_KEPT_MS: i64 = 2 * Millis::DAY;

/// A filled-in form.
#[derive(Clone, Debug)]
pub struct SignUp {
    pub newsletter: Newsletter,
    pub address: Address,
    pub name: String,
    pub ip: IpAddr,
    /// The page that the form stood on: part of the proof of consent.
    pub form_url: String,
    /// What was typed into the field that people don't see.
    pub trap: String,
    /// The IANA zone of the device it was filled in on, or empty.
    pub zone: String,
    /// Token of the time the form was shown; forms pasted into other sites have none.
    pub shown: Option<String>,
}

/// What the visitor is told. It depends on how often somebody asked, never on what is known of the address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignedUp {
    LookInYourMail,
    /// Too many from this network, or for this newsletter, within the hour.
    TooMany,
}

/// Takes a sign-up. New, known, active and suppressed addresses get the same answer after the same work; what differs
/// is only what the mailbox's owner sees.
///
/// An active reader gets the same letter as a stranger: whoever signs up twice is told by its page that they are in.
///
/// # Errors
/// When the database cannot be written, or the letter cannot be made.
pub async fn sign_up(app: &App, form: SignUp) -> anyhow::Result<SignedUp> {
    if is_robot(app, &form) {
        return Ok(SignedUp::LookInYourMail);
    }
    let id = {
        let mut tx = app.store.read().await?;
        let known = subscriber::by_address(&mut tx, &form.address).await?;
        known.map_or_else(|| SubscriberId::new(tx.now), |known| known.id)
    };
    // Before the transaction, and also when nothing will be sent: writing it takes the longest of all.
    let confirmation = letter::confirmation(app, &form.newsletter, id, &form.address)?;
    let mut tx = app.store.write().await?;
    if !few_enough(app, &mut tx, &form).await? {
        tx.commit().await?;
        return Ok(SignedUp::TooMany);
    }
    let may_write = may_write(app, &mut tx, &form).await?;
    if may_write && ask(&mut tx, &form, id).await? {
        letters::insert(&mut tx, &confirmation).await?;
    }
    tx.commit().await?;
    app.wake.notify_one();
    Ok(SignedUp::LookInYourMail)
}

fn is_robot(app: &App, form: &SignUp) -> bool {
    let Some(shown) = &form.shown else { return !form.trap.is_empty() };
    let fast = match app.keys.open(Purpose::Form, shown) {
        Ok([newsletter, at, _]) => {
            newsletter != form.newsletter.id.0 || app.clock.now().since(Millis(at)) < FILL_IN_MS_MIN
        }
        Err(_) => true,
    };
    fast || !form.trap.is_empty()
}

/// Whether network and newsletter are within their limits. Says nothing about the address.
async fn few_enough(app: &App, tx: &mut Tx, form: &SignUp) -> anyhow::Result<bool> {
    let network = app.keys.fingerprint(&format!("sign-ups from {}", network_of(form.ip)));
    let newsletter = app.keys.fingerprint(&format!("sign-ups of {}", form.newsletter.id));
    let from_network = allowance::count(tx, &network, Millis::HOUR).await?;
    let of_newsletter = allowance::count(tx, &newsletter, Millis::HOUR).await?;
    if of_newsletter == 1 {
        allowance::sweep(tx, ALLOWANCE_KEPT_MS).await?;
    }
    Ok(from_network <= FROM_NETWORK_AN_HOUR_MAX && of_newsletter <= OF_NEWSLETTER_AN_HOUR_MAX)
}

/// Whether this mailbox may get another confirmation now.
async fn may_write(app: &App, tx: &mut Tx, form: &SignUp) -> anyhow::Result<bool> {
    let mailbox = form.address.base_key();
    let gap = app.keys.fingerprint(&format!("letters of {} to {mailbox}", form.newsletter.id));
    let day = app.keys.fingerprint(&format!("letters to {mailbox}"));
    Ok(allowance::slot(tx, &gap, 1, LETTER_GAP_MS).await?
        && allowance::slot(tx, &day, LETTERS_A_DAY_MAX, Millis::DAY).await?)
}

/// Writes down that consent was asked for; `false` where the mailbox must not be written to.
async fn ask(tx: &mut Tx, form: &SignUp, id: SubscriberId) -> anyhow::Result<bool> {
    if suppression::by_key(tx, &form.address.key()).await?.is_some() {
        return Ok(false);
    }
    let newsletter = form.newsletter.id;
    let kept = subscriber::keep(tx, id, &form.address, &form.name).await?;
    anyhow::ensure!(kept == id, "the address was signed up twice at the same moment; nothing was sent, try again");
    let status = subscription::by_ids(tx, newsletter, id).await?.map(|row| row.status);
    match status.map_or(Status::first(Event::SignedUp), |status| Some(status.after(Event::SignedUp))) {
        Some(Status::Pending) => {
            let consent = Consent {
                text: form.newsletter.consent_text.clone(),
                source: form.form_url.clone(),
                ip: form.ip.to_string(),
            };
            // A zone that there is not is a browser's fault, and nobody's to mend.
            if let Some(zone) = zone::find(&form.zone).ok().filter(|_| !form.zone.is_empty()) {
                subscriber::learn_zone(tx, id, zone::name_of(&zone)).await?;
            }
            subscription::begin(tx, newsletter, id, Status::Pending, &consent).await?;
            let about = About { newsletter: Some(newsletter), subscriber: Some(id), ..About::default() };
            let detail = json!({"consent": consent.text, "form": consent.source, "ip": consent.ip});
            event::insert(tx, "subscription.signed_up", about, &detail).await?;
            Ok(true)
        }
        Some(Status::Active) => Ok(true),
        _ => Ok(false),
    }
}

/// The network that limits count: a home's or a provider's, since single addresses are had by the million.
fn network_of(ip: IpAddr) -> String {
    match ip.to_canonical() {
        IpAddr::V4(ip) => {
            let [a, b, c, _] = ip.octets();
            format!("{a}.{b}.{c}.0/24")
        }
        IpAddr::V6(ip) => {
            let [a, b, c, d, ..] = ip.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
    }
}

/// What a confirmation's link leads to.
#[derive(Debug)]
pub enum Confirmed {
    /// Waiting for the button.
    Pending(Seat),
    /// Active by this press.
    Now(Seat),
    /// Active already.
    Already(Seat),
    /// The link is older than its seven days; nothing was changed.
    Expired(Seat),
    /// Left, disowned or suppressed since: an old link brings nobody back.
    Over(Seat),
}

/// What the page of a confirmation should show. Changes nothing.
///
/// # Errors
/// When the database cannot be read. A token that is none of ours is `Ok(Err(BadToken))`.
pub async fn confirming(app: &App, token: &str) -> anyhow::Result<Result<Confirmed, BadToken>> {
    let [newsletter, subscriber, expires] = match open(app, Purpose::Confirm, token) {
        Ok(payload) => payload,
        Err(bad) => return Ok(Err(bad)),
    };
    let mut tx = app.store.read().await?;
    let seat = look_up(&mut tx, [newsletter, subscriber, 0]).await?;
    Ok(Ok(standing(&mut tx, seat, Millis(expires)).await?))
}

async fn standing(tx: &mut Tx, seat: Seat, expires: Millis) -> anyhow::Result<Confirmed> {
    let status = seat.subscription.as_ref().map(|row| row.status);
    let suppressed = match &seat.subscriber {
        Some(subscriber) => suppression::by_key(tx, &subscriber.address_key).await?.is_some(),
        None => false,
    };
    Ok(match status {
        Some(Status::Active) => Confirmed::Already(seat),
        Some(Status::Pending) if suppressed => Confirmed::Over(seat),
        Some(Status::Pending) if tx.now >= expires => Confirmed::Expired(seat),
        Some(Status::Pending) => Confirmed::Pending(seat),
        _ if tx.now >= expires => Confirmed::Expired(seat),
        _ => Confirmed::Over(seat),
    })
}

/// Confirms a sign-up. Pressing twice is the same as pressing once.
///
/// # Errors
/// When the database cannot be written. A token that is none of ours is `Ok(Err(BadToken))`.
pub async fn confirm(app: &App, token: &str, ip: IpAddr) -> anyhow::Result<Result<Confirmed, BadToken>> {
    let [newsletter, subscriber, expires] = match open(app, Purpose::Confirm, token) {
        Ok(payload) => payload,
        Err(bad) => return Ok(Err(bad)),
    };
    let mut tx = app.store.write().await?;
    let seat = look_up(&mut tx, [newsletter, subscriber, 0]).await?;
    let Confirmed::Pending(seat) = standing(&mut tx, seat, Millis(expires)).await? else {
        drop(tx);
        return confirming(app, token).await;
    };
    subscription::confirm(&mut tx, seat.newsletter_id, seat.subscriber_id).await?;
    event::insert(&mut tx, "subscription.confirmed", about(&seat), &json!({"ip": ip.to_string()})).await?;
    tx.commit().await?;
    app.departed.remove(seat.newsletter_id, seat.subscriber_id);
    Ok(Ok(Confirmed::Now(seat)))
}

/// Ends a sign-up that somebody else made with this address, and keeps anybody from making another. Only while it
/// waits for its confirmation: an active reader who is signed up again by a stranger must not lose what they have.
/// `true` if that is so now.
///
/// # Errors
/// When the database cannot be written. A token that is none of ours is `Ok(Err(BadToken))`.
pub async fn this_was_not_me(app: &App, token: &str) -> anyhow::Result<Result<bool, BadToken>> {
    let [newsletter, subscriber, _] = match open(app, Purpose::Confirm, token) {
        Ok(payload) => payload,
        Err(bad) => return Ok(Err(bad)),
    };
    let mut tx = app.store.write().await?;
    let seat = look_up(&mut tx, [newsletter, subscriber, 0]).await?;
    let (Some(person), Some(row)) = (&seat.subscriber, &seat.subscription) else { return Ok(Ok(false)) };
    if row.status != Status::Pending {
        let suppressed = suppression::by_key(&mut tx, &person.address_key).await?.is_some();
        return Ok(Ok(suppressed));
    }
    let after = row.status.after(Event::Disowned);
    subscription::end(&mut tx, seat.newsletter_id, seat.subscriber_id, after, "not_me", None).await?;
    suppression::insert(&mut tx, &person.address_key, Reason::NotMe, "pressed in a confirmation").await?;
    event::insert(&mut tx, "subscription.disowned", about(&seat), &json!({})).await?;
    tx.commit().await?;
    Ok(Ok(true))
}

pub(super) fn about(seat: &Seat) -> About {
    About {
        newsletter: Some(seat.newsletter_id),
        subscriber: Some(seat.subscriber_id),
        issue: seat.issue_id,
        ..About::default()
    }
}

#[cfg(test)]
mod tests {
    use super::network_of;

    #[test]
    fn limits_count_networks() {
        for (ip, network) in [
            ("192.0.2.77", "192.0.2.0/24"),
            ("::ffff:192.0.2.77", "192.0.2.0/24"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ] {
            assert_eq!(network_of(ip.parse().expect("an address")), network);
        }
    }
}

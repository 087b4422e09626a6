//! Coming in: sign-up, confirmation, "this was not me". Double opt-in: nobody is mailed an issue who has not pressed
//! the button in a mail that only they can read.

use std::net::IpAddr;

use serde_json::json;

use super::guard::{self, Challenge, Gate};
use super::seat::{Seat, look_up, open};
use super::{letter, proof};
use crate::audience::status::{Event, Status};
use crate::store::consent::Line;
use crate::store::event::About;
use crate::store::form::Form;
use crate::store::letter::NewLetter;
use crate::store::newsletter::Newsletter;
use crate::store::subscription::Consent;
use crate::store::suppression::Reason;
use crate::store::wish::{self, Wish};
use crate::store::{Tx, event, letter as letters, subscriber, subscription, suppression, welcome};
use crate::values::address::Address;
use crate::values::clock::Millis;
use crate::values::ids::SubscriberId;
use crate::values::token::{BadToken, Purpose};
use crate::values::zone;
use crate::verbs::app::App;

/// A filled-in form.
#[derive(Clone, Debug)]
pub struct SignUp {
    pub newsletter: Newsletter,
    /// The form it came by.
    pub form: Form,
    pub address: Address,
    /// The address as it was typed, which work is done for.
    pub typed: String,
    pub name: String,
    pub wish: Wish,
    pub ip: IpAddr,
    /// The page that the form stood on: part of the proof of consent.
    pub page: String,
    /// What was typed into the field that people don't see.
    pub trap: String,
    /// The IANA zone of the device it was filled in on, or empty.
    pub zone: String,
    /// Token of the time the form was shown; forms pasted into other sites have none.
    pub shown: Option<String>,
    /// Token of the work that was asked for, and the work.
    pub challenge: Option<String>,
    pub work: String,
}

impl SignUp {
    /// The exact words that were agreed to.
    fn wording(&self) -> &str {
        let own = self.form.consent_text.as_str();
        if own.is_empty() { &self.newsletter.consent_text } else { own }
    }
}

/// What the visitor is told. It depends on how often somebody asked, never on what is known of the address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignedUp {
    LookInYourMail,
    /// The form asks for no confirmation.
    In,
    /// Nothing is done before this is.
    Work(Challenge),
    /// Too many from this network, to this domain, or for this newsletter, within the hour.
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
    let single = !form.form.single_reason.is_empty();
    let done = if single { SignedUp::In } else { SignedUp::LookInYourMail };
    if guard::is_robot(app, &form) {
        return Ok(done);
    }
    let id = {
        let mut tx = app.store.read().await?;
        let known = subscriber::by_address(&mut tx, &form.address).await?;
        known.map_or_else(|| SubscriberId::new(tx.now), |known| known.id)
    };
    // Before the transaction, and also when nothing will be sent: writing it takes the longest of all.
    let confirmation = letter::confirmation(app, &form.newsletter, id, &form.address, &form.wish.language)?;
    let mut tx = app.store.write().await?;
    let gate = guard::pass(app, &mut tx, &form).await?;
    if gate == Gate::Open && guard::may_write(app, &mut tx, form.newsletter.id, &form.address).await? {
        take(app, &mut tx, &form, id, &confirmation).await?;
    }
    tx.commit().await?;
    app.wake.notify_one();
    Ok(match gate {
        Gate::Open => done,
        Gate::Work(challenge) => SignedUp::Work(challenge),
        Gate::Closed => SignedUp::TooMany,
    })
}

/// Writes down that consent was given or asked for, and puts the letter into the out-tray; nothing where the mailbox
/// must not be written to.
async fn take(app: &App, tx: &mut Tx, form: &SignUp, id: SubscriberId, confirmation: &NewLetter) -> anyhow::Result<()> {
    if suppression::by_key(tx, &form.address.key()).await?.is_some() {
        return Ok(());
    }
    let newsletter = form.newsletter.id;
    let kept = subscriber::keep(tx, id, &form.address, &form.name).await?;
    anyhow::ensure!(kept == id, "the address was signed up twice at the same moment; nothing was sent, try again");
    let status = subscription::by_ids(tx, newsletter, id).await?.map(|row| row.status);
    // Whoever left comes back by a letter only, also where a form asks for none.
    if !form.form.single_reason.is_empty() && matches!(status, None | Some(Status::Pending)) {
        return admit(app, tx, form, id).await;
    }
    match status.map_or(Status::first(Event::SignedUp), |status| Some(status.after(Event::SignedUp))) {
        Some(Status::Pending) => {
            begin(tx, form, id, Status::Pending).await?;
            proof::add(app, tx, newsletter, id, line(form, "asked")).await?;
        }
        Some(Status::Active) => {}
        _ => return Ok(()),
    }
    let letter_id = letters::insert(tx, confirmation).await?;
    let letter_hash = proof::sha256(&confirmation.message);
    let written = Line {
        act: "written".into(),
        address: form.address.as_str().to_owned(),
        letter_id: Some(letter_id),
        letter_hash,
        ..Line::default()
    };
    proof::add(app, tx, newsletter, id, written).await
}

/// Makes somebody a reader at once, since the operator says why no confirmation is needed.
async fn admit(app: &App, tx: &mut Tx, form: &SignUp, id: SubscriberId) -> anyhow::Result<()> {
    let newsletter = form.newsletter.id;
    begin(tx, form, id, Status::Active).await?;
    let line = Line { reason: form.form.single_reason.clone(), ..line(form, "single") };
    proof::add(app, tx, newsletter, id, line).await?;
    welcome::begin(tx, newsletter, id).await?;
    let about = About { newsletter: Some(newsletter), subscriber: Some(id), ..About::default() };
    event::insert(tx, "subscription.confirmed", about, &json!({"single": form.form.single_reason})).await?;
    app.departed.remove(newsletter, id);
    Ok(())
}

/// Begins a subscription with what was typed. What a form says of somebody does not undo what they said themselves.
async fn begin(tx: &mut Tx, form: &SignUp, id: SubscriberId, status: Status) -> anyhow::Result<()> {
    let (newsletter, network) = (form.newsletter.id, guard::network_of(form.ip));
    let consent = Consent { text: form.wording().to_owned(), source: form.page.clone(), ip: network };
    // A zone that there is not is a browser's fault, and nobody's to mend.
    if let Some(zone) = zone::find(&form.zone).ok().filter(|_| !form.zone.is_empty()) {
        subscriber::learn_zone(tx, id, zone::name_of(&zone)).await?;
    }
    subscription::begin(tx, newsletter, id, status, &consent).await?;
    let said = &form.wish;
    for (field, value) in &said.answers {
        wish::set_answer(tx, newsletter, id, field, value).await?;
    }
    if form.form.asks_for("topics") {
        wish::set_topics(tx, newsletter, id, &said.topics).await?;
    }
    if !said.frequency.is_empty() {
        wish::set_frequency(tx, newsletter, id, &said.frequency).await?;
    }
    if !said.language.is_empty() && wish::of(tx, newsletter, id).await?.language.is_empty() {
        wish::set_language(tx, id, &said.language).await?;
    }
    let about = About { newsletter: Some(newsletter), subscriber: Some(id), ..About::default() };
    let detail = json!({"consent": consent.text, "form": form.form.slug, "source": consent.source, "from": consent.ip});
    event::insert(tx, "subscription.signed_up", about, &detail).await?;
    Ok(())
}

/// What is kept of a filled-in form as proof.
fn line(form: &SignUp, act: &str) -> Line {
    Line {
        act: act.into(),
        address: form.address.as_str().to_owned(),
        form: form.form.slug.clone(),
        version: form.form.version,
        wording: form.wording().to_owned(),
        language: form.newsletter.language.clone(),
        page: form.page.clone(),
        network: guard::network_of(form.ip),
        ..Line::default()
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
    let network = guard::network_of(ip);
    event::insert(&mut tx, "subscription.confirmed", about(&seat), &json!({"from": network})).await?;
    proof::add(app, &mut tx, seat.newsletter_id, seat.subscriber_id, pressed(&seat, "confirmed", network)).await?;
    welcome::begin(&mut tx, seat.newsletter_id, seat.subscriber_id).await?;
    tx.commit().await?;
    app.wake.notify_waiters();
    app.departed.remove(seat.newsletter_id, seat.subscriber_id);
    Ok(Ok(Confirmed::Now(seat)))
}

/// Ends a sign-up that somebody else made with this address, and keeps anybody from making another. Only while it
/// waits for its confirmation: an active reader who is signed up again by a stranger must not lose what they have.
/// `true` if that is so now.
///
/// # Errors
/// When the database cannot be written. A token that is none of ours is `Ok(Err(BadToken))`.
pub async fn this_was_not_me(app: &App, token: &str, ip: IpAddr) -> anyhow::Result<Result<bool, BadToken>> {
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
    let line = pressed(&seat, "disowned", guard::network_of(ip));
    proof::add(app, &mut tx, seat.newsletter_id, seat.subscriber_id, line).await?;
    tx.commit().await?;
    Ok(Ok(true))
}

/// What is kept of a button of the confirmation's page.
fn pressed(seat: &Seat, act: &str, network: String) -> Line {
    let address = seat.subscriber.as_ref().map(|person| person.address.clone()).unwrap_or_default();
    let wording = seat.subscription.as_ref().map(|row| row.consent_text.clone()).unwrap_or_default();
    Line { act: act.into(), address, wording, network, ..Line::default() }
}

pub(super) fn about(seat: &Seat) -> About {
    About {
        newsletter: Some(seat.newsletter_id),
        subscriber: Some(seat.subscriber_id),
        issue: seat.issue_id,
        ..About::default()
    }
}

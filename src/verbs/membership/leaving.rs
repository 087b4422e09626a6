//! Leaving: at once, this newsletter only, by a link that works for ever (RFC 8058; Art. 7(3) GDPR: as easy as joining).

use serde_json::json;

use super::joining::about;
use super::seat::{Seat, arrived, look_up, open};
use crate::audience::status::{Event, Status};
use crate::store::event::About;
use crate::store::{allowance, event, subscription, suppression};
use crate::values::clock::Millis;
use crate::values::token::{BadToken, Purpose};
use crate::verbs::app::App;

/// How long the page that says "you have left" can take it back. Later, a forwarded mail could bring somebody back
/// who has long forgotten it; then the sign-up form is the way.
const UNDO_MS: i64 = Millis::DAY;
/// Letters of a reason in own words (the form says the same).
const WORDS_LETTERS_MAX: usize = 1_000;
/// Answers to "why" that one link can give in a day.
const REASONS_A_DAY_MAX: u8 = 3;

/// By which way somebody left; the word is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// The button of a mail program (RFC 8058).
    OneClick,
    /// The button of our page.
    Page,
    /// The button "leave everything" of our page.
    All,
    /// A mail to the address in `List-Unsubscribe`.
    Mail,
}

impl How {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OneClick => "one_click",
            Self::Page => "page",
            Self::All => "page_all",
            Self::Mail => "mail",
        }
    }
}

/// Takes a reader off one newsletter, from this moment, also for a mail that waits in the queue: claim and mark ask
/// for consent again. Twice is the same as once. Where the reader or the newsletter is gone, so is the wish's object,
/// and the answer is the same.
///
/// # Errors
/// When the database cannot be written. A token that is none of ours is `Ok(Err(BadToken))`.
pub async fn unsubscribe(app: &App, token: &str, how: How) -> anyhow::Result<Result<Seat, BadToken>> {
    let payload = match open(app, Purpose::Reader, token) {
        Ok(payload) => payload,
        Err(bad) => return Ok(Err(bad)),
    };
    let mut tx = app.store.write().await?;
    let mut seat = look_up(&mut tx, payload).await?;
    arrived(&mut tx, &seat).await?;
    let Some(row) = &seat.subscription else { return Ok(Ok(seat)) };
    let after = row.status.after(Event::Left);
    if after == row.status {
        tx.commit().await?;
        return Ok(Ok(seat));
    }
    let (newsletter, subscriber) = (seat.newsletter_id, seat.subscriber_id);
    subscription::end(&mut tx, newsletter, subscriber, after, how.as_str(), seat.issue_id).await?;
    event::insert(&mut tx, "subscription.left", about(&seat), &json!({"how": how.as_str()})).await?;
    seat.subscription = subscription::by_ids(&mut tx, newsletter, subscriber).await?;
    tx.commit().await?;
    app.departed.add(newsletter, subscriber);
    Ok(Ok(seat))
}

/// Takes a reader off every newsletter of the house at once.
///
/// # Errors
/// When the database cannot be written. A token that is none of ours is `Ok(Err(BadToken))`.
pub async fn unsubscribe_from_all(app: &App, token: &str) -> anyhow::Result<Result<Seat, BadToken>> {
    let payload = match open(app, Purpose::Reader, token) {
        Ok(payload) => payload,
        Err(bad) => return Ok(Err(bad)),
    };
    let mut tx = app.store.write().await?;
    let seat = look_up(&mut tx, payload).await?;
    arrived(&mut tx, &seat).await?;
    let mut left = Vec::new();
    for row in subscription::of(&mut tx, seat.subscriber_id).await? {
        let after = row.status.after(Event::Left);
        if after != row.status {
            // The issue is that of the link; of another newsletter it says nothing.
            let issue = seat.issue_id.filter(|_| row.newsletter_id == seat.newsletter_id);
            let how = How::All.as_str();
            subscription::end(&mut tx, row.newsletter_id, row.subscriber_id, after, how, issue).await?;
            let about = About { newsletter: Some(row.newsletter_id), issue, ..about(&seat) };
            event::insert(&mut tx, "subscription.left", about, &json!({"how": how})).await?;
            left.push(row.newsletter_id);
        }
    }
    let seat = look_up(&mut tx, payload).await?;
    tx.commit().await?;
    left.into_iter().for_each(|newsletter| app.departed.add(newsletter, seat.subscriber_id));
    Ok(Ok(seat))
}

/// Takes a leaving back within a day; `false` if that is not possible (any more), and then nothing was changed. Who left
/// everything at once is back in everything.
///
/// # Errors
/// When the database cannot be written. A token that is none of ours is `Ok(Err(BadToken))`.
pub async fn undo_unsubscribe(app: &App, token: &str) -> anyhow::Result<Result<(Seat, bool), BadToken>> {
    let payload = match open(app, Purpose::Reader, token) {
        Ok(payload) => payload,
        Err(bad) => return Ok(Err(bad)),
    };
    let mut tx = app.store.write().await?;
    let seat = look_up(&mut tx, payload).await?;
    let (Some(person), Some(row)) = (&seat.subscriber, &seat.subscription) else { return Ok(Ok((seat, false))) };
    if row.status == Status::Active {
        return Ok(Ok((seat, true)));
    }
    let since = tx.now.plus(-UNDO_MS).0;
    let suppressed = suppression::by_key(&mut tx, &person.address_key).await?.is_some();
    arrived(&mut tx, &seat).await?;
    let mut back = Vec::new();
    if !suppressed {
        for other in subscription::of(&mut tx, seat.subscriber_id).await? {
            let together = row.left_how.as_deref() == Some(How::All.as_str())
                && (&other.left_how, other.left_at) == (&row.left_how, row.left_at);
            if (together || other.newsletter_id == row.newsletter_id)
                && other.status.after(Event::Undone) == Status::Active
                && subscription::undo(&mut tx, other.newsletter_id, other.subscriber_id, since).await?
            {
                let about = About { newsletter: Some(other.newsletter_id), issue: other.left_issue_id, ..about(&seat) };
                event::insert(&mut tx, "subscription.undone", about, &json!({"how": other.left_how})).await?;
                back.push(other.newsletter_id);
            }
        }
    }
    tx.commit().await?;
    back.iter().for_each(|newsletter| app.departed.remove(*newsletter, seat.subscriber_id));
    let undone = back.contains(&seat.newsletter_id);
    Ok(Ok((seat, undone)))
}

/// Why somebody left, if they like to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LeaveReason {
    Often,
    Topic,
    Time,
    Never,
    Other,
}

impl LeaveReason {
    pub const ALL: [Self; 5] = [Self::Often, Self::Topic, Self::Time, Self::Never, Self::Other];

    /// What the desk calls it.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Often => "Too many mails",
            Self::Topic => "Not what they expected",
            Self::Time => "No time to read it",
            Self::Never => "Never subscribed, they say",
            Self::Other => "Another reason",
        }
    }
}

/// Keeps the answer without the person: only the newsletter and the issue whose link it was are written with it.
///
/// # Errors
/// When the database cannot be written. A token that is none of ours is `Ok(Err(BadToken))`.
pub async fn set_leave_reason(
    app: &App,
    token: &str,
    reason: LeaveReason,
    words: &str,
) -> anyhow::Result<Result<Seat, BadToken>> {
    let payload = match open(app, Purpose::Reader, token) {
        Ok(payload) => payload,
        Err(bad) => return Ok(Err(bad)),
    };
    let mut tx = app.store.write().await?;
    let seat = look_up(&mut tx, payload).await?;
    arrived(&mut tx, &seat).await?;
    let bucket = app.keys.fingerprint(&format!("reasons of {} {}", seat.newsletter_id, seat.subscriber_id));
    if seat.newsletter.is_some() && allowance::slot(&mut tx, &bucket, REASONS_A_DAY_MAX, Millis::DAY).await? {
        let words: String = words.trim().chars().take(WORDS_LETTERS_MAX).collect();
        let nobody = About { newsletter: Some(seat.newsletter_id), issue: seat.issue_id, ..About::default() };
        event::insert(&mut tx, "subscription.reason", nobody, &json!({"reason": reason, "words": words})).await?;
    }
    tx.commit().await?;
    Ok(Ok(seat))
}

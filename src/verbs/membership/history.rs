//! Everything that happened to one person, in one line of time: what they did, what we wrote, what their server said.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::delivery::state::DeliveryState;
use crate::store::delivery::DeliveryRow;
use crate::store::event::EventRow;
use crate::store::letter::LetterLine;
use crate::store::subscriber::Subscriber;
use crate::store::subscription::Subscription;
use crate::store::suppression::Suppression;
use crate::store::{Tx, delivery, event, issue, letter, newsletter, subscriber, subscription, suppression};
use crate::values::ids::{IssueId, NewsletterId, SubscriberId};
use crate::verbs::app::App;

/// People that one search shows.
const FOUND_MAX: i64 = 50;
/// Newest lines of each kind that a history shows; a weekly reader of ten years fits.
const LINES_MAX: i64 = 600;

/// A person, and what they are subscribed to.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Found {
    pub subscriber: Subscriber,
    pub subscriptions: Vec<Subscription>,
    pub suppressed: bool,
}

/// People whose address or name contains `words`.
///
/// # Errors
/// When the database cannot be read.
pub async fn find(app: &App, words: &str) -> anyhow::Result<Vec<Found>> {
    let mut tx = app.store.read().await?;
    let mut found = Vec::new();
    for person in subscriber::find(&mut tx, words, FOUND_MAX).await? {
        let subscriptions = subscription::of(&mut tx, person.id).await?;
        let suppressed = suppression::by_key(&mut tx, &person.address_key).await?.is_some();
        found.push(Found { subscriber: person, subscriptions, suppressed });
    }
    Ok(found)
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Entry {
    /// Unix milliseconds.
    pub at: i64,
    /// `thing.happened`: "subscription.confirmed", "delivery.sent", "attempt.retry", "letter.sent".
    pub kind: String,
    /// Names, not ids: what a person reads.
    pub newsletter: Option<String>,
    pub issue: Option<String>,
    /// What the receiving server said: "250 2.0.0 Ok".
    pub reply: Option<String>,
    pub detail: Value,
}

/// A person's whole story, newest first.
#[derive(Clone, Debug, serde::Serialize)]
pub struct History {
    pub subscriber: Subscriber,
    pub subscriptions: Vec<(String, Subscription)>,
    pub suppression: Option<Suppression>,
    pub entries: Vec<Entry>,
}

/// Everything that is kept about one person.
///
/// # Errors
/// When the database cannot be read.
pub async fn history(app: &App, id: SubscriberId) -> anyhow::Result<Option<History>> {
    let mut tx = app.store.read().await?;
    let Some(person) = subscriber::by_id(&mut tx, id).await? else { return Ok(None) };
    let names: BTreeMap<NewsletterId, String> =
        newsletter::all(&mut tx).await?.into_iter().map(|row| (row.id, row.name)).collect();
    let name = |id: NewsletterId| names.get(&id).cloned();
    let subscriptions = subscription::of(&mut tx, id).await?.into_iter();
    let subscriptions = subscriptions.map(|row| (name(row.newsletter_id).unwrap_or_default(), row)).collect();
    let suppression = suppression::by_key(&mut tx, &person.address_key).await?;
    let mut subjects = Subjects::default();
    let mut entries = Vec::new();
    for row in event::by_subscriber(&mut tx, id, LINES_MAX).await? {
        let issue = subjects.of(&mut tx, row.issue_id).await?;
        entries.push(of_event(row.newsletter_id.and_then(name), issue, row));
    }
    for row in letter::by_subscriber(&mut tx, id, LINES_MAX).await? {
        entries.push(of_letter(name(row.newsletter_id), row));
    }
    for row in delivery::by_subscriber(&mut tx, id, LINES_MAX).await? {
        let issue = subjects.of(&mut tx, Some(row.issue_id)).await?;
        if row.attempts > 1 || row.state != DeliveryState::Sent {
            entries.extend(of_attempts(&mut tx, &row, issue.as_deref()).await?);
        }
        entries.push(of_delivery(issue, row));
    }
    entries.sort_by_key(|entry| std::cmp::Reverse(entry.at));
    Ok(Some(History { subscriber: person, subscriptions, suppression, entries }))
}

/// Subjects of issues, each looked up once.
#[derive(Default)]
struct Subjects(BTreeMap<IssueId, Option<String>>);

impl Subjects {
    async fn of(&mut self, tx: &mut Tx, id: Option<IssueId>) -> anyhow::Result<Option<String>> {
        let Some(id) = id else { return Ok(None) };
        if let Some(subject) = self.0.get(&id) {
            return Ok(subject.clone());
        }
        let subject = issue::by_id(tx, id).await?.map(|row| row.subject);
        self.0.insert(id, subject.clone());
        Ok(subject)
    }
}

fn of_event(newsletter: Option<String>, issue: Option<String>, row: EventRow) -> Entry {
    let detail = serde_json::from_str(&row.detail).unwrap_or(Value::Null);
    Entry { at: row.at, kind: row.kind, newsletter, issue, reply: None, detail }
}

fn of_letter(newsletter: Option<String>, row: LetterLine) -> Entry {
    Entry {
        at: row.settled_at.unwrap_or(row.created_at),
        kind: format!("letter.{}", row.state),
        newsletter,
        issue: None,
        reply: reply(row.reply_code, row.reply_text.as_deref()),
        detail: json!({"kind": row.kind, "written_at": row.created_at, "attempts": row.attempts, "reason": row.reason}),
    }
}

fn of_delivery(issue: Option<String>, row: DeliveryRow) -> Entry {
    Entry {
        at: row.settled_at.or(row.first_at).unwrap_or(row.next_at),
        kind: format!("delivery.{}", row.state.as_str()),
        newsletter: None,
        issue,
        reply: reply(row.reply_code, row.reply_text.as_deref()),
        detail: json!({"attempts": row.attempts, "stage": row.stage, "reason": row.reason, "address": row.address}),
    }
}

async fn of_attempts(tx: &mut Tx, row: &DeliveryRow, issue: Option<&str>) -> anyhow::Result<Vec<Entry>> {
    let tries = delivery::attempts(tx, row.issue_id, row.subscriber_id).await?;
    let entry = |attempt: delivery::AttemptRow| Entry {
        at: attempt.at,
        kind: format!("attempt.{}", attempt.outcome),
        newsletter: None,
        issue: issue.map(str::to_owned),
        reply: reply(attempt.reply_code, Some(&attempt.reply_text)),
        detail: json!({"stage": attempt.stage}),
    };
    Ok(tries.into_iter().map(entry).collect())
}

fn reply(code: Option<i64>, text: Option<&str>) -> Option<String> {
    match (code, text.unwrap_or_default()) {
        (None, "") => None,
        (None, text) => Some(text.to_owned()),
        (Some(code), text) if text.starts_with(&code.to_string()) => Some(text.to_owned()),
        (Some(code), text) => Some(format!("{code} {text}").trim_end().to_owned()),
    }
}

//! One reader: everything that happened, in one line of time, with proof of consent beside it.

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::Response;

use super::frame::{Frame, Here};
use super::room::Room;
use super::said::Said;
use super::state::{State as Ink, why};
use super::words::{When, count};
use crate::store::subscription::Subscription;
use crate::values::clock::Millis;
use crate::values::ids::SubscriberId;
use crate::verbs::app::{App, to_the_end};
use crate::verbs::membership::{self, Entry, History};
use crate::web::error::{WebError, page};
use crate::web::see_other;

#[derive(Template)]
#[template(path = "desk/reader.html")]
struct ReaderPage {
    frame: Frame,
    id: String,
    address: String,
    name: String,
    lives_in: String,
    state: Option<Ink>,
    suppressed: String,
    standfirst: String,
    consent: Option<Consent>,
    subscriptions: Vec<(String, Ink)>,
    line: Vec<Line>,
    can_leave: bool,
}

struct Consent {
    asked: String,
    wording: String,
    source: String,
    ip: String,
    confirmed: String,
}

/// A month's name, or something that happened in it.
enum Line {
    Month(String),
    Event { kind: &'static str, icon: &'static str, words: String, note: String, reply: String, at: String },
}

pub(super) async fn show(
    State(app): State<App>,
    room: Room,
    Path((_, id)): Path<(String, String)>,
    Query(said): Query<Said>,
) -> Result<Response, WebError> {
    let id: SubscriberId = id.parse().map_err(|_| WebError::NotFound)?;
    let Some(history) = membership::history(&app, id).await? else { return Err(WebError::NotFound) };
    let frame = room.frame(&app, Here::Readers, history.subscriber.address.clone()).await?.telling(&said);
    page(&view(frame, &room, &history, app.clock.now()))
}

fn view(frame: Frame, room: &Room, history: &History, now: Millis) -> ReaderPage {
    let zone = room.paper.zone.as_str();
    let here = history.subscriptions.iter().find(|(_, row)| row.newsletter_id == room.paper.id).map(|(_, row)| row);
    let ink = |row: &Subscription| Ink::of_reader(row.status, row.paused_until, zone, now);
    let got = history.entries.iter().filter(|entry| entry.kind == "delivery.sent").count() as i64;
    let since = here.map(|row| When::new(Millis(row.confirmed_at.unwrap_or(row.consent_at)), zone).date);
    let since = since.map_or("Not on this newsletter.".to_owned(), |since| format!("With us since {since}."));
    ReaderPage {
        frame,
        id: history.subscriber.id.to_string(),
        address: history.subscriber.address.clone(),
        name: history.subscriber.name.clone(),
        lives_in: lives_in(&history.subscriber.zone, now),
        state: here.map(ink),
        suppressed: history.suppression.as_ref().map(|row| row.reason.replace('_', " ")).unwrap_or_default(),
        standfirst: format!("{since} Got {}.", count(got, "issue", "issues")),
        consent: here.map(|row| consent(row, zone)),
        subscriptions: history.subscriptions.iter().map(|(name, row)| (name.clone(), ink(row))).collect(),
        line: lines(&history.entries, zone),
        can_leave: here.is_some_and(|row| row.left_at.is_none()),
    }
}

/// "Pacific/Auckland, where it is Thu 26 Nov, 09:00"; empty where it is not known.
fn lives_in(zone: &str, now: Millis) -> String {
    if zone.is_empty() { String::new() } else { format!("{zone}, where it is {}", When::new(now, zone).short) }
}

fn consent(row: &Subscription, zone: &str) -> Consent {
    let at = |millis: i64| {
        let when = When::new(Millis(millis), zone);
        format!("{} {} ({})", when.full, when.place, when.offset)
    };
    Consent {
        asked: at(row.consent_at),
        wording: row.consent_text.clone(),
        source: row.consent_source.clone(),
        ip: row.consent_ip.clone(),
        confirmed: row.confirmed_at.map(at).unwrap_or_default(),
    }
}

fn lines(entries: &[Entry], zone: &str) -> Vec<Line> {
    let mut lines = Vec::with_capacity(entries.len());
    let mut month = String::new();
    for entry in entries {
        let when = When::new(Millis(entry.at), zone);
        let its = when.date.split_once(' ').map_or_else(String::new, |(_, month)| month.to_owned());
        if its != month {
            lines.push(Line::Month(its.clone()));
            month = its;
        }
        lines.push(event(entry, when.short));
    }
    lines
}

fn event(entry: &Entry, at: String) -> Line {
    let text = |name: &str| entry.detail.get(name).and_then(serde_json::Value::as_str).unwrap_or_default().to_owned();
    let issue = entry.issue.clone().map_or("an issue".to_owned(), |subject| format!("“{subject}”"));
    let (kind, icon, words, note) = match entry.kind.as_str() {
        "subscription.signed_up" => ("plain", "user", "Signed up".to_owned(), text("source")),
        "subscription.confirmed" => ("good", "check", "Confirmed by button".to_owned(), text("from")),
        "subscription.disowned" => ("bad", "stop", "Said: this was not me".to_owned(), String::new()),
        "subscription.imported" => ("plain", "upload", "Imported".to_owned(), text("source")),
        "subscription.added" => ("plain", "plus", format!("Added by {}", text("by")), text("consent")),
        "subscription.left" => ("plain", "leave", "Left".to_owned(), left_how(&text("how"))),
        "subscription.undone" => ("good", "undo", "Took the leaving back".to_owned(), String::new()),
        "subscription.paused" => ("plain", "pause", "Paused".to_owned(), String::new()),
        "subscription.resumed" => ("good", "play", "Resumed".to_owned(), String::new()),
        "subscriber.suppressed" => ("bad", "stop", "Suppressed: never to be mailed".to_owned(), text("by")),
        "subscriber.unsuppressed" => ("plain", "undo", "Suppression lifted".to_owned(), text("by")),
        "subscriber.zone" => ("plain", "clock", "Said where they live".to_owned(), text("zone")),
        "subscriber.named" => ("plain", "pencil", "Changed the name".to_owned(), String::new()),
        "letter.sent" => ("plain", "mail", letter(&text("kind")).to_owned(), String::new()),
        "letter.failed" => ("bad", "mail", format!("{}: failed", letter(&text("kind"))), why(&text("reason"))),
        "letter.pending" => ("plain", "clock", format!("{}: waits", letter(&text("kind"))), String::new()),
        "delivery.sent" => ("good", "check", format!("{issue} arrived"), tries(entry)),
        "delivery.failed" => ("bad", "stop", format!("{issue} failed"), why(&text("reason"))),
        "delivery.skipped" => ("plain", "skip", format!("{issue} was not sent"), why(&text("reason"))),
        "delivery.in_doubt" => ("warn", "doubt", format!("{issue} is in doubt"), why(&text("reason"))),
        "delivery.pending" => ("plain", "clock", format!("{issue} waits to be sent"), String::new()),
        "delivery.resent" => ("plain", "send", format!("{issue} was in doubt: sent again"), text("by")),
        "delivery.marked_sent" => ("good", "check", format!("{issue} was in doubt: marked as sent"), text("by")),
        "delivery.proven" if text("how") == "bounce" => {
            ("bad", "stop", format!("{issue} was in doubt: it came back"), String::new())
        }
        "delivery.proven" => ("good", "check", format!("{issue} was in doubt: its link was used"), String::new()),
        kind if kind.starts_with("delivery.") => ("plain", "send", format!("{issue} is on the wire"), String::new()),
        kind if kind.starts_with("attempt.") => {
            ("warn", "clock", format!("A try at {issue}: {}", why(&kind[8..]).to_lowercase()), text("stage"))
        }
        other => ("plain", "dots", other.replace(['.', '_'], " "), String::new()),
    };
    Line::Event { kind, icon, words, note, reply: entry.reply.clone().unwrap_or_default(), at }
}

fn letter(kind: &str) -> &'static str {
    match kind {
        "confirm" => "Asked to confirm",
        "notice" => "A notice",
        "welcome" => "A welcome",
        _ => "A test mail",
    }
}

pub(super) fn left_how(how: &str) -> String {
    match how {
        "one_click" | "one-click" => "by the mail program’s own button".into(),
        "page" | "link" => "by the link in a mail".into(),
        "page_all" => "by the link in a mail, every newsletter at once".into(),
        "mail" => "by a mail to the leaving address".into(),
        "erased" => "had everything erased".into(),
        "editor" => "by an editor".into(),
        other => other.replace('_', " "),
    }
}

fn tries(entry: &Entry) -> String {
    match entry.detail.get("attempts").and_then(serde_json::Value::as_i64) {
        Some(tries) if tries > 1 => format!("at try {tries}"),
        _ => String::new(),
    }
}

pub(super) async fn unsubscribe(
    State(app): State<App>,
    room: Room,
    Path((_, id)): Path<(String, String)>,
) -> Result<Response, WebError> {
    let id: SubscriberId = id.parse().map_err(|_| WebError::NotFound)?;
    let (newsletter, by) = (room.paper.id, Some(room.who.account.id));
    let done = to_the_end(async move { membership::unsubscribe_by_editor(&app, newsletter, id, by).await }).await?;
    let said = if done { "unsubscribed" } else { "none" };
    Ok(see_other(&room.at(&format!("/readers/{id}?said={said}"))))
}

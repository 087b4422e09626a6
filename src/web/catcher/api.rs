//! The read API of Mailpit, version 1, so that test clients made for it work here: the same addresses, parameters and
//! names. Field names begin with capitals, errors are plain text. Not here: sending, releasing, tags, link checks.

use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Map, Value, json};

use crate::store::caught::Line;
use crate::values::clock::Millis;
use crate::values::ids::CaughtId;
use crate::verbs::app::{App, to_the_end};
use crate::verbs::catcher::letter::{Attachment, Letter, Mailbox, grouped};
use crate::verbs::catcher::{self, KEPT_MAX, Opened, Page, Which};

/// Mails in one answer if nothing is asked for, as Mailpit has it.
const LIMIT_DEFAULT: i64 = 50;

pub(super) fn router() -> Router<App> {
    Router::new()
        .route("/info", get(info))
        .route("/messages", get(messages).put(set_read).delete(delete))
        .route("/search", get(search).delete(delete_found))
        .route("/message/{id}", get(message))
        .route("/message/{id}/headers", get(headers))
        .route("/message/{id}/raw", get(raw))
}

/// Why there is no answer, as text: Mailpit's clients show it.
enum Refused {
    NotFound,
    Asked(String),
    Ours(anyhow::Error),
}

impl<E: Into<anyhow::Error>> From<E> for Refused {
    fn from(error: E) -> Self {
        Self::Ours(error.into())
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        match self {
            Self::NotFound => (StatusCode::NOT_FOUND, "Error: message not found".to_owned()),
            Self::Asked(why) => (StatusCode::BAD_REQUEST, format!("Error: {why}")),
            Self::Ours(error) => {
                tracing::error!(error = format!("{error:#}"), "the catcher's API broke");
                (StatusCode::INTERNAL_SERVER_ERROR, "Error: the catcher could not read its mails".to_owned())
            }
        }
        .into_response()
    }
}

type Answer = Result<Response, Refused>;

#[derive(Default, serde::Deserialize)]
#[serde(default)]
struct Asked {
    query: String,
    limit: Option<i64>,
    start: Option<i64>,
}

impl Asked {
    fn limit(&self) -> i64 {
        self.limit.filter(|limit| *limit > 0).unwrap_or(LIMIT_DEFAULT).min(KEPT_MAX)
    }

    fn start(&self) -> i64 {
        self.start.unwrap_or(0).max(0)
    }
}

async fn messages(State(app): State<App>, Query(asked): Query<Asked>) -> Answer {
    let page = catcher::list(&app, "", asked.limit(), asked.start()).await?;
    Ok(Json(summary(page, asked.start())).into_response())
}

async fn search(State(app): State<App>, Query(asked): Query<Asked>) -> Answer {
    if asked.query.trim().is_empty() {
        return Err(Refused::Asked("no search query".to_owned()));
    }
    let page = catcher::list(&app, &asked.query, asked.limit(), asked.start()).await?;
    Ok(Json(summary(page, asked.start())).into_response())
}

/// `count` is the number in this answer, `messages_count` what matched, `total` all that are kept.
fn summary(page: Page, start: i64) -> Value {
    let messages: Vec<Value> = page.lines.iter().map(line).collect();
    json!({
        "total": page.all.total,
        "unread": page.all.unread,
        "count": messages.len(),
        "messages_count": page.found.total,
        "messages_unread": page.found.unread,
        "start": start,
        "tags": [],
        "messages": messages,
    })
}

fn line(line: &Line) -> Value {
    let to: Vec<Mailbox> = line.to_header.lines().map(Mailbox::parse).collect();
    json!({
        "ID": line.id,
        "MessageID": line.message_id,
        "Read": line.is_read,
        "From": Mailbox::parse(&line.from_header),
        "To": to,
        "Cc": [],
        "Bcc": [],
        "ReplyTo": [],
        "Subject": line.subject,
        "Created": Millis(line.at).timestamp().to_string(),
        "Tags": [],
        "Size": line.size,
        "Attachments": 0,
        "Snippet": line.snippet,
    })
}

/// The mail of an address: an id, or `latest`.
async fn opened(app: &App, name: &str) -> Result<Opened, Refused> {
    let id: Option<CaughtId> = match name {
        "latest" => None,
        id => Some(id.parse().map_err(|_| Refused::NotFound)?),
    };
    catcher::open(app, id).await?.ok_or(Refused::NotFound)
}

/// Mailpit marks a mail as read when its clients get it, and they look for that.
async fn message(State(app): State<App>, Path(name): Path<String>) -> Answer {
    let Opened { whole, letter, .. } = opened(&app, &name).await?;
    let id = whole.id;
    to_the_end(async move { catcher::set_read(&app, Which::These(vec![id]), true).await }).await?;
    let raw_bytes = whole.raw.len();
    let created = Millis(whole.at).timestamp().to_string();
    Ok(Json(json!({
        "ID": id,
        "MessageID": letter.message_id,
        "From": letter.from,
        "To": letter.to,
        "Cc": letter.cc,
        "Bcc": [],
        "ReplyTo": letter.reply_to,
        "ReturnPath": whole.mail_from,
        "Subject": letter.subject,
        "ListUnsubscribe": list_unsubscribe(&letter),
        "Date": if letter.date.is_empty() { created } else { letter.date.clone() },
        "Tags": [],
        "Text": letter.text,
        "HTML": letter.html,
        "Size": raw_bytes,
        "Inline": [],
        "Attachments": letter.attachments.iter().enumerate().map(attachment).collect::<Vec<_>>(),
    }))
    .into_response())
}

fn list_unsubscribe(letter: &Letter) -> Value {
    let named = |name| catcher::letter::value(&letter.headers, name).unwrap_or_default();
    json!({
        "Header": named("List-Unsubscribe"),
        "Links": letter.unsubscribe,
        "Errors": "",
        "HeaderPost": named("List-Unsubscribe-Post"),
    })
}

fn attachment((place, attachment): (usize, &Attachment)) -> Value {
    json!({
        "PartID": (place + 1).to_string(),
        "FileName": attachment.name,
        "ContentType": attachment.content_type,
        "ContentID": "",
        "Size": attachment.size,
    })
}

async fn headers(State(app): State<App>, Path(name): Path<String>) -> Answer {
    let groups: Map<String, Value> = grouped(&opened(&app, &name).await?.letter.headers);
    Ok(Json(groups).into_response())
}

async fn raw(State(app): State<App>, Path(name): Path<String>) -> Answer {
    let opened = opened(&app, &name).await?;
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], opened.whole.raw).into_response())
}

#[derive(Default, serde::Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Named {
    #[serde(rename = "IDs")]
    ids: Vec<String>,
    read: bool,
    search: String,
}

impl Named {
    /// An empty body means all of them.
    fn parse(body: &Bytes) -> Result<Self, Refused> {
        if body.iter().all(u8::is_ascii_whitespace) {
            return Ok(Self::default());
        }
        serde_json::from_slice(body).map_err(|error| Refused::Asked(error.to_string()))
    }

    fn which(self) -> Which {
        match (self.ids.is_empty(), self.search.is_empty()) {
            // An id that is none names no mail.
            (false, _) => Which::These(self.ids.iter().filter_map(|id| id.parse().ok()).collect()),
            (true, false) => Which::Found(self.search),
            (true, true) => Which::All,
        }
    }
}

fn done() -> Response {
    ([(header::CONTENT_TYPE, "text/plain")], "ok").into_response()
}

async fn set_read(State(app): State<App>, body: Bytes) -> Answer {
    let named = Named::parse(&body)?;
    let read = named.read;
    to_the_end(async move { catcher::set_read(&app, named.which(), read).await }).await?;
    Ok(done())
}

async fn delete(State(app): State<App>, body: Bytes) -> Answer {
    let which = Named::parse(&body)?.which();
    to_the_end(async move { catcher::delete(&app, which).await }).await?;
    Ok(done())
}

async fn delete_found(State(app): State<App>, Query(asked): Query<Asked>) -> Answer {
    if asked.query.trim().is_empty() {
        return Err(Refused::Asked("no search query".to_owned()));
    }
    to_the_end(async move { catcher::delete(&app, Which::Found(asked.query)).await }).await?;
    Ok(done())
}

async fn info(State(app): State<App>) -> Answer {
    let all = catcher::list(&app, "", 1, 0).await?.all;
    Ok(Json(json!({
        "Version": format!("broadsheet-{}", env!("CARGO_PKG_VERSION")),
        "LatestVersion": format!("broadsheet-{}", env!("CARGO_PKG_VERSION")),
        "Database": "",
        "DatabaseSize": 0,
        "Messages": all.total,
        "Unread": all.unread,
        "Tags": {},
    }))
    .into_response())
}

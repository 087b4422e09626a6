//! The list of caught mails: newest first, searchable, live.

use askama::Template;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};

use super::{clock_time, kilobytes};
use crate::store::caught::Line;
use crate::values::clock::Millis;
use crate::verbs::app::{App, to_the_end};
use crate::verbs::catcher::letter::Mailbox;
use crate::verbs::catcher::{self, KEPT_MAX, Which};
use crate::web::error::{WebError, page};
use crate::web::see_other;

/// Mails on one page: what one looks through without a search.
const PAGE_LINES: i64 = 50;

#[derive(serde::Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    q: String,
    page: i64,
    /// Only the list, for a page that is there already.
    part: String,
    /// What that page shows; while it is the same there is nothing to send.
    seen: String,
}

impl Default for Asked {
    fn default() -> Self {
        Self { q: String::new(), page: 1, part: String::new(), seen: String::new() }
    }
}

struct Row {
    id: String,
    subject: String,
    to: String,
    snippet: String,
    time: String,
    size: String,
    is_read: bool,
}

#[derive(Template)]
#[template(path = "catcher/list.html")]
struct ListPage {
    list: ListPart,
}

#[derive(Template)]
#[template(path = "catcher/lines.html")]
struct ListPart {
    q: String,
    q_encoded: String,
    page: i64,
    seen: String,
    rows: Vec<Row>,
    total: i64,
    unread: i64,
    found: i64,
    first: i64,
    last: i64,
    kept_max: i64,
    smtp: String,
}

pub(super) async fn show(State(app): State<App>, Query(asked): Query<Asked>) -> Result<Response, WebError> {
    let number = asked.page.clamp(1, KEPT_MAX / PAGE_LINES);
    let start = (number - 1) * PAGE_LINES;
    let shown = catcher::list(&app, &asked.q, PAGE_LINES, start).await?;
    let newest = shown.lines.first().map(|line| line.id.to_string()).unwrap_or_default();
    let seen = format!("{newest}.{}.{}", shown.all.total, shown.all.unread);
    if !asked.part.is_empty() && asked.seen == seen {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let rows: Vec<Row> = shown.lines.into_iter().map(row).collect();
    let list = ListPart {
        q_encoded: percent_encoding::utf8_percent_encode(&asked.q, percent_encoding::NON_ALPHANUMERIC).to_string(),
        q: asked.q,
        page: number,
        seen,
        total: shown.all.total,
        unread: shown.all.unread,
        found: shown.found.total,
        first: start + 1,
        last: start + i64::try_from(rows.len()).unwrap_or(0),
        rows,
        kept_max: KEPT_MAX,
        smtp: app.outlet.catcher().map(|address| address.to_string()).unwrap_or_default(),
    };
    if asked.part.is_empty() { page(&ListPage { list }) } else { page(&list) }
}

fn row(line: Line) -> Row {
    let to = line.to_header.lines().map(|to| Mailbox::parse(to).address).collect::<Vec<_>>().join(", ");
    Row {
        id: line.id.to_string(),
        subject: if line.subject.is_empty() { "(no subject)".to_owned() } else { line.subject },
        to,
        snippet: line.snippet,
        time: clock_time(Millis(line.at)),
        size: kilobytes(usize::try_from(line.size).unwrap_or(0)),
        is_read: line.is_read,
    }
}

pub(super) async fn clear(State(app): State<App>) -> Result<Response, WebError> {
    to_the_end(async move { catcher::delete(&app, Which::All).await }).await?;
    Ok(see_other("/catcher"))
}

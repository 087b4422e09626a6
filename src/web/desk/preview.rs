//! The mail itself, as the renderer makes it, for the frame beside the text: another document with a policy of its own,
//! which may show pictures and its own styles and do nothing else.

use axum::extract::{Query, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::room::Edition;
use crate::issue::html::fill;
use crate::issue::rendered::{Piece, Reader, Template};
use crate::verbs::app::App;
use crate::verbs::editing::rendering;
use crate::web::error::WebError;

/// Mail has its styles in itself. No script, no form, no address of ours: it is shown as a stranger's page.
const MAIL_CSP: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' https: http:; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'self'; sandbox";

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct View {
    view: String,
}

pub(super) async fn show(
    State(app): State<App>,
    edition: Edition,
    Query(View { view }): Query<View>,
) -> Result<Response, WebError> {
    let Some(ready) = rendering::by_id(&app, edition.issue.id).await? else { return Err(WebError::NotFound) };
    let reader = sample(&app.config.public_url, &edition.who.account.name, &edition.who.account.email);
    let (kind, body) = match view.as_str() {
        "text" => ("text/plain; charset=utf-8", text(&ready.rendered.text, &reader)),
        "dark" => ("text/html; charset=utf-8", darkened(&fill(&ready.rendered.html, &reader))),
        _ => ("text/html; charset=utf-8", fill(&ready.rendered.html, &reader)),
    };
    // Our own pictures come from where the desk is, which need not be where readers reach us.
    let media = format!("{}/m/", app.config.public_url.trim_end_matches('/'));
    let body = if view == "text" { body } else { body.replace(&media, "/m/") };
    Ok(([(header::CONTENT_TYPE, kind), (header::CONTENT_SECURITY_POLICY, MAIL_CSP)], body).into_response())
}

/// Whoever looks, as a reader whose links lead nowhere.
fn sample(public_url: &str, name: &str, email: &str) -> Reader {
    let first = name.split_whitespace().next().unwrap_or_default();
    let link = |page: &str| format!("{}/r/preview/{page}", public_url.trim_end_matches('/'));
    Reader {
        name: first.to_owned(),
        email: email.to_owned(),
        web_copy: link("web"),
        unsubscribe: link("unsubscribe"),
        preferences: link("preferences"),
        pause: link("pause"),
    }
}

/// The dark theme, whatever the editor's own system prefers.
fn darkened(html: &str) -> String {
    html.replace("@media (prefers-color-scheme:dark)", "@media all")
        .replace("@media (prefers-color-scheme: dark)", "@media all")
}

fn text(template: &Template, reader: &Reader) -> String {
    let piece = |piece: &Piece| match piece {
        Piece::Fixed(text) => text.clone(),
        Piece::Slot(field) => reader.value(field).to_owned(),
    };
    template.pieces.iter().map(piece).collect()
}

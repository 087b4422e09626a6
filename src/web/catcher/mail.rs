//! One caught mail: as it looks, what it says, what it is made of.

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse as _, Response};

use super::{full_time, id, kilobytes};
use crate::values::clock::Millis;
use crate::verbs::app::{App, to_the_end};
use crate::verbs::catcher::{self, About, Opened, Tried, Which};
use crate::web::error::{WebError, page};

/// Where Gmail cuts a mail's HTML off, with "[Message clipped]".
const GMAIL_CLIP_BYTES: usize = 102_400;
/// Bytes of source on a page; the whole is a download away.
const SOURCE_SHOWN_BYTES: usize = 256 * 1024;

/// A side of a mail that a tab shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
enum View {
    #[default]
    Desktop,
    Phone,
    Text,
    Source,
    Headers,
}

#[derive(Default, serde::Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    view: View,
}

#[derive(Template)]
#[template(path = "catcher/mail.html")]
struct MailPage {
    view: View,
    id: String,
    subject: String,
    from: String,
    to: Vec<String>,
    mail_from: String,
    rcpt_to: Vec<String>,
    message_id: String,
    at: String,
    size: String,
    has_html: bool,
    html_bytes: usize,
    html_size: String,
    clip: usize,
    text: String,
    source: String,
    source_is_cut: bool,
    headers: Vec<(String, String)>,
    attachments: Vec<String>,
    unsubscribe: Vec<String>,
    can_one_click: bool,
    issue_href: String,
    reader_href: String,
    tried: Option<Tried>,
}

pub(super) async fn show(
    State(app): State<App>,
    Path(name): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Response, WebError> {
    let opened = catcher::open(&app, Some(id(&name)?)).await?.ok_or(WebError::NotFound)?;
    page(&as_page(opened, asked.view, None))
}

/// The mail's HTML by itself, for the frame: no script, no form, nothing but what a mail program would show.
pub(super) async fn html(State(app): State<App>, Path(name): Path<String>) -> Result<Response, WebError> {
    let opened = catcher::open(&app, Some(id(&name)?)).await?.ok_or(WebError::NotFound)?;
    let policy = frame_policy(&app.config.public_url);
    let policy = HeaderValue::from_str(&policy).map_err(anyhow::Error::from)?;
    Ok(([(header::CONTENT_SECURITY_POLICY, policy)], Html(opened.letter.framed())).into_response())
}

/// Styles of the mail's own, pictures from us and over https, links in windows of their own, and not a script.
fn frame_policy(public_url: &str) -> String {
    format!(
        "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' {public_url} https:; base-uri 'none'; \
         form-action 'none'; frame-ancestors 'self'; sandbox allow-popups allow-popups-to-escape-sandbox"
    )
}

pub(super) async fn read(State(app): State<App>, Path(name): Path<String>) -> Result<Response, WebError> {
    let id = id(&name)?;
    to_the_end(async move { catcher::set_read(&app, Which::These(vec![id]), true).await }).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Presses the mail's unsubscribe button.
pub(super) async fn one_click(State(app): State<App>, Path(name): Path<String>) -> Result<Response, WebError> {
    let id = id(&name)?;
    let tried = catcher::try_one_click(&app, id).await?.ok_or(WebError::NotFound)?;
    let opened = catcher::open(&app, Some(id)).await?.ok_or(WebError::NotFound)?;
    page(&as_page(opened, View::Desktop, Some(tried)))
}

fn reader_href(slug: Option<String>, about: Option<About>) -> String {
    let known = slug.zip(about).map(|(slug, about)| format!("/desk/n/{slug}/readers/{}", about.subscriber));
    known.unwrap_or_default()
}

fn as_page(opened: Opened, view: View, tried: Option<Tried>) -> MailPage {
    let Opened { whole, letter, about, slug } = opened;
    let issue = about.and_then(|about| about.issue);
    let has_html = !letter.html.is_empty();
    let shown = &whole.raw[..whole.raw.len().min(SOURCE_SHOWN_BYTES)];
    let source = if view == View::Source { String::from_utf8_lossy(shown).into_owned() } else { String::new() };
    MailPage {
        view: if !has_html && matches!(view, View::Desktop | View::Phone) { View::Text } else { view },
        id: whole.id.to_string(),
        from: letter.from.to_string(),
        to: letter.to.iter().map(ToString::to_string).collect(),
        mail_from: whole.mail_from,
        rcpt_to: whole.rcpt_to.lines().map(str::to_owned).collect(),
        message_id: letter.message_id,
        at: full_time(Millis(whole.at)),
        size: kilobytes(whole.raw.len()),
        has_html,
        html_bytes: letter.html_bytes,
        html_size: kilobytes(letter.html_bytes),
        clip: GMAIL_CLIP_BYTES,
        text: letter.text,
        source,
        source_is_cut: whole.raw.len() > SOURCE_SHOWN_BYTES,
        headers: letter.headers,
        attachments: letter.attachments.iter().map(|a| format!("{} ({})", a.name, kilobytes(a.size))).collect(),
        unsubscribe: letter.unsubscribe,
        can_one_click: letter.one_click.is_some(),
        issue_href: issue.map(|id| format!("/desk/issue/{id}/report")).unwrap_or_default(),
        reader_href: reader_href(slug, about),
        subject: if letter.subject.is_empty() { "(no subject)".to_owned() } else { letter.subject },
        tried,
    }
}

#[cfg(test)]
mod tests {
    use super::frame_policy;

    #[test]
    fn a_mail_in_its_frame_can_run_and_send_nothing() {
        let policy = frame_policy("http://127.0.0.1:8080");
        for part in ["default-src 'none'", "form-action 'none'", "sandbox allow-popups"] {
            assert!(policy.contains(part), "{policy}");
        }
        assert!(!policy.contains("allow-scripts") && !policy.contains("script-src"));
    }
}

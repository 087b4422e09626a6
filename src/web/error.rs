//! From an error to a page: what happened, what did not, what to do. What went wrong inside goes to the log only, under
//! an id that the page shows.

use askama::Template;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};

use super::assets;
use crate::verbs::problem::Problem;
use crate::verbs::refusal::Refusal;

/// Why there is no page.
#[derive(Debug)]
pub enum WebError {
    NotFound,
    /// The form cannot be done as things stand; the sentence says why and what to do.
    Refused(String),
    /// A request that changes something came from another site's page.
    CrossSite,
    /// Ours: a database that does not answer, a bug.
    Ours(anyhow::Error),
}

// Not an `Error` itself, so that every error may become one with `?`.
impl<E: Into<anyhow::Error>> From<E> for WebError {
    fn from(error: E) -> Self {
        let error = error.into();
        match (Problem::of(&error), error.downcast_ref::<Refusal>()) {
            (Some(Problem::NotFound(_)), _) | (_, Some(Refusal::NoSuchIssue)) => Self::NotFound,
            (Some(problem), _) => Self::Refused(sentence(&problem.to_string())),
            (_, Some(refusal)) => Self::Refused(sentence(&refusal.to_string())),
            _ => Self::Ours(error),
        }
    }
}

/// What verbs say, as a sentence: a capital first, a full stop last.
#[must_use]
pub fn sentence(words: &str) -> String {
    let mut letters = words.trim().trim_end_matches('.').chars();
    let first: String = letters.next().into_iter().flat_map(char::to_uppercase).collect();
    format!("{first}{}.", letters.as_str())
}

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage<'a> {
    assets: &'static str,
    title: &'a str,
    words: &'a str,
    id: &'a str,
}

impl IntoResponse for WebError {
    fn into_response(self) -> Response {
        let (status, title, words, id) = match &self {
            Self::NotFound => (
                StatusCode::NOT_FOUND,
                "There is nothing at this address",
                "It may have been mistyped, or what stood here has been taken down. Nothing was changed.".to_owned(),
                String::new(),
            ),
            Self::Refused(why) => (StatusCode::CONFLICT, "That was not done", why.clone(), String::new()),
            Self::CrossSite => (
                StatusCode::FORBIDDEN,
                "This came from another site",
                "A page of another address tried to change something here in your name. Nothing was changed. If it \
                 was you, open the desk under its own address and try again."
                    .to_owned(),
                String::new(),
            ),
            Self::Ours(error) => {
                let id = event_id();
                tracing::error!(id, error = format!("{error:#}"), "a page broke");
                (
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "This page broke",
                    "The fault is ours. What you sent may not have been kept; mail that is being sent goes on by \
                     itself. Go back, look whether it was done, and try again."
                        .to_owned(),
                    id,
                )
            }
        };
        let page = ErrorPage { assets: assets::base(), title, words: &words, id: &id };
        let page = page.render().unwrap_or_else(|_| format!("{title}. {words} {id}"));
        let policy = [(axum::http::header::CONTENT_SECURITY_POLICY, super::desk::CSP)];
        (status, policy, Html(page)).into_response()
    }
}

/// Eight letters that tie a page to a line of the log.
fn event_id() -> String {
    let mut bytes = [0_u8; 4];
    // Without randomness the id is zeros; the log line is found by its time then.
    let _ = aws_lc_rs::rand::fill(&mut bytes);
    format!("e-{:08x}", u32::from_be_bytes(bytes))
}

/// A template as an HTML answer.
///
/// # Errors
/// When the template cannot be written, which is a bug.
pub fn page(template: &impl Template) -> Result<Response, WebError> {
    Ok(Html(template.render()?).into_response())
}

/// The same with another status: 422 for a form that must be mended.
///
/// # Errors
/// As [`page`].
pub fn page_with(status: StatusCode, template: &impl Template) -> Result<Response, WebError> {
    Ok((status, Html(template.render()?)).into_response())
}

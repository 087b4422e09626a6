//! From an error to a page: what happened, what did not, what to do. What went wrong inside goes to the log only, under
//! an id that the page shows.

use askama::Template;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{Html, IntoResponse, Response};

use super::assets;
use crate::store::trouble::{self, Trouble};
use crate::verbs::problem::Problem;
use crate::verbs::refusal::Refusal;

/// When to try again after a trouble that passes: RFC 9110 §10.2.3, in seconds.
const RETRY_AFTER_SECONDS: u32 = 60;

/// Why there is no page.
#[derive(Debug)]
pub enum WebError {
    NotFound,
    /// The form cannot be done as things stand; the sentence says why and what to do.
    Refused(String),
    /// A request that changes something came from another site's page.
    CrossSite,
    /// A trouble of the database that passes; the same request works later.
    Passing(Trouble),
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
            _ => match trouble::of(&error) {
                Some(passing) => Self::passing(passing, &error),
                None => Self::Ours(error),
            },
        }
    }
}

impl WebError {
    fn passing(trouble: Trouble, error: &anyhow::Error) -> Self {
        tracing::error!(error = format!("{error:#}"), "the database cannot do it now");
        Self::Passing(trouble)
    }
}

/// What verbs say, as a sentence: a capital first, a full stop last.
#[must_use]
pub fn sentence(words: &str) -> String {
    format!("{}.", capital(words.trim().trim_end_matches('.')))
}

/// With a capital first.
#[must_use]
pub fn capital(words: &str) -> String {
    let mut letters = words.chars();
    let first: String = letters.next().into_iter().flat_map(char::to_uppercase).collect();
    format!("{first}{}", letters.as_str())
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
            Self::Passing(trouble) => {
                (StatusCode::SERVICE_UNAVAILABLE, "Not now", passing_words(*trouble).to_owned(), String::new())
            }
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
        let mut response = (status, policy, Html(page)).into_response();
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(axum::http::header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER_SECONDS));
        }
        response
    }
}

fn passing_words(trouble: Trouble) -> &'static str {
    match trouble {
        Trouble::DiskFull => {
            "There is no space left to write it down, so nothing was kept and nothing was sent. Whoever runs this \
             server has to make space; then it works again by itself. Please try again in a minute."
        }
        Trouble::Busy => {
            "The database is busy or away, so nothing was kept. It usually passes by itself. Please try again in a \
             minute."
        }
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

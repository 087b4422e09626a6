//! Wrong links, counted by network: the thirty-first in an hour is answered without any work.

use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use super::Said;
use super::frame::Frame;
use crate::verbs::app::App;
use crate::verbs::membership::network_of;
use crate::web::visitor::Visitor;

/// RFC 9110 §10.2.3.
const RETRY_AFTER_SECONDS: &str = "3600";

/// Lets right links through, and answers those that lead nowhere with 404 until there are too many of them.
pub(super) async fn limit(State(app): State<App>, Visitor(ip): Visitor, request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    if response.status() != StatusCode::NOT_FOUND || !app.guesses.wrong(&network_of(ip), app.clock.now()) {
        return response;
    }
    let f = Frame::bare(&app);
    let (title, lead) = (f.j().guesses_title, f.j().guesses_lead);
    let mut stopped = match Said::new(f, title, lead).answer_with(StatusCode::TOO_MANY_REQUESTS) {
        Ok(page) => page,
        Err(error) => error.into_response(),
    };
    stopped.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER_SECONDS));
    stopped
}

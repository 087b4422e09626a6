//! The catcher's pages and its API: what the demo sent, to be looked at from every side. Served in the demo only.

mod api;
mod list;
mod mail;

use axum::Router;
use axum::http::{HeaderValue, header};
use axum::routing::{get, post};
use tower_http::set_header::SetResponseHeaderLayer;

use super::error::WebError;
use crate::values::clock::Millis;
use crate::values::ids::CaughtId;
use crate::verbs::app::App;

/// As the desk's, but that a mail is shown in a frame of our own.
const CSP: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; \
    connect-src 'self'; frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

pub(super) fn router() -> Router<App> {
    Router::new()
        .route("/catcher", get(list::show))
        .route("/catcher/", get(list::show))
        .route("/catcher/clear", post(list::clear))
        .route("/catcher/{id}", get(mail::show))
        .route("/catcher/{id}/html", get(mail::html))
        .route("/catcher/{id}/read", post(mail::read))
        .route("/catcher/{id}/one-click", post(mail::one_click))
        .nest("/catcher/api/v1", api::router())
        .layer(SetResponseHeaderLayer::if_not_present(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(CSP)))
        .layer(SetResponseHeaderLayer::if_not_present(header::CACHE_CONTROL, HeaderValue::from_static("no-store")))
}

/// An id from an address; one that is none is a mail that is not there.
fn id(text: &str) -> Result<CaughtId, WebError> {
    text.parse().map_err(|_| WebError::NotFound)
}

/// A time on the clock of this machine, since the catcher is a thing of this machine: "22:31:05".
fn clock_time(at: Millis) -> String {
    at.timestamp().to_zoned_datetime(jiff::tz::TimeZone::system()).strftime("%H:%M:%S").to_string()
}

/// "24 Nov 2026, 22:31:05 UTC−3" on the clock of this machine.
fn full_time(at: Millis) -> String {
    at.timestamp().to_zoned_datetime(jiff::tz::TimeZone::system()).strftime("%-d %b %Y, %H:%M:%S %Z").to_string()
}

/// "61.3 KB".
fn kilobytes(bytes: usize) -> String {
    let tenths = bytes / 102;
    format!("{}.{} KB", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    #[test]
    fn sizes_are_shown_in_kilobytes() {
        for (bytes, words) in [(0, "0.0 KB"), (1_024, "1.0 KB"), (61_300, "60.0 KB")] {
            assert_eq!(super::kilobytes(bytes), words);
        }
    }
}

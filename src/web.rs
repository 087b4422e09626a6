//! The web door: readers' pages, the desk, the catcher. Parse, one verb, one page.
//!
//! Every page works without JavaScript. A GET never changes anything. Requests that change something and come from
//! another site are refused by their headers (`Sec-Fetch-Site`, `Origin`), so there are no hidden form tokens; the two
//! doors that strangers must be able to push are listed in `may_come_from_elsewhere`.

pub mod assets;
pub mod catcher;
pub mod desk;
pub mod error;
pub mod public;
pub mod visitor;

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use tokio::net::TcpListener;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::csrf::CsrfLayer;
use tower_http::request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer};
use tower_http::set_header::SetResponseHeaderLayer;
use tower_http::timeout::TimeoutLayer;

use crate::verbs::app::App;

/// Largest body of a request, unless its route says otherwise: an issue of 5 MB of Markdown, form-encoded.
const BODY_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Longest time until the head of an answer is there. An import of a big file on a slow line is read in this time too.
const ANSWER_SECONDS_MAX: u64 = 120;
/// How long open requests may go on after the program was asked to stop.
const DRAIN_SECONDS_MAX: u64 = 8;

/// The policy of whatever does not set its own: nothing may be loaded, framed or sent anywhere.
const CSP_NOTHING: &str = "default-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// Everything that is served, with the layers around it.
pub fn router(app: App) -> Router {
    let cross_site = cross_site_layer(&app.config.public_url);
    // Without the demo there is no catcher, and so nothing to show.
    let catcher = if app.config.demo { catcher::router() } else { Router::new() };
    Router::new()
        .merge(catcher)
        .nest("/desk", desk::router())
        .route("/desk/", get(|| async { Redirect::permanent("/desk") }))
        .merge(assets::router())
        .merge(public::router(app.clone()))
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .fallback(public::lost)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(cross_site)
        .layer(CatchPanicLayer::custom(|_| {
            error::WebError::from(anyhow::anyhow!("a handler panicked")).into_response()
        }))
        .layer(TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, Duration::from_secs(ANSWER_SECONDS_MAX)))
        .layer(unless_set(header::CONTENT_SECURITY_POLICY, CSP_NOTHING))
        .layer(unless_set(header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .layer(unless_set(header::REFERRER_POLICY, "same-origin"))
        .layer(unless_set(HeaderName::from_static("cross-origin-opener-policy"), "same-origin"))
        .layer(CompressionLayer::new())
        .layer(PropagateRequestIdLayer::x_request_id())
        .layer(SetRequestIdLayer::x_request_id(MakeRequestUuid))
        .with_state(app)
}

/// Serves until [`App`]'s `stop` is cancelled; open requests get a few seconds to finish.
///
/// # Errors
/// When the listener breaks.
pub async fn serve(app: App, listener: TcpListener) -> anyhow::Result<()> {
    let stop = app.stop.clone();
    let service = router(app).into_make_service_with_connect_info::<SocketAddr>();
    let serving = axum::serve(listener, service).with_graceful_shutdown(stop.clone().cancelled_owned());
    let drained = async {
        stop.cancelled().await;
        tokio::time::sleep(Duration::from_secs(DRAIN_SECONDS_MAX)).await;
    };
    tokio::select! {
        served = serving.into_future() => Ok(served?),
        () = drained => Ok(()),
    }
}

/// Sets a header on every answer that does not carry it already.
fn unless_set(name: HeaderName, value: &'static str) -> SetResponseHeaderLayer<HeaderValue> {
    SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value))
}

/// Requests that change something must come from our own pages, except those of `may_come_from_elsewhere`.
fn cross_site_layer(
    public_url: &str,
) -> CsrfLayer<impl FnMut(tower_http::csrf::ProtectionError) -> Response + Clone + Send + Sync + 'static> {
    let layer = CsrfLayer::new().with_insecure_bypass(may_come_from_elsewhere);
    let origin = url::Url::parse(public_url).map(|url| url.origin().ascii_serialization());
    let layer = match origin.map(|origin| layer.clone().add_trusted_origin(origin)) {
        Ok(Ok(trusting)) => trusting,
        _ => layer,
    };
    layer.with_rejection_response(|_| error::WebError::CrossSite.into_response())
}

/// The two doors that other sites' programs and pages must be able to push: a mail program's one-click unsubscribe
/// (RFC 8058 §3.2, authorised by its token alone), and the sign-up form embedded in somebody's own page, or sent by its script.
fn may_come_from_elsewhere(method: &Method, uri: &Uri) -> bool {
    let path = uri.path();
    let one_click = path.starts_with("/r/") && path.ends_with("/unsubscribe");
    method == Method::POST && (one_click || path.ends_with("/subscribe") || path.ends_with("/subscribe.json"))
}

/// Ready when the database answers.
async fn ready(State(app): State<App>) -> Response {
    match app.store.read().await {
        Ok(_) => "ready\n".into_response(),
        Err(error) => {
            tracing::warn!(%error, "not ready: the database does not answer");
            (StatusCode::SERVICE_UNAVAILABLE, "the database does not answer\n").into_response()
        }
    }
}

/// An answer that sends the browser on with GET after a form was taken.
#[must_use]
pub fn see_other(to: &str) -> Response {
    Redirect::to(to).into_response()
}

#[cfg(test)]
mod tests {
    use super::may_come_from_elsewhere;
    use axum::http::Method;

    #[test]
    fn only_one_click_and_the_embedded_form_may_be_pushed_from_elsewhere() {
        for (path, may) in [
            ("/r/k1.abc/unsubscribe", true),
            ("/tidewater/subscribe", true),
            ("/tidewater/subscribe.json", true),
            ("/desk/signin", false),
            ("/r/k1.abc/preferences", false),
            ("/desk/issue/0123456789abc/schedule", false),
        ] {
            assert_eq!(may_come_from_elsewhere(&Method::POST, &path.parse().expect("is a path")), may, "{path}");
        }
    }
}

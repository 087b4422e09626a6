//! Who is signed in: the cookie, and the extractor that every handler of the desk asks for.

use std::time::Duration;

use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum_extra::extract::cookie::{Cookie, CookieJar, SameSite};

use crate::store::account::Account;
use crate::verbs::accounts::{self, Place, SESSION_STAY_MS};
use crate::verbs::app::App;
use crate::web::error::WebError;
use crate::web::visitor::Visitor;

/// Somebody at the desk. A handler that has one may act for them.
pub(super) struct SignedIn {
    pub(super) account: Account,
    /// Hash of the session's token; empty in the demo, which has no sessions.
    pub(super) session: String,
}

impl FromRequestParts<App> for SignedIn {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Response> {
        match <Self as OptionalFromRequestParts<App>>::from_request_parts(parts, app).await? {
            Some(signed_in) => Ok(signed_in),
            None => Err(to_the_door(parts)),
        }
    }
}

impl OptionalFromRequestParts<App> for SignedIn {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Option<Self>, Response> {
        find(parts, app).await.map_err(|error| WebError::from(error).into_response())
    }
}

async fn find(parts: &Parts, app: &App) -> anyhow::Result<Option<SignedIn>> {
    if app.config.demo {
        let account = accounts::demo_account(app).await?;
        return Ok(account.map(|account| SignedIn { account, session: String::new() }));
    }
    let jar = CookieJar::from_headers(&parts.headers);
    let Some(cookie) = jar.get(cookie_name(app, &parts.headers)) else { return Ok(None) };
    let found = accounts::signed_in(app, cookie.value()).await?;
    Ok(found.map(|(account, session)| SignedIn { account, session }))
}

/// Pages lead to the sign-in page and back; a script is told plainly, so that it can keep what was typed.
fn to_the_door(parts: &Parts) -> Response {
    let by_script = parts.headers.contains_key("hx-request") || parts.headers.contains_key("x-desk-script");
    if by_script {
        return (StatusCode::UNAUTHORIZED, [("hx-redirect", "/desk/signin")], "Sign in again.").into_response();
    }
    // The desk is nested, so the path here has lost its "/desk".
    let back = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let next = url::form_urlencoded::byte_serialize(format!("/desk{back}").as_bytes()).collect::<String>();
    crate::web::see_other(&if parts.method == "GET" {
        format!("/desk/signin?next={next}")
    } else {
        "/desk/signin".to_owned()
    })
}

/// A cookie that only https carries, except where the desk is used over http on the machine it runs on.
fn is_private_line(app: &App, headers: &HeaderMap) -> bool {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let here = matches!(name, "localhost" | "127.0.0.1" | "[::1]");
    app.config.public_url.starts_with("https://") && !here
}

/// `__Host-` binds the cookie to this host, https and the whole path (RFC 6265bis §4.1.3.2).
fn cookie_name(app: &App, headers: &HeaderMap) -> &'static str {
    if is_private_line(app, headers) { "__Host-desk" } else { "desk" }
}

/// The cookie that signs a browser in.
pub(super) fn cookie(app: &App, headers: &HeaderMap, token: String, stay: bool) -> Cookie<'static> {
    let mut cookie = Cookie::build((cookie_name(app, headers), token))
        .path("/")
        .http_only(true)
        .secure(is_private_line(app, headers))
        .same_site(SameSite::Lax);
    let lasts = Duration::from_millis(SESSION_STAY_MS.unsigned_abs()).try_into();
    if let (true, Ok(lasts)) = (stay, lasts) {
        cookie = cookie.max_age(lasts);
    }
    cookie.build()
}

/// The cookie that takes it away again.
pub(super) fn no_cookie(app: &App, headers: &HeaderMap) -> Cookie<'static> {
    Cookie::build((cookie_name(app, headers), "")).path("/").secure(is_private_line(app, headers)).removal().build()
}

/// Where a request comes from, for sessions and limits.
pub(super) fn place(visitor: Visitor, headers: &HeaderMap) -> Place {
    let agent = headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default();
    Place { ip: visitor.0.to_string(), neighbourhood: visitor.neighbourhood(), agent: agent.to_owned() }
}

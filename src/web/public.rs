//! The readers' pages. No cookies, hardly any JavaScript and none that is needed, nothing from another host; a GET never changes anything.
//!
//! ```text
//! /                         the newsletter, or the list of them
//! /{slug}                   sign-up, beside the latest issue
//! /{slug}/subscribe         POST: the form, ours or pasted into another site (exempt from the cross-site guard)
//! /{slug}/form/{form}       another form of the newsletter
//! /{slug}/subscribe.json    the same for scripts: GET says what is asked, POST signs up; ?form= names another
//! /{slug}/embed             the form to paste
//! /{slug}/archive           every issue sent, ?q= searches
//! /{slug}/archive/{issue}   an issue to read
//! /{slug}/feed.xml          Atom
//! /{slug}/theme-{hash}.css  the newsletter's accent as custom properties, and /{slug}/icon-{hash}.svg
//! /c/{token}                confirming: GET shows the button, POST presses it; POST /c/{token}/not-me
//! /r/{token}/leave          GET shows the doors, POST leaves
//! /r/{token}/leave-all      POST: every newsletter of the house
//! /r/{token}/unsubscribe    POST: RFC 8058 one-click, by the token alone (exempt from the guard); GET as leave
//! /r/{token}/undo           POST, within a day; /reason POST
//! /r/{token}/preferences    GET; /name, /pause, /resume POST; GET /pause shows the doors
//! /r/{token}/web            the web copy of the issue that the link came in
//! /m/{name}                 pictures, for ever
//! ```
//!
//! A personal link holds a token and nothing else: no address, no id that can be counted up. Whoever has a forwarded
//! mail can leave, pause and see a shortened address, and no more.

mod archive;
mod asking;
mod card;
mod confirm;
mod feed;
mod files;
mod frame;
mod guesses;
mod json;
mod leave;
mod preferences;
mod signup;
mod words;

use askama::Template;
use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, Uri, header};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::{get, post};
use tower_http::set_header::SetResponseHeaderLayer;

use super::error::{WebError, page, page_with};
use crate::values::token::BadToken;
use crate::verbs::app::App;
use crate::verbs::archive as verb;
use frame::Frame;

/// Largest filled-in form: every answer at its longest, encoded.
const FORM_BYTES_MAX: usize = 64 * 1024;

/// Everything that readers see.
pub fn router(app: App) -> Router<App> {
    let pages = Router::new()
        .route("/", get(front_door))
        .route("/{slug}", get(signup::show))
        .route("/{slug}/form/{form}", get(signup::show_other))
        .route("/{slug}/subscribe", post(signup::submit).layer(DefaultBodyLimit::max(FORM_BYTES_MAX)))
        .route(
            "/{slug}/subscribe.json",
            get(json::show).post(json::submit).options(json::preflight).layer(DefaultBodyLimit::max(FORM_BYTES_MAX)),
        )
        .route("/{slug}/embed", get(signup::embed))
        .route("/{slug}/archive", get(archive::list))
        .route("/{slug}/archive/{issue}", get(archive::issue))
        .layer(if_not_set(header::CACHE_CONTROL, "no-cache"));
    let personal = Router::new()
        .route("/c/{token}", get(confirm::show).post(confirm::press))
        .route("/c/{token}/not-me", post(confirm::not_me))
        .route("/r/{token}/leave", get(leave::show).post(leave::press))
        .route("/r/{token}/leave-all", get(leave::show).post(leave::press_all))
        .route("/r/{token}/unsubscribe", get(leave::show).post(leave::one_click))
        .route("/r/{token}/undo", post(leave::undo))
        .route("/r/{token}/reason", post(leave::reason))
        .route("/r/{token}/preferences", get(preferences::show))
        .route("/r/{token}/name", post(preferences::name))
        .route("/r/{token}/zone", post(preferences::zone))
        .route("/r/{token}/pause", get(leave::show).post(preferences::pause))
        .route("/r/{token}/resume", post(preferences::resume))
        .route("/r/{token}/web", get(archive::web_copy))
        .layer(from_fn_with_state(app, guesses::limit))
        .layer(if_not_set(header::CACHE_CONTROL, "private, no-store"))
        .layer(if_not_set(HeaderName::from_static("x-robots-tag"), "noindex, nofollow"));
    let files = Router::new()
        .route("/{slug}/feed.xml", get(feed::show))
        .route("/{slug}/{file}", get(files::of_theme))
        .route("/m/{name}", get(files::picture));
    pages.merge(personal).merge(files).layer(if_not_set(header::REFERRER_POLICY, "no-referrer"))
}

fn if_not_set(name: HeaderName, value: &'static str) -> SetResponseHeaderLayer<HeaderValue> {
    SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value))
}

/// One newsletter is the site; of several there is a list; without any, whoever comes is the one who sets things up.
async fn front_door(State(app): State<App>) -> Result<Response, WebError> {
    let all = verb::newsletters(&app).await?;
    match all.as_slice() {
        [] => Ok(Redirect::to("/desk").into_response()),
        [one] => Ok(Redirect::to(&Frame::of(&app, one).home()).into_response()),
        _ => {
            let list = all.iter().map(|n| (Frame::of(&app, n).home(), n.name.clone(), n.tagline.clone())).collect();
            Frame::bare(&app).answer(&Newsletters { f: Frame::bare(&app), all: list })
        }
    }
}

#[derive(Template)]
#[template(path = "public/newsletters.html")]
struct Newsletters {
    f: Frame,
    all: Vec<(String, String, String)>,
}

#[derive(Template)]
#[template(path = "public/lost.html")]
struct Lost {
    f: Frame,
}

/// A page that says something and offers at most one link to follow.
#[derive(Template)]
#[template(path = "public/said.html")]
struct Said {
    f: Frame,
    heading: String,
    lead: String,
    link: Option<(String, String)>,
}

impl Said {
    fn new(f: Frame, heading: &str, lead: &str) -> Self {
        let (heading, lead) = (f.put(heading), f.put(lead));
        Self { f, heading, lead, link: None }
    }

    fn link(self, href: String, words: &str) -> Self {
        Self { link: Some((href, self.f.put(words))), ..self }
    }

    fn answer(self) -> Result<Response, WebError> {
        Frame::answer(&self.f, &self)
    }

    fn answer_with(self, status: StatusCode) -> Result<Response, WebError> {
        Frame::answer_with(&self.f, status, &self)
    }
}

/// The page for an address where nothing is, in the dress of the newsletter that it begins with.
pub async fn lost(State(app): State<App>, uri: Uri) -> Result<Response, WebError> {
    let slug = uri.path().split('/').nth(1).unwrap_or_default();
    let frame = match verb::newsletter(&app, slug).await? {
        Some(newsletter) => Frame::of(&app, &newsletter),
        None => Frame::bare(&app),
    };
    nothing_here(frame)
}

/// The same where no newsletter is known.
fn lost_in(app: &App) -> Result<Response, WebError> {
    nothing_here(Frame::bare(app))
}

fn nothing_here(f: Frame) -> Result<Response, WebError> {
    Frame::answer_with(&f.clone(), StatusCode::NOT_FOUND, &Lost { f })
}

/// What a token that is none of ours gets: one page, whatever is wrong with it.
fn no_such_token(app: &App, _: BadToken) -> Result<Response, WebError> {
    nothing_here(Frame::bare(app))
}

impl Frame {
    /// The page with the policy that fits it.
    fn answer(&self, template: &impl Template) -> Result<Response, WebError> {
        Ok(self.guarded(page(template)?))
    }

    fn answer_with(&self, status: StatusCode, template: &impl Template) -> Result<Response, WebError> {
        Ok(self.guarded(page_with(status, template)?))
    }

    fn guarded(&self, mut response: Response) -> Response {
        if let Ok(policy) = HeaderValue::from_str(&self.policy()) {
            response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
        }
        response
    }
}

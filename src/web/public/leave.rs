//! Leaving: the doors, the press, the one-click of mail programs, taking it back, and why.

use askama::Template;
use axum::body::{Body, to_bytes};
use axum::extract::{Form, Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};

use super::confirm::masked;
use super::frame::Frame;
use super::{Said, lost_in, no_such_token};
use crate::audience::status::Status;
use crate::verbs::app::{App, to_the_end};
use crate::verbs::archive;
use crate::verbs::membership::{self, How, LeaveReason, Seat, seat, set_leave_reason, undo_unsubscribe, unsubscribe};
use crate::web::error::WebError;

/// Bytes of a one-click's body that are read and thrown away; RFC 8058 sends 26.
const ONE_CLICK_BYTES_MAX: usize = 64 * 1024;

#[derive(Template)]
#[template(path = "public/leave.html")]
struct Doors {
    f: Frame,
    address: String,
    personal: String,
    /// There are others that could be left in the same press.
    several: bool,
}

#[derive(Template)]
#[template(path = "public/left.html")]
struct Left {
    f: Frame,
    /// Empty where the reader is not known any more.
    address: String,
    personal: String,
    /// All newsletters were left at once.
    all: bool,
}

impl Left {
    fn reasons(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        ["often", "topic", "time", "never"].into_iter().zip(self.f.w.reasons)
    }
}

pub(super) async fn show(State(app): State<App>, Path(token): Path<String>) -> Result<Response, WebError> {
    let seat = match seat(&app, &token).await? {
        Ok(seat) => seat,
        Err(bad) => return no_such_token(&app, bad),
    };
    let status = seat.subscription.as_ref().map(|row| row.status);
    let (Some(newsletter), Some(address), Some(Status::Active | Status::Pending)) =
        (&seat.newsletter, masked(&seat), status)
    else {
        return left(&app, &seat, &token).await;
    };
    let f = Frame::load(&app, newsletter, "").await?.of_reader(&seat);
    // Asked of the house and not of the reader: whoever has a forwarded mail learns nothing from it.
    let several = archive::newsletters(&app).await?.len() > 1;
    let page = Doors { personal: f.personal(&token), f, address, several };
    page.f.answer(&page)
}

/// Leaves every newsletter of the house.
pub(super) async fn press_all(State(app): State<App>, Path(token): Path<String>) -> Result<Response, WebError> {
    let (app2, token2) = (app.clone(), token.clone());
    match to_the_end(async move { membership::unsubscribe_from_all(&app2, &token2).await }).await? {
        Ok(seat) => left(&app, &seat, &token).await,
        Err(bad) => no_such_token(&app, bad),
    }
}

pub(super) async fn press(State(app): State<App>, Path(token): Path<String>) -> Result<Response, WebError> {
    let (app2, token2) = (app.clone(), token.clone());
    match to_the_end(async move { unsubscribe(&app2, &token2, How::Page).await }).await? {
        Ok(seat) => left(&app, &seat, &token).await,
        Err(bad) => no_such_token(&app, bad),
    }
}

/// RFC 8058: a mail program's POST. The token alone says who; the body (urlencoded, multipart or none) is read and
/// thrown away, since a client that gets it wrong still means it. 200 with nothing in it: no page, cookie or redirect.
pub(super) async fn one_click(
    State(app): State<App>,
    Path(token): Path<String>,
    body: Body,
) -> Result<Response, WebError> {
    let _ = to_bytes(body, ONE_CLICK_BYTES_MAX).await;
    let app2 = app.clone();
    match to_the_end(async move { unsubscribe(&app2, &token, How::OneClick).await }).await? {
        Ok(_) => Ok(StatusCode::OK.into_response()),
        Err(bad) => no_such_token(&app, bad),
    }
}

pub(super) async fn undo(State(app): State<App>, Path(token): Path<String>) -> Result<Response, WebError> {
    let (app2, token2) = (app.clone(), token.clone());
    let (seat, undone) = match to_the_end(async move { undo_unsubscribe(&app2, &token2).await }).await? {
        Ok(done) => done,
        Err(bad) => return no_such_token(&app, bad),
    };
    let Some(newsletter) = &seat.newsletter else { return lost_in(&app) };
    let f = Frame::load(&app, newsletter, "").await?.of_reader(&seat);
    let w = f.w;
    if undone {
        let preferences = format!("{}/preferences", f.personal(&token));
        let lead = if left_all(&seat) { f.s.back_all } else { w.back_lead };
        return Said::new(f, w.back_title, lead).link(preferences, w.preferences).answer();
    }
    let home = f.home();
    Said::new(f, w.no_undo_title, w.no_undo_lead).link(home, w.signup_title).answer_with(StatusCode::CONFLICT)
}

#[derive(serde::Deserialize)]
pub(super) struct Why {
    reason: Option<LeaveReason>,
    #[serde(default)]
    words: String,
}

pub(super) async fn reason(
    State(app): State<App>,
    Path(token): Path<String>,
    Form(why): Form<Why>,
) -> Result<Response, WebError> {
    let app2 = app.clone();
    let reason = why.reason.unwrap_or(LeaveReason::Other);
    let kept = to_the_end(async move { set_leave_reason(&app2, &token, reason, &why.words).await }).await?;
    let seat = match kept {
        Ok(seat) => seat,
        Err(bad) => return no_such_token(&app, bad),
    };
    let Some(newsletter) = &seat.newsletter else { return lost_in(&app) };
    let f = Frame::load(&app, newsletter, "").await?.of_reader(&seat);
    let (heading, lead) = (f.w.thanks_title, f.w.thanks_lead);
    Said::new(f, heading, lead).answer()
}

async fn left(app: &App, seat: &Seat, token: &str) -> Result<Response, WebError> {
    let f = match &seat.newsletter {
        Some(newsletter) => Frame::load(app, newsletter, "").await?.of_reader(seat),
        None => Frame::bare(app),
    };
    let known = seat.newsletter.is_some() && seat.subscription.is_some();
    let address = masked(seat).filter(|_| known).unwrap_or_default();
    let page = Left { personal: f.personal(token), f, address, all: left_all(seat) };
    page.f.answer(&page)
}

/// Whether the button pressed was "leave everything", as the seat stood before it was taken back.
fn left_all(seat: &Seat) -> bool {
    seat.subscription.as_ref().and_then(|row| row.left_how.as_deref()) == Some(How::All.as_str())
}

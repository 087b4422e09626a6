//! Confirming a sign-up. Opening the page does nothing: mail scanners open every link and run its scripts.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;

use super::card::Card;
use super::frame::Frame;
use super::signup::form_token;
use super::{Said, lost_in, no_such_token};
use crate::store::newsletter::Newsletter;
use crate::verbs::app::{App, to_the_end};
use crate::verbs::membership::{Confirmed, Seat, confirm, confirming, this_was_not_me};
use crate::web::error::WebError;
use crate::web::visitor::Visitor;

#[derive(Template)]
#[template(path = "public/confirm.html")]
struct Button {
    f: Frame,
    address: String,
    token: String,
}

#[derive(Template)]
#[template(path = "public/confirmed.html")]
struct In {
    f: Frame,
    front: Option<Card>,
    show_headlines: bool,
}

#[derive(Template)]
#[template(path = "public/expired.html")]
struct Expired {
    f: Frame,
    lead: &'static str,
    shown: String,
}

pub(super) async fn show(State(app): State<App>, Path(token): Path<String>) -> Result<Response, WebError> {
    match confirming(&app, &token).await? {
        Ok(state) => answer(&app, state, &token).await,
        Err(bad) => no_such_token(&app, bad),
    }
}

pub(super) async fn press(
    State(app): State<App>,
    Path(token): Path<String>,
    Visitor(ip): Visitor,
) -> Result<Response, WebError> {
    let (app2, token2) = (app.clone(), token.clone());
    match to_the_end(async move { confirm(&app2, &token2, ip).await }).await? {
        Ok(state) => answer(&app, state, &token).await,
        Err(bad) => no_such_token(&app, bad),
    }
}

pub(super) async fn not_me(
    State(app): State<App>,
    Path(token): Path<String>,
    Visitor(ip): Visitor,
) -> Result<Response, WebError> {
    let (app2, token2) = (app.clone(), token.clone());
    let disowned = match to_the_end(async move { this_was_not_me(&app2, &token2, ip).await }).await? {
        Ok(disowned) => disowned,
        Err(bad) => return no_such_token(&app, bad),
    };
    let Ok(Confirmed::Pending(seat) | Confirmed::Already(seat) | Confirmed::Expired(seat) | Confirmed::Over(seat)) =
        confirming(&app, &token).await?
    else {
        return lost_in(&app);
    };
    let Some(newsletter) = &seat.newsletter else { return lost_in(&app) };
    let f = frame(&app, newsletter, &seat).await?;
    let (heading, lead) = match disowned {
        true => (f.w.disowned_title, f.w.disowned_lead),
        false => (f.w.unchanged_title, f.w.unchanged_lead),
    };
    Said::new(f, heading, lead).answer()
}

async fn answer(app: &App, state: Confirmed, token: &str) -> Result<Response, WebError> {
    match state {
        Confirmed::Pending(seat) => button(app, &seat, token).await,
        Confirmed::Now(seat) | Confirmed::Already(seat) => welcome(app, &seat).await,
        Confirmed::Expired(seat) => expired(app, &seat, |f| f.w.expired_lead).await,
        Confirmed::Over(seat) => expired(app, &seat, |f| f.w.over_lead).await,
    }
}

/// The frame in the words that the reader chose at the form.
async fn frame(app: &App, newsletter: &Newsletter, seat: &Seat) -> anyhow::Result<Frame> {
    Ok(Frame::load(app, newsletter, "").await?.of_reader(seat))
}

async fn button(app: &App, seat: &Seat, token: &str) -> Result<Response, WebError> {
    let (Some(newsletter), Some(address)) = (&seat.newsletter, masked(seat)) else { return lost_in(app) };
    let f = frame(app, newsletter, seat).await?;
    let page = Button { f, address, token: token.to_owned() };
    page.f.answer(&page)
}

async fn welcome(app: &App, seat: &Seat) -> Result<Response, WebError> {
    let Some(newsletter) = &seat.newsletter else { return lost_in(app) };
    let f = frame(app, newsletter, seat).await?;
    let page = In { front: f.latest.clone(), f, show_headlines: false };
    page.f.answer(&page)
}

async fn expired(app: &App, seat: &Seat, lead: fn(&Frame) -> &'static str) -> Result<Response, WebError> {
    let Some(newsletter) = &seat.newsletter else { return lost_in(app) };
    let f = frame(app, newsletter, seat).await?;
    let page = Expired { lead: lead(&f), shown: form_token(app, newsletter), f };
    page.f.answer_with(StatusCode::GONE, &page)
}

/// "ma…@post.example" with a word joiner, so that it doesn't break before the @.
pub(super) fn masked(seat: &Seat) -> Option<String> {
    seat.subscriber.as_ref().map(|subscriber| subscriber.masked().replace('@', "\u{2060}@"))
}

//! Preferences: each section is a form with its own button, so that nothing is lost by pressing the wrong one.

use askama::Template;
use axum::extract::{Form, Path, State};
use axum::response::Response;

use super::confirm::masked;
use super::frame::Frame;
use super::words::put;
use super::{lost_in, no_such_token};
use crate::audience::status::Status;
use crate::issue::words::day;
use crate::values::clock::Millis;
use crate::verbs::app::{App, to_the_end};
use crate::verbs::membership::{self, Seat, seat};
use crate::web::error::WebError;

#[derive(Template)]
#[template(path = "public/preferences.html")]
struct Preferences {
    f: Frame,
    said: Option<String>,
    address: String,
    since: String,
    active: bool,
    name: String,
    /// The sentence that says until when.
    paused_until: Option<String>,
    personal: String,
    /// The zone matters here: the newsletter goes by it, or the reader has said one.
    shows_zone: bool,
    zone: String,
    zone_is: String,
    zone_none: String,
    zones: Vec<String>,
}

pub(super) async fn show(State(app): State<App>, Path(token): Path<String>) -> Result<Response, WebError> {
    match seat(&app, &token).await? {
        Ok(seat) => form(&app, &seat, &token, None).await,
        Err(bad) => no_such_token(&app, bad),
    }
}

#[derive(serde::Deserialize)]
pub(super) struct Named {
    #[serde(default)]
    name: String,
}

pub(super) async fn name(
    State(app): State<App>,
    Path(token): Path<String>,
    Form(named): Form<Named>,
) -> Result<Response, WebError> {
    let (app2, token2) = (app.clone(), token.clone());
    match to_the_end(async move { membership::set_name(&app2, &token2, &named.name).await }).await? {
        Ok(seat) => form(&app, &seat, &token, Some(Done::Saved)).await,
        Err(bad) => no_such_token(&app, bad),
    }
}

#[derive(serde::Deserialize)]
pub(super) struct Zoned {
    #[serde(default)]
    zone: String,
}

pub(super) async fn zone(
    State(app): State<App>,
    Path(token): Path<String>,
    Form(Zoned { zone }): Form<Zoned>,
) -> Result<Response, WebError> {
    let (app2, token2) = (app.clone(), token.clone());
    match to_the_end(async move { membership::set_zone(&app2, &token2, &zone).await }).await? {
        Ok((seat, None)) => form(&app, &seat, &token, Some(Done::Saved)).await,
        Ok((seat, Some(_))) => form(&app, &seat, &token, Some(Done::NoSuchZone)).await,
        Err(bad) => no_such_token(&app, bad),
    }
}

#[derive(serde::Deserialize)]
pub(super) struct Months {
    #[serde(default)]
    months: i8,
}

pub(super) async fn pause(
    State(app): State<App>,
    Path(token): Path<String>,
    Form(Months { months }): Form<Months>,
) -> Result<Response, WebError> {
    let (app2, token2) = (app.clone(), token.clone());
    match to_the_end(async move { membership::pause(&app2, &token2, months).await }).await? {
        Ok(seat) => form(&app, &seat, &token, Some(Done::Paused)).await,
        Err(bad) => no_such_token(&app, bad),
    }
}

pub(super) async fn resume(State(app): State<App>, Path(token): Path<String>) -> Result<Response, WebError> {
    let (app2, token2) = (app.clone(), token.clone());
    match to_the_end(async move { membership::resume(&app2, &token2).await }).await? {
        Ok(seat) => form(&app, &seat, &token, Some(Done::Resumed)).await,
        Err(bad) => no_such_token(&app, bad),
    }
}

#[derive(Clone, Copy)]
enum Done {
    Saved,
    NoSuchZone,
    Paused,
    Resumed,
}

async fn form(app: &App, seat: &Seat, token: &str, done: Option<Done>) -> Result<Response, WebError> {
    let (Some(newsletter), Some(person), Some(row)) = (&seat.newsletter, &seat.subscriber, &seat.subscription) else {
        return lost_in(app);
    };
    let f = Frame::load(app, newsletter, "").await?;
    let date = |at: i64| {
        let zone = crate::values::zone::find(&newsletter.zone).unwrap_or(jiff::tz::TimeZone::UTC);
        day(f.w.language, Millis(at).timestamp().to_zoned_datetime(zone).date()).date
    };
    let active = row.status == Status::Active;
    let until = row.paused_until.filter(|until| active && *until > app.clock.now().0);
    let paused_until = until.map(|until| put(f.w.paused_until, "date", &date(until)));
    let said = match done {
        Some(Done::NoSuchZone) => Some(f.w.zone_unknown.to_owned()),
        Some(Done::Saved) => Some(f.w.saved.to_owned()),
        Some(Done::Paused) => paused_until.clone(),
        Some(Done::Resumed) => Some(f.w.resumed.to_owned()),
        None => None,
    };
    let lives = if person.zone.is_empty() { newsletter.zone.as_str() } else { person.zone.as_str() };
    let page = Preferences {
        shows_zone: f.asks_zone || !person.zone.is_empty(),
        zone_is: put(f.w.zone_is, "zone", lives),
        zone_none: put(f.w.zone_none, "zone", &newsletter.zone),
        zones: if f.asks_zone || !person.zone.is_empty() { crate::values::zone::names() } else { Vec::new() },
        zone: person.zone.clone(),
        said,
        address: masked(seat).unwrap_or_default(),
        since: put(f.w.since, "date", &date(row.confirmed_at.unwrap_or(row.consent_at))),
        active,
        name: person.name.clone(),
        paused_until,
        personal: f.personal(token),
        f,
    };
    page.f.answer(&page)
}

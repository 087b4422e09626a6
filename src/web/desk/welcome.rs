//! The welcome, as editors write it: one mail a page, as Markdown with a head.

use askama::Template;
use axum::extract::{Form, Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;

use super::frame::{Frame, Here};
use super::room::Room;
use super::said::Said;
use crate::values::address::Address;
use crate::values::clock::Millis;
use crate::values::ids::WelcomeId;
use crate::verbs::app::{App, to_the_end};
use crate::verbs::membership;
use crate::verbs::problem::Problem;
use crate::web::error::{WebError, page, page_with, sentence};
use crate::web::see_other;

/// What a new mail begins with.
const BEGINNING: &str = "---\nsubject: Good that you are here\npreheader: What comes, and when\n---\n\n\
    Hello {{ name | default(\"reader\") }},\n\nthank you for subscribing.\n";

#[derive(Template)]
#[template(path = "desk/welcome.html")]
struct WelcomePage {
    frame: Frame,
    /// Empty for a new one.
    id: String,
    typed: Typed,
    who: String,
    error: String,
}

/// A mail as it is typed.
#[derive(Clone, Default, serde::Deserialize)]
#[serde(default)]
pub(super) struct Typed {
    source: String,
    /// Whole hours after joining.
    hours: String,
    on: String,
}

#[derive(serde::Deserialize)]
pub(super) struct Test {
    address: String,
}

pub(super) async fn show_new(State(app): State<App>, room: Room) -> Result<Response, WebError> {
    let typed = Typed { source: BEGINNING.into(), hours: "0".into(), on: String::new() };
    page(&view(&app, &room, String::new(), typed).await?)
}

pub(super) async fn show(
    State(app): State<App>,
    room: Room,
    Path((_, id)): Path<(String, String)>,
    Query(said): Query<Said>,
) -> Result<Response, WebError> {
    let steps = membership::steps(&app, room.paper.id).await?;
    let row = steps.into_iter().map(|step| step.row).find(|row| row.id.to_string() == id).ok_or(WebError::NotFound)?;
    let on = if row.is_on { "yes".to_owned() } else { String::new() };
    let typed = Typed { source: row.source, hours: (row.delay_ms / Millis::HOUR).to_string(), on };
    let mut view = view(&app, &room, id, typed).await?;
    view.frame = view.frame.telling(&said);
    page(&view)
}

async fn view(app: &App, room: &Room, id: String, typed: Typed) -> anyhow::Result<WelcomePage> {
    let frame = room.frame(app, Here::Readers, "Welcome").await?;
    Ok(WelcomePage { frame, id, typed, who: room.who.account.email.clone(), error: String::new() })
}

pub(super) async fn make(State(app): State<App>, room: Room, Form(typed): Form<Typed>) -> Result<Response, WebError> {
    save(&app, &room, None, typed).await
}

pub(super) async fn change(
    State(app): State<App>,
    room: Room,
    Path((_, id)): Path<(String, WelcomeId)>,
    Form(typed): Form<Typed>,
) -> Result<Response, WebError> {
    save(&app, &room, Some(id), typed).await
}

async fn save(app: &App, room: &Room, id: Option<WelcomeId>, typed: Typed) -> Result<Response, WebError> {
    let (app2, paper, by) = (app.clone(), room.paper.clone(), Some(room.who.account.id));
    // What is no number is refused as a delay that cannot be.
    let delay = typed.hours.trim().parse::<i64>().ok().and_then(|hours| hours.checked_mul(Millis::HOUR)).unwrap_or(-1);
    let (source, on) = (typed.source.replace("\r\n", "\n"), typed.on == "yes");
    let saved =
        to_the_end(async move { membership::save_welcome(&app2, &paper, id, delay, &source, on, by).await }).await;
    match saved {
        Ok(row) => Ok(see_other(&room.at(&format!("/welcome/{}?said=saved", row.id)))),
        Err(error) => {
            let Some(problem) = Problem::of(&error) else { return Err(error.into()) };
            let mut view = view(app, room, id.map(|id| id.to_string()).unwrap_or_default(), typed).await?;
            view.error = sentence(&problem.to_string());
            page_with(StatusCode::UNPROCESSABLE_ENTITY, &view)
        }
    }
}

pub(super) async fn remove(
    State(app): State<App>,
    room: Room,
    Path((_, id)): Path<(String, WelcomeId)>,
) -> Result<Response, WebError> {
    let paper = room.paper.id;
    to_the_end(async move { membership::remove_welcome(&app, paper, id).await }).await?;
    Ok(see_other(&room.at("/forms?said=deleted#welcome")))
}

pub(super) async fn test(
    State(app): State<App>,
    room: Room,
    Path((_, id)): Path<(String, WelcomeId)>,
    Form(Test { address }): Form<Test>,
) -> Result<Response, WebError> {
    let address = Address::parse(&address).map_err(|bad| WebError::Refused(sentence(&bad.to_string())))?;
    let steps = membership::steps(&app, room.paper.id).await?;
    if !steps.iter().any(|step| step.row.id == id) {
        return Err(WebError::NotFound);
    }
    to_the_end(async move { membership::test_welcome(&app, id, &address).await }).await?;
    Ok(see_other(&room.at(&format!("/welcome/{id}?said=tested"))))
}

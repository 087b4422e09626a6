//! Search from the masthead: issues by subject and text, readers by address and name.

use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;
use serde::Deserialize;

use super::frame::{Frame, Here};
use super::room::Room;
use super::state::State as Ink;
use crate::store::{desk, subscription};
use crate::verbs::app::App;
use crate::web::error::{WebError, page};

/// Finds of each kind shown.
const FOUND_SHOWN: i64 = 20;

#[derive(Template)]
#[template(path = "desk/find.html")]
struct FindPage {
    frame: Frame,
    words: String,
    issues: Vec<(String, String, String)>,
    readers: Vec<(String, String, String, Ink)>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Words {
    q: String,
}

pub(super) async fn show(
    State(app): State<App>,
    room: Room,
    Query(Words { q }): Query<Words>,
) -> Result<Response, WebError> {
    let words = q.trim().to_owned();
    let frame = room.frame(&app, Here::Home, format!("Search for {words}")).await?;
    let (mut issues, mut readers) = (Vec::new(), Vec::new());
    if !words.is_empty() {
        let mut tx = app.store.read().await?;
        issues = desk::find_issues(&mut tx, room.paper.id, &words, FOUND_SHOWN).await?;
        readers = subscription::before(&mut tx, room.paper.id, None, &words, None, FOUND_SHOWN).await?;
    }
    let (zone, now) = (room.paper.zone.as_str(), app.clock.now());
    let issue = |(id, number, subject, state): (_, Option<i64>, String, String)| {
        let name = number.map(|number| format!("{number} ")).unwrap_or_default();
        (format!("/desk/issue/{id}"), format!("{name}{subject}"), state.replace('_', " "))
    };
    let reader = |reader: subscription::Reader| {
        let state = Ink::of_reader(reader.status, reader.paused_until, zone, now);
        (room.at(&format!("/readers/{}", reader.id)), reader.address, reader.name, state)
    };
    page(&FindPage {
        frame,
        words,
        issues: issues.into_iter().map(issue).collect(),
        readers: readers.into_iter().map(reader).collect(),
    })
}

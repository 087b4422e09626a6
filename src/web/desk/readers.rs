//! The readers of a newsletter: who, found by address, name and status; and one put on by hand.

use askama::Template;
use axum::body::Body;
use axum::extract::{Form, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::frame::{Frame, Here};
use super::room::Room;
use super::said::Said;
use super::state::State as Ink;
use super::words::{When, number};
use crate::audience::status::Status;
use crate::store::Tx;
use crate::store::subscription::{self, Reader};
use crate::values::address::Address;
use crate::values::clock::Millis;
use crate::values::ids::SubscriberId;
use crate::verbs::app::{App, to_the_end};
use crate::verbs::membership::{self, Added, NewReader};
use crate::web::error::{WebError, page, page_with, sentence};
use crate::web::see_other;

/// Readers on one page.
const READERS_SHOWN: i64 = 50;

/// Chips: status as the database has it, and the word.
const CHIPS: [(Option<Status>, &str, &str); 6] = [
    (None, "", "All"),
    (Some(Status::Active), "active", "Active"),
    (Some(Status::Pending), "pending", "Waiting"),
    (Some(Status::Unsubscribed), "unsubscribed", "Left"),
    (Some(Status::Bounced), "bounced", "Bounced"),
    (Some(Status::Complained), "complained", "Complained"),
];

#[derive(Template)]
#[template(path = "desk/readers.html")]
struct ReadersPage {
    frame: Frame,
    standfirst: String,
    words: String,
    which: String,
    chips: Vec<(String, &'static str, String, bool)>,
    rows: Vec<Row>,
    nobody: bool,
    next: Option<String>,
}

#[derive(Template)]
#[template(path = "desk/reader_add.html")]
struct AddPage {
    frame: Frame,
    address: String,
    name: String,
    consent: String,
    error: String,
}

struct Row {
    href: String,
    address: String,
    name: String,
    state: Ink,
    joined: String,
    source: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Which {
    q: String,
    status: String,
    before: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct AddForm {
    address: String,
    name: String,
    consent: String,
}

pub(super) async fn show(
    State(app): State<App>,
    room: Room,
    Query(which): Query<Which>,
    Query(said): Query<Said>,
) -> Result<Response, WebError> {
    let frame = room.frame(&app, Here::Readers, "Readers").await?.telling(&said);
    page(&readers_page(&mut app.store.read().await?, frame, &room, &which).await?)
}

async fn readers_page(tx: &mut Tx, frame: Frame, room: &Room, which: &Which) -> anyhow::Result<ReadersPage> {
    let (status, code, _) = CHIPS.iter().find(|(_, code, _)| *code == which.status).copied().unwrap_or(CHIPS[0]);
    let before = which.before.parse().ok();
    let mut readers = subscription::before(tx, room.paper.id, status, &which.q, before, READERS_SHOWN + 1).await?;
    let is_more = readers.len() as i64 > READERS_SHOWN;
    readers.truncate(usize::try_from(READERS_SHOWN)?);
    let counts = subscription::counts(tx, room.paper.id).await?;
    let many = |of: Option<Status>| {
        counts.iter().filter(|(status, _)| of.is_none_or(|of| of == *status)).map(|(_, many)| many).sum::<i64>()
    };
    let query = |status: &str, before: &str| {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        for (name, value) in [("q", which.q.as_str()), ("status", status), ("before", before)] {
            if !value.is_empty() {
                query.append_pair(name, value);
            }
        }
        room.at(&format!("/readers?{}", query.finish()))
    };
    Ok(ReadersPage {
        standfirst: format!(
            "{} active, {} waiting to confirm.",
            number(many(Some(Status::Active))),
            number(many(Some(Status::Pending)))
        ),
        chips: CHIPS
            .iter()
            .map(|(of, known, word)| (query(known, ""), *word, number(many(*of)), *known == code))
            .collect(),
        next: readers.last().filter(|_| is_more).map(|last| query(code, &last.id.to_string())),
        nobody: many(None) == 0,
        rows: readers.into_iter().map(|reader| row(room, reader, tx.now)).collect(),
        words: which.q.clone(),
        which: code.to_owned(),
        frame,
    })
}

fn row(room: &Room, reader: Reader, now: Millis) -> Row {
    let joined = Millis(reader.confirmed_at.unwrap_or(reader.consent_at));
    Row {
        href: room.at(&format!("/readers/{}", reader.id)),
        state: Ink::of_reader(reader.status, reader.paused_until, &room.paper.zone, now),
        joined: When::new(joined, &room.paper.zone).date,
        address: reader.address,
        name: reader.name,
        source: reader.consent_source,
    }
}

pub(super) async fn show_add(State(app): State<App>, room: Room) -> Result<Response, WebError> {
    let frame = room.frame(&app, Here::Readers, "Add a reader").await?;
    page(&AddPage { frame, address: String::new(), name: String::new(), consent: String::new(), error: String::new() })
}

pub(super) async fn add(State(app): State<App>, room: Room, Form(form): Form<AddForm>) -> Result<Response, WebError> {
    match try_to_add(&app, &room, &form).await? {
        Ok(id) => Ok(see_other(&room.at(&format!("/readers/{id}?said=added")))),
        Err(why) => {
            let frame = room.frame(&app, Here::Readers, "Add a reader").await?;
            let AddForm { address, name, consent } = form;
            page_with(
                StatusCode::UNPROCESSABLE_ENTITY,
                &AddPage { frame, address, name, consent, error: sentence(&why) },
            )
        }
    }
}

/// The reader's id, or why there is none.
async fn try_to_add(app: &App, room: &Room, form: &AddForm) -> anyhow::Result<Result<SubscriberId, String>> {
    let address = match Address::parse(&form.address) {
        Ok(address) => address,
        Err(why) => return Ok(Err(why.to_string())),
    };
    if form.consent.trim().is_empty() {
        return Ok(Err("say where and to what this reader agreed: the words are kept as proof".into()));
    }
    let new = NewReader {
        newsletter: room.paper.id,
        address,
        name: form.name.clone(),
        consent: form.consent.clone(),
        by: room.who.account.name.clone(),
        account: Some(room.who.account.id),
    };
    let app = app.clone();
    Ok(match to_the_end(async move { membership::add_reader(&app, new).await }).await? {
        Added::Active(id) | Added::AlreadyActive(id) => Ok(id),
        Added::LeftBefore(_) => {
            Err("this reader has left, bounced or complained before; only they can come back, by the form".into())
        }
        Added::Suppressed => Err("this address is suppressed and must not be mailed".into()),
    })
}

/// The list as CSV, of one status or of all.
pub(super) async fn export(State(app): State<App>, room: Room, Query(which): Query<Which>) -> Response {
    let status = CHIPS.iter().find(|(_, code, _)| *code == which.status).and_then(|(status, ..)| *status);
    let name = format!("attachment; filename=\"{}-readers.csv\"", room.paper.slug);
    let head = [(header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()), (header::CONTENT_DISPOSITION, name)];
    (head, Body::from_stream(membership::export(&app, room.paper.id, status))).into_response()
}

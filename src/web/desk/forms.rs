//! Forms: a newsletter's ways in, what they ask, and the spike that is on.

use askama::Template;
use axum::extract::{Form, Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;

use super::frame::{Frame, Here};
use super::room::Room;
use super::said::Said;
use super::state::State as Ink;
use super::words::{When, count, number};
use crate::audience::form::ASKS;
use crate::store::form::{self, Form as Row};
use crate::values::clock::Millis;
use crate::verbs::app::{App, to_the_end};
use crate::verbs::membership::{self, FormChange, Step};
use crate::verbs::problem::Problem;
use crate::web::error::{WebError, page, page_with, sentence};
use crate::web::see_other;

#[derive(Template)]
#[template(path = "desk/forms.html")]
struct FormsPage {
    frame: Frame,
    spike: Option<String>,
    forms: Vec<Way>,
    steps: Vec<Mail>,
    fields: String,
    topics: String,
    /// Which of the two could not be saved, and why.
    wrong: &'static str,
    error: String,
}

/// A form, as it is listed.
struct Way {
    slug: String,
    page: String,
    state: Ink,
    asks: String,
    confirmed: &'static str,
}

/// A welcome mail, as it is listed.
struct Mail {
    id: String,
    subject: String,
    when: String,
    state: Ink,
    waiting: String,
    sent: String,
}

#[derive(Template)]
#[template(path = "desk/form.html")]
struct FormPage {
    frame: Frame,
    new: bool,
    typed: Typed,
    /// `(key, label, asked)`
    asks: Vec<(String, String, bool)>,
    consent: String,
    public: String,
    error: String,
    version: i64,
}

/// A form as it is typed.
#[derive(Clone, Default, serde::Deserialize)]
#[serde(default)]
pub(super) struct Typed {
    slug: String,
    title: String,
    lead: String,
    cadence: String,
    consent_text: String,
    asks: Vec<String>,
    single_reason: String,
    origins: String,
    challenge: String,
    open: String,
}

#[derive(serde::Deserialize)]
pub(super) struct Lines {
    #[serde(default)]
    lines: String,
}

pub(super) async fn show(State(app): State<App>, room: Room, Query(said): Query<Said>) -> Result<Response, WebError> {
    let mut view = forms_page(&app, &room).await?;
    view.frame = view.frame.telling(&said);
    page(&view)
}

async fn forms_page(app: &App, room: &Room) -> anyhow::Result<FormsPage> {
    let frame = room.frame(app, Here::Readers, "Forms").await?;
    let mut tx = app.store.read().await?;
    let forms = form::of(&mut tx, room.paper.id).await?;
    let fields = form::fields(&mut tx, room.paper.id).await?;
    let topics = form::topics(&mut tx, room.paper.id).await?;
    drop(tx);
    let steps = membership::steps(app, room.paper.id).await?;
    let spike = membership::spike_now(app, room.paper.id).await?.map(|spike| {
        let until = When::new(Millis(spike.until), &room.paper.zone).short;
        format!(
            "{} in an hour; {}.{:02} are usual. Each sign-up does a little work first, until {until} at least. No \
             mailbox gets more than three mails a day.",
            count(spike.asked, "sign-up", "sign-ups"),
            spike.usual / 100,
            spike.usual % 100
        )
    });
    let lines = |all: Vec<String>| all.join("\n");
    Ok(FormsPage {
        frame,
        spike,
        forms: forms.iter().map(|form| way(form, &room.paper.slug)).collect(),
        steps: steps.iter().map(mail).collect(),
        fields: lines(fields.iter().map(ToString::to_string).collect()),
        topics: lines(topics.iter().map(ToString::to_string).collect()),
        wrong: "",
        error: String::new(),
    })
}

fn way(form: &Row, paper: &str) -> Way {
    Way {
        page: if form.is_main() { format!("/{paper}") } else { format!("/{paper}/form/{}", form.slug) },
        state: if form.is_open { Ink::new("good", "check", "Open") } else { Ink::new("plain", "lock", "Closed") },
        asks: if form.asks.is_empty() { "the address".into() } else { form.asks.replace(',', ", ") },
        confirmed: if form.single_reason.is_empty() { "by mail" } else { "not: single opt-in" },
        slug: form.slug.clone(),
    }
}

fn mail(step: &Step) -> Mail {
    Mail {
        id: step.row.id.to_string(),
        subject: if step.subject.is_empty() { "Without a subject yet".into() } else { step.subject.clone() },
        when: match step.row.delay_ms {
            0 => "at once".into(),
            delay => format!("after {}", super::words::span(delay)),
        },
        state: if step.row.is_on { Ink::new("good", "check", "On") } else { Ink::new("plain", "pause", "Off") },
        waiting: number(step.waiting),
        sent: number(step.sent),
    }
}

pub(super) async fn save_fields(
    State(app): State<App>,
    room: Room,
    Form(Lines { lines }): Form<Lines>,
) -> Result<Response, WebError> {
    let (app2, id, text) = (app.clone(), room.paper.id, lines.clone());
    let saved = to_the_end(async move { membership::set_fields(&app2, id, &text).await.map(drop) }).await;
    after_lines(&app, &room, saved, "fields", lines).await
}

pub(super) async fn save_topics(
    State(app): State<App>,
    room: Room,
    Form(Lines { lines }): Form<Lines>,
) -> Result<Response, WebError> {
    let (app2, id, text) = (app.clone(), room.paper.id, lines.clone());
    let saved = to_the_end(async move { membership::set_topics(&app2, id, &text).await.map(drop) }).await;
    after_lines(&app, &room, saved, "topics", lines).await
}

async fn after_lines(
    app: &App,
    room: &Room,
    saved: anyhow::Result<()>,
    which: &'static str,
    typed: String,
) -> Result<Response, WebError> {
    let Err(error) = saved else { return Ok(see_other(&room.at("/forms?said=saved"))) };
    let Some(problem) = Problem::of(&error) else { return Err(error.into()) };
    let mut view = forms_page(app, room).await?;
    (view.wrong, view.error) = (which, sentence(&problem.to_string()));
    *if which == "fields" { &mut view.fields } else { &mut view.topics } = typed;
    page_with(StatusCode::UNPROCESSABLE_ENTITY, &view)
}

pub(super) async fn show_new(State(app): State<App>, room: Room) -> Result<Response, WebError> {
    let typed = Typed { challenge: "auto".into(), open: "yes".into(), ..Typed::default() };
    page(&form_page(&app, &room, typed, true, 1).await?)
}

pub(super) async fn show_one(
    State(app): State<App>,
    room: Room,
    Path((_, slug)): Path<(String, String)>,
    Query(said): Query<Said>,
) -> Result<Response, WebError> {
    let found = membership::find_form(&app, room.paper.id, &slug).await?;
    let row = found.ok_or(WebError::NotFound)?;
    let version = row.version;
    let mut view = form_page(&app, &room, Typed::of(row), false, version).await?;
    view.frame = view.frame.telling(&said);
    page(&view)
}

impl Typed {
    fn of(row: Row) -> Self {
        Self {
            asks: row.asks.split(',').map(str::to_owned).collect(),
            slug: row.slug,
            title: row.title,
            lead: row.lead,
            cadence: row.cadence,
            consent_text: row.consent_text,
            single_reason: row.single_reason,
            origins: row.origins,
            challenge: row.challenge,
            open: if row.is_open { "yes".into() } else { String::new() },
        }
    }

    fn change(self) -> FormChange {
        let lines = |text: &str| text.split_whitespace().map(str::to_owned).collect();
        FormChange {
            title: Some(self.title),
            lead: Some(self.lead),
            cadence: Some(self.cadence),
            consent_text: Some(self.consent_text),
            asks: Some(self.asks.into_iter().filter(|ask| !ask.is_empty()).collect()),
            single_reason: Some(self.single_reason),
            origins: Some(lines(&self.origins)),
            challenge: Some(self.challenge),
            is_open: Some(self.open == "yes"),
        }
    }
}

async fn form_page(app: &App, room: &Room, typed: Typed, new: bool, version: i64) -> anyhow::Result<FormPage> {
    let title = if new { "A new form".to_owned() } else { format!("Form {}", typed.slug) };
    let frame = room.frame(app, Here::Readers, title).await?;
    let fields = form::fields(&mut app.store.read().await?, room.paper.id).await?;
    let label = |ask: &str| match ask {
        "name" => "Name",
        "topics" => "Topics",
        "frequency" => "How often",
        "language" => "Language, guessed from the browser",
        _ => "Time zone, guessed from the device",
    };
    let own = ASKS.iter().map(|ask| ((*ask).to_owned(), label(ask).to_owned()));
    let asked = own.chain(fields.into_iter().map(|field| (field.key, field.label)));
    Ok(FormPage {
        asks: asked.map(|(key, label)| (typed.asks.contains(&key), key, label)).map(|(on, k, l)| (k, l, on)).collect(),
        consent: room.paper.consent_text.clone(),
        public: app.config.public_url.trim_end_matches('/').to_owned(),
        frame,
        new,
        typed,
        error: String::new(),
        version,
    })
}

pub(super) async fn make(
    State(app): State<App>,
    room: Room,
    axum_extra::extract::Form(typed): axum_extra::extract::Form<Typed>,
) -> Result<Response, WebError> {
    let slug = typed.slug.trim().to_owned();
    save(&app, &room, slug, typed, true).await
}

pub(super) async fn change(
    State(app): State<App>,
    room: Room,
    Path((_, slug)): Path<(String, String)>,
    axum_extra::extract::Form(typed): axum_extra::extract::Form<Typed>,
) -> Result<Response, WebError> {
    save(&app, &room, slug, typed, false).await
}

async fn save(app: &App, room: &Room, slug: String, typed: Typed, new: bool) -> Result<Response, WebError> {
    let (app2, id, by) = (app.clone(), room.paper.id, Some(room.who.account.id));
    let (name, change) = (slug.clone(), typed.clone().change());
    let saved = to_the_end(async move { membership::save_form(&app2, id, &name, change, new, by).await }).await;
    let Err(error) = saved else { return Ok(see_other(&room.at(&format!("/forms/{slug}?said=saved")))) };
    let Some(problem) = Problem::of(&error) else { return Err(error.into()) };
    let mut view = form_page(app, room, Typed { slug, ..typed }, new, 1).await?;
    view.error = sentence(&problem.to_string());
    page_with(StatusCode::UNPROCESSABLE_ENTITY, &view)
}

pub(super) async fn remove(
    State(app): State<App>,
    room: Room,
    Path((_, slug)): Path<(String, String)>,
) -> Result<Response, WebError> {
    let (id, by) = (room.paper.id, Some(room.who.account.id));
    to_the_end(async move { membership::remove_form(&app, id, &slug, by).await }).await?;
    Ok(see_other(&room.at("/forms?said=deleted")))
}

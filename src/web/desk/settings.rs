//! Everything that can be set about a newsletter, on one page of several forms: each saves itself and nothing else.

use askama::Template;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum_extra::extract::Form;
use serde::Deserialize;

use super::frame::{Frame, Here};
use super::home;
use super::hours::HoursForm;
use super::nodes::{self, NodeLine};
use super::pace::{self, PaceForm};
use super::room::Room;
use super::said::Said;
use super::state::State as Ink;
use super::words::{When, from_now};
use crate::schedule::zone;
use crate::store::newsletter::Newsletter;
use crate::store::relay::{self, Relay};
use crate::values::clock::Millis;
use crate::values::relay::{RelayUrl, Tls};
use crate::verbs::app::{App, to_the_end};
use crate::verbs::hours as verbs_hours;
use crate::verbs::problem::Problem;
use crate::verbs::relays::{self, Hello};
use crate::verbs::{instance, newsletters, warm_up};
use crate::web::error::{WebError, page, page_with, sentence};
use crate::web::see_other;

#[derive(Template)]
#[template(path = "desk/settings.html")]
struct SettingsPage {
    frame: Frame,
    n: Newsletter,
    zones: Vec<String>,
    /// The form that was refused, and why, line by line.
    wrong: &'static str,
    errors: Vec<String>,
    slot: SlotForm,
    slot_words: String,
    firings: Vec<Firing>,
    hours: HoursForm,
    hours_words: Vec<String>,
    relay: RelayForm,
    relay_state: Option<Ink>,
    relay_note: String,
    paces: Vec<PaceForm>,
    warms_up: bool,
    demo: bool,
    /// What the relay answered, after it was tried.
    tried: Option<Hello>,
    /// Why nothing leaves this installation, if so.
    hold: String,
    nodes: Vec<NodeLine>,
}

pub(super) struct Firing {
    pub(super) day: String,
    pub(super) local: String,
    pub(super) away: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct IdentityForm {
    name: String,
    tagline: String,
    from_name: String,
    from_address: String,
    reply_to: String,
    postal_address: String,
    language: String,
    zone: String,
    consent_text: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct LookForm {
    accent: String,
    accent_dark: String,
}

/// A slot as it is typed: none, days and a time, or a line of its own.
#[derive(Clone, Deserialize, Default)]
#[serde(default)]
pub(super) struct SlotForm {
    mode: String,
    day: Vec<String>,
    at: String,
    line: String,
    lateness_hours: String,
}

#[derive(Clone, Deserialize, Default)]
#[serde(default)]
pub(super) struct RelayForm {
    host: String,
    port: String,
    tls: String,
    username: String,
    password: String,
}

const DAYS: [(&str, &str); 7] = [
    ("MON", "Monday"),
    ("TUE", "Tuesday"),
    ("WED", "Wednesday"),
    ("THU", "Thursday"),
    ("FRI", "Friday"),
    ("SAT", "Saturday"),
    ("SUN", "Sunday"),
];

impl SlotForm {
    /// The days to tick, for the template.
    fn days(&self) -> Vec<(&'static str, &'static str, bool)> {
        DAYS.iter().map(|(short, long)| (*short, *long, self.day.iter().any(|day| day == short))).collect()
    }

    /// As the database has it, taken apart.
    fn of(paper: &Newsletter) -> Self {
        let line = paper.slot.clone().unwrap_or_default();
        let parts: Vec<&str> = line.split_whitespace().collect();
        let (mode, day, at) = match parts.as_slice() {
            [] => ("none", Vec::new(), "09:00"),
            ["weekly", days, at] => ("weekly", days.split(',').map(str::to_owned).collect(), *at),
            _ => ("line", Vec::new(), "09:00"),
        };
        let lateness_hours = (paper.max_lateness_ms / Millis::HOUR).to_string();
        Self { mode: mode.into(), day, at: at.into(), line: line.clone(), lateness_hours }
    }

    /// The schedule's text; empty for none.
    fn text(&self) -> String {
        match self.mode.as_str() {
            "weekly" => format!("weekly {} {}", self.day.join(","), self.at),
            "line" => self.line.trim().to_owned(),
            _ => String::new(),
        }
    }
}

impl RelayForm {
    fn of(relay: Option<&Relay>) -> Self {
        let Some(relay) = relay else { return Self { port: "587".into(), tls: "starttls".into(), ..Self::default() } };
        Self {
            host: relay.host.clone(),
            port: relay.port.to_string(),
            tls: relay.tls.as_str().into(),
            username: relay.username.clone().unwrap_or_default(),
            password: String::new(),
        }
    }

    /// What was typed; an empty password keeps the one that is kept for the same place and name.
    fn url(&self, kept: Option<&Relay>) -> Result<RelayUrl, String> {
        let host = self.host.trim().to_owned();
        if host.is_empty() || host.contains(['/', '@', ' ']) {
            return Err("write the relay's host alone, such as smtp.example.org".into());
        }
        let port = self.port.trim().parse().map_err(|_| "the port is a number, usually 587, 465 or 25".to_owned())?;
        let tls: Tls = self.tls.parse()?;
        let username = Some(self.username.trim().to_owned()).filter(|name| !name.is_empty());
        let same = |relay: &&Relay| relay.host == host && relay.username == username;
        let password = match self.password.as_str() {
            "" => kept.filter(same).and_then(|relay| relay.password.clone()),
            typed => Some(typed.to_owned()),
        };
        Ok(RelayUrl { host, port, tls, username, password })
    }
}

pub(super) async fn show(State(app): State<App>, room: Room, Query(said): Query<Said>) -> Result<Response, WebError> {
    let frame = room.frame(&app, Here::Settings, "Settings").await?.telling(&said);
    page(&settings_page(&app, frame, room.paper).await?)
}

async fn settings_page(app: &App, frame: Frame, paper: Newsletter) -> anyhow::Result<SettingsPage> {
    let kept = relay_of(app, &paper).await?;
    let now = app.clock.now();
    let (relay_state, relay_note) = relay_words(kept.as_ref(), &paper.zone, now);
    Ok(SettingsPage {
        zones: zone::names(),
        wrong: "",
        errors: Vec::new(),
        slot: SlotForm::of(&paper),
        slot_words: home::schedule(&paper).map(|schedule| sentence(&schedule.words())).unwrap_or_default(),
        firings: firings(&paper, now),
        hours: HoursForm::of(&verbs_hours::of(None, &paper)),
        hours_words: verbs_hours::of(None, &paper).words(),
        relay: RelayForm::of(kept.as_ref()),
        relay_state,
        relay_note,
        paces: pace::forms(app, &paper).await?,
        warms_up: warms_up(app, &paper).await?,
        demo: app.config.demo,
        tried: None,
        hold: instance::hold(app).await?.map(|why| sentence(&why)).unwrap_or_default(),
        nodes: nodes::lines(app).await?,
        n: paper,
        frame,
    })
}

async fn warms_up(app: &App, paper: &Newsletter) -> anyhow::Result<bool> {
    let mut tx = app.store.read().await?;
    warm_up::is_on(&mut tx, paper).await
}

async fn relay_of(app: &App, paper: &Newsletter) -> anyhow::Result<Option<Relay>> {
    let mut tx = app.store.read().await?;
    Ok(match paper.relay_id {
        Some(id) => relay::by_id(&mut tx, id).await?,
        None => None,
    })
}

fn relay_words(relay: Option<&Relay>, zone: &str, now: Millis) -> (Option<Ink>, String) {
    match relay {
        None => (Some(Ink::new("bad", "stop", "No relay yet")), "Nothing can be sent until one is named.".into()),
        Some(relay) if relay.is_paused(now) => {
            let until = relay.paused_until.map(|until| When::near(Millis(until), now, zone)).unwrap_or_default();
            let why = relay.paused_reason.clone().unwrap_or_default();
            (Some(Ink::new("warn", "pause", format!("Resting until {until}"))), why)
        }
        Some(_) => (Some(Ink::new("good", "check", "Takes mail")), String::new()),
    }
}

/// The next five firings, each with its zone's offset on that day.
pub(super) fn firings(paper: &Newsletter, now: Millis) -> Vec<Firing> {
    let firing = |at: Millis| {
        let when = When::new(at, &paper.zone);
        let day = when.full.split(',').next().unwrap_or_default().to_owned();
        Firing { day, local: format!("{} ({})", when.time, when.offset), away: from_now(at, now) }
    };
    home::firings(paper, now).into_iter().map(firing).collect()
}

pub(super) async fn identity(
    State(app): State<App>,
    room: Room,
    Form(form): Form<IdentityForm>,
) -> Result<Response, WebError> {
    let mut changed = room.paper.clone();
    changed.name = form.name.trim().to_owned();
    changed.tagline = form.tagline.trim().to_owned();
    changed.from_name = form.from_name.trim().to_owned();
    changed.from_address = form.from_address.trim().to_owned();
    changed.reply_to = Some(form.reply_to.trim().to_owned()).filter(|address| !address.is_empty());
    changed.postal_address = form.postal_address.trim().to_owned();
    changed.language = form.language.trim().to_owned();
    changed.zone = form.zone.trim().to_owned();
    changed.consent_text = form.consent_text.trim().to_owned();
    save(app, room, changed, "identity", None).await
}

pub(super) async fn look(State(app): State<App>, room: Room, Form(form): Form<LookForm>) -> Result<Response, WebError> {
    let mut changed = room.paper.clone();
    changed.accent = form.accent.trim().to_owned();
    changed.accent_dark = form.accent_dark.trim().to_owned();
    save(app, room, changed, "look", None).await
}

pub(super) async fn slot(State(app): State<App>, room: Room, Form(form): Form<SlotForm>) -> Result<Response, WebError> {
    let mut changed = room.paper.clone();
    changed.slot = Some(form.text()).filter(|text| !text.is_empty());
    let hours = form.lateness_hours.trim().parse::<i64>().ok().filter(|hours| (0..=168).contains(hours));
    let Some(hours) = hours else {
        let why = "the latest delay is a number of hours from 0 to 168; nothing was changed".to_owned();
        return refused(&app, room, changed, "slot", vec![why], Some(form)).await;
    };
    changed.max_lateness_ms = hours * Millis::HOUR;
    save(app, room, changed, "slot", Some(form)).await
}

pub(super) async fn hours(
    State(app): State<App>,
    room: Room,
    Form(form): Form<HoursForm>,
) -> Result<Response, WebError> {
    let mut changed = room.paper.clone();
    match form.wishes() {
        Ok(wishes) => {
            // All off is nothing said: a newsletter like any other.
            let plain = wishes.hours().is_plain();
            changed.hours = if plain { String::new() } else { wishes.to_string() };
            save(app, room, changed, "hours", None).await
        }
        Err(why) => {
            let frame = room.frame(&app, Here::Settings, "Settings").await?;
            let mut again = settings_page(&app, frame, room.paper).await?;
            (again.wrong, again.errors, again.hours) = ("hours", vec![sentence(&why)], form);
            page_with(StatusCode::UNPROCESSABLE_ENTITY, &again)
        }
    }
}

async fn save(
    app: App,
    room: Room,
    changed: Newsletter,
    form: &'static str,
    slot: Option<SlotForm>,
) -> Result<Response, WebError> {
    let (on, new) = (app.clone(), changed.clone());
    let saved = to_the_end(async move { newsletters::save(&on, new).await }).await;
    match saved {
        Ok(_) => Ok(see_other(&room.at(&format!("/settings?said=saved#{form}")))),
        Err(error) => match Problem::of(&error) {
            Some(Problem::Invalid(lines)) => {
                let lines = lines.lines().map(str::to_owned).collect();
                refused(&app, room, changed, form, lines, slot).await
            }
            _ => Err(error.into()),
        },
    }
}

/// The page again, with what was typed and why it was not kept.
async fn refused(
    app: &App,
    room: Room,
    typed: Newsletter,
    form: &'static str,
    errors: Vec<String>,
    slot: Option<SlotForm>,
) -> Result<Response, WebError> {
    let frame = room.frame(app, Here::Settings, "Settings").await?;
    let mut again = settings_page(app, frame, room.paper).await?;
    again.n = typed;
    again.slot = slot.unwrap_or(again.slot);
    (again.wrong, again.errors) = (form, errors.iter().map(|line| sentence(line)).collect());
    page_with(StatusCode::UNPROCESSABLE_ENTITY, &again)
}

pub(super) async fn relay(
    State(app): State<App>,
    room: Room,
    Form(form): Form<RelayForm>,
) -> Result<Response, WebError> {
    let kept = relay_of(&app, &room.paper).await?;
    let url = match form.url(kept.as_ref()) {
        Ok(url) => url,
        Err(why) => return relay_refused(&app, room, form, why).await,
    };
    let (on, id) = (app.clone(), room.paper.id);
    match to_the_end(async move { newsletters::set_relay(&on, id, &url).await }).await {
        Ok(_) => Ok(see_other(&room.at("/settings?said=relay#relay"))),
        Err(error) => match Problem::of(&error) {
            Some(Problem::Invalid(why)) => relay_refused(&app, room, form, why.clone()).await,
            _ => Err(error.into()),
        },
    }
}

/// Connects to the relay and says hello; nothing is sent.
pub(super) async fn try_relay(State(app): State<App>, room: Room) -> Result<Response, WebError> {
    let kept = relay_of(&app, &room.paper).await?;
    let tried = relays::hello(&app, kept.as_ref()).await;
    let frame = room.frame(&app, Here::Settings, "Settings").await?;
    let mut answer = settings_page(&app, frame, room.paper).await?;
    answer.tried = Some(tried);
    page(&answer)
}

/// Lets mail leave again after a restored backup was looked at.
pub(super) async fn release(State(app): State<App>, room: Room) -> Result<Response, WebError> {
    to_the_end(async move { instance::go_ahead(&app).await }).await?;
    Ok(see_other(&room.at("/settings?said=released")))
}

/// The page again with a relay's limits as they were typed, and why they were not kept.
pub(super) async fn pace_refused(app: &App, room: Room, form: PaceForm, why: String) -> Result<Response, WebError> {
    let frame = room.frame(app, Here::Settings, "Settings").await?;
    let mut again = settings_page(app, frame, room.paper).await?;
    (again.wrong, again.errors) = ("pace", why.lines().map(sentence).collect());
    if let Some(kept) = again.paces.iter_mut().find(|kept| kept.relay == form.relay) {
        *kept = form;
    }
    page_with(StatusCode::UNPROCESSABLE_ENTITY, &again)
}

async fn relay_refused(app: &App, room: Room, form: RelayForm, why: String) -> Result<Response, WebError> {
    let frame = room.frame(app, Here::Settings, "Settings").await?;
    let mut again = settings_page(app, frame, room.paper).await?;
    (again.wrong, again.errors, again.relay) = ("relay", vec![sentence(&why)], form);
    page_with(StatusCode::UNPROCESSABLE_ENTITY, &again)
}

#[cfg(test)]
mod tests {
    use super::SlotForm;

    #[test]
    fn a_slot_is_what_was_picked() {
        let days = vec!["MON".to_owned(), "THU".to_owned()];
        let weekly = SlotForm { mode: "weekly".into(), day: days, at: "18:30".into(), ..SlotForm::default() };
        assert_eq!(weekly.text(), "weekly MON,THU 18:30");
        let line = SlotForm { mode: "line".into(), line: " 0 9 * * SUN ".into(), ..SlotForm::default() };
        assert_eq!(line.text(), "0 9 * * SUN");
        assert_eq!(SlotForm { mode: "none".into(), line: "x".into(), ..SlotForm::default() }.text(), "");
    }
}

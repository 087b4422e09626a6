//! What exactly one agrees to: one sentence, who gets it and who does not, what the checks say, one button.

use askama::Template;
use axum::extract::{Form, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;

use super::editor::advice;
use super::frame::Frame;
use super::home;
use super::room::Edition;
use super::said::Said;
use super::settings::{Firing, firings};
use super::state::{State as Ink, issue_name, subject};
use super::words::{count, from_now, number};
use crate::audience::status::Status;
use crate::delivery::counts::Counts;
use crate::issue::finding::Severity;
use crate::schedule::wall::{self, Moment};
use crate::schedule::zone;
use crate::store::delivery::freeze;
use crate::store::issue::IssueState;
use crate::store::{Tx, desk, subscription};
use crate::values::clock::Millis;
use crate::verbs::app::{App, to_the_end};
use crate::verbs::editing::rendering::{self, Ready};
use crate::verbs::publish;
use crate::web::error::{WebError, capital, page, page_with, sentence};
use crate::web::see_other;

#[derive(Template)]
#[template(path = "desk/review.html")]
struct ReviewPage {
    frame: Frame,
    at: String,
    name: String,
    state: Ink,
    is_planned: bool,
    subject: String,
    readers: String,
    when: String,
    standfirst: String,
    rows: Vec<(&'static str, String, &'static str)>,
    total: String,
    outside: String,
    blocks: Vec<(usize, String, String)>,
    warns: Vec<(usize, String, String)>,
    from: String,
    reply_to: String,
    proof: String,
    choice: Choice,
    zones: Vec<String>,
    firings: Vec<Firing>,
    has_slot: bool,
    slot_words: String,
    button: String,
    hold: String,
    error: String,
    can_go: bool,
}

/// When it is to go.
#[derive(Clone, Deserialize, Default)]
#[serde(default)]
pub(super) struct Choice {
    /// `now`, `at` or `slot`; empty takes what is likeliest.
    when: String,
    /// `2026-11-29T09:00`
    wall: String,
    zone: String,
}

/// The choice, understood.
enum Time {
    Now,
    At(Moment),
    Slot(Millis),
}

pub(super) async fn show(
    State(app): State<App>,
    edition: Edition,
    Query(choice): Query<Choice>,
    Query(said): Query<Said>,
) -> Result<Response, WebError> {
    if !edition.issue.state.is_editable() {
        return Ok(see_other(&edition.at("/sending")));
    }
    page(&review(&app, &edition, choice, &said, String::new()).await?)
}

async fn review(
    app: &App,
    edition: &Edition,
    mut choice: Choice,
    said: &Said,
    mut error: String,
) -> anyhow::Result<ReviewPage> {
    let ready = rendering::by_id(app, edition.issue.id).await?.ok_or(crate::verbs::refusal::Refusal::NoSuchIssue)?;
    let name = issue_name(&edition.issue);
    let frame = edition.frame(app, format!("Review {}", name.to_lowercase())).await?.telling(said);
    let mut tx = app.store.read().await?;
    let readers = freeze::mailable(&mut tx, edition.paper.id).await?;
    complete(&mut choice, edition, tx.now);
    let time = understood(&choice, edition, tx.now);
    if let (Err(why), true) = (&time, error.is_empty()) {
        error = sentence(why);
    }
    let hold = i64::try_from(app.config.hold_seconds).unwrap_or(i64::MAX);
    let (rows, outside) = audience(&mut tx, edition).await?;
    let of = |severity: Severity| {
        ready
            .findings
            .iter()
            .filter(move |finding| finding.severity == severity)
            .map(|finding| (finding.at.line, capital(&finding.what), advice(&finding.instead)))
            .collect::<Vec<_>>()
    };
    let blocks = of(Severity::Blocks);
    Ok(ReviewPage {
        at: edition.at(""),
        state: Ink::of_issue(&edition.issue, &Counts::default(), &edition.paper.zone, tx.now),
        is_planned: edition.issue.state != IssueState::Draft,
        subject: subject(&edition.issue),
        readers: count(readers, "reader", "readers"),
        when: spoken(time.as_ref().ok(), &edition.paper.zone),
        standfirst: standfirst(time.as_ref().ok(), tx.now),
        rows,
        total: number(readers),
        outside,
        warns: of(Severity::Warns),
        from: format!("{}, {}", edition.paper.from_name, edition.paper.from_address),
        reply_to: edition.paper.reply_to.clone().unwrap_or_default(),
        proof: proof(&ready),
        zones: zone::names(),
        firings: firings(&edition.paper, tx.now),
        has_slot: home::schedule(&edition.paper).is_some(),
        slot_words: home::schedule(&edition.paper).map(|schedule| schedule.words()).unwrap_or_default(),
        button: button(&name, time.as_ref().ok(), &edition.paper.zone),
        hold: count(hold, "second", "seconds"),
        can_go: blocks.is_empty() && readers > 0 && time.is_ok(),
        blocks,
        choice,
        error,
        name,
        frame,
    })
}

/// Fills in what was not said: the time it has, else the next slot, else now.
fn complete(choice: &mut Choice, edition: &Edition, now: Millis) {
    if choice.zone.is_empty() {
        choice.zone = edition.issue.scheduled_zone.clone().unwrap_or_else(|| edition.paper.zone.clone());
    }
    if choice.wall.is_empty() {
        choice.wall = edition.issue.scheduled_wall.clone().unwrap_or_default();
    }
    if !matches!(choice.when.as_str(), "now" | "at" | "slot") {
        let has_slot = !home::firings(&edition.paper, now).is_empty();
        choice.when = match (edition.issue.state, has_slot) {
            (IssueState::Scheduled, _) => "at",
            (_, true) => "slot",
            _ => "now",
        }
        .to_owned();
    }
}

fn understood(choice: &Choice, edition: &Edition, now: Millis) -> Result<Time, String> {
    match choice.when.as_str() {
        "now" => Ok(Time::Now),
        "slot" => match home::firings(&edition.paper, now).first() {
            Some(at) => Ok(Time::Slot(*at)),
            None => Err("this newsletter has no weekly slot; set one in Settings, or choose a time".into()),
        },
        _ if choice.wall.trim().is_empty() => Err("choose a day and a time".into()),
        _ => {
            wall::parse(&choice.wall.replace('T', " "), &choice.zone, now).map(Time::At).map_err(|why| why.to_string())
        }
    }
}

/// "on Sun 29 Nov 2026 09:00 America/Vancouver (UTC−7)", or "now".
fn spoken(time: Option<&Time>, zone: &str) -> String {
    let say = |at: Millis, name: &str| zone::find(name).map(|tz| wall::say(at, &tz)).unwrap_or_default();
    match time {
        Some(Time::Now) => "now".into(),
        Some(Time::At(moment)) => format!("on {}", say(moment.at, &moment.zone)),
        Some(Time::Slot(at)) => format!("in the slot of {}", say(*at, zone)),
        None => "at a time you have still to choose".into(),
    }
}

fn standfirst(time: Option<&Time>, now: Millis) -> String {
    let away = |at: Millis| {
        let utc = super::words::When::new(at, "UTC");
        format!("That is {}, {} UTC.", from_now(at, now), utc.short)
    };
    let counted = "The audience is counted again at that moment; this is today’s count.";
    match time {
        Some(Time::At(moment)) => format!(
            "{} {}{counted}",
            away(moment.at),
            moment.note.as_deref().map(|note| format!("{} ", sentence(note))).unwrap_or_default()
        ),
        Some(Time::Slot(at)) => {
            format!("{} If another issue is ready before this one, that one takes the slot. {counted}", away(*at))
        }
        Some(Time::Now) => "It begins with the hold: nothing leaves before that is over.".into(),
        None => String::new(),
    }
}

fn button(name: &str, time: Option<&Time>, zone: &str) -> String {
    let name = name.to_lowercase();
    let short = |at: Millis, zone: &str| super::words::When::new(at, zone).short;
    match time {
        Some(Time::At(moment)) => format!("Schedule {name} for {}", short(moment.at, &moment.zone)),
        Some(Time::Slot(at)) => format!("Leave {name} ready for {}", short(*at, zone)),
        _ => format!("Send {name} now"),
    }
}

/// Rows of who is counted, and a note of who is not.
async fn audience(
    tx: &mut Tx,
    edition: &Edition,
) -> anyhow::Result<(Vec<(&'static str, String, &'static str)>, String)> {
    let (active, suppressed, paused) = desk::audience(tx, edition.paper.id).await?;
    let less = |many: i64| if many > 0 { format!("−{}", number(many)) } else { "0".to_owned() };
    let rows = vec![
        ("Active readers", number(active), "confirmed, or put on with a stated consent"),
        ("Paused", less(paused), "by their own wish, until a date"),
        ("Suppressed", less(suppressed), "bounced for good, complained, or put on the list"),
    ];
    let statuses = subscription::counts(tx, edition.paper.id).await?;
    let many = |of: Status| statuses.iter().find(|(status, _)| *status == of).map_or(0, |(_, many)| *many);
    let gone = many(Status::Unsubscribed) + many(Status::Bounced) + many(Status::Complained);
    let outside = format!("Not counted: {} waiting to confirm, {} gone.", number(many(Status::Pending)), number(gone));
    Ok((rows, outside))
}

fn proof(ready: &Ready) -> String {
    ready.rendered.hash.chars().take(8).collect()
}

/// The one button.
pub(super) async fn agree(
    State(app): State<App>,
    edition: Edition,
    Form(choice): Form<Choice>,
) -> Result<Response, WebError> {
    let time = match understood(&choice, &edition, app.clock.now()) {
        Ok(time) => time,
        Err(why) => return refused(&app, &edition, choice, &why).await,
    };
    let (on, id) = (app.clone(), edition.issue.id);
    let hold_ms = i64::try_from(app.config.hold_seconds).unwrap_or(i64::MAX).saturating_mul(Millis::SECOND);
    let from = edition.issue.state;
    let done = to_the_end(async move {
        match time {
            Time::Now => publish::send(&on, id, hold_ms).await.map(|_| "/sending?said=published"),
            Time::At(moment) => {
                let wall = moment.wall.strftime("%Y-%m-%dT%H:%M").to_string();
                publish::schedule(&on, id, moment.at, &wall, &moment.zone).await.map(|()| "/review?said=scheduled")
            }
            Time::Slot(_) => {
                // Before its time is taken from it: a blocked issue keeps the one it has.
                publish::checked(&on, id).await?;
                if matches!(from, IssueState::Scheduled | IssueState::Held) {
                    publish::unschedule(&on, id).await?;
                }
                publish::mark_ready(&on, id).await.map(|()| "/review?said=ready")
            }
        }
    })
    .await;
    match done {
        Ok(next) => Ok(see_other(&edition.at(next))),
        Err(error) => match error.downcast_ref::<crate::verbs::refusal::Refusal>() {
            Some(refusal) => refused(&app, &edition, choice, &refusal.to_string()).await,
            None => Err(error.into()),
        },
    }
}

async fn refused(app: &App, edition: &Edition, choice: Choice, why: &str) -> Result<Response, WebError> {
    let again = review(app, edition, choice, &Said::default(), sentence(why)).await?;
    page_with(StatusCode::UNPROCESSABLE_ENTITY, &again)
}

/// Takes a scheduled, held or ready issue back: a draft again.
pub(super) async fn take_back(State(app): State<App>, edition: Edition) -> Result<Response, WebError> {
    let (id, ready) = (edition.issue.id, edition.issue.state == IssueState::Ready);
    to_the_end(async move {
        if ready { publish::unmark_ready(&app, id).await } else { publish::unschedule(&app, id).await }
    })
    .await?;
    Ok(see_other(&edition.at("/review?said=draft")))
}

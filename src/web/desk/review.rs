//! What exactly one agrees to: one sentence, who gets it and who does not, what the checks say, one button.

use askama::Template;
use axum::extract::{Form, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;

use super::editor::advice;
use super::frame::Frame;
use super::home;
use super::hours::{HoursForm, Picture, picture};
use super::room::Edition;
use super::said::Said;
use super::settings::{Firing, firings};
use super::state::{State as Ink, issue_name, subject};
use super::words::{count, from_now, number};
use crate::audience::status::Status;
use crate::delivery::counts::Counts;
use crate::delivery::pace::ramp::Day;
use crate::issue::finding::Severity;
use crate::schedule::hours::forecast::Forecast;
use crate::schedule::hours::{Hours, Wishes};
use crate::schedule::wall::{self, Moment};
use crate::schedule::zone;
use crate::store::issue::IssueState;
use crate::store::{Tx, desk, subscription};
use crate::values::clock::Millis;
use crate::verbs::app::{App, to_the_end};
use crate::verbs::editing::rendering::{self, Ready};
use crate::verbs::hours::{self as verbs_hours, Begin};
use crate::verbs::{pace, publish, warm_up};
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
    picture: Option<Picture>,
    hours_words: Vec<String>,
    zones: Vec<String>,
    firings: Vec<Firing>,
    has_slot: bool,
    slot_words: String,
    button: String,
    /// Where an issue takes more than a day: each day's readers.
    days: Vec<(usize, String)>,
    days_why: String,
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
    #[serde(flatten)]
    hours: HoursForm,
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
    complete(&mut choice, edition, tx.now);
    let (time, hours) = match choice.hours.wishes() {
        Ok(wishes) => (understood(&mut tx, &choice, &wishes.hours(), edition).await?, wishes.hours()),
        Err(why) => (Err(why), verbs_hours::of(Some(&edition.issue), &edition.paper)),
    };
    if let (Err(why), true) = (&time, error.is_empty()) {
        error = sentence(why);
    }
    let hold = i64::try_from(app.config.hold_seconds).unwrap_or(i64::MAX);
    let begin = begin(time.as_ref().ok(), &hours, edition, tx.now, hold);
    let (readers, seen) = verbs_hours::outlook(&mut tx, &edition.paper, &hours, begin).await?;
    let seen = seen.filter(|_| time.is_ok());
    let (rows, outside) = audience(&mut tx, edition).await?;
    let (days, days_why) = days(app, &mut tx, edition).await?;
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
        when: spoken(time.as_ref().ok(), &hours, &edition.paper.zone),
        standfirst: standfirst(time.as_ref().ok(), tx.now, &hours, seen.as_ref(), &edition.paper.zone),
        picture: seen.as_ref().and_then(|seen| picture(seen, &edition.paper.zone)),
        hours_words: hours.words().iter().map(|words| capital(words)).collect(),
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
        days,
        days_why,
        hold: count(hold, "second", "seconds"),
        can_go: blocks.is_empty() && readers > 0 && time.is_ok(),
        blocks,
        choice,
        error,
        name,
        frame,
    })
}

/// On which days it goes out, where it is more than one, and why.
async fn days(app: &App, tx: &mut Tx, edition: &Edition) -> anyhow::Result<(Vec<(usize, String)>, String)> {
    let sites = pace::read_sites(app).unwrap_or_default();
    let Some(plan) = warm_up::plan_if_limited(tx, &sites, &edition.paper).await? else { return Ok(Default::default()) };
    let why = match (&plan.domain, plan.limit) {
        (Some(domain), _) => format!("{domain} is being warmed up: few messages a day and receiver at first."),
        (None, limit) => format!("The relays may carry {} a day.", number(i64::try_from(limit.unwrap_or(0))?)),
    };
    let day = |(place, day): (usize, &Day)| (place + 1, number(i64::try_from(day.many).unwrap_or(i64::MAX)));
    let days: Vec<_> = plan.days.iter().enumerate().map(day).collect();
    Ok(if days.len() > 1 { (days, why) } else { Default::default() })
}

/// Fills in what was not said: the time it has, else the next slot, else now.
fn complete(choice: &mut Choice, edition: &Edition, now: Millis) {
    if choice.zone.is_empty() {
        choice.zone = edition.issue.scheduled_zone.clone().unwrap_or_else(|| edition.paper.zone.clone());
    }
    if choice.wall.is_empty() {
        choice.wall = edition.issue.scheduled_wall.clone().unwrap_or_default();
    }
    if choice.hours.hours.is_empty() {
        choice.hours = HoursForm::of(&verbs_hours::of(Some(&edition.issue), &edition.paper));
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

async fn understood(
    tx: &mut Tx,
    choice: &Choice,
    hours: &Hours,
    edition: &Edition,
) -> anyhow::Result<Result<Time, String>> {
    Ok(match choice.when.as_str() {
        "now" => Ok(Time::Now),
        "slot" => match home::firings(&edition.paper, tx.now).first() {
            Some(at) => Ok(Time::Slot(*at)),
            None => Err("this newsletter has no weekly slot; set one in Settings, or choose a time".into()),
        },
        _ if choice.wall.trim().is_empty() => Err("choose a day and a time".into()),
        _ => {
            let wall = choice.wall.replace('T', " ");
            match verbs_hours::moment(tx, &edition.paper, hours, &wall, &choice.zone).await {
                Ok(moment) => Ok(Time::At(moment)),
                Err(error) => Err(error.downcast::<wall::BadMoment>()?.to_string()),
            }
        }
    })
}

/// When it would begin: what the count by zones starts from.
fn begin(time: Option<&Time>, hours: &Hours, edition: &Edition, now: Millis, hold_seconds: i64) -> Begin {
    match time {
        Some(Time::At(moment)) => Begin { wall: Some(moment.wall), passed_before: moment.at, start: moment.at },
        Some(Time::Slot(at)) => {
            let tz = zone::find(&edition.paper.zone).unwrap_or(jiff::tz::TimeZone::UTC);
            let start = if hours.local.is_some() { now } else { *at };
            Begin { wall: Some(tz.to_datetime(at.timestamp())), passed_before: now, start }
        }
        _ => Begin { wall: None, passed_before: now, start: now.plus(hold_seconds.saturating_mul(Millis::SECOND)) },
    }
}

/// "on Sun 29 Nov 2026 09:00 America/Vancouver (UTC−7)", or "now".
fn spoken(time: Option<&Time>, hours: &Hours, zone: &str) -> String {
    let clock =
        |wall: jiff::civil::DateTime| format!("{} on each reader’s own clock", wall.strftime("%H:%M on %a %-d %b %Y"));
    match (time, hours.local) {
        (Some(Time::Now), Some(hour)) => {
            return format!("at {} today on each reader’s own clock", hour.strftime("%H:%M"));
        }
        (Some(Time::At(moment)), Some(_)) => return format!("at {}", clock(moment.wall)),
        (Some(Time::Slot(at)), Some(_)) => {
            let tz = zone::find(zone).unwrap_or(jiff::tz::TimeZone::UTC);
            return format!("at {}", clock(tz.to_datetime(at.timestamp())));
        }
        _ => {}
    }
    let say = |at: Millis, name: &str| zone::find(name).map(|tz| wall::say(at, &tz)).unwrap_or_default();
    match time {
        Some(Time::Now) => "now".into(),
        Some(Time::At(moment)) => format!("on {}", say(moment.at, &moment.zone)),
        Some(Time::Slot(at)) => format!("in the slot of {}", say(*at, zone)),
        None => "at a time you have still to choose".into(),
    }
}

fn standfirst(time: Option<&Time>, now: Millis, hours: &Hours, seen: Option<&Forecast>, zone: &str) -> String {
    let Some(seen) = seen else { return plain_standfirst(time, now) };
    let frozen = match (time, hours.local) {
        (Some(Time::Now), _) => "Nothing leaves before the hold is over. ",
        (_, Some(_)) => "The audience is counted when the first leave; whoever joins after that gets the next issue. ",
        _ => "The audience is counted again at that moment; this is today’s count. ",
    };
    let note = match time {
        Some(Time::At(moment)) => moment.note.as_deref().map(sentence).unwrap_or_default(),
        _ => String::new(),
    };
    format!("{}. {frozen}{note}", capital(&seen.sentence(zone)))
}

fn plain_standfirst(time: Option<&Time>, now: Millis) -> String {
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

/// What was agreed to. Hours that are the newsletter's own are left unsaid: they follow it.
async fn agreed(app: &App, edition: &Edition, choice: &Choice) -> anyhow::Result<Result<(Wishes, Time), String>> {
    let paper = verbs_hours::of(None, &edition.paper);
    let wishes = match choice.hours.wishes() {
        Err(why) => return Ok(Err(why)),
        _ if choice.hours.hours.is_empty() => edition.issue.hours.parse().unwrap_or_default(),
        Ok(wishes) if wishes.hours() == paper => Wishes::default(),
        Ok(wishes) => wishes,
    };
    let mut tx = app.store.read().await?;
    let hours = Wishes::effective(&wishes.to_string(), &edition.paper.hours);
    Ok(understood(&mut tx, choice, &hours, edition).await?.map(|time| (wishes, time)))
}

/// The one button.
pub(super) async fn agree(
    State(app): State<App>,
    edition: Edition,
    Form(choice): Form<Choice>,
) -> Result<Response, WebError> {
    let (wishes, time) = match agreed(&app, &edition, &choice).await? {
        Ok(agreed) => agreed,
        Err(why) => return refused(&app, &edition, choice, &why).await,
    };
    let (on, id) = (app.clone(), edition.issue.id);
    let hold_ms = i64::try_from(app.config.hold_seconds).unwrap_or(i64::MAX).saturating_mul(Millis::SECOND);
    let from = edition.issue.state;
    let done = to_the_end(async move {
        verbs_hours::set(&on, id, wishes).await?;
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

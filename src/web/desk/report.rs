//! After an issue went out: what became of it, and of everybody's copy.

use askama::Template;
use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures_util::{Stream, stream};
use serde::Deserialize;

use super::frame::Frame;
use super::reader::left_how;
use super::room::Edition;
use super::said::Said;
use super::sending::{Bar, bars};
use super::state::{State as Ink, issue_name, reply, subject, why};
use super::words::{When, count, number, percent};
use crate::audience::export;
use crate::delivery::counts::Counts;
use crate::store::delivery::DeliveryRow;
use crate::store::{delivery, desk};
use crate::values::clock::Millis;
use crate::values::ids::{IssueId, SubscriberId};
use crate::verbs::app::App;
use crate::verbs::{membership, progress};
use crate::web::error::{WebError, page};
use crate::web::see_other;

/// Deliveries on one page.
const ROWS_SHOWN: i64 = 50;
/// Rows that one page of the CSV reads: each its own short snapshot.
const CSV_ROWS: i64 = 1_000;

#[derive(Template)]
#[template(path = "desk/report.html")]
struct ReportPage {
    frame: Frame,
    at: String,
    state: Ink,
    name: String,
    subject: String,
    when: String,
    standfirst: String,
    figures: Vec<(&'static str, String, String)>,
    bars: Vec<Bar>,
    bar_label: String,
    reasons: Vec<(Ink, String, String)>,
    doubt: bool,
    ways: Vec<(String, String)>,
    whys: Vec<(&'static str, String)>,
    undone: i64,
    own_words: Vec<String>,
    chips: Vec<(String, &'static str, String, bool)>,
    words: String,
    which: String,
    rows: Vec<Row>,
    all: String,
    next: Option<String>,
}

struct Row {
    address: String,
    href: String,
    state: Ink,
    why: String,
    reply: String,
    attempts: String,
    when: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Who {
    q: String,
    state: String,
    after: String,
}

/// Chips: state as the database has it, and the word.
const CHIPS: [(&str, &str); 5] =
    [("", "All"), ("sent", "Arrived"), ("failed", "Failed"), ("skipped", "Skipped"), ("in_doubt", "In doubt")];

pub(super) async fn show(
    State(app): State<App>,
    edition: Edition,
    Query(who): Query<Who>,
    Query(said): Query<Said>,
) -> Result<Response, WebError> {
    if edition.issue.state.is_editable() {
        return Ok(see_other(&edition.at("/review")));
    }
    let name = issue_name(&edition.issue);
    let frame = edition.frame(&app, format!("Report of {}", name.to_lowercase())).await?.telling(&said);
    page(&report(&app, frame, &edition, who).await?)
}

async fn report(app: &App, frame: Frame, edition: &Edition, who: Who) -> anyhow::Result<ReportPage> {
    let id = edition.issue.id;
    let mut tx = app.store.read().await?;
    let counts = delivery::counts(&mut tx, id).await?;
    let later = desk::later(&mut tx, id).await?.min(counts.pending);
    let reasons = desk::reasons(&mut tx, id).await?;
    let departures = membership::departures(app, id).await?;
    let state = CHIPS.iter().find(|(code, _)| *code == who.state).map_or("", |(code, _)| code);
    let after = who.after.parse().unwrap_or(SubscriberId(0));
    let mut rows = desk::deliveries(&mut tx, id, after, state, &who.q, ROWS_SHOWN + 1).await?;
    let is_more = rows.len() as i64 > ROWS_SHOWN;
    rows.truncate(usize::try_from(ROWS_SHOWN)?);
    let query = |after: &str, state: &str| {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        for (name, value) in [("q", who.q.as_str()), ("state", state), ("after", after)] {
            if !value.is_empty() {
                query.append_pair(name, value);
            }
        }
        format!("{}?{}#who", edition.at("/report"), query.finish())
    };
    let bars = bars(&counts, later);
    Ok(ReportPage {
        frame,
        at: edition.at(""),
        state: Ink::of_issue(&edition.issue, &counts, &edition.paper.zone, tx.now),
        name: issue_name(&edition.issue),
        subject: subject(&edition.issue),
        when: when(edition),
        standfirst: standfirst(&counts),
        figures: figures(&counts, departures.left),
        ways: departures.ways.iter().map(|(way, many)| (left_how(way), number(*many))).collect(),
        whys: departures.reasons.iter().map(|(reason, many)| (reason.words(), number(*many))).collect(),
        undone: departures.undone,
        own_words: departures.words,
        bar_label: bars
            .iter()
            .map(|bar| format!("{} {}", bar.many, bar.word.to_lowercase()))
            .collect::<Vec<_>>()
            .join(", "),
        bars,
        reasons: reasons.into_iter().map(|(state, reason, many)| (ink(&state), why(&reason), number(many))).collect(),
        doubt: counts.in_doubt > 0,
        chips: chips(&counts)
            .into_iter()
            .map(|(code, word, many)| (query("", code), word, many, code == state))
            .collect(),
        next: rows.last().filter(|_| is_more).map(|row| query(&row.subscriber_id.to_string(), state)),
        rows: rows.into_iter().map(|delivery| row(edition, delivery, tx.now)).collect(),
        all: count(counts.audience, "reader", "readers"),
        which: state.to_owned(),
        words: who.q.clone(),
    })
}

fn when(edition: &Edition) -> String {
    let Some(from) = edition.issue.published_at.map(Millis) else { return String::new() };
    let zone = edition.paper.zone.as_str();
    let start = When::new(from, zone);
    match edition.issue.finished_at.map(Millis) {
        Some(end) => format!("{} to {}, {}", start.full, When::new(end, zone).time, start.place),
        None => format!("since {}, {}", start.full, start.place),
    }
}

fn standfirst(counts: &Counts) -> String {
    let arrived = format!("{} of {} were taken by their mail servers", number(counts.sent), number(counts.audience));
    match counts.unfinished() {
        0 => format!("{arrived}."),
        left => format!("{arrived}; {} on the way.", count(left, "is", "are")),
    }
}

fn figures(counts: &Counts, left: i64) -> Vec<(&'static str, String, String)> {
    let share = |many: i64| percent(many, counts.audience);
    vec![
        ("Arrived", number(counts.sent), share(counts.sent)),
        ("Failed", number(counts.failed), share(counts.failed)),
        ("Skipped", number(counts.skipped), share(counts.skipped)),
        ("In doubt", number(counts.in_doubt), share(counts.in_doubt)),
        ("Left by it", number(left), "by a link in this issue".into()),
    ]
}

fn chips(counts: &Counts) -> [(&'static str, &'static str, String); 5] {
    let of = [counts.audience, counts.sent, counts.failed, counts.skipped, counts.in_doubt];
    std::array::from_fn(|at| (CHIPS[at].0, CHIPS[at].1, number(of[at])))
}

fn ink(state: &str) -> Ink {
    match state {
        "failed" => Ink::new("bad", "stop", "Failed"),
        "in_doubt" => Ink::new("warn", "doubt", "In doubt"),
        _ => Ink::new("idle", "skip", "Skipped"),
    }
}

fn row(edition: &Edition, delivery: DeliveryRow, now: Millis) -> Row {
    let zone = edition.paper.zone.as_str();
    let settled = delivery.settled_at.or(delivery.first_at).map(Millis);
    Row {
        href: format!("/desk/n/{}/readers/{}", edition.paper.slug, delivery.subscriber_id),
        address: delivery.address,
        state: Ink::of_delivery(delivery.state, Millis(delivery.next_at), zone, now),
        // One that arrived has a reason only where somebody had to say so.
        why: delivery.reason.as_deref().map(why).unwrap_or_default(),
        reply: reply(delivery.reply_code, delivery.reply_text.as_deref().unwrap_or_default()),
        attempts: number(delivery.attempts),
        when: settled.map(|at| When::near(at, now, zone)).unwrap_or_default(),
    }
}

/// Everybody's copy as CSV, read page by page while it is written.
pub(super) async fn csv(State(app): State<App>, edition: Edition) -> Response {
    let name = format!("attachment; filename=\"{}-deliveries.csv\"", edition.issue.slug);
    let head = [(header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()), (header::CONTENT_DISPOSITION, name)];
    (head, Body::from_stream(lines(app, edition.issue.id))).into_response()
}

fn lines(app: App, issue: IssueId) -> impl Stream<Item = anyhow::Result<String>> + Send {
    let head = "address,state,attempts,reply_code,reply,reason,first_at,settled_at\r\n".to_owned();
    stream::try_unfold(Some((None, head)), move |from: Option<(Option<SubscriberId>, String)>| {
        let app = app.clone();
        async move {
            let Some((after, head)) = from else { return Ok(None) };
            let rows = progress::deliveries(&app, issue, after, None, CSV_ROWS).await?;
            let mut text = head;
            text.extend(rows.iter().map(|row| export::row(&record(row).each_ref().map(String::as_str))));
            let next = rows.last().filter(|_| rows.len() as i64 == CSV_ROWS).map(|row| row.subscriber_id);
            Ok(Some((text, next.map(|next| (Some(next), String::new())))))
        }
    })
}

fn record(row: &DeliveryRow) -> [String; 8] {
    let at = |millis: Option<i64>| millis.map(|millis| Millis(millis).timestamp().to_string()).unwrap_or_default();
    [
        row.address.clone(),
        row.state.as_str().to_owned(),
        row.attempts.to_string(),
        row.reply_code.map(|code| code.to_string()).unwrap_or_default(),
        row.reply_text.clone().unwrap_or_default(),
        row.reason.clone().unwrap_or_default(),
        at(row.first_at),
        at(row.settled_at),
    ]
}

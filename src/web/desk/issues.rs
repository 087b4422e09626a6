//! Every issue of a newsletter: where it stands, when it goes, how far it is.

use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;
use serde::Deserialize;

use super::frame::{Frame, Here};
use super::home::firings;
use super::room::Room;
use super::said::Said;
use super::state::{State as Ink, subject};
use super::words::{When, count, from_now, number, span};
use crate::delivery::counts::Counts;
use crate::store::issue::{self, IssueRow, IssueState};
use crate::store::newsletter::Newsletter;
use crate::store::{Tx, delivery, desk};
use crate::values::clock::Millis;
use crate::verbs::app::App;
use crate::web::error::{WebError, page};

/// Issues on one page: two years of a weekly.
const ISSUES_SHOWN: i64 = 100;
/// The most that one page is asked for: no newsletter has more issues worth scrolling through.
const ISSUES_SHOWN_MAX: i64 = 2_000;

/// Tabs: address, word, states.
const TABS: [(&str, &str, &[IssueState]); 6] = [
    ("all", "All", &[]),
    ("drafts", "Drafts", &[IssueState::Draft]),
    ("scheduled", "Scheduled", &[IssueState::Ready, IssueState::Scheduled, IssueState::Held]),
    ("sending", "Sending", &[IssueState::Sending, IssueState::Paused]),
    ("sent", "Sent", &[IssueState::Sent]),
    ("cancelled", "Cancelled", &[IssueState::Cancelled]),
];

#[derive(Template)]
#[template(path = "desk/issues.html")]
struct IssuesPage {
    frame: Frame,
    standfirst: String,
    tabs: Vec<Tab>,
    rows: Vec<Row>,
    place: String,
    shown: String,
    more: Option<String>,
}

struct Tab {
    href: String,
    word: &'static str,
    many: String,
    is_here: bool,
}

struct Row {
    number: String,
    href: String,
    subject: String,
    note: String,
    state: Ink,
    when: String,
    away: String,
    sent: String,
    of: String,
    done: i64,
    all: i64,
    to_go: String,
}

#[derive(Deserialize)]
#[serde(default)]
pub(super) struct Which {
    state: String,
    show: i64,
}

impl Default for Which {
    fn default() -> Self {
        Self { state: "all".into(), show: ISSUES_SHOWN }
    }
}

pub(super) async fn show(
    State(app): State<App>,
    room: Room,
    Query(which): Query<Which>,
    Query(said): Query<Said>,
) -> Result<Response, WebError> {
    let frame = room.frame(&app, Here::Issues, "Issues").await?.telling(&said);
    page(&issues_page(&mut app.store.read().await?, frame, &room, &which).await?)
}

async fn issues_page(tx: &mut Tx, frame: Frame, room: &Room, which: &Which) -> anyhow::Result<IssuesPage> {
    let (code, _, states) = TABS.iter().find(|(code, ..)| *code == which.state).copied().unwrap_or(TABS[0]);
    let limit = which.show.clamp(1, ISSUES_SHOWN_MAX);
    let issues = issue::list(tx, Some(room.paper.id), states, limit + 1).await?;
    let is_more = issues.len() as i64 > limit;
    let mut rows = Vec::new();
    for issue in issues.into_iter().take(usize::try_from(limit)?) {
        let counts = if issue.state.is_editable() { Counts::default() } else { delivery::counts(tx, issue.id).await? };
        rows.push(row(&issue, &counts, &room.paper, tx.now));
    }
    let states = desk::issue_states(tx, room.paper.id).await?;
    let next = firings(&room.paper, tx.now).first().map(|at| When::new(*at, &room.paper.zone).short);
    let sent = tally(&states, &[IssueState::Sent]);
    Ok(IssuesPage {
        standfirst: match next {
            Some(next) => format!("{} sent; the next slot is {next}.", number(sent)),
            None => format!("{} sent; there is no weekly slot.", number(sent)),
        },
        tabs: TABS.iter().map(|(tab, word, of)| tab_of(room, tab, word, tally(&states, of), *tab == code)).collect(),
        place: super::words::place(&room.paper.zone),
        shown: count(rows.len() as i64, "issue", "issues"),
        more: is_more.then(|| room.at(&format!("/issues?state={code}&show={}", limit * 4))),
        rows,
        frame,
    })
}

fn tally(states: &[(String, i64)], of: &[IssueState]) -> i64 {
    let wanted = |word: &String| of.is_empty() || of.iter().any(|state| state.as_str() == word);
    states.iter().filter(|(word, _)| wanted(word)).map(|(_, many)| many).sum()
}

fn tab_of(room: &Room, code: &str, word: &'static str, many: i64, is_here: bool) -> Tab {
    Tab { href: room.at(&format!("/issues?state={code}")), word, many: number(many), is_here }
}

fn row(issue: &IssueRow, counts: &Counts, paper: &Newsletter, now: Millis) -> Row {
    let href = match issue.state {
        IssueState::Sending | IssueState::Paused => format!("/desk/issue/{}/sending", issue.id),
        IssueState::Sent | IssueState::Cancelled => format!("/desk/issue/{}/report", issue.id),
        _ => format!("/desk/issue/{}", issue.id),
    };
    let (when, away) = time_of(issue, paper, now);
    let saved = Millis(issue.updated_at);
    Row {
        number: issue.number.map(|number| number.to_string()).unwrap_or_default(),
        href,
        subject: subject(issue),
        note: match issue.state {
            state if state.is_editable() => format!("Saved {}", When::near(saved, now, &paper.zone)),
            _ => issue.state_reason.clone(),
        },
        state: Ink::of_issue(issue, counts, &paper.zone, now),
        when,
        away,
        sent: number(counts.sent),
        of: number(counts.audience),
        done: counts.sent,
        all: if counts.unfinished() > 0 { counts.audience } else { 0 },
        to_go: number(counts.unfinished() + counts.in_doubt),
    }
}

/// When it goes or went, and how far that is away.
fn time_of(issue: &IssueRow, paper: &Newsletter, now: Millis) -> (String, String) {
    let at = |millis: i64| When::new(Millis(millis), &paper.zone).short;
    match (issue.state, issue.scheduled_at, issue.published_at) {
        (_, _, Some(published)) => {
            let took = issue.finished_at.map(|end| format!("took {}", span(Millis(end).since(Millis(published)))));
            (at(published), took.unwrap_or_else(|| from_now(Millis(published), now)))
        }
        (IssueState::Scheduled | IssueState::Held, Some(time), _) => (at(time), from_now(Millis(time), now)),
        (IssueState::Ready, ..) => match firings(paper, now).first() {
            Some(slot) => (When::new(*slot, &paper.zone).short, from_now(*slot, now)),
            None => ("waits for a slot".into(), "there is none".into()),
        },
        _ => (String::new(), String::new()),
    }
}

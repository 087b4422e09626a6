//! An issue on its way: the bar, the counts that add up, pace, problems, and what can be done about it. The page is
//! whole without a script; with one, the same parts arrive by themselves.

use std::time::Duration;

use askama::Template;
use axum::extract::{Query, State};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, Stream, StreamExt as _};
use tokio::sync::broadcast::Receiver;
use tokio::time::{Instant, sleep_until};

use super::frame::Frame;
use super::pacing::RelayRow;
use super::room::Edition;
use super::said::Said;
use super::state::{State as Ink, issue_name, subject, why};
use super::words::{When, count, number, percent, span};
use crate::delivery::counts::Counts;
use crate::store::delivery::Problem;
use crate::store::issue::IssueState;
use crate::values::clock::Millis;
use crate::values::ids::IssueId;
use crate::verbs::app::{App, to_the_end};
use crate::verbs::progress::{self, Progress};
use crate::verbs::publish;
use crate::web::error::{WebError, page};
use crate::web::see_other;

/// Problems shown: a screen of them.
const PROBLEMS_SHOWN: i64 = 20;
/// A page that watches gets new numbers at most this often.
const NEWS_MS_MIN: u64 = 500;
/// And at least this often while something happens, for countdown, pace and time left.
const NEWS_MS_MAX: u64 = 2_000;
/// Without a script the page asks again by itself.
pub(super) const RELOAD_SECONDS: u32 = 10;

#[derive(Template)]
#[template(path = "desk/sending.html")]
struct SendingPage {
    frame: Frame,
    live: Live,
    reload: Option<u32>,
}

#[derive(Template)]
#[template(path = "desk/parts/live.html")]
struct LivePart<'a> {
    live: &'a Live,
}

#[derive(Template)]
#[template(path = "desk/cancel.html")]
struct CancelPage {
    frame: Frame,
    name: String,
    left: String,
    at: String,
}

/// Everything that moves.
pub(super) struct Live {
    at: String,
    issues: String,
    name: String,
    title: String,
    state: Ink,
    since: String,
    headline: String,
    standfirst: String,
    percent: String,
    sent: String,
    all: String,
    eta: String,
    pace: String,
    bar_label: String,
    bars: Vec<Bar>,
    hold: Option<Hold>,
    paused: Option<String>,
    fault: Option<Fault>,
    doubt: Option<String>,
    finished: Option<String>,
    relays: Vec<RelayRow>,
    risk: Option<String>,
    problems: Vec<ProblemRow>,
    can_pause: bool,
    can_cancel: bool,
    is_over: bool,
}

pub(super) struct Bar {
    pub(super) class: &'static str,
    pub(super) word: &'static str,
    pub(super) many: String,
    pub(super) x: String,
    pub(super) width: String,
}

struct Hold {
    until: String,
    until_millis: i64,
    left: i64,
    gone: i64,
    whole: i64,
}

struct Fault {
    reason: String,
    until: String,
}

struct ProblemRow {
    when: String,
    address: String,
    href: String,
    reply: String,
    state: Ink,
}

pub(super) async fn show(
    State(app): State<App>,
    edition: Edition,
    Query(said): Query<Said>,
) -> Result<Response, WebError> {
    if edition.issue.state.is_editable() {
        return Ok(see_other(&edition.at("/review")));
    }
    let live = live(&app, &edition).await?;
    let frame = edition.frame(&app, live.title.clone()).await?.telling(&said);
    page(&SendingPage { reload: (!live.is_over).then_some(RELOAD_SECONDS), frame, live })
}

/// The numbers as they come, until nothing moves any more.
pub(super) async fn watch(State(app): State<App>, edition: Edition) -> Response {
    Sse::new(news(app, edition)).keep_alive(KeepAlive::default()).into_response()
}

fn news(app: App, edition: Edition) -> impl Stream<Item = anyhow::Result<Event>> + Send {
    let stop = app.stop.clone().cancelled_owned();
    let (changes, at_once) = (app.changed.subscribe(), Instant::now());
    let looks = stream::unfold(Some((app, edition, changes, at_once)), |state| async move {
        let (app, edition, mut changes, next) = state?;
        wait(&mut changes, edition.issue.id, next).await;
        let looked = look(&app, &edition).await;
        let goes_on = matches!(looked, Ok((_, false)));
        let next = Instant::now() + Duration::from_millis(NEWS_MS_MIN);
        Some((looked.map(|(event, _)| event), goes_on.then_some((app, edition, changes, next))))
    });
    looks.take_until(stop)
}

/// Until the issue changes, but not before `next`, and no longer than is pleasant to look at.
async fn wait(changes: &mut Receiver<IssueId>, issue: IssueId, next: Instant) {
    sleep_until(next).await;
    let ours = async {
        loop {
            match changes.recv().await {
                Ok(changed) if changed != issue => {}
                // Ours, or so many that some were lost: time to look.
                _ => return,
            }
        }
    };
    // However it ends, it is time to look.
    let _ = tokio::time::timeout(Duration::from_millis(NEWS_MS_MAX - NEWS_MS_MIN), ours).await;
}

async fn look(app: &App, edition: &Edition) -> anyhow::Result<(Event, bool)> {
    let live = live(app, edition).await?;
    let name = if live.is_over { "done" } else { "news" };
    Ok((Event::default().event(name).data(LivePart { live: &live }.render()?), live.is_over))
}

/// What the page shows now. Only what cannot change while it is sent is taken from `edition`.
async fn live(app: &App, edition: &Edition) -> anyhow::Result<Live> {
    let id = edition.issue.id;
    let progress = progress::status(app, id).await?.ok_or(crate::verbs::refusal::Refusal::NoSuchIssue)?;
    let now = app.clock.now();
    let held = progress.hold_until.filter(|until| *until > now && progress.state == IssueState::Sending);
    let later = if held.is_some() { 0 } else { progress.deferred.clamp(0, progress.counts.pending) };
    let problems = progress::problems(app, id, PROBLEMS_SHOWN).await?;
    Ok(view(edition, &progress, held, later, &problems, now))
}

fn view(
    edition: &Edition,
    progress: &Progress,
    held: Option<Millis>,
    later: i64,
    problems: &[Problem],
    now: Millis,
) -> Live {
    let (counts, zone) = (&progress.counts, edition.paper.zone.as_str());
    let name = issue_name(&edition.issue);
    let mut issue = edition.issue.clone();
    issue.state = progress.state;
    issue.hold_until = progress.hold_until.map(|until| until.0);
    let bars = bars(counts, later);
    let since = progress.published_at.map(|at| When::new(at, zone)).unwrap_or_default();
    let can_go_on = matches!(progress.state, IssueState::Sending | IssueState::Paused);
    Live {
        at: edition.at(""),
        issues: format!("/desk/n/{}/issues", edition.paper.slug),
        name: name.clone(),
        title: title(&name, progress, held, now),
        state: Ink::of_issue(&issue, counts, zone, now),
        since: format!("published {} {} ({})", since.full, since.place, since.offset),
        headline: headline(&name, progress, held),
        standfirst: format!("“{}” to {}.", subject(&issue), count(counts.audience, "reader", "readers")),
        percent: percent(counts.sent, counts.audience),
        sent: number(counts.sent),
        all: number(counts.audience),
        eta: eta(progress, held, later, zone, now),
        pace: pace(progress, now),
        bar_label: bars
            .iter()
            .map(|bar| format!("{} {}", bar.many, bar.word.to_lowercase()))
            .collect::<Vec<_>>()
            .join(", "),
        bars,
        hold: held.map(|until| hold(progress, until, zone, now)),
        paused: (progress.state == IssueState::Paused).then(|| paused(progress)),
        fault: fault(progress, zone, now),
        doubt: (counts.in_doubt > 0).then(|| count(counts.in_doubt, "mail is", "mails are")),
        finished: finished(progress, zone),
        relays: match can_go_on {
            true => progress.relays.iter().map(|relay| RelayRow::of(relay, zone, now)).collect(),
            false => Vec::new(),
        },
        risk: (progress.state == IssueState::Sending && progress.in_doubt_at_most > 0)
            .then(|| count(progress.in_doubt_at_most, "reader is", "readers are")),
        problems: problems.iter().map(|problem| problem_row(edition, problem, now)).collect(),
        can_pause: progress.state == IssueState::Sending && held.is_none(),
        can_cancel: can_go_on && held.is_none(),
        is_over: !can_go_on,
    }
}

fn title(name: &str, progress: &Progress, held: Option<Millis>, now: Millis) -> String {
    let done = percent(progress.counts.sent, progress.counts.audience);
    match (progress.state, held) {
        (IssueState::Sending, Some(until)) => format!("{} s, {name} is held", until.since(now) / Millis::SECOND),
        (IssueState::Sending, None) if progress.freezing => format!("{name} is made ready"),
        (IssueState::Sending, None) => format!("{done}, sending {name}"),
        (IssueState::Paused, _) => format!("{done}, {name} is paused"),
        _ => format!("{name} went out"),
    }
}

fn headline(name: &str, progress: &Progress, held: Option<Millis>) -> String {
    match (progress.state, held) {
        (IssueState::Sending, Some(_)) => format!("{name} is about to leave"),
        (IssueState::Sending, None) if progress.freezing => format!("{name} is made ready"),
        (IssueState::Sending, None) => format!("Sending {}", name.to_lowercase()),
        (IssueState::Paused, _) => format!("{name} is paused"),
        (IssueState::Cancelled, _) => format!("The rest of {} was cancelled", name.to_lowercase()),
        _ => format!("{name} went out"),
    }
}

/// When it will be done, as far as that can be said.
fn eta(progress: &Progress, held: Option<Millis>, later: i64, zone: &str, now: Millis) -> String {
    let waiting = again(progress, later, zone, now) + &waits(progress, zone, now);
    let left = progress.counts.unfinished() - later - progress.waiting;
    match (progress.state, held, progress.per_minute) {
        (IssueState::Sending, Some(until), _) => format!("Nothing leaves before {}.", When::new(until, zone).seconds),
        (IssueState::Sending, ..) if progress.freezing => {
            "The list of readers is being written. Nothing leaves before it is whole.".into()
        }
        (IssueState::Paused, ..) => {
            format!("{} until you resume.", count(left + progress.waiting, "mail waits", "mails wait"))
        }
        (IssueState::Sending, None, Some(pace)) if pace >= 1.0 && left > 0 => {
            let away = millis_left(left, pace);
            format!("Done about {}, in {}.{waiting}", When::new(now.plus(away), zone).time, span(away))
        }
        (IssueState::Sending, None, _) if left > 0 => format!("{} left.{waiting}", count(left, "mail", "mails")),
        (IssueState::Sending, None, _) if progress.waiting > 0 => waiting.trim_start().to_owned(),
        (IssueState::Sending, None, _) => format!("Everything was tried.{waiting}"),
        _ => String::new(),
    }
}

/// " 96 mails are tried again later, the next at 17:34.", or nothing.
fn again(progress: &Progress, later: i64, zone: &str, now: Millis) -> String {
    let Some(next) = progress.deferred_next.filter(|_| later > 0) else { return String::new() };
    let (many, when) = (count(later, "mail is", "mails are"), When::near(next, now, zone));
    format!(" {many} tried again later, the next at {when}.")
}

/// " 1,204 wait for their hour; the next at Thu 26 Nov, 14:00 UTC.", or nothing.
fn waits(progress: &Progress, zone: &str, now: Millis) -> String {
    let night = progress
        .quiet_until
        .map(|until| format!(" It is quiet hours: nothing is begun before {}.", When::near(until, now, zone)));
    let night = night.unwrap_or_default();
    let Some(next) = progress.waiting_next else { return night };
    let (wait, when) = (count(progress.waiting, "waits", "wait"), When::new(next, "UTC").short);
    let here = When::near(next, now, zone);
    format!(
        "{night} {wait} for their hour; the next at {when} UTC, here {here}. Whoever joins now gets the next issue."
    )
}

#[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "an estimate, in minutes")]
fn millis_left(left: i64, per_minute: f64) -> i64 {
    (left as f64 / per_minute * Millis::MINUTE as f64) as i64
}

#[expect(clippy::cast_possible_truncation, reason = "a pace is shown in whole mails")]
fn pace(progress: &Progress, now: Millis) -> String {
    // A finished issue says below what it took.
    let began = progress.hold_until.filter(|from| *from < now && progress.finished_at.is_none());
    let so_far = began.map(|from| format!("{} so far", span(now.since(from))));
    let now = progress.per_minute.filter(|_| progress.state == IssueState::Sending);
    let pace = now.map(|pace| format!("{} a minute now", number(pace.round() as i64)));
    [pace, so_far].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// The seven parts of the audience, as widths of one bar.
pub(super) fn bars(counts: &Counts, later: i64) -> Vec<Bar> {
    let parts = [
        ("is-sent", "Sent", counts.sent),
        ("is-wire", "On the wire", counts.claimed + counts.inflight),
        ("is-later", "Trying again later", later),
        ("is-doubt", "In doubt", counts.in_doubt),
        ("is-failed", "Failed", counts.failed),
        ("is-skipped", "Skipped", counts.skipped),
        ("is-left", "Left", counts.pending - later),
    ];
    let whole = counts.total().max(1);
    let mut before = 0;
    let place = |many: i64| format!("{}.{:02}%", many * 100 / whole, many * 10_000 / whole % 100);
    parts
        .into_iter()
        .map(|(class, word, many)| {
            let x = place(before);
            before += many;
            Bar { class, word, many: number(many), x, width: place(many) }
        })
        .collect()
}

fn hold(progress: &Progress, until: Millis, zone: &str, now: Millis) -> Hold {
    let whole = progress.published_at.map_or(0, |from| until.since(from)).max(1) / Millis::SECOND;
    let left = (until.since(now) + Millis::SECOND - 1) / Millis::SECOND;
    Hold { until: When::new(until, zone).seconds, until_millis: until.0, left, gone: (whole - left).max(0), whole }
}

fn paused(progress: &Progress) -> String {
    let waiting = count(progress.counts.unfinished(), "mail waits", "mails wait");
    let why = progress.state_reason.trim_end_matches('.');
    let why = if why.is_empty() { "Paused".to_owned() } else { why.to_owned() };
    format!("{why}. {waiting}. Readers who leave meanwhile get nothing.")
}

fn fault(progress: &Progress, zone: &str, now: Millis) -> Option<Fault> {
    let until = progress.relay_paused_until.filter(|_| progress.counts.unfinished() > 0)?;
    let reason = progress.relay_paused_reason.clone().unwrap_or_default();
    Some(Fault { reason, until: When::near(until, now, zone) })
}

fn finished(progress: &Progress, zone: &str) -> Option<String> {
    if !matches!(progress.state, IssueState::Sent | IssueState::Cancelled) {
        return None;
    }
    let counts = &progress.counts;
    let parts =
        [("sent", counts.sent), ("failed", counts.failed), ("skipped", counts.skipped), ("in doubt", counts.in_doubt)];
    let sum: Vec<String> = parts
        .iter()
        .filter(|(word, many)| *many > 0 || *word == "sent")
        .map(|(word, many)| format!("{} {word}", number(*many)))
        .collect();
    let took =
        progress.finished_at.zip(progress.hold_until).map(|(end, from)| format!(" It took {}.", span(end.since(from))));
    let at =
        progress.finished_at.map(|end| format!("Finished at {}. ", When::new(end, zone).seconds)).unwrap_or_default();
    Some(format!("{at}{}: {}.{}", sum.join(", "), number(counts.total()), took.unwrap_or_default()))
}

fn problem_row(edition: &Edition, problem: &Problem, now: Millis) -> ProblemRow {
    let zone = edition.paper.zone.as_str();
    ProblemRow {
        when: When::near(Millis(problem.at), now, zone),
        address: problem.address.clone(),
        href: format!("/desk/n/{}/readers/{}", edition.paper.slug, problem.subscriber_id),
        reply: super::state::reply(problem.reply_code, &problem.reply_text),
        state: match problem.state {
            crate::delivery::state::DeliveryState::Pending => Ink::new("warn", "clock", why(&problem.outcome)),
            state => Ink::of_delivery(state, now, zone, now),
        },
    }
}

/// What an editor can do to an issue on its way.
#[derive(Clone, Copy)]
enum Act {
    Pause,
    Resume,
    Cancel,
    Undo,
}

async fn act(app: App, edition: Edition, act: Act) -> Result<Response, WebError> {
    let (id, by) = (edition.issue.id, format!("Paused by {}", edition.who.account.name));
    let said = to_the_end(async move {
        Ok(match act {
            Act::Pause => publish::pause(&app, id, &by).await.map(|()| "paused")?,
            Act::Resume => publish::resume(&app, id).await.map(|()| "resumed")?,
            Act::Cancel => publish::cancel(&app, id).await.map(|_| "cancelled")?,
            Act::Undo => publish::undo(&app, id).await.map(|()| "draft")?,
        })
    })
    .await?;
    let page = if said == "draft" { "/review" } else { "/sending" };
    Ok(see_other(&edition.at(&format!("{page}?said={said}"))))
}

pub(super) async fn pause(State(app): State<App>, edition: Edition) -> Result<Response, WebError> {
    act(app, edition, Act::Pause).await
}

pub(super) async fn resume(State(app): State<App>, edition: Edition) -> Result<Response, WebError> {
    act(app, edition, Act::Resume).await
}

pub(super) async fn cancel(State(app): State<App>, edition: Edition) -> Result<Response, WebError> {
    act(app, edition, Act::Cancel).await
}

pub(super) async fn undo(State(app): State<App>, edition: Edition) -> Result<Response, WebError> {
    act(app, edition, Act::Undo).await
}

/// Asks before the rest is cancelled: it cannot be taken back.
pub(super) async fn ask_cancel(State(app): State<App>, edition: Edition) -> Result<Response, WebError> {
    let progress = progress::status(&app, edition.issue.id).await?.ok_or(WebError::NotFound)?;
    if !matches!(progress.state, IssueState::Sending | IssueState::Paused) {
        return Ok(see_other(&edition.at("/sending?said=too-late")));
    }
    let name = issue_name(&edition.issue);
    let frame = edition.frame(&app, format!("Cancel {}", name.to_lowercase())).await?;
    let left = count(progress.counts.unfinished(), "reader has", "readers have");
    page(&CancelPage { frame, name: name.to_lowercase(), left, at: edition.at("") })
}

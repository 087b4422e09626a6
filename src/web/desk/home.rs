//! The front page of a newsletter: what goes out next and what stands in its way, the last issue, the readers.

use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;

use super::chart::{self, Chart};
use super::frame::{Frame, Here};
use super::lead::{self, Lead};
use super::room::Room;
use super::said::Said;
use super::session::SignedIn;
use super::state::State as Ink;
use super::words::{When, count, from_now, number};
use crate::audience::status::Status;
use crate::delivery::counts::Counts;
use crate::schedule::{Schedule, zone};
use crate::store::issue::{IssueRow, IssueState};
use crate::store::newsletter::Newsletter;
use crate::store::{Tx, delivery, desk, issue, newsletter, relay, subscription};
use crate::values::clock::Millis;
use crate::verbs::app::App;
use crate::verbs::instance;
use crate::verbs::membership::spike_now;
use crate::web::error::{WebError, page};
use crate::web::see_other;

/// Days that the chart of readers looks back.
const TIDE_DAYS: i64 = 90;
/// Firings shown wherever a schedule is.
pub(super) const FIRINGS_SHOWN: usize = 5;

#[derive(Template)]
#[template(path = "desk/home.html")]
struct HomePage {
    frame: Frame,
    lead: Lead,
    wire: Option<OnWire>,
    last: Option<Last>,
    readers: String,
    growth: String,
    joined: String,
    left: String,
    tide: Option<Chart>,
    house: Vec<HouseLine>,
    slots: Vec<SlotRow>,
    slot_words: String,
}

/// The issue on the wire.
struct OnWire {
    what: String,
    sent: String,
    of: String,
    done: i64,
    all: i64,
    note: String,
}

/// The last issue that went out, beside the one before.
struct Last {
    name: String,
    subject: String,
    when: String,
    href: String,
    before: String,
    rows: Vec<LastRow>,
}

struct LastRow {
    what: &'static str,
    now: String,
    before: String,
    difference: String,
    /// better, worse, or neither.
    ink: &'static str,
}

struct HouseLine {
    state: Ink,
    words: String,
    href: String,
    link: &'static str,
}

struct SlotRow {
    day: String,
    time: String,
    away: String,
    what: String,
    href: String,
    state: Ink,
}

/// Everything the page is made of, from one snapshot.
struct Overview {
    now: Millis,
    upcoming: Vec<IssueRow>,
    on_wire: Option<(IssueRow, Counts)>,
    sent: Vec<(IssueRow, Counts, i64)>,
    statuses: Vec<(Status, i64)>,
    tides: desk::Tides,
    in_doubt: i64,
    relay: Option<relay::Relay>,
    /// Why nothing leaves this installation, if so.
    hold: Option<String>,
    /// Sign-ups in an hour, while they are far more than usual.
    spike: Option<i64>,
}

/// `/desk` leads to the first newsletter, or to making one.
pub(super) async fn enter(State(app): State<App>, _who: SignedIn) -> Result<Response, WebError> {
    let papers = newsletter::all(&mut app.store.read().await?).await?;
    Ok(see_other(&papers.first().map_or("/desk/new".to_owned(), |paper| format!("/desk/n/{}", paper.slug))))
}

pub(super) async fn show(State(app): State<App>, room: Room, Query(said): Query<Said>) -> Result<Response, WebError> {
    let mut overview = read(&mut app.store.read().await?, &room.paper).await?;
    overview.hold = instance::hold(&app).await?;
    overview.spike = spike_now(&app, room.paper.id).await?.map(|spike| spike.asked);
    let frame = room.frame(&app, Here::Home, "Home").await?.telling(&said);
    page(&home_page(frame, &room.paper, &overview))
}

async fn read(tx: &mut Tx, paper: &Newsletter) -> anyhow::Result<Overview> {
    let only = Some(paper.id);
    let upcoming = [IssueState::Held, IssueState::Scheduled, IssueState::Ready, IssueState::Draft];
    let running = issue::list(tx, only, &[IssueState::Sending, IssueState::Paused], 1).await?;
    let on_wire = match running.into_iter().next() {
        Some(issue) => Some((issue.clone(), delivery::counts(tx, issue.id).await?)),
        None => None,
    };
    let mut sent = Vec::new();
    for issue in issue::list(tx, only, &[IssueState::Sent], 2).await? {
        let counts = delivery::counts(tx, issue.id).await?;
        let left = desk::left_by(tx, paper.id, issue.id).await?;
        sent.push((issue, counts, left));
    }
    Ok(Overview {
        now: tx.now,
        upcoming: issue::list(tx, only, &upcoming, 50).await?,
        on_wire,
        sent,
        statuses: subscription::counts(tx, paper.id).await?,
        tides: desk::tides(tx, paper.id, tx.now.plus(-TIDE_DAYS * Millis::DAY).0).await?,
        in_doubt: desk::in_doubt(tx, paper.id).await?,
        relay: match paper.relay_id {
            Some(id) => relay::by_id(tx, id).await?,
            None => None,
        },
        hold: None,
        spike: None,
    })
}

fn home_page(frame: Frame, paper: &Newsletter, overview: &Overview) -> HomePage {
    let active = overview.statuses.iter().find(|(status, _)| *status == Status::Active).map_or(0, |(_, many)| *many);
    let sum = |days: &[(i64, i64)]| days.iter().map(|(_, many)| many).sum::<i64>();
    let (joined, left) = (sum(&overview.tides.joined), sum(&overview.tides.left));
    let firings = firings(paper, overview.now);
    let lead = lead::lead(
        paper,
        overview.now,
        &lead::Facts {
            upcoming: &overview.upcoming,
            on_wire: overview.on_wire.as_ref(),
            next_slot: firings.first().copied(),
            readers: active,
            has_sent: !overview.sent.is_empty(),
            has_relay: overview.relay.is_some(),
        },
    );
    let growth = joined - left;
    HomePage {
        lead,
        wire: overview.on_wire.as_ref().map(|(issue, counts)| on_wire(issue, counts)),
        last: last(paper, overview),
        readers: count(active, "reader", "readers"),
        growth: format!("{}{} in {TIDE_DAYS} days", if growth >= 0 { "+" } else { "" }, number(growth)),
        joined: number(joined),
        left: number(left),
        tide: (joined + left > 0).then(|| chart::tide(active, &overview.tides, overview.now, TIDE_DAYS, &paper.zone)),
        house: house(&frame.slug, overview),
        slots: slots(paper, overview, &firings),
        slot_words: schedule(paper).map(|schedule| schedule.words()).unwrap_or_default(),
        frame,
    }
}

/// The newsletter's weekly slot, if it has one that can be read.
pub(super) fn schedule(paper: &Newsletter) -> Option<Schedule> {
    paper.slot.as_deref().and_then(|text| text.parse().ok())
}

/// The next five firings of the newsletter's slot.
pub(super) fn firings(paper: &Newsletter, now: Millis) -> Vec<Millis> {
    let (Some(schedule), Ok(zone)) = (schedule(paper), zone::find(&paper.zone)) else { return Vec::new() };
    schedule.next(&zone, now, FIRINGS_SHOWN).into_iter().map(|firing| firing.at).collect()
}

fn on_wire(issue: &IssueRow, counts: &Counts) -> OnWire {
    OnWire {
        what: format!("{}: {}", super::state::issue_name(issue), super::state::subject(issue)),
        sent: number(counts.sent),
        of: number(counts.audience),
        done: counts.sent,
        all: counts.audience.max(1),
        note: format!("{} failed, {} in doubt.", number(counts.failed), number(counts.in_doubt)),
    }
}

fn last(paper: &Newsletter, overview: &Overview) -> Option<Last> {
    let (issue, counts, left) = overview.sent.first()?;
    let before = overview.sent.get(1);
    let row = |what, now: i64, then: Option<i64>, more_is_good: Option<bool>| {
        let difference = then.map(|then| now - then);
        LastRow {
            what,
            now: number(now),
            before: then.map(number).unwrap_or_default(),
            difference: difference
                .map(|by| if by > 0 { format!("+{}", number(by)) } else { number(by) })
                .unwrap_or_default(),
            ink: match (difference.unwrap_or_default().signum(), more_is_good) {
                (0, _) | (_, None) => "",
                (by, Some(good)) if (by > 0) == good => "better",
                _ => "worse",
            },
        }
    };
    let then = |of: fn(&Counts) -> i64| before.map(|(_, counts, _)| of(counts));
    let finished = issue.finished_at.or(issue.published_at).unwrap_or(issue.updated_at);
    Some(Last {
        name: super::state::issue_name(issue),
        subject: super::state::subject(issue),
        when: format!(
            "{}, {}",
            When::new(Millis(finished), &paper.zone).short,
            from_now(Millis(finished), overview.now)
        ),
        href: format!("/desk/issue/{}/report", issue.id),
        before: before.map(|(issue, ..)| super::state::issue_name(issue)).unwrap_or_default(),
        rows: vec![
            row("Arrived", counts.sent, then(|counts| counts.sent), Some(true)),
            row("Failed", counts.failed, then(|counts| counts.failed), Some(false)),
            row("Skipped", counts.skipped, then(|counts| counts.skipped), None),
            row("In doubt", counts.in_doubt, then(|counts| counts.in_doubt), Some(false)),
            row("Left by it", *left, before.map(|(_, _, left)| *left), Some(false)),
        ],
    })
}

fn house(slug: &str, overview: &Overview) -> Vec<HouseLine> {
    let at = |rest: &str| format!("/desk/n/{slug}{rest}");
    let mut lines = Vec::new();
    if overview.hold.is_some() {
        lines.push(HouseLine {
            state: Ink::new("bad", "stop", "Nothing leaves this installation"),
            words: "The database was restored or moved; somebody must say go.".into(),
            href: at("/settings"),
            link: "Look and release",
        });
    }
    if let Some(asked) = overview.spike {
        lines.push(HouseLine {
            state: Ink::new("warn", "people", format!("{} in an hour", count(asked, "sign-up", "sign-ups"))),
            words: "Far more than usual, so each does a little work first.".into(),
            href: at("/forms"),
            link: "Look at the forms",
        });
    }
    lines.push(match &overview.relay {
        None => HouseLine {
            state: Ink::new("bad", "stop", "No relay yet"),
            words: "Nothing can be sent until one is named.".into(),
            href: at("/settings#relay"),
            link: "Name the relay",
        },
        Some(relay) if relay.is_paused(overview.now) => HouseLine {
            state: Ink::new("warn", "pause", "The relay does not take mail"),
            words: relay.paused_reason.clone().unwrap_or_default(),
            href: at("/settings#relay"),
            link: "Relay settings",
        },
        Some(relay) => HouseLine {
            state: Ink::new("good", "check", "The relay takes mail"),
            words: format!("{}, port {}.", relay.host, relay.port),
            href: at("/settings#relay"),
            link: "Relay settings",
        },
    });
    if overview.in_doubt > 0 {
        lines.push(HouseLine {
            state: Ink::new("warn", "doubt", format!("{} in doubt", count(overview.in_doubt, "mail", "mails"))),
            words: "Sent or not, we cannot know; they wait for your word.".into(),
            href: at("/issues?state=sent"),
            link: "Look at them",
        });
    }
    lines.push(HouseLine {
        state: Ink::new("plain", "lamp", "DNS"),
        words: "Signature, sender and return path as rows to paste.".into(),
        href: at("/deliverability"),
        link: "See the rows",
    });
    lines
}

/// The next slots, and which ready issue takes which.
fn slots(paper: &Newsletter, overview: &Overview, firings: &[Millis]) -> Vec<SlotRow> {
    let mut ready: Vec<&IssueRow> = overview.upcoming.iter().filter(|issue| issue.state == IssueState::Ready).collect();
    ready.sort_by_key(|issue| issue.id);
    let mut ready = ready.into_iter();
    firings
        .iter()
        .map(|at| {
            let when = When::new(*at, &paper.zone);
            let issue = ready.next();
            SlotRow {
                day: when.short.split(',').next().unwrap_or_default().to_owned(),
                time: format!("{} ({})", when.time, when.offset),
                away: from_now(*at, overview.now),
                what: issue.map(super::state::subject).unwrap_or_default(),
                href: issue.map(|issue| format!("/desk/issue/{}", issue.id)).unwrap_or_default(),
                state: issue
                    .map_or(Ink::new("idle", "calendar", "Nothing yet"), |_| Ink::new("good", "check", "Ready")),
            }
        })
        .collect()
}

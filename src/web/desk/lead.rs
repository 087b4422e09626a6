//! The one headline of Home: what goes out next, and the one thing to do about it. If something is wrong, that is it.

use super::state::{State as Ink, issue_name, subject};
use super::words::{When, count, span};
use crate::delivery::counts::Counts;
use crate::store::issue::{IssueRow, IssueState};
use crate::store::newsletter::Newsletter;
use crate::values::clock::Millis;

/// What there is to choose the headline from.
pub(super) struct Facts<'a> {
    /// Held, scheduled, ready and draft issues, newest first.
    pub(super) upcoming: &'a [IssueRow],
    pub(super) on_wire: Option<&'a (IssueRow, Counts)>,
    pub(super) next_slot: Option<Millis>,
    pub(super) readers: i64,
    pub(super) has_sent: bool,
    pub(super) has_relay: bool,
}

/// A headline, ready to print.
#[derive(Default)]
pub(super) struct Lead {
    pub(super) state: Ink,
    pub(super) headline: String,
    pub(super) standfirst: String,
    pub(super) countdown: Option<Countdown>,
    /// `(href, icon, label)`; the first is the blue one.
    pub(super) actions: Vec<(String, &'static str, String)>,
    /// Steps of the first run, `(done, words, href)`; empty later.
    pub(super) steps: Vec<(bool, &'static str, String)>,
}

pub(super) struct Countdown {
    pub(super) days: i64,
    pub(super) hours: i64,
    pub(super) minutes: i64,
    pub(super) when: When,
    pub(super) note: &'static str,
}

pub(super) fn lead(paper: &Newsletter, now: Millis, facts: &Facts<'_>) -> Lead {
    let in_state = |state: IssueState| facts.upcoming.iter().filter(move |issue| issue.state == state);
    if let Some(held) = in_state(IssueState::Held).next() {
        return waits(held);
    }
    if let Some((issue, counts)) = facts.on_wire {
        return going_out(issue, counts, now);
    }
    let scheduled = in_state(IssueState::Scheduled).filter_map(|issue| Some((Millis(issue.scheduled_at?), issue)));
    let ready = in_state(IssueState::Ready).next_back().and_then(|issue| Some((facts.next_slot?, issue)));
    if let Some((at, issue)) = scheduled.chain(ready).min_by_key(|(at, issue)| (*at, issue.id)) {
        return due(paper, issue, at, now, facts.readers);
    }
    if !facts.has_sent && facts.upcoming.len() <= 1 {
        return first_run(paper, facts);
    }
    let draft = in_state(IssueState::Draft).next();
    match facts.next_slot {
        Some(at) => empty_slot(paper, at, now, draft),
        None => nothing_due(paper, draft),
    }
}

fn waits(issue: &IssueRow) -> Lead {
    Lead {
        state: Ink::new("live", "clock", "Held"),
        headline: format!("{} waits for your word", issue_name(issue)),
        standfirst: format!("“{}” {}", subject(issue), issue.state_reason),
        actions: vec![(format!("/desk/issue/{}/review", issue.id), "eye", "Review and send".into())],
        ..Lead::default()
    }
}

fn going_out(issue: &IssueRow, counts: &Counts, now: Millis) -> Lead {
    let held = issue.hold_until.map(Millis).filter(|until| *until > now);
    let headline = match (issue.state, held) {
        (IssueState::Paused, _) => format!("{} is paused", issue_name(issue)),
        (_, Some(until)) => format!("{} leaves in {}", issue_name(issue), span(until.since(now))),
        _ => format!("{} is going out", issue_name(issue)),
    };
    let state = match issue.state {
        IssueState::Paused => Ink::new("warn", "pause", "Paused"),
        _ => Ink::new("live", "send", "On the wire"),
    };
    Lead {
        state,
        headline,
        standfirst: format!(
            "“{}” to {}. {}",
            subject(issue),
            count(counts.audience, "reader", "readers"),
            issue.state_reason
        ),
        actions: vec![(format!("/desk/issue/{}/sending", issue.id), "eye", "Watch it go".into())],
        ..Lead::default()
    }
}

fn due(paper: &Newsletter, issue: &IssueRow, at: Millis, now: Millis, readers: i64) -> Lead {
    let when = When::new(at, &paper.zone);
    Lead {
        state: Ink::new("idle", "calendar", if issue.state == IssueState::Ready { "Ready" } else { "Scheduled" }),
        headline: format!("{} goes out {}", issue_name(issue), spoken(&when, at, now)),
        standfirst: format!("“{}” About {}.", subject(issue), count(readers, "reader", "readers")),
        countdown: Some(countdown(
            at,
            now,
            when,
            "Until then it can be taken back. At that moment a hold begins, in which it can be pulled back still.",
        )),
        actions: vec![
            (format!("/desk/issue/{}", issue.id), "pencil", format!("Open {}", issue_name(issue).to_lowercase())),
            (format!("/desk/issue/{}/review", issue.id), "eye", "Review".into()),
        ],
        ..Lead::default()
    }
}

fn empty_slot(paper: &Newsletter, at: Millis, now: Millis, draft: Option<&IssueRow>) -> Lead {
    let when = When::new(at, &paper.zone);
    let headline = format!("Nothing is ready for {}", spoken(&when, at, now).trim_start_matches("on "));
    let (standfirst, actions) = match draft {
        Some(draft) => (
            format!("{}, “{}”, is a draft.", issue_name(draft), subject(draft)),
            vec![
                (format!("/desk/issue/{}", draft.id), "pencil", format!("Open {}", issue_name(draft).to_lowercase())),
                (format!("/desk/issue/{}/review", draft.id), "eye", "Review and schedule".into()),
            ],
        ),
        None => ("There is no draft either.".to_owned(), vec![(issues(paper), "issue", "Write the next issue".into())]),
    };
    let note = "If nothing is ready by then, nothing is sent, and the editors are told a day and two hours before.";
    Lead {
        state: Ink::new("warn", "warn", "Not ready"),
        headline,
        standfirst,
        countdown: Some(countdown(at, now, when, note)),
        actions,
        ..Lead::default()
    }
}

fn nothing_due(paper: &Newsletter, draft: Option<&IssueRow>) -> Lead {
    let (headline, standfirst, actions) = match draft {
        Some(draft) => (
            format!("{} has no time yet", issue_name(draft)),
            format!("“{}” is a draft.", subject(draft)),
            vec![
                (format!("/desk/issue/{}", draft.id), "pencil", format!("Open {}", issue_name(draft).to_lowercase())),
                (format!("/desk/issue/{}/review", draft.id), "eye", "Review and schedule".into()),
            ],
        ),
        None => (
            "No issue is due".to_owned(),
            "Write the next one, or give the newsletter a weekly slot.".to_owned(),
            vec![
                (issues(paper), "issue", "Issues".into()),
                (settings(paper, "#slot"), "calendar", "Set a slot".into()),
            ],
        ),
    };
    Lead { state: Ink::new("plain", "pencil", "No time set"), headline, standfirst, actions, ..Lead::default() }
}

fn first_run(paper: &Newsletter, facts: &Facts<'_>) -> Lead {
    let draft = facts.upcoming.first();
    let write = draft.map_or_else(|| issues(paper), |draft| format!("/desk/issue/{}", draft.id));
    let steps = vec![
        (true, "The newsletter has a name, a sender and a postal address", settings(paper, "")),
        (facts.has_relay, "A relay takes its mail", settings(paper, "#relay")),
        (false, "DNS says that the mail is ours", format!("/desk/n/{}/deliverability", paper.slug)),
        (facts.readers > 0, "Somebody reads it", format!("/desk/n/{}/readers", paper.slug)),
        (draft.is_some(), "The first issue is written", write.clone()),
    ];
    let done = steps.iter().filter(|(done, ..)| *done).count();
    Lead {
        state: Ink::new("plain", "pencil", "The first issue"),
        headline: format!("{} is about to begin", paper.name),
        standfirst: format!("{done} of {} steps are done. Take them in any order.", steps.len()),
        actions: vec![(write, "pencil", "Write the first issue".into())],
        steps,
        ..Lead::default()
    }
}

fn issues(paper: &Newsletter) -> String {
    format!("/desk/n/{}/issues", paper.slug)
}

fn settings(paper: &Newsletter, part: &str) -> String {
    format!("/desk/n/{}/settings{part}", paper.slug)
}

fn countdown(at: Millis, now: Millis, when: When, note: &'static str) -> Countdown {
    let minutes = at.since(now).max(0) / Millis::MINUTE;
    Countdown { days: minutes / 1_440, hours: minutes / 60 % 24, minutes: minutes % 60, when, note }
}

/// "on Sunday at 09:00" within a week, "today at 17:00", else "on 13 Dec 2026 at 09:00".
fn spoken(when: &When, at: Millis, now: Millis) -> String {
    const DAYS: [(&str, &str); 7] = [
        ("Mon", "Monday"),
        ("Tue", "Tuesday"),
        ("Wed", "Wednesday"),
        ("Thu", "Thursday"),
        ("Fri", "Friday"),
        ("Sat", "Saturday"),
        ("Sun", "Sunday"),
    ];
    let day = DAYS.iter().find(|(short, _)| when.full.starts_with(short)).map_or("", |(_, day)| day);
    match at.since(now) {
        away if away < 6 * Millis::DAY => format!("on {day} at {}", when.time),
        _ => format!("on {} at {}", when.date, when.time),
    }
}

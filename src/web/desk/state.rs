//! How states look: always icon, word and ink together.

use super::words::{When, percent};
use crate::audience::status::Status;
use crate::delivery::counts::Counts;
use crate::delivery::state::DeliveryState;
use crate::store::issue::{IssueRow, IssueState};
use crate::values::clock::Millis;

/// A state, ready to print.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct State {
    /// Its ink: good, warn, bad, live, idle or plain.
    pub(super) kind: &'static str,
    pub(super) icon: &'static str,
    pub(super) word: String,
}

impl State {
    pub(super) fn new(kind: &'static str, icon: &'static str, word: impl Into<String>) -> Self {
        Self { kind, icon, word: word.into() }
    }

    /// An issue's state; `counts` of a published one.
    pub(super) fn of_issue(issue: &IssueRow, counts: &Counts, zone: &str, now: Millis) -> Self {
        match issue.state {
            IssueState::Draft => Self::new("plain", "pencil", "Draft"),
            IssueState::Ready => Self::new("idle", "calendar", "Ready for the slot"),
            IssueState::Scheduled => Self::new("idle", "calendar", "Scheduled"),
            IssueState::Held => Self::new("live", "clock", "Held"),
            IssueState::Sending if issue.is_freezing() => Self::new("live", "clock", "Being made ready"),
            IssueState::Sending => match issue.hold_until.map(Millis).filter(|until| *until > now) {
                Some(until) => Self::new("live", "clock", format!("Held until {}", When::new(until, zone).seconds)),
                None => Self::new("live", "send", "Sending"),
            },
            IssueState::Paused => Self::new("warn", "pause", "Paused"),
            IssueState::Sent if counts.in_doubt > 0 => {
                Self::new("warn", "doubt", format!("Sent, {} in doubt", counts.in_doubt))
            }
            IssueState::Sent => Self::new("good", "check", "Sent"),
            IssueState::Cancelled => {
                Self::new("bad", "stop", format!("Cancelled at {}", percent(counts.sent, counts.audience)))
            }
        }
    }

    pub(super) fn of_delivery(state: DeliveryState, next_at: Millis, zone: &str, now: Millis) -> Self {
        match state {
            DeliveryState::Pending if next_at > now => {
                Self::new("warn", "clock", format!("Again at {}", When::near(next_at, now, zone)))
            }
            DeliveryState::Pending => Self::new("idle", "clock", "Waiting"),
            DeliveryState::Claimed | DeliveryState::Inflight => Self::new("live", "send", "On the wire"),
            DeliveryState::Sent => Self::new("good", "check", "Arrived"),
            DeliveryState::Failed => Self::new("bad", "stop", "Failed"),
            DeliveryState::Skipped => Self::new("idle", "skip", "Skipped"),
            DeliveryState::InDoubt => Self::new("warn", "doubt", "In doubt"),
        }
    }

    pub(super) fn of_reader(status: Status, paused_until: Option<i64>, zone: &str, now: Millis) -> Self {
        match (status, paused_until.map(Millis).filter(|until| *until > now)) {
            (Status::Active, Some(until)) => {
                Self::new("idle", "pause", format!("Paused to {}", When::new(until, zone).date))
            }
            (Status::Active, None) => Self::new("good", "check", "Active"),
            (Status::Pending, _) => Self::new("idle", "clock", "Waiting to confirm"),
            (Status::Unsubscribed, _) => Self::new("plain", "leave", "Unsubscribed"),
            (Status::Bounced, _) => Self::new("bad", "stop", "Bounced"),
            (Status::Complained, _) => Self::new("bad", "stop", "Complained"),
        }
    }
}

/// What an issue is called before its subject: "Issue 31", or "This issue" without a number.
pub(super) fn issue_name(issue: &IssueRow) -> String {
    issue.number.map_or_else(|| "This issue".to_owned(), |number| format!("Issue {number}"))
}

/// Its subject, or what stands for one that has none yet.
pub(super) fn subject(issue: &IssueRow) -> String {
    if issue.subject.trim().is_empty() { "Without a subject yet".to_owned() } else { issue.subject.clone() }
}

/// A reply as its server gave it: "550 5.1.1 No such user".
pub(super) fn reply(code: Option<i64>, text: &str) -> String {
    match code {
        Some(code) if !text.starts_with(&code.to_string()) => format!("{code} {text}").trim_end().to_owned(),
        _ => text.to_owned(),
    }
}

/// Why a delivery stands as it does, as a sentence without its full stop.
pub(super) fn why(reason: &str) -> String {
    let words = match reason {
        "" => "no reason was kept",
        "left" | "unsubscribed" => "left before it went",
        "suppressed" => "must not be mailed (suppressed)",
        "paused" => "paused by the reader",
        "cancelled" => "the rest was cancelled",
        "hour_passed" => "their hour had passed when it began",
        "interrupted" => "the machine stopped while it was on the wire",
        "render" => "the message could not be made",
        "unknown-user" => "there is no such mailbox",
        "mailbox-full" => "the mailbox is full",
        "spam" => "taken for unwanted mail",
        "greylisted" => "asked to come back in a few minutes",
        "throttled" => "asked to send more slowly",
        "no clear answer" => "the relay gave no clear answer after the last byte",
        "marked by hand" => "somebody found it in the relay’s log",
        "proven by the reader" => "the reader answered by a link in it",
        "bounced" => "it came back",
        "expired" => "tried for three days without success",
        other => &other.replace('-', " "),
    };
    let mut letters = words.chars();
    letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect()
}

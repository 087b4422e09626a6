//! The engine's one decision: what becomes of a delivery after a try. Pure: time and chance are handed in.

use super::outcome::{Blame, Class, Conclusion, Fault, Outcome, Pace, Scope, Speaker, Table};
use super::reply::{Answer, Stage};
use super::retry;
use super::state::DeliveryState;
use crate::values::clock::Millis;

/// What is known of a delivery when it has just been tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tried {
    /// Tries before this one.
    pub attempts: i64,
    /// When the first try was; this one, if it is the first.
    pub first_at: Millis,
    pub now: Millis,
}

/// How the row stands from now on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    pub to: DeliveryState,
    /// For pending: not before.
    pub next_at: Millis,
    /// Whether the try counts against the delivery.
    pub tried: bool,
    pub said: Said,
    /// Class or fault, as a word; nothing for sent.
    pub reason: Option<String>,
    /// The address is no good for ever: the subscription ends as bounced.
    pub hard: bool,
    pub note: Note,
}

/// What else an answer taught, for those who decide about more than this row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Note {
    pub blame: Option<Blame>,
    pub pace: Option<Pace>,
    /// What the answer or its rule asks to wait for.
    pub wait_ms: Option<i64>,
    /// The address is no good once this many issues were refused with this reason; 0: never.
    pub hard_after: u32,
    /// A fault of ours, of whatever scope.
    pub fault: Option<Fault>,
}

/// The answer, as it is kept on the row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    pub stage: Option<&'static str>,
    pub code: Option<i64>,
    pub text: Option<String>,
}

impl Said {
    /// What an answer said, and where.
    #[must_use]
    pub fn of(answer: &Answer) -> Self {
        let (stage, code, text) = match answer {
            Answer::Reply(reply) => {
                let enhanced = reply.enhanced.as_deref().map(|code| format!("{code} ")).unwrap_or_default();
                (reply.stage, Some(i64::from(reply.code)), format!("{enhanced}{}", reply.text))
            }
            Answer::Broken { stage, why } => (*stage, None, why.clone()),
            Answer::Unclear { why } => (Stage::AfterDot, None, why.clone()),
        };
        Self { stage: Some(stage.as_str()), code, text: Some(text) }
    }
}

/// Concludes from a relay's answer by the built-in table how the delivery goes on, and which fault of ours the relay
/// must rest for, if any. `chance` is a random number from 0 to 1.
#[must_use]
pub fn step(tried: Tried, answer: &Answer, chance: f64) -> (End, Option<Fault>) {
    step_by(Table::built_in(), Speaker::Relay, tried, answer, chance)
}

/// The same, by any table and of any speaker's answer. A fault that is given concerns everything that goes to this
/// speaker; faults that concern one newsletter or one issue are in the note only, and are for
/// [`super::breaker::Breaker`].
#[must_use]
pub fn step_by(
    table: &Table,
    speaker: Speaker<'_>,
    tried: Tried,
    answer: &Answer,
    chance: f64,
) -> (End, Option<Fault>) {
    let Conclusion { outcome, blame, pace, hard_after, .. } = table.conclude(answer, speaker);
    let end = |to, reason: Option<&str>| End {
        to,
        next_at: tried.now,
        tried: true,
        said: Said::of(answer),
        reason: reason.map(ToOwned::to_owned),
        hard: false,
        note: Note { blame, pace, wait_ms: None, hard_after, fault: None },
    };
    match outcome {
        Outcome::Sent => (end(DeliveryState::Sent, None), None),
        Outcome::InDoubt { .. } => (end(DeliveryState::InDoubt, Some("no clear answer")), None),
        Outcome::Failed { class, hard, .. } => (End { hard, ..end(DeliveryState::Failed, Some(class.as_str())) }, None),
        Outcome::Retry { class, not_before_ms: wait_ms, .. } => {
            let again = next_try(tried, class, pace, wait_ms, chance);
            let end = match again {
                Some(next_at) => End { next_at, ..end(DeliveryState::Pending, Some(class.as_str())) },
                None => end(DeliveryState::Failed, Some(Class::Expired.as_str())),
            };
            (End { note: Note { wait_ms, ..end.note }, ..end }, None)
        }
        Outcome::Ours { fault, not_before_ms: wait_ms, .. } => {
            let end = ours(tried, fault, wait_ms, chance, end);
            let rests = Some(fault).filter(|fault| fault.scope() == Scope::Relay);
            (End { note: Note { wait_ms, fault: Some(fault), ..end.note }, ..end }, rests)
        }
    }
}

fn next_try(tried: Tried, class: Class, pace: Option<Pace>, wait_ms: Option<i64>, chance: f64) -> Option<Millis> {
    let attempts = u32::try_from(tried.attempts + 1).unwrap_or(u32::MAX);
    let worn_out = pace == Some(Pace::NewConnection) && wait_ms.is_none() && attempts == 1;
    if worn_out {
        return Some(retry::at_once(tried.now, chance));
    }
    retry::next_attempt(tried.first_at, tried.now, attempts, wait_ms, retry::give_up_ms(class), chance)
}

/// A fault of ours: pending as if untried. Where a relay rests, the row need not wait by itself. Where a sender or an
/// issue is refused, it waits until somebody had the time to pause the issue, and is not asked about for ever.
fn ours(
    tried: Tried,
    fault: Fault,
    wait_ms: Option<i64>,
    chance: f64,
    end: impl Fn(DeliveryState, Option<&str>) -> End,
) -> End {
    let untried = End { tried: false, ..end(DeliveryState::Pending, Some(fault.as_str())) };
    if fault.scope() == Scope::Relay {
        return untried;
    }
    if tried.now >= tried.first_at.plus(retry::GIVE_UP_MS) {
        return end(DeliveryState::Failed, Some(fault.as_str()));
    }
    let pause_ms = retry::pause_ms(wait_ms.unwrap_or(0).max(fault.rest_min_ms()), chance);
    End { next_at: tried.now.plus(pause_ms), ..untried }
}

#[cfg(test)]
mod tests {
    use super::{Tried, step, step_by};
    use crate::delivery::outcome::{Blame, Fault, Speaker, Table};
    use crate::delivery::reply::{Answer, Reply, Stage};
    use crate::delivery::retry::GIVE_UP_MS;
    use crate::delivery::state::DeliveryState;
    use crate::values::clock::Millis;

    const FIRST: Tried = Tried { attempts: 0, first_at: Millis(1_000), now: Millis(1_000) };

    fn reply(stage: Stage, code: u16, text: &str) -> Answer {
        Answer::Reply(Reply { stage, code, enhanced: None, text: text.into() })
    }

    #[test]
    fn a_2xx_after_the_dot_is_sent_and_nothing_else_is() {
        assert_eq!(step(FIRST, &reply(Stage::AfterDot, 250, "queued"), 0.5).0.to, DeliveryState::Sent);
        let unclear = Answer::Unclear { why: "the connection broke".into() };
        assert_eq!(step(FIRST, &unclear, 0.5).0.to, DeliveryState::InDoubt);
    }

    #[test]
    fn a_4xx_waits_and_at_the_end_of_three_days_fails() {
        let busy = reply(Stage::AfterDot, 451, "try again later");
        let (end, fault) = step(FIRST, &busy, 0.5);
        assert_eq!((end.to, fault), (DeliveryState::Pending, None));
        assert!(end.tried && end.next_at > FIRST.now);
        let late = Tried { attempts: 20, now: Millis(1_000 + GIVE_UP_MS), ..FIRST };
        let (end, _) = step(late, &busy, 0.5);
        assert_eq!((end.to, end.reason.as_deref()), (DeliveryState::Failed, Some("expired")));
    }

    #[test]
    fn an_unknown_mailbox_fails_for_good() {
        let (end, fault) = step(FIRST, &reply(Stage::RcptTo, 550, "5.1.1 user unknown"), 0.5);
        assert_eq!((end.to, end.hard, fault), (DeliveryState::Failed, true, None));
        assert_eq!((end.said.stage, end.said.code), (Some("rcpt-to"), Some(550)));
    }

    #[test]
    fn a_refused_sender_stops_its_newsletter_and_not_the_relay() {
        let refused = reply(Stage::MailFrom, 550, "sender not allowed");
        let (end, fault) = step(FIRST, &refused, 0.5);
        assert_eq!((end.to, end.tried, fault), (DeliveryState::Pending, false, None));
        assert_eq!((end.note.fault, end.note.blame), (Some(Fault::Sender), Some(Blame::Sender)));
        assert!(end.next_at > FIRST.now, "it would be asked again at once, for ever");
        let late = Tried { now: Millis(1_000 + GIVE_UP_MS), ..FIRST };
        let (end, _) = step(late, &refused, 0.5);
        assert_eq!((end.to, end.reason.as_deref(), end.hard), (DeliveryState::Failed, Some("sender"), false));
    }

    #[test]
    fn too_big_for_the_relay_is_the_issues_and_for_one_readers_server_is_that_readers() {
        let big = reply(Stage::MailFrom, 552, "Message size exceeds fixed limit");
        let (end, fault) = step(FIRST, &big, 0.5);
        assert_eq!((end.to, end.note.fault, fault), (DeliveryState::Pending, Some(Fault::TooBig), None));
        let (end, _) = step_by(Table::built_in(), Speaker::Site(None), FIRST, &big, 0.5);
        assert_eq!((end.to, end.reason.as_deref(), end.hard), (DeliveryState::Failed, Some("too-big"), false));
    }

    #[test]
    fn a_worn_out_connection_costs_one_try_at_once_and_then_the_usual_pauses() {
        let worn = reply(Stage::Data, 503, "5.5.1 Bad sequence");
        let (end, _) = step(FIRST, &worn, 0.5);
        assert!(end.next_at.since(FIRST.now) <= 2 * Millis::SECOND, "{end:?}");
        let (end, _) = step(Tried { attempts: 1, ..FIRST }, &worn, 0.5);
        assert!(end.next_at.since(FIRST.now) >= Millis::MINUTE, "{end:?}");
    }

    #[test]
    fn a_full_mailbox_is_given_up_after_a_day() {
        let full = reply(Stage::RcptTo, 452, "mailbox full");
        let (end, _) = step(Tried { attempts: 9, now: Millis(1_000 + 24 * Millis::HOUR), ..FIRST }, &full, 0.5);
        assert_eq!((end.to, end.reason.as_deref()), (DeliveryState::Failed, Some("expired")));
    }

    #[test]
    fn a_fault_of_ours_touches_no_reader() {
        for answer in [
            Answer::Broken { stage: Stage::Connect, why: "refused".into() },
            reply(Stage::Auth, 535, "wrong password"),
            reply(Stage::MailFrom, 421, "not now"),
        ] {
            let (end, fault) = step(FIRST, &answer, 0.5);
            assert!(fault.is_some(), "{answer:?}");
            assert_eq!((end.to, end.tried, end.next_at), (DeliveryState::Pending, false, FIRST.now));
        }
    }
}

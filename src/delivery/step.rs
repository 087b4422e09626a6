//! The engine's one decision: what becomes of a delivery after a try. Pure: time and chance are handed in.

use super::outcome::{Class, Fault, Outcome, classify};
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

/// Concludes from an answer how the delivery goes on, and which fault of ours the relay must rest for, if any.
/// `chance` is a random number from 0 to 1.
#[must_use]
pub fn step(tried: Tried, answer: &Answer, chance: f64) -> (End, Option<Fault>) {
    let end = |to, reason: Option<&str>| End {
        to,
        next_at: tried.now,
        tried: true,
        said: Said::of(answer),
        reason: reason.map(ToOwned::to_owned),
        hard: false,
    };
    match classify(answer) {
        Outcome::Sent => (end(DeliveryState::Sent, None), None),
        Outcome::InDoubt { .. } => (end(DeliveryState::InDoubt, Some("no clear answer")), None),
        Outcome::Failed { class, hard, .. } => (End { hard, ..end(DeliveryState::Failed, Some(class.as_str())) }, None),
        Outcome::Retry { class, not_before_ms, .. } => {
            let attempts = u32::try_from(tried.attempts + 1).unwrap_or(u32::MAX);
            match retry::next_attempt(tried.first_at, tried.now, attempts, not_before_ms, chance) {
                Some(next_at) => (End { next_at, ..end(DeliveryState::Pending, Some(class.as_str())) }, None),
                None => (end(DeliveryState::Failed, Some(Class::Expired.as_str())), None),
            }
        }
        Outcome::Ours { fault, .. } => {
            (End { tried: false, ..end(DeliveryState::Pending, Some(fault.as_str())) }, Some(fault))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Tried, step};
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
    fn a_fault_of_ours_touches_no_reader() {
        for answer in [
            Answer::Broken { stage: Stage::Connect, why: "refused".into() },
            reply(Stage::Auth, 535, "wrong password"),
            reply(Stage::MailFrom, 550, "sender not allowed"),
        ] {
            let (end, fault) = step(FIRST, &answer, 0.5);
            assert!(fault.is_some(), "{answer:?}");
            assert_eq!((end.to, end.tried, end.next_at), (DeliveryState::Pending, false, FIRST.now));
        }
    }
}

//! From answer to outcome: whose fault it is, and what to do. One ordered [`Table`], which is data
//! (`outcome/replies.toml`); the first rule that fits counts.
//!
//! The stage decides blame. Up to MAIL FROM the relay speaks to *us*, so no reader is touched and something of ours
//! rests. From RCPT on it speaks about the reader or the text. Codes alone say little: providers reuse them, so text
//! comes before the enhanced code and that before the reply code. Where code and enhanced code disagree
//! ("421 5.7.32"), whether to try again follows the reply code, the reason follows the enhanced code (RFC 2034 §3
//! forbids the case).
//!
//! Not in the table, because nobody may change it: only 2xx after the dot is sent, and no answer after the dot is a
//! doubt.

mod file;
mod fixture;
mod table;
mod words;

pub use file::BadTable;
pub use table::Table;
pub use words::{Blame, Class, Fault, Pace, Scope};

use crate::delivery::reply::{Answer, Reply, Stage};
use crate::values::clock::Millis;

/// What we conclude from one try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Sent,
    /// The row goes back to pending. `not_before_ms`: wait at least so many milliseconds from now, where the answer
    /// or its rule asks for it.
    Retry {
        class: Class,
        why: String,
        not_before_ms: Option<i64>,
    },
    /// The row is finished. `hard`: the address is no good and is never to be mailed again.
    Failed {
        class: Class,
        hard: bool,
        why: String,
    },
    /// The relay may or may not have the message: held for a person to decide.
    InDoubt {
        why: String,
    },
    /// A fault of ours: what [`Fault::scope`] says rests or stops, the row goes back to pending as if untried.
    Ours {
        fault: Fault,
        why: String,
        not_before_ms: Option<i64>,
    },
}

/// Who answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Speaker<'a> {
    /// A relay, for whomever it hands over to.
    #[default]
    Relay,
    /// The reader's own mail server, and the name of its provider where that is known ("google").
    Site(Option<&'a str>),
}

/// An outcome, and what else the rule that led to it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conclusion<'a> {
    pub outcome: Outcome,
    /// The rule's name; nothing where no rule was asked.
    pub rule: Option<&'a str>,
    pub blame: Option<Blame>,
    pub pace: Option<Pace>,
    /// The address is no good once this many issues were refused so; 1: now; 0: never.
    pub hard_after: u32,
}

impl Conclusion<'_> {
    fn plain(outcome: Outcome) -> Self {
        Self { outcome, rule: None, blame: None, pace: None, hard_after: 0 }
    }
}

/// Added to a wait that a reply asks for in seconds or minutes, as clocks differ.
const WAIT_MARGIN_MS: i64 = 10 * Millis::SECOND;
/// Longest wait that we let a reply ask for.
const WAIT_MAX_MS: i64 = Millis::DAY;

/// Concludes by the table that is built in, of a relay's answer.
#[must_use]
pub fn classify(answer: &Answer) -> Outcome {
    Table::built_in().conclude(answer, Speaker::Relay).outcome
}

impl Table {
    /// Concludes. A message that was taken costs one comparison and touches no rule.
    #[must_use]
    pub fn conclude(&self, answer: &Answer, speaker: Speaker<'_>) -> Conclusion<'_> {
        let after_dot = |reply: &Reply| reply.stage == Stage::AfterDot;
        match answer {
            Answer::Reply(reply) if after_dot(reply) && (200..300).contains(&reply.code) => {
                Conclusion::plain(Outcome::Sent)
            }
            Answer::Reply(reply) if after_dot(reply) && !(400..600).contains(&reply.code) => {
                Conclusion::plain(Outcome::InDoubt { why: shown(reply) })
            }
            Answer::Reply(reply) => self.of_reply(reply, speaker),
            Answer::Broken { stage: Stage::AfterDot, why } | Answer::Unclear { why } => {
                Conclusion::plain(Outcome::InDoubt { why: why.clone() })
            }
            Answer::Broken { stage, why } => self.of_break(*stage, why, speaker),
        }
    }
}

/// The reply as a person sees it.
fn shown(reply: &Reply) -> String {
    let parts = [reply.code.to_string(), reply.enhanced.clone().unwrap_or_default(), reply.text.clone()];
    parts.iter().filter(|part| !part.is_empty()).map(String::as_str).collect::<Vec<_>>().join(" ")
}

/// "try again in 300 seconds", "retry after 5 minutes": what the reply asks for, and a little more. `text` is in
/// small letters.
fn asked_wait_ms(text: &str) -> Option<i64> {
    let words: Vec<&str> = text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).collect();
    words.windows(2).find_map(|pair| {
        let unit = match pair[1] {
            "second" | "seconds" | "sec" | "secs" => Millis::SECOND,
            "minute" | "minutes" | "min" | "mins" => Millis::MINUTE,
            "hour" | "hours" => Millis::HOUR,
            _ => return None,
        };
        let count: i64 = pair[0].parse().ok()?;
        Some(count.saturating_mul(unit).saturating_add(WAIT_MARGIN_MS).min(WAIT_MAX_MS))
    })
}

#[cfg(test)]
mod tests;

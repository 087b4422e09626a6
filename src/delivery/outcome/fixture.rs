//! Lines that a rule must get right: `stage answer => conclusion`, in the words of the table's file.

use super::table::{Rule, Table};
use super::{Conclusion, Outcome, Scope, Speaker};
use crate::delivery::reply::{Answer, Reply, Stage};

/// "after-dot 550 5.1.1 No such user": the answer in a fixture, or in a question about one.
pub(super) fn answer(line: &str) -> Result<Answer, String> {
    let wrong = || format!("“{line}” is no answer: a stage, a code (or - for a broken connection), and words");
    let mut words = line.splitn(3, ' ');
    let stage = words.next().and_then(Stage::from_word).ok_or_else(wrong)?;
    let (code, rest) = (words.next().ok_or_else(wrong)?, words.next().unwrap_or_default());
    if code == "-" {
        return Ok(Answer::Broken { stage, why: rest.to_owned() });
    }
    let code: u16 = code.parse().map_err(|_| wrong())?;
    let (first, after) = rest.split_once(' ').unwrap_or((rest, ""));
    let is_enhanced = first.split('.').count() == 3 && first.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let (enhanced, text) = if is_enhanced { (Some(first.to_owned()), after) } else { (None, rest) };
    Ok(Answer::Reply(Reply { stage, code, enhanced, text: text.to_owned() }))
}

/// A conclusion in a few words, as fixtures say it.
pub(super) fn said(conclusion: &Conclusion<'_>) -> String {
    let wait = |ms: &Option<i64>| ms.map_or(String::new(), |ms| format!(" {}s", ms / 1_000));
    match &conclusion.outcome {
        Outcome::Sent => "sent".into(),
        Outcome::InDoubt { .. } => "in doubt".into(),
        Outcome::Retry { class, not_before_ms, .. } => format!("retry {}{}", class.as_str(), wait(not_before_ms)),
        Outcome::Failed { class, hard: true, .. } => format!("hard {}", class.as_str()),
        Outcome::Failed { class, .. } if conclusion.hard_after > 1 => {
            format!("hard-on-{} {}", conclusion.hard_after, class.as_str())
        }
        Outcome::Failed { class, .. } => format!("soft {}", class.as_str()),
        Outcome::Ours { fault, not_before_ms, .. } => {
            let stops = match fault.scope() {
                Scope::Relay => "rest",
                Scope::Sender => "stop-sender",
                Scope::Issue => "stop-issue",
            };
            format!("{stops} {}{}", fault.as_str(), wait(not_before_ms))
        }
    }
}

impl Table {
    /// Every line of every rule of `whose`, read by this table: what is wrong, in sentences.
    pub(super) fn wrong_fixtures<'a>(&self, whose: impl Iterator<Item = &'a Rule>) -> Vec<String> {
        let mut wrong = Vec::new();
        for rule in whose {
            for line in &rule.tested {
                if let Err(problem) = self.holds(rule, line) {
                    wrong.push(format!("rule “{}”: {problem}", rule.name));
                }
            }
        }
        wrong
    }

    fn holds(&self, rule: &Rule, line: &str) -> Result<(), String> {
        let (said_by, wanted) = line.split_once(" => ").ok_or_else(|| format!("“{line}” has no =>"))?;
        let answer = answer(said_by)?;
        let found = self.conclude(&answer, Speaker::Relay);
        if found.rule != Some(rule.name.as_str()) {
            return Err(format!("“{said_by}” ends at rule “{}”, which stands before it", found.rule.unwrap_or("none")));
        }
        let is = said(&found);
        if is == wanted { Ok(()) } else { Err(format!("“{said_by}” is “{is}”, not “{wanted}”")) }
    }
}

//! The table as a file: what may stand in it, and what is wrong with one.

use std::collections::HashSet;

use super::fixture::answer;
use super::table::{Rule, Table, Then, When};
use super::{Blame, Class, Conclusion, Fault, Outcome, Pace, Scope, Speaker};
use crate::delivery::reply::{Answer, Reply, Stage};
use crate::values::clock::Millis;

/// Why a table cannot be used: every problem at once.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct BadTable(pub Vec<String>);

/// Rules in one file: beyond this it is not written by hand, and every refusal walks through it.
const RULES_MAX: usize = 2_000;
/// A wait longer than this is no wait, it is giving up: deliveries end after three days.
const WAIT_MINUTES_MAX: i64 = 24 * 60;
/// A stopped sender is asked about again after this, if nobody paused the issue.
const SENDER_WAIT_MS: i64 = 5 * Millis::MINUTE;
/// Issues refused before an address counts as no good: beyond this it is "never".
const HARD_AFTER_MAX: u32 = 10;

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    /// Names of built-in rules that shall not count.
    #[serde(default)]
    without: Vec<String>,
    #[serde(default)]
    rule: Vec<Line>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    name: String,
    stage: String,
    #[serde(default)]
    broken: bool,
    provider: Option<String>,
    #[serde(default)]
    code: Vec<u16>,
    #[serde(default)]
    enhanced: Vec<String>,
    #[serde(default)]
    text: Vec<String>,
    #[serde(default)]
    asks: bool,
    then: Word,
    at_site: Option<Word>,
    class: Option<Class>,
    fault: Option<Fault>,
    blame: Blame,
    wait_minutes: Option<i64>,
    hard_after: Option<u32>,
    pace: Option<Pace>,
    #[serde(default)]
    tested: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Word {
    Retry,
    #[serde(rename = "retry-4xx")]
    Retry4xx,
    GiveUp,
    Hard,
    Rest,
    StopSender,
    StopIssue,
}

impl Table {
    /// Reads a whole table, without trying its lines: for the built-in one a test does.
    pub(super) fn read(text: &str) -> Result<Self, BadTable> {
        Ok(Self { rules: rules(parse(text)?.rule)? })
    }

    /// The built-in table, with an operator's file over it: its rules come first, one with the name of a built-in
    /// rule takes that rule's place, and `without` takes rules out.
    ///
    /// # Errors
    /// Everything that is wrong with the file, in sentences; a table that would charge our faults to readers, that
    /// leaves answers without a rule, or gets one of the file's own `tested` lines wrong.
    pub fn with(text: &str) -> Result<Self, BadTable> {
        let File { without, rule } = parse(text)?;
        let mut built_in = Self::built_in().rules.clone();
        let unknown = |name: &&String| !built_in.iter().any(|rule| &rule.name == *name);
        if let Some(name) = without.iter().find(unknown) {
            return Err(BadTable(vec![format!("without: there is no rule “{name}”")]));
        }
        built_in.retain(|rule| !without.contains(&rule.name));
        let (mut own, mut named) = (Vec::new(), HashSet::new());
        for rule in rules(rule)? {
            named.insert(rule.name.clone());
            match built_in.iter_mut().find(|old| old.name == rule.name) {
                Some(old) => *old = rule,
                None => own.push(rule),
            }
        }
        own.append(&mut built_in);
        Self { rules: own }.checked(&named)
    }

    /// The table, if nothing is wrong with it. Only the lines of rules named in `own` are tried: such a rule may well
    /// stand before what a built-in one was tested with.
    fn checked(self, own: &HashSet<String>) -> Result<Self, BadTable> {
        let mut wrong = self.wrong_fixtures(self.rules.iter().filter(|rule| own.contains(&rule.name)));
        wrong.extend(self.gaps());
        if wrong.is_empty() { Ok(self) } else { Err(BadTable(wrong)) }
    }

    /// Answers that no rule would fit.
    pub(super) fn gaps(&self) -> Vec<String> {
        let mut answers = Vec::new();
        for stage in Stage::ALL {
            for code in [450, 550] {
                answers.push(Answer::Reply(Reply { stage, code, enhanced: None, text: String::new() }));
            }
            answers.push(Answer::Broken { stage, why: String::new() });
        }
        let ruled = |answer: &&Answer| {
            let found = self.conclude(answer, Speaker::Relay);
            found.rule.is_some() || matches!(found.outcome, Outcome::InDoubt { .. })
        };
        let gaps = answers.iter().filter(|answer| !ruled(answer));
        gaps.map(|answer| format!("no rule is left for {answer:?}")).collect()
    }

    /// What a line such as "rcpt-to 550 5.1.1 No such user" would lead to, and by which rule.
    ///
    /// # Errors
    /// When the line is no answer.
    pub fn explain(&self, line: &str, speaker: Speaker<'_>) -> Result<Conclusion<'_>, String> {
        Ok(self.conclude(&answer(line)?, speaker))
    }
}

fn parse(text: &str) -> Result<File, BadTable> {
    let file: File = toml::from_str(text).map_err(|error| BadTable(vec![error.to_string()]))?;
    if file.rule.len() > RULES_MAX {
        return Err(BadTable(vec![format!("{} rules are too many: at most {RULES_MAX}", file.rule.len())]));
    }
    Ok(file)
}

fn rules(lines: Vec<Line>) -> Result<Vec<Rule>, BadTable> {
    let (mut rules, mut wrong) = (Vec::<Rule>::with_capacity(lines.len()), Vec::new());
    for line in lines {
        let name = line.name.clone();
        if rules.iter().any(|rule| rule.name == name) {
            wrong.push(format!("rule “{name}”: there are two of this name"));
        }
        match line.rule() {
            Ok(rule) => rules.push(rule),
            Err(problem) => wrong.push(format!("rule “{name}”: {problem}")),
        }
    }
    if wrong.is_empty() { Ok(rules) } else { Err(BadTable(wrong)) }
}

impl Line {
    fn rule(self) -> Result<Rule, String> {
        let stages = self.stages()?;
        let then = self.then(self.then)?;
        let at_site = self.at_site.map(|word| self.then(word)).transpose()?;
        let blames_reader = |then: &Then| !matches!(then, Then::Ours(_));
        if blames_reader(&then) && stages.iter().any(|stage| *stage <= Stage::MailFrom) {
            return Err("up to mail-from nothing is a reader's fault: then = rest, stop-sender or stop-issue".into());
        }
        let wait_ms = self.wait_ms()?;
        let hard_after = self.hard_after.unwrap_or(1);
        if !(1..=HARD_AFTER_MAX).contains(&hard_after) {
            return Err(format!("hard_after is from 1 to {HARD_AFTER_MAX}"));
        }
        let small = |words: Vec<String>| words.into_iter().map(|word| word.to_lowercase()).collect();
        let when = When {
            stages,
            broken: self.broken,
            provider: self.provider,
            codes: self.code,
            enhanced: self.enhanced,
            texts: small(self.text),
            asks: self.asks,
        };
        let Self { name, blame, pace, tested, .. } = self;
        Ok(Rule { name, when, then, at_site, blame, pace, wait_ms, hard_after, tested })
    }

    fn stages(&self) -> Result<Vec<Stage>, String> {
        let read = |word: &str| Stage::from_word(word).ok_or_else(|| format!("“{word}” is no stage"));
        let stages: Vec<Stage> = self.stage.split_whitespace().map(read).collect::<Result<_, _>>()?;
        if stages.is_empty() { Err("stage is empty".into()) } else { Ok(stages) }
    }

    fn then(&self, word: Word) -> Result<Then, String> {
        let class = || self.class.ok_or("this needs a class");
        let fault = |scope| match self.fault {
            Some(fault) if fault.scope() == scope => Ok(Then::Ours(fault)),
            Some(fault) => Err(format!("fault = {} does not go with this", fault.as_str())),
            None => Err("this needs a fault".to_owned()),
        };
        Ok(match word {
            Word::Retry => Then::Retry(class()?),
            Word::Retry4xx => Then::Retry4xx(class()?),
            Word::GiveUp => Then::GiveUp(class()?),
            Word::Hard => Then::Hard(class()?),
            Word::Rest => fault(Scope::Relay)?,
            Word::StopSender => fault(Scope::Sender)?,
            Word::StopIssue => fault(Scope::Issue)?,
        })
    }

    fn wait_ms(&self) -> Result<Option<i64>, String> {
        match self.wait_minutes {
            Some(minutes) if !(0..=WAIT_MINUTES_MAX).contains(&minutes) => {
                Err(format!("wait_minutes is from 0 to {WAIT_MINUTES_MAX}"))
            }
            Some(minutes) => Ok(Some(minutes * Millis::MINUTE)),
            None => Ok((self.then == Word::StopSender).then_some(SENDER_WAIT_MS)),
        }
    }
}

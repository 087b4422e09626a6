//! Rules, and what follows from the one that fits.

use std::sync::LazyLock;

use super::{Blame, Class, Conclusion, Fault, Outcome, Pace, Speaker, asked_wait_ms, shown};
use crate::delivery::reply::{Reply, Stage};

/// The rules in their order: those that are built in, with an operator's own before them.
#[derive(Clone, Debug)]
pub struct Table {
    pub(super) rules: Vec<Rule>,
}

static BUILT_IN: LazyLock<Table> = LazyLock::new(|| {
    Table::read(include_str!("replies.toml")).expect("the built-in table is well-formed because a test reads it")
});

impl Table {
    /// The table that comes with the program.
    #[must_use]
    pub fn built_in() -> &'static Self {
        &BUILT_IN
    }
}

/// When a rule fits (every part that is there must) and what follows.
#[derive(Clone, Debug)]
pub(super) struct Rule {
    pub(super) name: String,
    pub(super) when: When,
    pub(super) then: Then,
    /// Where the reader's own mail server said it, if something else follows then.
    pub(super) at_site: Option<Then>,
    pub(super) blame: Blame,
    pub(super) pace: Option<Pace>,
    pub(super) wait_ms: Option<i64>,
    pub(super) hard_after: u32,
    pub(super) tested: Vec<String>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct When {
    pub(super) stages: Vec<Stage>,
    pub(super) broken: bool,
    pub(super) provider: Option<String>,
    /// Exact codes; 4 and 5 stand for 4xx and 5xx.
    pub(super) codes: Vec<u16>,
    /// Subject and detail of the enhanced code, "1.1" for 4.1.1 and 5.1.1; "7." for the whole subject.
    pub(super) enhanced: Vec<String>,
    /// Any of these in the text, in small letters.
    pub(super) texts: Vec<String>,
    /// The answer must name a wait.
    pub(super) asks: bool,
}

/// What a rule concludes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    /// 5xx: the address is no good. 4xx: try again.
    Hard(Class),
    /// Given up, whatever the code; nothing against the address.
    GiveUp(Class),
    /// 4xx: try again; 5xx: given up, nothing against the address.
    Retry4xx(Class),
    /// Try again, whatever the code.
    Retry(Class),
    Ours(Fault),
}

/// What is looked at: a reply, or where a conversation broke.
struct Seen<'a> {
    stage: Stage,
    reply: Option<&'a Reply>,
    /// The text in small letters.
    text: &'a str,
    provider: Option<&'a str>,
}

impl Table {
    pub(super) fn of_reply(&self, reply: &Reply, speaker: Speaker<'_>) -> Conclusion<'_> {
        let text = reply.text.to_lowercase();
        let seen = Seen { stage: reply.stage, reply: Some(reply), text: &text, provider: speaker.provider() };
        self.of_seen(&seen, speaker, shown(reply), reply.code < 500, asked_wait_ms(&text))
    }

    pub(super) fn of_break(&self, stage: Stage, why: &str, speaker: Speaker<'_>) -> Conclusion<'_> {
        let text = why.to_lowercase();
        let seen = Seen { stage, reply: None, text: &text, provider: speaker.provider() };
        self.of_seen(&seen, speaker, why.to_owned(), true, None)
    }

    fn of_seen(
        &self,
        seen: &Seen<'_>,
        speaker: Speaker<'_>,
        why: String,
        temporary: bool,
        asked: Option<i64>,
    ) -> Conclusion<'_> {
        let Some(rule) = self.rules.iter().find(|rule| rule.when.fits(seen)) else {
            return unruled(seen.stage, why);
        };
        let then = rule.at_site.filter(|_| matches!(speaker, Speaker::Site(_))).unwrap_or(rule.then);
        let not_before_ms = asked.or(rule.wait_ms);
        let retry = |class, why| Outcome::Retry { class, why, not_before_ms };
        let outcome = match then {
            Then::Hard(class) | Then::Retry4xx(class) if temporary => retry(class, why),
            Then::Hard(class) => Outcome::Failed { class, hard: rule.hard_after == 1, why },
            Then::Retry4xx(class) | Then::GiveUp(class) => Outcome::Failed { class, hard: false, why },
            Then::Retry(class) => retry(class, why),
            Then::Ours(fault) => Outcome::Ours { fault, why, not_before_ms },
        };
        let hard_after = if matches!(then, Then::Hard(_)) && !temporary { rule.hard_after } else { 0 };
        Conclusion { outcome, rule: Some(&rule.name), blame: Some(rule.blame), pace: rule.pace, hard_after }
    }
}

/// No rule fits: cannot be with a table that was checked, and is treated as nobody's fault.
fn unruled(stage: Stage, why: String) -> Conclusion<'static> {
    Conclusion::plain(if stage <= Stage::MailFrom {
        Outcome::Ours { fault: Fault::Busy, why, not_before_ms: None }
    } else {
        Outcome::Retry { class: Class::Unclassified, why, not_before_ms: None }
    })
}

impl<'a> Speaker<'a> {
    fn provider(self) -> Option<&'a str> {
        match self {
            Self::Relay => None,
            Self::Site(provider) => provider,
        }
    }
}

impl When {
    fn fits(&self, seen: &Seen<'_>) -> bool {
        let known = |wanted: &str| seen.provider.is_none_or(|provider| provider == wanted);
        self.stages.contains(&seen.stage)
            && self.broken == seen.reply.is_none()
            && self.provider.as_deref().is_none_or(known)
            && (self.codes.is_empty() || seen.reply.is_some_and(|reply| self.has_code(reply.code)))
            && (self.enhanced.is_empty() || seen.reply.is_some_and(|reply| self.has_detail(reply)))
            && (self.texts.is_empty() || self.texts.iter().any(|wanted| seen.text.contains(wanted.as_str())))
            && (!self.asks || asked_wait_ms(seen.text).is_some())
    }

    fn has_code(&self, code: u16) -> bool {
        self.codes.iter().any(|wanted| *wanted == code || (*wanted < 10 && *wanted == code / 100))
    }

    /// "1.1" fits 5.1.1 and 4.1.1 and not 5.1.10; "6." fits everything under subject 6.
    fn has_detail(&self, reply: &Reply) -> bool {
        let Some((_class, detail)) = reply.enhanced.as_deref().and_then(|code| code.split_once('.')) else {
            return false;
        };
        self.enhanced
            .iter()
            .any(|wanted| if wanted.ends_with('.') { detail.starts_with(wanted) } else { detail == wanted })
    }
}

//! What a report means for one recipient: codes, class, and whether the address is gone for good.

use super::code::{Status, reply};
use super::fields::Action;
use super::rules::{Codes, Verdict, judge, plain};
use super::{Class, Found, Kind};

/// Of the reason, as shown and kept.
const TEXT_CHARS_MAX: usize = 500;

/// What is known about one recipient before anything is concluded.
#[derive(Clone, Debug, Default)]
pub(super) struct Case<'a> {
    pub(super) recipient: Option<String>,
    /// The report's own field.
    pub(super) status: Option<Status>,
    /// What the other server said.
    pub(super) diagnostic: &'a str,
    /// What the report's words say about this recipient.
    pub(super) block: &'a str,
    /// All words of the report: the reason may stand before or behind the address.
    pub(super) whole: &'a str,
    /// Others are in the report too: its words may be about them.
    pub(super) among_others: bool,
}

impl Case<'_> {
    pub(super) fn conclude(&self, kind: Kind) -> Found {
        let codes = self.codes();
        let verdict = self.verdict(codes);
        let mut class = verdict.map_or(Class::Unclassified, |verdict| verdict.class);
        if kind == Kind::Delayed && class == Class::Expired {
            class = Class::Transient;
        }
        if kind == Kind::Bounce
            && class == Class::Transient
            && codes.status.is_some_and(|status| (status.subject, status.detail) == (4, 7))
        {
            class = Class::Expired;
        }
        let hard = kind == Kind::Bounce
            && class.may_be_hard()
            && verdict.is_some_and(|it| !it.soft)
            && is_permanent(codes, verdict);
        Found {
            kind,
            recipient: self.recipient.clone(),
            status: codes.status.map(|status| status.to_string()),
            reply: codes.reply,
            class,
            hard,
            text: self.reason(),
        }
    }

    fn codes(&self) -> Codes {
        let status = Status::best(self.status, self.diagnostic);
        let mut codes = Codes { status, reply: reply(self.diagnostic) };
        for text in [self.block, if self.among_others { "" } else { self.whole }] {
            if codes.reply.is_none() {
                codes.reply = reply(text);
            }
            if codes.status.is_none_or(|status| (status.subject, status.detail) == (0, 0)) {
                codes.status = Status::best(codes.status, text);
            }
        }
        codes
    }

    /// What the nearest words decide; words further away only when near ones say nothing but a code.
    fn verdict(&self, codes: Codes) -> Option<Verdict> {
        let words = |text: &str| {
            let verdict = if text.trim().is_empty() { None } else { judge(&plain(text), codes) };
            verdict.filter(|verdict| !verdict.by_code)
        };
        let near = words(self.diagnostic).or_else(|| words(self.block));
        near.or_else(|| {
            let by_code = judge("", codes);
            // 5.1.10 is a null MX by RFC 7505 and an unknown user by Exchange: words know better.
            let is_clear = codes.status.is_some_and(|it| matches!(it.subject, 1 | 2) && !matches!(it.detail, 0 | 10));
            if is_clear && by_code.is_some() {
                return by_code;
            }
            // Words about somebody in a list, or a choice of reasons, harden nobody.
            let unsure = self.among_others || (codes.reply.is_none() && codes.status.is_none() && guesses(self.whole));
            let far = words(self.whole).map(|verdict| Verdict { soft: verdict.soft || unsure, ..verdict });
            far.or(by_code)
        })
    }

    fn reason(&self) -> String {
        let text =
            [self.diagnostic, self.block, self.whole].into_iter().find(|it| !it.trim().is_empty()).unwrap_or_default();
        let mut out = String::with_capacity(text.len().min(TEXT_CHARS_MAX));
        for word in text.split(|it: char| it.is_whitespace() || it.is_control()).filter(|word| !word.is_empty()) {
            if out.len() + word.len() >= TEXT_CHARS_MAX {
                break;
            }
            if !out.is_empty() {
                out.push(' ');
            }
            out.push_str(word);
        }
        out
    }
}

/// Whether a report only guesses what may have happened.
fn guesses(words: &str) -> bool {
    let words = plain(words);
    [" may ", " might ", "possibl", "perhaps", " either ", "likely", "möglich", "peut-être", "posible", "possibil"]
        .iter()
        .any(|word| words.contains(word))
}

/// Whether a refusal is for good. The reply code says so; without one the enhanced code; without either the words do,
/// which by now are those of a class that leaves no doubt. (`421 5.7.32` is in Gmail's list: the reply decides.)
fn is_permanent(codes: Codes, verdict: Option<Verdict>) -> bool {
    match (codes.reply, codes.status) {
        (Some(reply), _) => reply >= 500,
        (None, Some(status)) => status.class == 5,
        (None, None) => verdict.is_some_and(|verdict| !verdict.by_code),
    }
}

/// What a report is when its groups do not say.
pub(super) fn kind_of(action: Option<Action>, status: Option<Status>, delayed: bool) -> Kind {
    match action {
        Some(Action::Failed) => Kind::Bounce,
        Some(Action::Delayed) => Kind::Delayed,
        Some(Action::Done) => Kind::Delivered,
        None if status.is_some_and(|status| status.class == 2) => Kind::Delivered,
        None if delayed && status.is_none_or(|status| status.class == 4) => Kind::Delayed,
        None => Kind::Bounce,
    }
}

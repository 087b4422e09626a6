//! The class of a refusal, by the ordered rules of `rules.txt`.

use std::sync::LazyLock;

use aho_corasick::AhoCorasick;

use super::Class;
use super::code::Status;
use super::found_address;

/// Words further in are no longer the reason: a refusal is a line or a few.
const TEXT_BYTES_MAX: usize = 4096;

/// What one report says about one recipient, as far as it is known.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Codes {
    pub(super) status: Option<Status>,
    pub(super) reply: Option<u16>,
}

/// What the rules conclude.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) class: Class,
    /// Never hard, whatever the code.
    pub(super) soft: bool,
    /// Decided by a code alone, no word said why.
    pub(super) by_code: bool,
    /// Which rule: its place in the file.
    pub(super) rule: usize,
}

#[derive(Debug)]
enum Term {
    /// The piece of text of this number.
    Text(usize),
    Status {
        subject: u16,
        detail: Option<u16>,
    },
    Reply(u16),
}

#[derive(Debug)]
struct Rule {
    class: Class,
    soft: bool,
    by_code: bool,
    /// Any of these, each all of its terms; false: the term must not hold.
    alternatives: Vec<Vec<(Term, bool)>>,
    #[cfg(test)]
    fixtures: Vec<&'static str>,
}

struct Rules {
    rules: Vec<Rule>,
    texts: AhoCorasick,
    texts_count: usize,
}

static RULES: LazyLock<Rules> = LazyLock::new(|| Rules::read(include_str!("rules.txt")));

impl Rules {
    fn read(file: &'static str) -> Self {
        let mut rules: Vec<Rule> = Vec::new();
        let mut texts: Vec<&'static str> = Vec::new();
        let mut numbers = std::collections::HashMap::new();
        let mut by_code = false;
        for line in file.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty()) {
            if line == "@codes" {
                by_code = true;
                continue;
            }
            if let Some(fixture) = line.strip_prefix("= ") {
                #[cfg(test)]
                rules.last_mut().expect("a fixture stands below its rule").fixtures.push(fixture);
                let _ = fixture;
                continue;
            }
            let (head, alternatives) = line.split_once(": ").expect("a rule is a class and its alternatives");
            let mut words = head.split(' ');
            let class = words.next().and_then(Class::from_word).expect("a rule begins with a class");
            let alternatives = alternatives
                .split(" | ")
                .map(|terms| terms.split(" & ").map(|term| read_term(term, &mut texts, &mut numbers)).collect());
            let alternatives = alternatives.collect();
            rules.push(Rule {
                class,
                soft: words.next() == Some("soft"),
                by_code,
                alternatives,
                #[cfg(test)]
                fixtures: Vec::new(),
            });
        }
        let texts_count = texts.len();
        let texts = AhoCorasick::new(texts).expect("a few thousand short words fit");
        Self { rules, texts, texts_count }
    }
}

fn read_term(
    term: &'static str,
    texts: &mut Vec<&'static str>,
    numbers: &mut std::collections::HashMap<&'static str, usize>,
) -> (Term, bool) {
    let (term, wanted) = term.strip_prefix('!').map_or((term, true), |rest| (rest, false));
    if let Some(code) = term.strip_prefix("s=") {
        let (subject, detail) = code.split_once('.').expect("an enhanced code has a dot");
        let subject = subject.parse().expect("a subject is a number");
        return (Term::Status { subject, detail: detail.parse().ok() }, wanted);
    }
    if let Some(code) = term.strip_prefix("r=") {
        return (Term::Reply(code.parse().expect("a reply code is a number")), wanted);
    }
    let number = *numbers.entry(term).or_insert_with(|| {
        texts.push(term);
        texts.len() - 1
    });
    (Term::Text(number), wanted)
}

/// The class of `text`, which the caller has brought into the form of [`plain`].
pub(super) fn judge(text: &str, codes: Codes) -> Option<Verdict> {
    let rules = &*RULES;
    let mut found = vec![0_u64; rules.texts_count.div_ceil(64)];
    for hit in rules.texts.find_overlapping_iter(text) {
        let number = hit.pattern().as_usize();
        found[number / 64] |= 1 << (number % 64);
    }
    let holds = |(term, wanted): &(Term, bool)| {
        let holds = match term {
            Term::Text(number) => found[number / 64] & (1 << (number % 64)) != 0,
            Term::Status { subject, detail } => codes.status.is_some_and(|status| {
                status.subject == *subject && detail.is_none_or(|detail| detail == status.detail)
            }),
            Term::Reply(code) => {
                codes.reply.is_some_and(|reply| reply == *code || (*code < 10 && reply / 100 == *code))
            }
        };
        holds == *wanted
    };
    let fits = |rule: &Rule| rule.alternatives.iter().any(|terms| terms.iter().all(holds));
    let (at, rule) = rules.rules.iter().enumerate().find(|(_, rule)| fits(rule))?;
    Some(Verdict { class: rule.class, soft: rule.soft, by_code: rule.by_code, rule: at })
}

/// The form that the rules read: lower case, single spaces, `@` for every address.
pub(super) fn plain(text: &str) -> String {
    let mut end = text.len().min(TEXT_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let text = &text[..end];
    let mut out = String::with_capacity(end);
    let mut at = 0;
    for spot in found_address::all(text) {
        push_lower(&mut out, &text[at..spot.begin]);
        out.push('@');
        at = spot.end;
    }
    push_lower(&mut out, &text[at..]);
    out
}

fn push_lower(out: &mut String, text: &str) {
    for letter in text.chars() {
        match letter {
            _ if letter.is_whitespace() => {
                if !out.ends_with(' ') {
                    out.push(' ');
                }
            }
            '\u{2019}' | '\u{2018}' | '`' => out.push('\''),
            _ if letter.is_ascii() => out.push(letter.to_ascii_lowercase()),
            _ => out.extend(letter.to_lowercase()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Codes, RULES, judge, plain};
    use crate::audience::report::code::{Status, reply};

    #[test]
    fn every_rule_decides_its_own_lines() {
        let mut wrong = Vec::new();
        for (at, rule) in RULES.rules.iter().enumerate() {
            if rule.fixtures.is_empty() {
                wrong.push(format!("{:?} rule {at} has no line", rule.class));
            }
            for line in &rule.fixtures {
                let codes = Codes { status: Status::best(None, line), reply: reply(line) };
                let verdict = judge(&plain(line), codes);
                if verdict.is_none_or(|verdict| verdict.rule != at) {
                    let by = verdict.map(|it| (it.class, &RULES.rules[it.rule].fixtures));
                    wrong.push(format!("{:?} {line:?} is decided by {by:?}", rule.class));
                }
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[test]
    fn every_piece_is_written_in_the_form_that_is_read() {
        let rules = include_str!("rules.txt").lines().filter(|line| !line.starts_with(['#', '=', '@']));
        for piece in rules.flat_map(|line| line.split(" | ").flat_map(|it| it.split(" & "))) {
            assert_eq!(piece, piece.to_lowercase(), "a piece in upper case never fits");
        }
    }
}

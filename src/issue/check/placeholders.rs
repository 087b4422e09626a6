//! What was to be filled in and was not: TK, lorem ipsum, other programs' fields, letters that were lost on the way.
//! Looked for in the source, so that each has its place; what stands in code or in a comment is meant.

use super::About;
use crate::issue::finding::{Finding, Severity};
use crate::issue::tree::{Issue, Place};

/// Words that nobody sends on purpose, as they are written.
const WORDS: [&str; 5] = ["TK", "FIXME", "XXX", "TODO", "PLACEHOLDER"];
/// Pieces of text, in any case.
const PIECES: [&str; 12] = [
    "lorem ipsum",
    "[insert",
    "<insert",
    "(insert ",
    "[your ",
    "[name]",
    "[link]",
    "[date]",
    "[link here]",
    "[tbd]",
    "[tktk",
    "[placeholder",
];
/// Other programs' fields: how they begin and end.
const FOREIGN: [(&str, &str); 5] = [("*|", "|*"), ("{%", "%}"), ("<%", "%>"), ("%%", "%%"), ("${", "}")];
/// Longest of those; more is text between two unrelated signs.
const FOREIGN_LETTERS_MAX: usize = 60;
/// UTF-8 that was read as Latin-1 somewhere.
const MOJIBAKE: [&str; 6] = ["â€™", "â€œ", "â€“", "Ã©", "Ã¼", "ðŸ"];

pub(super) fn check(issue: &Issue, about: &About<'_>, findings: &mut Vec<Finding>) {
    let language = issue.language.as_deref().unwrap_or(about.language);
    // "TODO" is a word there, and stands in capitals in headlines.
    let todo_is_a_word = ["es", "pt", "gl", "ca"].iter().any(|tag| language.starts_with(tag));
    for (index, line) in visible(about.source).iter().enumerate() {
        let mut found = Line { number: index + 1, text: line, findings };
        found.words(todo_is_a_word);
        found.pieces();
        found.foreign();
        found.lost();
        found.nameless();
    }
}

struct Line<'a> {
    number: usize,
    text: &'a str,
    findings: &'a mut Vec<Finding>,
}

impl Line<'_> {
    fn push(&mut self, severity: Severity, code: &'static str, byte: usize, what: String, instead: &str) {
        let column = self.text[..byte].chars().count() + 1;
        let at = Place { line: self.number, column };
        self.findings.push(Finding { severity, code, at, what, instead: instead.to_owned() });
    }

    fn words(&mut self, todo_is_a_word: bool) {
        for (at, word) in tokens(self.text) {
            let rest = &self.text[at + word.len()..];
            // "TKTK", "TKTKTK" are TK said louder.
            let is_tk = word.len() >= 2 && word.len() % 2 == 0 && word.as_bytes().chunks(2).all(|pair| pair == b"TK");
            let is_xxx = word.len() > 3 && word.bytes().all(|byte| byte == b'X');
            let is_shop = word == "TK" && rest.starts_with(" Maxx");
            let is_spanish = word == "TODO" && todo_is_a_word && !rest.starts_with(':');
            let is_part =
                self.text[..at].ends_with(['/', '#', '@', '_', '.', '-', '=']) || rest.starts_with(['/', '_', '=']);
            if (is_tk || is_xxx || WORDS.contains(&word)) && !is_shop && !is_spanish && !is_part {
                let what = format!("“{word}” was left in the text");
                self.push(Severity::Blocks, "placeholder", at, what, "write what belongs there");
            }
        }
    }

    fn pieces(&mut self) {
        let lower = self.text.to_lowercase();
        // Lengths differ where a letter's small form is longer; then the place is the line's beginning.
        let same_length = lower.len() == self.text.len();
        for piece in PIECES {
            let Some(at) = lower.find(piece) else { continue };
            // "[link](https://…)" is a link with poor words, which the check of links says.
            let after = &lower[at + piece.len()..];
            if piece.ends_with(']') && after.starts_with(['(', '[', ':']) {
                continue;
            }
            let at = if same_length && self.text.is_char_boundary(at) { at } else { 0 };
            let what = format!("“{piece}” was left in the text");
            self.push(Severity::Blocks, "placeholder", at, what, "write what belongs there");
        }
    }

    fn foreign(&mut self) {
        for (open, close) in FOREIGN {
            let Some(at) = self.text.find(open) else { continue };
            let inside = &self.text[at + open.len()..];
            let Some(length) = inside.find(close).filter(|length| (1..=FOREIGN_LETTERS_MAX).contains(length)) else {
                continue;
            };
            let inside = &inside[..length];
            let is_name = inside.chars().any(char::is_alphabetic) && !inside.contains("](");
            if is_name && (open != "%%" || !inside.contains(' ')) {
                let what = format!("{open}{inside}{close} is another program's field");
                self.push(
                    Severity::Blocks,
                    "foreign-field",
                    at,
                    what,
                    "write {{ name | default(\"reader\") }}, or the words",
                );
            }
        }
    }

    fn lost(&mut self) {
        if let Some(at) = self.text.find('\u{fffd}') {
            let what = "a letter was lost here when the file was saved (�)".to_owned();
            self.push(Severity::Warns, "lost-letter", at, what, "write it again, and save the file as UTF-8");
        }
        if let Some(at) = MOJIBAKE.iter().find_map(|piece| self.text.find(piece)) {
            let what = "letters here were garbled when the text was copied".to_owned();
            self.push(Severity::Warns, "lost-letter", at, what, "write them again, and save the file as UTF-8");
        }
        for (at, marks) in self.text.match_indices("??") {
            let before = self.text[..at].chars().next_back();
            let after = self.text[at + marks.len()..].trim_start_matches('?').chars().next();
            let stands_alone = before.is_none_or(|letter| letter.is_whitespace() || "\"':#".contains(letter))
                && after.is_none_or(char::is_whitespace);
            if stands_alone {
                let what = "?? stands where an emoji may have been lost".to_owned();
                self.push(Severity::Warns, "lost-emoji", at, what, "write it again, and save the file as UTF-8");
            }
        }
    }

    fn nameless(&mut self) {
        for (at, _) in self.text.match_indices("{{") {
            let inside = self.text[at + 2..].split("}}").next().unwrap_or_default();
            if inside.trim() == "name" {
                let what = "a reader without a name is greeted by nothing here".to_owned();
                self.push(Severity::Warns, "name-without-default", at, what, "write {{ name | default(\"reader\") }}");
            }
        }
    }
}

/// Runs of letters and digits, with their place.
fn tokens(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.split(|letter: char| !letter.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(|word| (word.as_ptr() as usize - text.as_ptr() as usize, word))
}

/// The lines of the source with code, comments and addresses blanked out, at the same places.
fn visible(source: &str) -> Vec<String> {
    let mut fence: Option<&str> = None;
    let mut in_comment = false;
    let mut lines = Vec::new();
    for line in source.split('\n') {
        let trimmed = line.trim_start();
        let opens = ["```", "~~~"].into_iter().find(|fence| trimmed.starts_with(fence));
        match (fence, opens) {
            (Some(open), Some(close)) if open == close => fence = None,
            (None, Some(open)) => fence = Some(open),
            (None, None) => {
                lines.push(without_addresses(&without_code(&without_comments(line, &mut in_comment))));
                continue;
            }
            _ => {}
        }
        lines.push(String::new());
    }
    lines
}

fn blank(text: &str) -> String {
    " ".repeat(text.len())
}

fn without_comments(line: &str, in_comment: &mut bool) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    loop {
        let mark = if *in_comment { "-->" } else { "<!--" };
        let Some(at) = rest.find(mark) else { break };
        let end = at + mark.len();
        out.push_str(&if *in_comment { blank(&rest[..end]) } else { format!("{}    ", &rest[..at]) });
        *in_comment = !*in_comment;
        rest = &rest[end..];
    }
    out.push_str(&if *in_comment { blank(rest) } else { rest.to_owned() });
    out
}

fn without_code(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(start) = rest.find('`') {
        let ticks = rest[start..].len() - rest[start..].trim_start_matches('`').len();
        let inside = &rest[start + ticks..];
        let Some(length) = inside.find(&"`".repeat(ticks)) else { break };
        let end = start + 2 * ticks + length;
        out.push_str(&rest[..start]);
        out.push_str(&blank(&rest[start..end]));
        rest = &rest[end..];
    }
    out.push_str(rest);
    out
}

/// Without what looks like an address: "https://x.example/TK/%%a%%" is none of ours.
fn without_addresses(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(start) = rest.find("://") {
        let end = rest[start..].find([' ', ')', '>', '"', '\'', ']']).map_or(rest.len(), |length| start + length);
        out.push_str(&rest[..start]);
        out.push_str(&blank(&rest[start..end]));
        rest = &rest[end..];
    }
    out.push_str(rest);
    out
}

//! The lines between `---` and `---`.

mod hours;

use serde::Deserialize;
use serde_saphyr::Spanned;

use super::markdown::Reading;
use super::{LANGUAGE_LETTERS_MAX, SLUG_LETTERS_MAX};
use crate::issue::finding::Finding;
use crate::issue::tree::{Figure, Inline, Issue, Place};

/// Keys of the front matter, and of `cover` within it.
const KEYS: [&str; 7] = ["subject", "preheader", "number", "language", "cover", "slug", "hours"];
const COVER_KEYS: [&str; 4] = ["image", "alt", "caption", "credit"];
/// What other programs call the same things.
const ALIASES: [(&str, &str); 11] = [
    ("title", "subject"),
    ("headline", "subject"),
    ("preview", "preheader"),
    ("description", "preheader"),
    ("summary", "preheader"),
    ("subtitle", "preheader"),
    ("issue", "number"),
    ("lang", "language"),
    ("image", "cover"),
    ("src", "image"),
    ("file", "image"),
];
/// A key at least this alike is what was meant.
const ALIKE_MIN: f64 = 0.8;

/// Lines of the front matter and of the Markdown, both as numbers from 1, and whether there is front matter at all.
pub(super) struct Extent {
    pub(super) first: usize,
    pub(super) last: usize,
    /// Line after which the Markdown begins.
    pub(super) end: usize,
}

/// Finds the front matter. What is wrong with its fences goes to `findings`.
pub(super) fn find(lines: &[String], findings: &mut Vec<Finding>) -> Option<Extent> {
    let opening = lines.iter().position(|line| !line.trim().is_empty())?;
    if lines[opening].trim_end() != "---" {
        let at = Place { line: opening + 1, column: 1 };
        let instead = "begin the file with ---, then “subject: …”, then --- again";
        findings.push(Finding::blocks("no-front-matter", at, "the file has no front matter, so no subject", instead));
        return None;
    }
    let is_end = |line: &String| matches!(line.trim_end(), "---" | "...");
    if let Some(length) = lines[opening + 1..].iter().position(is_end) {
        let end = opening + 1 + length;
        return Some(Extent { first: opening + 2, last: end, end: end + 1 });
    }
    // It never ends: the lines up to the first empty one are what was meant.
    let at = Place { line: opening + 1, column: 1 };
    findings.push(Finding::blocks(
        "unclosed-front-matter",
        at,
        "the front matter begins here and never ends",
        "put a line --- after its last key",
    ));
    let length = lines[opening + 1..].iter().position(|line| line.trim().is_empty());
    let end = length.map_or(lines.len(), |length| opening + 1 + length);
    Some(Extent { first: opening + 2, last: end, end })
}

/// Any value, with its place. Maps keep their order.
#[derive(Debug)]
enum Value {
    Null,
    Text(String),
    Number(i64),
    Other(&'static str),
    Map(Vec<(Spanned<String>, Spanned<Value>)>),
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Visitor)
    }
}

struct Visitor;

impl<'de> serde::de::Visitor<'de> for Visitor {
    type Value = Value;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Value, E> {
        Ok(Value::Other("true or false"))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(Value::Number(number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(i64::try_from(number).map_or(Value::Other("a very large number"), Value::Number))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Value, E> {
        Ok(Value::Other("a number with a fraction"))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(text.to_owned()))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        Value::deserialize(deserializer)
    }

    fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        while items.next_element::<serde::de::IgnoredAny>()?.is_some() {}
        Ok(Value::Other("a list"))
    }

    fn visit_map<A: serde::de::MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            map.push(entry);
        }
        Ok(Value::Map(map))
    }
}

type Entries = Vec<(Spanned<String>, Spanned<Value>)>;

impl Reading<'_> {
    /// Reads the front matter into the issue.
    pub(super) fn front_matter(&mut self, extent: &Extent, issue: &mut Issue) {
        let lines = &self.manuscript.lines()[extent.first - 1..extent.last.max(extent.first - 1)];
        let yaml = lines.join("\n");
        let before = extent.first - 1;
        issue.subject_at = Place { line: before, column: 1 };
        let options = serde_saphyr::options! { with_snippet: false, strict_booleans: true };
        match serde_saphyr::from_str_with_options::<Value>(&yaml, options) {
            Ok(Value::Map(entries)) => self.entries(entries, before, issue),
            Ok(Value::Null) => {}
            Ok(_) => self.findings.push(Finding::blocks(
                "front-matter",
                Place { line: before + 1, column: 1 },
                "the front matter is not a list of keys and values",
                "write one “key: value” a line",
            )),
            Err(error) => {
                self.malformed(&error, before);
                self.salvage(&yaml, before, issue);
            }
        }
        self.require_subject(issue);
    }

    fn malformed(&mut self, error: &serde_saphyr::Error, before: usize) {
        let location = error.location();
        let line = location.map_or(1, |location| usize::try_from(location.line()).unwrap_or(1).max(1));
        let column = location.map_or(1, |location| usize::try_from(location.column()).unwrap_or(1).max(1));
        let at = Place { line: before + line, column };
        let written = self.manuscript.line(at.line);
        let value = written.split_once(':').map_or("", |(_, value)| value.trim());
        let needs_quotes =
            value.contains(": ") || value.starts_with(['{', '[', '@', '`', '%', '&', '*', '!', '|', '>']);
        let instead = match value {
            _ if written.starts_with('\t') => "use spaces in place of the tab".to_owned(),
            value if needs_quotes && !value.contains('"') => {
                let key = written.split(':').next().unwrap_or_default();
                format!("put the value in quotes: {key}: \"{value}\"")
            }
            value if needs_quotes && !value.contains('\'') => {
                let key = written.split(':').next().unwrap_or_default();
                format!("put the value in quotes: {key}: '{value}'")
            }
            _ => "write one “key: value” a line, values with a colon or a brace in quotes".to_owned(),
        };
        let reason = error.to_string();
        let reason = reason.lines().next().unwrap_or_default().trim().trim_end_matches('.');
        let reason = reason.split(" at line ").next().unwrap_or(reason);
        self.findings.push(Finding::blocks(
            "front-matter",
            at,
            format!("the front matter can't be read here: {reason}"),
            instead,
        ));
    }

    /// What can still be read of front matter that is no YAML, line by line, so that everything else is checked too.
    fn salvage(&mut self, yaml: &str, before: usize, issue: &mut Issue) {
        for (index, line) in yaml.lines().enumerate() {
            let Some((key, written)) = line.split_once(':').filter(|(key, _)| KEYS.contains(key)) else { continue };
            let column = key.chars().count() + 2;
            let at = Place { line: before + index + 1, column };
            let alone = serde_saphyr::from_str::<Value>(line);
            let text = match alone {
                Ok(Value::Map(entries)) => match entries.into_iter().next().map(|(_, value)| value.value) {
                    Some(Value::Text(text)) => text,
                    Some(Value::Number(number)) => number.to_string(),
                    _ => continue,
                },
                _ => written.trim().to_owned(),
            };
            match key {
                "subject" => self.subject(&text, at, issue),
                "preheader" => issue.preheader = self.line_of_text(&text, at),
                "number" => issue.number = text.parse().ok().filter(|number| *number > 0),
                _ => {}
            }
        }
    }

    fn entries(&mut self, entries: Entries, before: usize, issue: &mut Issue) {
        for (key, value) in entries {
            let key_at = place(&key, before);
            let at = place(&value, before);
            match key.value.as_str() {
                "subject" => {
                    if let Some(text) = self.text_value("subject", value.value, at) {
                        self.subject(&text, at, issue);
                    }
                    issue.subject_at = at;
                }
                "preheader" => {
                    let text = self.text_value("preheader", value.value, at).unwrap_or_default();
                    issue.preheader = self.line_of_text(&text, at);
                }
                "number" => issue.number = self.number(value.value, at),
                "language" => issue.language = self.language(value.value, at),
                "slug" => issue.slug = self.slug_value(value.value, at),
                "hours" => issue.hours = self.hours(value.value, at, before),
                "cover" => issue.cover = self.cover(value.value, key_at, before),
                unknown => self.unknown_key(unknown, &KEYS, key_at),
            }
        }
    }

    fn unknown_key(&mut self, key: &str, known: &[&str], at: Place) {
        let lower = key.to_lowercase();
        let alias = ALIASES.iter().find(|(alias, name)| *alias == lower && known.contains(name));
        let alike = known
            .iter()
            .map(|name| (strsim::jaro_winkler(name, &lower), *name))
            .filter(|(likeness, _)| *likeness >= ALIKE_MIN)
            .max_by(|a, b| a.0.total_cmp(&b.0));
        let instead = match alias.map(|(_, name)| *name).or(alike.map(|(_, name)| name)) {
            Some(name) => format!("did you mean “{name}”?"),
            None if ["date", "publish", "published", "time"].contains(&lower.as_str()) => {
                "delete it; an issue gets its date when it is scheduled".to_owned()
            }
            None => format!("delete it; the keys are {}", known.join(", ")),
        };
        self.findings.push(Finding::blocks("unknown-key", at, format!("there is no key “{key}”"), instead));
    }

    /// A value that must be text. Numbers are taken as they were written.
    fn text_value(&mut self, key: &str, value: Value, at: Place) -> Option<String> {
        let found = match value {
            Value::Text(text) => return Some(text),
            Value::Number(number) => return Some(number.to_string()),
            Value::Null => return None,
            Value::Map(_) => "keys and values",
            Value::Other(kind) => kind,
        };
        self.findings.push(Finding::blocks(
            "wrong-type",
            at,
            format!("“{key}” must be text, and this is {found}"),
            format!("put the words in quotes: {key}: \"…\""),
        ));
        None
    }

    fn subject(&mut self, text: &str, at: Place, issue: &mut Issue) {
        issue.subject = self.line_of_text(text, at);
        issue.subject_at = at;
    }

    /// Text that must fit into one line of a mail's head.
    fn line_of_text(&mut self, text: &str, at: Place) -> Vec<Inline> {
        for (letter, code, name) in [('\0', "nul-character", "NUL"), ('\r', "carriage-return", "carriage return")] {
            if text.contains(letter) {
                let what = format!("there is a {name} character in this text");
                self.findings.push(Finding::blocks(code, at, what, "delete it"));
            }
        }
        let even: Vec<&str> = text.split(|letter: char| letter.is_control() || letter.is_whitespace()).collect();
        // No-break spaces are meant and stay.
        let has_controls =
            text.contains(|letter: char| letter.is_control() || matches!(letter, '\u{2028}' | '\u{2029}'));
        let even = if has_controls {
            even.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
        } else {
            text.trim().to_owned()
        };
        let mut fields = std::mem::take(&mut self.fields);
        let hidden = fields.hide(&even, self.within_quotes(at));
        let inlines = super::fields::inlines(&fields, &hidden, &mut self.findings);
        self.fields = fields;
        inlines
    }

    /// Where a value's words begin: behind the quote, if it has one.
    fn within_quotes(&self, at: Place) -> Place {
        let quoted = self.manuscript.line(at.line).chars().nth(at.column.saturating_sub(1));
        Place { column: at.column + usize::from(matches!(quoted, Some('"' | '\''))), ..at }
    }

    fn number(&mut self, value: Value, at: Place) -> Option<i64> {
        let number = match &value {
            Value::Null => return None,
            Value::Number(number) => Some(*number),
            Value::Text(text) => text.trim().trim_start_matches('#').parse().ok(),
            _ => None,
        };
        let good = number.filter(|number| *number > 0);
        if good.is_none() {
            let what = "“number” must be a whole number from 1";
            self.findings.push(Finding::blocks("wrong-type", at, what, "write number: 31"));
        }
        good
    }

    fn language(&mut self, value: Value, at: Place) -> Option<String> {
        let tag = self.text_value("language", value, at)?;
        let tag = tag.trim().replace('_', "-");
        let mut parts = tag.split('-');
        let primary = parts.next().unwrap_or_default();
        let is_tag = (2..=3).contains(&primary.len())
            && tag.len() <= LANGUAGE_LETTERS_MAX
            && primary.chars().all(|letter| letter.is_ascii_alphabetic())
            && parts.all(|part| (1..=8).contains(&part.len()) && part.chars().all(|l| l.is_ascii_alphanumeric()));
        if !is_tag {
            self.findings.push(Finding::blocks(
                "language",
                at,
                format!("“{tag}” is not a language tag"),
                "write one like en, pt-BR, ar or zh-Hant",
            ));
            return None;
        }
        Some(tag)
    }

    fn slug_value(&mut self, value: Value, at: Place) -> Option<String> {
        let text = self.text_value("slug", value, at)?;
        let slug = super::slug(&text);
        if slug != text || slug.len() > SLUG_LETTERS_MAX {
            let better = if slug.is_empty() { "issue-31".to_owned() } else { slug.clone() };
            self.findings.push(Finding::blocks(
                "slug",
                at,
                format!("“{text}” can't be part of an address"),
                format!("write small letters, digits and hyphens, at most {SLUG_LETTERS_MAX}: {better}"),
            ));
        }
        Some(slug).filter(|slug| !slug.is_empty())
    }

    fn cover(&mut self, value: Value, at: Place, before: usize) -> Option<Figure> {
        let entries = match value {
            Value::Null => return None,
            // `cover: cover.jpg`, the short form.
            Value::Text(image) => {
                let figure = self.figure(&image, "", None, at);
                return Some(figure);
            }
            Value::Map(entries) => entries,
            _ => {
                let what = "“cover” must be a picture with its words";
                let instead = "write cover: { image: cover.jpg, alt: \"…\", credit: \"…\" }";
                self.findings.push(Finding::blocks("wrong-type", at, what, instead));
                return None;
            }
        };
        let (mut image, mut alt, mut caption, mut credit) = (None, None, None, None);
        for (key, value) in entries {
            let (key_at, value_at) = (place(&key, before), place(&value, before));
            let slot = match key.value.as_str() {
                "image" => &mut image,
                "alt" => &mut alt,
                "caption" => &mut caption,
                "credit" => &mut credit,
                unknown => {
                    self.unknown_key(unknown, &COVER_KEYS, key_at);
                    continue;
                }
            };
            *slot = self.text_value(&key.value, value.value, value_at);
        }
        let mut figure = self.figure(&image.unwrap_or_default(), "", alt, at);
        let caption = caption.map(|caption| self.caption_value(&caption, at)).unwrap_or_default();
        (figure.caption, figure.credit) = super::figures::caption_and_credit(caption);
        if let Some(credit) = credit.filter(|credit| !credit.trim().is_empty()) {
            let bare = crate::issue::credit::find(&credit).filter(|found| found.begins == 0).map(|found| found.credit);
            figure.credit = Some(bare.unwrap_or_else(|| credit.trim().to_owned()));
        }
        Some(figure)
    }

    fn caption_value(&mut self, caption: &str, at: Place) -> Vec<Inline> {
        let mut fields = std::mem::take(&mut self.fields);
        let hidden = fields.hide(caption, self.within_quotes(at));
        self.fields = fields;
        self.inlines_in(hidden.trim(), at)
    }

    fn require_subject(&mut self, issue: &Issue) {
        if crate::issue::tree::plain(&issue.subject).trim().is_empty() {
            self.findings.push(Finding::blocks(
                "no-subject",
                issue.subject_at,
                "the issue has no subject",
                "write “subject: …” between the lines ---",
            ));
        }
    }
}

fn place<T>(spanned: &Spanned<T>, before: usize) -> Place {
    let at = spanned.referenced;
    let line = usize::try_from(at.line()).unwrap_or(1).max(1);
    let column = usize::try_from(at.column()).unwrap_or(1).max(1);
    Place { line: before + line, column }
}

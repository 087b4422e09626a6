//! The questions of a form, ready to be drawn: with what was typed, and what is wrong with it.

use axum::http::{HeaderMap, header};

use super::frame::Frame;
use super::words::joining::Joining;
use crate::audience::form::{BadAnswer, Field, Kind, LANGUAGES, Questions};
use crate::store::form::Form;
use crate::verbs::membership::Challenge;

/// A form as it is drawn.
pub(super) struct Asking {
    /// Its name; the main one says none.
    pub(super) form: String,
    pub(super) email: String,
    pub(super) wrong: Option<String>,
    /// The name that was typed, where one is asked for.
    pub(super) name: Option<String>,
    pub(super) fields: Vec<Question>,
    /// `(key, label, ticked)`
    pub(super) topics: Vec<(String, String, bool)>,
    /// Whether "monthly" was chosen, where it is asked.
    pub(super) monthly: Option<bool>,
    /// `(tag, name, chosen)`
    pub(super) languages: Vec<(&'static str, &'static str, bool)>,
    /// `(zone, chosen)`
    pub(super) zones: Vec<(String, bool)>,
    pub(super) shown: String,
    pub(super) challenge: Option<Challenge>,
    /// Whether a mail asks first.
    pub(super) confirms: bool,
}

/// One field.
pub(super) struct Question {
    pub(super) key: String,
    pub(super) label: String,
    pub(super) kind: &'static str,
    /// `(choice, chosen)`
    pub(super) choices: Vec<(String, bool)>,
    pub(super) required: bool,
    pub(super) value: String,
    pub(super) wrong: Option<&'static str>,
}

/// What was typed, and what is wrong with it.
#[derive(Clone, Copy, Default)]
pub(super) struct Typed<'a> {
    pub(super) pairs: &'a [(String, String)],
    pub(super) address: Option<&'a str>,
    pub(super) answers: &'a [(String, BadAnswer)],
}

impl Asking {
    pub(super) fn new(f: &Frame, form: &Form, asked: &Questions, typed: Typed<'_>, guessed: &str) -> Self {
        let said = |key: &str| {
            let found = typed.pairs.iter().find(|(name, _)| name == key);
            found.map_or("", |(_, value)| value.as_str())
        };
        let language = if said("language").is_empty() { guessed } else { said("language") };
        let ticked = |key: &str| typed.pairs.iter().any(|(name, value)| name == "topic" && value == key);
        let languages = LANGUAGES.into_iter().filter(|_| asked.language);
        let zones = if asked.zone { crate::values::zone::names() } else { Vec::new() };
        Self {
            form: if form.is_main() { String::new() } else { form.slug.clone() },
            email: said("email").chars().take(300).collect(),
            wrong: typed.address.map(str::to_owned),
            name: asked.name.then(|| said("name").to_owned()),
            fields: asked.fields.iter().map(|field| question(f.j(), field, said(&field.key), typed.answers)).collect(),
            topics: asked.topics.iter().map(|t| (t.key.clone(), t.label.clone(), ticked(&t.key))).collect(),
            monthly: asked.frequency.then(|| said("frequency") == "monthly"),
            languages: languages.map(|(tag, name)| (tag, name, tag == language)).collect(),
            zones: zones
                .into_iter()
                .map(|zone| (zone == said("zone"), zone))
                .map(|(here, zone)| (zone, here))
                .collect(),
            shown: String::new(),
            challenge: None,
            confirms: form.single_reason.is_empty(),
        }
    }

    /// Whether more than an address is asked.
    pub(super) fn more(&self) -> bool {
        let asks =
            [!self.fields.is_empty(), !self.topics.is_empty(), !self.languages.is_empty(), !self.zones.is_empty()];
        self.name.is_some() || self.monthly.is_some() || asks.contains(&true)
    }

    /// Whether a script has something to do: a zone to name, or work to do.
    pub(super) fn scripts(&self) -> bool {
        self.challenge.is_some() || !self.zones.is_empty()
    }
}

fn question(j: &'static Joining, field: &Field, value: &str, wrong: &[(String, BadAnswer)]) -> Question {
    let bad = wrong.iter().find(|(key, _)| *key == field.key).map(|(_, bad)| said(j, *bad));
    Question {
        key: field.key.clone(),
        label: field.label.clone(),
        kind: match field.kind {
            Kind::Text => "text",
            Kind::Choice => "choice",
            Kind::Date => "date",
            Kind::Number => "number",
            Kind::YesNo => "yes_no",
        },
        choices: field.choices.iter().map(|choice| (choice.clone(), choice == value)).collect(),
        required: field.required,
        value: value.chars().take(crate::audience::form::ANSWER_LETTERS_MAX).collect(),
        wrong: bad,
    }
}

fn said(j: &'static Joining, bad: BadAnswer) -> &'static str {
    match bad {
        BadAnswer::Missing => j.missing,
        BadAnswer::TooLong => j.too_long,
        BadAnswer::NoChoice => j.no_choice,
        BadAnswer::NoDay => j.no_day,
        BadAnswer::NoNumber => j.no_number,
        BadAnswer::NeitherYesNorNo => j.yes_or_no,
    }
}

/// The language that a browser asks for (RFC 9110 §12.5.4), if we have words in it; else `other`.
pub(super) fn guessed_language(headers: &HeaderMap, other: &str) -> String {
    let asked = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut best: Option<(&'static str, f32)> = None;
    for part in asked.split(',').take(20) {
        let (tag, quality) = part.split_once(";q=").unwrap_or((part, "1"));
        let primary = tag.trim().split('-').next().unwrap_or_default().to_ascii_lowercase();
        let quality: f32 = quality.trim().parse().unwrap_or(0.0);
        let known = LANGUAGES.iter().find(|(known, _)| *known == primary);
        if let Some((known, _)) = known.filter(|_| best.is_none_or(|(_, most)| quality > most)) {
            best = Some((known, quality));
        }
    }
    let other = other.split(['-', '_']).next().unwrap_or_default();
    best.map_or(other, |(tag, _)| tag).to_owned()
}

#[cfg(test)]
mod tests {
    use super::guessed_language;
    use axum::http::{HeaderMap, header};

    #[test]
    fn a_browser_is_asked_for_its_language() {
        for (asked, got) in [
            ("de-AT,de;q=0.9,en;q=0.8", "de"),
            ("pt-BR,pt;q=0.9,ja;q=0.4,en;q=0.5", "en"),
            ("tlh", "fr"),
            ("*;q=x,,;", "fr"),
            ("", "fr"),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_LANGUAGE, asked.parse().expect("is a header"));
            assert_eq!(guessed_language(&headers, "fr-CA"), got, "{asked}");
        }
    }
}

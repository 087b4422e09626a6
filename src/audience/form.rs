//! What a form asks, and what counts as an answer: typed, pure, the same for the page, the pasted form and JSON.

use std::fmt;
use std::str::FromStr;

/// Questions of one newsletter: more than anybody fills in.
pub const FIELDS_MAX: usize = 20;
/// Topics of one newsletter.
pub const TOPICS_MAX: usize = 30;
/// Choices of one field.
pub const CHOICES_MAX: usize = 50;
/// Letters of a label or a choice: a line of a form.
pub const LABEL_LETTERS_MAX: usize = 120;
/// Letters of an answer that is text.
pub const ANSWER_LETTERS_MAX: usize = 300;
/// Letters of a key, which stands in forms, exports and rules.
const KEY_LETTERS_MAX: usize = 40;
/// Digits of a number on either side of its point: more is no number that a person means.
const DIGITS_MAX: usize = 15;

/// Keys that forms use for themselves; a field of that name would be hidden by them.
pub const KEYS_TAKEN: [&str; 12] = [
    "email",
    "name",
    "website",
    "zone",
    "language",
    "frequency",
    "topics",
    "topic",
    "form",
    "shown",
    "work",
    "challenge",
];

/// What is asked besides fields; the word stands in a form's `asks`.
pub const ASKS: [&str; 5] = ["name", "topics", "frequency", "language", "zone"];

/// Languages that pages and letters of the house have words in, each by its own name.
pub const LANGUAGES: [(&str, &str); 6] =
    [("en", "English"), ("de", "Deutsch"), ("fr", "Français"), ("es", "Español"), ("ja", "日本語"), ("ar", "العربية")];

/// The type of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Text,
    Choice,
    Date,
    Number,
    YesNo,
}

impl Kind {
    const ALL: [Self; 5] = [Self::Text, Self::Choice, Self::Date, Self::Number, Self::YesNo];

    /// The word in the database and on the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Choice => "choice",
            Self::Date => "date",
            Self::Number => "number",
            Self::YesNo => "yes_no",
        }
    }
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let word = text.trim().to_ascii_lowercase().replace(['/', '-', ' '], "_");
        Self::ALL.into_iter().find(|kind| kind.as_str() == word).ok_or_else(|| {
            format!("\"{}\" is no type of a field; there are text, choice, date, number and yes/no", text.trim())
        })
    }
}

impl TryFrom<String> for Kind {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

/// A question.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Field {
    pub key: String,
    pub label: String,
    pub kind: Kind,
    pub choices: Vec<String>,
    pub required: bool,
}

/// A topic that a reader can choose.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Topic {
    pub key: String,
    pub label: String,
}

/// Why a text is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadAnswer {
    #[error("needs an answer")]
    Missing,
    #[error("is too long: at most {ANSWER_LETTERS_MAX} letters")]
    TooLong,
    #[error("is none of the choices")]
    NoChoice,
    #[error("is no day: write it like 2026-11-24")]
    NoDay,
    #[error("is no number")]
    NoNumber,
    #[error("is neither yes nor no")]
    NeitherYesNorNo,
}

impl Field {
    /// What was typed as it is kept; `None` where nothing was and nothing need be.
    ///
    /// # Errors
    /// [`BadAnswer`], to be said beside the field.
    pub fn read(&self, typed: &str) -> Result<Option<String>, BadAnswer> {
        let typed = tidy(typed);
        if typed.is_empty() {
            // A box that is not ticked is an answer, and where "yes" is needed it is the wrong one.
            return if self.required { Err(BadAnswer::Missing) } else { Ok(None) };
        }
        if typed.chars().count() > ANSWER_LETTERS_MAX {
            return Err(BadAnswer::TooLong);
        }
        match self.kind {
            Kind::Text => Ok(typed),
            Kind::Choice => self.choices.iter().find(|choice| **choice == typed).cloned().ok_or(BadAnswer::NoChoice),
            Kind::Date => day(&typed).ok_or(BadAnswer::NoDay),
            Kind::Number => number(&typed).ok_or(BadAnswer::NoNumber),
            Kind::YesNo => match typed.to_ascii_lowercase().as_str() {
                "yes" | "true" | "on" | "1" => Ok("yes".to_owned()),
                "no" | "false" | "off" | "0" if self.required => Err(BadAnswer::Missing),
                "no" | "false" | "off" | "0" => Ok("no".to_owned()),
                _ => Err(BadAnswer::NeitherYesNorNo),
            },
        }
        .map(Some)
    }
}

/// Everything that one form asks, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Questions {
    pub name: bool,
    pub fields: Vec<Field>,
    /// Empty where they are not asked for.
    pub topics: Vec<Topic>,
    pub frequency: bool,
    pub language: bool,
    pub zone: bool,
}

/// What was answered, each in the spelling it is kept in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answers {
    pub name: String,
    pub fields: Vec<(String, String)>,
    pub topics: Vec<String>,
    /// each, monthly, or nothing.
    pub frequency: String,
    /// One of [`LANGUAGES`], or nothing.
    pub language: String,
    /// As it was sent, or nothing.
    pub zone: String,
}

impl Questions {
    /// Reads what was typed, as pairs of key and value; whatever was not asked is somebody's own and is passed over.
    ///
    /// # Errors
    /// Every field whose answer is none, by its key.
    pub fn read(&self, typed: &[(String, String)]) -> Result<Answers, Vec<(String, BadAnswer)>> {
        let said = |key: &str| {
            let found = typed.iter().find(|(name, _)| name == key);
            found.map_or("", |(_, value)| value.as_str())
        };
        let (mut fields, mut wrong) = (Vec::new(), Vec::new());
        for field in &self.fields {
            match field.read(said(&field.key)) {
                Ok(Some(value)) => fields.push((field.key.clone(), value)),
                Ok(None) => {}
                Err(bad) => wrong.push((field.key.clone(), bad)),
            }
        }
        if !wrong.is_empty() {
            return Err(wrong);
        }
        let chosen = |key: &str| typed.iter().any(|(name, value)| name == "topic" && value == key);
        let topics = self.topics.iter().filter(|topic| chosen(&topic.key)).map(|topic| topic.key.clone()).collect();
        let one_of = |asked: bool, key: &str, known: &[&str]| {
            known.iter().find(|word| asked && **word == said(key)).map(|word| (*word).to_owned()).unwrap_or_default()
        };
        Ok(Answers {
            name: if self.name { said("name").to_owned() } else { String::new() },
            fields,
            topics,
            frequency: one_of(self.frequency, "frequency", &["each", "monthly"]),
            language: one_of(self.language, "language", &LANGUAGES.map(|(tag, _)| tag)),
            zone: said("zone").to_owned(),
        })
    }
}

/// One line, outer white space and control characters gone.
fn tidy(typed: &str) -> String {
    let words: Vec<&str> = typed.split(|letter: char| letter.is_whitespace() || letter.is_control()).collect();
    words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

fn day(typed: &str) -> Option<String> {
    let day: jiff::civil::Date = typed.parse().ok()?;
    (1800..=2999).contains(&day.year()).then(|| day.to_string())
}

/// "007.50" is "7.5"; a decimal comma is a point.
fn number(typed: &str) -> Option<String> {
    let (sign, digits) = match typed.strip_prefix(['-', '−']) {
        Some(rest) => ("-", rest),
        None => ("", typed.strip_prefix('+').unwrap_or(typed)),
    };
    let digits = digits.replace(',', ".");
    let (whole, part) = digits.split_once('.').unwrap_or((&digits, ""));
    let all_digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit()) && text.len() <= DIGITS_MAX;
    if !all_digits(whole) || !all_digits(part) || (whole.is_empty() && part.is_empty()) {
        return None;
    }
    let (whole, part) = (whole.trim_start_matches('0'), part.trim_end_matches('0'));
    let whole = if whole.is_empty() { "0" } else { whole };
    let sign = if whole == "0" && part.is_empty() { "" } else { sign };
    Some(if part.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{part}") })
}

/// Written as it is typed: `boat! = Your boat : choice : sail | motor`.
impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let must = if self.required { "!" } else { "" };
        write!(f, "{}{must} = {} : {}", self.key, self.label, self.kind.as_str().replace('_', "/"))?;
        if self.choices.is_empty() { Ok(()) } else { write!(f, " : {}", self.choices.join(" | ")) }
    }
}

impl FromStr for Field {
    type Err = String;

    fn from_str(line: &str) -> Result<Self, String> {
        let shape = || format!("\"{line}\" is no field; write: key = Label : type, such as boat = Your boat : text");
        let (key, rest) = line.split_once('=').ok_or_else(shape)?;
        let (key, required) = match key.trim().strip_suffix('!') {
            Some(key) => (key.trim(), true),
            None => (key.trim(), false),
        };
        let key = key_of(key)?;
        // Labels may hold a colon; the type is after the last one, or before the choices.
        let (label, kind, choices) = match rest.rsplit_once(':') {
            None => (rest, Kind::Text, ""),
            Some((before, last)) => match last.parse::<Kind>() {
                Ok(kind) => (before, kind, ""),
                Err(why) => match before.rsplit_once(':') {
                    Some((label, kind)) => (label, kind.parse()?, last),
                    None => return Err(why),
                },
            },
        };
        let choices = choices_of(choices)?;
        if (kind == Kind::Choice) == choices.is_empty() {
            return Err(match kind {
                Kind::Choice => format!("\"{key}\" needs its choices: {key} = Label : choice : one | another"),
                _ => format!("\"{key}\" is not of type choice, and only that has choices"),
            });
        }
        Ok(Self { key, label: label_of(label)?, kind, choices, required })
    }
}

/// Written as it is typed: `harbours = Harbours and trade`.
impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {}", self.key, self.label)
    }
}

impl FromStr for Topic {
    type Err = String;

    fn from_str(line: &str) -> Result<Self, String> {
        let (key, label) = line.split_once('=').ok_or_else(|| {
            format!("\"{line}\" is no topic; write: key = Label, such as harbours = Harbours and trade")
        })?;
        Ok(Self { key: key_of(key.trim())?, label: label_of(label)? })
    }
}

fn key_of(key: &str) -> Result<String, String> {
    let good = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    if key.is_empty() || key.len() > KEY_LETTERS_MAX || !key.bytes().all(good) {
        return Err(format!("\"{key}\" is no key: use a to z, 0 to 9 and _, at most {KEY_LETTERS_MAX}"));
    }
    if KEYS_TAKEN.contains(&key) {
        return Err(format!("\"{key}\" is a word that forms use for themselves; call it something else"));
    }
    Ok(key.to_owned())
}

fn label_of(label: &str) -> Result<String, String> {
    let label = tidy(label);
    match label.chars().count() {
        0 => Err("a label is missing".to_owned()),
        many if many > LABEL_LETTERS_MAX => Err(format!("\"{label}\" is longer than {LABEL_LETTERS_MAX} letters")),
        _ => Ok(label),
    }
}

fn choices_of(text: &str) -> Result<Vec<String>, String> {
    let mut choices = Vec::new();
    for choice in text.split('|').map(str::trim).filter(|choice| !choice.is_empty()) {
        let choice = label_of(choice)?;
        if choices.contains(&choice) {
            return Err(format!("\"{choice}\" stands twice among the choices"));
        }
        choices.push(choice);
    }
    if choices.len() > CHOICES_MAX {
        return Err(format!("{} choices are too many; at most {CHOICES_MAX}", choices.len()));
    }
    Ok(choices)
}

/// Many of them, one a line; empty lines are skipped.
///
/// # Errors
/// What is wrong with a line, that a key stands twice, or that there are more than `max`.
pub fn lines<T: FromStr<Err = String>>(text: &str, max: usize, key: fn(&T) -> &str) -> Result<Vec<T>, String> {
    let mut all: Vec<T> = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let one: T = line.parse()?;
        if all.iter().any(|known| key(known) == key(&one)) {
            return Err(format!("\"{}\" stands twice", key(&one)));
        }
        all.push(one);
    }
    if all.len() > max { Err(format!("{} are too many; at most {max}", all.len())) } else { Ok(all) }
}

#[cfg(test)]
mod tests {
    use super::{BadAnswer, Field, Topic, lines};
    use proptest::prelude::{prop_assert, proptest};

    fn field(line: &str) -> Field {
        line.parse().expect("is a field")
    }

    #[test]
    fn fields_are_read_as_they_are_written() {
        for line in [
            "boat! = Your boat : choice : sail | motor",
            "city = City : text",
            "born = Born on : date",
            "length = Length, in metres : number",
            "crew = Do you sail: with a crew? : yes/no",
        ] {
            assert_eq!(field(line).to_string(), line);
        }
        assert_eq!(field("city = City").kind, super::Kind::Text);
        for bad in [
            "city",
            "Email = x",
            "email = Address",
            "a = : text",
            "a = b : choice",
            "a = b : text : c",
            "a = b : colour",
        ] {
            assert!(bad.parse::<Field>().is_err(), "{bad}");
        }
        assert!(lines("a = A\n\na = B", 9, |field: &Field| &field.key).is_err_and(|why| why.contains("twice")));
        assert!(lines("a = A\nb = B", 1, |topic: &Topic| &topic.key).is_err());
    }

    #[test]
    fn answers_have_one_spelling() {
        for (line, typed, kept) in [
            ("a = A : number", " 007,50 ", Ok(Some("7.5"))),
            ("a = A : number", "-0", Ok(Some("0"))),
            ("a = A : number", "1e9", Err(BadAnswer::NoNumber)),
            ("a = A : number", ".", Err(BadAnswer::NoNumber)),
            ("a = A : date", "2026-02-29", Err(BadAnswer::NoDay)),
            ("a = A : date", "2024-02-29", Ok(Some("2024-02-29"))),
            ("a = A : yes/no", "on", Ok(Some("yes"))),
            ("a! = A : yes/no", "no", Err(BadAnswer::Missing)),
            ("a = A : choice : x | y", "y", Ok(Some("y"))),
            ("a = A : choice : x | y", "z", Err(BadAnswer::NoChoice)),
            ("a = A", "two\r\nlines\u{0}", Ok(Some("two lines"))),
            ("a = A", "   ", Ok(None)),
            ("a! = A", "   ", Err(BadAnswer::Missing)),
        ] {
            let read = field(line).read(typed);
            assert_eq!(read.as_ref().map(Option::as_deref).map_err(|bad| *bad), kept, "{line} {typed}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_typed_is_read_or_refused(line in ".{0,80}", typed in ".{0,400}") {
            if let Ok(field) = line.parse::<Field>() {
                prop_assert!(field.to_string().parse::<Field>().is_ok_and(|again| again == field));
            }
            for known in ["a = A", "a = A : number", "a = A : date", "a = A : yes/no"] {
                if let Ok(Some(kept)) = field(known).read(&typed) {
                    prop_assert!(field(known).read(&kept).is_ok_and(|again| again == Some(kept)));
                }
            }
        }
    }
}

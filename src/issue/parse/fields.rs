//! Personal fields: `{{ name | default("reader") }}` and five more.
//!
//! Before Markdown is read, each field is hidden behind a private-use letter, padded to the field's own length in
//! bytes, so that neither its bars nor its quotes nor its spaces mean anything to Markdown and every place stays
//! right. Afterwards text is split at those letters again; code gets back what was written.

use crate::issue::finding::Finding;
use crate::issue::tree::{Field, Inline, Place};

/// First letter of Supplementary Private Use Area A: nobody types it, and four bytes are as short as a field can be.
const FIRST: u32 = 0xF_0000;
/// As many fields as that area has letters.
const HIDDEN_MAX: usize = 0xFFFD;
/// Fills a hidden field up to its length.
const PADDING: char = 'x';

/// What stood at one hidden place.
struct Hidden {
    written: String,
    meaning: Meaning,
    at: Place,
}

#[derive(Clone)]
enum Meaning {
    Field(Field),
    /// Looks like a field and is none: what is wrong, what to write.
    Wrong(String, String),
    /// A private-use letter of the author's own.
    Letter,
}

/// All hidden places of one issue.
#[derive(Default)]
pub(super) struct Fields {
    hidden: Vec<Hidden>,
    /// `{{` without `}}` on its line: a finding, unless it turns out to stand in code.
    pub(super) unclosed: Vec<Place>,
}

/// A piece of text after splitting.
pub(super) enum Piece<'a> {
    Text(&'a str),
    Field(Field),
    Wrong { written: &'a str, what: &'a str, instead: &'a str, at: Place },
}

impl Fields {
    /// Hides the fields of a line, or of a text within one, that begins at `start`.
    pub(super) fn hide(&mut self, line: &str, start: Place) -> String {
        if !line.contains("{{") && !line.contains(is_ours) {
            return line.to_owned();
        }
        let mut out = String::with_capacity(line.len());
        let mut rest = line;
        let mut at = start;
        // A line without an end of a field is not searched for one again and again.
        let last_end = line.rfind("}}");
        while let Some(next) = rest.find(|letter| letter == '{' || is_ours(letter)) {
            out.push_str(&rest[..next]);
            at.column += rest[..next].chars().count();
            rest = &rest[next..];
            let ends = last_end.is_some_and(|end| end >= line.len() - rest.len() + 2);
            let end = if ends && rest.starts_with("{{") { rest.find("}}") } else { None };
            let taken = match (rest.starts_with("{{"), end) {
                (true, Some(end)) => self.hide_one(&rest[..end + 2], read(&rest[2..end]), at, &mut out),
                (true, None) => {
                    self.unclosed.push(at);
                    out.push_str("{{");
                    2
                }
                (false, _) if rest.starts_with(is_ours) => self.hide_one(&rest[..4], Meaning::Letter, at, &mut out),
                (false, _) => {
                    out.push('{');
                    1
                }
            };
            at.column += rest[..taken].chars().count();
            rest = &rest[taken..];
        }
        out.push_str(rest);
        out
    }

    fn hide_one(&mut self, written: &str, meaning: Meaning, at: Place, out: &mut String) -> usize {
        let letter = u32::try_from(self.hidden.len()).ok().and_then(|index| char::from_u32(FIRST + index));
        match letter {
            Some(letter) if self.hidden.len() < HIDDEN_MAX => {
                out.push(letter);
                out.extend(std::iter::repeat_n(PADDING, written.len() - letter.len_utf8()));
                self.hidden.push(Hidden { written: written.to_owned(), meaning, at });
            }
            _ => out.push_str(written),
        }
        written.len()
    }

    /// Cuts a text at its hidden places.
    pub(super) fn split<'a>(&'a self, text: &'a str) -> Vec<Piece<'a>> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((start, hidden, taken)) = self.next(rest) {
            if start > 0 {
                pieces.push(Piece::Text(&rest[..start]));
            }
            pieces.push(match &hidden.meaning {
                Meaning::Field(field) => Piece::Field(field.clone()),
                Meaning::Wrong(what, instead) => {
                    Piece::Wrong { written: &hidden.written, what, instead, at: hidden.at }
                }
                Meaning::Letter => Piece::Text(&hidden.written),
            });
            rest = &rest[start + taken..];
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest));
        }
        pieces
    }

    /// The text as it was written.
    pub(super) fn restore(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((start, hidden, taken)) = self.next(rest) {
            out.push_str(&rest[..start]);
            out.push_str(&hidden.written);
            rest = &rest[start + taken..];
        }
        out.push_str(rest);
        out
    }

    /// First hidden place of a text: where, what, and how many bytes of the text stand for it.
    fn next(&self, text: &str) -> Option<(usize, &Hidden, usize)> {
        for (start, letter) in text.char_indices().filter(|(_, letter)| is_ours(*letter)) {
            if let Some(hidden) = self.hidden.get((u32::from(letter) - FIRST) as usize) {
                let after = &text[start + letter.len_utf8()..];
                let padding = hidden.written.len() - letter.len_utf8();
                let padding = after.bytes().take(padding).take_while(|byte| *byte == PADDING as u8).count();
                return Some((start, hidden, letter.len_utf8() + padding));
            }
        }
        None
    }
}

fn is_ours(letter: char) -> bool {
    matches!(u32::from(letter), FIRST..=0xF_FFFD)
}

/// The inlines of a text with hidden fields; what is wrong with them goes to `findings`.
pub(super) fn inlines(fields: &Fields, text: &str, findings: &mut Vec<Finding>) -> Vec<Inline> {
    let pieces = fields.split(text).into_iter();
    let inlines = pieces.map(|piece| match piece {
        Piece::Text(words) => Inline::Text(words.to_owned()),
        Piece::Field(field) => Inline::Field(field),
        Piece::Wrong { written, what, instead, at } => {
            findings.push(Finding::blocks("unknown-field", at, what, instead));
            Inline::Text(written.to_owned())
        }
    });
    inlines.collect()
}

/// Names that exist, as they are written.
const NAMES: [&str; 6] = ["name", "email", "unsubscribe", "preferences", "web_copy", "pause"];
/// What other programs call the same things.
const ALIASES: [(&str, &str); 22] = [
    ("first_name", "name"),
    ("firstname", "name"),
    ("fname", "name"),
    ("full_name", "name"),
    ("subscriber.name", "name"),
    ("subscriber.first_name", "name"),
    ("user.name", "name"),
    ("reader", "name"),
    ("subscriber.email", "email"),
    ("email_address", "email"),
    ("e-mail", "email"),
    ("mail", "email"),
    ("unsubscribe_url", "unsubscribe"),
    ("unsubscribe_link", "unsubscribe"),
    ("unsubscribeurl", "unsubscribe"),
    ("preferences_url", "preferences"),
    ("manage_preferences", "preferences"),
    ("settings", "preferences"),
    ("view_in_browser", "web_copy"),
    ("web_url", "web_copy"),
    ("message_url", "web_copy"),
    ("archive_url", "web_copy"),
];
/// A name at least this alike is what was meant.
const ALIKE_MIN: f64 = 0.75;

/// What stands between the braces.
fn read(inside: &str) -> Meaning {
    let (name, filter) = match inside.split_once('|') {
        Some((name, filter)) => (name.trim(), Some(filter.trim())),
        None => (inside.trim(), None),
    };
    let field = match name {
        "name" => match filter.map(default_of) {
            None => Field::Name { default: String::new() },
            Some(Some(default)) => Field::Name { default },
            Some(None) => {
                return Meaning::Wrong(
                    format!("“{}” after the bar is not understood", filter.unwrap_or_default()),
                    "write {{ name | default(\"reader\") }}".into(),
                );
            }
        },
        "email" => Field::Email,
        "unsubscribe" => Field::Unsubscribe,
        "preferences" => Field::Preferences,
        "web_copy" => Field::WebCopy,
        "pause" => Field::Pause,
        _ => return unknown(name),
    };
    match filter {
        Some(_) if name != "name" => {
            Meaning::Wrong("only {{ name }} takes a default".to_string(), format!("write {{{{ {name} }}}}"))
        }
        _ => Meaning::Field(field),
    }
}

/// The words in `default("…")`; typographic quotes are what editors' programs make of straight ones.
fn default_of(filter: &str) -> Option<String> {
    let inside = filter.strip_prefix("default")?.trim_start();
    let inside = inside.strip_prefix('(')?.strip_suffix(')')?.trim();
    let open = inside.chars().next()?;
    let close = inside.chars().next_back()?;
    let is_pair = matches!(
        (open, close),
        ('"', '"') | ('\'', '\'') | ('“' | '”' | '„' | '‟', '”' | '“' | '"') | ('‘' | '’', '’') | ('«', '»')
    );
    let words = inside.strip_prefix(open)?.strip_suffix(close)?;
    is_pair.then(|| words.replace(['\n', '\r', '\0'], " "))
}

fn unknown(name: &str) -> Meaning {
    let lower = name.to_lowercase().replace(' ', "_");
    let alias = ALIASES.iter().find(|(alias, _)| *alias == lower).map(|(_, known)| *known);
    let alike = NAMES
        .into_iter()
        .map(|known| (strsim::jaro_winkler(known, &lower), known))
        .filter(|(likeness, _)| *likeness >= ALIKE_MIN)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, known)| known);
    let instead = match alias.or(alike) {
        Some("name") => "write {{ name | default(\"reader\") }}".to_owned(),
        Some(known) => format!("write {{{{ {known} }}}}"),
        None => "write the words themselves; the fields are name, email, unsubscribe, preferences, web_copy, pause \
                 (in `code` braces mean nothing)"
            .to_owned(),
    };
    Meaning::Wrong(format!("there is no field “{}”", name.trim()), instead)
}

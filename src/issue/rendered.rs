//! What rendering gives: everything about an issue that is the same for every reader, and the gaps for what is not.

use super::tree::Field;

/// A text with gaps.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Template {
    pub pieces: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Piece {
    Fixed(String),
    Slot(Field),
}

/// An issue, rendered once: the same object serves preview, test mail, sending and archive.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Rendered {
    pub subject: Template,
    /// The mail's HTML; values are escaped for HTML when the gaps are filled.
    pub html: Template,
    /// The text twin.
    pub text: Template,
    /// The archive page's article (not a whole page), from the same tree; fields show their defaults.
    pub web: String,
    /// SHA-256 over all of the above in hex: what an editor saw and what went out are the same if this is.
    pub hash: String,
}

/// What a reader's message is filled with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reader {
    /// Empty where none is known.
    pub name: String,
    pub email: String,
    pub web_copy: String,
    pub unsubscribe: String,
    pub preferences: String,
    pub pause: String,
}

impl Reader {
    /// The value of a field, raw: whoever writes it into HTML escapes it.
    #[must_use]
    pub fn value<'a>(&'a self, field: &'a Field) -> &'a str {
        match field {
            Field::Name { default } if self.name.trim().is_empty() => default,
            Field::Name { .. } => &self.name,
            Field::Email => &self.email,
            Field::WebCopy => &self.web_copy,
            Field::Unsubscribe => &self.unsubscribe,
            Field::Preferences => &self.preferences,
            Field::Pause => &self.pause,
        }
    }
}

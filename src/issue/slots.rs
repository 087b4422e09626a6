//! Gaps on their way through a template: each field is a token of two noncharacters (Unicode §23.7: for internal use,
//! never in a text that is exchanged) around its number, and becomes a gap again when the text is finished.

use super::rendered::{Piece, Template};
use super::tree::Field;

const OPEN: char = '\u{FDD0}';
const CLOSE: char = '\u{FDD1}';

/// The fields met so far.
#[derive(Clone, Debug, Default)]
pub struct Slots {
    fields: Vec<Field>,
}

impl Slots {
    /// What to write where `field` shall stand.
    #[must_use]
    pub fn token(&mut self, field: &Field) -> String {
        let number = self.fields.iter().position(|known| known == field).unwrap_or_else(|| {
            self.fields.push(field.clone());
            self.fields.len() - 1
        });
        format!("{OPEN}{number}{CLOSE}")
    }

    /// A finished text, cut at its tokens.
    #[must_use]
    pub fn cut(&self, text: &str) -> Template {
        let mut pieces = Vec::new();
        let mut parts = text.split(OPEN);
        push_fixed(&mut pieces, parts.next().unwrap_or_default());
        for part in parts {
            let (number, rest) = part.split_once(CLOSE).unwrap_or(("", part));
            if let Some(field) = number.parse::<usize>().ok().and_then(|number| self.fields.get(number)) {
                pieces.push(Piece::Slot(field.clone()));
            }
            push_fixed(&mut pieces, rest);
        }
        Template { pieces }
    }
}

fn push_fixed(pieces: &mut Vec<Piece>, text: &str) {
    match (pieces.last_mut(), text) {
        (_, "") => {}
        (Some(Piece::Fixed(last)), text) => last.push_str(text),
        (_, text) => pieces.push(Piece::Fixed(text.to_owned())),
    }
}

/// Whether a letter may not stand in a text of ours: control characters but tab and line feed, and noncharacters,
/// two of which mark the gaps.
#[must_use]
pub fn unprintable(letter: char) -> bool {
    (letter.is_control() && !matches!(letter, '\t' | '\n'))
        || matches!(letter, '\u{FDD0}'..='\u{FDEF}')
        || u32::from(letter) & 0xFFFE == 0xFFFE
}

/// Whether a letter is one of the two that mark a gap.
#[must_use]
pub(super) fn is_mark(letter: char) -> bool {
    matches!(letter, OPEN | CLOSE)
}

//! Lines of plain text: measured in cells, broken where a script may be broken.

use unicode_segmentation::UnicodeSegmentation as _;
use unicode_width::UnicodeWidthStr as _;

use crate::issue::slots::Slots;
use crate::issue::tree::Field;

/// Cells of a line: what mail programs have shown without wrapping since there were terminals.
pub(super) const LINE_CELLS: usize = 72;
/// Cells that an address of the reader's own is taken to need; addresses are never wrapped anyway.
const OWN_ADDRESS_CELLS: usize = 60;
/// Cells that a reader's e-mail address is taken to need.
const EMAIL_CELLS: usize = 24;
/// Scripts without spaces may not begin a line with these,
const NOT_FIRST: &str = "、。，．！？）」』】〉》〕：；…・ー々’”%,.!?:;)]}";
/// nor end one with those.
const NOT_LAST: &str = "（「『【〈《〔‘“([{";

/// Gaps and how wide they are taken to be.
#[derive(Default)]
pub(super) struct Measure {
    pub(super) slots: Slots,
    widths: Vec<(String, usize)>,
}

impl Measure {
    /// What to write where a field shall stand.
    pub(super) fn token(&mut self, field: &Field) -> String {
        let token = self.slots.token(field);
        if !self.widths.iter().any(|(known, _)| *known == token) {
            let width = match field {
                Field::Name { default } => default.width(),
                Field::Email => EMAIL_CELLS,
                Field::WebCopy | Field::Unsubscribe | Field::Preferences | Field::Pause => OWN_ADDRESS_CELLS,
            };
            self.widths.push((token.clone(), width));
        }
        token
    }

    /// Cells that a text takes, each gap with its default in it.
    pub(super) fn cells(&self, text: &str) -> usize {
        let raw = text.width();
        let of_gaps = self.widths.iter().map(|(token, width)| (text.matches(token.as_str()).count(), token, width));
        of_gaps.fold(raw, |sum, (times, token, width)| sum + times * width - times * token.as_str().width())
    }

    /// A text in lines. The first line begins with `first`, the others with `rest`; line feeds in the text stay.
    pub(super) fn wrap(&self, text: &str, first: &str, rest: &str) -> String {
        let mut out = String::new();
        let mut lead = first;
        for line in text.split('\n') {
            self.wrap_line(line, lead, rest, &mut out);
            lead = rest;
        }
        out
    }

    fn wrap_line(&self, line: &str, first: &str, rest: &str, out: &mut String) {
        let mut current = first.to_owned();
        let mut cells = first.width();
        let mut is_empty = true;
        let mut is_glued = true;
        for word in line.split([' ', '\t']).filter(|word| !word.is_empty()) {
            for piece in pieces(word) {
                let width = self.cells(piece);
                let gap = usize::from(!is_empty && !is_glued);
                if !is_empty && cells + gap + width > LINE_CELLS {
                    end_line(&current, out);
                    current = rest.to_owned();
                    cells = rest.width();
                } else if gap == 1 {
                    current.push(' ');
                    cells += 1;
                }
                current.push_str(piece);
                cells += width;
                (is_empty, is_glued) = (false, true);
            }
            is_glued = false;
        }
        end_line(&current, out);
    }

    /// The text, cut at its gaps.
    pub(super) fn finish(&self, text: &str) -> crate::issue::rendered::Template {
        self.slots.cut(text)
    }
}

/// No-break spaces have done their work when a line is full. Blanks at its end are nothing; without them a line can't
/// be "-- " either, below which programs cut.
fn end_line(line: &str, out: &mut String) {
    out.push_str(line.replace(['\u{a0}', '\u{202f}', '\u{2007}'], " ").trim_end());
    out.push('\n');
}

/// A word in the pieces between which a line may end: one for scripts with spaces.
fn pieces(word: &str) -> Vec<&str> {
    if word.is_ascii() {
        return vec![word];
    }
    let clusters: Vec<(usize, &str)> = word.grapheme_indices(true).collect();
    let mut pieces = Vec::new();
    let mut from = 0;
    for pair in clusters.windows(2) {
        let ((_, left), (at, right)) = (pair[0], pair[1]);
        let is_wide = is_ideographic(left) || is_ideographic(right);
        if is_wide && !NOT_LAST.contains(left) && !NOT_FIRST.contains(right) && from < at {
            pieces.push(&word[from..at]);
            from = at;
        }
    }
    pieces.push(&word[from..]);
    pieces
}

/// Han, kana, bopomofo and their punctuation. Korean breaks at its spaces.
fn is_ideographic(cluster: &str) -> bool {
    cluster.chars().next().is_some_and(|letter| {
        matches!(u32::from(letter), 0x2E80..=0x2FDF | 0x3001..=0x312F | 0x31A0..=0x4DBF | 0x4E00..=0x9FFF
            | 0xF900..=0xFAFF | 0xFF01..=0xFFEF | 0x2_0000..=0x3_FFFF)
    })
}

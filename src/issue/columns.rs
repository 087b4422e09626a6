//! What a table's columns are: words to the start, figures to the end, as written where it is written.

use super::tree::{Align, Inline, Table, plain};

/// The side to which a column's cells stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Start,
    Center,
    End,
}

/// Longest cell, in characters, that may be taken for a figure with its unit: "1,024.5 MB/s".
const FIGURE_LETTERS_MAX: usize = 14;

/// One side per column. A column without a written alignment whose cells are all figures stands to the end.
#[must_use]
pub fn sides(table: &Table) -> Vec<Side> {
    let side = |column: usize| match table.align.get(column).copied().unwrap_or_default() {
        Align::Center => Side::Center,
        Align::End => Side::End,
        Align::Start if column > 0 && figures(table, column) => Side::End,
        Align::Start => Side::Start,
    };
    (0..count(table)).map(side).collect()
}

#[must_use]
pub fn count(table: &Table) -> usize {
    table.rows.iter().map(Vec::len).chain([table.head.len()]).max().unwrap_or(0)
}

/// Whether any head cell has a word in it; a table may be written with an empty head.
#[must_use]
pub fn has_head(table: &Table) -> bool {
    table.head.iter().any(|cell| !plain(cell).trim().is_empty())
}

fn figures(table: &Table, column: usize) -> bool {
    let cells: Vec<String> = table.rows.iter().filter_map(|row| row.get(column)).map(|cell| plain(cell)).collect();
    cells.iter().any(|cell| cell.contains(|letter: char| letter.is_ascii_digit()))
        && cells.iter().all(|cell| is_figure(cell.trim()))
}

/// "5.6", "−3 %", "31 h", "€ 1.200", "–", or nothing.
fn is_figure(cell: &str) -> bool {
    if cell.is_empty() || matches!(cell, "-" | "–" | "—" | "n/a") {
        return true;
    }
    let letters = cell.chars().filter(|letter| letter.is_alphabetic()).count();
    let starts = cell.chars().find(|letter| letter.is_alphanumeric()).is_some_and(|letter| letter.is_ascii_digit());
    starts && letters <= 4 && cell.chars().count() <= FIGURE_LETTERS_MAX
}

/// A table's caption: the paragraph before it, if that is one bold run and nothing else.
#[must_use]
pub fn caption(paragraph: &[Inline]) -> Option<&[Inline]> {
    match paragraph {
        [Inline::Strong(inner)] => Some(inner),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::is_figure;

    #[test]
    fn figures_are_told_from_words() {
        for figure in ["5.6", "612", "31 h", "−3 %", "€ 1.200", "", "–", "1,024 MB/s", "+4.2%"] {
            assert!(is_figure(figure), "{figure}");
        }
        for word in ["Monday", "24 November 2026", "No. 3", "about 40", "3 of the ships"] {
            assert!(!is_figure(word), "{word}");
        }
    }
}

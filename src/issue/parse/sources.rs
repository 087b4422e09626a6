//! Source lines, in the forms people write.

use super::figures::{settle, split};
use crate::issue::tree::{Inline, plain};

/// Words that begin a source line, in small letters. The colon, Western or full-width, follows.
const SOURCE_LABELS: [&str; 24] = [
    "source",
    "sources",
    "via",
    "quelle",
    "quellen",
    "fuente",
    "fuentes",
    "fonte",
    "fontes",
    "fonti",
    "bron",
    "bronnen",
    "källa",
    "källor",
    "kilde",
    "kilder",
    "źródło",
    "источник",
    "источники",
    "来源",
    "來源",
    "出典",
    "출처",
    "المصدر",
];
/// The source label that a text begins with, with its colon, in one spelling: "SOURCE :" is "Source:".
pub(super) fn label(text: &str) -> Option<String> {
    let text = text.trim_start().trim_start_matches(['(', '（']);
    let (written, _) = text.split_once([':', '：'])?;
    let word = written.trim().to_lowercase();
    let colon = if text[written.len()..].starts_with('：') { '：' } else { ':' };
    let known = SOURCE_LABELS.contains(&word.as_str());
    known.then(|| {
        let mut letters = word.chars();
        let first = letters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
        format!("{first}{}{colon}", letters.as_str())
    })
}

/// Whether this line is a source line. Within a paragraph only with a capital: "… the open\nsource: a story".
pub(super) fn begins(line: &[Inline], is_first: bool) -> bool {
    let words = plain(line);
    let begins_small = words.trim_start().starts_with(char::is_lowercase);
    label(&words).is_some() && (is_first || !begins_small)
}

/// Label and the rest of a line that [`begins`] says is one.
pub(super) fn cut(line: Vec<Inline>) -> (String, Vec<Inline>) {
    let words = plain(&line);
    let label = label(&words).unwrap_or_else(|| "Source:".to_owned());
    let colon = words.chars().take_while(|letter| !matches!(letter, ':' | '：')).count();
    let in_parentheses = words.trim_start().starts_with(['(', '（']) && words.trim_end().ends_with([')', '）']);
    let (_, rest) = split(line, colon + 1);
    let mut rest = settle(rest);
    if in_parentheses {
        let length = plain(&rest).trim_end().chars().count();
        rest = split(rest, length.saturating_sub(1)).0;
    }
    // Bold or italic around the whole line is the author's way of setting sources; the theme has its own.
    while let [Inline::Strong(_) | Inline::Emphasis(_)] = rest.as_slice() {
        rest = rest.into_iter().flat_map(inner).collect();
        rest = settle(rest);
    }
    (label, rest)
}

fn inner(inline: Inline) -> Vec<Inline> {
    match inline {
        Inline::Strong(inner) | Inline::Emphasis(inner) => inner,
        other => vec![other],
    }
}

#[cfg(test)]
mod tests {
    use super::label;

    #[test]
    fn source_labels_have_one_spelling() {
        for (text, shown) in [
            ("Source: x", "Source:"),
            ("SOURCE: x", "Source:"),
            ("Sources : x", "Sources:"),
            ("via: x", "Via:"),
            ("(Source: x)", "Source:"),
            ("来源：新华社", "来源："),
            ("المصدر: وكالة", "المصدر:"),
        ] {
            assert_eq!(label(text).as_deref(), Some(shown));
        }
        assert_eq!(label("Resource: x"), None);
        assert_eq!(label("The source: x"), None);
    }
}

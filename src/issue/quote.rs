//! Who is quoted: a quote's last line, when it begins with a dash, or follows the closing mark and is a mere name.

use super::tree::{Block, Inline, plain};

/// Longest line, in characters, that is taken for a name without a dash before it.
const NAME_LETTERS_MAX: usize = 90;
/// Quotes up to this many characters are set large; longer ones as text.
const LARGE_LETTERS_MAX: usize = 240;
const CLOSING_MARKS: [char; 7] = ['”', '"', '»', '“', '’', '」', '』'];

/// A quote's text and, apart from it, who said it (without the dash): "— Dr Amara Osei, Saltmarsh Marine Station" as
/// a paragraph of its own at the end, or as the last line of the last one. The dash may be missing where the words end
/// with their closing mark and the last paragraph is short and no sentence.
#[must_use]
pub fn attributed(quote: &[Block]) -> (Vec<Block>, Option<Vec<Inline>>) {
    let Some((Block::Paragraph(last), before)) = quote.split_last() else { return (quote.to_vec(), None) };
    let line_start = last.iter().rposition(|inline| *inline == Inline::Break).map_or(0, |at| at + 1);
    let alone = line_start == 0 && before.is_empty();
    let who = if alone { None } else { without_dash(&last[line_start..]).or_else(|| named(before, last)) };
    let Some(who) = who else { return (quote.to_vec(), None) };
    let mut text = before.to_vec();
    if line_start > 1 {
        text.push(Block::Paragraph(last[..line_start - 1].to_vec()));
    }
    if text.is_empty() { (quote.to_vec(), None) } else { (text, Some(who)) }
}

/// Whether a quote is set large: a few words, in paragraphs only.
#[must_use]
pub fn is_short(quote: &[Block]) -> bool {
    let letters = |block: &Block| match block {
        Block::Paragraph(text) => Some(plain(text).chars().count()),
        _ => None,
    };
    quote.iter().map(letters).sum::<Option<usize>>().is_some_and(|letters| letters <= LARGE_LETTERS_MAX)
}

/// A last paragraph that is a name: short, no sentence, no words of the quote.
fn named(before: &[Block], last: &[Inline]) -> Option<Vec<Inline>> {
    let Some(Block::Paragraph(words)) = before.last() else { return None };
    let (words, name) = (plain(words), plain(last));
    let is_name = name.chars().count() <= NAME_LETTERS_MAX
        && name.starts_with(char::is_alphanumeric)
        && !name.trim_end().ends_with(['.', '!', '?', '…', '。', ':', '”', '"']);
    (words.trim_end().ends_with(CLOSING_MARKS) && is_name).then(|| last.to_vec())
}

/// A line without the dash it begins with; `None` if it begins with none.
fn without_dash(line: &[Inline]) -> Option<Vec<Inline>> {
    let (Inline::Text(first), rest) = line.split_first()? else { return None };
    let first = first.trim_start();
    let who = ["—", "–", "―", "---", "--"].iter().find_map(|dash| first.strip_prefix(dash))?;
    let mut inlines = vec![Inline::Text(who.trim_start().to_owned())];
    inlines.extend_from_slice(rest);
    Some(inlines)
}

#[cfg(test)]
mod tests {
    use super::attributed;
    use crate::issue::tree::{Block, Inline, plain};

    fn text(words: &str) -> Inline {
        Inline::Text(words.to_owned())
    }

    #[test]
    fn the_last_line_names_who_is_quoted() {
        let own_paragraph = [Block::Paragraph(vec![text("Rain.")]), Block::Paragraph(vec![text("— Amara")])];
        let last_line = [Block::Paragraph(vec![text("Rain."), Inline::Break, text("-- Amara")])];
        for quote in [&own_paragraph[..], &last_line[..]] {
            let (words, who) = attributed(quote);
            assert_eq!(words, [Block::Paragraph(vec![text("Rain.")])]);
            assert_eq!(who.map(|who| plain(&who)).as_deref(), Some("Amara"));
        }
    }

    #[test]
    fn after_the_closing_mark_a_mere_name_is_enough() {
        let quote = |words: &str, last: &str| [Block::Paragraph(vec![text(words)]), Block::Paragraph(vec![text(last)])];
        let (words, who) = attributed(&quote("“It used to moo.”", "Sunniva Drage, skipper"));
        assert_eq!((words.len(), who.map(|who| plain(&who)).as_deref()), (1, Some("Sunniva Drage, skipper")));
        for (words, last) in [("It used to moo.", "Sunniva Drage"), ("“Moo.”", "And she laughed."), ("“Moo.”", "“Moo”")]
        {
            assert_eq!(attributed(&quote(words, last)).1, None, "{last}");
        }
    }

    #[test]
    fn a_quote_that_is_nothing_but_a_dash_line_keeps_it() {
        let quote = [Block::Paragraph(vec![text("— no, said the harbour master")])];
        assert_eq!(attributed(&quote), (quote.to_vec(), None));
    }
}

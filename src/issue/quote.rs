//! Who is quoted: a quote's last line, when it begins with a dash.

use super::tree::{Block, Inline};

/// A quote's text and, apart from it, who said it (without the dash): "— Dr Amara Osei, Saltmarsh Marine Station" as
/// a paragraph of its own at the end, or as the last line of the last one.
#[must_use]
pub fn attributed(quote: &[Block]) -> (Vec<Block>, Option<Vec<Inline>>) {
    let Some((Block::Paragraph(last), before)) = quote.split_last() else { return (quote.to_vec(), None) };
    let line_start = last.iter().rposition(|inline| *inline == Inline::Break).map_or(0, |at| at + 1);
    let alone = line_start == 0 && before.is_empty();
    let who = if alone { None } else { without_dash(&last[line_start..]) };
    let Some(who) = who else { return (quote.to_vec(), None) };
    let mut text = before.to_vec();
    if line_start > 1 {
        text.push(Block::Paragraph(last[..line_start - 1].to_vec()));
    }
    if text.is_empty() { (quote.to_vec(), None) } else { (text, Some(who)) }
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
    fn a_quote_that_is_nothing_but_a_dash_line_keeps_it() {
        let quote = [Block::Paragraph(vec![text("— no, said the harbour master")])];
        assert_eq!(attributed(&quote), (quote.to_vec(), None));
    }
}

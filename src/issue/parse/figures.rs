//! Paragraphs as people write them: pictures on lines of their own, a caption below, sources at the end.

use unicode_width::UnicodeWidthChar as _;

use super::markdown::{Placed, Reading};
use super::sources;
use crate::issue::finding::Finding;
use crate::issue::tree::{Block, Figure, Href, Inline, Place, Source, plain};

/// A line end that means a space. Only while reading; [`settle`] takes it out.
pub(super) fn soft_break() -> Inline {
    Inline::Text("\n".to_owned())
}

fn is_break(inline: &Inline) -> bool {
    match inline {
        Inline::Break => true,
        Inline::Text(text) => text == "\n",
        _ => false,
    }
}

fn is_blank(inline: &Inline) -> bool {
    matches!(inline, Inline::Text(text) if text.trim().is_empty()) || matches!(inline, Inline::Break)
}

/// One line of a paragraph.
struct Line {
    inlines: Vec<Inline>,
    /// What ended the line before this one.
    after: Option<Inline>,
    at: Place,
}

impl Reading<'_> {
    /// The blocks that one paragraph of Markdown is: pictures, captions, text, sources.
    pub(super) fn paragraph(&mut self, inlines: Vec<Inline>, at: Place) -> Vec<Placed> {
        let mut blocks: Vec<Placed> = Vec::new();
        let mut text: Vec<Inline> = Vec::new();
        let mut text_at = at;
        let mut is_first = true;
        for line in lines(inlines, at) {
            let is_source = sources::begins(&line.inlines, is_first);
            let pictures = pictures_of(&line.inlines);
            is_first &= line.inlines.iter().all(is_blank);
            if !pictures.is_empty() {
                flush(&mut blocks, &mut text, text_at);
                blocks
                    .extend(pictures.into_iter().map(|figure| Placed { at: figure.at, block: Block::Figure(figure) }));
            } else if let Some(figure) = caption_taker(&mut blocks, &text).filter(|_| is_caption(&line.inlines)) {
                (figure.caption, figure.credit) = caption_and_credit(unwrapped(line.inlines));
            } else if is_source {
                flush(&mut blocks, &mut text, text_at);
                let (label, rest) = sources::cut(line.inlines);
                blocks.push(Placed { block: Block::Source(Source { label, text: rest, at: line.at }), at: line.at });
            } else if let (Some(source), Some(after)) = (open_source(&mut blocks, &text), &line.after)
                && *after != Inline::Break
            {
                source.text.push(soft_break());
                source.text.extend(line.inlines);
            } else {
                if text.is_empty() {
                    text_at = line.at;
                } else {
                    text.extend(line.after);
                }
                text.extend(line.inlines);
            }
        }
        flush(&mut blocks, &mut text, text_at);
        for placed in &mut blocks {
            if let Block::Source(source) = &mut placed.block {
                source.text = settle(std::mem::take(&mut source.text));
            }
        }
        blocks
    }

    /// A picture from its address, title and alt text.
    pub(super) fn figure(&mut self, url: &str, title: &str, alt: Option<String>, at: Place) -> Figure {
        let image = self.image(url.trim(), at);
        let caption = if title.trim().is_empty() { Vec::new() } else { self.inlines_in(title.trim(), at) };
        let (caption, credit) = caption_and_credit(caption);
        Figure { image, alt, caption, credit, link: None, at }
    }

    fn image(&mut self, url: &str, at: Place) -> String {
        let written = self.fields.restore(url);
        let scheme = written.split_once(':').map(|(scheme, _)| scheme.trim().to_ascii_lowercase());
        let problem = match scheme.as_deref() {
            _ if written.is_empty() => {
                ("picture-without-file", "this picture names no file".to_owned(), "write ![what it shows](file.jpg)")
            }
            _ if written != url => (
                "field-in-address",
                format!("a field stands in the picture's address {written}"),
                "a picture is the same for every reader",
            ),
            Some("https" | "http") => return written,
            Some("data") => (
                "data-picture",
                "this picture is written into the text (data:); mail programs don't show such pictures".to_owned(),
                "put the picture into a file beside the issue and write its name",
            ),
            Some(scheme) if scheme.len() > 1 && scheme.chars().all(|letter| letter.is_ascii_alphabetic()) => (
                "unsafe-picture",
                format!("a picture can't come from “{scheme}:”"),
                "write the name of a file beside the issue, or an https address",
            ),
            _ => return written,
        };
        self.findings.push(Finding::blocks(problem.0, at, problem.1, problem.2));
        String::new()
    }
}

fn flush(blocks: &mut Vec<Placed>, text: &mut Vec<Inline>, at: Place) {
    let settled = settle(std::mem::take(text));
    if !settled.is_empty() {
        blocks.push(Placed { block: Block::Paragraph(settled), at });
    }
}

fn lines(inlines: Vec<Inline>, at: Place) -> Vec<Line> {
    let mut lines = vec![Line { inlines: Vec::new(), after: None, at }];
    for inline in inlines {
        if is_break(&inline) {
            let line = at.line + lines.len();
            lines.push(Line { inlines: Vec::new(), after: Some(inline), at: Place { line, column: 1 } });
        } else if let Some(line) = lines.last_mut() {
            line.inlines.push(inline);
        }
    }
    lines
}

/// The picture that a caption on the next line would belong to: the last block, with nothing said about it yet.
fn caption_taker<'a>(blocks: &'a mut [Placed], text: &[Inline]) -> Option<&'a mut Figure> {
    match blocks.last_mut().map(|placed| &mut placed.block) {
        Some(Block::Figure(figure)) if text.is_empty() && is_uncaptioned(figure) => Some(figure),
        _ => None,
    }
}

fn open_source<'a>(blocks: &'a mut [Placed], text: &[Inline]) -> Option<&'a mut Source> {
    match blocks.last_mut().map(|placed| &mut placed.block) {
        Some(Block::Source(source)) if text.is_empty() => Some(source),
        _ => None,
    }
}

pub(super) fn is_uncaptioned(figure: &Figure) -> bool {
    figure.caption.is_empty() && figure.credit.is_none()
}

/// Whether these are one stretch of emphasis and nothing else.
pub(super) fn is_caption(inlines: &[Inline]) -> bool {
    let mut words = inlines.iter().filter(|inline| !is_blank(inline));
    let is_one = matches!(words.next(), Some(Inline::Emphasis(_))) && words.next().is_none();
    is_one && !has_picture(inlines)
}

/// What stands within that stretch.
pub(super) fn unwrapped(inlines: Vec<Inline>) -> Vec<Inline> {
    let inner = inlines.into_iter().flat_map(|inline| match inline {
        Inline::Emphasis(inner) => inner,
        other => vec![other],
    });
    settle(inner.collect())
}

/// The pictures of a line that has nothing else; empty if it has.
fn pictures_of(inlines: &[Inline]) -> Vec<Figure> {
    let words = inlines.iter().filter(|inline| !is_blank(inline));
    let pictures: Option<Vec<Figure>> = words.map(|inline| alone(std::slice::from_ref(inline))).collect();
    pictures.unwrap_or_default()
}

/// The picture that these inlines are, if they are nothing but one: bare, in a link, in emphasis.
pub(super) fn alone(inlines: &[Inline]) -> Option<Figure> {
    let mut words = inlines.iter().filter(|inline| !is_blank(inline));
    let only = words.next().filter(|_| words.next().is_none())?;
    match only {
        Inline::Image(figure) => Some(figure.clone()),
        Inline::Link(link) => {
            let figure = alone(&link.text).filter(|figure| figure.link.is_none())?;
            match &link.href {
                Href::Url(url) => Some(Figure { link: Some(url.clone()), ..figure }),
                Href::Own(_) => None,
            }
        }
        Inline::Strong(inner) | Inline::Emphasis(inner) => alone(inner),
        _ => None,
    }
}

pub(super) fn has_picture(inlines: &[Inline]) -> bool {
    any(inlines, &|inline| matches!(inline, Inline::Image(_)))
}

pub(super) fn has_link(inlines: &[Inline]) -> bool {
    any(inlines, &|inline| matches!(inline, Inline::Link(_)))
}

fn any(inlines: &[Inline], is: &dyn Fn(&Inline) -> bool) -> bool {
    inlines.iter().any(|inline| {
        is(inline)
            || match inline {
                Inline::Strong(inner)
                | Inline::Emphasis(inner)
                | Inline::Strike(inner)
                | Inline::Superscript(inner)
                | Inline::Subscript(inner) => any(inner, is),
                Inline::Link(link) => any(&link.text, is),
                _ => false,
            }
    })
}

/// Splits a caption: "A harbour. Credit: Ines" is a caption and a credit. A credit with a link in it stays part of
/// the caption, because a credit is plain text and the link would be lost.
pub(super) fn caption_and_credit(caption: Vec<Inline>) -> (Vec<Inline>, Option<String>) {
    let words = plain(&caption);
    let Some(found) = crate::issue::credit::find(&words) else { return (caption, None) };
    let (before, after) = split(caption.clone(), found.begins);
    let is_plain = after.iter().all(|inline| {
        matches!(inline, Inline::Text(_) | Inline::Emphasis(_) | Inline::Strong(_))
            && !has_link(std::slice::from_ref(inline))
    });
    if is_plain { (settle(before), Some(found.credit)) } else { (caption, None) }
}

/// Cuts inlines at a letter of their plain text. What can't be cut (a field, a picture) stays in front.
pub(super) fn split(inlines: Vec<Inline>, mut letters: usize) -> (Vec<Inline>, Vec<Inline>) {
    let (mut before, mut after) = (Vec::new(), Vec::new());
    for inline in inlines {
        let length = plain(std::slice::from_ref(&inline)).chars().count();
        if letters >= length && (letters > 0 || length == 0 && after.is_empty()) {
            letters -= length;
            before.push(inline);
            continue;
        }
        if letters == 0 {
            after.push(inline);
            continue;
        }
        let cut = std::mem::take(&mut letters);
        let (left, right) = split_one(inline, cut);
        before.extend(left);
        after.extend(right);
    }
    (before, after)
}

fn split_one(inline: Inline, letters: usize) -> (Option<Inline>, Option<Inline>) {
    let halves = |inner: Vec<Inline>, kind: fn(Vec<Inline>) -> Inline| {
        let (left, right) = split(inner, letters);
        ((!left.is_empty()).then(|| kind(left)), (!right.is_empty()).then(|| kind(right)))
    };
    match inline {
        Inline::Text(text) => {
            let at = text.char_indices().nth(letters).map_or(text.len(), |(at, _)| at);
            (Some(Inline::Text(text[..at].to_owned())), Some(Inline::Text(text[at..].to_owned())))
        }
        Inline::Strong(inner) => halves(inner, Inline::Strong),
        Inline::Emphasis(inner) => halves(inner, Inline::Emphasis),
        Inline::Strike(inner) => halves(inner, Inline::Strike),
        Inline::Superscript(inner) => halves(inner, Inline::Superscript),
        Inline::Subscript(inner) => halves(inner, Inline::Subscript),
        whole => (Some(whole), None),
    }
}

/// Finished inlines: soft line ends become spaces (nothing between Chinese or Japanese letters), neighbouring texts
/// are one, blanks at the ends are gone.
pub(super) fn settle(inlines: Vec<Inline>) -> Vec<Inline> {
    let mut settled = joined(inlines);
    while settled.first().is_some_and(is_blank) {
        settled.remove(0);
    }
    while settled.last().is_some_and(is_blank) {
        settled.pop();
    }
    let is_edge = |letter: char| letter.is_whitespace() && letter != '\u{a0}';
    if let Some(Inline::Text(first)) = settled.first_mut() {
        *first = first.trim_start_matches(is_edge).to_owned();
    }
    if let Some(Inline::Text(last)) = settled.last_mut() {
        *last = last.trim_end_matches(is_edge).to_owned();
    }
    settled
}

fn joined(inlines: Vec<Inline>) -> Vec<Inline> {
    let mut out: Vec<Inline> = Vec::with_capacity(inlines.len());
    let mut inlines = inlines.into_iter().peekable();
    while let Some(inline) = inlines.next() {
        let inline = match inline {
            Inline::Text(text) if text == "\n" => {
                let next = inlines.peek().and_then(|next| plain(std::slice::from_ref(next)).chars().next());
                let last = out.last().and_then(|last| plain(std::slice::from_ref(last)).chars().next_back());
                let is_joint = matches!((last, next), (Some(last), Some(next)) if is_wide(last) && is_wide(next));
                Inline::Text(if is_joint { String::new() } else { " ".to_owned() })
            }
            Inline::Strong(inner) => Inline::Strong(joined(inner)),
            Inline::Emphasis(inner) => Inline::Emphasis(joined(inner)),
            Inline::Strike(inner) => Inline::Strike(joined(inner)),
            Inline::Superscript(inner) => Inline::Superscript(joined(inner)),
            Inline::Subscript(inner) => Inline::Subscript(joined(inner)),
            Inline::Link(link) => Inline::Link(crate::issue::tree::Link { text: settle(link.text), ..link }),
            other => other,
        };
        match (out.last_mut(), inline) {
            (_, Inline::Text(text)) if text.is_empty() => {}
            (Some(Inline::Text(before)), Inline::Text(text)) => {
                let doubled = before.ends_with(' ') && text.starts_with(' ');
                before.push_str(if doubled { &text[1..] } else { &text });
            }
            (Some(Inline::Break), Inline::Text(text)) if text == " " => {}
            (_, inline) => out.push(inline),
        }
    }
    out
}

/// Letters that are written without spaces between words. Korean is, but its words are spaced.
fn is_wide(letter: char) -> bool {
    letter.width() == Some(2)
        && !matches!(u32::from(letter), 0x1100..=0x11FF | 0xAC00..=0xD7AF | 0x1F000..=0x1FAFF | 0x2600..=0x27BF)
}

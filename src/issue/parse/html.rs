//! Raw HTML in Markdown: woven with the Markdown around it into elements.
//!
//! Nothing of it is passed on as HTML. Each element either has a meaning in the tree (see `elements`) or leaves only
//! its words, so a script can't come through whatever it is written like.

use std::cell::RefCell;

use html5ever::tendril::StrTendril;
use html5ever::tokenizer::states::RawKind;
use html5ever::tokenizer::{BufferQueue, Tag, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer};

use super::NESTING_MAX;
use super::elements::{is_block, is_dropped, is_known, is_void};
use super::markdown::{Placed, Reading};
use crate::issue::finding::Finding;
use crate::issue::tree::{Inline, Place};

/// What an element holds.
#[derive(Debug)]
pub(super) enum Piece {
    Element(Element),
    /// Text of HTML: white space in it means one space. Fields are still hidden.
    Text(String),
    /// Finished, from Markdown.
    Inline(Inline),
    Block(Placed),
}

#[derive(Debug, Default)]
pub(super) struct Element {
    pub(super) name: String,
    attributes: Vec<(String, String)>,
    pub(super) children: Vec<Piece>,
    pub(super) at: Place,
}

impl Element {
    pub(super) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// Weaves tags and finished Markdown: whatever comes between a start tag and its end tag is within that element.
#[derive(Default)]
pub(super) struct Weaver {
    done: Vec<Piece>,
    open: Vec<Element>,
}

impl Weaver {
    pub(super) fn blocks(&mut self, blocks: Vec<Placed>) {
        if !blocks.is_empty() {
            self.close_paragraph();
        }
        blocks.into_iter().for_each(|block| self.push(Piece::Block(block)));
    }

    pub(super) fn inlines(&mut self, inlines: Vec<Inline>) {
        inlines.into_iter().for_each(|inline| self.push(Piece::Inline(inline)));
    }

    fn push(&mut self, piece: Piece) {
        match self.open.last_mut() {
            Some(element) => element.children.push(piece),
            None => self.done.push(piece),
        }
    }

    fn close(&mut self) {
        if let Some(element) = self.open.pop() {
            self.push(Piece::Element(element));
        }
    }

    pub(super) fn close_all(&mut self) {
        while !self.open.is_empty() {
            self.close();
        }
    }

    pub(super) fn finish(mut self) -> Vec<Piece> {
        self.close_all();
        self.done
    }

    /// Reads a stretch of HTML that begins at `at`.
    pub(super) fn html(&mut self, reading: &mut Reading<'_>, html: &str, at: Place) {
        note_hidden_markup(reading, html, at);
        for (token, line) in tokens(html) {
            let line = at.line + if reading.fixed.is_some() { 0 } else { line - 1 };
            let at = if line == at.line { at } else { Place { line, column: 1 } };
            match token {
                Token::CharacterTokens(text) => self.push(Piece::Text(text.to_string())),
                // Parts of a drawing; the whole of it is left out, and said to be.
                Token::TagToken(tag) if !is_known(&tag.name) && self.is_dropping() => {}
                Token::TagToken(tag) if !is_known(&tag.name) => {
                    self.push(Piece::Text(as_written(html, &tag)));
                    note_unknown(reading, html, &tag, at);
                }
                Token::TagToken(tag) if tag.kind == TagKind::StartTag => self.start(&tag, at),
                Token::TagToken(tag) => self.end(&tag.name),
                _ => {}
            }
        }
    }

    fn is_dropping(&self) -> bool {
        self.open.iter().any(|element| is_dropped(&element.name))
    }

    fn start(&mut self, tag: &Tag, at: Place) {
        let name = tag.name.to_string();
        self.close_implied(&name);
        if self.open.len() >= NESTING_MAX && !is_void(&name) {
            return;
        }
        let attributes = tag.attrs.iter().map(|a| (a.name.local.to_string(), a.value.to_string())).collect();
        self.open.push(Element { attributes, children: Vec::new(), at, name });
        if tag.self_closing || is_void(&tag.name) {
            self.close();
        }
    }

    fn end(&mut self, name: &str) {
        if name == "br" {
            self.push(Piece::Inline(Inline::Break));
        }
        if let Some(depth) = self.open.iter().rposition(|element| element.name == name) {
            while self.open.len() > depth {
                self.close();
            }
        }
    }

    /// End tags that HTML lets people leave out.
    fn close_implied(&mut self, name: &str) {
        let (ends, within): (&[&str], &[&str]) = match name {
            "li" => (&["li"], &["ul", "ol"]),
            "dt" | "dd" => (&["dt", "dd"], &["dl"]),
            "td" | "th" => (&["td", "th"], &["tr", "table"]),
            "tr" => (&["tr"], &["table"]),
            "thead" | "tbody" | "tfoot" => (&["thead", "tbody", "tfoot", "caption"], &["table"]),
            name if is_block(name) => return self.close_paragraph(),
            _ => return,
        };
        let barrier = self.open.iter().rposition(|element| within.contains(&element.name.as_str()));
        let from = barrier.map_or(0, |barrier| barrier + 1);
        if let Some(depth) = self.open[from..].iter().position(|element| ends.contains(&element.name.as_str())) {
            while self.open.len() > from + depth {
                self.close();
            }
        }
    }

    fn close_paragraph(&mut self) {
        let block = self.open.iter().rposition(|element| is_block(&element.name));
        if let Some(depth) = block.filter(|depth| self.open[*depth].name == "p") {
            while self.open.len() > depth {
                self.close();
            }
        }
    }
}

/// Comments are the author's own and vanish on purpose; a comment that never ends, or markup of another kind, is said.
fn note_hidden_markup(reading: &mut Reading<'_>, html: &str, at: Place) {
    let trimmed = html.trim_start();
    let open = trimmed.rfind("<!--").filter(|open| !trimmed[*open..].contains("-->"));
    if open.is_some() && trimmed.starts_with("<!--") {
        reading.findings.push(Finding::blocks(
            "unclosed-comment",
            at,
            "a comment begins here and never ends; everything after it is hidden",
            "end it with -->",
        ));
    }
    if trimmed.starts_with("<?") || (trimmed.starts_with("<!") && !trimmed.starts_with("<!--")) {
        reading.findings.push(Finding::warns(
            "markup-left-out",
            at,
            format!("{} means nothing in a mail; it was left out", excerpt(&reading.fields.restore(trimmed))),
            "delete it",
        ));
    }
}

fn note_unknown(reading: &mut Reading<'_>, html: &str, tag: &Tag, at: Place) {
    if tag.kind == TagKind::StartTag {
        let written = reading.fields.restore(&as_written(html, tag));
        reading.findings.push(Finding::warns(
            "unknown-tag",
            at,
            format!("{} is no HTML that a mail can show; it is shown as it is written", excerpt(&written)),
            "delete it, or put it in `code` if it is meant to be read",
        ));
    }
}

/// The first words of something long, for a sentence.
pub(super) fn excerpt(text: &str) -> String {
    const LETTERS_MAX: usize = 80;
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if text.chars().count() <= LETTERS_MAX {
        return text;
    }
    text.chars().take(LETTERS_MAX).chain(['…']).collect()
}

/// A tag in the author's own spelling. In long stretches, where looking for it would take long, in small letters.
fn as_written(html: &str, tag: &Tag) -> String {
    const SEARCHED_BYTES_MAX: usize = 10_000;
    let slash = if tag.kind == TagKind::EndTag { "/" } else { "" };
    let start = format!("<{slash}{}", tag.name);
    if html.len() > SEARCHED_BYTES_MAX {
        return format!("{start}>");
    }
    let lower = html.to_ascii_lowercase();
    let found = lower.find(&start).and_then(|from| Some(&html[from..=from + html[from..].find('>')?]));
    found.map_or_else(|| format!("{start}>"), str::to_owned)
}

struct Collector(RefCell<Vec<(Token, usize)>>);

impl TokenSink for Collector {
    type Handle = ();

    fn process_token(&self, token: Token, line: u64) -> TokenSinkResult<()> {
        let raw = match &token {
            Token::TagToken(tag) if tag.kind == TagKind::StartTag && !tag.self_closing => match &*tag.name {
                "script" => Some(RawKind::ScriptData),
                "style" | "xmp" | "iframe" | "noembed" | "noframes" => Some(RawKind::Rawtext),
                "title" | "textarea" => Some(RawKind::Rcdata),
                _ => None,
            },
            _ => None,
        };
        self.0.borrow_mut().push((token, usize::try_from(line).unwrap_or(1)));
        raw.map_or(TokenSinkResult::Continue, TokenSinkResult::RawData)
    }
}

/// Tokens with the line they end on, from 1.
fn tokens(html: &str) -> Vec<(Token, usize)> {
    let input = BufferQueue::default();
    input.push_back(StrTendril::from_slice(html));
    let tokenizer = Tokenizer::new(Collector(RefCell::default()), html5ever::tokenizer::TokenizerOpts::default());
    let _ = tokenizer.feed(&input);
    tokenizer.end();
    tokenizer.sink.0.take()
}

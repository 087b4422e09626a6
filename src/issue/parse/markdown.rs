//! From comrak's nodes to blocks.

use comrak::nodes::{ListType, Node, NodeValue, TableAlignment};
use comrak::{Arena, Options};

use super::fields::Fields;
use super::html::{Piece, Weaver};
use super::manuscript::Manuscript;
use super::{NESTING_MAX, figures};
use crate::issue::finding::Finding;
use crate::issue::tree::{Align, Block, Inline, Item, Link, List, Place, Table};

/// A block and where it begins. Headings still have the level that was written, 1 to 6.
#[derive(Debug)]
pub(super) struct Placed {
    pub(super) block: Block,
    pub(super) at: Place,
}

/// What is known while one manuscript is read.
pub(super) struct Reading<'m> {
    pub(super) manuscript: &'m Manuscript,
    pub(super) fields: Fields,
    pub(super) findings: Vec<Finding>,
    /// Names of footnotes in the order of their first mention.
    pub(super) notes: Vec<String>,
    /// Lines of the file before the Markdown begins.
    pub(super) lines_before: usize,
    /// Set while a title or caption is read by itself: everything in it is at this place.
    pub(super) fixed: Option<Place>,
    /// Lines and byte columns of code, from and to: braces mean nothing there.
    pub(super) code: Vec<(Place, Place)>,
}

/// What of Markdown is understood: GitHub's, and emphasis that works beside Chinese and Japanese letters.
pub(super) fn options() -> Options<'static> {
    let mut options = Options::default();
    options.extension.strikethrough = true;
    options.extension.table = true;
    options.extension.autolink = true;
    options.extension.tasklist = true;
    options.extension.footnotes = true;
    options.extension.alerts = true;
    options.extension.cjk_friendly_emphasis = true;
    // Notes that nothing refers to would vanish otherwise.
    options.parse.leave_footnote_definitions = true;
    options.parse.relaxed_tasklist_matching = true;
    options
}

impl Reading<'_> {
    pub(super) fn place(&self, node: Node<'_>) -> Place {
        if let Some(fixed) = self.fixed {
            return fixed;
        }
        let start = node.data().sourcepos.start;
        self.manuscript.place(start.line + self.lines_before, start.column)
    }

    /// The blocks within a node.
    pub(super) fn blocks(&mut self, node: Node<'_>, depth: usize) -> Vec<Placed> {
        let mut weaver = Weaver::default();
        for child in node.children() {
            let at = self.place(child);
            let value = child.data().value.clone();
            match value {
                NodeValue::HtmlBlock(html) => weaver.html(self, &html.literal, at),
                NodeValue::FootnoteDefinition(_) => {}
                NodeValue::Heading(heading) => {
                    if depth == 0 && heading.level <= 2 {
                        weaver.close_all();
                    }
                    weaver.blocks(self.block(child, depth));
                }
                _ => weaver.blocks(self.block(child, depth)),
            }
        }
        let pieces = weaver.finish();
        self.blocks_of(pieces, node_place(self, node))
    }

    /// The same, for blocks that stand within others: headings there are never stories.
    fn inner(&mut self, node: Node<'_>, depth: usize) -> Vec<Block> {
        within(self.blocks(node, depth + 1))
    }

    fn block(&mut self, node: Node<'_>, depth: usize) -> Vec<Placed> {
        let at = self.place(node);
        if depth >= NESTING_MAX {
            return self.flat(node, at);
        }
        let value = node.data().value.clone();
        let block = match value {
            NodeValue::Paragraph => {
                let pieces = self.pieces(node, depth);
                return self.blocks_of(pieces, at);
            }
            NodeValue::Heading(heading) => return self.heading(node, heading.level, heading.setext, at, depth),
            NodeValue::BlockQuote | NodeValue::MultilineBlockQuote(_) => Block::Quote(self.inner(node, depth)),
            NodeValue::Alert(alert) => {
                let title = alert.title.clone().unwrap_or_else(|| alert.alert_type.default_title().to_owned());
                let title = self.fields.restore(&title);
                let mut blocks = vec![Block::Paragraph(vec![Inline::Strong(vec![Inline::Text(title)])])];
                blocks.extend(self.inner(node, depth));
                Block::Quote(blocks)
            }
            NodeValue::List(list) => {
                let start = (list.list_type == ListType::Ordered).then_some(list.start);
                let items = node.children().map(|item| self.item(item, depth)).collect();
                Block::List(List { start, items })
            }
            NodeValue::CodeBlock(code) => {
                self.note_code(node);
                if code.fenced && !code.closed {
                    self.findings.push(Finding::warns(
                        "unclosed-code",
                        at,
                        format!("code begins here and never ends: {}", self.manuscript.line(at.line).trim()),
                        "put a line ``` where it ends",
                    ));
                }
                let language = code.info.split_whitespace().next().unwrap_or_default().to_owned();
                let text = self.fields.restore(code.literal.trim_end_matches('\n'));
                Block::Code { language, text }
            }
            NodeValue::Table(table) => Block::Table(self.table(node, &table.alignments, depth)),
            NodeValue::ThematicBreak => Block::Rule,
            _ => return self.blocks(node, depth + 1),
        };
        vec![Placed { block, at }]
    }

    fn item(&mut self, item: Node<'_>, depth: usize) -> Item {
        let task = match &item.data().value {
            NodeValue::TaskItem(task) => Some(task.symbol.is_some()),
            _ => None,
        };
        Item { task, blocks: self.inner(item, depth) }
    }

    /// A heading; or, where `---` stood directly below a sentence, the paragraph and the rule that were meant.
    fn heading(&mut self, node: Node<'_>, level: u8, setext: bool, at: Place, depth: usize) -> Vec<Placed> {
        let text = self.inlines(node, depth);
        if setext && level == 2 && self.reads_as_paragraph(&text) {
            let line = node.data().sourcepos.end.line + self.lines_before;
            let rule_at = self.fixed.unwrap_or(Place { line, column: 1 });
            self.findings.push(Finding::warns(
                "rule-below-text",
                rule_at,
                "--- directly below a line of text makes a headline of it; it was read as a line of its own",
                "put an empty line above ---",
            ));
            let pieces = text.into_iter().map(Piece::Inline).collect();
            let mut blocks = self.blocks_of(pieces, at);
            blocks.push(Placed { block: Block::Rule, at: rule_at });
            return blocks;
        }
        let text = figures::settle(text);
        if text.is_empty() {
            self.findings.push(Finding::warns(
                "empty-heading",
                at,
                "this heading has no words; it was left out",
                "write the headline after the #, or delete the line",
            ));
            return Vec::new();
        }
        vec![Placed { block: Block::Heading { level, text }, at }]
    }

    fn reads_as_paragraph(&self, text: &[Inline]) -> bool {
        let words = crate::issue::tree::plain(text);
        let words = words.trim();
        words.contains('\n')
            || words.ends_with(['.', '!', ':', ';', ',', '。', '！', '…', ')', '）'])
            || super::sources::label(words).is_some()
            || words.chars().count() > super::HEADLINE_LETTERS_MAX
    }

    fn table(&mut self, node: Node<'_>, alignments: &[TableAlignment], depth: usize) -> Table {
        let align = alignments.iter().map(|align| match align {
            TableAlignment::None | TableAlignment::Left => Align::Start,
            TableAlignment::Center => Align::Center,
            TableAlignment::Right => Align::End,
        });
        let mut table = Table { align: align.collect(), ..Table::default() };
        for row in node.children() {
            let is_head = matches!(row.data().value, NodeValue::TableRow(true));
            let cells = row.children().map(|cell| figures::settle(self.inlines(cell, depth))).collect();
            if is_head { table.head = cells } else { table.rows.push(cells) }
        }
        table
    }

    /// Pieces of a paragraph: finished inlines, and raw tags as elements around them.
    fn pieces(&mut self, node: Node<'_>, depth: usize) -> Vec<Piece> {
        let mut weaver = Weaver::default();
        for child in node.children() {
            let at = self.place(child);
            let html = match &child.data().value {
                NodeValue::HtmlInline(html) => Some(html.clone()),
                _ => None,
            };
            match html {
                Some(html) => weaver.html(self, &html, at),
                None => weaver.inlines(self.inline(child, depth + 1)),
            }
        }
        weaver.finish()
    }

    /// The inlines within a node; soft line breaks are still `Text("\n")`.
    pub(super) fn inlines(&mut self, node: Node<'_>, depth: usize) -> Vec<Inline> {
        let pieces = self.pieces(node, depth);
        self.inlines_of(pieces)
    }

    fn inline(&mut self, node: Node<'_>, depth: usize) -> Vec<Inline> {
        let at = self.place(node);
        if depth >= 2 * NESTING_MAX {
            return self.flat_inlines(node, at);
        }
        let value = node.data().value.clone();
        match value {
            NodeValue::Text(text) => self.text(&text, at),
            NodeValue::SoftBreak => vec![figures::soft_break()],
            NodeValue::LineBreak => vec![Inline::Break],
            NodeValue::Code(code) => {
                self.note_code(node);
                vec![Inline::Code(self.fields.restore(&code.literal))]
            }
            NodeValue::Strong => vec![Inline::Strong(self.inlines(node, depth))],
            NodeValue::Emph => vec![Inline::Emphasis(self.inlines(node, depth))],
            NodeValue::Strikethrough => vec![Inline::Strike(self.inlines(node, depth))],
            NodeValue::Link(link) => {
                let text = self.inlines(node, depth);
                self.link(&link.url, &link.title, text, at)
            }
            NodeValue::Image(link) => {
                let alt = crate::issue::tree::plain(&self.inlines(node, depth)).replace('\n', " ");
                let alt = Some(alt).filter(|alt| !alt.trim().is_empty());
                vec![Inline::Image(self.figure(&link.url, &link.title, alt, at))]
            }
            NodeValue::FootnoteReference(note) => vec![Inline::Footnote(self.note(&note.name))],
            _ => self.inlines(node, depth),
        }
    }

    fn text(&mut self, text: &str, at: Place) -> Vec<Inline> {
        if text.contains("](") || text.contains("][") {
            self.findings.push(Finding::warns(
                "broken-link",
                at,
                "this looks like a link, but Markdown doesn't read it as one",
                "write [words](https://…) without spaces in the address; for [words][label] write the line [label]: https://…",
            ));
        }
        if text.contains("[^") {
            self.findings.push(Finding::warns(
                "footnote-missing",
                at,
                "this looks like a footnote, but its text is nowhere",
                "write the note on a line of its own: [^1]: …",
            ));
        }
        super::fields::inlines(&self.fields, text, &mut self.findings)
    }

    /// A link, or its words where it may not be one.
    pub(super) fn link(&mut self, url: &str, title: &str, mut text: Vec<Inline>, at: Place) -> Vec<Inline> {
        let target = super::links::target(&self.fields, url, at, &mut self.findings);
        let Some(href) = target else { return text };
        let is_bare = !figures::has_picture(&text) && crate::issue::tree::plain(&text).trim().is_empty();
        if is_bare {
            self.findings.push(Finding::warns(
                "empty-link-text",
                at,
                "this link has no words; its address is shown",
                "write what it leads to between the brackets",
            ));
            text = vec![Inline::Text(self.fields.restore(url))];
        }
        vec![Inline::Link(Link { href, title: self.fields.restore(title), text, at })]
    }

    /// Number of the footnote with this name.
    fn note(&mut self, name: &str) -> usize {
        let name = name.to_lowercase();
        let known = self.notes.iter().position(|known| *known == name);
        let index = known.unwrap_or_else(|| {
            self.notes.push(name);
            self.notes.len() - 1
        });
        index + 1
    }

    fn note_code(&mut self, node: Node<'_>) {
        let span = node.data().sourcepos;
        let place = |at: comrak::nodes::LineColumn| self.manuscript.place(at.line + self.lines_before, at.column);
        self.code.push((place(span.start), place(span.end)));
    }

    /// Inlines of a text that stands by itself, such as a picture's title. Everything in it is at `at`.
    pub(super) fn inlines_in(&mut self, text: &str, at: Place) -> Vec<Inline> {
        let arena = Arena::new();
        let root = comrak::parse_document(&arena, text, &options());
        let mut children = root.children();
        let (first, second) = (children.next(), children.next());
        let single = first.filter(|node| second.is_none() && matches!(node.data().value, NodeValue::Paragraph));
        let outer = self.fixed.replace(at);
        let inlines = match single {
            Some(paragraph) => self.inlines(paragraph, 0),
            None => super::fields::inlines(&self.fields, text, &mut self.findings),
        };
        self.fixed = outer;
        figures::settle(inlines)
    }

    /// Everything below a node as one paragraph: for nesting that no mail program could show.
    fn flat(&mut self, node: Node<'_>, at: Place) -> Vec<Placed> {
        self.findings.push(Finding::warns(
            "nested-too-deep",
            at,
            format!("this is nested more than {NESTING_MAX} deep; its words were kept, its form was not"),
            "use fewer levels",
        ));
        let words = self.flat_inlines(node, at);
        vec![Placed { block: Block::Paragraph(figures::settle(words)), at }]
    }

    fn flat_inlines(&mut self, node: Node<'_>, at: Place) -> Vec<Inline> {
        let mut inlines = Vec::new();
        for below in node.descendants() {
            let value = below.data().value.clone();
            match value {
                NodeValue::Text(text) => inlines.extend(self.text(&text, at)),
                NodeValue::Code(code) => inlines.push(Inline::Code(self.fields.restore(&code.literal))),
                NodeValue::CodeBlock(code) => inlines.push(Inline::Code(self.fields.restore(&code.literal))),
                NodeValue::HtmlInline(html) => inlines.push(Inline::Text(self.fields.restore(&html))),
                NodeValue::HtmlBlock(html) => inlines.push(Inline::Text(self.fields.restore(&html.literal))),
                NodeValue::Link(link) => {
                    let url = vec![Inline::Text(self.fields.restore(&link.url))];
                    inlines.extend(self.link(&link.url, &link.title, url, at));
                    inlines.push(figures::soft_break());
                }
                NodeValue::Image(link) => {
                    let alt = Some(String::new());
                    inlines.push(Inline::Image(self.figure(&link.url, &link.title, alt, at)));
                }
                NodeValue::FootnoteReference(note) => inlines.push(Inline::Footnote(self.note(&note.name))),
                NodeValue::SoftBreak | NodeValue::LineBreak | NodeValue::Paragraph | NodeValue::TableCell => {
                    inlines.push(figures::soft_break());
                }
                _ => {}
            }
        }
        inlines
    }
}

fn node_place(reading: &Reading<'_>, node: Node<'_>) -> Place {
    reading.place(node)
}

/// Blocks within others: their headings are levels 3 to 6.
pub(super) fn within(placed: Vec<Placed>) -> Vec<Block> {
    let tame = |placed: Placed| match placed.block {
        Block::Heading { level, text } => Block::Heading { level: level.clamp(3, 6), text },
        other => other,
    };
    placed.into_iter().map(tame).collect()
}

//! What HTML elements mean in an issue. Whatever has no meaning here leaves its words, or a finding that names them.

use super::figures;
use super::html::{Element, Piece, excerpt};
use super::markdown::{Placed, Reading, within};
use crate::issue::finding::Finding;
use crate::issue::tree::{Align, Block, Figure, Inline, Item, List, Place, Table, plain};

const BLOCKS: [&str; 47] = [
    "address",
    "article",
    "aside",
    "blockquote",
    "body",
    "caption",
    "center",
    "colgroup",
    "dd",
    "details",
    "dialog",
    "dir",
    "div",
    "dl",
    "dt",
    "fieldset",
    "figcaption",
    "figure",
    "footer",
    "form",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "header",
    "hgroup",
    "hr",
    "html",
    "li",
    "main",
    "menu",
    "nav",
    "ol",
    "p",
    "pre",
    "section",
    "summary",
    "table",
    "tbody",
    "td",
    "tfoot",
    "th",
    "thead",
    "tr",
    "ul",
];
const INLINES: [&str; 54] = [
    "a", "abbr", "acronym", "audio", "b", "bdi", "bdo", "big", "br", "button", "cite", "code", "data", "del", "dfn",
    "em", "embed", "font", "i", "iframe", "img", "ins", "kbd", "label", "legend", "mark", "noscript", "object",
    "output", "picture", "q", "ruby", "rb", "rt", "s", "samp", "small", "span", "strike", "strong", "sub", "sup",
    "time", "tt", "u", "var", "video", "wbr", "nobr", "optgroup", "param", "source", "track", "rp",
];
/// Nothing of these can be shown in a mail.
const DROPPED: [&str; 20] = [
    "script", "style", "head", "title", "meta", "link", "base", "svg", "canvas", "template", "input", "select",
    "option", "textarea", "map", "area", "noembed", "noframes", "xmp", "math",
];
/// These have no words and no meaning by themselves.
const SILENT: [&str; 7] = ["wbr", "source", "track", "param", "rp", "colgroup", "col"];
const VOID: [&str; 14] =
    ["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr"];
const EMBEDS: [&str; 5] = ["iframe", "video", "audio", "embed", "object"];

pub(super) fn is_block(name: &str) -> bool {
    BLOCKS.contains(&name)
}

/// Elements whose words can't be shown either.
pub(super) fn is_dropped(name: &str) -> bool {
    DROPPED.contains(&name)
}

pub(super) fn is_void(name: &str) -> bool {
    VOID.contains(&name)
}

/// Names of HTML, and of parts that a known element may have. Others are words in angle brackets.
pub(super) fn is_known(name: &str) -> bool {
    const OF_SVG: [&str; 9] = ["path", "g", "circle", "rect", "line", "polygon", "polyline", "defs", "use"];
    [&BLOCKS[..], &INLINES, &DROPPED, &SILENT, &OF_SVG].iter().any(|names| names.contains(&name))
}

fn holds_blocks(element: &Element) -> bool {
    element.children.iter().any(|piece| match piece {
        Piece::Block(_) => true,
        Piece::Element(inner) => is_block(&inner.name) || holds_blocks(inner),
        Piece::Text(_) | Piece::Inline(_) => false,
    })
}

fn is_hidden(element: &Element) -> bool {
    let style = element.attribute("style").unwrap_or_default().to_ascii_lowercase().replace(' ', "");
    element.attribute("hidden").is_some() || style.contains("display:none")
}

impl Reading<'_> {
    /// Pieces as blocks; inlines between blocks are paragraphs.
    pub(super) fn blocks_of(&mut self, pieces: Vec<Piece>, at: Place) -> Vec<Placed> {
        let mut blocks = Vec::new();
        let (mut run, mut run_at) = (Vec::new(), at);
        for piece in pieces {
            match piece {
                Piece::Block(placed) => {
                    blocks.extend(self.paragraph(std::mem::take(&mut run), run_at));
                    blocks.push(placed);
                }
                Piece::Element(element) if is_block(&element.name) || holds_blocks(&element) => {
                    blocks.extend(self.paragraph(std::mem::take(&mut run), run_at));
                    run_at = element.at;
                    blocks.extend(self.block_element(element));
                }
                Piece::Element(element) => {
                    if run.is_empty() {
                        run_at = element.at;
                    }
                    run.extend(self.inline_element(element));
                }
                Piece::Text(text) => run.extend(self.html_text(&text)),
                Piece::Inline(inline) => run.push(inline),
            }
        }
        blocks.extend(self.paragraph(run, run_at));
        blocks
    }

    /// Pieces as inlines; blocks among them leave their words.
    pub(super) fn inlines_of(&mut self, pieces: Vec<Piece>) -> Vec<Inline> {
        let mut inlines = Vec::new();
        for piece in pieces {
            match piece {
                Piece::Inline(inline) => inlines.push(inline),
                Piece::Text(text) => inlines.extend(self.html_text(&text)),
                Piece::Block(placed) => inlines.extend(words_of(placed.block)),
                Piece::Element(element) if is_block(&element.name) => {
                    let blocks = self.block_element(element);
                    inlines.extend(blocks.into_iter().flat_map(|placed| words_of(placed.block)));
                }
                Piece::Element(element) => inlines.extend(self.inline_element(element)),
            }
        }
        inlines
    }

    fn html_text(&mut self, text: &str) -> Vec<Inline> {
        let is_space = |letter: char| matches!(letter, ' ' | '\t' | '\n' | '\r' | '\u{c}');
        let mut words = String::with_capacity(text.len());
        for letter in text.chars() {
            match is_space(letter) {
                true if words.ends_with(' ') => {}
                true => words.push(' '),
                false => words.push(letter),
            }
        }
        super::fields::inlines(&self.fields, &words, &mut self.findings)
    }

    fn inline_element(&mut self, element: Element) -> Vec<Inline> {
        let at = element.at;
        if is_hidden(&element) || is_dropped(&element.name) {
            self.drop_element(element);
            return Vec::new();
        }
        match element.name.as_str() {
            "b" | "strong" | "mark" => wrap(Inline::Strong, self.inlines_of(element.children)),
            "em" | "i" | "cite" | "dfn" | "var" | "u" | "ins" => {
                wrap(Inline::Emphasis, self.inlines_of(element.children))
            }
            "del" | "s" | "strike" => wrap(Inline::Strike, self.inlines_of(element.children)),
            "sup" => wrap(Inline::Superscript, self.inlines_of(element.children)),
            "sub" => wrap(Inline::Subscript, self.inlines_of(element.children)),
            "code" | "kbd" | "samp" | "tt" => {
                let inner = self.inlines_of(element.children);
                let is_plain = inner.iter().all(|inline| matches!(inline, Inline::Text(_)));
                if is_plain && !inner.is_empty() { vec![Inline::Code(plain(&inner))] } else { inner }
            }
            "q" => self.between(element, "“", "”"),
            "rt" => self.between(element, "(", ")"),
            "br" => vec![Inline::Break],
            // The parentheses around a reading, which `rt` brings itself.
            "rp" => Vec::new(),
            "img" => vec![Inline::Image(self.img(&element))],
            "a" => {
                let url = element.attribute("href").map(str::to_owned);
                let title = element.attribute("title").unwrap_or_default().to_owned();
                let text = self.inlines_of(element.children);
                match url {
                    Some(url) => self.link(&url, &title, text, at),
                    None => text,
                }
            }
            name if EMBEDS.contains(&name) => self.embed(element),
            _ => self.inlines_of(element.children),
        }
    }

    fn between(&mut self, element: Element, open: &str, close: &str) -> Vec<Inline> {
        let mut inlines = vec![Inline::Text(open.to_owned())];
        inlines.extend(self.inlines_of(element.children));
        inlines.push(Inline::Text(close.to_owned()));
        inlines
    }

    fn block_element(&mut self, element: Element) -> Vec<Placed> {
        let at = element.at;
        if is_hidden(&element) || is_dropped(&element.name) {
            self.drop_element(element);
            return Vec::new();
        }
        let block = match element.name.as_str() {
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => {
                let level = element.name.as_bytes()[1] - b'0';
                let text = figures::settle(self.inlines_of(element.children));
                if text.is_empty() {
                    return Vec::new();
                }
                Block::Heading { level, text }
            }
            "ul" | "ol" | "menu" | "dir" => Block::List(self.html_list(element)),
            "blockquote" => Block::Quote(within(self.blocks_of(element.children, at))),
            "hr" => Block::Rule,
            "pre" => self.pre(element),
            "table" => return self.html_table(element),
            "figure" => return self.html_figure(element),
            "summary" | "dt" => {
                let text = figures::settle(self.inlines_of(element.children));
                return wrap(Inline::Strong, text)
                    .into_iter()
                    .flat_map(|text| self.paragraph(vec![text], at))
                    .collect();
            }
            "a" => return self.link_around(element),
            _ => return self.blocks_of(element.children, at),
        };
        vec![Placed { block, at }]
    }

    fn drop_element(&mut self, element: Element) {
        let (name, at) = (element.name.clone(), element.at);
        let is_empty = element.children.is_empty();
        let words = excerpt(&self.fields.restore(&raw_text(&element.children)));
        let with = if words.is_empty() || is_empty { String::new() } else { format!(", with “{words}”") };
        let what = match is_hidden(&element) {
            true => format!("this <{name}> is hidden; it was left out{with}"),
            false => format!("<{name}> can't be shown in a mail; it was left out{with}"),
        };
        self.findings.push(Finding::warns("html-left-out", at, what, "delete it, or say in words what it shows"));
    }

    fn html_list(&mut self, element: Element) -> List {
        let start = (element.name == "ol")
            .then(|| element.attribute("start").and_then(|start| start.trim().parse().ok()).unwrap_or(1));
        let mut items = Vec::new();
        for child in element.children {
            let blocks = match child {
                Piece::Element(item) if item.name == "li" => self.blocks_of(item.children, item.at),
                other => self.blocks_of(vec![other], element.at),
            };
            if !blocks.is_empty() {
                items.push(Item { task: None, blocks: within(blocks) });
            }
        }
        List { start, items }
    }

    fn pre(&mut self, element: Element) -> Block {
        let class = element.children.iter().find_map(|piece| match piece {
            Piece::Element(code) if code.name == "code" => code.attribute("class").map(str::to_owned),
            _ => None,
        });
        let language = class.as_deref().and_then(|class| class.strip_prefix("language-")).unwrap_or_default();
        let text = self.fields.restore(&raw_text(&element.children));
        let text = text.strip_prefix('\n').unwrap_or(&text).trim_end().to_owned();
        Block::Code { language: language.to_owned(), text }
    }

    /// A table of words and figures stays one; a table that only lays things out gives its cells in order.
    fn html_table(&mut self, element: Element) -> Vec<Placed> {
        let at = element.at;
        let mut parts = TableParts::default();
        parts.collect(element.children);
        let mut blocks = self.blocks_of(parts.outside, at);
        let columns = parts.rows.iter().map(Vec::len).max().unwrap_or(0);
        let lays_out = columns < 2 || parts.rows.iter().flatten().any(|cell| holds_blocks(cell) || has_img(cell));
        if lays_out {
            let cells = parts.rows.into_iter().flatten();
            blocks.extend(cells.flat_map(|cell| self.blocks_of(cell.children, cell.at)));
            return blocks;
        }
        let has_head = parts.rows.first().is_some_and(|row| row.iter().all(|cell| cell.name == "th"));
        let align = vec![Align::Start; columns];
        let mut rows: Vec<Vec<Vec<Inline>>> = Vec::new();
        for row in parts.rows {
            let mut cells: Vec<_> =
                row.into_iter().map(|cell| figures::settle(self.inlines_of(cell.children))).collect();
            cells.resize(columns, Vec::new());
            rows.push(cells);
        }
        let head = if has_head { rows.remove(0) } else { Vec::new() };
        blocks.push(Placed { block: Block::Table(Table { align, head, rows }), at });
        blocks
    }

    fn html_figure(&mut self, mut element: Element) -> Vec<Placed> {
        let at = element.at;
        let is_caption = |piece: &Piece| matches!(piece, Piece::Element(inner) if inner.name == "figcaption");
        let captions: Vec<Piece> = element.children.extract_if(.., |piece| is_caption(piece)).collect();
        let caption = captions.into_iter().flat_map(|piece| match piece {
            Piece::Element(caption) => self.inlines_of(caption.children),
            _ => Vec::new(),
        });
        let caption = figures::settle(caption.collect());
        let mut blocks = self.blocks_of(element.children, at);
        if caption.is_empty() {
            return blocks;
        }
        let last = blocks.iter_mut().rev().find_map(|placed| match &mut placed.block {
            Block::Figure(figure) if figure.caption.is_empty() && figure.credit.is_none() => Some(figure),
            _ => None,
        });
        match last {
            Some(figure) => (figure.caption, figure.credit) = figures::caption_and_credit(caption),
            None => blocks.push(Placed { block: Block::Paragraph(caption), at }),
        }
        blocks
    }

    /// A link around blocks: around each of their paragraphs and pictures.
    fn link_around(&mut self, element: Element) -> Vec<Placed> {
        let at = element.at;
        let url = element.attribute("href").unwrap_or_default().to_owned();
        let mut blocks = self.blocks_of(element.children, at);
        for placed in &mut blocks {
            match &mut placed.block {
                Block::Paragraph(text) | Block::Heading { text, .. } if !figures::has_link(text) && !url.is_empty() => {
                    *text = self.link(&url, "", std::mem::take(text), at);
                }
                Block::Figure(figure) if figure.link.is_none() && !url.is_empty() => {
                    let image = vec![Inline::Image(std::mem::take(figure))];
                    match figures::alone(&self.link(&url, "", image.clone(), at)) {
                        Some(linked) => *figure = linked,
                        None => *figure = figures::alone(&image).unwrap_or_default(),
                    }
                }
                _ => {}
            }
        }
        blocks
    }

    fn img(&mut self, element: &Element) -> Figure {
        let source = ["src", "data-src"].into_iter().find_map(|name| element.attribute(name)).unwrap_or_default();
        let (source, title) = (source.to_owned(), element.attribute("title").unwrap_or_default().to_owned());
        let alt = element.attribute("alt").map(|alt| self.fields.restore(alt));
        self.figure(&source, &title, alt, element.at)
    }

    /// What plays elsewhere becomes a link to it.
    fn embed(&mut self, element: Element) -> Vec<Inline> {
        let of_child = element.children.iter().find_map(|piece| match piece {
            Piece::Element(child) if child.name == "source" => child.attribute("src"),
            _ => None,
        });
        let url = element.attribute("src").or(element.attribute("data")).or(of_child).map(watchable);
        let title = element.attribute("title").or(element.attribute("aria-label")).unwrap_or_default();
        let title = self.fields.restore(title.trim());
        let (name, at) = (element.name.clone(), element.at);
        let fallback = if name == "iframe" { Vec::new() } else { self.inlines_of(element.children) };
        let Some(url) = url.filter(|url| !url.trim().is_empty()) else {
            let what = format!("this <{name}> names no address; it was left out");
            self.findings.push(Finding::warns("html-left-out", at, what, "write a link to what it shows"));
            return fallback;
        };
        let what = format!("<{name}> can't be shown in a mail; a link stands in its place");
        self.findings.push(Finding::warns("embed", at, what, "write a picture that links to it, or a sentence"));
        let words = if title.is_empty() { self.fields.restore(&url) } else { title };
        let mut inlines = vec![figures::soft_break()];
        inlines.extend(self.link(&url, "", vec![Inline::Text(words)], at));
        inlines.push(figures::soft_break());
        inlines.extend(fallback);
        inlines
    }
}

fn wrap(kind: fn(Vec<Inline>) -> Inline, inner: Vec<Inline>) -> Vec<Inline> {
    if inner.is_empty() { inner } else { vec![kind(inner)] }
}

/// Players' addresses show a bare player; this is the page that a person would send.
fn watchable(url: &str) -> String {
    let url = url.trim();
    let url = if url.starts_with("//") { format!("https:{url}") } else { url.to_owned() };
    for (player, page) in [
        ("https://www.youtube.com/embed/", "https://www.youtube.com/watch?v="),
        ("https://www.youtube-nocookie.com/embed/", "https://www.youtube.com/watch?v="),
        ("https://player.vimeo.com/video/", "https://vimeo.com/"),
    ] {
        if let Some(id) = url.strip_prefix(player) {
            let id = id.split(['?', '&', '/']).next().unwrap_or_default();
            if !id.is_empty() && id != "videoseries" {
                return format!("{page}{id}");
            }
        }
    }
    url
}

/// The text below these pieces, white space and all.
fn raw_text(pieces: &[Piece]) -> String {
    let text = pieces.iter().map(|piece| match piece {
        Piece::Text(text) => text.clone(),
        Piece::Inline(Inline::Break) => "\n".to_owned(),
        Piece::Inline(inline) => plain(std::slice::from_ref(inline)),
        Piece::Block(placed) => format!("{}\n", plain(&words_of(placed.block.clone()))),
        Piece::Element(element) if element.name == "br" => "\n".to_owned(),
        Piece::Element(element) => raw_text(&element.children),
    });
    text.collect()
}

fn has_img(element: &Element) -> bool {
    element.children.iter().any(|piece| match piece {
        Piece::Element(inner) => inner.name == "img" || has_img(inner),
        Piece::Inline(inline) => figures::has_picture(std::slice::from_ref(inline)),
        Piece::Text(_) | Piece::Block(_) => false,
    })
}

/// A block's inlines, one after the other.
fn words_of(block: Block) -> Vec<Inline> {
    let mut words = match block {
        Block::Paragraph(text) | Block::Heading { text, .. } => text,
        Block::List(list) => list.items.into_iter().flat_map(|item| item.blocks).flat_map(words_of).collect(),
        Block::Quote(blocks) => blocks.into_iter().flat_map(words_of).collect(),
        Block::Code { text, .. } => vec![Inline::Code(text)],
        Block::Table(table) => {
            let cells = std::iter::once(table.head).chain(table.rows).flatten();
            cells.flat_map(|cell| cell.into_iter().chain([figures::soft_break()])).collect()
        }
        Block::Figure(figure) => vec![Inline::Image(figure)],
        Block::Source(source) => [Inline::Text(format!("{} ", source.label))].into_iter().chain(source.text).collect(),
        Block::Rule => Vec::new(),
    };
    words.push(figures::soft_break());
    words
}

#[derive(Default)]
struct TableParts {
    rows: Vec<Vec<Element>>,
    /// Captions, and whatever else stands in a table and not in a cell.
    outside: Vec<Piece>,
}

impl TableParts {
    fn collect(&mut self, pieces: Vec<Piece>) {
        for piece in pieces {
            match piece {
                Piece::Element(part) if matches!(part.name.as_str(), "thead" | "tbody" | "tfoot") => {
                    self.collect(part.children);
                }
                Piece::Element(row) if row.name == "tr" => {
                    let (cells, others): (Vec<_>, Vec<_>) = row.children.into_iter().partition(
                        |piece| matches!(piece, Piece::Element(cell) if cell.name == "td" || cell.name == "th"),
                    );
                    let cells = cells.into_iter().filter_map(|cell| match cell {
                        Piece::Element(cell) => Some(cell),
                        _ => None,
                    });
                    self.rows.push(cells.collect());
                    self.outside.extend(others);
                }
                other => self.outside.push(other),
            }
        }
    }
}

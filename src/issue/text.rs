//! The text twin: a second edition of the issue, written from the tree and not from the HTML.
//!
//! 72 columns counted in cells. Stories are numbered as in the contents; links are numbered through the issue, and
//! their addresses stand at the end of the part that has them, never wrapped. Nothing here depends on the reader but
//! the gaps, which are measured with their default in them.

mod table;
mod wrap;

use jiff::civil::Date;
use unicode_width::UnicodeWidthStr as _;

use self::wrap::{LINE_CELLS, Measure};
use super::newsletter::Masthead;
use super::quote;
use super::rendered::Template;
use super::slots::unprintable;
use super::tree::{Block, Field, Figure, Href, Inline, Issue, Link, List, plain};
use super::words::{self, Words};

/// The issue as plain text. `date` is the day on the folio line.
#[must_use]
pub fn text(issue: &Issue, masthead: &Masthead, date: Date) -> Template {
    let language = issue.language.as_deref().unwrap_or(&masthead.language);
    let mut twin = Twin {
        words: words::words(language),
        measure: Measure::default(),
        out: String::new(),
        links: Vec::new(),
        numbers: 0,
    };
    twin.head(issue, masthead, language, date);
    twin.cover(issue);
    twin.part(&issue.intro);
    twin.contents(issue);
    for (index, story) in issue.stories.iter().enumerate() {
        twin.line("-");
        let emoji = story.emoji.as_ref().map(|emoji| format!("{emoji} ")).unwrap_or_default();
        let headline = twin.inlines(&story.headline).replace('\n', " ");
        let number = if issue.stories.len() > 1 { format!("{}. ", index + 1) } else { String::new() };
        twin.underlined(&format!("{number}{emoji}{headline}"), "-");
        twin.part(&story.blocks);
    }
    if !issue.closing.is_empty() {
        twin.line("-");
        twin.part(&issue.closing);
    }
    twin.footnotes(issue);
    twin.foot(masthead);
    twin.measure.finish(twin.out.trim_end_matches('\n')).closed()
}

impl Template {
    /// With a line feed at the end.
    fn closed(mut self) -> Self {
        self.pieces.push(super::rendered::Piece::Fixed("\n".to_owned()));
        self
    }
}

/// The text as it grows.
struct Twin<'a> {
    words: &'a Words,
    measure: Measure,
    out: String,
    /// Numbers and addresses of the part at hand.
    links: Vec<(usize, String)>,
    /// Links so far.
    numbers: usize,
}

impl Twin<'_> {
    fn head(&mut self, issue: &Issue, masthead: &Masthead, language: &str, date: Date) {
        self.line("=");
        let number = issue.number.map(|number| format!("{} · ", words::number(language, number))).unwrap_or_default();
        let day = words::day(language, date).whole();
        self.wrapped(&masthead.name.to_uppercase());
        self.wrapped(&format!("{number}{day}"));
        self.wrapped(&masthead.tagline);
        self.blank();
        self.line("=");
        let subject = self.inlines(&issue.subject).replace('\n', " ");
        if !subject.trim().is_empty() {
            self.underlined(&subject, "=");
        }
    }

    fn cover(&mut self, issue: &Issue) {
        if let Some(cover) = &issue.cover {
            let cover = self.figure(cover, "");
            self.push(&cover);
            self.blank();
        }
    }

    fn contents(&mut self, issue: &Issue) {
        if issue.stories.len() < 2 {
            return;
        }
        self.underlined(self.words.in_this_issue, "-");
        let width = issue.stories.len().to_string().len();
        for (index, story) in issue.stories.iter().enumerate() {
            let emoji = story.emoji.as_ref().map(|emoji| format!(" {emoji}")).unwrap_or_default();
            let first = format!("  {:>width$}. ", index + 1);
            let rest = " ".repeat(first.len());
            let line = format!("{}{emoji}", clean(&plain(&story.headline)).replace('\n', " "));
            let line = self.measure.wrap(&line, &first, &rest);
            self.push(&line);
        }
        self.blank();
    }

    /// Blocks, and then the addresses of their links.
    fn part(&mut self, blocks: &[Block]) {
        let text = self.blocks(blocks, "", false);
        self.push(&text);
        self.blank();
        self.addresses();
    }

    fn addresses(&mut self) {
        let links = std::mem::take(&mut self.links);
        if !links.is_empty() {
            for (number, address) in &links {
                self.push(&format!("[{number}] {address}\n"));
            }
            self.blank();
        }
    }

    fn footnotes(&mut self, issue: &Issue) {
        if issue.footnotes.is_empty() {
            return;
        }
        self.line("-");
        self.underlined(self.words.footnotes, "-");
        for (index, note) in issue.footnotes.iter().enumerate() {
            let text = self.blocks(note, "", false);
            let text = format!("{} {}", superscript(index + 1), text.trim_start());
            self.push(&text);
            self.blank();
        }
        self.addresses();
    }

    fn foot(&mut self, masthead: &Masthead) {
        self.line("=");
        let why = why(masthead, self.words);
        self.wrapped(&why);
        self.blank();
        for (words, field) in [
            (self.words.leave, Field::Unsubscribe),
            (self.words.pause, Field::Pause),
            (self.words.preferences, Field::Preferences),
            (self.words.read_on_web, Field::WebCopy),
        ] {
            let token = self.measure.token(&field);
            self.push(&format!("{words}\n{token}\n\n"));
        }
        self.wrapped(self.words.no_tracking);
        for line in imprint(masthead) {
            self.wrapped(&line);
        }
    }

    /// Blocks behind an indent, with an empty line between; a list in a list without.
    fn blocks(&mut self, blocks: &[Block], indent: &str, is_item: bool) -> String {
        let mut out = String::new();
        for block in blocks {
            let text = self.block(block, indent);
            if text.is_empty() {
                continue;
            }
            let is_joined = is_item && matches!(block, Block::List(_));
            if !out.is_empty() && !is_joined {
                out.push('\n');
            }
            out.push_str(&text);
        }
        out
    }

    fn block(&mut self, block: &Block, indent: &str) -> String {
        match block {
            Block::Paragraph(text) | Block::Heading { text, .. } => {
                let text = self.inlines(text);
                self.measure.wrap(&text, indent, indent)
            }
            Block::List(list) => self.list(list, indent),
            Block::Quote(inner) => {
                let (said, who) = quote::attributed(inner);
                let indent = format!("{indent}    ");
                let mut text = self.blocks(&said, &indent, false);
                if let Some(who) = who {
                    let who = format!("— {}", self.inlines(&who));
                    text.push_str(&self.measure.wrap(&who, &indent, &format!("{indent}  ")));
                }
                text
            }
            Block::Code { text, .. } => clean(text).lines().map(|line| format!("{indent}    {line}\n")).collect(),
            Block::Table(table) => self.table(table, indent),
            Block::Figure(figure) => self.figure(figure, indent),
            Block::Source(source) => {
                let gap = if source.label.ends_with('：') { "" } else { " " };
                let text = format!("{}{gap}{}", clean(&source.label), self.inlines(&source.text));
                self.measure.wrap(&text, indent, indent)
            }
            Block::Rule => format!("{indent}  * * *\n"),
        }
    }

    fn list(&mut self, list: &List, indent: &str) -> String {
        let last = list.start.map(|start| start.saturating_add(list.items.len().saturating_sub(1)));
        let width = last.map_or(0, |last| last.to_string().len());
        let mut out = String::new();
        for (index, item) in list.items.iter().enumerate() {
            let mark = match (list.start, item.task) {
                (_, Some(true)) => "[x]".to_owned(),
                (_, Some(false)) => "[ ]".to_owned(),
                (Some(start), None) => format!("{:>width$}.", start.saturating_add(index)),
                (None, None) => "*".to_owned(),
            };
            let first = format!("{indent}  {mark} ");
            let rest = " ".repeat(first.len());
            let text = self.blocks(&item.blocks, &rest, true);
            // The mark stands where the first line's indent was.
            out.push_str(&first);
            out.push_str(text.strip_prefix(&rest).unwrap_or(&text));
            if text.is_empty() {
                out.push('\n');
            }
        }
        out
    }

    fn figure(&mut self, figure: &Figure, indent: &str) -> String {
        let mut out = String::new();
        let picture = self.picture(figure);
        if !picture.is_empty() {
            out.push_str(&self.measure.wrap(&picture, indent, indent));
        }
        let caption = self.inlines(&figure.caption);
        let credit = figure.credit.as_deref().map(|credit| super::credit::line(&clean(credit), self.words.credit));
        let said: Vec<String> = [Some(caption), credit].into_iter().flatten().filter(|said| !said.is_empty()).collect();
        if !said.is_empty() {
            out.push_str(&self.measure.wrap(&said.join(" "), indent, indent));
        }
        out
    }

    /// `[Picture: what it shows]`; nothing for decoration.
    fn picture(&mut self, figure: &Figure) -> String {
        let alt = figure.alt.as_deref().map(clean);
        let link = figure.link.as_ref().map(|url| format!(" [{}]", self.number(clean(url)))).unwrap_or_default();
        match alt.as_deref().map(str::trim) {
            Some("") => link.trim_start().to_owned(),
            Some(alt) => format!("[{}: {alt}]{link}", self.words.picture),
            None => format!("[{}]{link}", self.words.picture),
        }
    }

    /// Inlines as a text whose line feeds are hard breaks.
    fn inlines(&mut self, inlines: &[Inline]) -> String {
        let mut out = String::new();
        for inline in inlines {
            match inline {
                Inline::Text(text) => out.push_str(&clean(text).replace('\n', " ")),
                Inline::Field(field) => out.push_str(&self.measure.token(field)),
                Inline::Strong(inner) => self.marked(inner, "*", &mut out),
                Inline::Emphasis(inner) => self.marked(inner, "_", &mut out),
                Inline::Strike(inner) => self.marked(inner, "~", &mut out),
                Inline::Superscript(inner) => out.push_str(&raised(&self.inlines(inner))),
                Inline::Subscript(inner) => out.push_str(&self.inlines(inner)),
                Inline::Code(code) => out.push_str(&format!("`{}`", clean(code).replace('\n', " "))),
                Inline::Link(link) => self.link(link, &mut out),
                Inline::Image(figure) => {
                    let picture = self.picture(figure);
                    out.push_str(&picture);
                    let caption = self.inlines(&figure.caption);
                    let credit = figure.credit.as_deref().map(|c| super::credit::line(&clean(c), self.words.credit));
                    for said in [Some(caption), credit].into_iter().flatten().filter(|said| !said.is_empty()) {
                        out.push_str(&format!(" ({said})"));
                    }
                }
                Inline::Break => out.push('\n'),
                Inline::Footnote(number) => out.push_str(&superscript(*number)),
            }
        }
        out
    }

    fn marked(&mut self, inner: &[Inline], mark: &str, out: &mut String) {
        let text = self.inlines(inner);
        let words = text.trim();
        if words.is_empty() {
            out.push_str(&text);
            return;
        }
        let (before, after) = text.split_once(words).unwrap_or_default();
        out.push_str(&format!("{before}{mark}{words}{mark}{after}"));
    }

    fn link(&mut self, link: &Link, out: &mut String) {
        let words = self.inlines(&link.text);
        let address = match &link.href {
            Href::Url(url) => clean(url),
            Href::Own(field) => self.measure.token(field),
        };
        let bare = address.trim_start_matches("mailto:").trim_start_matches("tel:");
        let bare = bare.trim_start_matches("https://").trim_start_matches("http://").trim_end_matches('/');
        let shown = words.trim_start_matches("https://").trim_start_matches("http://").trim_end_matches('/');
        if address.starts_with('#') || address.is_empty() {
            out.push_str(&words);
        } else if shown == bare {
            let is_web = address.starts_with("http");
            out.push_str(if is_web { &address } else { &words });
        } else {
            let number = self.number(address);
            out.push_str(&format!("{words}\u{a0}[{number}]"));
        }
    }

    /// The number of an address; the same one again within a part has the same number.
    fn number(&mut self, address: String) -> usize {
        if let Some((number, _)) = self.links.iter().find(|(_, known)| *known == address) {
            return *number;
        }
        self.numbers += 1;
        self.links.push((self.numbers, address));
        self.numbers
    }

    fn line(&mut self, of: &str) {
        self.push(&of.repeat(LINE_CELLS));
        self.push("\n\n");
    }

    /// A heading with a line below it as wide as its widest line.
    fn underlined(&mut self, text: &str, with: &str) {
        let text = self.measure.wrap(text, "", "");
        let width = text.lines().map(|line| self.measure.cells(line)).max().unwrap_or(0);
        self.push(&text);
        self.push(&with.repeat(width));
        self.push("\n\n");
    }

    fn wrapped(&mut self, text: &str) {
        let text = clean(text);
        if !text.trim().is_empty() {
            let text = self.measure.wrap(text.trim(), "", "");
            self.push(&text);
        }
    }

    /// One empty line, never two.
    fn blank(&mut self) {
        if !self.out.is_empty() && !self.out.ends_with("\n\n") {
            self.out.push('\n');
        }
    }

    fn push(&mut self, text: &str) {
        self.out.push_str(text);
    }
}

fn why(masthead: &Masthead, words: &Words) -> String {
    let host = masthead.public_url.split_once("://").map_or(masthead.public_url.as_str(), |(_, rest)| rest);
    let host = host.split(['/', ':', '?']).next().unwrap_or(host);
    words.why.replace("{host}", host).replace("{name}", &masthead.name)
}

/// The newsletter's name and its postal address: in one line if the address is one.
fn imprint(masthead: &Masthead) -> Vec<String> {
    let mut lines: Vec<String> = masthead.postal_address.lines().map(|line| line.trim().to_owned()).collect();
    lines.retain(|line| !line.is_empty());
    match lines.as_mut_slice() {
        [first, ..] if first.starts_with(&masthead.name) => {}
        [only] => *only = format!("{}, {only}", masthead.name),
        _ => lines.insert(0, masthead.name.clone()),
    }
    lines
}

/// Without characters that no text may carry.
fn clean(text: &str) -> String {
    text.chars().filter(|letter| !unprintable(*letter)).collect()
}

fn superscript(number: usize) -> String {
    number.to_string().chars().map(|digit| raised_letter(digit).unwrap_or(digit)).collect()
}

/// Raised letters where there are such, else after a caret.
fn raised(text: &str) -> String {
    let raised: Option<String> = text.chars().map(raised_letter).collect();
    raised.unwrap_or_else(|| if text.width() > 1 { format!("^({text})") } else { format!("^{text}") })
}

fn raised_letter(letter: char) -> Option<char> {
    Some(match letter {
        '0' => '⁰',
        '1' => '¹',
        '2' => '²',
        '3' => '³',
        '4' => '⁴',
        '5' => '⁵',
        '6' => '⁶',
        '7' => '⁷',
        '8' => '⁸',
        '9' => '⁹',
        '+' => '⁺',
        '-' | '−' => '⁻',
        'n' => 'ⁿ',
        _ => return None,
    })
}

/// A letter's text, each of its lines wrapped.
pub(super) fn wrapped(text: &str) -> String {
    let lines = wrap::Measure::default().wrap(text.trim_end(), "", "");
    lines.replace("\n\n\n", "\n\n")
}

/// The line above and below a head.
pub(super) fn double_line() -> String {
    "=".repeat(wrap::LINE_CELLS)
}

/// A line beneath `words`, as wide as they are.
pub(super) fn underline(words: &str, sign: char) -> String {
    let cells = wrap::Measure::default().cells(words).clamp(1, wrap::LINE_CELLS);
    sign.to_string().repeat(cells)
}

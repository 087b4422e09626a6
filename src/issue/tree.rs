//! The tree of an issue: what the Markdown means, as stories. Everything after parsing (checks, mail, text twin, web
//! page) is made from this and from nothing else.

use crate::schedule::hours::Wishes;

/// A place in the source: line and column from 1. Columns count characters, not bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct Place {
    pub line: usize,
    pub column: usize,
}

/// One edition.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Issue {
    /// Text with fields: "{{ name }}, look at this".
    pub subject: Vec<Inline>,
    pub preheader: Vec<Inline>,
    pub number: Option<i64>,
    /// BCP 47, "en", "ar", "zh-Hant". `None`: the newsletter's.
    pub language: Option<String>,
    pub slug: Option<String>,
    /// When it leaves, as far as the file says so.
    pub hours: Wishes,
    pub cover: Option<Figure>,
    pub intro: Vec<Block>,
    pub stories: Vec<Story>,
    pub closing: Vec<Block>,
    /// Footnotes in the order of their first mention; [`Inline::Footnote`] counts from 1.
    pub footnotes: Vec<Vec<Block>>,
    pub subject_at: Place,
}

/// A headline and what stands below it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Story {
    /// Letters, digits and hyphens, unique within the issue: the anchor in mail and web page.
    pub anchor: String,
    /// The emoji or flag that the headline begins with, whole grapheme cluster(s), without the space after it.
    pub emoji: Option<String>,
    /// The headline without that emoji.
    pub headline: Vec<Inline>,
    /// Figures, text and sources, in the order written.
    pub blocks: Vec<Block>,
    pub at: Place,
}

/// A picture with what is said about it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Figure {
    /// As written: a file beside the issue, or an https address.
    pub image: String,
    /// `Some("")` is decoration on purpose; `None` was left out and blocks sending.
    pub alt: Option<String>,
    /// Without the credit.
    pub caption: Vec<Inline>,
    pub credit: Option<String>,
    /// Where a click on it leads, for a picture written inside a link.
    pub link: Option<String>,
    pub at: Place,
}

/// A source line: "Source: [ABC News](https://…) (in Chinese)".
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Source {
    /// The word as it will be shown, with its colon: "Source:", "Sources:", "Via:".
    pub label: String,
    /// Everything after the label.
    pub text: Vec<Inline>,
    pub at: Place,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Block {
    Paragraph(Vec<Inline>),
    /// A heading below a story's; `level` 3 to 6.
    Heading {
        level: u8,
        text: Vec<Inline>,
    },
    List(List),
    Quote(Vec<Block>),
    Code {
        language: String,
        text: String,
    },
    Table(Table),
    Figure(Figure),
    Source(Source),
    Rule,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct List {
    /// First number of an ordered list; `None` is a bulleted one.
    pub start: Option<usize>,
    pub items: Vec<Item>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Item {
    /// Of a task list: done or not.
    pub task: Option<bool>,
    pub blocks: Vec<Block>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Align {
    #[default]
    Start,
    Center,
    End,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    pub align: Vec<Align>,
    pub head: Vec<Vec<Inline>>,
    pub rows: Vec<Vec<Vec<Inline>>>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Inline {
    Text(String),
    Field(Field),
    Strong(Vec<Inline>),
    Emphasis(Vec<Inline>),
    Strike(Vec<Inline>),
    Superscript(Vec<Inline>),
    Subscript(Vec<Inline>),
    Code(String),
    Link(Link),
    /// A picture in the middle of a sentence.
    Image(Figure),
    /// A hard line break.
    Break,
    /// Number of a footnote, from 1.
    Footnote(usize),
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Link {
    pub href: Href,
    pub title: String,
    pub text: Vec<Inline>,
    pub at: Place,
}

/// Where a link leads.
#[derive(Clone, Debug, PartialEq)]
pub enum Href {
    /// http, https, mailto, tel, or `#anchor` within the issue.
    Url(String),
    /// One of the reader's own pages: `[leave]({{ unsubscribe }})`.
    Own(Field),
}

impl Default for Href {
    fn default() -> Self {
        Self::Url(String::new())
    }
}

/// What differs from reader to reader. Few and safe; nothing else of a template language is understood.
#[derive(Clone, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum Field {
    /// The reader's name, or these words where none is known.
    Name {
        default: String,
    },
    Email,
    WebCopy,
    Unsubscribe,
    Preferences,
    /// Pausing for a month.
    Pause,
}

/// The words of these inlines, nothing else: for titles, snippets and measuring. Fields give their default.
#[must_use]
pub fn plain(inlines: &[Inline]) -> String {
    let mut words = String::new();
    for inline in inlines {
        match inline {
            Inline::Text(text) | Inline::Code(text) => words.push_str(text),
            Inline::Field(Field::Name { default }) => words.push_str(default),
            Inline::Field(_) | Inline::Footnote(_) => {}
            Inline::Strong(inner)
            | Inline::Emphasis(inner)
            | Inline::Strike(inner)
            | Inline::Superscript(inner)
            | Inline::Subscript(inner) => words.push_str(&plain(inner)),
            Inline::Link(link) => words.push_str(&plain(&link.text)),
            Inline::Image(figure) => words.push_str(figure.alt.as_deref().unwrap_or_default()),
            Inline::Break => words.push(' '),
        }
    }
    words
}

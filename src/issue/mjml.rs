//! From the tree to the mail's HTML: the parts of an issue fill `templates/email/issue.mjml`, mrml turns that into
//! HTML, and four passes over the text finish it.

use askama::Template as _;
use jiff::civil::Date;

use super::html::{Medium, Writer};
use super::newsletter::Masthead;
use super::pictures::Pictures;
use super::rendered::Template;
use super::slots::{Slots, is_mark, unprintable};
use super::theme::Theme;
use super::tree::{Block, Field, Figure, Inline, Issue, Link, Story, plain};
use super::words::{self, Day};

/// The width of the mail's column, in CSS pixels.
const COLUMN_PX: u32 = 600;
/// Tallest logo, in CSS pixels.
const LOGO_HEIGHT_PX: u32 = 56;
/// Headlines longer than this, in columns of a monospaced line, are set smaller, and smaller again.
const LONG_HEADLINE: usize = 52;
const VERY_LONG_HEADLINE: usize = 110;

/// Why an issue or a letter could not be made into HTML: a fault of a template, never of the text.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    #[error("the mail's template could not be filled: {0}")]
    Template(#[from] askama::Error),
    #[error("the mail's MJML is not well formed: {0}")]
    Parse(String),
    #[error("the mail's MJML could not be made into HTML: {0}")]
    Render(String),
}

#[derive(askama::Template)]
#[template(path = "email/issue.mjml", escape = "html")]
struct IssueMail<'a> {
    theme: &'a Theme,
    title: String,
    preview: String,
    plate: Plate,
    number: Option<String>,
    day: Day,
    headline: Headline,
    cover: Vec<Part>,
    intro: Vec<Part>,
    contents: Vec<Line>,
    stories: Vec<StoryPart>,
    closing: Vec<Part>,
    footnotes: Vec<String>,
    doors: Doors,
    why: String,
    imprint: Vec<String>,
}

/// Name, tagline and where they lead.
pub(super) struct Plate {
    pub(super) name: String,
    pub(super) tagline: String,
    pub(super) home: String,
    /// The logo as HTML.
    pub(super) logo: Option<String>,
}

struct Headline {
    html: String,
    class: &'static str,
    size: &'static str,
}

/// One `mj-text`.
#[derive(Default)]
struct Part {
    html: String,
    padding: &'static str,
    small: bool,
    large: bool,
}

/// A line of the contents.
struct Line {
    anchor: String,
    title: String,
    emoji: Option<String>,
}

struct StoryPart {
    anchor: String,
    emoji: Option<String>,
    headline: String,
    parts: Vec<Part>,
}

/// The reader's own pages, as tokens.
struct Doors {
    web_copy: String,
    preferences: String,
    pause: String,
    unsubscribe: String,
}

/// The mail's HTML, with gaps for what differs from reader to reader.
///
/// # Errors
/// [`RenderError`], for faults of ours in the templates.
pub fn html(issue: &Issue, masthead: &Masthead, date: Date, pictures: &Pictures) -> Result<Template, RenderError> {
    let theme = Theme::new(masthead, issue.language.as_deref().unwrap_or(&masthead.language));
    let mut slots = Slots::default();
    let mjml = view(issue, masthead, date, pictures, &theme, &mut slots).render()?;
    Ok(slots.cut(&to_html(&mjml)?))
}

fn view<'a>(
    issue: &Issue,
    masthead: &Masthead,
    date: Date,
    pictures: &Pictures,
    theme: &'a Theme,
    slots: &mut Slots,
) -> IssueMail<'a> {
    let doors = Doors {
        web_copy: slots.token(&Field::WebCopy),
        preferences: slots.token(&Field::Preferences),
        pause: slots.token(&Field::Pause),
        unsubscribe: slots.token(&Field::Unsubscribe),
    };
    let preview = with_tokens(&issue.preheader, slots);
    let mut mentioned = Vec::new();
    let mut writer = Writer {
        out: String::new(),
        slots,
        theme,
        pictures,
        medium: Medium::Mail,
        heading: 1,
        mentioned: &mut mentioned,
    };
    let number = issue.number.map(|number| words::number(&theme.language, number));
    IssueMail {
        title: title(issue, masthead, number.as_deref()),
        preview,
        plate: plate(masthead, pictures),
        number,
        day: words::day(&theme.language, date),
        headline: headline(&mut writer, issue),
        cover: issue.cover.iter().flat_map(|figure| writer.figure_parts(figure, "0")).collect(),
        intro: writer.intro(&issue.intro),
        contents: contents(issue),
        stories: issue.stories.iter().map(|story| writer.story(story)).collect(),
        closing: writer.closing(&issue.closing),
        footnotes: issue.footnotes.iter().map(|note| writer.note(note)).collect(),
        doors,
        why: why(masthead, theme),
        imprint: imprint(masthead),
        theme,
    }
}

/// "The harbour that learned to wait · The Tidewater Brief, No. 31".
fn title(issue: &Issue, masthead: &Masthead, number: Option<&str>) -> String {
    let number = number.map(|number| format!(", {number}")).unwrap_or_default();
    format!("{} · {}{number}", plain(&issue.subject).trim(), masthead.name)
}

/// Inlines as text in which fields are tokens: for places where no markup can be.
pub(super) fn with_tokens(inlines: &[Inline], slots: &mut Slots) -> String {
    let mut out = String::new();
    for inline in inlines {
        match inline {
            Inline::Field(field) => out.push_str(&slots.token(field)),
            Inline::Strong(inner)
            | Inline::Emphasis(inner)
            | Inline::Strike(inner)
            | Inline::Superscript(inner)
            | Inline::Subscript(inner) => out.push_str(&with_tokens(inner, slots)),
            Inline::Link(Link { text, .. }) => out.push_str(&with_tokens(text, slots)),
            other => out.push_str(&plain(std::slice::from_ref(other))),
        }
    }
    out.retain(|letter| !unprintable(letter) || is_mark(letter));
    out
}

/// What stands at the head of every mail of this newsletter.
pub(super) fn plate(masthead: &Masthead, pictures: &Pictures) -> Plate {
    let logo = masthead.logo.as_ref().filter(|logo| !logo.is_empty()).map(|logo| {
        let url = format!("{}/m/{logo}", masthead.public_url);
        let size = match pictures.get(logo) {
            Some(picture) if picture.width > 0 && picture.height > 0 => {
                let high = picture.height.min(LOGO_HEIGHT_PX);
                let wide = u64::from(picture.width) * u64::from(high) / u64::from(picture.height);
                format!(" width=\"{wide}\" height=\"{high}\"")
            }
            _ => format!(" height=\"{LOGO_HEIGHT_PX}\""),
        };
        let (url, name) = (super::html::escape(&url), super::html::escape(&masthead.name));
        format!("<img src=\"{url}\"{size} alt=\"{name}\" style=\"display:inline-block;max-width:100%;vertical-align:middle\">")
    });
    let (name, tagline) = (masthead.name.clone(), masthead.tagline.clone());
    Plate { name, tagline, home: masthead.home(), logo }
}

fn headline(writer: &mut Writer<'_>, issue: &Issue) -> Headline {
    writer.inlines(&issue.subject);
    let columns = unicode_width::UnicodeWidthStr::width(plain(&issue.subject).as_str());
    let (class, size) = if columns <= LONG_HEADLINE {
        ("h1", "47px;line-height:50px")
    } else if columns <= VERY_LONG_HEADLINE {
        ("h1 h1l", "38px;line-height:43px")
    } else {
        ("h1 h1l", "30px;line-height:36px")
    };
    Headline { html: writer.take(), class, size }
}

/// The contents; an issue of one story needs none.
fn contents(issue: &Issue) -> Vec<Line> {
    let line = |story: &Story| Line {
        anchor: story.anchor.clone(),
        title: plain(&story.headline),
        emoji: story.emoji.clone(),
    };
    if issue.stories.len() < 2 { Vec::new() } else { issue.stories.iter().map(line).collect() }
}

pub(super) fn why(masthead: &Masthead, theme: &Theme) -> String {
    theme.words.why.replace("{host}", host(&masthead.public_url)).replace("{name}", &masthead.name)
}

/// The host of an address, without scheme, port and path.
pub(super) fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split(['/', ':', '?']).next().unwrap_or(rest)
}

/// The postal address, line by line; the newsletter's name comes first where the address does not say it.
pub(super) fn imprint(masthead: &Masthead) -> Vec<String> {
    let mut lines: Vec<String> =
        masthead.postal_address.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect();
    if !lines.first().is_some_and(|first| first.starts_with(&masthead.name)) {
        match lines.first_mut() {
            Some(first) if lines_are_one(&masthead.postal_address) => *first = format!("{}, {first}", masthead.name),
            _ => lines.insert(0, masthead.name.clone()),
        }
    }
    lines
}

fn lines_are_one(address: &str) -> bool {
    address.lines().filter(|line| !line.trim().is_empty()).count() == 1
}

impl Writer<'_> {
    /// A figure as wide as the column, and its caption.
    fn figure_parts(&mut self, figure: &Figure, padding: &'static str) -> Vec<Part> {
        self.image(figure, COLUMN_PX, "display:block;width:100%;height:auto;margin:0 auto");
        let mut parts = vec![Part { html: self.take(), padding, ..Part::default() }];
        if let Some(caption) = self.caption(figure) {
            let html = format!("<p class=\"m\" style=\"margin:0;color:{}\">{caption}</p>", super::theme::SOFT);
            parts.push(Part { html, padding: "10px 24px 0", small: true, ..Part::default() });
        }
        parts
    }

    /// Blocks as parts: each figure by itself, the text between them together. `first` is the padding of a text that
    /// comes first.
    fn parts(&mut self, blocks: &[Block], first: &'static str, large: bool) -> Vec<Part> {
        let mut parts = Vec::new();
        for run in blocks.chunk_by(|one, two| is_figure(one) == is_figure(two)) {
            if let [Block::Figure(_), ..] = run {
                for block in run {
                    let padding = if parts.is_empty() { "0" } else { "22px 0 0" };
                    if let Block::Figure(figure) = block {
                        parts.extend(self.figure_parts(figure, padding));
                    }
                }
            } else {
                let padding = if parts.is_empty() { first } else { "20px 24px 0" };
                self.blocks(run);
                parts.push(Part { html: self.take(), padding, large, ..Part::default() });
            }
        }
        parts
    }

    fn intro(&mut self, blocks: &[Block]) -> Vec<Part> {
        self.heading = 1;
        self.parts(blocks, "28px 24px 0", true)
    }

    fn closing(&mut self, blocks: &[Block]) -> Vec<Part> {
        self.heading = 1;
        self.parts(blocks, "0 24px", false)
    }

    fn story(&mut self, story: &Story) -> StoryPart {
        self.heading = 2;
        self.inlines(&story.headline);
        let headline = self.take();
        let parts = self.parts(&story.blocks, "0 24px", false);
        StoryPart { anchor: story.anchor.clone(), emoji: story.emoji.clone(), headline, parts }
    }

    /// A footnote's text; the way back is written behind it.
    fn note(&mut self, note: &[Block]) -> String {
        self.heading = 2;
        match note {
            [Block::Paragraph(text)] => self.inlines(text),
            blocks => self.blocks(blocks),
        }
        self.take()
    }
}

fn is_figure(block: &Block) -> bool {
    matches!(block, Block::Figure(_))
}

/// MJML to finished HTML.
pub(super) fn to_html(mjml: &str) -> Result<String, RenderError> {
    let parsed = mrml::parse(shielded(mjml)).map_err(|error| RenderError::Parse(error.to_string()))?;
    let options = mrml::prelude::render::RenderOptions::default();
    let html = parsed.element.render(&options).map_err(|error| RenderError::Render(error.to_string()))?;
    Ok(broken_into_lines(&with_main(&without_remarks(&unshielded(&html)))))
}

/// The sign around a letter that mrml is not to see.
const SHIELD: char = '~';

/// mrml writes attributes in Rust's debug form, in which joiners, marks and backslashes become escapes ("\u{200d}"):
/// every letter beyond ASCII goes through it as a number.
fn shielded(mjml: &str) -> String {
    let mut out = String::with_capacity(mjml.len() + mjml.len() / 2);
    for letter in mjml.chars() {
        if letter == '\n' || (matches!(letter, ' '..='}') && letter != '\\') {
            out.push(letter);
        } else if !unprintable(letter) || is_mark(letter) {
            out.push(SHIELD);
            out.push_str(&u32::from(letter).to_string());
            out.push(SHIELD);
        }
    }
    out
}

fn unshielded(html: &str) -> String {
    let mut out = String::with_capacity(html.len());
    for (at, part) in html.split(SHIELD).enumerate() {
        let letter = if at % 2 == 1 { part.parse().ok().and_then(char::from_u32) } else { None };
        match letter {
            Some(letter) => out.push(letter),
            None => out.push_str(part),
        }
    }
    out
}

/// Without HTML comments; conditional ones, which begin with a bracket, stay.
fn without_remarks(html: &str) -> String {
    let mut out = String::with_capacity(html.len());
    let mut rest = html;
    while let Some(at) = rest.find("<!-- ") {
        let Some(end) = rest[at..].find("-->") else { break };
        out.push_str(&rest[..at]);
        rest = &rest[at + end + 3..];
    }
    out.push_str(rest);
    out
}

/// The wrapper that mrml calls an article, within a `<main>`: screen readers can go there.
fn with_main(html: &str) -> String {
    let Some(article) = html.find("role=\"article\"") else { return html.to_owned() };
    let Some(start) = html[..article].rfind("<div") else { return html.to_owned() };
    let Some(end) = html.rfind("</body>") else { return html.to_owned() };
    format!("{}<main>{}</main>{}", &html[..start], &html[start..end], &html[end..])
}

/// A line break after the ends of elements, where white space cannot be seen: mrml writes one long line.
fn broken_into_lines(html: &str) -> String {
    const ENDS: [&str; 15] = [
        "</td>",
        "</tr>",
        "</tbody>",
        "</table>",
        "</p>",
        "</h1>",
        "</h2>",
        "</h3>",
        "</li>",
        "</ul>",
        "</ol>",
        "<tbody>",
        "</style>",
        "<![endif]-->",
        "</blockquote>",
    ];
    let mut out = String::with_capacity(html.len() + html.len() / 64);
    for (at, part) in html.split_inclusive('>').enumerate() {
        let previous_ended = at > 0 && ENDS.iter().any(|end| out.ends_with(end));
        if previous_ended && part.starts_with('<') {
            out.push('\n');
        }
        out.push_str(part);
    }
    out
}

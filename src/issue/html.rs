//! Writing HTML: escaping, and the inlines that mail and web page share.

use super::pictures::Pictures;
use super::rendered::{Piece, Reader, Template};
use super::slots::{Slots, unprintable};
use super::theme::Theme;
use super::tree::{Field, Figure, Href, Inline, Link};

/// Where the HTML will be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Medium {
    /// Styles inline, gaps for what differs from reader to reader.
    Mail,
    /// The archive's page: classes of its style sheet, no reader.
    Web,
}

/// Widest picture within a text, in CSS pixels: the column of 600 less its margins.
pub(super) const TEXT_WIDTH_PX: u32 = 552;

/// Text as HTML. Letters that may not stand in HTML at all are left out.
#[must_use]
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 16);
    escape_into(text, &mut out);
    out
}

pub(super) fn escape_into(text: &str, out: &mut String) {
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            letter if unprintable(letter) => {}
            letter => out.push(letter),
        }
    }
}

/// The mail's HTML for one reader, as the preview and the web copy show it.
#[must_use]
pub fn fill(template: &Template, reader: &Reader) -> String {
    let mut out = String::new();
    for piece in &template.pieces {
        match piece {
            Piece::Fixed(text) => out.push_str(text),
            Piece::Slot(field) => escape_into(&one_line(reader.value(field)), &mut out),
        }
    }
    out
}

/// A reader's word as it may stand in a line of text: what breaks lines is a space.
pub(super) fn one_line(value: &str) -> std::borrow::Cow<'_, str> {
    let breaks = |letter: char| letter.is_control() || unprintable(letter) || matches!(letter, '\u{2028}' | '\u{2029}');
    if value.chars().any(breaks) {
        value.chars().map(|letter| if breaks(letter) { ' ' } else { letter }).collect::<String>().into()
    } else {
        value.into()
    }
}

/// Writes one piece of HTML.
pub(super) struct Writer<'a> {
    pub(super) out: String,
    pub(super) slots: &'a mut Slots,
    pub(super) theme: &'a Theme,
    pub(super) pictures: &'a Pictures,
    pub(super) medium: Medium,
    /// Level of the last heading written, so that none is skipped.
    pub(super) heading: u8,
    /// Footnotes whose first mention has been written: only that one is the anchor which the note leads back to.
    pub(super) mentioned: &'a mut Vec<usize>,
}

impl Writer<'_> {
    pub(super) fn push(&mut self, html: &str) {
        self.out.push_str(html);
    }

    pub(super) fn text(&mut self, text: &str) {
        escape_into(text, &mut self.out);
    }

    pub(super) fn mail(&self) -> bool {
        self.medium == Medium::Mail
    }

    /// What has been written since the last call.
    pub(super) fn take(&mut self) -> String {
        std::mem::take(&mut self.out)
    }

    pub(super) fn inlines(&mut self, inlines: &[Inline]) {
        for inline in inlines {
            self.inline(inline);
        }
    }

    fn inline(&mut self, inline: &Inline) {
        match inline {
            Inline::Text(text) => self.text(text),
            Inline::Field(field) => self.field(field),
            Inline::Strong(inner) => self.wrapped("<strong>", inner, "</strong>"),
            Inline::Emphasis(inner) if self.mail() && self.theme.upright => {
                self.wrapped("<em style=\"font-style:normal;font-weight:bold\">", inner, "</em>");
            }
            Inline::Emphasis(inner) => self.wrapped("<em>", inner, "</em>"),
            Inline::Strike(inner) => self.wrapped("<s>", inner, "</s>"),
            Inline::Superscript(inner) => self.wrapped("<sup>", inner, "</sup>"),
            Inline::Subscript(inner) => self.wrapped("<sub>", inner, "</sub>"),
            Inline::Code(text) => self.code(text),
            Inline::Link(link) => self.link(link),
            Inline::Image(figure) => self.inline_image(figure),
            Inline::Break => self.push("<br>"),
            Inline::Footnote(number) => self.footnote(*number),
        }
    }

    fn wrapped(&mut self, open: &str, inner: &[Inline], close: &str) {
        self.push(open);
        self.inlines(inner);
        self.push(close);
    }

    fn code(&mut self, text: &str) {
        let style = " style=\"font-family:Menlo,Consolas,monospace;font-size:85%\"";
        self.push(if self.mail() { "<code" } else { "<code>" });
        if self.mail() {
            self.push(style);
            self.push(">");
        }
        self.text(text);
        self.push("</code>");
    }

    /// A reader's field: a gap in the mail; on the web page, where there is no reader, its default.
    pub(super) fn field(&mut self, field: &Field) {
        match (self.medium, field) {
            (Medium::Mail, field) => {
                let token = self.slots.token(field);
                self.push(&token);
            }
            (Medium::Web, Field::Name { default }) => self.text(default),
            (Medium::Web, _) => self.push("…"),
        }
    }

    pub(super) fn link(&mut self, link: &Link) {
        // A reader's own pages are nobody's on the web page: the words stand without the link.
        if let (Medium::Web, Href::Own(_)) = (self.medium, &link.href) {
            return self.inlines(&link.text);
        }
        self.push("<a href=\"");
        match &link.href {
            Href::Url(url) => self.text(url),
            Href::Own(field) => self.field(field),
        }
        self.push("\"");
        if !link.title.is_empty() {
            self.attribute("title", &link.title);
        }
        self.link_colour();
        self.push(">");
        self.inlines(&link.text);
        self.push("</a>");
    }

    pub(super) fn link_colour(&mut self) {
        if self.mail() {
            let colour = format!(" style=\"color:{}\"", self.theme.accent);
            self.push(&colour);
        }
    }

    /// The raised number in the text. Anchors have an underscore, which no story's anchor has.
    fn footnote(&mut self, number: usize) {
        self.push("<sup>");
        let anchor = if self.mentioned.contains(&number) {
            String::new()
        } else {
            self.mentioned.push(number);
            format!(" id=\"ref_{number}\"")
        };
        let open = format!("<a href=\"#note_{number}\"{anchor}");
        self.push(&open);
        self.link_colour();
        let rest = format!(">{number}</a></sup>");
        self.push(&rest);
    }

    fn inline_image(&mut self, figure: &Figure) {
        let style = if self.mail() { "display:inline;max-width:100%;height:auto;vertical-align:middle" } else { "" };
        self.image(figure, TEXT_WIDTH_PX, style);
    }

    /// A picture, within its link if it has one, no wider than `width` in a mail. A picture that is not there shows
    /// its alt text.
    pub(super) fn image(&mut self, figure: &Figure, width: u32, style: &str) {
        if let Some(link) = &figure.link {
            self.push("<a href=\"");
            self.text(link);
            self.push("\"");
            self.link_colour();
            self.push(">");
        }
        self.bare_image(figure, width, style);
        if figure.link.is_some() {
            self.push("</a>");
        }
    }

    fn bare_image(&mut self, figure: &Figure, width: u32, style: &str) {
        let alt = figure.alt.as_deref().unwrap_or_default();
        let (url, size) = match self.pictures.get(&figure.image) {
            Some(picture) if self.mail() => (picture.url.as_str(), fitted(picture.width, picture.height, width)),
            Some(picture) => (picture.url.as_str(), fitted(picture.width, picture.height, picture.width)),
            None if figure.image.starts_with("https://") => (figure.image.as_str(), None),
            None => ("", None),
        };
        self.push("<img");
        if self.mail() {
            self.push(" class=\"pic\"");
        }
        if !url.is_empty() {
            self.attribute("src", url);
        }
        match size {
            Some((wide, high)) => {
                self.attribute("width", &wide.to_string());
                self.attribute("height", &high.to_string());
            }
            None if self.mail() => self.attribute("width", &width.to_string()),
            None => {}
        }
        self.attribute("alt", alt);
        if self.mail() {
            let narrow = size.filter(|(wide, _)| *wide < width).map(|(wide, _)| format!("max-width:{wide}px;"));
            let style = format!(" style=\"{style};{}{}\"", narrow.unwrap_or_default(), self.theme.alt_style());
            self.push(&style);
        } else {
            self.push(" loading=\"lazy\"");
        }
        self.push(">");
    }

    pub(super) fn attribute(&mut self, name: &str, value: &str) {
        self.push(" ");
        self.push(name);
        self.push("=\"");
        self.text(&one_line(value));
        self.push("\"");
    }
}

/// A picture's size when it is shown at most `width` wide.
fn fitted(wide: u32, high: u32, width: u32) -> Option<(u32, u32)> {
    if wide == 0 || high == 0 {
        return None;
    }
    let shown = wide.min(width);
    let high = (u64::from(high) * u64::from(shown) + u64::from(wide) / 2) / u64::from(wide);
    Some((shown, u32::try_from(high).unwrap_or(u32::MAX).max(1)))
}

//! The archive page's article, from the same tree as the mail: semantic HTML for `public.css`, no tables for layout,
//! no reader. The page around it belongs to `templates/public`.

use jiff::civil::Date;

use super::columns::{self, Side};
use super::credit;
use super::html::{Medium, TEXT_WIDTH_PX, Writer, escape};
use super::newsletter::Masthead;
use super::pictures::Pictures;
use super::quote::{attributed, is_short};
use super::slots::Slots;
use super::theme::Theme;
use super::tree::{Block, Figure, Inline, Issue, Item, List, Source, Story, Table, plain};
use super::words;

/// What stands between `<article class="issue">` and its end.
#[must_use]
pub fn article(issue: &Issue, masthead: &Masthead, date: Date, pictures: &Pictures) -> String {
    let theme = Theme::new(masthead, issue.language.as_deref().unwrap_or(&masthead.language));
    let (mut slots, mut mentioned) = (Slots::default(), Vec::new());
    let mut writer = Writer {
        out: String::new(),
        slots: &mut slots,
        theme: &theme,
        pictures,
        medium: Medium::Web,
        heading: 1,
        mentioned: &mut mentioned,
    };
    writer.web_header(issue, date);
    if let Some(cover) = &issue.cover {
        writer.web_figure(cover, " class=\"cover\"");
    }
    writer.web_intro(&issue.intro);
    writer.web_contents(&issue.stories);
    for story in &issue.stories {
        writer.web_story(story);
    }
    writer.web_closing(&issue.closing);
    writer.web_footnotes(&issue.footnotes);
    writer.take()
}

impl Writer<'_> {
    fn web_header(&mut self, issue: &Issue, date: Date) {
        self.push("<header>\n<h1>");
        self.inlines(&issue.subject);
        self.push("</h1>\n<p>");
        if let Some(number) = issue.number {
            self.text(&words::number(&self.theme.language, number));
            self.push(", ");
        }
        let day = escape(&words::day(&self.theme.language, date).whole());
        let time = format!("<time datetime=\"{date}\">{day}</time></p>\n</header>\n");
        self.push(&time);
    }

    fn web_figure(&mut self, figure: &Figure, class: &str) {
        self.push("<figure");
        self.push(class);
        self.push(">");
        self.image(figure, TEXT_WIDTH_PX, "");
        if !figure.caption.is_empty() || figure.credit.is_some() {
            self.push("<figcaption>");
            self.inlines(&figure.caption);
            if let Some(credit) = &figure.credit {
                self.push(" <span>");
                self.text(&credit::line(credit, self.theme.words.credit));
                self.push("</span>");
            }
            self.push("</figcaption>");
        }
        self.push("</figure>\n");
    }

    fn web_intro(&mut self, blocks: &[Block]) {
        self.heading = 1;
        self.web_measures(blocks, "measure intro", true);
    }

    fn web_contents(&mut self, stories: &[Story]) {
        if stories.len() < 2 {
            return;
        }
        let title = self.theme.words.in_this_issue;
        let open = format!(
            "<nav class=\"measure toc\" aria-labelledby=\"toc_\"><h2 id=\"toc_\">{title}</h2>\n<ol class=\"plain\">"
        );
        self.push(&open);
        for (at, story) in stories.iter().enumerate() {
            let number = format!("<li><span aria-hidden=\"true\">{}</span><a", at + 1);
            self.push(&number);
            self.attribute("href", &format!("#{}", story.anchor));
            self.push(">");
            self.text(&plain(&story.headline));
            self.push("</a></li>\n");
        }
        self.push("</ol></nav>\n");
    }

    fn web_story(&mut self, story: &Story) {
        self.heading = 2;
        let title = format!("{}_h", story.anchor);
        self.push("<section class=\"story\"");
        self.attribute("id", &story.anchor);
        self.attribute("aria-labelledby", &title);
        self.push(">\n<div class=\"measure\"><h2");
        self.attribute("id", &title);
        self.push(">");
        if let Some(emoji) = &story.emoji {
            self.push("<span class=\"mark\">");
            self.text(emoji);
            self.push("</span>");
        }
        self.inlines(&story.headline);
        self.push(" <a class=\"at\"");
        self.attribute("href", &format!("#{}", story.anchor));
        let words = format!(
            "><span aria-hidden=\"true\">#</span><span class=\"hush\">{}</span></a></h2></div>\n",
            escape(self.theme.words.link_to_story)
        );
        self.push(&words);
        self.web_measures(&story.blocks, "measure", false);
        self.push("</section>\n");
    }

    fn web_closing(&mut self, blocks: &[Block]) {
        if blocks.is_empty() {
            return;
        }
        self.heading = 1;
        self.push("<section class=\"story\" id=\"closing_\">\n");
        self.web_measures(blocks, "measure", false);
        self.push("</section>\n");
    }

    /// Blocks in the page's measure; figures are wider than it and stand between.
    fn web_measures(&mut self, blocks: &[Block], class: &str, intro: bool) {
        let figure = |block: &Block| matches!(block, Block::Figure(_));
        for (at, run) in blocks.chunk_by(|one, two| figure(one) == figure(two)).enumerate() {
            if run.iter().all(figure) {
                for block in run {
                    if let Block::Figure(figure) = block {
                        self.web_figure(figure, "");
                    }
                }
                continue;
            }
            let open = format!("<div class=\"{class}\">\n");
            self.push(&open);
            self.web_blocks(run, intro && at == 0);
            self.push("</div>\n");
        }
    }

    fn web_blocks(&mut self, blocks: &[Block], mut initial: bool) {
        for (at, block) in blocks.iter().enumerate() {
            let caption = match (block, blocks.get(at + 1)) {
                (Block::Paragraph(text), Some(Block::Table(_))) => columns::caption(text),
                _ => None,
            };
            if caption.is_some() {
                continue;
            }
            match block {
                Block::Paragraph(text) => {
                    let first = initial && takes_an_initial(text);
                    self.push(if first { "<p class=\"first\">" } else { "<p>" });
                    self.inlines(text);
                    self.push("</p>\n");
                    initial &= !first;
                }
                Block::Table(table) => {
                    let above = at.checked_sub(1).and_then(|above| blocks.get(above));
                    let caption = match above {
                        Some(Block::Paragraph(text)) => columns::caption(text),
                        _ => None,
                    };
                    self.web_table(table, caption);
                }
                block => self.web_block(block),
            }
        }
    }

    fn web_block(&mut self, block: &Block) {
        match block {
            Block::Paragraph(_) | Block::Table(_) => self.web_blocks(std::slice::from_ref(block), false),
            Block::Heading { level, text } => {
                let level = (*level).clamp(2, self.heading + 1).min(6);
                self.heading = level;
                let open = format!("<h{level}>");
                self.push(&open);
                self.inlines(text);
                let close = format!("</h{level}>\n");
                self.push(&close);
            }
            Block::List(list) => self.web_list(list),
            Block::Quote(inner) => self.web_quote(inner),
            Block::Code { text, .. } => {
                self.push("<pre dir=\"ltr\" tabindex=\"0\"><code>");
                self.text(text.trim_end_matches('\n'));
                self.push("</code></pre>\n");
            }
            Block::Figure(figure) => self.web_figure(figure, ""),
            Block::Source(source) => self.web_source(source),
            Block::Rule => self.push("<hr>\n"),
        }
    }

    fn web_list(&mut self, list: &List) {
        let tag = if list.start.is_some() { "ol" } else { "ul" };
        let open = match list.start {
            Some(start) if start != 1 => format!("<ol start=\"{start}\">"),
            _ => format!("<{tag}>"),
        };
        self.push(&open);
        for item in &list.items {
            self.web_item(item);
        }
        let close = format!("</{tag}>\n");
        self.push(&close);
    }

    fn web_item(&mut self, item: &Item) {
        self.push(match item.task {
            Some(true) => "<li class=\"task\">☑ ",
            Some(false) => "<li class=\"task\">☐ ",
            None => "<li>",
        });
        for (at, block) in item.blocks.iter().enumerate() {
            match block {
                Block::Paragraph(text) if at == 0 => self.inlines(text),
                block => self.web_block(block),
            }
        }
        self.push("</li>");
    }

    fn web_quote(&mut self, inner: &[Block]) {
        let (words, who) = attributed(inner);
        self.push(if is_short(&words) { "<blockquote>" } else { "<blockquote class=\"long\">" });
        self.web_blocks(&words, false);
        if let Some(who) = who {
            self.push("<footer>");
            self.inlines(&who);
            self.push("</footer>");
        }
        self.push("</blockquote>\n");
    }

    fn web_source(&mut self, source: &Source) {
        self.push("<p class=\"source\">");
        self.text(&source.label);
        if !source.label.ends_with('：') {
            self.push(" ");
        }
        self.inlines(&source.text);
        self.push("</p>\n");
    }

    fn web_table(&mut self, table: &Table, caption: Option<&[Inline]>) {
        self.push("<div class=\"scroll\" role=\"group\" tabindex=\"0\"");
        let name = caption.map_or_else(|| table.head.first().map(|cell| plain(cell)).unwrap_or_default(), plain);
        self.attribute("aria-label", &name);
        self.push("><table>");
        if let Some(caption) = caption {
            self.push("<caption>");
            self.inlines(caption);
            self.push("</caption>");
        }
        let sides = columns::sides(table);
        if columns::has_head(table) {
            self.push("<thead><tr>");
            for (at, cell) in table.head.iter().enumerate() {
                self.web_cell("th scope=\"col\"", sides.get(at), cell);
            }
            self.push("</tr></thead>");
        }
        self.push("<tbody>");
        for row in &table.rows {
            self.push("<tr>");
            for (at, cell) in row.iter().enumerate() {
                let head = at == 0 && sides.first() != Some(&Side::End) && !cell.is_empty();
                self.web_cell(if head { "th scope=\"row\"" } else { "td" }, sides.get(at), cell);
            }
            self.push("</tr>");
        }
        self.push("</tbody></table></div>\n");
    }

    /// The page's style sets cells to the end and the first to the start; classes say where one stands otherwise.
    fn web_cell(&mut self, tag: &str, side: Option<&Side>, cell: &[Inline]) {
        let class = match side {
            Some(Side::Start) => " class=\"to-start\"",
            Some(Side::Center) => " class=\"to-center\"",
            _ => "",
        };
        let open = format!("<{tag}{class}>");
        self.push(&open);
        self.inlines(cell);
        self.push(if tag.starts_with("th") { "</th>" } else { "</td>" });
    }

    fn web_footnotes(&mut self, footnotes: &[Vec<Block>]) {
        if footnotes.is_empty() {
            return;
        }
        let open = format!(
            "<section class=\"measure notes\" aria-labelledby=\"notes_\"><h2 id=\"notes_\">{}</h2>\n<ol>",
            self.theme.words.footnotes
        );
        self.push(&open);
        for (at, note) in footnotes.iter().enumerate() {
            self.heading = 2;
            let number = at + 1;
            let open = format!("<li id=\"note_{number}\">");
            self.push(&open);
            match note.as_slice() {
                [Block::Paragraph(text)] => self.inlines(text),
                blocks => self.web_blocks(blocks, false),
            }
            let back = escape(self.theme.words.back_to_text);
            let close = format!(" <a href=\"#ref_{number}\" aria-label=\"{back}\">↩\u{fe0e}</a></li>\n");
            self.push(&close);
        }
        self.push("</ol></section>\n");
    }
}

/// Paragraphs shorter than this, in characters, are a greeting or a line: no initial of three lines stands beside them.
const INITIAL_LETTERS_MIN: usize = 180;

/// Only a letter makes an initial; a quotation mark or a picture doesn't.
fn takes_an_initial(text: &[Inline]) -> bool {
    let begins =
        matches!(text.first(), Some(Inline::Text(text)) if text.chars().next().is_some_and(char::is_alphabetic));
    begins && plain(text).chars().count() >= INITIAL_LETTERS_MIN
}

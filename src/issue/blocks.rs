//! The blocks of a text as the mail shows them: paragraphs, lists, quotes, tables, code. Inline styles hold the light
//! theme; the classes i (ink), m (soft), a (accent), r (rule), k (ink rule) and pic let the head's styles turn them
//! dark.

use super::columns::{self, Side};
use super::credit;
use super::html::{TEXT_WIDTH_PX, Writer};
use super::quote::{attributed, is_short};
use super::theme::{INK, MONO, RULE, SHADE, SOFT};
use super::tree::{Block, Figure, Inline, Item, List, Source, Table, plain};

/// Tables with more columns than this are set smaller, to be readable at 320 px.
const WIDE_TABLE_COLUMNS: usize = 4;

/// Space below a block.
const GAP: &str = "0 0 18px";

impl Writer<'_> {
    /// Blocks of running text, the last one without space below it.
    pub(super) fn blocks(&mut self, blocks: &[Block]) {
        for (at, block) in blocks.iter().enumerate() {
            let last = at + 1 == blocks.len();
            if let (Block::Paragraph(text), Some(Block::Table(table))) = (block, blocks.get(at + 1))
                && columns::caption(text).is_some()
            {
                self.table(table, columns::caption(text));
                continue;
            }
            if let (Block::Table(_), Some(Block::Paragraph(text))) =
                (block, at.checked_sub(1).and_then(|i| blocks.get(i)))
                && columns::caption(text).is_some()
            {
                continue;
            }
            self.block(block, if last { "0" } else { GAP });
        }
    }

    fn block(&mut self, block: &Block, margin: &str) {
        match block {
            Block::Paragraph(text) => self.paragraph(text, margin),
            Block::Heading { level, text } => self.subheading(*level, text),
            Block::List(list) => self.list(list, margin),
            Block::Quote(inner) => self.quote(inner),
            Block::Code { text, .. } => self.code_block(text, margin),
            Block::Table(table) => self.table(table, None),
            Block::Figure(figure) => self.figure_in_text(figure),
            Block::Source(source) => self.source(source, margin),
            Block::Rule => {
                let rule = format!(
                    "<div class=\"r\" style=\"margin:{margin};border-top:1px solid {RULE};font-size:1px;line-height:1px\">&nbsp;</div>"
                );
                self.push(&rule);
            }
        }
    }

    pub(super) fn paragraph(&mut self, text: &[Inline], margin: &str) {
        let open = format!("<p style=\"margin:{margin}\">");
        self.push(&open);
        self.inlines(text);
        self.push("</p>");
    }

    /// A heading below the story's. Levels follow one another without a gap, whatever was written.
    pub(super) fn subheading(&mut self, level: u8, text: &[Inline]) {
        let level = level.clamp(2, self.heading + 1).min(6);
        self.heading = level;
        let style = match level {
            2 => "margin:26px 0 12px;font-size:28px;line-height:34px",
            3 => "margin:26px 0 10px;font-size:21px;line-height:28px",
            _ => "margin:22px 0 8px;font-size:18px;line-height:28px",
        };
        let class = if level == 2 { " class=\"h2\"" } else { "" };
        let open = format!("<h{level}{class} style=\"{style};font-weight:bold\">");
        self.push(&open);
        self.inlines(text);
        let close = format!("</h{level}>");
        self.push(&close);
    }

    fn list(&mut self, list: &List, margin: &str) {
        let tag = if list.start.is_some() { "ol" } else { "ul" };
        let ticks = list.items.iter().all(|item| item.task.is_some());
        let indent = match (list.start, ticks) {
            (_, true) => "0;list-style:none".to_owned(),
            (start, false) => {
                let px = if start.is_some_and(|start| start + list.items.len() > 99) { 38 } else { 24 };
                if self.theme.right_to_left() { format!("0 {px}px 0 0") } else { format!("0 0 0 {px}px") }
            }
        };
        let start = list.start.filter(|start| *start != 1).map(|start| format!(" start=\"{start}\""));
        let open = format!("<{tag}{} style=\"margin:{margin};padding:{indent}\">", start.unwrap_or_default());
        self.push(&open);
        for (at, item) in list.items.iter().enumerate() {
            self.item(item, at + 1 == list.items.len());
        }
        let close = format!("</{tag}>");
        self.push(&close);
    }

    fn item(&mut self, item: &Item, last: bool) {
        let gap = if last { "0" } else { "0 0 10px" };
        let pad = if self.theme.right_to_left() { "0 4px 0 0" } else { "0 0 0 4px" };
        let open = format!("<li style=\"margin:{gap};padding:{pad}\">");
        self.push(&open);
        if let Some(done) = item.task {
            let label = if done { self.theme.words.done } else { self.theme.words.not_done };
            let (label, sign) = (label.trim_end_matches([':', '：', '\u{a0}']), if done { '☑' } else { '☐' });
            let tick = format!("<span role=\"img\" aria-label=\"{label}\">{sign}</span>&nbsp;");
            self.push(&tick);
        }
        for (at, block) in item.blocks.iter().enumerate() {
            match block {
                Block::Paragraph(text) if at == 0 => self.inlines(text),
                Block::List(list) => self.list(list, "10px 0 0"),
                block => self.block(block, "10px 0 0"),
            }
        }
        self.push("</li>");
    }

    fn quote(&mut self, inner: &[Block]) {
        let (words, who) = attributed(inner);
        let accent = self.theme.accent;
        let open = format!(
            "<blockquote class=\"r\" style=\"margin:28px 0;padding:20px 0 18px;border-top:1px solid {accent};border-bottom:1px solid {accent}\">"
        );
        self.push(&open);
        let large = is_short(&words);
        if large {
            self.pull_quote(&words, who.is_some());
        } else {
            self.blocks(&words);
        }
        if let Some(who) = who {
            let above = if large { "0" } else { "12px 0 0" };
            let open =
                format!("<p class=\"m\" style=\"margin:{above};color:{SOFT};font:14px/20px {}\">", self.theme.sans);
            self.push(&open);
            self.inlines(&who);
            self.push("</p>");
        }
        self.push("</blockquote>");
    }

    fn pull_quote(&mut self, words: &[Block], attributed: bool) {
        let (accent, italic) = (self.theme.accent, self.theme.italic());
        for (at, block) in words.iter().enumerate() {
            let Block::Paragraph(text) = block else { continue };
            // The opening mark hangs in the margin, so that the words stand flush.
            let hangs = !self.theme.right_to_left() && plain(text).starts_with(['“', '„', '"', '«']);
            let hang = if hangs { ";text-indent:-10px" } else { "" };
            let below = if at + 1 < words.len() || attributed { "10px" } else { "0" };
            let open = format!(
                "<p class=\"a q\" style=\"margin:0 0 {below};color:{accent};font-size:24px;line-height:32px{italic}{hang}\">"
            );
            self.push(&open);
            self.inlines(text);
            self.push("</p>");
        }
    }

    fn code_block(&mut self, text: &str, margin: &str) {
        let open = format!(
            "<pre class=\"pic\" dir=\"ltr\" style=\"margin:{margin};padding:14px 16px;background-color:{SHADE};color:{SOFT};font:14px/21px {MONO};text-align:left;white-space:pre-wrap;word-break:break-word\"><code>"
        );
        self.push(&open);
        self.text(text.trim_end_matches('\n'));
        self.push("</code></pre>");
    }

    fn figure_in_text(&mut self, figure: &Figure) {
        self.push("<div style=\"margin:10px 0 18px\">");
        self.image(figure, TEXT_WIDTH_PX, "display:block;width:100%;height:auto");
        if let Some(caption) = self.caption(figure) {
            let sans = self.theme.sans;
            let caption =
                format!("<p class=\"m\" style=\"margin:8px 0 0;color:{SOFT};font:14px/21px {sans}\">{caption}</p>");
            self.push(&caption);
        }
        self.push("</div>");
    }

    /// Caption and credit in one line; `None` if there is neither.
    pub(super) fn caption(&mut self, figure: &Figure) -> Option<String> {
        if figure.caption.is_empty() && figure.credit.is_none() {
            return None;
        }
        let before = self.take();
        self.inlines(&figure.caption);
        if let Some(credit) = &figure.credit {
            if !figure.caption.is_empty() {
                self.push(" ");
            }
            let line = credit::line(credit, self.theme.words.credit);
            self.text(&line.replacen(": ", ":\u{a0}", 1));
        }
        Some(std::mem::replace(&mut self.out, before))
    }

    /// "Source:" and its links in ink; a note after them is soft.
    fn source(&mut self, source: &Source, margin: &str) {
        let open = format!("<p style=\"margin:{margin};font:15px/24px {}\">", self.theme.sans);
        self.push(&open);
        self.text(&source.label);
        if !source.label.ends_with('：') {
            self.push(" ");
        }
        let mut linked = false;
        for inline in &source.text {
            linked |= matches!(inline, Inline::Link(_));
            match inline {
                Inline::Text(note) if linked && note.chars().any(char::is_alphanumeric) => {
                    let open = format!("<span class=\"m\" style=\"color:{SOFT}\">");
                    self.push(&open);
                    self.text(note);
                    self.push("</span>");
                }
                inline => self.inlines(std::slice::from_ref(inline)),
            }
        }
        self.push("</p>");
    }

    fn table(&mut self, table: &Table, caption: Option<&[Inline]>) {
        let small = columns::count(table) > WIDE_TABLE_COLUMNS;
        let font = if small { "13px/19px" } else { "15px/22px" };
        let open = format!(
            "<table class=\"tab\" cellpadding=\"0\" cellspacing=\"0\" style=\"width:100%;margin:26px 0 28px;border-collapse:collapse;font:{font} {}\">",
            self.theme.sans
        );
        self.push(&open);
        if let Some(caption) = caption {
            let open = format!(
                "<caption style=\"text-align:{};padding:0 0 8px;font:bold 17px/24px {}\">",
                self.theme.start, self.theme.serif
            );
            self.push(&open);
            self.inlines(caption);
            self.push("</caption>");
        }
        let sides = columns::sides(table);
        if columns::has_head(table) {
            let font = if small { "12px" } else { "14px" };
            let style = format!(
                "border-top:2px solid {INK};border-bottom:1px solid {INK};color:{SOFT};font-weight:normal;font-size:{font};vertical-align:bottom"
            );
            self.push("<thead><tr>");
            for (at, cell) in table.head.iter().enumerate() {
                self.cell("th scope=\"col\" class=\"m k\"", &style, &sides, at, cell);
            }
            self.push("</tr></thead>");
        }
        self.push("<tbody>");
        for row in &table.rows {
            self.row(row, &sides);
        }
        self.push("</tbody></table>");
    }

    /// A row; its first cell is its head, unless that is a number.
    fn row(&mut self, row: &[Vec<Inline>], sides: &[Side]) {
        self.push("<tr>");
        let rule = format!("border-bottom:1px solid {RULE};vertical-align:top");
        for (at, cell) in row.iter().enumerate() {
            let head = at == 0 && side(sides, 0) != Side::End && !cell.is_empty();
            if head {
                self.cell("th scope=\"row\" class=\"r\"", &format!("{rule};font-weight:bold"), sides, at, cell);
            } else {
                self.cell("td class=\"r\"", &rule, sides, at, cell);
            }
        }
        self.push("</tr>");
    }

    fn cell(&mut self, tag: &str, style: &str, sides: &[Side], at: usize, cell: &[Inline]) {
        let side = side(sides, at);
        let align = match side {
            Side::Start => self.theme.start,
            Side::Center => "center",
            Side::End => self.theme.end,
        };
        // Words beside the end of a column of figures need more air than figures do.
        let gap = match at.checked_sub(1).and_then(|before| sides.get(before)) {
            Some(Side::End) if side == Side::Start => 20,
            _ if sides.len() > WIDE_TABLE_COLUMNS => 6,
            _ => 10,
        };
        let padding = match (at, self.theme.right_to_left()) {
            (0, _) => "9px 0".to_owned(),
            (_, false) => format!("9px 0 9px {gap}px"),
            (_, true) => format!("9px {gap}px 9px 0"),
        };
        // Words may break where they must, so that a table of words never pushes a phone's page wide.
        let wrap = if side == Side::End { "" } else { ";word-break:break-word" };
        let open = format!("<{tag} style=\"text-align:{align};padding:{padding};{style}{wrap}\">");
        self.push(&open);
        self.inlines(cell);
        self.push(if tag.starts_with("th") { "</th>" } else { "</td>" });
    }
}

fn side(sides: &[Side], at: usize) -> Side {
    sides.get(at).copied().unwrap_or(Side::Start)
}

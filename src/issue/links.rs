//! Every link of an issue, in the order of the text.

use super::tree::{Block, Inline, Issue, Link};

/// Calls `see` with every link of the issue.
pub fn links<'a>(issue: &'a Issue, see: &mut dyn FnMut(&'a Link)) {
    if let Some(cover) = &issue.cover {
        in_inlines(&cover.caption, see);
    }
    in_blocks(&issue.intro, see);
    for story in &issue.stories {
        in_inlines(&story.headline, see);
        in_blocks(&story.blocks, see);
    }
    in_blocks(&issue.closing, see);
    issue.footnotes.iter().for_each(|note| in_blocks(note, see));
}

/// The same for blocks.
pub fn in_blocks<'a>(blocks: &'a [Block], see: &mut dyn FnMut(&'a Link)) {
    for block in blocks {
        match block {
            Block::Paragraph(text) | Block::Heading { text, .. } => in_inlines(text, see),
            Block::List(list) => list.items.iter().for_each(|item| in_blocks(&item.blocks, see)),
            Block::Quote(inner) => in_blocks(inner, see),
            Block::Table(table) => {
                std::iter::once(&table.head).chain(&table.rows).flatten().for_each(|cell| in_inlines(cell, see));
            }
            Block::Figure(figure) => in_inlines(&figure.caption, see),
            Block::Source(source) => in_inlines(&source.text, see),
            Block::Code { .. } | Block::Rule => {}
        }
    }
}

/// The same for inlines.
pub fn in_inlines<'a>(inlines: &'a [Inline], see: &mut dyn FnMut(&'a Link)) {
    for inline in inlines {
        match inline {
            Inline::Link(link) => {
                see(link);
                in_inlines(&link.text, see);
            }
            Inline::Strong(inner)
            | Inline::Emphasis(inner)
            | Inline::Strike(inner)
            | Inline::Superscript(inner)
            | Inline::Subscript(inner) => in_inlines(inner, see),
            Inline::Image(figure) => in_inlines(&figure.caption, see),
            Inline::Text(_) | Inline::Field(_) | Inline::Code(_) | Inline::Break | Inline::Footnote(_) => {}
        }
    }
}

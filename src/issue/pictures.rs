//! The pictures of an issue: which it names, and where each of them is served.

use std::collections::BTreeMap;

use super::tree::{Block, Figure, Inline, Issue, Place};

/// A picture, ready to be shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Picture {
    /// Absolute, or relative to the page that shows it.
    pub url: String,
    /// Pixels; 0 where it is not known (a picture on somebody else's server).
    pub width: u32,
    pub height: u32,
    /// Size of the file; 0 where it is not known.
    pub bytes: usize,
}

/// Pictures by the reference that the Markdown uses: "cover.jpg", "https://…/cover.jpg".
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pictures(BTreeMap<String, Picture>);

impl Pictures {
    #[must_use]
    pub fn get(&self, reference: &str) -> Option<&Picture> {
        self.0.get(reference)
    }

    pub fn insert(&mut self, reference: impl Into<String>, picture: Picture) {
        self.0.insert(reference.into(), picture);
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &Picture)> {
        self.0.iter().map(|(reference, picture)| (reference.as_str(), picture))
    }
}

impl FromIterator<(String, Picture)> for Pictures {
    fn from_iter<T: IntoIterator<Item = (String, Picture)>>(pictures: T) -> Self {
        Self(pictures.into_iter().collect())
    }
}

/// Every picture that the issue names, each once, in the order of the text, with the place of its first mention.
#[must_use]
pub fn references(issue: &Issue) -> Vec<(String, Place)> {
    let mut found = Vec::new();
    figures(issue, &mut |figure| {
        if !figure.image.is_empty() && !found.iter().any(|(known, _)| *known == figure.image) {
            found.push((figure.image.clone(), figure.at));
        }
    });
    found
}

/// Calls `see` with every figure of the issue, in the order of the text.
pub fn figures<'a>(issue: &'a Issue, see: &mut dyn FnMut(&'a Figure)) {
    if let Some(cover) = &issue.cover {
        see(cover);
        in_inlines(&cover.caption, see);
    }
    in_blocks(&issue.intro, see);
    for story in &issue.stories {
        in_inlines(&story.headline, see);
        in_blocks(&story.blocks, see);
    }
    in_blocks(&issue.closing, see);
    for note in &issue.footnotes {
        in_blocks(note, see);
    }
}

/// The same for blocks.
pub fn in_blocks<'a>(blocks: &'a [Block], see: &mut dyn FnMut(&'a Figure)) {
    for block in blocks {
        match block {
            Block::Paragraph(text) | Block::Heading { text, .. } => in_inlines(text, see),
            Block::List(list) => list.items.iter().for_each(|item| in_blocks(&item.blocks, see)),
            Block::Quote(inner) => in_blocks(inner, see),
            Block::Table(table) => {
                let rows = std::iter::once(&table.head).chain(&table.rows);
                rows.flatten().for_each(|cell| in_inlines(cell, see));
            }
            Block::Figure(figure) => {
                see(figure);
                in_inlines(&figure.caption, see);
            }
            Block::Source(source) => in_inlines(&source.text, see),
            Block::Code { .. } | Block::Rule => {}
        }
    }
}

fn in_inlines<'a>(inlines: &'a [Inline], see: &mut dyn FnMut(&'a Figure)) {
    for inline in inlines {
        match inline {
            Inline::Image(figure) => see(figure),
            Inline::Link(link) => in_inlines(&link.text, see),
            Inline::Strong(inner)
            | Inline::Emphasis(inner)
            | Inline::Strike(inner)
            | Inline::Superscript(inner)
            | Inline::Subscript(inner) => in_inlines(inner, see),
            Inline::Text(_) | Inline::Field(_) | Inline::Code(_) | Inline::Break | Inline::Footnote(_) => {}
        }
    }
}

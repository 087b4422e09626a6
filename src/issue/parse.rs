//! From the file an editor wrote to the issue's tree.
//!
//! Parsing never fails as a whole: whatever can be read is in the tree, and everything that is wrong is found at
//! once, each at its place. Nothing written vanishes in silence: every word and every address of the source is in the
//! tree or named in a finding; comments are the one exception, they are the author's own.

mod elements;
mod emoji;
mod fields;
mod figures;
mod front_matter;
mod html;
mod links;
mod manuscript;
mod markdown;
mod sources;
mod stories;

use comrak::Arena;
use comrak::nodes::{Node, NodeValue};

use self::fields::Fields;
use self::manuscript::Manuscript;
use self::markdown::{Reading, within};
use super::finding::{Finding, in_order};
use super::tree::{Href, Issue, Place};

/// A mail's HTML may have 100 KB, so a source beyond 2 MB is not an issue but a mistake, such as the wrong file.
pub const SOURCE_BYTES_MAX: usize = 2 * 1024 * 1024;
/// The default theme needs about 1 KB a story, so more than a hundred can't stay below the clip at 100 KB.
pub const STORIES_MAX: usize = 100;
/// Lists in quotes in lists: beyond this no reader can follow and no phone has the width. Also the depth of recursion.
const NESTING_MAX: usize = 24;
/// A line above `---` with more letters than this is a paragraph, not a headline.
const HEADLINE_LETTERS_MAX: usize = 120;
/// Longest slug: with host and path it still fits into one line.
const SLUG_LETTERS_MAX: usize = 80;
/// Longest language tag that RFC 5646 §4.4.1 asks programs to take.
const LANGUAGE_LETTERS_MAX: usize = 35;

/// What was read, and what is wrong with it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Parsed {
    pub issue: Issue,
    /// In the order of the file.
    pub findings: Vec<Finding>,
}

/// Reads an issue: front matter and Markdown, UTF-8, any line ends.
#[must_use]
pub fn parse(source: &str) -> Parsed {
    if source.len() > SOURCE_BYTES_MAX {
        let megabytes = source.len() as f64 / 1_048_576.0;
        let what = format!("the file has {megabytes:.1} MB; nothing of it was read");
        let instead = format!("an issue has at most {} MB of text; pictures lie beside it", SOURCE_BYTES_MAX >> 20);
        let at = Place { line: 1, column: 1 };
        return Parsed { findings: vec![Finding::blocks("too-long", at, what, instead)], ..Parsed::default() };
    }
    let mut findings = Vec::new();
    let manuscript = Manuscript::new(source, &mut findings);
    let mut issue = Issue { subject_at: Place { line: 1, column: 1 }, ..Issue::default() };
    let extent = front_matter::find(manuscript.lines(), &mut findings);
    let mut reading = Reading {
        manuscript: &manuscript,
        fields: Fields::default(),
        findings,
        notes: Vec::new(),
        lines_before: extent.as_ref().map_or(0, |extent| extent.end),
        fixed: None,
        code: Vec::new(),
    };
    if let Some(extent) = &extent {
        reading.front_matter(extent, &mut issue);
    }
    reading.body(&mut issue);
    Parsed { issue, findings: in_order(reading.findings) }
}

impl Reading<'_> {
    fn body(&mut self, issue: &mut Issue) {
        let before = self.lines_before;
        let mut fields = std::mem::take(&mut self.fields);
        let lines = self.manuscript.lines().iter().enumerate().skip(before);
        let text: Vec<String> =
            lines.map(|(index, line)| fields.hide(line, Place { line: index + 1, column: 1 })).collect();
        self.fields = fields;
        let arena = Arena::new();
        let root = comrak::parse_document(&arena, &text.join("\n"), &markdown::options());
        let blocks = self.blocks(root, 0);
        self.arrange(blocks, issue);
        self.footnotes(root, issue);
        self.unclosed_fields();
        self.unused_definitions(issue);
    }

    /// The notes in the order of their first mention; then those that nothing mentions.
    fn footnotes(&mut self, root: Node<'_>, issue: &mut Issue) {
        let definitions: Vec<(String, Node<'_>)> = root
            .descendants()
            .filter_map(|node| match &node.data().value {
                NodeValue::FootnoteDefinition(note) => Some((note.name.to_lowercase(), node)),
                _ => None,
            })
            .collect();
        let mut index = 0;
        loop {
            while let Some(name) = self.notes.get(index).cloned() {
                let node = definitions.iter().find(|(known, _)| *known == name).map(|(_, node)| *node);
                let blocks = node.map(|node| within(self.blocks(node, 1))).unwrap_or_default();
                issue.footnotes.push(blocks);
                index += 1;
            }
            // Converting an unmentioned note may mention others, so they are taken one by one.
            let Some((name, node)) = definitions.iter().find(|(name, _)| !self.notes.contains(name)) else { break };
            let at = self.place(node);
            self.findings.push(Finding::warns(
                "unused-footnote",
                at,
                format!("nothing refers to the footnote “{name}”; it stands last"),
                format!("write [^{name}] where it belongs, or delete it"),
            ));
            self.notes.push(name.clone());
        }
    }

    fn unclosed_fields(&mut self) {
        for at in std::mem::take(&mut self.fields.unclosed) {
            if !self.code.iter().any(|(from, to)| (*from..=*to).contains(&at)) {
                self.findings.push(Finding::blocks(
                    "unclosed-field",
                    at,
                    "a field begins here and is not closed on this line",
                    "close it with }}, or put the braces in `code` if they are meant to be read",
                ));
            }
        }
    }

    /// `[label]: https://…` that no link uses: Markdown drops them, so they are named.
    fn unused_definitions(&mut self, issue: &Issue) {
        let mut used = Vec::new();
        crate::issue::links::links(issue, &mut |link| {
            if let Href::Url(url) = &link.href {
                used.push(url.clone());
            }
        });
        crate::issue::pictures::figures(issue, &mut |figure| {
            used.push(figure.image.clone());
            used.extend(figure.link.clone());
        });
        let lines = self.manuscript.lines().iter().enumerate().skip(self.lines_before);
        for (index, line) in lines {
            let at = Place { line: index + 1, column: 1 };
            let Some(url) = definition(line) else { continue };
            let is_code = self.code.iter().any(|(from, to)| (*from..=*to).contains(&at));
            if !is_code && !used.iter().any(|known| known == url) {
                self.findings.push(Finding::warns(
                    "unused-link",
                    at,
                    format!("no link uses this address: {url}"),
                    "write [words][label] where it belongs, or delete it",
                ));
            }
        }
    }
}

/// The address of a line like `[label]: https://…`.
fn definition(line: &str) -> Option<&str> {
    let line = line.trim_start().strip_prefix('[').filter(|rest| !rest.starts_with('^'))?;
    let (_, rest) = line.split_once("]:")?;
    let url = rest.split_whitespace().next()?.trim_start_matches('<').trim_end_matches('>');
    url.contains(':').then_some(url)
}

/// A text as part of an address: Latin letters and digits in small, hyphens between.
#[must_use]
pub fn slug(text: &str) -> String {
    let mut slug = String::new();
    for letter in text.chars() {
        match letter {
            'a'..='z' | '0'..='9' => slug.push(letter),
            'A'..='Z' => slug.push(letter.to_ascii_lowercase()),
            '\'' | '’' => {}
            _ => match plain_letter(letter) {
                Some(plain) => slug.push_str(plain),
                None if slug.ends_with('-') || slug.is_empty() => {}
                None => slug.push('-'),
            },
        }
        if slug.len() >= SLUG_LETTERS_MAX {
            break;
        }
    }
    slug.truncate(SLUG_LETTERS_MAX);
    slug.trim_matches('-').to_owned()
}

/// Western letters with marks, without them.
fn plain_letter(letter: char) -> Option<&'static str> {
    Some(match letter.to_lowercase().next()? {
        'à' | 'á' | 'â' | 'ã' | 'å' | 'ā' | 'ą' => "a",
        'ä' | 'æ' => "ae",
        'ç' | 'ć' | 'č' => "c",
        'ď' | 'ð' => "d",
        'è' | 'é' | 'ê' | 'ë' | 'ē' | 'ę' | 'ě' => "e",
        'ì' | 'í' | 'î' | 'ï' | 'ī' => "i",
        'ł' => "l",
        'ñ' | 'ń' | 'ň' => "n",
        'ò' | 'ó' | 'ô' | 'õ' | 'ō' => "o",
        'ö' | 'ø' | 'œ' => "oe",
        'ř' => "r",
        'ś' | 'š' | 'ş' => "s",
        'ß' => "ss",
        'ť' => "t",
        'ù' | 'ú' | 'û' | 'ū' | 'ů' => "u",
        'ü' => "ue",
        'ý' | 'ÿ' => "y",
        'ź' | 'ż' | 'ž' => "z",
        _ => return None,
    })
}

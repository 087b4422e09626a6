//! From blocks to intro, stories and closing.

use std::collections::BTreeSet;

use super::markdown::{Placed, Reading, within};
use super::{STORIES_MAX, emoji, figures};
use crate::issue::finding::Finding;
use crate::issue::tree::{Block, Inline, Issue, Place, Story, plain};

/// Which heading levels begin stories.
struct Plan {
    levels: Vec<u8>,
    /// Index of a lone heading above them: the issue's title, which the subject already is.
    title: Option<usize>,
}

impl Reading<'_> {
    /// Deals the blocks out to intro, stories and closing.
    pub(super) fn arrange(&mut self, blocks: Vec<Placed>, issue: &mut Issue) {
        let plan = self.plan(&blocks);
        let closing_at = self.closing(&blocks, &plan);
        let mut part: Vec<Placed> = Vec::new();
        let mut stories: Vec<Story> = Vec::new();
        let mut anchors = BTreeSet::new();
        for (index, placed) in blocks.into_iter().enumerate() {
            if Some(index) == closing_at {
                self.end_part(std::mem::take(&mut part), &mut stories, issue);
                continue;
            }
            if closing_at.is_none_or(|closing| index < closing) {
                match placed.block {
                    Block::Heading { level, ref text } if Some(index) == plan.title => {
                        self.title(level, text, placed.at, issue, &mut part);
                        continue;
                    }
                    Block::Heading { level, text } if plan.levels.contains(&level) => {
                        self.end_part(std::mem::take(&mut part), &mut stories, issue);
                        stories.push(begin_story(text, placed.at, stories.len(), &mut anchors));
                        continue;
                    }
                    _ => {}
                }
            }
            part.push(placed);
        }
        match closing_at {
            Some(_) => issue.closing = tidy(part),
            None => self.end_part(part, &mut stories, issue),
        }
        self.count(&stories);
        issue.stories = stories;
    }

    fn end_part(&mut self, part: Vec<Placed>, stories: &mut [Story], issue: &mut Issue) {
        match stories.last_mut() {
            Some(story) => story.blocks = tidy(part),
            None => issue.intro = tidy(part),
        }
    }

    fn plan(&mut self, blocks: &[Placed]) -> Plan {
        let headings: Vec<(usize, u8, Place)> = blocks
            .iter()
            .enumerate()
            .filter_map(|(index, placed)| match placed.block {
                Block::Heading { level, .. } => Some((index, level, placed.at)),
                _ => None,
            })
            .collect();
        let count = |level: u8| headings.iter().filter(|(_, known, _)| *known == level).count();
        let first_of = |level: u8| headings.iter().position(|(_, known, _)| *known == level);
        // One `#` before everything else is a title.
        let title = (count(1) == 1 && first_of(1) == Some(0)).then(|| headings[0].0);
        let rest = headings.iter().filter(|(index, ..)| Some(*index) != title);
        let levels = match rest.clone().map(|(_, level, _)| *level).min() {
            Some(1) if count(2) > 0 => vec![1, 2],
            Some(level) => vec![level],
            None => Vec::new(),
        };
        if levels.first().is_some_and(|level| *level != 2) {
            let first = rest.clone().find(|(_, level, _)| levels.contains(level));
            let at = first.map(|(.., at)| *at).unwrap_or_default();
            let hashes = "#".repeat(levels[0].into());
            self.findings.push(Finding::warns(
                "story-level",
                at,
                format!("stories begin with ##; {hashes} was read as the beginning of a story"),
                "write ## before headlines and ### for headings within a story",
            ));
        }
        Plan { levels, title }
    }

    /// Index of the rule that the closing stands below: the last `---` with text and no story after it.
    fn closing(&self, blocks: &[Placed], plan: &Plan) -> Option<usize> {
        let is_story =
            |placed: &Placed| matches!(placed.block, Block::Heading { level, .. } if plan.levels.contains(&level));
        let last_story = blocks.iter().rposition(is_story)?;
        let is_rule = |placed: &Placed| matches!(placed.block, Block::Rule);
        let end = blocks.iter().rposition(|placed| !is_rule(placed))?;
        let is_dashes = |at: Place| self.manuscript.line(at.line).trim_start_matches([' ', '>']).starts_with('-');
        let uses_dashes = blocks.iter().any(|placed| is_rule(placed) && is_dashes(placed.at));
        let begins = |placed: &Placed| is_rule(placed) && (!uses_dashes || is_dashes(placed.at));
        (last_story + 1..end).rev().find(|index| begins(&blocks[*index]))
    }

    fn title(&mut self, level: u8, text: &[Inline], at: Place, issue: &Issue, part: &mut Vec<Placed>) {
        let same = |inlines: &[Inline]| plain(inlines).split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
        let is_subject = same(text) == same(&issue.subject) && !figures::has_link(text);
        let what = match is_subject {
            true => "the title repeats the subject, which heads the mail anyway; it was left out",
            false => "the subject heads the mail; this title became a heading in the intro",
        };
        self.findings.push(Finding::warns("title-in-text", at, what, "delete the line, or make it the subject"));
        if !is_subject {
            part.push(Placed { block: Block::Heading { level: level.max(3), text: text.to_vec() }, at });
        }
    }

    fn count(&mut self, stories: &[Story]) {
        if stories.is_empty() {
            let at = Place { line: self.lines_before + 1, column: 1 };
            self.findings.push(Finding::warns(
                "no-story",
                at,
                "the issue has no story",
                "begin each story with a line “## Headline”",
            ));
        }
        if let Some(story) = stories.get(STORIES_MAX) {
            self.findings.push(Finding::blocks(
                "too-many-stories",
                story.at,
                format!("the issue has {} stories; more than {STORIES_MAX} fit in no mail", stories.len()),
                "make several issues of it, or make sub-headings (###) of the smaller ones",
            ));
        }
        for story in stories.iter().filter(|story| plain(&story.headline).trim().is_empty()) {
            self.findings.push(Finding::warns(
                "empty-headline",
                story.at,
                "this headline has no words",
                "write some after the emoji",
            ));
        }
    }
}

fn begin_story(mut headline: Vec<Inline>, at: Place, index: usize, anchors: &mut BTreeSet<String>) -> Story {
    let mut emoji = None;
    if let Some(Inline::Text(first)) = headline.first_mut()
        && let Some((found, rest)) = emoji::cut(first)
    {
        emoji = Some(found.to_owned());
        *first = rest.to_owned();
    }
    let headline = figures::settle(headline);
    let anchor = anchor(&plain(&headline), index, anchors);
    Story { anchor, emoji, headline, blocks: Vec::new(), at }
}

/// Latin letters and digits of the headline; "story-3" where there are none.
fn anchor(headline: &str, index: usize, taken: &mut BTreeSet<String>) -> String {
    let slug = crate::issue::parse::slug(headline);
    let slug = if slug.is_empty() { format!("story-{}", index + 1) } else { slug };
    let mut anchor = slug.clone();
    let mut again = 2;
    while !taken.insert(anchor.clone()) {
        anchor = format!("{slug}-{again}");
        again += 1;
    }
    anchor
}

/// The blocks of one part: rules at its edges are left to the theme, and a caption in a paragraph of its own joins
/// its picture.
fn tidy(part: Vec<Placed>) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::with_capacity(part.len());
    for block in within(part) {
        match (blocks.last_mut(), block) {
            (None, Block::Rule) => {}
            (Some(Block::Figure(figure)), Block::Paragraph(text)) if takes(figure, &text) => {
                (figure.caption, figure.credit) = figures::caption_and_credit(figures::unwrapped(text));
            }
            (_, block) => blocks.push(block),
        }
    }
    while blocks.last() == Some(&Block::Rule) {
        blocks.pop();
    }
    blocks
}

/// Whether an emphasised paragraph below a picture is its caption and not the first words of the text.
fn takes(figure: &crate::issue::tree::Figure, text: &[Inline]) -> bool {
    const CAPTION_LETTERS_MAX: usize = 160;
    let words = plain(text);
    figures::is_uncaptioned(figure)
        && figures::is_caption(text)
        && (words.chars().count() <= CAPTION_LETTERS_MAX || crate::issue::credit::find(&words).is_some())
}

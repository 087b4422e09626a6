//! Stories: headlines, lengths, sources, headings.

use std::collections::BTreeMap;

use crate::issue::finding::Finding;
use crate::issue::tree::{Block, Issue, Story, plain};

/// A story is much longer than the others if it has this many times their median,
const LONGER_TIMES: usize = 3;
/// and is more than a short item anyway.
const LONG_WORDS: usize = 250;
/// Stories below which "the others" means nothing.
const COMPARED_MIN: usize = 3;

pub(super) fn check(issue: &Issue, findings: &mut Vec<Finding>) {
    duplicates(issue, findings);
    sources(issue, findings);
    lengths(issue, findings);
    for story in &issue.stories {
        if story.blocks.is_empty() {
            let what = "this story has a headline and nothing below it";
            findings.push(Finding::warns("empty-story", story.at, what, "write it, or delete the headline"));
        }
        levels(story, findings);
    }
}

fn duplicates(issue: &Issue, findings: &mut Vec<Finding>) {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for story in &issue.stories {
        let headline = plain(&story.headline).trim().to_lowercase();
        if headline.is_empty() {
            continue;
        }
        match seen.get(&headline) {
            Some(line) => findings.push(Finding::warns(
                "duplicate-headline",
                story.at,
                format!("the story at line {line} has the same headline"),
                "give one of them another",
            )),
            None => drop(seen.insert(headline, story.at.line)),
        }
    }
}

fn sources(issue: &Issue, findings: &mut Vec<Finding>) {
    let instead = "write a line “Source: [Who](https://…)” at the story's end";
    let bare: Vec<&Story> = issue.stories.iter().filter(|story| !has_source(&story.blocks)).collect();
    if bare.len() == issue.stories.len() {
        // Somebody who never names sources means it; one finding is enough.
        if let Some(first) = bare.first() {
            findings.push(Finding::warns("missing-source", first.at, "no story names a source", instead));
        }
        return;
    }
    for story in bare {
        findings.push(Finding::warns("missing-source", story.at, "this story names no source", instead));
    }
}

fn has_source(blocks: &[Block]) -> bool {
    blocks.iter().any(|block| match block {
        Block::Source(_) => true,
        Block::Quote(inner) => has_source(inner),
        Block::List(list) => list.items.iter().any(|item| has_source(&item.blocks)),
        _ => false,
    })
}

fn lengths(issue: &Issue, findings: &mut Vec<Finding>) {
    if issue.stories.len() < COMPARED_MIN {
        return;
    }
    let lengths: Vec<usize> = issue.stories.iter().map(|story| words(&story.blocks)).collect();
    for (index, (story, length)) in issue.stories.iter().zip(&lengths).enumerate() {
        let mut others = lengths.clone();
        others.remove(index);
        others.sort_unstable();
        let median = others[others.len() / 2];
        if *length > LONG_WORDS && *length > median * LONGER_TIMES {
            findings.push(Finding::warns(
                "long-story",
                story.at,
                format!("this story has about {length} words, the others about {median}"),
                "shorten it, or send it as an issue of its own",
            ));
        }
    }
}

/// Words of text; two Chinese or Japanese letters count as one.
fn words(blocks: &[Block]) -> usize {
    let count = |text: &str| {
        let wide =
            text.chars().filter(|letter| matches!(u32::from(*letter), 0x3040..=0x9FFF | 0xF900..=0xFAFF)).count();
        text.split_whitespace().count() + wide / 2
    };
    let of_block = |block: &Block| match block {
        Block::Paragraph(text) | Block::Heading { text, .. } => count(&plain(text)),
        Block::Quote(inner) => words(inner),
        Block::List(list) => list.items.iter().map(|item| words(&item.blocks)).sum(),
        Block::Table(table) => {
            std::iter::once(&table.head).chain(&table.rows).flatten().map(|cell| count(&plain(cell))).sum()
        }
        Block::Figure(figure) => count(&plain(&figure.caption)),
        Block::Source(_) | Block::Code { .. } | Block::Rule => 0,
    };
    blocks.iter().map(of_block).sum()
}

fn levels(story: &Story, findings: &mut Vec<Finding>) {
    let mut last = 2;
    for block in &story.blocks {
        let Block::Heading { level, text } = block else { continue };
        if *level > last + 1 {
            findings.push(Finding::warns(
                "heading-level",
                story.at,
                format!("in this story the heading “{}” skips a level", plain(text)),
                format!("write {} before it", "#".repeat(usize::from(last) + 1)),
            ));
        }
        last = *level;
    }
}

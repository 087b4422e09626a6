//! The demo's issues with their pictures, built into the program.

use std::collections::BTreeMap;

use anyhow::Context as _;
use rust_embed::RustEmbed;

use crate::issue::parse::parse;
use crate::issue::pictures::references;
use crate::media::{self, Picture};

#[derive(RustEmbed)]
#[folder = "$CARGO_MANIFEST_DIR/demo"]
#[include = "*.md"]
#[include = "pictures/*.png"]
#[exclude = "README.md"]
struct Files;

/// An issue as its editor would have handed it in.
pub(super) struct Manuscript {
    pub(super) source: String,
    /// Names of its pictures as the Markdown says them, in the order of the text.
    pub(super) pictures: Vec<String>,
}

/// Every issue, the oldest first, and every picture by its name.
///
/// # Errors
/// When a picture is missing or is none: the program was built wrongly.
pub(super) fn read() -> anyhow::Result<(Vec<Manuscript>, BTreeMap<String, Picture>)> {
    let mut names: Vec<_> = Files::iter().filter(|name| name.ends_with(".md")).collect();
    names.sort();
    let (mut manuscripts, mut pictures) = (Vec::new(), BTreeMap::new());
    for name in names {
        let file = Files::get(&name).context("a file of the demo is gone")?;
        let source = String::from_utf8(file.data.into_owned()).with_context(|| format!("demo/{name} is no text"))?;
        let named: Vec<String> = references(&parse(&source).issue).into_iter().map(|(name, _)| name).collect();
        for picture in &named {
            if !pictures.contains_key(picture) {
                pictures.insert(picture.clone(), prepared(picture)?);
            }
        }
        manuscripts.push(Manuscript { source, pictures: named });
    }
    Ok((manuscripts, pictures))
}

fn prepared(name: &str) -> anyhow::Result<Picture> {
    let file = Files::get(name).with_context(|| format!("the demo's picture {name} is not built in"))?;
    media::prepare(&file.data).with_context(|| format!("the demo's picture {name}"))
}

#[cfg(test)]
mod tests {
    use super::read;
    use crate::issue::parse::parse;

    #[test]
    fn six_issues_are_built_in_and_nothing_is_wrong_with_them() {
        let (manuscripts, pictures) = read().expect("is built in");
        assert_eq!((manuscripts.len(), pictures.len()), (6, 21));
        for (manuscript, number) in manuscripts.iter().zip(26..) {
            let parsed = parse(&manuscript.source);
            assert_eq!(parsed.findings, [], "{number}");
            assert_eq!((parsed.issue.number, parsed.issue.stories.len()), (Some(number), 5));
            assert!(parsed.issue.stories.iter().all(|story| story.emoji.is_some()), "{number}");
        }
    }
}

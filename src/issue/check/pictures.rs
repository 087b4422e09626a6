//! Pictures: said what they show, by whom they are, there at all, and not too heavy.

use super::About;
use crate::issue::credit;
use crate::issue::finding::Finding;
use crate::issue::pictures::figures;
use crate::issue::tree::{Figure, Issue, plain};

/// Above this a picture is slow on a phone's network.
const PICTURE_BYTES_HEAVY: usize = 500 * 1024;
/// Above this all of them together are.
const PICTURES_BYTES_HEAVY: usize = 3 * 1024 * 1024;
/// An alternative text that is longer is a caption.
const ALT_LETTERS_MAX: usize = 250;

pub(super) fn check(issue: &Issue, about: &About<'_>, findings: &mut Vec<Finding>) {
    let mut total = 0;
    let mut first = None;
    figures(issue, &mut |figure| {
        alt(figure, findings);
        credited(figure, findings);
        present(figure, about, findings);
        if let Some(picture) = about.pictures.and_then(|pictures| pictures.get(&figure.image)) {
            first = first.or(Some(figure.at));
            total += picture.bytes;
            heavy(figure, picture.bytes, findings);
        }
    });
    if let Some(at) = first.filter(|_| total > PICTURES_BYTES_HEAVY) {
        let what = format!("the pictures have {} MB together", total.div_ceil(1 << 20));
        findings.push(Finding::warns("pictures-heavy", at, what, "leave some out, or save them smaller"));
    }
}

fn alt(figure: &Figure, findings: &mut Vec<Finding>) {
    let Some(alt) = figure.alt.as_deref() else {
        findings.push(Finding::blocks(
            "missing-alt",
            figure.at,
            format!("the picture {} has no words for those who don't see it", figure.image),
            "write what it shows: ![what it shows](file.jpg); for mere decoration <img src=\"file.jpg\" alt=\"\">",
        ));
        return;
    };
    let alt = alt.trim();
    let file = figure.image.rsplit('/').next().unwrap_or_default();
    if !alt.is_empty() && alt.eq_ignore_ascii_case(file) {
        let what = "the picture's words are the name of its file";
        findings.push(Finding::warns("vague-alt", figure.at, what, "write what it shows"));
    }
    if alt.chars().count() > ALT_LETTERS_MAX {
        let what = format!("the picture's words have {} letters; they are read out in one go", alt.chars().count());
        findings.push(Finding::warns("long-alt", figure.at, what, "say the rest in the caption"));
    }
}

fn credited(figure: &Figure, findings: &mut Vec<Finding>) {
    let is_decoration = figure.alt.as_deref().is_some_and(|alt| alt.trim().is_empty());
    let says = credit::find(&plain(&figure.caption)).is_some();
    if figure.credit.is_none() && !says && !is_decoration && !figure.image.is_empty() {
        findings.push(Finding::warns(
            "missing-credit",
            figure.at,
            format!("nothing says whose picture {} is", figure.image),
            "write it at the caption's end: ![…](file.jpg \"Caption. Credit: Name\")",
        ));
    }
}

fn present(figure: &Figure, about: &About<'_>, findings: &mut Vec<Finding>) {
    if let Some((_, why)) = about.broken.iter().find(|(reference, _)| *reference == figure.image) {
        let what = format!("the picture {} can't be used: {why}", figure.image);
        findings.push(Finding::blocks("bad-picture", figure.at, what, ""));
        return;
    }
    let is_missing = about.pictures.is_some_and(|pictures| pictures.get(&figure.image).is_none());
    if is_missing && !figure.image.is_empty() {
        findings.push(Finding::blocks(
            "missing-picture",
            figure.at,
            format!("the picture {} is not there", figure.image),
            "put the file beside the issue, or mend its name",
        ));
    }
    if figure.image.to_lowercase().starts_with("http://") {
        let what = format!("{} is not https, and many programs won't show it", figure.image);
        findings.push(Finding::warns("http-picture", figure.at, what, "write https, or put the file beside the issue"));
    }
}

fn heavy(figure: &Figure, bytes: usize, findings: &mut Vec<Finding>) {
    if bytes > PICTURE_BYTES_HEAVY {
        findings.push(Finding::warns(
            "heavy-picture",
            figure.at,
            format!("the picture {} has {} KB", figure.image, bytes.div_ceil(1_024)),
            "save it smaller: 200 KB are enough at this size",
        ));
    }
}

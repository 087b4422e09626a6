//! The checks: what must not go out, and what is worth a second look. Each finding at its place.
//!
//! The parser has found what can't be read; this looks at what was read. Pure: sizes, pictures and addresses are
//! handed in.

mod links;
mod pictures;
mod placeholders;
mod stories;
mod subject;

use super::finding::{Finding, in_order};
use super::pictures::Pictures;
use super::tree::{Issue, Place};

/// Gmail cuts a mail's HTML here, and with it the way to unsubscribe.
pub const HTML_BYTES_MAX: usize = 102_400;
/// From here on a late addition may reach the clip.
const HTML_BYTES_NEAR: usize = HTML_BYTES_MAX / 10 * 9;

/// What the checks need to know beside the issue itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct About<'a> {
    /// The file the issue was read from: places of words are found in it.
    pub source: &'a str,
    pub postal_address: &'a str,
    /// The newsletter's, for issues that don't name theirs.
    pub language: &'a str,
    /// The issue's pictures; `None` where nobody has looked for them.
    pub pictures: Option<&'a Pictures>,
    /// Pictures that can't be used, by reference, and why.
    pub broken: &'a [(String, String)],
    /// Size of the rendered HTML; `None` where it was not rendered.
    pub html_bytes: Option<usize>,
}

/// All findings about an issue, in the order of the file.
#[must_use]
pub fn check(issue: &Issue, about: &About<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    whole(about, &mut findings);
    subject::check(issue, about, &mut findings);
    stories::check(issue, &mut findings);
    links::check(issue, &mut findings);
    pictures::check(issue, about, &mut findings);
    placeholders::check(issue, about, &mut findings);
    in_order(findings)
}

fn whole(about: &About<'_>, findings: &mut Vec<Finding>) {
    let at = Place { line: 1, column: 1 };
    if about.postal_address.trim().is_empty() {
        findings.push(Finding::blocks(
            "no-postal-address",
            at,
            "the newsletter has no postal address, which the law asks every mail to name",
            "write it in the newsletter's settings",
        ));
    }
    let Some(bytes) = about.html_bytes else { return };
    let (kilobytes, limit) = (bytes.div_ceil(1_024), HTML_BYTES_MAX / 1_024);
    if bytes > HTML_BYTES_MAX {
        findings.push(Finding::blocks(
            "html-too-large",
            at,
            format!("the mail's HTML has {kilobytes} KB; Gmail cuts mails at {limit} KB, and the way to unsubscribe with them"),
            "shorten stories, or link to their end on the web",
        ));
    } else if bytes > HTML_BYTES_NEAR {
        findings.push(Finding::warns(
            "html-large",
            at,
            format!("the mail's HTML has {kilobytes} KB and is near the {limit} KB at which Gmail cuts"),
            "leave room for a last correction",
        ));
    }
}

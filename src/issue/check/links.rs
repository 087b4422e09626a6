//! Links: where they lead, and whether their words say so.

use crate::issue::finding::Finding;
use crate::issue::links::links;
use crate::issue::tree::{Href, Issue, Link, plain};

/// Words that say nothing about where a link leads, in small letters, without signs.
const VAGUE: [&str; 66] = [
    // English
    "click here",
    "here",
    "click",
    "read more",
    "more",
    "link",
    "this link",
    "this",
    "learn more",
    "see more",
    "read on",
    "continue reading",
    "details",
    "more info",
    "go",
    "visit",
    "see here",
    "read here",
    "tap here",
    // German, Dutch, Scandinavian
    "hier",
    "hier klicken",
    "klick hier",
    "mehr",
    "mehr lesen",
    "weiterlesen",
    "klik hier",
    "lees meer",
    "meer",
    "her",
    "klik her",
    "läs mer",
    "här",
    "les mer",
    // French, Spanish, Portuguese, Italian
    "ici",
    "cliquez ici",
    "lire la suite",
    "en savoir plus",
    "plus",
    "aquí",
    "aqui",
    "haz clic aquí",
    "leer más",
    "más",
    "más información",
    "clique aqui",
    "leia mais",
    "saiba mais",
    "mais",
    "qui",
    "clicca qui",
    "leggi di più",
    "leggi tutto",
    "altro",
    // Polish, Russian
    "tutaj",
    "kliknij tutaj",
    "czytaj więcej",
    "здесь",
    "тут",
    "читать далее",
    "подробнее",
    // Chinese, Japanese, Korean, Arabic
    "点击这里",
    "这里",
    "こちら",
    "여기",
    "هنا",
    "اضغط هنا",
];

/// Hosts that RFC 2606 §3 keeps for examples: a link to them was never filled in. (`.example` is for inventions.)
const EXAMPLES: [&str; 3] = ["example.com", "example.net", "example.org"];

pub(super) fn check(issue: &Issue, findings: &mut Vec<Finding>) {
    links(issue, &mut |link| {
        words(link, findings);
        if let Href::Url(url) = &link.href {
            target(issue, link, url, findings);
        }
    });
}

fn words(link: &Link, findings: &mut Vec<Finding>) {
    let text = plain(&link.text).to_lowercase();
    let is_sign = |letter: char| !letter.is_alphanumeric();
    let bare = text.trim_matches(is_sign);
    if VAGUE.contains(&bare) {
        findings.push(Finding::warns(
            "vague-link",
            link.at,
            format!("“{}” says nothing about where the link leads", text.trim()),
            "link the words that name it: who hears a list of links hears only these",
        ));
    }
}

fn target(issue: &Issue, link: &Link, url: &str, findings: &mut Vec<Finding>) {
    if let Some(anchor) = url.strip_prefix('#') {
        let is_known = issue.stories.iter().any(|story| story.anchor == anchor);
        if anchor.is_empty() {
            let instead = "write the address in the parentheses: [words](https://…)";
            findings.push(Finding::blocks("link-without-target", link.at, "this link leads nowhere", instead));
        } else if !is_known {
            findings.push(Finding::blocks(
                "unknown-anchor",
                link.at,
                format!("no story has the anchor #{anchor}"),
                anchors(issue),
            ));
        }
        return;
    }
    let lower = url.to_lowercase();
    if let Some(rest) = lower.strip_prefix("http://") {
        findings.push(Finding::warns(
            "http-link",
            link.at,
            format!("{url} is not https"),
            format!("write https://{rest}, if the site has it"),
        ));
    }
    let host = lower.split_once("://").map_or("", |(_, rest)| rest).split(['/', '?', '#', ':']).next().unwrap_or("");
    let host = lower.strip_prefix("mailto:").and_then(|to| to.rsplit('@').next()).unwrap_or(host);
    let is_example = EXAMPLES.iter().any(|example| host == *example || host.ends_with(&format!(".{example}")));
    if is_example {
        findings.push(Finding::blocks(
            "placeholder",
            link.at,
            format!("{url} is an address for examples"),
            "write the real one",
        ));
    }
}

fn anchors(issue: &Issue) -> String {
    let known: Vec<String> = issue.stories.iter().map(|story| format!("#{}", story.anchor)).collect();
    if known.is_empty() { "delete the link".to_owned() } else { format!("the anchors are {}", known.join(", ")) }
}

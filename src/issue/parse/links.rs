//! Where links may lead: a short list of schemes that mail programs open and that can do no harm on a web page.

use super::fields::{Fields, Piece};
use crate::issue::finding::Finding;
use crate::issue::tree::{Field, Href, Place};

/// Schemes that a link may have. Everything else becomes plain words and a finding.
const SCHEMES: [&str; 14] = [
    "http", "https", "mailto", "tel", "sms", "ftp", "sftp", "geo", "xmpp", "matrix", "signal", "webcal", "news",
    "magnet",
];

/// The target of a link as written (with hidden fields), or `None` if the words must stand without it.
pub(super) fn target(fields: &Fields, url: &str, at: Place, findings: &mut Vec<Finding>) -> Option<Href> {
    let pieces = fields.split(url.trim());
    match pieces.as_slice() {
        [] => {
            findings.push(Finding::blocks(
                "link-without-target",
                at,
                "this link leads nowhere",
                "write the address in the parentheses: [words](https://…)",
            ));
            Some(Href::default())
        }
        [Piece::Field(field)] => Some(own(field, at, findings)),
        [Piece::Wrong { what, instead, at, .. }] => {
            findings.push(Finding::blocks("unknown-field", *at, *what, *instead));
            Some(Href::default())
        }
        pieces if pieces.iter().all(|piece| matches!(piece, Piece::Text(_))) => {
            address(&fields.restore(url.trim()), at, findings)
        }
        _ => {
            findings.push(Finding::blocks(
                "field-in-address",
                at,
                format!("a field stands inside the address {}", fields.restore(url)),
                "an address is the same for every reader; only {{ unsubscribe }}, {{ preferences }}, {{ pause }} or \
                 {{ web_copy }} may be a whole address",
            ));
            Some(Href::default())
        }
    }
}

fn own(field: &Field, at: Place, findings: &mut Vec<Finding>) -> Href {
    if matches!(field, Field::Name { .. } | Field::Email) {
        findings.push(Finding::blocks(
            "field-is-no-address",
            at,
            "a name or an e-mail address is nothing that a link can open",
            "write {{ unsubscribe }}, {{ preferences }}, {{ pause }} or {{ web_copy }}, or an https address",
        ));
        return Href::default();
    }
    Href::Own(field.clone())
}

fn address(url: &str, at: Place, findings: &mut Vec<Finding>) -> Option<Href> {
    // Browsers ignore these within a scheme: "java\tscript:" runs.
    let clean: String = url.chars().filter(|letter| !letter.is_control()).collect();
    let clean = clean.trim().replace(' ', "%20");
    if clean.starts_with('#') {
        return Some(Href::Url(clean));
    }
    if let Some(rest) = clean.strip_prefix("//") {
        return Some(Href::Url(format!("https://{rest}")));
    }
    match scheme(&clean) {
        Some(scheme) if SCHEMES.contains(&scheme.as_str()) => {
            if matches!(scheme.as_str(), "http" | "https") && url::Url::parse(&clean).is_err() {
                findings.push(Finding::blocks(
                    "link-without-target",
                    at,
                    format!("{clean} is not a whole address"),
                    "write it with its host: https://example.com/page",
                ));
            }
            Some(Href::Url(clean))
        }
        Some(scheme) => {
            findings.push(Finding::blocks(
                "unsafe-link",
                at,
                format!("a link may not lead to {}", short(&clean)),
                format!("“{scheme}:” opens in no mail program; write an https address"),
            ));
            None
        }
        None => {
            findings.push(relative(&clean, at));
            Some(Href::Url(clean))
        }
    }
}

/// The scheme, in lower case, if the address has one. `host:8080/x` has none, nor has `a/b:c`.
fn scheme(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once(':')?;
    let well_formed = scheme.starts_with(|letter: char| letter.is_ascii_alphabetic())
        && scheme.chars().all(|letter| letter.is_ascii_alphanumeric() || "+-.".contains(letter));
    let is_port = scheme.contains('.') && rest.starts_with(|letter: char| letter.is_ascii_digit());
    (well_formed && !is_port).then(|| scheme.to_ascii_lowercase())
}

fn relative(url: &str, at: Place) -> Finding {
    let host = url.split(['/', '?', '#']).next().unwrap_or_default();
    let is_host = host.contains('.') && !url.starts_with('.') && !url.starts_with('/');
    let instead = match (is_host, url.contains('@')) {
        (_, true) => format!("write mailto:{url}"),
        (true, _) => format!("write https://{url}"),
        (false, _) => "write the whole address, with https:// and the host".to_owned(),
    };
    Finding::blocks("relative-link", at, format!("{} opens nothing in a mail: it has no host", short(url)), instead)
}

/// An address for a sentence: whole if short.
fn short(url: &str) -> String {
    const LETTERS_MAX: usize = 60;
    if url.chars().count() <= LETTERS_MAX {
        return url.to_owned();
    }
    let head: String = url.chars().take(LETTERS_MAX).collect();
    format!("{head}…")
}

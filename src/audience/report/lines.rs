//! Reading the words of a report: where it ends and the returned mail begins, and which address each line speaks of.

use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, MatchKind};

use super::found_address::{self, Spot, same};

/// Of one recipient's words; what follows is the next matter.
const BLOCK_BYTES_MAX: usize = 2048;
/// Recipients of one report.
pub(super) const RECIPIENTS_MAX: usize = 1000;

/// A line that begins so, behind dashes and spaces, ends the report: what follows was returned.
const CUTS: &[&str] = &[
    "below this line is a copy",
    "this is a copy of",
    "this is a copy of your",
    "this is a copy of the",
    "original message follows",
    "original mail as follows",
    "original message headers",
    "original message header",
    "original message",
    "original mail",
    "original headers",
    "message header follows",
    "message headers follow",
    "unsent message follows",
    "unsent message below",
    "returned message",
    "returned mail follows",
    "no message was collected",
    "included is a copy of the message",
    "enclosed is a copy of",
    "below is a copy of",
    "the header of the original message",
    "header of the original",
    "start of returned message",
    "the attachment contains the original mail",
    "attached is a copy",
    "the following is a copy of",
    "message text follows",
    "copy of the message",
    "content-type: message/rfc822",
    "content-type: text/rfc822-headers",
    "content-type: message/partial",
    "received: ",
    "return-path: ",
    "message-id: ",
    "x-mailer: ",
    "mime-version: ",
    "dkim-signature: ",
    "ursprüngliche nachricht",
    "originalnachricht",
    "en-têtes de message d'origine",
    "en-têtes du message d'origine",
    "message d'origine",
    "intestazioni originali",
    "messaggio originale",
    "mensaje original",
    "mensagem original",
    "encabezados de mensajes originales",
    "ursprüngliche nachrichtenkopfzeilen",
    "ursprüngliche kopfzeilen",
    "исходное сообщение",
    "元のメッセージ",
    "原始邮件",
    "originele berichtkop",
    "nagłówki oryginalnej",
    "-original message",
    "your message follows",
    "text of your message",
];

static CUT: LazyLock<AhoCorasick> = LazyLock::new(|| {
    let builder = AhoCorasick::builder().ascii_case_insensitive(true).match_kind(MatchKind::LeftmostFirst).build(CUTS);
    builder.expect("a few dozen short words fit")
});

/// Where the returned mail begins in `text`; its length when nothing was returned.
pub(super) fn cut(text: &str) -> usize {
    for hit in CUT.find_iter(text) {
        let line = text[..hit.start()].rfind('\n').map_or(0, |at| at + 1);
        let before = &text[line..hit.start()];
        let is_field = text[..hit.end()].ends_with(": ");
        let stands_first = before.chars().all(|it| it.is_whitespace() || "-=*+_#>".contains(it));
        // Fields that a report quotes about itself are indented.
        if !stands_first || line == 0 || (is_field && !before.is_empty()) {
            continue;
        }
        let end = text[hit.end()..].find('\n').map_or(text.len(), |at| hit.end() + at);
        // "Original message size: …" and sentences are no line of their own.
        let after = text[hit.end()..end].trim();
        let is_sentence = before.is_empty() && after.split(' ').count() > 6 && !after.contains("--");
        if is_field || (!is_sentence && !is_label(after)) {
            return line;
        }
    }
    text.len()
}

/// "Original message details:" and the like head a list within the report.
fn is_label(after: &str) -> bool {
    let after = after.to_ascii_lowercase();
    ["details", "size", "id", "subject", "sender", "to", "recipient"].iter().any(|word| after.starts_with(word))
}

/// An address that the report speaks of, and what it says about it.
#[derive(Clone, Debug)]
pub(super) struct Block {
    pub(super) address: String,
    pub(super) text: String,
    /// How surely it is a recipient, 0 to 3; what was returned confirms it and adds 3.
    weight: u8,
}

/// What the returned mail and the report's own header say about addresses.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    /// The sender's: never the reader, unless nobody else is there.
    pub(super) own: Vec<String>,
    /// Whom the returned mail was for.
    pub(super) wanted: Vec<String>,
}

/// The recipients that `text` speaks of: those of the greatest weight, in order.
pub(super) fn blocks(text: &str, known: &Known) -> Vec<Block> {
    let mut found: Vec<Block> = Vec::new();
    let mut current: Option<usize> = None;
    for line in text.lines() {
        match shape(line) {
            Some((spot, weight)) if found.len() < RECIPIENTS_MAX => {
                let weight = weight + if has(&known.wanted, spot.address) { 3 } else { 0 };
                let at = found.iter().position(|block| same(&block.address, spot.address)).unwrap_or_else(|| {
                    found.push(Block { address: spot.address.to_owned(), text: String::new(), weight: 0 });
                    found.len() - 1
                });
                found[at].weight = found[at].weight.max(weight);
                // A weak mention does not take the words from the recipient they belong to.
                let keeps = weight < 2 && current.is_some_and(|current| found[current].weight > weight);
                if !keeps {
                    current = Some(at);
                }
                let rest = if line[..spot.begin].trim().len() <= 1 {
                    line[spot.end..].trim_start_matches(['>', '"', '\'', ':'])
                } else {
                    line
                };
                append(&mut found[current.unwrap_or(at)].text, rest);
            }
            _ => {
                if let Some(current) = current {
                    append(&mut found[current].text, line);
                }
            }
        }
    }
    let chosen = choose(found, known);
    if chosen.is_empty() { behind_aliases(text) } else { chosen }
}

/// Exim keeps the address to itself when an alias of its own made it, and names the alias: "(generated from …)".
fn behind_aliases(text: &str) -> Vec<Block> {
    let mut found: Vec<Block> = Vec::new();
    for line in text.lines() {
        let is_alias =
            line.trim_start().starts_with("(generated from") || line.trim_start().starts_with("(expanded from");
        match found_address::next(line, 0).filter(|_| is_alias && found.len() < RECIPIENTS_MAX) {
            Some(spot) => found.push(Block { address: spot.address.to_owned(), text: String::new(), weight: 0 }),
            None => found.iter_mut().last().into_iter().for_each(|block| append(&mut block.text, line)),
        }
    }
    found
}

fn append(text: &mut String, line: &str) {
    let line = line.trim();
    if !line.is_empty() && text.len() < BLOCK_BYTES_MAX {
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(line);
    }
}

fn choose(mut found: Vec<Block>, known: &Known) -> Vec<Block> {
    let is_other = |block: &Block| !has(&known.own, &block.address) && !found_address::is_system(&block.address);
    if found.iter().any(is_other) {
        found.retain(is_other);
    } else {
        found.retain(|block| block.weight >= 2);
    }
    let most = found.iter().map(|block| block.weight).max().unwrap_or(0);
    // Recipients named as surely as those that the returned header confirms stay with them.
    let least = if most > 3 { 3.min(most) } else { most };
    found.retain(|block| block.weight >= least);
    found
}

pub(super) fn has(list: &[String], address: &str) -> bool {
    list.iter().any(|known| same(known, address))
}

/// Lines about somebody else than the recipient.
const NOT_ABOUT: &[&str] = &[
    "(generated from",
    "(expanded from",
    "generated from",
    "expanded from",
    "from:",
    "from ",
    "von:",
    "de:",
    "da:",
    "от:",
    "差出人",
    "mail from",
    ">>> mail",
    "sender",
    "original sender",
    "original-sender",
    "reply-to",
    "return-path",
    "message-id",
    "references",
    "in-reply-to",
    "subject",
    "received",
    "x-",
    "contact",
    "please contact",
    "https:",
    "http:",
    "for help",
    "for further",
    "if you",
    "sent <<< mail",
    "<<< mail",
    "original-envelope-id",
    "email:",
    "e-mail:",
    "list-",
    "message id",
    "msgid",
    "dsn-gateway",
    "reporting-mta",
    "hello",
    "dear",
    "hi ",
    "envelope-from",
    "envelope from",
    "mta-id",
];

/// Words right before a recipient.
const ABOUT: &[&str] = &[
    "rcpt to:",
    "rcpt to",
    "final-recipient: rfc822;",
    "original-recipient: rfc822;",
    "addressed to:",
    "unknown user:",
    "unknown user",
    "invalid final delivery userid:",
    "deliver message to:",
    "deliver message to",
    "deliver to:",
    "deliver to",
    "delivered to:",
    "delivered to",
    "delivery to:",
    "delivery to",
    "undeliverable to",
    "failed to deliver to",
    "failed to",
    "rejected recipient",
    "recipient:",
    "recipient",
    "recipients:",
    "your message to:",
    "your message to",
    "message to:",
    "message to",
    "mail to:",
    "mail to",
    "reach",
    "sent to:",
    "sent to",
    "failed recipient:",
    "empfänger:",
    "empfänger",
    "destinataire",
    "destinataire:",
    "destinatario:",
    "destinatario",
    "destinatário:",
    "ontvanger:",
    "odbiorca:",
    "получатель:",
    "получателя",
    "宛先:",
    "宛先：",
    "宛先",
    "收件人:",
    "收件人：",
    "收件人",
    "받는사람:",
    "수신자:",
    "address:",
    "address",
    "to:",
    "an:",
    "à:",
    "para:",
    "aan:",
    "a:",
    "do:",
    "кому:",
    "for:",
    "for",
    "to",
    "user:",
    "addressee:",
    "mailto:",
    "gateway for",
    "账号",
    "adresse",
    "an",
    "à",
    "mailbox",
    "mailbox:",
];

/// The address that a line speaks of, and how surely it is a recipient.
fn shape(line: &str) -> Option<(Spot<'_>, u8)> {
    let spot = found_address::next(line, 0)?;
    let before = line[..spot.begin].trim().to_lowercase();
    if NOT_ABOUT.iter().any(|word| before.starts_with(word)) {
        return None;
    }
    let after = line[spot.end..].trim_start_matches(['>', '"', '\'', ')', ']']).trim_start();
    let bare = before.trim_matches(|it: char| it.is_whitespace() || "<\"'([*->•·:;".contains(it));
    if bare.is_empty() {
        let ends = after.is_empty() || after.starts_with(|it: char| !it.is_alphabetic() || !it.is_ascii());
        let indented = line.starts_with([' ', '\t', '<', '*', '"']) || before.starts_with(['<', '*', '"']);
        return Some((spot, if ends || indented { 3 } else { 2 }));
    }
    if bare.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b' ' | b'-' | b'#' | b')')) {
        return Some((spot, 3));
    }
    if bare.ends_with("rcpt to") || before.ends_with("mailto:<") || before.ends_with("mailto:") {
        return Some((spot, 3));
    }
    let closing = before.trim_end_matches(['<', '"', '\'', '(', ' ', '[', '「', '＜']);
    let is_about = ABOUT.iter().any(|word| {
        closing
            .strip_suffix(word)
            .is_some_and(|rest| rest.is_empty() || !rest.ends_with(|it: char| it.is_ascii_alphanumeric()))
    });
    if is_about {
        return Some((spot, 2));
    }
    Some((spot, u8::from(super::code::reply(line).is_some())))
}

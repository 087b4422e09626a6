//! The headers of an issue's message: what stands in them, and what may.

use super::encode::{mailbox, phrase};
use super::newsletter::Masthead;
use crate::values::clock::Millis;
use crate::values::ids::IssueId;

/// Longest List-Id, and longest domain name (RFC 2919 §3, RFC 1035 §2.3.4).
const LIST_ID_OCTETS_MAX: usize = 255;
/// Longest address (RFC 5321 §4.5.3.1.3: a path of 256 with its brackets).
const ADDRESS_OCTETS_MAX: usize = 254;
/// Longest link in a header: it stands on one line, which may hold 998 octets (RFC 5322 §2.1.1).
const LINK_OCTETS_MAX: usize = 900;
/// A sender id of a Feedback-ID has 5 to 15 characters (Gmail's feedback loop).
const SENDER_ID_LETTERS: std::ops::RangeInclusive<usize> = 5..=15;

/// Why a message cannot be made. Nothing was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unmailable {
    #[error("the newsletter's sender address cannot stand in a mail: it needs a plain name, an @ and a domain")]
    Sender,
    #[error("the newsletter's list id is not a domain name of at most 255 letters")]
    ListId,
    #[error("the reader's address cannot stand in a mail")]
    Recipient,
    #[error("the message id is not in the form of one")]
    MessageId,
    #[error("a link for the headers is not an address of at most 900 plain letters")]
    Link,
}

/// An address for a header or an envelope: printable ASCII, its domain in A-labels and lower case.
///
/// # Errors
/// [`Unmailable::Recipient`] for anything else; whoever knows better whose it is says so.
pub fn ascii_address(address: &str) -> Result<String, Unmailable> {
    let (local, domain) = address.trim().rsplit_once('@').ok_or(Unmailable::Recipient)?;
    let domain = idna::domain_to_ascii_strict(domain).map_err(|_| Unmailable::Recipient)?;
    let quoted = local.len() > 2 && local.starts_with('"') && local.ends_with('"');
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".!#$%&'*+-/=?^_`{|}~".contains(&byte);
    let safe = if quoted {
        local[1..local.len() - 1].bytes().all(|byte| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\')
    } else {
        !local.is_empty() && local.bytes().all(plain)
    };
    let whole = format!("{local}@{domain}");
    if safe && !domain.is_empty() && whole.len() <= ADDRESS_OCTETS_MAX { Ok(whole) } else { Err(Unmailable::Recipient) }
}

/// A link that may stand in brackets: its odd letters percent-encoded.
///
/// # Errors
/// [`Unmailable::Link`] if it is too long for a line or has no scheme.
pub fn bracketed(url: &str) -> Result<String, Unmailable> {
    let mut out = String::with_capacity(url.len() + 2);
    out.push('<');
    for byte in url.trim().bytes() {
        match byte {
            b'!'..=b'~' if !b"<>\"\\^`{|}, ".contains(&byte) => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out.push('>');
    if out.len() <= LINK_OCTETS_MAX && out.contains(':') { Ok(out) } else { Err(Unmailable::Link) }
}

/// A message id in its brackets: `left@right`, plain letters only (RFC 5322 §3.6.4).
///
/// # Errors
/// [`Unmailable::MessageId`].
pub fn message_id(id: &str) -> Result<String, Unmailable> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".!#$%&'*+-/=?^_`{|}~".contains(&byte);
    let (left, right) = id.split_once('@').ok_or(Unmailable::MessageId)?;
    let fits = !left.is_empty() && !right.is_empty() && id.len() <= 500;
    if fits && left.bytes().chain(right.bytes()).all(plain) {
        Ok(format!("<{id}>"))
    } else {
        Err(Unmailable::MessageId)
    }
}

/// Whether RFC 8058's header may be set: the link is https, or leads to this very machine (demo and development).
#[must_use]
pub fn one_click_possible(url: &str) -> bool {
    let here = ["http://127.0.0.1", "http://localhost", "http://[::1]"];
    url.starts_with("https://") || here.iter().any(|here| url.starts_with(here))
}

/// `Name: value`.
pub(super) fn field(name: &str, value: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value.as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// From and Reply-To.
///
/// # Errors
/// [`Unmailable::Sender`].
pub(super) fn sender(masthead: &Masthead, out: &mut Vec<u8>) -> Result<(), Unmailable> {
    let from = ascii_address(&masthead.from_address).map_err(|_| Unmailable::Sender)?;
    out.extend_from_slice(b"From: ");
    mailbox(&masthead.from_name, &from, "From: ".len(), out);
    out.extend_from_slice(b"\r\n");
    if let Some(reply_to) = masthead.reply_to.as_deref().filter(|reply_to| !reply_to.trim().is_empty()) {
        field("Reply-To", &ascii_address(reply_to).map_err(|_| Unmailable::Sender)?, out);
    }
    Ok(())
}

/// The instant in RFC 5322's form, in the newsletter's zone.
pub(super) fn date(at: Millis, zone: &str) -> String {
    let timestamp = at.timestamp();
    let zoned = timestamp.to_zoned_datetime(crate::values::zone::find(zone).unwrap_or(jiff::tz::TimeZone::UTC));
    zoned.strftime("%a, %d %b %Y %H:%M:%S %z").to_string()
}

/// List-Id and the other fields of a list (RFC 2919, RFC 2369) that are the same for every reader.
///
/// # Errors
/// [`Unmailable::ListId`], [`Unmailable::Sender`], [`Unmailable::Link`].
pub(super) fn list(masthead: &Masthead, issue: IssueId, out: &mut Vec<u8>) -> Result<(), Unmailable> {
    let label = |label: &str| {
        !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    let list_id = masthead.list_id.trim();
    if list_id.len() > LIST_ID_OCTETS_MAX || !list_id.contains('.') || !list_id.split('.').all(label) {
        return Err(Unmailable::ListId);
    }
    out.extend_from_slice(b"List-Id: ");
    let end = phrase(&super::encode::header_line(&masthead.name), "List-Id: ".len(), out);
    out.extend_from_slice(if end + list_id.len() + 3 > 76 { b"\r\n <" } else { b" <" });
    out.extend_from_slice(list_id.as_bytes());
    out.extend_from_slice(b">\r\n");
    let owner = masthead.reply_to.as_deref().filter(|reply_to| !reply_to.trim().is_empty());
    let owner = ascii_address(owner.unwrap_or(&masthead.from_address)).map_err(|_| Unmailable::Sender)?;
    field("List-Help", &bracketed(&masthead.home())?, out);
    field("List-Owner", &bracketed(&format!("mailto:{owner}"))?, out);
    field("List-Post", "NO", out);
    field("List-Archive", &bracketed(&masthead.archive())?, out);
    field("Feedback-ID", &feedback_id(masthead, issue), out);
    Ok(())
}

/// Issue, newsletter, kind, sender: four fields, no value twice, none of the reader's (Gmail's feedback loop).
fn feedback_id(masthead: &Masthead, issue: IssueId) -> String {
    let slug: String =
        masthead.slug.chars().filter(|letter| letter.is_ascii_alphanumeric() || *letter == '-').collect();
    format!("i-{issue}:n-{slug}:issue:{}", sender_id(&masthead.from_address))
}

/// The sender's domain without its dots, in the length that Gmail takes.
fn sender_id(address: &str) -> String {
    let domain = address.rsplit_once('@').map_or(address, |(_, domain)| domain).to_ascii_lowercase();
    let mut id: String = domain.chars().filter(char::is_ascii_alphanumeric).take(*SENDER_ID_LETTERS.end()).collect();
    while id.len() < *SENDER_ID_LETTERS.start() {
        id.push('0');
    }
    id
}

//! Addresses as reports write them: in brackets, behind types, quoted, encoded for gateways.

use super::decode::hex;

/// RFC 5321 §4.5.3.1.1 says 64; real VERP addresses are longer.
const LOCAL_BYTES_MAX: usize = 128;
const DOMAIN_BYTES_MAX: usize = 253;

/// An address within a text, and where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Spot<'a> {
    pub(super) address: &'a str,
    pub(super) begin: usize,
    pub(super) end: usize,
}

/// The first address of `text` at or after `from`.
pub(super) fn next(text: &str, from: usize) -> Option<Spot<'_>> {
    let bytes = text.as_bytes();
    let mut at = from;
    while let Some(found) = bytes.get(at..).and_then(|rest| memchr::memchr(b'@', rest)) {
        let sign = at + found;
        at = sign + 1;
        let begin = local_begin(bytes, sign, from);
        let end = domain_end(bytes, sign);
        if begin == sign || end == sign + 1 || sign - begin > LOCAL_BYTES_MAX || end - sign > DOMAIN_BYTES_MAX {
            continue;
        }
        let in_brackets = begin > 0 && bytes[begin - 1] == b'<' && bytes.get(end) == Some(&b'>');
        let domain = &bytes[sign + 1..end];
        if !in_brackets && !domain.contains(&b'.') {
            continue;
        }
        if let Some(address) = text.get(begin..end) {
            return Some(Spot { address, begin, end });
        }
    }
    None
}

/// Every address of `text`, from left to right.
pub(super) fn all(text: &str) -> impl Iterator<Item = Spot<'_>> {
    let mut from = 0;
    std::iter::from_fn(move || {
        let spot = next(text, from)?;
        from = spot.end;
        Some(spot)
    })
}

fn local_begin(bytes: &[u8], sign: usize, from: usize) -> usize {
    if sign > from && bytes[sign - 1] == b'"' {
        let from = from.max(sign.saturating_sub(LOCAL_BYTES_MAX));
        let quote = bytes[from..sign - 1].iter().rposition(|byte| *byte == b'"');
        return quote.map_or(sign, |quote| from + quote);
    }
    let is_local = |byte: &u8| byte.is_ascii_alphanumeric() || b".!#$%&'*+-/=?^_`{|}~".contains(byte);
    let length = bytes[from..sign].iter().rev().take_while(|byte| is_local(byte)).count();
    let mut begin = sign - length;
    // Beyond ASCII only where brackets say where it begins (RFC 6531).
    if begin > from && !bytes[begin - 1].is_ascii() {
        let from = from.max(sign.saturating_sub(LOCAL_BYTES_MAX));
        let open = bytes[from.min(begin)..begin].iter().rposition(|byte| matches!(byte, b'<' | b' ' | b'\n'));
        if let Some(open) = open.filter(|open| bytes[from + open] == b'<') {
            return from + open + 1;
        }
    }
    while begin < sign
        && b"'`*|{}=/!".contains(&bytes[begin])
        && bytes[begin..sign].iter().any(u8::is_ascii_alphanumeric)
    {
        begin += 1;
    }
    begin
}

fn domain_end(bytes: &[u8], sign: usize) -> usize {
    if bytes.get(sign + 1) == Some(&b'[') {
        let close = bytes[sign..].iter().take(60).position(|byte| *byte == b']');
        return close.map_or(sign + 1, |close| sign + close + 1);
    }
    let is_domain =
        |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b'*') || !byte.is_ascii();
    let in_brackets = bytes[..sign].iter().rev().take(LOCAL_BYTES_MAX).find(|byte| matches!(byte, b'<' | b' ' | b'\n'));
    let beyond_ascii = in_brackets == Some(&b'<');
    let mut end = sign + 1;
    while bytes.get(end).is_some_and(|byte| is_domain(byte) && (beyond_ascii || byte.is_ascii())) {
        end += 1;
    }
    while end > sign + 1 && matches!(bytes[end - 1], b'.' | b'-' | b'_') {
        end -= 1;
    }
    end
}

/// The address of a report's field: "rfc822; <user@site.example> (note)".
pub(super) fn of_field(value: &str) -> Option<String> {
    let value = value.trim();
    let (kind, rest) = match value.split_once(';') {
        Some((kind, rest)) if !kind.contains('@') => (kind.trim(), rest.trim()),
        _ => ("rfc822", value),
    };
    let rest = unescape(kind, rest);
    let spot = next(&rest, 0).map(|spot| spot.address.to_owned());
    // A bare domain without a dot is an address here: the field holds nothing else.
    let bare = || {
        let word = rest.trim_matches(['<', '>', '"', '\'', ' ']).split([' ', '>', '(']).next().unwrap_or_default();
        (word.split_once('@').is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty()))
            .then(|| word.to_owned())
    };
    spot.or_else(bare).map(|address| from_gateway(&address))
}

/// RFC 6533 §3 writes what is beyond ASCII as `\x{C3}`.
fn unescape(kind: &str, text: &str) -> String {
    if !kind.eq_ignore_ascii_case("utf-8") || !text.contains("\\x{") {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("\\x{") {
        out.push_str(&rest[..at]);
        rest = &rest[at + 3..];
        let (digits, after) = rest.split_once('}').unwrap_or((rest, ""));
        out.extend(u32::from_str_radix(digits, 16).ok().and_then(char::from_u32));
        rest = after;
    }
    out.push_str(rest);
    out
}

/// Exchange packs addresses that are not its own: `IMCEASMTP-user+40site+2Eexample@gateway.example`.
pub(super) fn from_gateway(address: &str) -> String {
    let packed = address.strip_prefix("IMCEASMTP-").or_else(|| address.strip_prefix("IMCEAINVALID-"));
    let Some((packed, _gateway)) = packed.and_then(|packed| packed.rsplit_once('@')) else {
        return address.to_owned();
    };
    let bytes = packed.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let escaped = match bytes[at..] {
            [b'+', high, low, ..] => hex(high).zip(hex(low)).map(|(high, low)| high * 16 + low),
            _ => None,
        };
        out.push(escaped.unwrap_or(bytes[at]));
        at += if escaped.is_some() { 3 } else { 1 };
    }
    String::from_utf8(out).ok().filter(|out| next(out, 0).is_some()).unwrap_or_else(|| address.to_owned())
}

/// Whether two spellings are one mailbox to us: without case, without a BATV tag (`prvs=…=`).
pub(super) fn same(one: &str, other: &str) -> bool {
    without_tag(one).eq_ignore_ascii_case(without_tag(other))
}

fn without_tag(address: &str) -> &str {
    match address.strip_prefix("prvs=").and_then(|rest| rest.split_once('=')) {
        Some((_tag, rest)) => rest,
        None => address,
    }
}

/// Mailboxes of the mail system and of its keepers: never the reader that a report is about.
pub(super) fn is_system(address: &str) -> bool {
    const LOCALS: &[&str] = &[
        "mailer-daemon",
        "postmaster",
        "mail-daemon",
        "mailerdaemon",
        "mailer_daemon",
        "abuse",
        "hostmaster",
        "no-reply",
        "noreply",
        "mdaemon",
        "support",
        "helpdesk",
    ];
    let local = address.split('@').next().unwrap_or_default();
    LOCALS.iter().any(|known| local.eq_ignore_ascii_case(known))
}

/// The reader's address within the sender's own (VERP): `bounces+61-ab-user=site.example@ours.example`.
pub(super) fn of_verp(address: &str) -> Option<String> {
    let (local, _domain) = address.rsplit_once('@')?;
    let (user, domain) = local.rsplit_once('=')?;
    let user = user.rsplit(['+', '=']).next().unwrap_or(user);
    // Behind a plus or an equals sign the address stands whole; behind hyphens after the counters.
    let user = match user.rsplit_once('-') {
        Some((before, after)) if before.starts_with(|it: char| it.is_ascii_digit()) || !local.contains('+') => after,
        _ => user,
    };
    (domain.contains('.') && !user.is_empty()).then(|| format!("{user}@{domain}"))
}

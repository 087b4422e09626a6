//! From bytes to text: transfer encodings, charsets, encoded words, HTML. Whatever is broken is kept as it is.

use std::borrow::Cow;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use encoding_rs::{Encoding, ISO_2022_JP, UTF_8, WINDOWS_1252};

/// RFC 2047 §2 says 75; real ones are longer.
const WORD_BYTES_MAX: usize = 2000;
/// Of one header field: a few thousand recipients.
const VALUE_BYTES_MAX: usize = 64 * 1024;

const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// The body without its transfer encoding.
pub(super) fn transfer<'a>(body: &'a [u8], encoding: &[u8]) -> Cow<'a, [u8]> {
    let encoding = encoding.trim_ascii();
    if encoding.eq_ignore_ascii_case(b"base64") {
        return base64(body).map_or(Cow::Borrowed(body), Cow::Owned);
    }
    if encoding.eq_ignore_ascii_case(b"quoted-printable") {
        return quoted_printable(body);
    }
    Cow::Borrowed(body)
}

/// What is base64 in `body`; none when that is not what it is.
fn base64(body: &[u8]) -> Option<Vec<u8>> {
    let is_digit = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    let mut digits = Vec::with_capacity(body.len());
    let mut other = 0;
    for byte in body {
        if is_digit(byte) {
            digits.push(*byte);
        } else if !matches!(byte, b'\r' | b'\n' | b' ' | b'\t' | b'=') {
            other += 1;
        }
    }
    if other > digits.len() / 20 {
        return None;
    }
    // One digit left over says nothing.
    if digits.len() % 4 == 1 {
        digits.pop();
    }
    LENIENT.decode(digits).ok()
}

/// RFC 2045 §6.7; an equals sign that is no escape stays.
fn quoted_printable(body: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr(b'=', body).is_none() {
        return Cow::Borrowed(body);
    }
    let mut out = Vec::with_capacity(body.len());
    let mut at = 0;
    while let Some(found) = memchr::memchr(b'=', &body[at..]) {
        out.extend_from_slice(&body[at..at + found]);
        at += found + 1;
        match &body[at..] {
            [b'\r', b'\n', ..] => at += 2,
            [b'\n', ..] => at += 1,
            [high, low, ..] => match (hex(*high), hex(*low)) {
                (Some(high), Some(low)) => {
                    out.push(high * 16 + low);
                    at += 2;
                }
                _ => out.push(b'='),
            },
            _ => out.push(b'='),
        }
    }
    out.extend_from_slice(&body[at..]);
    Cow::Owned(out)
}

pub(super) fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

/// Bytes as text, by the label when there is one and it is believable.
pub(super) fn charset<'a>(bytes: &'a [u8], label: Option<&str>) -> Cow<'a, str> {
    let escapes = memchr::memmem::find(bytes, b"\x1b$").is_some();
    if !escapes && bytes.is_ascii() {
        return String::from_utf8_lossy(bytes);
    }
    if escapes {
        return ISO_2022_JP.decode_without_bom_handling(bytes).0;
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Cow::Borrowed(text);
    }
    let named = label.and_then(|label| Encoding::for_label(label.trim().as_bytes())).filter(|it| *it != UTF_8);
    named.unwrap_or(WINDOWS_1252).decode_without_bom_handling(bytes).0
}

/// A header's value, unfolded, its encoded words (RFC 2047) decoded.
pub(super) fn header_text(raw: &[u8]) -> Cow<'_, str> {
    let text = charset(&raw[..raw.len().min(VALUE_BYTES_MAX)], None);
    let text = if text.contains('\n') { Cow::Owned(unfold(&text)) } else { text };
    if text.contains("=?") { Cow::Owned(encoded_words(&text)) } else { text }
}

fn unfold(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for line in text.lines() {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(line.trim());
    }
    out
}

fn encoded_words(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    // Bytes of neighbours in one charset are joined first: a character may be cut in two.
    let mut held: Vec<u8> = Vec::new();
    let mut held_charset = String::new();
    while let Some(at) = rest.find("=?") {
        let Some((charset_name, bytes, after)) = encoded_word(&rest[at..]) else {
            flush(&mut out, &mut held, &held_charset);
            out.push_str(&rest[..at + 2]);
            rest = &rest[at + 2..];
            continue;
        };
        let between = &rest[..at];
        if held.is_empty() || !between.trim().is_empty() || !held_charset.eq_ignore_ascii_case(charset_name) {
            flush(&mut out, &mut held, &held_charset);
            out.push_str(between);
        }
        charset_name.clone_into(&mut held_charset);
        held.extend_from_slice(&bytes);
        rest = after;
    }
    flush(&mut out, &mut held, &held_charset);
    out.push_str(rest);
    out
}

fn flush(out: &mut String, held: &mut Vec<u8>, label: &str) {
    if !held.is_empty() {
        out.push_str(&charset(held, Some(label)));
        held.clear();
    }
}

/// The word at the beginning of `text`: its charset, its bytes and what follows.
fn encoded_word(text: &str) -> Option<(&str, Vec<u8>, &str)> {
    let near = &text[..text.floor_char_boundary(WORD_BYTES_MAX)];
    let mut fields = near.strip_prefix("=?")?.splitn(3, '?');
    let (name, how, rest) = (fields.next()?, fields.next()?, fields.next()?);
    let (word, _) = rest.split_once("?=")?;
    let after = &text["=?".len() + name.len() + how.len() + 2 + word.len() + "?=".len()..];
    let bytes = match how {
        "B" | "b" => base64(word.as_bytes())?,
        "Q" | "q" => quoted_printable(word.replace('_', " ").as_bytes()).into_owned(),
        _ => return None,
    };
    // RFC 2231 §5: a language may follow the charset.
    Some((name.split('*').next().unwrap_or(name), bytes, after))
}

/// The words of HTML, with a line for each block.
pub(super) fn html_text(html: &str) -> String {
    let mut out = String::with_capacity(html.len() / 2);
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        push_words(&mut out, &rest[..at]);
        rest = &rest[at..];
        let end = rest.find('>').map_or(rest.len(), |end| end + 1);
        let tag = rest[1..end].trim_start_matches('/');
        let name_end = tag.find(|it: char| !it.is_ascii_alphanumeric()).unwrap_or(tag.len());
        let name = tag[..name_end].to_ascii_lowercase();
        // "<user@site.example>" without escapes is an address and no tag.
        if tag[name_end..].starts_with(['@', '.', '-', '_', '+']) && tag.contains('@') {
            out.push_str(&rest[..end]);
        }
        let hidden = matches!(name.as_str(), "style" | "script" | "title") && !rest.starts_with("</");
        rest = &rest[end..];
        if hidden {
            rest = rest.find("</").map_or("", |close| &rest[close..]);
        }
        if matches!(
            name.as_str(),
            "br" | "p" | "div" | "tr" | "li" | "h1" | "h2" | "h3" | "table" | "blockquote" | "pre"
        ) {
            out.push('\n');
        } else if matches!(name.as_str(), "td" | "th") {
            out.push(' ');
        }
    }
    push_words(&mut out, rest);
    out
}

fn push_words(out: &mut String, words: &str) {
    if !words.contains('&') {
        out.push_str(words);
        return;
    }
    const NAMES: &[(&str, &str)] = &[
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#39;", "'"),
        ("&nbsp;", " "),
        ("&#64;", "@"),
        ("&amp;", "&"),
    ];
    let mut rest = words;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let (name, is) = NAMES.iter().find(|(name, _)| rest.starts_with(name)).copied().unwrap_or(("&", "&"));
        out.push_str(is);
        rest = &rest[name.len()..];
    }
    out.push_str(rest);
}

//! MIME, read so that nothing in it can stop us: a bounce is often built by a program that never read RFC 2045. A part
//! that cannot be taken apart is taken as text.

use std::borrow::Cow;

use memchr::memmem;

use super::decode::{charset, header_text, transfer};

/// Header lines of one part; more is no mail.
const FIELDS_MAX: usize = 500;
/// Parts of one mail that are looked at: reports have three, digests a few dozen.
const PARTS_MAX: usize = 100;
/// Multiparts within multiparts.
const DEPTH_MAX: usize = 10;
/// A file name and a few parameters; longer ones are an attack or noise.
const CONTENT_TYPE_BYTES_MAX: usize = 4096;

/// The header of a mail or a part: names with their raw values, folds included.
#[derive(Clone, Debug, Default)]
pub(super) struct Fields<'a>(Vec<(&'a [u8], &'a [u8])>);

impl<'a> Fields<'a> {
    /// The header at the beginning of `bytes`, and where the body begins.
    pub(super) fn read(bytes: &'a [u8]) -> (Self, usize) {
        let mut fields: Vec<(&[u8], &[u8])> = Vec::new();
        let mut at = 0;
        while at < bytes.len() {
            let end = memchr::memchr(b'\n', &bytes[at..]).map_or(bytes.len(), |found| at + found + 1);
            let line = trim_end(&bytes[at..end]);
            let begin = at;
            at = end;
            if line.is_empty() {
                // Some programs write a blank line or two first.
                if fields.is_empty() && at < bytes.len().min(200) {
                    continue;
                }
                return (Self(fields), at);
            }
            if line[0] == b' ' || line[0] == b'\t' {
                if let Some(last) = fields.last_mut() {
                    last.1 = &bytes[offset(bytes, last.1)..begin + line.len()];
                }
                continue;
            }
            if let Some((name, value)) = split_field(line)
                && fields.len() < FIELDS_MAX
            {
                fields.push((name, value));
            } else if !fields.is_empty() && line.starts_with(b"--") {
                // A boundary without the blank line before it.
                return (Self(fields), begin);
            }
        }
        (Self(fields), bytes.len())
    }

    /// The first field of this name, unfolded and decoded.
    pub(super) fn get(&self, name: &str) -> Option<Cow<'a, str>> {
        self.raw(name).map(header_text)
    }

    /// Every field of this name, unfolded and decoded.
    pub(super) fn all(&self, name: &str) -> impl Iterator<Item = Cow<'a, str>> {
        let wanted = name.to_owned();
        self.0
            .iter()
            .filter(move |(name, _)| name.eq_ignore_ascii_case(wanted.as_bytes()))
            .map(|(_, it)| header_text(it))
    }

    pub(super) fn raw(&self, name: &str) -> Option<&'a [u8]> {
        self.0.iter().find(|(known, _)| known.eq_ignore_ascii_case(name.as_bytes())).map(|(_, value)| *value)
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.raw(name).is_some()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn content_type(&self) -> ContentType {
        self.raw("content-type").map_or_else(ContentType::plain, ContentType::read)
    }
}

/// Where `part`, a slice of `whole`, begins in it.
fn offset(whole: &[u8], part: &[u8]) -> usize {
    (part.as_ptr() as usize).saturating_sub(whole.as_ptr() as usize).min(whole.len())
}

fn split_field(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = memchr::memchr(b':', line)?;
    let name = trim_end(&line[..colon]);
    let is_name = !name.is_empty() && name.len() <= 80 && name.iter().all(|byte| (33..127).contains(byte));
    is_name.then(|| (name, line[colon + 1..].trim_ascii_start()))
}

fn trim_end(line: &[u8]) -> &[u8] {
    line.trim_ascii_end()
}

/// What a part says it is.
#[derive(Clone, Debug)]
pub(super) struct ContentType {
    /// "text/plain", in lower case.
    pub(super) name: String,
    boundary: Option<String>,
    charset: Option<String>,
    pub(super) report_type: Option<String>,
}

impl ContentType {
    fn plain() -> Self {
        Self { name: "text/plain".to_owned(), boundary: None, charset: None, report_type: None }
    }

    fn read(value: &[u8]) -> Self {
        let value = header_text(&value[..value.len().min(CONTENT_TYPE_BYTES_MAX)]);
        let (name, rest) = value.split_once(';').unwrap_or((&value, ""));
        let mut found = Self { name: name.trim().to_ascii_lowercase(), ..Self::plain() };
        let mut rest = rest;
        while let Some((name, after)) = rest.split_once('=') {
            let after = after.trim_start();
            let (value, next) = match after.strip_prefix('"') {
                Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
                None => after.find([';', ' ', '\t']).map_or((after, ""), |end| after.split_at(end)),
            };
            let slot = match name.trim_start_matches([';', ' ', '\t']).trim_end().to_ascii_lowercase().as_str() {
                "boundary" => &mut found.boundary,
                "charset" => &mut found.charset,
                "report-type" => &mut found.report_type,
                _ => &mut None,
            };
            slot.get_or_insert_with(|| value.trim_matches('\'').to_owned());
            rest = next;
        }
        found
    }

    pub(super) fn is_report(&self, kind: &str) -> bool {
        self.report_type.as_deref().is_some_and(|known| known.eq_ignore_ascii_case(kind))
    }

    fn is_message(&self) -> bool {
        matches!(
            self.name.as_str(),
            "message/rfc822"
                | "message/partial"
                | "text/rfc822-headers"
                | "message/global"
                | "message/global-headers"
                | "text/rfc822-header"
                | "message/rfc822-headers"
                | "text/rfc822"
        )
    }
}

/// What a part is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    Text,
    Html,
    /// Fields of RFC 3464.
    Status,
    /// Fields of RFC 5965.
    Feedback,
    /// Fields of RFC 8098.
    Disposition,
    /// A mail, or its header: what was returned, or a report within a mail.
    Message,
    Other,
}

#[derive(Clone, Debug)]
pub(super) struct Part<'a> {
    pub(super) purpose: Use,
    /// Without the transfer encoding.
    pub(super) body: Cow<'a, [u8]>,
    charset: Option<String>,
}

impl Part<'_> {
    /// The body as text.
    pub(super) fn text(&self) -> Cow<'_, str> {
        charset(&self.body, self.charset.as_deref())
    }
}

/// A mail taken apart.
#[derive(Clone, Debug)]
pub(super) struct Mail<'a> {
    pub(super) head: Fields<'a>,
    pub(super) kind: ContentType,
    /// Leaves, in order.
    pub(super) parts: Vec<Part<'a>>,
}

impl<'a> Mail<'a> {
    pub(super) fn read(bytes: &'a [u8]) -> Self {
        let (head, at) = Fields::read(bytes);
        let kind = head.content_type();
        let mut parts = Vec::new();
        walk(&head, &kind, &bytes[at..], 0, &mut parts);
        Self { head, kind, parts }
    }

    pub(super) fn first(&self, purpose: Use) -> Option<&Part<'a>> {
        self.parts.iter().find(|part| part.purpose == purpose)
    }
}

fn walk<'a>(head: &Fields<'a>, kind: &ContentType, body: &'a [u8], depth: usize, parts: &mut Vec<Part<'a>>) {
    if parts.len() >= PARTS_MAX {
        return;
    }
    if kind.name.starts_with("multipart/")
        && depth < DEPTH_MAX
        && let Some(boundary) = kind.boundary.as_deref().filter(|it| !it.trim().is_empty())
    {
        let pieces = split(body, boundary.trim_end().as_bytes());
        for piece in &pieces {
            let (head, at) = Fields::read(piece);
            // A part whose header was forgotten begins with its text.
            let headless = !head.is_empty() && !head.has("content-type") && !head.has("content-transfer-encoding");
            let at = if headless && !head.has("content-description") { 0 } else { at };
            walk(&head, &head.content_type(), &piece[at..], depth + 1, parts);
        }
        if !pieces.is_empty() {
            return;
        }
    }
    let encoding = head.raw("content-transfer-encoding").unwrap_or_default();
    let body = transfer(body, encoding);
    let purpose = match kind.name.as_str() {
        "message/delivery-status" | "message/global-delivery-status" => Use::Status,
        "message/feedback-report" => Use::Feedback,
        "message/disposition-notification" => Use::Disposition,
        "text/html" | "text/x-html" => Use::Html,
        _ if kind.is_message() => Use::Message,
        name if name.starts_with("text") || name.starts_with("multipart/") || !name.contains('/') => Use::Text,
        _ if depth == 0 => Use::Text,
        _ => Use::Other,
    };
    parts.push(Part { purpose, body, charset: kind.charset.clone() });
}

/// The pieces between the boundary's lines; none when the boundary does not occur.
fn split<'a>(body: &'a [u8], boundary: &[u8]) -> Vec<&'a [u8]> {
    let mut delimiter = b"--".to_vec();
    delimiter.extend_from_slice(boundary);
    let finder = memmem::Finder::new(&delimiter);
    let mut pieces = Vec::new();
    let mut begin = None;
    let mut at = 0;
    while let Some(found) = finder.find(&body[at..]) {
        let start = at + found;
        at = start + delimiter.len();
        if start > 0 && body[start - 1] != b'\n' {
            continue;
        }
        // A longer boundary of a part within begins with the same characters.
        let rest = &body[at..memchr::memchr(b'\n', &body[at..]).map_or(body.len(), |end| at + end)];
        let closes = rest.starts_with(b"--");
        if !closes && !trim_end(rest).is_empty() {
            continue;
        }
        if let Some(begin) = begin
            && pieces.len() < PARTS_MAX
        {
            pieces.push(&body[begin..start]);
        }
        at = (at + rest.len() + 1).min(body.len());
        begin = Some(at);
        if closes {
            begin = None;
        }
    }
    if let Some(begin) = begin.filter(|begin| *begin < body.len()) {
        pieces.push(&body[begin..]);
    }
    pieces
}

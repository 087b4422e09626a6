//! Finding reply codes (RFC 5321 §4.2) and enhanced codes (RFC 3463) in whatever surrounds them.

/// Words after a number that make it no reply code: "450 bytes", "after 550 seconds".
const UNITS: &[&str] = &[
    "minute",
    "min ",
    "hour",
    "day",
    "second",
    "sec ",
    "byte",
    "kb",
    "mb",
    "k ",
    "character",
    "line",
    "message",
    "user",
    "recipient",
    "%",
    "times",
    "attempts",
];

/// An enhanced code: class, subject, detail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Status {
    pub(super) class: u8,
    pub(super) subject: u16,
    pub(super) detail: u16,
}

impl Status {
    /// "5.1.1".
    pub(super) fn read(text: &str) -> Option<Self> {
        Self::first(text.as_bytes())
    }

    fn first(text: &[u8]) -> Option<Self> {
        let mut at = 0;
        while let Some(found) = memchr::memchr(b'.', &text[at..]) {
            let dot = at + found;
            at = dot + 1;
            if let Some((status, end)) = Self::around(text, dot) {
                if status.class != 2 || at < 12 {
                    return Some(status);
                }
                at = end;
            }
        }
        None
    }

    /// The code whose first dot is at `dot`.
    fn around(text: &[u8], dot: usize) -> Option<(Self, usize)> {
        let class = text.get(dot.checked_sub(1)?)?.wrapping_sub(b'0');
        if !matches!(class, 2 | 4 | 5) {
            return None;
        }
        if dot >= 2 && (text[dot - 2].is_ascii_alphanumeric() || matches!(text[dot - 2], b'.' | b'_' | b'/')) {
            return None;
        }
        let (subject, at) = number(text, dot + 1)?;
        if text.get(at) != Some(&b'.') {
            return None;
        }
        let (detail, at) = number(text, at + 1)?;
        // An address of four numbers, a version, a host's name.
        let goes_on = match text.get(at) {
            Some(b'.') => text.get(at + 1).is_some_and(u8::is_ascii_digit),
            Some(byte) => byte.is_ascii_alphanumeric() || *byte == b'_',
            None => false,
        };
        // No registered subject is above 7.
        (!goes_on && subject <= 7).then_some((Self { class, subject, detail }, at))
    }

    /// How much it says: nothing (x.0.0), that somebody gave up (x.4.7), a subject only, or all of it.
    fn weight(self) -> u8 {
        match (self.subject, self.detail) {
            (0, 0) => 0,
            (4, 7) => 1,
            (_, 0) => 2,
            _ => 3,
        }
    }

    /// The one that says most; the first of equals. `given` is what the report's own field says.
    pub(super) fn best(given: Option<Self>, text: &str) -> Option<Self> {
        let text = text.as_bytes();
        let mut best: Option<Self> = None;
        let mut at = 0;
        while let Some(found) = memchr::memchr(b'.', &text[at..]) {
            let dot = at + found;
            at = dot + 1;
            if let Some((status, end)) = Self::around(text, dot) {
                at = end;
                if status.class != 2 && best.is_none_or(|best| status.weight() > best.weight()) {
                    best = Some(status);
                }
            }
        }
        match (given, best) {
            (Some(given), Some(best)) => Some(if best.weight() >= given.weight() { best } else { given }),
            (given, best) => given.or(best),
        }
    }
}

impl std::fmt::Display for Status {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}.{}.{}", self.class, self.subject, self.detail)
    }
}

/// One to three digits.
fn number(text: &[u8], at: usize) -> Option<(u16, usize)> {
    let digits = text.get(at..)?.iter().take(4).take_while(|byte| byte.is_ascii_digit()).count();
    if digits == 0 || digits > 3 {
        return None;
    }
    let value = text[at..at + digits].iter().fold(0, |sum, digit| sum * 10 + u16::from(digit - b'0'));
    Some((value, at + digits))
}

/// The first reply code of a refusal in `text`.
pub(super) fn reply(text: &str) -> Option<u16> {
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(found) = memchr::memchr2(b'4', b'5', &bytes[at..]) {
        let begin = at + found;
        at = begin + 1;
        let Some(code) = reply_at(bytes, begin) else { continue };
        let next = text.get(begin + 3..).unwrap_or_default().trim_start().as_bytes();
        let is_unit = |unit: &&str| next.get(..unit.len()).is_some_and(|it| it.eq_ignore_ascii_case(unit.as_bytes()));
        let spaced = bytes.get(begin + 3).is_none_or(|byte| matches!(byte, b' ' | b'\n' | b'\t'));
        if !spaced || !UNITS.iter().any(is_unit) {
            return Some(code);
        }
    }
    None
}

fn reply_at(bytes: &[u8], begin: usize) -> Option<u16> {
    if begin > 0
        && !matches!(
            bytes[begin - 1],
            b' ' | b'\n' | b'\t' | b'<' | b'(' | b'[' | b'"' | b'\'' | b':' | b';' | b'#' | b'-' | b'=' | b'|' | b'>'
        )
    {
        return None;
    }
    if begin > 1 && bytes[begin - 1] == b'-' && bytes[begin - 2].is_ascii_alphanumeric() {
        return None;
    }
    let (code, end) = number(bytes, begin)?;
    let known = matches!(code, 421 | 422 | 431..=432 | 441..=442 | 450..=459 | 471 | 500..=505 | 510..=513 | 515 | 517 | 520..=525
        | 530..=542 | 546 | 550..=559 | 561 | 563 | 569..=577 | 580..=586 | 590 | 591 | 595 | 598);
    let ends = match bytes.get(end) {
        None => true,
        Some(b'.') => !bytes.get(end + 1).is_some_and(u8::is_ascii_digit) || bytes.get(end + 2) == Some(&b'.'),
        Some(b':') => !bytes.get(end + 1).is_some_and(u8::is_ascii_digit),
        Some(byte) => matches!(
            byte,
            b' ' | b'\n' | b'\r' | b'\t' | b'-' | b',' | b';' | b')' | b']' | b'>' | b'"' | b'\'' | b'_' | b'#'
        ),
    };
    (end == begin + 3 && known && ends).then_some(code)
}

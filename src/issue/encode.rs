//! Seven-bit encodings: quoted-printable bodies (RFC 2045 §6.7) and encoded words in headers (RFC 2047).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Longest line of quoted-printable, the `=` of a soft break included (RFC 2045 §6.7 rule 5).
pub const QUOTED_LINE_OCTETS: usize = 76;
/// Longest encoded word, and longest header line with one on it (RFC 2047 §2).
const WORD_OCTETS: usize = 75;
const WORD_LINE_OCTETS: usize = 76;
/// Header lines are folded before this where a space allows (RFC 5322 §2.1.1).
const HEADER_LINE_OCTETS: usize = 76;
const HEX: &[u8; 16] = b"0123456789ABCDEF";

/// Writes `text` in quoted-printable, beginning and ending at the start of a line: what is left open is closed with a
/// soft break. So pieces can be encoded apart and laid one after another.
///
/// The output is its own relaxed canonical form (RFC 6376 §3.4.4): no two spaces stand together, none at the end of a
/// line, no tabs. A relay that tidies white space cannot break the signature. A dot or "From " at the start of a line
/// is encoded too, for relays that mistreat them.
pub fn quoted(text: &str, out: &mut Vec<u8>) {
    let mut line = Line { out, column: 0, spaced: false };
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '\n' => line.end(),
            letter if letter != '\t' && letter.is_control() => {}
            ' ' => {
                let exposed = line.spaced || matches!(letters.peek(), None | Some('\n' | '\r'));
                line.letter(letter, exposed);
            }
            '.' if line.column == 0 => line.letter(letter, true),
            'F' if line.column == 0 => line.letter(letter, true),
            '=' => line.letter(letter, true),
            '!'..='~' => line.letter(letter, false),
            _ => line.letter(letter, true),
        }
    }
    if line.column > 0 {
        line.soft_break();
    }
}

struct Line<'a> {
    out: &'a mut Vec<u8>,
    column: usize,
    /// Whether the last octet written is a bare space.
    spaced: bool,
}

impl Line<'_> {
    fn letter(&mut self, letter: char, encode: bool) {
        let mut buffer = [0; 4];
        let bytes = letter.encode_utf8(&mut buffer).as_bytes();
        let width = if encode { 3 * bytes.len() } else { bytes.len() };
        if self.column + width > QUOTED_LINE_OCTETS - 1 {
            self.soft_break();
        }
        // A new line may begin with this letter only now.
        let encode = encode || (self.column == 0 && matches!(letter, '.' | 'F'));
        for byte in bytes {
            if encode {
                self.out.extend_from_slice(&[b'=', HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
            } else {
                self.out.push(*byte);
            }
        }
        self.column += if encode { 3 * bytes.len() } else { bytes.len() };
        self.spaced = letter == ' ' && !encode;
    }

    fn soft_break(&mut self) {
        self.out.push(b'=');
        self.end();
    }

    fn end(&mut self) {
        self.out.extend_from_slice(b"\r\n");
        self.column = 0;
        self.spaced = false;
    }
}

/// A header's value as one line: what breaks lines is a space, and spaces stand alone (no header can be injected).
#[must_use]
pub fn header_line(value: &str) -> String {
    super::html::one_line(value).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Writes `Name: value` for free text (Subject), folded, with encoded words if it needs them.
pub fn unstructured(name: &str, value: &str, out: &mut Vec<u8>) {
    let value = header_line(value);
    out.extend_from_slice(name.as_bytes());
    out.push(b':');
    if plain_enough(&value) {
        folded(&value, name.len() + 1, out);
    } else {
        out.push(b' ');
        encoded_words(&value, name.len() + 2, out);
    }
    out.extend_from_slice(b"\r\n");
}

/// Whether words can stand as they are: printable ASCII, nothing that looks like an encoded word, every word short
/// enough for a line.
fn plain_enough(value: &str) -> bool {
    value.bytes().all(|byte| matches!(byte, b' '..=b'~'))
        && !value.contains("=?")
        && value.split(' ').all(|word| word.len() < HEADER_LINE_OCTETS)
}

/// Words after a colon, each with the space before it, folded at spaces.
pub(super) fn folded(value: &str, column: usize, out: &mut Vec<u8>) {
    let mut column = column;
    for (at, word) in value.split(' ').enumerate() {
        if at > 0 && column + 1 + word.len() > HEADER_LINE_OCTETS {
            out.extend_from_slice(b"\r\n");
            column = 0;
        }
        out.push(b' ');
        out.extend_from_slice(word.as_bytes());
        column += 1 + word.len();
    }
}

/// Writes a mailbox: `Name <address>`. `column` is where on its line it begins; a space has been written before it.
/// Returns nothing; the address must be ASCII.
pub fn mailbox(name: &str, address: &str, column: usize, out: &mut Vec<u8>) {
    let name = header_line(name);
    if name.is_empty() {
        out.extend_from_slice(address.as_bytes());
        return;
    }
    let end = phrase(&name, column, out);
    if end + 3 + address.len() > HEADER_LINE_OCTETS {
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b" <");
    out.extend_from_slice(address.as_bytes());
    out.push(b'>');
}

/// Writes a display name as atoms, as a quoted string, or as encoded words; returns the column after it.
pub(super) fn phrase(name: &str, column: usize, out: &mut Vec<u8>) -> usize {
    if !plain_enough(name) || name.len() + column + 2 > HEADER_LINE_OCTETS {
        return encoded_words(name, column, out);
    }
    let from = out.len();
    let atom = |byte: u8| byte.is_ascii_alphanumeric() || b" !#$%&'*+-/=?^_`{|}~".contains(&byte);
    if name.bytes().all(atom) {
        out.extend_from_slice(name.as_bytes());
    } else {
        out.push(b'"');
        for byte in name.bytes() {
            if matches!(byte, b'"' | b'\\') {
                out.push(b'\\');
            }
            out.push(byte);
        }
        out.push(b'"');
    }
    column + out.len() - from
}

/// Writes encoded words, folded between them, none of which splits a character; returns the column after the last.
/// Q where most of the text is ASCII, B otherwise.
fn encoded_words(text: &str, column: usize, out: &mut Vec<u8>) -> usize {
    let plain = text.bytes().filter(|byte| q_safe(*byte) || *byte == b' ').count();
    let use_q = (text.len() - plain) * 3 + plain <= text.len().div_ceil(3) * 4;
    let overhead = "=?utf-8?q??=".len();
    let mut column = column;
    let mut word = String::new();
    let mut cost = 0;
    for letter in text.chars() {
        let more = if use_q { q_width(letter) } else { 0 };
        let width = if use_q { cost + more } else { (word.len() + letter.len_utf8()).div_ceil(3) * 4 };
        let room = (WORD_LINE_OCTETS.saturating_sub(column)).min(WORD_OCTETS).saturating_sub(overhead);
        if width > room && (!word.is_empty() || column > 1) {
            if !word.is_empty() {
                write_word(&word, use_q, out);
            }
            out.extend_from_slice(b"\r\n ");
            column = 1;
            word.clear();
            cost = 0;
        }
        word.push(letter);
        cost += more;
    }
    let from = out.len();
    write_word(&word, use_q, out);
    column + out.len() - from
}

/// Letters that stand for themselves in a Q word, also within a phrase (RFC 2047 §5 rule 3).
fn q_safe(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!*+-/".contains(&byte)
}

fn q_width(letter: char) -> usize {
    let mut buffer = [0; 4];
    let width = |byte: &u8| if q_safe(*byte) || *byte == b' ' { 1 } else { 3 };
    letter.encode_utf8(&mut buffer).as_bytes().iter().map(width).sum()
}

fn write_word(word: &str, use_q: bool, out: &mut Vec<u8>) {
    if !use_q {
        out.extend_from_slice(b"=?utf-8?b?");
        out.extend_from_slice(STANDARD.encode(word).as_bytes());
        out.extend_from_slice(b"?=");
        return;
    }
    out.extend_from_slice(b"=?utf-8?q?");
    for byte in word.bytes() {
        match byte {
            b' ' => out.push(b'_'),
            byte if q_safe(byte) => out.push(byte),
            byte => out.extend_from_slice(&[b'=', HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]),
        }
    }
    out.extend_from_slice(b"?=");
}

#[cfg(test)]
mod tests {
    use super::{QUOTED_LINE_OCTETS, mailbox, quoted, unstructured};
    use proptest::prelude::*;

    fn decode(encoded: &[u8]) -> String {
        let bytes = mail_parser::decoders::quoted_printable::quoted_printable_decode(encoded).expect("valid");
        String::from_utf8(bytes).expect("UTF-8")
    }

    fn quoted_whole(text: &str) -> Vec<u8> {
        let mut out = Vec::new();
        quoted(text, &mut out);
        out
    }

    fn parsed(header: &[u8]) -> mail_parser::Message<'static> {
        let message = [header, b"\r\nbody\r\n"].concat();
        mail_parser::MessageParser::default().parse(&message).expect("a message").into_owned()
    }

    fn well_formed(bytes: &[u8], longest: usize) {
        assert!(bytes.iter().all(|byte| matches!(byte, b' '..=b'~' | b'\r' | b'\n')), "{bytes:?}");
        let text = String::from_utf8(bytes.to_vec()).expect("ASCII");
        for line in text.split("\r\n") {
            assert!(line.len() <= longest && !line.contains(['\r', '\n']), "{} {line:?}", line.len());
            assert!(!line.ends_with(' '), "{line:?}");
        }
    }

    #[test]
    fn dots_from_lines_and_spaces_are_safe_in_quoted_printable() {
        let encoded = quoted_whole(".\nFrom here\n..a  b \n\tend=");
        assert_eq!(encoded, b"=2E\r\n=46rom here\r\n=2E.a =20b=20\r\n=09end=3D=\r\n");
    }

    #[test]
    fn a_subject_of_three_hundred_emoji_comes_back() {
        let subject = "👩🏽‍🔬🇬🇧🖥️".repeat(100);
        let mut out = Vec::new();
        unstructured("Subject", &subject, &mut out);
        well_formed(&out, 76);
        assert_eq!(parsed(&out).subject(), Some(subject.as_str()));
    }

    #[test]
    fn a_difficult_name_comes_back() {
        for name in ["Müller, \"Bob\" <x>", "Müller", "a\\b \"c\"", "=?utf-8?q?x?=", "A (comment)", "张伟", "x@y"] {
            let mut out = b"To: ".to_vec();
            mailbox(name, "ann@example.com", 4, &mut out);
            out.extend_from_slice(b"\r\n");
            well_formed(&out, 76);
            let message = parsed(&out);
            let to = message.to().and_then(|to| to.first()).expect("one address");
            assert_eq!((to.name(), to.address()), (Some(name), Some("ann@example.com")));
        }
    }

    proptest! {
        #[test]
        fn quoted_printable_comes_back_and_keeps_its_form(text in "[ -~\n\u{e9}\u{1f600}\u{2028}\t.=F]{0,300}") {
            let encoded = quoted_whole(&text);
            well_formed(&encoded, QUOTED_LINE_OCTETS);
            let tidy = String::from_utf8(encoded.clone()).expect("ASCII");
            prop_assert!(!tidy.contains("  ") && !tidy.contains('\t'));
            prop_assert_eq!(decode(&encoded).replace("\r\n", "\n"), text);
        }

        #[test]
        fn no_subject_can_break_a_header(subject in "\\PC{0,200}", evil in "[\r\n\0\u{2028}\u{85}]{0,3}") {
            let value = format!("{subject}{evil}Bcc: x@example.com{evil}{subject}");
            let mut out = Vec::new();
            unstructured("Subject", &value, &mut out);
            well_formed(&out, 998);
            let message = parsed(&out);
            prop_assert_eq!(message.headers().len(), 1);
            let expected = super::header_line(&value);
            prop_assert_eq!(message.subject().unwrap_or_default(), expected.as_str());
        }

        #[test]
        fn no_name_can_break_a_header(name in "\\PC{1,80}", evil in "[\r\n\0\u{2028}]{0,2}") {
            let mut out = b"To: ".to_vec();
            mailbox(&format!("{name}{evil}{name}"), "ann@example.com", 4, &mut out);
            out.extend_from_slice(b"\r\n");
            well_formed(&out, 998);
            let message = parsed(&out);
            prop_assert_eq!(message.headers().len(), 1);
            prop_assert_eq!(message.to().and_then(|to| to.first()).and_then(|to| to.address()), Some("ann@example.com"));
        }
    }
}

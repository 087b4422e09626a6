//! What a server says: lines to one reply. Pure, and made for servers that are wrong.

use crate::delivery::reply::{Reply, Stage};

/// Bytes of one whole reply, all lines. RFC 5321 §4.5.3.1.5 allows 512 a line; the longest EHLO seen is under 2 KB.
pub(super) const REPLY_BYTES_MAX: usize = 64 * 1024;
/// Bytes of text kept of a reply.
const TEXT_BYTES_MAX: usize = 4 * 1024;

/// What the bytes at the front of the buffer are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parsed {
    /// No whole reply yet.
    More,
    /// One reply, in its first `used` bytes. `lines` are without code and line end.
    Whole { code: u16, lines: Vec<String>, used: usize },
    /// Not SMTP, or longer than anything that is.
    Garbage(String),
}

/// Reads one reply off the front of `bytes`. Line ends may be CRLF or LF, the separator after the code may be missing
/// ("250\r\n"), any second digit is taken (571 and 498 are in the wild), text may be any bytes. When the lines of a
/// reply carry different codes, the last one counts, as it is the one that ends it.
#[must_use]
pub fn parse(bytes: &[u8]) -> Parsed {
    let mut used = 0;
    while let Some(end) = memchr::memchr(b'\n', &bytes[used..]) {
        let line = &bytes[used..used + end];
        used += end + 1;
        let Some((code, last, _)) = split(line) else {
            return Parsed::Garbage(format!("the server said {:?}, which is not SMTP", shorten(line)));
        };
        if used > REPLY_BYTES_MAX {
            break;
        }
        // Only a whole reply is copied: one that dribbles in is looked at many times.
        if last {
            return Parsed::Whole { code, lines: texts(&bytes[..used]), used };
        }
    }
    if bytes.len() > REPLY_BYTES_MAX {
        return Parsed::Garbage(format!("the server's reply is longer than {REPLY_BYTES_MAX} bytes"));
    }
    Parsed::More
}

/// The texts of the lines of a whole reply.
fn texts(reply: &[u8]) -> Vec<String> {
    let lines = reply.split_inclusive(|byte| *byte == b'\n');
    let texts = lines.filter_map(|line| split(line.strip_suffix(b"\n").unwrap_or(line)));
    texts.map(|(_, _, text)| String::from_utf8_lossy(text).into_owned()).collect()
}

/// `(code, is the last line, text)` of one line without its LF.
fn split(line: &[u8]) -> Option<(u16, bool, &[u8])> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let (digits, rest) = line.split_at_checked(3)?;
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let code = digits.iter().fold(0, |sum, digit| sum * 10 + u16::from(digit - b'0'));
    if !(200..=599).contains(&code) {
        return None;
    }
    match rest {
        [] => Some((code, true, rest)),
        [b' ' | b'\t', text @ ..] => Some((code, true, text)),
        [b'-', text @ ..] => Some((code, false, text)),
        _ => None,
    }
}

/// The reply as data: lines joined, the enhanced code taken out, control characters gone, at most 4 KB.
pub(super) fn reply(stage: Stage, code: u16, lines: &[String]) -> Reply {
    let mut enhanced = None;
    let mut text = String::new();
    for line in lines {
        let (found, rest) = enhanced_code(line);
        enhanced = enhanced.or_else(|| found.map(str::to_owned));
        if !text.is_empty() && !rest.is_empty() {
            text.push(' ');
        }
        text.extend(rest.chars().filter(|c| !c.is_control()));
        if text.len() > TEXT_BYTES_MAX {
            text.truncate(text.floor_char_boundary(TEXT_BYTES_MAX));
            break;
        }
    }
    Reply { stage, code, enhanced, text }
}

/// Splits an RFC 2034 enhanced code ("5.1.1 No such user") off the front of a line.
fn enhanced_code(line: &str) -> (Option<&str>, &str) {
    let line = line.trim();
    let (first, rest) = line.split_once(' ').unwrap_or((line, ""));
    let mut parts = first.split('.');
    let class = matches!(parts.next(), Some("2" | "4" | "5"));
    let number =
        |part: Option<&str>| part.is_some_and(|p| (1..=3).contains(&p.len()) && p.bytes().all(|b| b.is_ascii_digit()));
    if class && number(parts.next()) && number(parts.next()) && parts.next().is_none() {
        (Some(first), rest.trim_start())
    } else {
        (None, line)
    }
}

fn shorten(line: &[u8]) -> String {
    const SHOWN_BYTES: usize = 60;
    String::from_utf8_lossy(&line[..line.len().min(SHOWN_BYTES)]).into_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop, proptest};

    use super::{Parsed, REPLY_BYTES_MAX, TEXT_BYTES_MAX, parse, reply};
    use crate::delivery::reply::Stage;

    fn whole(bytes: &[u8]) -> (u16, Vec<String>, usize) {
        match parse(bytes) {
            Parsed::Whole { code, lines, used } => (code, lines, used),
            other => panic!("{:?} gave {other:?}", String::from_utf8_lossy(bytes)),
        }
    }

    #[test]
    fn replies_of_real_servers_are_read() {
        for (bytes, code, count) in [
            (&b"250 OK\r\n"[..], 250, 1),
            (b"250\r\n", 250, 1),
            (b"250 \n", 250, 1),
            (b"250-relay.example\r\n250-SIZE 10\r\n250 HELP\r\n", 250, 3),
            (b"571 never heard of this second digit\r\n", 571, 1),
            (b"498 nor this\r\n", 498, 1),
            (b"550 \xff\xfe not UTF-8\r\n", 550, 1),
            (b"250-first says yes\r\n550 the last one counts\r\n", 550, 2),
        ] {
            let (got, lines, used) = whole(bytes);
            assert_eq!((got, lines.len(), used), (code, count, bytes.len()));
        }
    }

    #[test]
    fn a_reply_leaves_the_next_one_in_the_buffer() {
        assert_eq!(whole(b"250 one\r\n354 two\r\n"), (250, vec!["one".into()], 9));
    }

    #[test]
    fn half_a_reply_waits() {
        for bytes in [&b""[..], b"2", b"250 OK", b"250 OK\r", b"250-more to come\r\n", b"250-a\r\n25"] {
            assert_eq!(parse(bytes), Parsed::More);
        }
    }

    #[test]
    fn what_is_not_smtp_is_garbage() {
        for bytes in
            [&b"HTTP/1.1 400 Bad Request\r\n"[..], b"\r\n", b"25\r\n", b"199 no\r\n", b"600 no\r\n", b"250_x\r\n"]
        {
            assert!(matches!(parse(bytes), Parsed::Garbage(_)), "{:?}", String::from_utf8_lossy(bytes));
        }
        let endless = b"250-again\r\n".repeat(REPLY_BYTES_MAX);
        assert!(matches!(parse(&endless), Parsed::Garbage(_)));
        assert!(matches!(parse(&vec![b'2'; REPLY_BYTES_MAX + 1]), Parsed::Garbage(_)));
    }

    #[test]
    fn the_enhanced_code_is_taken_out_of_every_line() {
        let lines = ["5.1.1 The mailbox".to_owned(), "5.1.1 does not\u{7} exist".to_owned()];
        let reply = reply(Stage::RcptTo, 550, &lines);
        assert_eq!((reply.enhanced.as_deref(), reply.text.as_str()), (Some("5.1.1"), "The mailbox does not exist"));
    }

    #[test]
    fn what_only_looks_like_an_enhanced_code_stays() {
        for text in ["1.2.3 go", "5.1 x", "5.1.1.1 x", "5.1234.1 x", "5.x.1"] {
            assert_eq!(reply(Stage::RcptTo, 550, &[text.to_owned()]).enhanced, None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic_and_within_bounds(bytes in prop::collection::vec(any::<u8>(), 0..2_000)) {
            if let Parsed::Whole { code, lines, used } = parse(&bytes) {
                assert!((200..=599).contains(&code) && used <= bytes.len());
                assert!(reply(Stage::Data, code, &lines).text.len() <= TEXT_BYTES_MAX);
            }
        }

        #[test]
        fn whatever_is_read_in_pieces_is_read_the_same(
            lines in prop::collection::vec("[ -~]{0,80}", 1..5), code in 200_u16..600, cut in any::<prop::sample::Index>()
        ) {
            let last = lines.len() - 1;
            let said: String = lines.iter().enumerate()
                .map(|(n, line)| format!("{code}{}{line}\r\n", if n == last { ' ' } else { '-' })).collect();
            let cut = cut.index(said.len());
            assert!(matches!(parse(&said.as_bytes()[..cut]), Parsed::More));
            let (got, got_lines, used) = whole(said.as_bytes());
            assert_eq!((got, got_lines, used), (code, lines, said.len()));
        }
    }
}

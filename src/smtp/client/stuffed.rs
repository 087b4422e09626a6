//! Text as DATA wants it, without copying it: dots are doubled by slices that overlap.

use std::io::IoSlice;

/// A text's slices, and how many bytes they are together.
pub(super) struct Stuffed<'a> {
    pub(super) slices: Vec<IoSlice<'a>>,
    pub(super) bytes: u64,
}

/// Doubles a dot at the beginning of a line (RFC 5321 §4.5.2), ends the last line, adds the final dot. A line begins
/// after any LF here, so that text with bare LFs cannot end the message early at a server that takes them for ends.
///
/// The slice before such a dot ends with it and the slice behind begins with it, so the dot is written twice.
pub(super) fn stuffed(text: &[u8]) -> Stuffed<'_> {
    let mut slices = Vec::with_capacity(3);
    let mut from = 0;
    if text.first() == Some(&b'.') {
        slices.push(IoSlice::new(b"."));
    }
    for at in memchr::memmem::find_iter(text, b"\n.") {
        slices.push(IoSlice::new(&text[from..at + 2]));
        from = at + 1;
    }
    if from < text.len() {
        slices.push(IoSlice::new(&text[from..]));
    }
    slices.push(IoSlice::new(if text.ends_with(b"\r\n") { b".\r\n" } else { b"\r\n.\r\n" }));
    let bytes = slices.iter().map(|slice| slice.len() as u64).sum();
    Stuffed { slices, bytes }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::proptest;

    use super::stuffed;

    fn on_the_wire(text: &str) -> String {
        let stuffed = stuffed(text.as_bytes());
        let bytes: Vec<u8> = stuffed.slices.iter().flat_map(|slice| slice.iter().copied()).collect();
        assert_eq!(bytes.len() as u64, stuffed.bytes);
        String::from_utf8(bytes).expect("text in, text out")
    }

    #[test]
    fn dots_at_the_beginning_of_lines_are_doubled() {
        for (text, wire) in [
            ("a\r\n", "a\r\n.\r\n"),
            ("a", "a\r\n.\r\n"),
            ("", "\r\n.\r\n"),
            (".", "..\r\n.\r\n"),
            ("..\r\n.a\r\n", "...\r\n..a\r\n.\r\n"),
            ("a.\r\n b.c\r\n", "a.\r\n b.c\r\n.\r\n"),
            ("a\r\n.\r\nMAIL", "a\r\n..\r\nMAIL\r\n.\r\n"),
            ("a\n.\nb", "a\n..\nb\r\n.\r\n"),
        ] {
            assert_eq!(on_the_wire(text), wire, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn only_the_last_line_is_a_dot_alone_and_nothing_is_lost(text in "[.a\r\n]{0,60}") {
            let wire = on_the_wire(&text);
            assert_eq!(format!("\r\n{wire}").find("\r\n.\r\n"), Some(wire.len() - 3));
            let unstuffed: String = wire[..wire.len() - 3].split_inclusive('\n')
                .map(|line| line.strip_prefix('.').unwrap_or(line)).collect();
            assert!(unstuffed == text || unstuffed.strip_suffix("\r\n") == Some(&text));
        }
    }
}

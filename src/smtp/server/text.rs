//! The text after DATA: where it ends, and what it says. Pure.

/// Gathers the text of one message from pieces of any size.
pub(in crate::smtp) struct Text {
    bytes: Vec<u8>,
    bytes_max: usize,
    /// How far the end was looked for.
    looked: usize,
    /// Bytes thrown away since the text became too long.
    dropped: usize,
}

/// What came of one more piece.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::smtp) enum Fed {
    More,
    /// The text is over; so many bytes at the end of the piece belong to what follows.
    End {
        rest: usize,
    },
}

const END: &[u8] = b"\r\n.\r\n";

impl Text {
    pub(in crate::smtp) fn new(bytes_max: usize) -> Self {
        // The line end of the DATA command counts as the beginning of the first line: a dot alone is an empty text.
        Self { bytes: b"\r\n".to_vec(), bytes_max, looked: 0, dropped: 0 }
    }

    /// Bytes of text that came, kept or not.
    pub(in crate::smtp) fn len(&self) -> usize {
        self.bytes.len() + self.dropped
    }

    pub(in crate::smtp) fn is_too_long(&self) -> bool {
        self.len() > self.bytes_max.saturating_add(END.len())
    }

    pub(in crate::smtp) fn feed(&mut self, piece: &[u8]) -> Fed {
        self.bytes.extend_from_slice(piece);
        if let Some(at) = memchr::memmem::find(&self.bytes[self.looked..], END) {
            let end = self.looked + at + END.len();
            let rest = self.bytes.len() - end;
            self.bytes.truncate(end);
            return Fed::End { rest };
        }
        self.looked = self.bytes.len().saturating_sub(END.len() - 1);
        if self.is_too_long() {
            // Only what may be the beginning of the end is still of interest.
            self.dropped += self.looked;
            self.bytes.drain(..self.looked);
            self.looked = 0;
        }
        Fed::More
    }

    /// The message, with the doubled dots undone.
    pub(in crate::smtp) fn message(self) -> Vec<u8> {
        let text = &self.bytes[..self.bytes.len() - 3];
        let mut message = Vec::with_capacity(text.len());
        let mut from = 2;
        for at in memchr::memmem::find_iter(text, b"\r\n.") {
            let keep = at + 2;
            message.extend_from_slice(&text[from..keep]);
            from = keep + 1;
        }
        message.extend_from_slice(&text[from..]);
        message
    }
}

/// Whether there is a CR without LF or an LF without CR (RFC 5321 §2.3.8 forbids both).
pub(in crate::smtp) fn has_bare_line_end(message: &[u8]) -> bool {
    memchr::memchr2_iter(b'\r', b'\n', message).any(|at| match message[at] {
        b'\r' => message.get(at + 1) != Some(&b'\n'),
        _ => at == 0 || message[at - 1] != b'\r',
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop, proptest};

    use super::{Fed, Text, has_bare_line_end};

    fn fed(pieces: &[&[u8]]) -> Option<Vec<u8>> {
        let mut text = Text::new(1_000);
        for piece in pieces {
            if let Fed::End { .. } = text.feed(piece) {
                return Some(text.message());
            }
        }
        None
    }

    #[test]
    fn a_text_ends_at_a_dot_alone_and_loses_its_doubled_dots() {
        for (wire, message) in [
            ("a\r\n.\r\n", Some("a\r\n")),
            (".\r\n", Some("")),
            ("..\r\n...\r\n..a\r\n.\r\n", Some(".\r\n..\r\n.a\r\n")),
            ("a\r\n\r\n.\r\n", Some("a\r\n\r\n")),
            ("a\n.\n", None),
            ("a\r\n.\n", None),
            ("a\n.\r\n", None),
            ("a\r.\r", None),
            ("a\r\n.\r\r\n", None),
        ] {
            assert_eq!(fed(&[wire.as_bytes()]).as_deref(), message.map(str::as_bytes), "{wire:?}");
        }
    }

    #[test]
    fn what_follows_the_text_is_left_alone() {
        let mut text = Text::new(1_000);
        assert_eq!(text.feed(b"a\r\n.\r\nQUIT\r\n"), Fed::End { rest: 6 });
    }

    #[test]
    fn a_text_that_is_too_long_is_not_kept_and_its_end_is_still_found() {
        let mut text = Text::new(100);
        for _ in 0..1_000 {
            assert_eq!(text.feed(b"0123456789\r\n"), Fed::More);
            assert!(text.bytes.len() < 200);
        }
        assert_eq!(text.feed(b"."), Fed::More);
        assert_eq!(text.feed(b"\r\n"), Fed::End { rest: 0 });
        assert!(text.is_too_long());
        assert_eq!(text.len(), 12_000 + 5);
    }

    #[test]
    fn bare_line_ends_are_seen() {
        for (text, bare) in
            [("a\r\nb\r\n", false), ("", false), ("a\nb", true), ("\n", true), ("a\rb", true), ("a\r", true)]
        {
            assert_eq!(has_bare_line_end(text.as_bytes()), bare, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn pieces_do_not_matter(text in "[.a\r\n]{0,40}", cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6)) {
            let wire = format!("{text}\r\n.\r\n");
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(wire.len())).collect();
            cuts.extend([0, wire.len()]);
            cuts.sort_unstable();
            let pieces: Vec<&[u8]> = cuts.windows(2).map(|pair| &wire.as_bytes()[pair[0]..pair[1]]).collect();
            assert_eq!(fed(&pieces), fed(&[wire.as_bytes()]));
        }
    }
}

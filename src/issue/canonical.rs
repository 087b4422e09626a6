//! DKIM's relaxed canonical forms (RFC 6376 §3.4.2 and §3.4.4).

/// The fields of a head: name and raw value, folds included, without the line break at the end.
pub(super) fn header_fields(head: &[u8]) -> Vec<(&str, &str)> {
    let text = std::str::from_utf8(head).unwrap_or_default();
    let mut fields: Vec<(&str, &str)> = Vec::new();
    let mut start = 0;
    while start < text.len() {
        let mut end = start;
        loop {
            end = text[end..].find("\r\n").map_or(text.len(), |at| end + at + 2);
            if !text[end..].starts_with([' ', '\t']) {
                break;
            }
        }
        let field = text[start..end].trim_end_matches("\r\n");
        if let Some(colon) = field.find(':') {
            fields.push((&field[..colon], &field[colon + 1..]));
        }
        start = end;
    }
    fields
}

/// Writes one field: name in lower case, unfolded, white space runs as one space and none at the ends, CRLF.
pub(super) fn relaxed_header(name: &str, value: &str, out: &mut Vec<u8>) {
    out.extend(name.trim_end().bytes().map(|byte| byte.to_ascii_lowercase()));
    out.push(b':');
    for (at, word) in value.split([' ', '\t', '\r', '\n']).filter(|word| !word.is_empty()).enumerate() {
        if at > 0 {
            out.push(b' ');
        }
        out.extend_from_slice(word.as_bytes());
    }
    out.extend_from_slice(b"\r\n");
}

/// Gives a body to `take` in pieces: white space runs within a line as one space, none at its end, empty lines at the
/// end of the body left out. Lines that are canonical already go through untouched.
pub(super) fn relaxed_body(body: &[u8], take: &mut dyn FnMut(&[u8])) {
    let mut empty_lines = 0_usize;
    let mut line = Vec::new();
    for raw in body.split_inclusive(|byte| *byte == b'\n') {
        let bare = raw.strip_suffix(b"\n").unwrap_or(raw);
        let bare = bare.strip_suffix(b"\r").unwrap_or(bare);
        relaxed_line(bare, &mut line);
        if line.is_empty() {
            empty_lines += 1;
            continue;
        }
        for _ in 0..std::mem::take(&mut empty_lines) {
            take(b"\r\n");
        }
        take(&line);
        take(b"\r\n");
    }
}

fn relaxed_line(raw: &[u8], line: &mut Vec<u8>) {
    line.clear();
    let mut space = false;
    for byte in raw {
        if matches!(byte, b' ' | b'\t') {
            space = true;
            continue;
        }
        if std::mem::take(&mut space) {
            line.push(b' ');
        }
        line.push(*byte);
    }
}

#[cfg(test)]
mod tests {
    use super::{header_fields, relaxed_body, relaxed_header};

    fn body(text: &str) -> String {
        let mut out = Vec::new();
        relaxed_body(text.as_bytes(), &mut |bytes| out.extend_from_slice(bytes));
        String::from_utf8(out).expect("as it came")
    }

    /// The example of RFC 6376 §3.4.5.
    #[test]
    fn the_example_of_the_rfc_comes_out_as_it_says() {
        let head = "A: X\r\nB : Y\t\r\n\tZ  \r\n\r\n";
        let mut out = Vec::new();
        for (name, value) in header_fields(head.as_bytes()) {
            relaxed_header(name, value, &mut out);
        }
        assert_eq!(out, b"a:X\r\nb:Y Z\r\n");
        assert_eq!(body(" C \r\nD \t E\r\n\r\n\r\n"), " C\r\nD E\r\n");
    }

    #[test]
    fn empty_bodies_and_bodies_of_blanks_are_nothing() {
        for text in ["", "\r\n", "\r\n\r\n", " \t\r\n \r\n"] {
            assert_eq!(body(text), "", "{text:?}");
        }
        assert_eq!(body("\r\n\r\na"), "\r\n\r\na\r\n");
    }
}

//! Mails in a file: one, or many between "From " lines (RFC 4155).

use std::borrow::Cow;

use memchr::memmem;

/// The mails of a file. A file that does not begin with a "From " line is one mail.
pub fn mails(file: &[u8]) -> impl Iterator<Item = Cow<'_, [u8]>> {
    let is_mbox = file.starts_with(b"From ");
    let mut rest = Some(file);
    std::iter::from_fn(move || {
        let file = rest?;
        if !is_mbox {
            rest = None;
            return Some(Cow::Borrowed(file));
        }
        let begin = memchr::memchr(b'\n', file).map_or(file.len(), |end| end + 1);
        let end = next_mail(file, begin).unwrap_or(file.len());
        rest = (end < file.len()).then(|| &file[end..]);
        Some(unquoted(&file[begin..end]))
    })
}

/// A blank line and "From " with a year behind it begin the next mail.
fn next_mail(file: &[u8], from: usize) -> Option<usize> {
    let mut at = from.saturating_sub(1);
    loop {
        let found = at + memmem::find(&file[at..], b"\nFrom ")?;
        let line = &file[found + 1..];
        let line = &line[..memchr::memchr(b'\n', line).unwrap_or(line.len())];
        let blank_before = found == 0 || matches!(file[..found], [.., b'\n'] | [.., b'\n', b'\r']);
        let has_time = line.windows(4).any(|it| it[0] == b':' && it[1].is_ascii_digit() && it[2].is_ascii_digit());
        if blank_before && has_time {
            return Some(found + 1);
        }
        at = found + 1;
    }
}

/// `>From` at the beginning of a line was "From" (and `>>From` was `>From`).
fn unquoted(mail: &[u8]) -> Cow<'_, [u8]> {
    if memmem::find(mail, b">From ").is_none() {
        return Cow::Borrowed(mail);
    }
    let mut out = Vec::with_capacity(mail.len());
    for line in mail.split_inclusive(|byte| *byte == b'\n') {
        let quotes = line.iter().take_while(|byte| **byte == b'>').count();
        let is_quoted = quotes > 0 && line[quotes..].starts_with(b"From ");
        out.extend_from_slice(&line[usize::from(is_quoted)..]);
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::mails;

    #[test]
    fn an_mbox_is_its_mails_and_quoted_lines_are_themselves_again() {
        let file = b"From a Thu Jan  1 00:00:00 2026\nSubject: 1\n\n>From here\nFrom there at 10:00\n\nFrom b Thu Jan  1 00:00:01 2026\nSubject: 2\n\nx\n";
        let found: Vec<_> = mails(file).map(|mail| String::from_utf8_lossy(&mail).into_owned()).collect();
        assert_eq!(found, ["Subject: 1\n\nFrom here\nFrom there at 10:00\n\n", "Subject: 2\n\nx\n"]);
        assert_eq!(mails(b"Subject: 1\n\nx").count(), 1);
        assert_eq!(mails(b"From \n\nFrom ").count(), 1);
    }
}

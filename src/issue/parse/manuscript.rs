//! The file as the editor wrote it, made even (line ends, byte order mark, control characters), with its places kept.

use crate::issue::finding::Finding;
use crate::issue::tree::Place;

/// Bytes between two marks of [`Manuscript::marks`].
const MARK_BYTES: usize = 64;

/// The source in lines.
pub(super) struct Manuscript {
    lines: Vec<String>,
    /// Letters of each line before every 64th byte, so that places in a line of a megabyte cost no more than others.
    marks: Vec<Vec<usize>>,
}

impl Manuscript {
    /// Evens out the source. What had to be taken out is said in the findings.
    pub(super) fn new(source: &str, findings: &mut Vec<Finding>) -> Self {
        let source = source.strip_prefix('\u{feff}').unwrap_or(source);
        // A file without a single line feed and with several carriage returns is from a very old Mac.
        let old_mac = !source.contains('\n') && source.matches('\r').count() > 1;
        let lines = if old_mac { source.split('\r').collect() } else { source.split('\n').collect::<Vec<_>>() };
        let lines = lines.into_iter().enumerate().map(|(index, line)| even(line, index + 1, findings));
        let lines: Vec<String> = lines.collect();
        let marks = lines.iter().map(|line| marks(line)).collect();
        Self { lines, marks }
    }

    pub(super) fn lines(&self) -> &[String] {
        &self.lines
    }

    /// Line `number`, from 1.
    pub(super) fn line(&self, number: usize) -> &str {
        number.checked_sub(1).and_then(|index| self.lines.get(index)).map_or("", String::as_str)
    }

    /// The place of a byte of a line; both count from 1, as comrak counts.
    pub(super) fn place(&self, line: usize, byte: usize) -> Place {
        let text = self.line(line).as_bytes();
        let end = byte.saturating_sub(1).min(text.len());
        let block = end / MARK_BYTES;
        let marks = line.checked_sub(1).and_then(|index| self.marks.get(index));
        let before = marks.and_then(|marks| marks.get(block)).copied().unwrap_or(0);
        Place { line, column: before + letters(&text[block * MARK_BYTES..end]) + 1 }
    }
}

fn marks(line: &str) -> Vec<usize> {
    let mut marks = vec![0];
    for block in line.as_bytes().chunks(MARK_BYTES) {
        marks.push(marks.last().copied().unwrap_or(0) + letters(block));
    }
    marks
}

/// Letters that begin among these bytes of UTF-8.
fn letters(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| (**byte & 0xC0) != 0x80).count()
}

/// One line without its carriage return and without characters that no mail may carry. Taken-out characters are
/// replaced by a space of the same length in bytes, so that places stay right.
fn even(line: &str, number: usize, findings: &mut Vec<Finding>) -> String {
    let line = line.strip_suffix('\r').unwrap_or(line);
    let is_bad = |letter: char| letter.is_control() && letter != '\t' && !matches!(letter, '\u{80}'..='\u{9f}');
    if !line.contains(is_bad) {
        return line.to_owned();
    }
    for (column, letter) in line.chars().enumerate().filter(|(_, letter)| is_bad(*letter)) {
        let at = Place { line: number, column: column + 1 };
        findings.push(match letter {
            '\0' => Finding::blocks("nul-character", at, "there is a NUL character here", "delete it"),
            '\r' => Finding::blocks(
                "carriage-return",
                at,
                "there is a carriage return in the middle of this line",
                "delete it, or begin a new line",
            ),
            other => Finding::warns(
                "control-character",
                at,
                format!("there is an invisible control character here (U+{:04X}); it was left out", u32::from(other)),
                "delete it",
            ),
        });
    }
    line.replace(is_bad, " ")
}

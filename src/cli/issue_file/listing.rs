//! Findings as a compiler lists them: place, code, the line, a caret below it, what to write instead.

use std::fmt::Write as _;
use std::path::Path;

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use crate::issue::finding::{Finding, Severity};

/// Cells of a source line that are shown.
const LINE_CELLS: usize = 100;
/// Cells before the caret in a line that is too long to be shown whole.
const BEFORE_CELLS: usize = 50;

/// The listing, with a summary as its last line. `colour` is for terminals.
#[must_use]
pub fn listing(file: &Path, source: &str, findings: &[Finding], colour: bool) -> String {
    let lines: Vec<&str> = source.strip_prefix('\u{feff}').unwrap_or(source).split('\n').collect();
    let mut out = String::new();
    for finding in findings {
        let (bold, tint, plain) = match (colour, finding.severity) {
            (false, _) => ("", "", ""),
            (true, Severity::Blocks) => ("\x1b[1m", "\x1b[1;31m", "\x1b[0m"),
            (true, Severity::Warns) => ("\x1b[1m", "\x1b[1;33m", "\x1b[0m"),
        };
        let Finding { severity, code, at, what, instead } = finding;
        let place = format!("{}:{}:{}", file.display(), at.line, at.column);
        // Writing to a string can't fail.
        let _ = writeln!(out, "{bold}{place}:{plain} {tint}{severity}[{code}]{plain}: {bold}{what}{plain}");
        let line = at.line.checked_sub(1).and_then(|index| lines.get(index)).copied().unwrap_or_default();
        if !line.trim().is_empty() {
            let (shown, caret) = cut(line.trim_end_matches('\r'), at.column);
            let number = at.line.to_string();
            let _ = writeln!(out, "  {number} | {shown}");
            let _ = writeln!(out, "  {} | {}{tint}^{plain}", " ".repeat(number.len()), " ".repeat(caret));
        }
        if !instead.is_empty() {
            let _ = writeln!(out, "  = {instead}");
        }
        out.push('\n');
    }
    out.push_str(&summary(file, findings));
    out.push('\n');
    out
}

/// The part of a line around a column, and the cells before that column in it.
fn cut(line: &str, column: usize) -> (String, usize) {
    let letters: Vec<char> = line.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    let at = column.saturating_sub(1).min(letters.len());
    let cells = |from: usize| letters[from..at].iter().map(|letter| letter.width().unwrap_or(0)).sum::<usize>();
    let mut from = 0;
    if line.width() > LINE_CELLS {
        while cells(from) > BEFORE_CELLS {
            from += 1;
        }
    }
    let mut shown = String::new();
    let mut width = 0;
    for letter in &letters[from..] {
        width += letter.width().unwrap_or(0);
        if width > LINE_CELLS {
            shown.push('…');
            break;
        }
        shown.push(*letter);
    }
    let lead = if from > 0 { "…" } else { "" };
    (format!("{lead}{shown}"), cells(from) + lead.width())
}

fn summary(file: &Path, findings: &[Finding]) -> String {
    let errors = findings.iter().filter(|finding| finding.severity == Severity::Blocks).count();
    let warnings = findings.len() - errors;
    let count = |number: usize, word: &str| match number {
        1 => format!("1 {word}"),
        number => format!("{number} {word}s"),
    };
    let file = file.display();
    match (errors, warnings) {
        (0, 0) => format!("{file}: nothing to mend"),
        (0, warnings) => format!("{file}: {}; it may be sent", count(warnings, "warning")),
        (errors, 0) => format!("{file}: {}; it can't be sent like this", count(errors, "error")),
        (errors, warnings) => {
            format!("{file}: {}, {}; it can't be sent like this", count(errors, "error"), count(warnings, "warning"))
        }
    }
}

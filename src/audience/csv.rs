//! Reading a CSV file of readers as a stream, in whatever form spreadsheets and other services write it.
//!
//! Each line is judged by itself: a broken one costs that line and nothing else, also when it is a quotation mark
//! that is never closed (the usual CSV reader swallows the rest of the file there). Memory is bounded by one row.

mod columns;
mod decode;
mod fields;

use std::collections::VecDeque;
use std::io::Read;

use crate::values::address::{Address, BadAddress};
use columns::Columns;
use decode::Lines;

/// Columns of the widest file that anybody means; exports of other services have about fifty.
pub const COLUMNS_MAX: usize = 200;
/// Bytes of one row. A reader's row is under 1 kB; a longer one is a file that is no list of readers.
pub const ROW_BYTES_MAX: usize = 64 * 1_024;
/// Lines that one quoted field may run over before its quotation mark counts as never closed.
const ROW_LINES_MAX: usize = 50;
/// Letters of a name that are kept (as in the forms).
pub const NAME_LETTERS_MAX: usize = 80;

/// One line of the file, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Where it begins in the file, from 1.
    pub line: usize,
    pub address: Result<Address, BadRow>,
    pub name: String,
    /// As it stands in the file; empty where there is no such column.
    pub zone: String,
}

/// Why a line is no reader; the others are not touched by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum BadRow {
    #[error("{0}")]
    Address(#[from] BadAddress),
    #[error("a quotation mark is opened here and never closed")]
    UnclosedQuote,
    #[error("this line is longer than {} kB", ROW_BYTES_MAX / 1_024)]
    TooLong,
    #[error("this line has a NUL byte in it")]
    Nul,
    #[error("this line has more than {COLUMNS_MAX} columns")]
    TooWide,
}

/// Why a file is no list of readers; nothing of it was taken.
#[derive(Debug, thiserror::Error)]
pub enum BadFile {
    #[error("the file is empty")]
    Empty,
    #[error("this is a packed file or a spreadsheet; save it as CSV (comma-separated) and use that")]
    Packed,
    #[error(
        "the first line has {0} columns; at most {COLUMNS_MAX} are read. Save only the columns for address and name"
    )]
    TooWide(usize),
    #[error(
        "no column is named email, and none holds addresses. Name the column with the addresses \"email\" in the first line"
    )]
    NoAddresses,
    #[error("the file could not be read to its end")]
    Unreadable(#[from] std::io::Error),
}

/// The rows of a file, one by one.
pub struct Rows<'a> {
    lines: Lines<'a>,
    /// Lines taken back after a quotation mark that was never closed.
    again: VecDeque<(usize, Vec<u8>)>,
    delimiter: u8,
    columns: Columns,
}

/// Looks at the head of a file: how it is written, and where addresses and names stand.
///
/// # Errors
/// [`BadFile`], when it is no list of readers.
pub fn open<'a>(file: impl Read + Send + 'a) -> Result<Rows<'a>, BadFile> {
    let mut lines = Lines::open(file)?;
    let mut again = VecDeque::new();
    let (first_line, first) = loop {
        match lines.next_line()? {
            None => return Err(BadFile::Empty),
            Some((_, Ok(line))) if line.iter().all(u8::is_ascii_whitespace) => {}
            Some((_, Err(_))) => return Err(BadFile::NoAddresses),
            Some((number, Ok(line))) => break (number, line),
        }
    };
    let delimiter = fields::delimiter_of(&first);
    let head = fields::split(&first, delimiter).unwrap_or_default().texts;
    if head.len() > COLUMNS_MAX {
        return Err(BadFile::TooWide(head.len()));
    }
    let head: Vec<String> = head.iter().map(|cell| lines.text(cell)).collect();
    let columns = columns::find(&head).ok_or(BadFile::NoAddresses)?;
    if !columns.named {
        again.push_back((first_line, first));
    }
    Ok(Rows { lines, again, delimiter, columns })
}

impl Rows<'_> {
    /// What the file's letters are written in, as far as it has been read.
    #[must_use]
    pub fn encoding(&self) -> &'static str {
        self.lines.encoding()
    }

    #[must_use]
    pub fn delimiter(&self) -> char {
        char::from(self.delimiter)
    }

    /// The row after the last one, `None` at the end.
    ///
    /// # Errors
    /// [`BadFile::Unreadable`], when the file cannot be read further.
    pub fn next_row(&mut self) -> Result<Option<Row>, BadFile> {
        loop {
            let Some((line, taken)) = self.take()? else { return Ok(None) };
            let bad = |reason| Row { line, address: Err(reason), name: String::new(), zone: String::new() };
            let row = match taken {
                Err(reason) => bad(reason),
                Ok(bytes) if bytes.iter().all(u8::is_ascii_whitespace) => continue,
                Ok(bytes) => match self.whole_row(bytes)? {
                    Err(reason) => bad(reason),
                    Ok(cells) => self.row(line, &cells),
                },
            };
            return Ok(Some(row));
        }
    }

    fn take(&mut self) -> Result<Option<decode::Line>, BadFile> {
        match self.again.pop_front() {
            Some((line, bytes)) => Ok(Some((line, Ok(bytes)))),
            None => Ok(self.lines.next_line()?),
        }
    }

    /// The cells of the row that begins with `first`, which may go on over further lines inside quotation marks.
    fn whole_row(&mut self, first: Vec<u8>) -> Result<Result<Vec<Vec<u8>>, BadRow>, BadFile> {
        let mut row = first;
        let mut more: Vec<(usize, Vec<u8>)> = Vec::new();
        loop {
            if row.contains(&0) {
                self.take_back(more);
                return Ok(Err(BadRow::Nul));
            }
            if let Some(cells) = fields::split(&row, self.delimiter) {
                if !more.is_empty() && self.is_not_meant(&cells) {
                    self.take_back(more);
                    return Ok(Err(BadRow::UnclosedQuote));
                }
                let wide = cells.texts.len() > COLUMNS_MAX;
                return Ok(if wide { Err(BadRow::TooWide) } else { Ok(cells.texts) });
            }
            let next = if more.len() < ROW_LINES_MAX && row.len() < ROW_BYTES_MAX { self.take()? } else { None };
            let Some((line, Ok(bytes))) = next else {
                self.take_back(more);
                return Ok(Err(BadRow::UnclosedQuote));
            };
            row.push(b'\n');
            row.extend_from_slice(&bytes);
            more.push((line, bytes));
        }
    }

    /// A row over several lines whose mark was closed by the opening one of another row: letters stand where the
    /// delimiter should, or the address runs over a line.
    fn is_not_meant(&self, cells: &fields::Cells) -> bool {
        cells.ragged || cells.texts.get(self.columns.address).is_some_and(|cell| cell.contains(&b'\n'))
    }

    fn take_back(&mut self, lines: Vec<(usize, Vec<u8>)>) {
        for line in lines.into_iter().rev() {
            self.again.push_front(line);
        }
    }

    fn row(&mut self, line: usize, cells: &[Vec<u8>]) -> Row {
        let mut cell = |at: Option<usize>| {
            let text = at.and_then(|at| cells.get(at)).map(|cell| self.lines.text(cell)).unwrap_or_default();
            super::export::unguarded(text.trim()).to_owned()
        };
        let address = Address::parse(&cell(Some(self.columns.address))).map_err(BadRow::from);
        let whole = cell(self.columns.name);
        let parts = [cell(self.columns.first_name), cell(self.columns.last_name)].join(" ");
        let name = if whole.is_empty() { parts } else { whole };
        Row { line, address, name: tidy_name(&name), zone: cell(self.columns.zone) }
    }
}

/// A person's name as it is kept: one line, without control characters, of bounded length.
#[must_use]
pub fn tidy_name(name: &str) -> String {
    let words: Vec<&str> = name.split(|letter: char| letter.is_whitespace() || letter.is_control()).collect();
    let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
    words.join(" ").chars().take(NAME_LETTERS_MAX).collect()
}

#[cfg(test)]
mod tests;

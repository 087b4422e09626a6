//! One row into its cells (RFC 4180, leniently: a quotation mark inside an unquoted cell is a letter).

/// What may stand between cells, in the order of preference when a line has as many of each.
const DELIMITERS: [u8; 3] = [b',', b';', b'\t'];

/// The delimiter of a file whose first line this is.
pub(super) fn delimiter_of(line: &[u8]) -> u8 {
    let mut counts = [0_usize; 3];
    let mut quoted = false;
    for byte in line {
        quoted ^= *byte == b'"';
        if let (false, Some(at)) = (quoted, DELIMITERS.iter().position(|delimiter| delimiter == byte)) {
            counts[at] += 1;
        }
    }
    let best = (0..DELIMITERS.len()).max_by_key(|at| (counts[*at], DELIMITERS.len() - at)).unwrap_or(0);
    DELIMITERS[best]
}

/// The cells of a row; `None` if it ends inside quotation marks.
pub(super) fn split(row: &[u8], delimiter: u8) -> Option<Cells> {
    let mut cells = Cells::default();
    let mut rest = row;
    loop {
        let blanks = rest.iter().take_while(|byte| **byte == b' ').count();
        let (cell, after) = match rest.get(blanks) {
            Some(b'"') => quoted_cell(&rest[blanks + 1..], delimiter, &mut cells.ragged)?,
            _ => plain_cell(rest, delimiter),
        };
        cells.texts.push(cell);
        match after {
            Some(after) => rest = after,
            None => return Some(cells),
        }
    }
}

/// The cells of a row.
#[derive(Debug, Default)]
pub(super) struct Cells {
    pub(super) texts: Vec<Vec<u8>>,
    /// Letters stand between a closing quotation mark and its delimiter.
    pub(super) ragged: bool,
}

/// A cell and what stands after its delimiter; `None` for the last of the row.
type Cell<'a> = (Vec<u8>, Option<&'a [u8]>);

fn plain_cell(rest: &[u8], delimiter: u8) -> Cell<'_> {
    match rest.iter().position(|byte| *byte == delimiter) {
        Some(end) => (rest[..end].to_vec(), Some(&rest[end + 1..])),
        None => (rest.to_vec(), None),
    }
}

fn quoted_cell<'a>(rest: &'a [u8], delimiter: u8, ragged: &mut bool) -> Option<Cell<'a>> {
    let mut cell = Vec::new();
    let mut at = 0;
    loop {
        let mark = at + rest[at..].iter().position(|byte| *byte == b'"')?;
        cell.extend_from_slice(&rest[at..mark]);
        if rest.get(mark + 1) == Some(&b'"') {
            cell.push(b'"');
            at = mark + 2;
            continue;
        }
        // What stands between the closing mark and the delimiter belongs to the cell, as spreadsheets read it.
        let (tail, after) = plain_cell(&rest[mark + 1..], delimiter);
        *ragged |= !tail.trim_ascii().is_empty();
        cell.extend_from_slice(tail.trim_ascii_end());
        return Some((cell, after));
    }
}

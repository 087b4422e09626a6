//! CSV that leaves the house: nothing in it is a formula to whoever opens it in a spreadsheet.

use std::borrow::Cow;

/// Letters that make a spreadsheet take a cell for a formula (or skip to the next that does).
const FORMULA: [char; 7] = ['=', '+', '-', '@', '\t', '\r', '\0'];

/// The cell with an apostrophe before it if a spreadsheet would run it; spreadsheets show it as text then.
#[must_use]
pub fn guarded(cell: &str) -> Cow<'_, str> {
    if cell.starts_with(FORMULA) { Cow::Owned(format!("'{cell}")) } else { Cow::Borrowed(cell) }
}

/// The cell as it was before [`guarded`], so that an export can be imported again.
#[must_use]
pub fn unguarded(cell: &str) -> &str {
    cell.strip_prefix('\'').filter(|rest| rest.starts_with(FORMULA)).unwrap_or(cell)
}

/// One row of CSV with its end of line (RFC 4180), each cell guarded.
#[must_use]
pub fn row(cells: &[&str]) -> String {
    let mut line = String::new();
    for (at, cell) in cells.iter().enumerate() {
        if at > 0 {
            line.push(',');
        }
        let cell = guarded(cell);
        if cell.contains([',', '"', '\n', '\r', ';', '\t']) || cell.starts_with(' ') || cell.ends_with(' ') {
            line.push('"');
            line.push_str(&cell.replace('"', "\"\""));
            line.push('"');
        } else {
            line.push_str(&cell);
        }
    }
    line.push_str("\r\n");
    line
}

#[cfg(test)]
mod tests {
    use super::{guarded, row, unguarded};
    use proptest::prelude::{prop_assert_eq, proptest};

    #[test]
    fn a_formula_is_text() {
        for cell in ["=1+1", "+a@x.org", "-2", "@SUM(A1)", "\t=1", "\r=1", "\0=1"] {
            assert_eq!(guarded(cell), format!("'{cell}"));
        }
        assert_eq!(row(&["=cmd|' /C calc'!A0", "O'Neil", "a,\"b\""]), "'=cmd|' /C calc'!A0,O'Neil,\"a,\"\"b\"\"\"\r\n");
    }

    proptest! {
        #[test]
        fn a_guarded_cell_comes_back(cell in "[=+@'a-z-]{0,6}") {
            let first_guarded = cell.starts_with('\'') && unguarded(&cell) != cell;
            if !first_guarded {
                let out = guarded(&cell);
                prop_assert_eq!(unguarded(&out), cell.as_str());
            }
        }
    }
}

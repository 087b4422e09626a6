//! Tables in columns; if they are wider than a line, one block a row.

use super::Twin;
use super::wrap::LINE_CELLS;
use crate::issue::columns::{self, Side};
use crate::issue::tree::Table;

const INDENT: &str = "  ";
const BETWEEN: usize = 3;

impl Twin<'_> {
    pub(super) fn table(&mut self, table: &Table, indent: &str) -> String {
        let count = columns::count(table);
        let mut cells = |row: &Vec<Vec<crate::issue::tree::Inline>>| {
            let mut cells: Vec<String> = row.iter().map(|cell| self.inlines(cell).replace('\n', " ")).collect();
            cells.resize(count, String::new());
            cells
        };
        let head = columns::has_head(table).then(|| cells(&table.head));
        let rows: Vec<Vec<String>> = table.rows.iter().map(&mut cells).collect();
        let widest = |column: usize| {
            let of_rows = head.iter().chain(&rows).map(|row| self.measure.cells(&row[column]));
            of_rows.max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..count).map(widest).collect();
        let indent = format!("{indent}{INDENT}");
        let total = indent.len() + widths.iter().sum::<usize>() + BETWEEN * count.saturating_sub(1);
        if total > LINE_CELLS {
            return self.in_blocks(head.as_deref(), &rows, &indent);
        }
        let sides = columns::sides(table);
        let mut out = String::new();
        if let Some(head) = &head {
            self.row(&indent, head, &widths, &sides, &mut out);
            let dashes: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
            self.row(&indent, &dashes, &widths, &sides, &mut out);
        }
        rows.iter().for_each(|row| self.row(&indent, row, &widths, &sides, &mut out));
        out
    }

    fn row(&self, indent: &str, cells: &[String], widths: &[usize], sides: &[Side], out: &mut String) {
        let mut line = indent.to_owned();
        for (column, cell) in cells.iter().enumerate() {
            let room = widths[column].saturating_sub(self.measure.cells(cell));
            let before = match sides.get(column) {
                Some(Side::End) => room,
                Some(Side::Center) => room / 2,
                _ => 0,
            };
            line.push_str(&" ".repeat(before));
            line.push_str(cell);
            line.push_str(&" ".repeat(room - before + BETWEEN));
        }
        out.push_str(line.replace('\u{a0}', " ").trim_end());
        out.push('\n');
    }

    fn in_blocks(&self, head: Option<&[String]>, rows: &[Vec<String>], indent: &str) -> String {
        let mut out = String::new();
        for row in rows {
            if !out.is_empty() {
                out.push('\n');
            }
            for (column, cell) in row.iter().enumerate().filter(|(_, cell)| !cell.is_empty()) {
                let name = head.map(|head| head[column].as_str()).filter(|name| !name.is_empty());
                let line = name.map_or_else(|| cell.clone(), |name| format!("{name}: {cell}"));
                out.push_str(&self.measure.wrap(&line, indent, &format!("{indent}  ")));
            }
        }
        out
    }
}

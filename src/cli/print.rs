//! What commands print: tables for people, JSON for programs, questions on a terminal.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use comfy_table::presets::NOTHING;
use comfy_table::{ContentArrangement, Table};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::exit;
use crate::verbs::problem::Problem;

/// Prints a line to standard output. A reader that has gone away (`| head`) ends the command, in silence as is usual.
///
/// # Errors
/// When it cannot be written.
pub fn line(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}").and_then(|()| out.flush()).map_err(quiet_pipe)
}

/// An error of writing; a closed pipe becomes [`exit::Silent`].
#[must_use]
pub fn quiet_pipe(error: io::Error) -> anyhow::Error {
    if error.kind() == io::ErrorKind::BrokenPipe { exit::Silent(0).into() } else { error.into() }
}

/// Prints a value as JSON, on lines of its own.
///
/// # Errors
/// When it cannot be written.
pub fn json<T: serde::Serialize>(value: &T) -> anyhow::Result<()> {
    line(&serde_json::to_string_pretty(value)?)
}

/// Prints text as it is, with the ends of lines that it has.
///
/// # Errors
/// When it cannot be written.
pub fn text(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(quiet_pipe)
}

/// A JSON array that is printed while its items come: nothing is kept. Says nothing at all where it is not wanted.
#[derive(Debug)]
pub struct Array {
    wanted: bool,
    items: u64,
}

impl Array {
    #[must_use]
    pub fn new(wanted: bool) -> Self {
        Self { wanted, items: 0 }
    }

    /// # Errors
    /// When it cannot be written.
    pub fn item<T: serde::Serialize>(&mut self, item: &T) -> anyhow::Result<()> {
        if !self.wanted {
            return Ok(());
        }
        let before = if self.items == 0 { "[\n" } else { ",\n" };
        self.items += 1;
        text(&format!("{before}{}", serde_json::to_string(item)?))
    }

    /// # Errors
    /// When it cannot be written.
    pub fn end(self) -> anyhow::Result<()> {
        match (self.wanted, self.items) {
            (false, _) => Ok(()),
            (true, 0) => text("[]\n"),
            (true, _) => text("\n]\n"),
        }
    }
}

/// Something for the eyes of a person at the terminal; on standard error, so that output stays clean.
pub fn note(text: &str) {
    eprintln!("{text}");
}

/// A table without lines, as wide as the terminal.
///
/// # Errors
/// When it cannot be written.
pub fn table(heads: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> anyhow::Result<()> {
    let mut table = Table::new();
    table.load_style(NOTHING).set_content_arrangement(ContentArrangement::Dynamic).set_header(heads);
    for row in rows {
        table.add_row(row);
    }
    table.column_iter_mut().for_each(|column| {
        column.set_padding((0, 2));
    });
    line(&table.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().join("\n"))
}

/// Asks before something that cannot be undone, unless `yes` says that it was decided. `consequence` says what happens.
///
/// # Errors
/// When the answer is no, or there is nobody to ask.
pub fn confirm(consequence: &str, yes: bool) -> anyhow::Result<()> {
    if yes {
        return Ok(());
    }
    if !io::stdin().is_terminal() {
        return Err(
            Problem::Invalid(format!("{consequence} Nothing was done: pass --yes to say that this is wanted")).into()
        );
    }
    eprint!("{consequence}\nGo on? [y/N] ");
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    if matches!(answer.trim().to_lowercase().as_str(), "y" | "yes") {
        return Ok(());
    }
    note("Nothing was done.");
    Err(exit::Silent(exit::FAILED).into())
}

/// A bar on a terminal; elsewhere nothing, and whoever shows it prints lines.
#[must_use]
pub fn bar(length: u64) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::stderr());
    let style =
        ProgressStyle::with_template("{bar:40} {pos}/{len} {msg}").unwrap_or_else(|_| ProgressStyle::default_bar());
    bar.set_style(style.progress_chars("█▌ "));
    bar
}

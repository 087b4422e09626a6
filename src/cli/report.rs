//! `report read`: what came back, read without a database.

use std::fs::File;
use std::io::{self, BufWriter, Read as _, Write as _};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde::Serialize;

use super::{Global, exit, print};
use crate::audience::report::{self, Found};

/// Of one file, which is read whole: an mbox of some hundred thousand reports.
const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024 * 1024;

#[derive(Debug, Subcommand)]
pub enum ReportCommand {
    /// Say what mails mean that came back: bounces, delays, complaints, automatic answers; nothing is changed
    Read(ReadArgs),
}

#[derive(Debug, Args)]
pub struct ReadArgs {
    /// Mails, or mbox files of many; - for standard input
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
}

/// One line of `--json`.
#[derive(Serialize)]
struct Line<'a> {
    file: &'a str,
    #[serde(flatten)]
    found: &'a Found,
}

/// # Errors
/// When a file cannot be read, after all the others were.
pub fn run(global: &Global, command: &ReportCommand) -> anyhow::Result<()> {
    let ReportCommand::Read(args) = command;
    let mut out = BufWriter::new(io::stdout().lock());
    let mut unread = false;
    for path in &args.files {
        match content(path) {
            Ok(content) => tell(&mut out, path, &content, global.json).map_err(print::quiet_pipe)?,
            Err(error) => {
                print::note(&format!("error: {} cannot be read: {error}; the other files are", path.display()));
                unread = true;
            }
        }
    }
    out.flush().map_err(print::quiet_pipe)?;
    if unread { Err(exit::Silent(exit::FAILED).into()) } else { Ok(()) }
}

fn content(path: &Path) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    if path.as_os_str() == "-" {
        io::stdin().lock().take(FILE_BYTES_MAX).read_to_end(&mut content)?;
    } else {
        File::open(path)?.take(FILE_BYTES_MAX).read_to_end(&mut content)?;
    }
    Ok(content)
}

fn tell(out: &mut impl io::Write, path: &Path, content: &[u8], json: bool) -> io::Result<()> {
    let file = path.to_string_lossy();
    for mail in report::mbox::mails(content) {
        for found in &report::read(&mail) {
            if json {
                serde_json::to_writer(&mut *out, &Line { file: &file, found })?;
                writeln!(out)?;
            } else {
                writeln!(out, "{file}: {}", sentence(found))?;
            }
        }
    }
    Ok(())
}

/// "bounce, hard: reader@site.example, unknown-user (550 5.1.1): the reason"
fn sentence(found: &Found) -> String {
    let mut words = found.kind.as_str().to_owned();
    if found.hard {
        words.push_str(", hard");
    }
    words.push_str(": ");
    words.push_str(found.recipient.as_deref().unwrap_or("nobody named"));
    if matches!(found.kind, report::Kind::Bounce | report::Kind::Delayed) {
        words.push_str(", ");
        words.push_str(found.class.as_str());
    }
    let reply = found.reply.map(|code| code.to_string());
    let codes: Vec<&str> = [reply.as_deref(), found.status.as_deref()].into_iter().flatten().collect();
    if !codes.is_empty() {
        words.push_str(&format!(" ({})", codes.join(" ")));
    }
    if !found.text.is_empty() {
        words.push_str(": ");
        words.push_str(&found.text);
    }
    words
}

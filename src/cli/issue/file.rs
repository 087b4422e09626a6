//! `issue new`, `check`, `render`: a file, without database and configuration.

use std::io::IsTerminal as _;
use std::path::Path;

use super::Global;
use crate::cli::issue_file::{self, Judged, listing::listing};
use crate::cli::{exit, print};
use crate::issue::finding::{Finding, Severity, blocked};
use crate::values::clock::Clock;

pub(super) fn new(global: &Global, file: &Path) -> anyhow::Result<()> {
    issue_file::new(file)?;
    if global.json {
        return print::json(&serde_json::json!({ "file": file }));
    }
    print::line(&format!("Wrote {}. Write on it, then: broadsheet issue check {0}", file.display()))
}

pub(super) fn check(global: &Global, file: &Path) -> anyhow::Result<()> {
    let judged = issue_file::judge(file, &Clock::System)?;
    let is_blocked = blocked(&judged.findings);
    if global.json {
        print::json(&serde_json::json!({
            "blocked": is_blocked, "findings": judged.findings, "hash": judged.rendered.hash
        }))?;
    } else {
        list(file, &judged, std::io::stdout().is_terminal(), print::line)?;
        print::line(&verdict(&judged.findings))?;
    }
    if is_blocked { Err(exit::Silent(exit::REFUSED).into()) } else { Ok(()) }
}

pub(super) fn render(global: &Global, file: &Path, out: &Path) -> anyhow::Result<()> {
    let judged = issue_file::judge(file, &Clock::System)?;
    let written = issue_file::write(&judged, out, &Clock::System)?;
    if global.json {
        return print::json(&written);
    }
    let say = |text: &str| {
        print::note(text);
        Ok(())
    };
    list(file, &judged, std::io::stderr().is_terminal(), say)?;
    print::note(&verdict(&judged.findings));
    written.files.iter().try_for_each(|path| print::line(&path.display().to_string()))
}

fn list(file: &Path, judged: &Judged, colour: bool, say: impl Fn(&str) -> anyhow::Result<()>) -> anyhow::Result<()> {
    if judged.findings.is_empty() {
        return Ok(());
    }
    say(listing(file, &judged.source, &judged.findings, colour).trim_end())
}

fn verdict(findings: &[Finding]) -> String {
    let errors = findings.iter().filter(|finding| finding.severity == Severity::Blocks).count();
    match (errors, findings.len() - errors) {
        (0, 0) => "Nothing to mend.".into(),
        (0, warnings) => format!("{warnings} to look at; it may be sent."),
        (errors, warnings) => format!("{errors} to mend before it may be sent, {warnings} to look at."),
    }
}

//! Lists of readers, in and out.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use anyhow::Context as _;
use futures_util::TryStreamExt as _;

use super::{ExportArgs, Global, ImportArgs, print};
use crate::audience::import::Report;
use crate::verbs::app::App;
use crate::verbs::membership::{self, Import};
use crate::verbs::newsletters;
use crate::verbs::problem::Problem;

/// Lines that are printed one by one; a person reads no more.
const PROBLEMS_PRINTED: usize = 20;

pub(super) async fn import(global: &Global, app: &App, args: ImportArgs) -> anyhow::Result<()> {
    let mut tx = app.store.read().await?;
    let newsletter = newsletters::find(&mut tx, &args.newsletter).await?;
    tx.commit().await?;
    let what = |dry_run| Import {
        newsletter: newsletter.id,
        consent: args.consent.clone(),
        source: format!("{}, by the command line", args.file.display()),
        account: None,
        dry_run,
    };
    if !args.yes && !args.dry_run {
        if is_stdin(&args.file) {
            let why = "standard input can be read only once: pass --yes to import it, or --dry-run to see what would happen. Nothing was imported";
            return Err(Problem::Invalid(why.into()).into());
        }
        let would = run(app, what(true), &args.file).await?;
        told(&would);
        print::confirm(&format!("{} readers would be added to {}.", would.new, newsletter.name), false)?;
    }
    let report = run(app, what(args.dry_run), &args.file).await?;
    if global.json {
        return print::json(&report);
    }
    told(&report);
    let done = if args.dry_run { "would be added" } else { "added" };
    print::line(&format!("{} readers {done} to {}.", report.new, newsletter.name))
}

fn is_stdin(file: &Path) -> bool {
    file.as_os_str() == "-"
}

async fn run(app: &App, what: Import, file: &Path) -> anyhow::Result<Report> {
    let source: Box<dyn Read + Send> = match is_stdin(file) {
        true => Box::new(io::stdin()),
        false => Box::new(
            File::open(file).with_context(|| format!("{} cannot be read; nothing was imported", file.display()))?,
        ),
    };
    Ok(membership::import(app, what, source).await??)
}

fn told(report: &Report) {
    let counts = [
        ("new", report.new),
        ("readers already", report.already_active),
        ("left before, stay out", report.left_before),
        ("suppressed, stay out", report.suppressed),
        ("twice in the file", report.duplicate),
        ("not usable", report.bad),
    ];
    print::note(&format!("{} lines ({}):", report.lines, report.encoding));
    for (what, count) in counts.into_iter().filter(|(_, count)| *count > 0) {
        print::note(&format!("  {count:>9} {what}"));
    }
    for problem in report.problems.iter().take(PROBLEMS_PRINTED) {
        print::note(&format!("  line {}: {}", problem.line, problem.reason));
    }
    if report.problems.len() > PROBLEMS_PRINTED {
        print::note(&format!("  and {} more; --json lists them", report.problems.len() - PROBLEMS_PRINTED));
    }
}

pub(super) async fn export(app: &App, args: ExportArgs) -> anyhow::Result<()> {
    let mut tx = app.store.read().await?;
    let newsletter = newsletters::find(&mut tx, &args.newsletter).await?;
    tx.commit().await?;
    let mut out: Box<dyn Write + Send> = match &args.out {
        None => Box::new(io::stdout()),
        Some(path) => {
            let file = File::create_new(path);
            Box::new(file.with_context(|| format!("{} cannot be made; nothing was exported", path.display()))?)
        }
    };
    let mut pages = std::pin::pin!(membership::export(app, newsletter.id, args.status));
    while let Some(page) = pages.try_next().await? {
        out.write_all(page.as_bytes()).map_err(print::quiet_pipe)?;
    }
    out.flush().map_err(print::quiet_pipe)
}

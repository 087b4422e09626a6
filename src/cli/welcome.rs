//! `welcome list`, `add`, `set`, `remove`, `test`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{Global, print};
use crate::config::load::read_small;
use crate::store::newsletter::Newsletter;
use crate::store::welcome::Welcome;
use crate::values::address::Address;
use crate::values::clock::Millis;
use crate::values::ids::WelcomeId;
use crate::verbs::app::App;
use crate::verbs::membership::{self, Step};
use crate::verbs::newsletters;
use crate::verbs::problem::Problem;

#[derive(Debug, Subcommand)]
pub enum WelcomeCommand {
    /// List the mails that a new reader gets
    List { newsletter: String },
    /// Add a mail, written as an issue is: Markdown with a head
    Add {
        newsletter: String,
        file: PathBuf,
        /// How long after joining it comes: 0, 3d
        #[arg(long, value_parser = super::duration::parse, default_value = "0s", value_name = "DURATION")]
        after: i64,
        /// Keep it back for now
        #[arg(long)]
        off: bool,
    },
    /// Change a mail
    Set(SetArgs),
    /// Remove a mail; who waits for it does not get it
    Remove { newsletter: String, id: WelcomeId },
    /// Send a mail as a test
    Test { newsletter: String, id: WelcomeId, address: String },
}

#[derive(Debug, Args)]
pub struct SetArgs {
    pub newsletter: String,
    pub id: WelcomeId,
    /// A new text
    #[arg(long, value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// How long after joining it comes
    #[arg(long, value_parser = super::duration::parse, value_name = "DURATION")]
    pub after: Option<i64>,
    /// Whether new readers get it (true, false)
    #[arg(long, value_name = "BOOL")]
    pub on: Option<bool>,
}

/// # Errors
/// When a value is wrong, or the database cannot be used.
pub async fn run(global: &Global, command: WelcomeCommand) -> anyhow::Result<()> {
    let app = global.open().await?;
    let (WelcomeCommand::List { newsletter }
    | WelcomeCommand::Add { newsletter, .. }
    | WelcomeCommand::Set(SetArgs { newsletter, .. })
    | WelcomeCommand::Remove { newsletter, .. }
    | WelcomeCommand::Test { newsletter, .. }) = &command;
    let mut tx = app.store.read().await?;
    let paper = newsletters::find(&mut tx, newsletter).await?;
    tx.commit().await?;
    match command {
        WelcomeCommand::List { .. } => {}
        WelcomeCommand::Add { file, after, off, .. } => {
            let source = read_small(&file).map_err(Problem::Invalid)?;
            membership::save_welcome(&app, &paper, None, after, &source, !off, None).await?;
        }
        WelcomeCommand::Set(args) => set(&app, &paper, &args).await?,
        WelcomeCommand::Remove { id, .. } => membership::remove_welcome(&app, paper.id, id).await?,
        WelcomeCommand::Test { id, address, .. } => {
            let address = Address::parse(&address).map_err(|bad| Problem::Invalid(bad.to_string()))?;
            find(&app, &paper, id).await?;
            membership::test_welcome(&app, id, &address).await?;
        }
    }
    list(global, &app, &paper).await
}

async fn find(app: &App, paper: &Newsletter, id: WelcomeId) -> anyhow::Result<Welcome> {
    let steps = membership::steps(app, paper.id).await?;
    let kept = steps.into_iter().map(|step| step.row).find(|row| row.id == id);
    Ok(kept.ok_or_else(|| Problem::NotFound(format!("{} has no welcome mail {id}; nothing was done", paper.name)))?)
}

async fn set(app: &App, paper: &Newsletter, args: &SetArgs) -> anyhow::Result<()> {
    let kept = find(app, paper, args.id).await?;
    let source = match &args.file {
        Some(file) => read_small(file).map_err(Problem::Invalid)?,
        None => kept.source,
    };
    let (after, on) = (args.after.unwrap_or(kept.delay_ms), args.on.unwrap_or(kept.is_on));
    membership::save_welcome(app, paper, Some(args.id), after, &source, on, None).await?;
    Ok(())
}

async fn list(global: &Global, app: &App, paper: &Newsletter) -> anyhow::Result<()> {
    let steps = membership::steps(app, paper.id).await?;
    if global.json {
        return print::json(&steps);
    }
    if steps.is_empty() {
        return print::line("New readers get no welcome; add one with `broadsheet welcome add`.");
    }
    let row = |step: &Step| {
        let after = match step.row.delay_ms {
            0 => "at once".to_owned(),
            delay if delay % Millis::DAY == 0 => format!("{} d", delay / Millis::DAY),
            delay => format!("{} h", delay / Millis::HOUR),
        };
        let on = if step.row.is_on { "on" } else { "off" };
        let id = step.row.id.to_string();
        vec![id, after, on.into(), step.subject.clone(), step.waiting.to_string(), step.sent.to_string()]
    };
    print::table(&["id", "after joining", "", "subject", "wait", "sent"], steps.iter().map(row))
}

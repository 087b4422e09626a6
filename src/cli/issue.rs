//! `issue …`: from a file to a report.

mod deliveries;
mod departures;
mod doubt;
mod file;
mod manage;
mod plan;
mod send;
mod watch;

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Global;
use super::hours::HoursArgs;
use crate::delivery::state::DeliveryState;
use crate::store::issue::{IssueRow, IssueState};
use crate::values::ids::IssueId;
use crate::verbs::app::App;
use crate::verbs::refusal::Refusal;

#[derive(Debug, Subcommand)]
pub enum IssueCommand {
    /// Write a file to begin an issue with
    New { file: PathBuf },
    /// Check an issue's file: errors keep it from being sent, warnings are worth a look
    Check { file: PathBuf },
    /// Write the mail that a file makes: HTML, text, whole message and pictures
    Render {
        file: PathBuf,
        /// The folder to write into
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
    /// Keep an issue's file and its pictures as a draft
    Add {
        file: PathBuf,
        #[arg(long, value_name = "SLUG")]
        newsletter: String,
    },
    /// Send an issue to a few addresses, as it would go out
    Test(TestArgs),
    /// Send an issue to every reader; a running `serve` hands the mails to the relay
    Send(SendArgs),
    /// Give an issue a time, or leave it for the newsletter's next slot
    Schedule(ScheduleArgs),
    /// Take the time or the slot from an issue: a draft again
    Unschedule { id: IssueId },
    /// Say on how many days an issue would go out: warm-up, and limits of relays
    Plan { id: IssueId },
    /// Say how sending is getting on
    Status(StatusArgs),
    /// List every reader's copy: state, tries, reply, times
    Deliveries(DeliveriesArgs),
    /// Say who left by an issue: how many, by which way, and why, without names
    Departures { id: IssueId },
    /// Mails of which nobody could hear whether they were taken: list them, and decide
    #[command(subcommand)]
    Doubt(doubt::DoubtCommand),
    /// Stop sending for now; nothing more leaves until it is resumed
    Pause {
        id: IssueId,
        /// Why, for whoever looks later
        #[arg(long, default_value = "", hide_default_value = true)]
        why: String,
    },
    /// Go on with a paused issue
    Resume { id: IssueId },
    /// Cancel the rest: whoever has not got it yet will not
    Cancel {
        id: IssueId,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// While the undo hold lasts: a draft again, as if it had never been sent
    Undo { id: IssueId },
    /// List issues, newest first
    List(ListArgs),
}

#[derive(Debug, Args)]
pub struct ScheduleArgs {
    pub id: IssueId,
    /// Wall time: "2026-11-29 09:00"; with --local the day alone is enough
    #[arg(long, required_unless_present = "next_slot")]
    pub at: Option<String>,
    /// IANA zone of that time [default: the newsletter's]
    #[arg(long)]
    pub zone: Option<String>,
    #[command(flatten)]
    pub hours: HoursArgs,
    /// Leave it for the newsletter's next slot
    #[arg(long, conflicts_with_all = ["at", "zone"])]
    pub next_slot: bool,
    /// Say what would happen, and change nothing
    #[arg(long)]
    pub dry_run: bool,
}

#[derive(Debug, Args)]
pub struct TestArgs {
    pub id: IssueId,
    /// An address; may be given more than once
    #[arg(long, required = true, value_name = "ADDRESS")]
    pub to: Vec<String>,
    /// Do not wait for what the relay says
    #[arg(long)]
    pub no_wait: bool,
}

#[derive(Debug, Args)]
pub struct SendArgs {
    pub id: IssueId,
    /// How long it can be undone before the first mail leaves [default: hold_seconds of the configuration]
    #[arg(long, value_parser = super::duration::parse, value_name = "DURATION")]
    pub hold: Option<i64>,
    #[command(flatten)]
    pub hours: HoursArgs,
    /// Show progress until nothing is left to send
    #[arg(long)]
    pub wait: bool,
    /// Check and count, and send nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Do not ask
    #[arg(long)]
    pub yes: bool,
}

#[derive(Debug, Args)]
pub struct StatusArgs {
    pub id: IssueId,
    /// Go on showing until nothing is left to send
    #[arg(long)]
    pub wait: bool,
}

#[derive(Debug, Args)]
pub struct DeliveriesArgs {
    pub id: IssueId,
    /// As CSV
    #[arg(long)]
    pub csv: bool,
    /// Only those in this state
    #[arg(long)]
    pub state: Option<DeliveryState>,
}

#[derive(Debug, Args)]
pub struct ListArgs {
    /// Only those of this newsletter
    #[arg(long, value_name = "SLUG")]
    pub newsletter: Option<String>,
    /// Only those in this state; may be given more than once
    #[arg(long, value_parser = parse_state)]
    pub state: Vec<IssueState>,
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(i64).range(1..=1_000))]
    pub limit: i64,
}

fn parse_state(word: &str) -> Result<IssueState, String> {
    IssueState::try_from(word.to_owned())
}

/// # Errors
/// When there is no such issue, the verb refuses, or the database cannot be used.
pub async fn run(global: &Global, command: IssueCommand) -> anyhow::Result<()> {
    match &command {
        IssueCommand::New { file } => return file::new(global, file),
        IssueCommand::Check { file } => return file::check(global, file),
        IssueCommand::Render { file, out } => return file::render(global, file, out),
        _ => {}
    }
    let app = global.open().await?;
    match command {
        IssueCommand::New { .. } | IssueCommand::Check { .. } | IssueCommand::Render { .. } => Ok(()),
        IssueCommand::Add { file, newsletter } => send::add(global, &app, &file, &newsletter).await,
        IssueCommand::Test(args) => send::test(global, &app, args).await,
        IssueCommand::Send(args) => send::send(global, &app, args).await,
        IssueCommand::Schedule(args) => manage::schedule(global, &app, args).await,
        IssueCommand::Unschedule { id } => manage::unschedule(global, &app, id).await,
        IssueCommand::Plan { id } => plan::show(global, &app, id).await,
        IssueCommand::Status(args) => watch::status(global, &app, &args).await,
        IssueCommand::Deliveries(args) => deliveries::run(global, &app, &args).await,
        IssueCommand::Departures { id } => departures::show(global, &app, id).await,
        IssueCommand::Doubt(command) => doubt::run(global, &app, command).await,
        IssueCommand::Pause { id, why } => manage::pause(global, &app, id, &why).await,
        IssueCommand::Resume { id } => manage::resume(global, &app, id).await,
        IssueCommand::Cancel { id, yes } => manage::cancel(global, &app, id, yes).await,
        IssueCommand::Undo { id } => manage::undo(global, &app, id).await,
        IssueCommand::List(args) => manage::list(global, &app, args).await,
    }
}

/// The issue's row.
///
/// # Errors
/// [`Refusal::NoSuchIssue`].
pub async fn known(app: &App, id: IssueId) -> anyhow::Result<IssueRow> {
    let mut tx = app.store.read().await?;
    Ok(crate::store::issue::by_id(&mut tx, id).await?.ok_or(Refusal::NoSuchIssue)?)
}

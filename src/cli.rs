//! The command line: the same verbs as the web. Every command parses, calls one verb and prints.

pub mod admin;
pub mod bench;
pub mod config;
pub mod demo;
pub mod docs;
pub mod duration;
pub mod exit;
pub mod faultsmtpd;
pub mod form;
pub mod hours;
pub mod issue;
pub mod issue_file;
pub mod log;
pub mod migrate;
pub mod newsletter;
pub mod node;
pub mod print;
pub mod relay;
pub mod report;
pub mod serve;
pub mod subscriber;
pub mod welcome;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory as _, Parser, Subcommand};

use crate::config::{Loaded, Sources, load};
use crate::values::clock::Clock;
use crate::verbs::app::App;
use crate::verbs::start;

/// Newsletters written as stories, checked, sent once to every reader, left with one click.
#[derive(Debug, Parser)]
#[command(name = "broadsheet", version, arg_required_else_help = true, propagate_version = true)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

/// What every command takes.
#[derive(Clone, Debug, Default, Args)]
pub struct Global {
    /// Folder for everything that is kept [default: the current folder]
    #[arg(long, global = true, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Configuration file [default: broadsheet.toml in the data folder, if there is one]
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Print for programs: JSON on standard output
    #[arg(long, global = true)]
    pub json: bool,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// See it all at once: an invented newsletter, and a catcher that its mail ends in
    Demo(demo::DemoArgs),
    /// Serve readers' pages and the desk, send what is due
    Serve(serve::ServeArgs),
    /// Write, check, schedule, send and watch issues
    #[command(subcommand)]
    Issue(issue::IssueCommand),
    /// Add, import, export and find readers
    #[command(subcommand)]
    Subscriber(subscriber::SubscriberCommand),
    /// Make sign-up forms, say what they ask, print proof of consent
    #[command(subcommand)]
    Form(form::FormCommand),
    /// Write what new readers get
    #[command(subcommand)]
    Welcome(welcome::WelcomeCommand),
    /// Make and look at newsletters
    #[command(subcommand)]
    Newsletter(newsletter::NewsletterCommand),
    /// Make relays and say how fast each may be used
    #[command(subcommand)]
    Relay(relay::RelayCommand),
    /// Read what came back: bounces, complaints, automatic answers
    #[command(subcommand)]
    Report(report::ReportCommand),
    /// Make accounts for the desk
    #[command(subcommand)]
    Admin(admin::AdminCommand),
    /// Write, check and show the configuration
    #[command(subcommand)]
    Config(config::ConfigCommand),
    /// See which processes serve this database
    #[command(subcommand)]
    Node(node::NodeCommand),
    /// Bring the database up to date
    #[command(subcommand)]
    Migrate(migrate::MigrateCommand),
    /// Measure this machine: nothing leaves it, nothing is kept
    #[command(subcommand)]
    Bench(bench::BenchCommand),
    /// Run a relay that fails on purpose, to test what sends: on this machine only
    Faultsmtpd(faultsmtpd::FaultArgs),
    /// Let mail leave again after a database was put back or moved
    GoAhead {
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// Print completions for a shell
    Completions { shell: clap_complete::Shell },
    /// Print the manual page, or write those of all commands into a folder
    Man {
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
}

/// Runs the command that the process was started with.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => exit::report(&error),
    }
}

fn run(cli: Cli) -> anyhow::Result<()> {
    let global = cli.global;
    log::start(if matches!(cli.command, Command::Serve(_)) { "info" } else { "warn" });
    match cli.command {
        Command::Completions { shell } => docs::completions(&mut Cli::command(), shell),
        Command::Man { out } => docs::man(Cli::command(), out.as_deref()),
        Command::Config(command) => config::run(&global, &command),
        Command::Report(command) => report::run(&global, &command),
        command => {
            let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
            runtime.block_on(run_async(global, command))
        }
    }
}

async fn run_async(global: Global, command: Command) -> anyhow::Result<()> {
    match command {
        Command::Demo(args) => demo::run(&global, args).await,
        Command::Serve(args) => serve::run(&global, args).await,
        Command::Issue(command) => issue::run(&global, command).await,
        Command::Subscriber(command) => subscriber::run(&global, command).await,
        Command::Form(command) => form::run(&global, command).await,
        Command::Welcome(command) => welcome::run(&global, command).await,
        Command::Newsletter(command) => newsletter::run(&global, command).await,
        Command::Relay(command) => relay::run(&global, command).await,
        Command::Admin(command) => admin::run(&global, command).await,
        Command::Node(command) => node::run(&global, &command).await,
        Command::Migrate(command) => migrate::run(&global, &command).await,
        Command::Faultsmtpd(args) => faultsmtpd::run(&global, args).await,
        Command::GoAhead { yes } => serve::go_ahead(&global, yes).await,
        Command::Bench(command) => bench::run(&command).await,
        Command::Completions { .. } | Command::Man { .. } | Command::Config(_) | Command::Report(_) => Ok(()),
    }
}

impl Global {
    /// The configuration, with `flags` of the command over everything else.
    ///
    /// # Errors
    /// [`crate::config::BadConfig`] with every problem.
    pub fn load(&self, flags: Vec<(&'static str, String)>) -> anyhow::Result<Loaded> {
        let mut flags = flags;
        if let Some(data) = &self.data {
            flags.push(("data", data.to_string_lossy().into_owned()));
        }
        // Variables that are not text belong to other programs; ours are.
        let env =
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        Ok(load(&Sources { file: self.config.clone(), flags, env: env.collect() })?)
    }

    /// The house, opened with its configuration and the machine's clock: also beside a running `serve`.
    ///
    /// # Errors
    /// When the configuration is wrong or something cannot be opened.
    pub async fn open(&self) -> anyhow::Result<App> {
        start::open(self.load(Vec::new())?.config, Clock::System).await
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_well_formed() {
        super::Cli::command().debug_assert();
    }
}

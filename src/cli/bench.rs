//! `bench`: figures of this machine, one part of the way at a time.

mod far;
mod figures;
mod house;
pub mod import;
pub mod ledger;
mod lettre;
pub mod message;
pub mod send;
pub mod wire;

use clap::Subcommand;

use message::Step;

#[derive(Debug, Subcommand)]
pub enum BenchCommand {
    /// Render an issue: Markdown to MJML, HTML, text and web page, once
    Render(message::MessageArgs),
    /// Encode a rendering for all readers, once an issue
    Prepare(message::MessageArgs),
    /// Compose one reader's message
    Compose(message::MessageArgs),
    /// Compose and sign one reader's message (RSA-2048)
    Sign(message::MessageArgs),
    Wire(wire::WireArgs),
    Freeze(ledger::FreezeArgs),
    Import(import::ImportArgs),
    Ledger(ledger::LedgerArgs),
    Send(send::SendArgs),
}

/// # Errors
/// Those of the part that is measured.
pub async fn run(command: &BenchCommand) -> anyhow::Result<()> {
    match command {
        BenchCommand::Render(args) => message::run(Step::Render, args),
        BenchCommand::Prepare(args) => message::run(Step::Prepare, args),
        BenchCommand::Compose(args) => message::run(Step::Compose, args),
        BenchCommand::Sign(args) => message::run(Step::Sign, args),
        BenchCommand::Wire(args) => wire::run(args).await,
        BenchCommand::Freeze(args) => ledger::freeze(args).await,
        BenchCommand::Import(args) => import::run(args).await,
        BenchCommand::Ledger(args) => ledger::ledger(args).await,
        BenchCommand::Send(args) => send::run(args).await,
    }
}

//! `bench`: figures of this machine, one part of the way at a time.

mod figures;
pub mod import;
pub mod ledger;
pub mod message;
pub mod wire;

use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub enum BenchCommand {
    /// Render an issue, compose and sign one reader's message
    Message(message::MessageArgs),
    Wire(wire::WireArgs),
    Freeze(ledger::FreezeArgs),
    Import(import::ImportArgs),
    Ledger(ledger::LedgerArgs),
    Send(ledger::SendArgs),
}

/// # Errors
/// Those of the part that is measured.
pub async fn run(command: &BenchCommand) -> anyhow::Result<()> {
    match command {
        BenchCommand::Message(args) => message::run(args),
        BenchCommand::Wire(args) => wire::run(args).await,
        BenchCommand::Freeze(args) => ledger::freeze(args).await,
        BenchCommand::Import(args) => import::run(args).await,
        BenchCommand::Ledger(args) => ledger::ledger(args).await,
        BenchCommand::Send(args) => ledger::send(args).await,
    }
}

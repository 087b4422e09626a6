//! `bench`: figures of this machine, one part of the way at a time.

pub mod message;
pub mod wire;

use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub enum BenchCommand {
    /// Render an issue, compose and sign one reader's message
    Message(message::MessageArgs),
    Wire(wire::WireArgs),
}

/// # Errors
/// Those of the part that is measured.
pub async fn run(command: &BenchCommand) -> anyhow::Result<()> {
    match command {
        BenchCommand::Message(args) => message::run(args),
        BenchCommand::Wire(args) => wire::run(args).await,
    }
}

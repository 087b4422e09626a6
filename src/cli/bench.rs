//! `bench`: figures of this machine, one part of the way at a time.

pub mod wire;

use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub enum BenchCommand {
    Wire(wire::WireArgs),
}

/// # Errors
/// Those of the part that is measured.
pub async fn run(command: &BenchCommand) -> anyhow::Result<()> {
    match command {
        BenchCommand::Wire(args) => wire::run(args).await,
    }
}

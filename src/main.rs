//! One binary; its roles are subcommands, listed in [`broadsheet::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    broadsheet::cli::main()
}

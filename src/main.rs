//! One binary; its roles are subcommands, listed in [`broadsheet::cli`].

fn main() {}

//! Completions and manual pages, made from the command line's own description.

use std::fs;
use std::path::Path;

use anyhow::Context as _;
use clap::Command;

use super::print;

/// # Errors
/// When they cannot be written.
pub fn completions(command: &mut Command, shell: clap_complete::Shell) -> anyhow::Result<()> {
    let mut text = Vec::new();
    clap_complete::generate(shell, command, "broadsheet", &mut text);
    print::line(String::from_utf8_lossy(&text).trim_end())
}

/// # Errors
/// When a page cannot be written.
pub fn man(command: Command, out: Option<&Path>) -> anyhow::Result<()> {
    if let Some(folder) = out {
        fs::create_dir_all(folder).with_context(|| format!("the folder {} cannot be made", folder.display()))?;
        return clap_mangen::generate_to(command, folder).context("the manual pages cannot be written");
    }
    let mut text = Vec::new();
    clap_mangen::Man::new(command).render(&mut text)?;
    print::line(String::from_utf8_lossy(&text).trim_end())
}

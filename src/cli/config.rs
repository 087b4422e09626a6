//! `config init`, `config check`, `config show`.

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Subcommand;

use super::{Global, print};
use crate::config::{Loaded, folder, keys, load::FILE_NAME};
use crate::verbs::problem::Problem;

#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Write a commented broadsheet.toml into the data folder
    Init,
    /// Say whether the configuration is understood
    Check,
    /// Show every value; secrets are masked
    Show {
        /// Say where each value comes from
        #[arg(long)]
        origin: bool,
    },
}

/// # Errors
/// When the configuration is wrong, or the file cannot be written.
pub fn run(global: &Global, command: &ConfigCommand) -> anyhow::Result<()> {
    match command {
        ConfigCommand::Init => init(global),
        ConfigCommand::Check => check(global),
        ConfigCommand::Show { origin } => show(global, *origin),
    }
}

fn init(global: &Global) -> anyhow::Result<()> {
    let folder = global.data.clone().unwrap_or_else(|| PathBuf::from("."));
    let path = global.config.clone().unwrap_or_else(|| folder.join(FILE_NAME));
    if global.config.is_none() {
        folder::make(&folder)?;
    }
    let made = fs::File::options().write(true).create_new(true).open(&path);
    let mut file = match made {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            return Err(Problem::Refused(format!("{} is there already and was left as it is", path.display())).into());
        }
        made => made.with_context(|| format!("{} cannot be written", path.display()))?,
    };
    file.write_all(keys::template().as_bytes()).with_context(|| format!("{} cannot be written", path.display()))?;
    print::line(&format!("Wrote {}. Every value in it is commented out.", path.display()))
}

fn check(global: &Global) -> anyhow::Result<()> {
    let Loaded { file, config, .. } = global.load(Vec::new())?;
    let from =
        file.map_or_else(|| "no file, defaults and environment only".to_owned(), |path| path.display().to_string());
    print::line(&format!("The configuration is understood ({from}); the data folder is {}.", config.data.display()))
}

fn show(global: &Global, origin: bool) -> anyhow::Result<()> {
    let Loaded { config, origins, .. } = global.load(Vec::new())?;
    let values = toml::Table::try_from(&config)?;
    let rows = keys::KEYS.iter().filter_map(|key| {
        let value = match values.get(key.name)? {
            toml::Value::String(text) => keys::masked(key, text),
            other => other.to_string(),
        };
        Some((key.name, value, origins.get(key.name).map(ToString::to_string).unwrap_or_default()))
    });
    if global.json {
        let rows = rows.map(|(name, value, from)| (name, serde_json::json!({ "value": value, "origin": from })));
        return print::json(&rows.collect::<std::collections::BTreeMap<_, _>>());
    }
    match origin {
        true => print::table(&["key", "value", "from"], rows.map(|(name, value, from)| vec![name.into(), value, from])),
        false => print::table(&["key", "value"], rows.map(|(name, value, _)| vec![name.into(), value])),
    }
}

//! Reading it: file, environment, flags, in that order, each over the one before.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use super::{BadConfig, Config, keys};

/// Where values are read from. Handed in, so that tests need no process of their own.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// `--config`; without it, `broadsheet.toml` in the data folder if there is one.
    pub file: Option<PathBuf>,
    /// `(key, value)` of the flags that were given.
    pub flags: Vec<(&'static str, String)>,
    /// The environment.
    pub env: Vec<(String, String)>,
}

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    Default,
    File(PathBuf, usize),
    Env(String),
    /// The variable, and the file that it names.
    EnvFile(String, PathBuf),
    Flag(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path, line) => write!(f, "{}:{line}", path.display()),
            Self::Env(name) => write!(f, "environment {name}"),
            Self::EnvFile(name, path) => write!(f, "{} (environment {name})", path.display()),
            Self::Flag(name) => write!(f, "flag --{}", name.replace('_', "-")),
        }
    }
}

/// A configuration and where each of its values came from.
#[derive(Clone, Debug)]
pub struct Loaded {
    pub config: Config,
    pub origins: BTreeMap<String, Origin>,
    /// The file that was read, if there was one.
    pub file: Option<PathBuf>,
}

const PREFIX: &str = "BROADSHEET_";
/// The file in the data folder.
pub const FILE_NAME: &str = "broadsheet.toml";
/// Variables that single commands read, not keys of the configuration.
const OF_COMMANDS: [&str; 6] = [
    "BROADSHEET_RELAY",
    "BROADSHEET_RELAY_FILE",
    "BROADSHEET_ADMIN_PASSWORD",
    "BROADSHEET_ADMIN_PASSWORD_FILE",
    "BROADSHEET_LOG",
    "BROADSHEET_FAILPOINT",
];
/// Secrets and configuration files are a few lines; whatever is larger is another file.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Reads and checks everything.
///
/// # Errors
/// [`BadConfig`] with every problem found, each with file, line and column or the name of flag or variable.
pub fn load(sources: &Sources) -> Result<Loaded, BadConfig> {
    let mut values = Values::default();
    let file = find_file(sources)?;
    if let Some(path) = &file {
        values.take_file(path);
    }
    values.take_env(&sources.env);
    for (key, value) in &sources.flags {
        values.set_text(key, value, Origin::Flag(key));
    }
    let mut config = values.finish()?;
    resolve_data(&mut config, &values.origins);
    let mut wrong = keys::problems(&config).into_iter().peekable();
    if wrong.peek().is_some() {
        let placed = wrong.map(|(key, why)| format!("{key} ({}): {why}", values.origin(key)));
        return Err(BadConfig(placed.collect()));
    }
    keys::complete(&mut config);
    Ok(Loaded { config, origins: values.all_origins(), file })
}

fn find_file(sources: &Sources) -> Result<Option<PathBuf>, BadConfig> {
    if let Some(path) = &sources.file {
        return match path.is_file() {
            true => Ok(Some(path.clone())),
            false => Err(BadConfig::one(format!("there is no configuration file {}", path.display()))),
        };
    }
    let flag = sources.flags.iter().find(|(key, _)| *key == "data").map(|(_, value)| value);
    let env = sources.env.iter().find(|(name, _)| name == "BROADSHEET_DATA").map(|(_, value)| value);
    let usual = PathBuf::from(flag.or(env).map_or(".", String::as_str)).join(FILE_NAME);
    Ok(usual.is_file().then_some(usual))
}

/// A relative `data` in a file starts at that file, wherever the program was started.
fn resolve_data(config: &mut Config, origins: &BTreeMap<String, Origin>) {
    if let Some(Origin::File(path, _)) = origins.get("data") {
        config.data = path.parent().unwrap_or(Path::new(".")).join(&config.data);
    }
}

#[derive(Default)]
struct Values {
    table: toml::Table,
    origins: BTreeMap<String, Origin>,
    problems: Vec<String>,
}

impl Values {
    fn origin(&self, key: &str) -> Origin {
        self.origins.get(key).cloned().unwrap_or(Origin::Default)
    }

    fn all_origins(&self) -> BTreeMap<String, Origin> {
        keys::KEYS.iter().map(|key| (key.name.to_owned(), self.origin(key.name))).collect()
    }

    fn take_file(&mut self, path: &Path) {
        let text = match read_small(path) {
            Ok(text) => text,
            Err(why) => return self.problems.push(why),
        };
        let table = match toml::de::DeTable::parse(&text) {
            Ok(table) => table.into_inner(),
            Err(error) => {
                let start = error.span().map_or(0, |span| span.start);
                let (line, column) = place(&text, start);
                return self.problems.push(format!("{}:{line}:{column}: {}", path.display(), error.message()));
            }
        };
        let mut entries: Vec<_> = table.into_iter().collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        for (key, value) in entries {
            let (line, column) = place(&text, key.span().start);
            let name = key.get_ref().to_string();
            let at = format!("{}:{line}:{column}", path.display());
            let Some(known) = keys::find(&name) else {
                self.problems.push(format!("{at}: {}", unknown(&format!("key \"{name}\""), &name)));
                continue;
            };
            let raw = text.get(value.span()).unwrap_or_default();
            match toml::from_str::<toml::Table>(&format!("value = {raw}")) {
                Ok(mut single) => self.set(known.name, single.remove("value"), &at, Origin::File(path.into(), line)),
                Err(error) => self.problems.push(format!("{at}: {}", error.message())),
            }
        }
    }

    fn take_env(&mut self, env: &[(String, String)]) {
        for (name, value) in env {
            let Some(rest) = name.strip_prefix(PREFIX) else { continue };
            if OF_COMMANDS.contains(&name.as_str()) {
                continue;
            }
            let key = rest.to_lowercase();
            if let Some(known) = keys::find(&key) {
                self.set_text(known.name, value, Origin::Env(name.clone()));
            } else if let Some(known) = key.strip_suffix("_file").and_then(keys::find).filter(|key| key.secret) {
                match read_small(Path::new(value)) {
                    Ok(text) => self.set_text(known.name, text.trim_end(), Origin::EnvFile(name.clone(), value.into())),
                    Err(why) => self.problems.push(format!("{name}: {why}")),
                }
            } else {
                self.problems.push(unknown(&format!("environment variable {name}"), &key));
            }
        }
    }

    /// A value that was written without TOML's quotes: its type is that of the default.
    fn set_text(&mut self, key: &'static str, text: &str, origin: Origin) {
        let at = origin.to_string();
        let value = match defaults().get(key) {
            Some(toml::Value::Boolean(_)) => text.trim().parse().map(toml::Value::Boolean).ok(),
            Some(toml::Value::Integer(_)) => text.trim().parse().map(toml::Value::Integer).ok(),
            _ => Some(toml::Value::String(text.to_owned())),
        };
        let value = value.or_else(|| Some(toml::Value::String(text.to_owned())));
        self.set(key, value, &at, origin);
    }

    fn set(&mut self, key: &'static str, value: Option<toml::Value>, at: &str, origin: Origin) {
        let (Some(value), Some(default)) = (value, defaults().remove(key)) else { return };
        if value.same_type(&default) && !value.as_integer().is_some_and(i64::is_negative) {
            self.table.insert(key.into(), value);
            self.origins.insert(key.into(), origin);
        } else {
            let expected = match default {
                toml::Value::Boolean(_) => "true or false",
                toml::Value::Integer(_) => "a whole number, not negative",
                _ => "a text in quotes",
            };
            self.problems.push(format!("{at}: {key} must be {expected}"));
        }
    }

    fn finish(&mut self) -> Result<Config, BadConfig> {
        if !self.problems.is_empty() {
            return Err(BadConfig(std::mem::take(&mut self.problems)));
        }
        self.table.clone().try_into().map_err(|error: toml::de::Error| BadConfig::one(error.message()))
    }
}

fn defaults() -> toml::Table {
    toml::Table::try_from(Config::default()).unwrap_or_default()
}

fn unknown(what: &str, name: &str) -> String {
    match keys::suggest(name) {
        Some(meant) => format!("unknown {what}; did you mean {meant}?"),
        None => {
            let names: Vec<&str> = keys::KEYS.iter().map(|key| key.name).collect();
            format!("unknown {what}; there are {}", names.join(", "))
        }
    }
}

/// Line and column, from 1, of a byte.
fn place(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

/// The text of a small file: configuration, or a secret.
///
/// # Errors
/// When it cannot be read, is not UTF-8, or is large.
pub fn read_small(path: &Path) -> Result<String, String> {
    let size = std::fs::metadata(path).map_err(|error| format!("{} cannot be read: {error}", path.display()))?.len();
    if size > FILE_BYTES_MAX {
        return Err(format!("{} is too large to be a setting", path.display()));
    }
    std::fs::read_to_string(path).map_err(|error| format!("{} cannot be read: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::{BadConfig, Loaded, Origin, Sources, load};

    fn with_file(text: &str, env: &[(&str, &str)], flags: &[(&'static str, &str)]) -> Result<Loaded, BadConfig> {
        static COUNT: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        let folder = std::env::temp_dir().join(format!("broadsheet-config-{}-{count}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let file = folder.join("broadsheet.toml");
        std::fs::write(&file, text).expect("a file");
        let secret = folder.join("secret");
        std::fs::write(&secret, "postgres://me:pw@db.example/x\n").expect("a file");
        let env =
            env.iter().map(|(name, value)| ((*name).to_owned(), value.replace("SECRET", &secret.to_string_lossy())));
        let flags = flags.iter().map(|(key, value)| (*key, (*value).to_owned()));
        let loaded = load(&Sources { file: Some(file), flags: flags.collect(), env: env.collect() });
        std::fs::remove_dir_all(&folder).expect("removed");
        loaded
    }

    #[test]
    fn flags_go_before_environment_and_that_before_the_file() {
        let file = "listen = \"127.0.0.1:1\"\nhold_seconds = 5\nconnections_max = 3\n";
        let loaded = with_file(
            file,
            &[("BROADSHEET_LISTEN", "127.0.0.1:2"), ("BROADSHEET_HOLD_SECONDS", "7")],
            &[("listen", "127.0.0.1:3")],
        );
        let loaded = loaded.expect("is valid");
        assert_eq!(
            (loaded.config.listen.as_str(), loaded.config.hold_seconds, loaded.config.connections_max),
            ("127.0.0.1:3", 7, 3)
        );
        assert_eq!(loaded.origins["listen"], Origin::Flag("listen"));
        assert_eq!(loaded.origins["hold_seconds"].to_string(), "environment BROADSHEET_HOLD_SECONDS");
        assert!(loaded.origins["connections_max"].to_string().ends_with("broadsheet.toml:3"));
        assert_eq!(loaded.origins["helo"], Origin::Default);
    }

    #[test]
    fn a_secret_may_lie_in_a_file() {
        let loaded = with_file("", &[("BROADSHEET_DATABASE_FILE", "SECRET")], &[]).expect("is valid");
        assert_eq!(loaded.config.database, "postgres://me:pw@db.example/x");
        assert!(with_file("", &[("BROADSHEET_DATABASE_FILE", "/nowhere/at/all")], &[]).is_err());
    }

    #[test]
    fn every_problem_is_named_with_its_place() {
        let file = "listn = \"127.0.0.1:1\"\nhold_seconds = \"long\"\nhelo = 3\nconnections_max = -1\n";
        let BadConfig(problems) = with_file(file, &[("BROADSHEET_PUBLIC_ULR", "x")], &[]).expect_err("is not valid");
        assert_eq!(problems.len(), 5);
        assert!(
            problems[0].contains("toml:1:1") && problems.iter().any(|p| p.contains("did you mean listen?")),
            "{problems:?}"
        );
        assert!(problems.iter().any(|p| p.contains("toml:2:1") && p.contains("whole number")), "{problems:?}");
        assert!(problems.iter().any(|p| p.contains("BROADSHEET_PUBLIC_ULR") && p.contains("did you mean public_url?")));
    }

    #[test]
    fn broken_toml_is_told_by_line_and_column() {
        let BadConfig(problems) =
            with_file("listen = \"127.0.0.1:1\"\nhelo = = 2\n", &[], &[]).expect_err("is not TOML");
        assert!(problems[0].contains("toml:2:8"), "{problems:?}");
    }
}

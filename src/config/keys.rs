//! Every key, what it is for, and what it may be.

use std::net::IpAddr;

use super::Config;

/// One key of the file.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    pub name: &'static str,
    /// Sentences for the file that `config init` writes.
    pub about: &'static str,
    /// As it would be written there, with its quotes.
    pub example: &'static str,
    /// Never shown whole; may also come from a file that `BROADSHEET_…_FILE` names.
    pub secret: bool,
}

/// In the order of the file.
pub const KEYS: [Key; 11] = [
    Key {
        name: "data",
        about: "Folder for everything that is kept. A relative path starts at this file.",
        example: "\".\"",
        secret: false,
    },
    Key {
        name: "listen",
        about: "Address and port of the web server. Behind a proxy keep the loopback.",
        example: "\"127.0.0.1:8080\"",
        secret: false,
    },
    Key {
        name: "public_url",
        about: "Where readers reach this server. It stands in every mail that was sent, so it should never change.",
        example: "\"https://news.example.org\"",
        secret: false,
    },
    Key {
        name: "database",
        about: "A Postgres server; without it, SQLite in the data folder. A secret: better in BROADSHEET_DATABASE_FILE.",
        example: "\"postgres://broadsheet@db.example.org/broadsheet\"",
        secret: true,
    },
    Key {
        name: "hold_seconds",
        about: "Seconds between \"send\" and the first mail, in which sending can be undone.",
        example: "60",
        secret: false,
    },
    Key {
        name: "allow_relay_without_tls",
        about: "Accept a relay without TLS that is not on this machine: readers' addresses then cross the network \
                for anybody to read.",
        example: "false",
        secret: false,
    },
    Key {
        name: "helo",
        about: "The name this server gives itself to relays (EHLO). Without it, the host of public_url.",
        example: "\"news.example.org\"",
        secret: false,
    },
    Key {
        name: "return_domain",
        about: "Domain of return paths. Without it, \"bounce.\" and the domain of the newsletter's sender.",
        example: "\"bounce.example.org\"",
        secret: false,
    },
    Key { name: "connections_max", about: "Connections to one relay at once.", example: "10", secret: false },
    Key {
        name: "roles",
        about: "Many nodes on one Postgres: what this one does. Every role must be played by one node at least.",
        example: "\"web send schedule\"",
        secret: false,
    },
    Key {
        name: "heartbeat_ms",
        about: "Many nodes on one Postgres: milliseconds between a node's heart-beats. After four without one, the \
                others take over what it held; after two and a half, it sends nothing itself. The same on all nodes.",
        example: "2000",
        secret: false,
    },
];

/// An hour is long to wait for a mail one has sent; longer is what schedules are for.
const HOLD_SECONDS_MAX: u64 = 3_600;
/// More connections than this are no relay's idea of a customer.
const CONNECTIONS_LIMIT: usize = 500;
/// Faster hearts take a busy moment for death; slower ones leave readers waiting for a minute.
const HEARTBEAT_MS: std::ops::RangeInclusive<u64> = 100..=15_000;

#[must_use]
pub fn find(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}

/// The key that was probably meant.
#[must_use]
pub fn suggest(name: &str) -> Option<&'static str> {
    /// Jaro-Winkler; below, suggestions are guesses.
    const LIKENESS_MIN: f64 = 0.8;
    let name = name.to_lowercase().replace('-', "_");
    let scored = KEYS.iter().map(|key| (strsim::jaro_winkler(&name, key.name), key.name));
    scored
        .filter(|(likeness, _)| *likeness >= LIKENESS_MIN)
        .max_by(|one, other| one.0.total_cmp(&other.0))
        .map(|(_, name)| name)
}

/// The commented file that `config init` writes: every key, none of them set.
#[must_use]
pub fn template() -> String {
    let mut text =
        "# Broadsheet. Remove a # to set a value; `broadsheet config check` says whether it is understood.\n\
                    # BROADSHEET_LISTEN and so on in the environment go before this file, flags before both.\n"
            .to_owned();
    for key in &KEYS {
        text.push_str(&format!("\n# {}\n# {} = {}\n", key.about, key.name, key.example));
    }
    text
}

/// `(key, what is wrong)` for every value that cannot be used.
#[must_use]
pub fn problems(config: &Config) -> Vec<(&'static str, String)> {
    let mut found = Vec::new();
    if let Err(why) = check_listen(&config.listen) {
        found.push(("listen", why));
    }
    if let Err(why) = check_public_url(&config.public_url) {
        found.push(("public_url", why));
    }
    if let Err(why) = check_database(&config.database) {
        found.push(("database", why));
    }
    for (key, value) in [("helo", &config.helo), ("return_domain", &config.return_domain)] {
        if !value.is_empty() && !is_host(value) {
            found.push((key, format!("\"{value}\" is not a host name")));
        }
    }
    if config.hold_seconds > HOLD_SECONDS_MAX {
        found.push(("hold_seconds", format!("{} is too long; at most {HOLD_SECONDS_MAX}", config.hold_seconds)));
    }
    if !(1..=CONNECTIONS_LIMIT).contains(&config.connections_max) {
        found.push(("connections_max", format!("must be from 1 to {CONNECTIONS_LIMIT}")));
    }
    match roles(&config.roles) {
        Err(why) => found.push(("roles", why)),
        Ok(named) if named.len() < ROLES.len() && !config.database.starts_with("postgres") => {
            let why = "a database in the data folder has one node, which plays all roles; more nodes need Postgres";
            found.push(("roles", why.into()));
        }
        Ok(_) => {}
    }
    if !HEARTBEAT_MS.contains(&config.heartbeat_ms) {
        found.push(("heartbeat_ms", format!("must be from {} to {}", HEARTBEAT_MS.start(), HEARTBEAT_MS.end())));
    }
    found
}

/// What a node can do, in the order in which it is written down.
pub const ROLES: [&str; 3] = ["web", "send", "schedule"];

/// The roles that a text names, each once, in [`ROLES`]' order.
///
/// # Errors
/// What it names that is no role, or that it names none.
pub fn roles(text: &str) -> Result<Vec<&'static str>, String> {
    let words: Vec<&str> = text.split([' ', ',']).filter(|word| !word.is_empty()).collect();
    if let Some(word) = words.iter().find(|word| !ROLES.contains(word)) {
        return Err(format!("\"{word}\" is no role; there are {}", ROLES.join(", ")));
    }
    let named: Vec<_> = ROLES.into_iter().filter(|role| words.contains(role)).collect();
    if named.is_empty() { Err(format!("a node needs a role; there are {}", ROLES.join(", "))) } else { Ok(named) }
}

/// Fills in what follows from other values.
pub fn complete(config: &mut Config) {
    config.public_url = config.public_url.trim_end_matches('/').to_owned();
    if config.public_url.is_empty() {
        config.public_url = format!("http://{}", config.listen);
    }
    if let Ok(roles) = roles(&config.roles) {
        config.roles = roles.join(" ");
    }
    if config.helo.is_empty() {
        let host = url::Url::parse(&config.public_url).ok().and_then(|url| url.host_str().map(str::to_owned));
        let host = host.unwrap_or_else(|| "localhost".into());
        // RFC 5321 section 4.1.3: an address is not a name, and goes in brackets.
        let literal = host.parse::<IpAddr>().is_ok();
        config.helo = if literal { format!("[{host}]") } else { host };
    }
}

fn check_listen(listen: &str) -> Result<(), String> {
    let shape = || format!("\"{listen}\" is not ADDRESS:PORT, such as 127.0.0.1:8080 or [::]:8080");
    let (host, port) = listen.rsplit_once(':').ok_or_else(shape)?;
    port.parse::<u16>().map_err(|_| shape())?;
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    if bare.parse::<IpAddr>().is_ok() || is_host(host) { Ok(()) } else { Err(shape()) }
}

fn check_public_url(text: &str) -> Result<(), String> {
    if text.is_empty() {
        return Ok(());
    }
    let shape = || format!("\"{text}\" is not the address of a web server, such as https://news.example.org");
    let url = url::Url::parse(text).map_err(|_| shape())?;
    let plain = url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() || !plain {
        return Err(shape());
    }
    Ok(())
}

fn check_database(text: &str) -> Result<(), String> {
    let scheme = text.split_once("://").map(|(scheme, _)| scheme);
    match scheme {
        None | Some("sqlite" | "postgres" | "postgresql") => Ok(()),
        // The rest of the text may hold a password.
        Some(other) => {
            Err(format!("\"{other}://\" is no database we know; write postgres://… or leave it out for SQLite"))
        }
    }
}

fn is_host(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len()) && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let literal = text.starts_with('[') && text.ends_with(']');
    text.len() <= 253 && (literal || text.split('.').all(label))
}

/// A value as it may be shown: of a URL with a password, everything but that; of another secret, nothing.
#[must_use]
pub fn masked(key: &Key, value: &str) -> String {
    if !key.secret || value.is_empty() {
        return value.to_owned();
    }
    let masked = "***";
    match url::Url::parse(value) {
        // A query may carry a password too (`?password=`), so nothing of it is shown.
        Ok(mut url) if url.has_host() => {
            url.set_query(None);
            let hidden = url.password().is_some() && url.set_password(Some(masked)).is_ok();
            if hidden || url.password().is_none() { url.to_string() } else { masked.into() }
        }
        _ => masked.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::{Config, KEYS, complete, find, masked, problems, suggest, template};

    #[test]
    fn every_field_is_a_key_and_the_template_shows_each() {
        let fields = toml::Table::try_from(Config::default()).expect("is a table");
        let names: Vec<&str> = KEYS.iter().map(|key| key.name).collect();
        assert_eq!(fields.len(), names.len());
        assert!(fields.keys().all(|field| names.contains(&field.as_str())));
        let all_set = template()
            .lines()
            .filter_map(|line| line.strip_prefix("# "))
            .filter(|line| line.contains(" = "))
            .collect::<Vec<_>>()
            .join("\n");
        let config: Config = toml::from_str(&all_set).expect("examples are valid");
        assert_eq!(problems(&config), []);
    }

    #[test]
    fn what_follows_is_filled_in() {
        let mut config = Config { public_url: "https://news.tidewater.example/".into(), ..Config::default() };
        complete(&mut config);
        assert_eq!(
            (config.public_url.as_str(), config.helo.as_str()),
            ("https://news.tidewater.example", "news.tidewater.example")
        );
        let mut config = Config::default();
        complete(&mut config);
        assert_eq!((config.public_url.as_str(), config.helo.as_str()), ("http://127.0.0.1:8080", "[127.0.0.1]"));
    }

    #[test]
    fn values_that_cannot_be_used_are_all_named() {
        let config = Config {
            listen: "8080".into(),
            public_url: "news.example".into(),
            database: "mysql://me:pw@db/x".into(),
            hold_seconds: 90_000,
            helo: "no host".into(),
            connections_max: 0,
            ..Config::default()
        };
        let found = problems(&config);
        let keys: Vec<&str> = found.iter().map(|(key, _)| *key).collect();
        assert_eq!(keys, ["listen", "public_url", "database", "helo", "hold_seconds", "connections_max"]);
        assert!(!format!("{found:?}").contains("pw"));
        assert_eq!(suggest("public-ulr"), Some("public_url"));
        assert_eq!(suggest("zebra"), None);
    }

    #[test]
    fn a_secret_is_never_shown() {
        let key = find("database").expect("is a key");
        assert_eq!(masked(key, "postgres://me:pw@db.example/x?password=pw"), "postgres://me:***@db.example/x");
        assert_eq!(masked(key, "pw"), "***");
    }
}

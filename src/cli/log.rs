//! Logs: on standard error, for a person at a terminal and as JSON for whatever collects them.

use std::io::{self, IsTerminal as _};

use tracing_subscriber::EnvFilter;

/// Which messages: a level, or `broadsheet=debug,sqlx=warn`.
const VARIABLE: &str = "BROADSHEET_LOG";

/// Starts logging; `usual` is the level without the variable. Commands are quiet ("warn"): they say what they did.
pub fn start(usual: &str) {
    let wanted = std::env::var(VARIABLE).unwrap_or_default();
    let filter = EnvFilter::try_new(if wanted.is_empty() { usual } else { &wanted });
    let filter = filter.unwrap_or_else(|_| EnvFilter::new(usual));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).with_target(false);
    // A second start finds the first one's log, which is all we want.
    let _ = match io::stderr().is_terminal() {
        true => log.compact().try_init(),
        false => log.json().flatten_event(true).try_init(),
    };
}

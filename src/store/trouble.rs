//! Troubles of the database that pass: when they have, the same request works, without a restart.

use sqlx::error::ErrorKind;

/// Why the database could not do it now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// No space left on its disk, or the disk refuses.
    DiskFull,
    /// Another process holds the lock, the server is away or overloaded.
    Busy,
}

/// Looks for a passing trouble anywhere in the chain of `error`.
///
/// Codes: SQLite's primary result codes (sqlite.org/rescode.html), which sqlx gives with their extension in the upper
/// bits; Postgres' SQLSTATE (its manual, appendix A).
#[must_use]
pub fn of(error: &anyhow::Error) -> Option<Trouble> {
    error.chain().find_map(|cause| cause.downcast_ref::<sqlx::Error>()).and_then(of_sqlx)
}

fn of_sqlx(error: &sqlx::Error) -> Option<Trouble> {
    let database = match error {
        sqlx::Error::PoolTimedOut | sqlx::Error::Io(_) => return Some(Trouble::Busy),
        sqlx::Error::Database(database) => database,
        _ => return None,
    };
    if !matches!(database.kind(), ErrorKind::Other) {
        return None;
    }
    let code = database.code()?;
    if let Ok(number) = code.parse::<i64>()
        && code.len() < 5
    {
        return match number & 0xff {
            13 | 10 => Some(Trouble::DiskFull),
            5 | 6 => Some(Trouble::Busy),
            _ => None,
        };
    }
    match code.as_ref() {
        "53100" => Some(Trouble::DiskFull),
        state if ["08", "53", "55P03", "57P"].iter().any(|class| state.starts_with(class)) => Some(Trouble::Busy),
        _ => None,
    }
}

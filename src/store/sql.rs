//! The one file that names the database drivers.

mod postgres;
mod writer;

use std::ops::{Deref, DerefMut};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, bail};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{
    ConnectOptions as _, Connection as _, Executor as _, PgPool, Sqlite, SqliteConnection, SqlitePool, Transaction,
};

use self::postgres::{PATIENCE, PgTx};
use self::writer::{Writer, Writing};
use crate::values::clock::{Clock, Millis};

/// Below this, SQLite can lose commits in WAL mode with two connections (sqlite.org/wal.html, the WAL-reset bug).
const SQLITE_VERSION_MIN: i64 = 3_051_003;
/// How long a transaction waits for another process's lock before it gives up.
const BUSY_MS: u64 = 10_000;
/// SQLite connections that read. Two cores are kept busy by four; each costs about 2 MB of cache.
const READERS_MAX: u32 = 8;
/// Pages of the write-ahead log after which a commit also moves them into the database: a move costs two flushes of the
/// disk whatever it moves, and a page that changed a hundred times since is moved once. 16 MB.
const CHECKPOINT_PAGES: &str = "4000";
/// The log is cut to this many bytes when it begins anew: a frozen audience of a million makes it ten times as long.
const LOG_BYTES_KEPT: &str = "67108864";
/// Postgres connections of one node.
const PG_CONNECTIONS_MAX: u32 = 16;

/// Nobody of ours waits for anything with a transaction open (milliseconds).
const PG_PATIENCE: &str = "SET idle_in_transaction_session_timeout = 10000";
/// And a heart does not wait for a lock either: it beats again and then tries once more.
const PG_PATIENCE_OF_HEARTS: &str = "SET idle_in_transaction_session_timeout = 10000; SET lock_timeout = 2000";
/// One connection beats while the other takes back what a dead node held.
const HEARTS_MAX: u32 = 2;

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("./migrations");

#[derive(Clone, Debug)]
enum Pools {
    /// One connection writes, the others read: SQLite has one writer at a time anyway, and a queue in memory is
    /// fairer than its busy handler.
    Sqlite { write: Writer, read: SqlitePool },
    Postgres {
        pool: PgPool,
        /// For heart-beats and what they find alone: a node that is busy with its database is not dead.
        pulse: Arc<Mutex<PgPool>>,
    },
}

/// The database.
#[derive(Clone, Debug)]
pub struct Store {
    pools: Pools,
    clock: Clock,
    commit_delay: Duration,
    /// How long a statement on Postgres may take.
    patience: Duration,
}

/// One transaction and the one instant it happens at.
pub struct Tx {
    pub inner: Inner,
    pub now: Millis,
    commit_delay: Duration,
}

/// A transaction of either engine; for the `sql!` macros.
pub enum Inner {
    Sqlite(SqliteTx),
    Postgres(PgTx),
}

/// A transaction on SQLite: a snapshot, or the writer's.
pub enum SqliteTx {
    Read(Transaction<'static, Sqlite>),
    Write(Writing),
}

impl Deref for SqliteTx {
    type Target = SqliteConnection;

    fn deref(&self) -> &SqliteConnection {
        match self {
            Self::Read(tx) => tx,
            Self::Write(tx) => tx,
        }
    }
}

impl DerefMut for SqliteTx {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        match self {
            Self::Read(tx) => tx,
            Self::Write(tx) => tx,
        }
    }
}

/// Runs a statement and fetches rows: `sql!(tx, fetch_all, TEXT, arg, …)`, with `fetch_one`, `fetch_optional` or
/// `fetch_all`. The row type is inferred; it must implement `FromRow` for both engines (derive does).
#[macro_export]
macro_rules! sql {
    ($tx:expr, $fetch:ident, $text:expr $(, $arg:expr)* $(,)?) => {
        match &mut $tx.inner {
            $crate::store::sql::Inner::Sqlite(tx) => ::sqlx::query_as($text)$(.bind($arg))*.$fetch(&mut **tx).await,
            $crate::store::sql::Inner::Postgres(tx) => {
                let patience = tx.patience;
                let answer = ::sqlx::query_as($text)$(.bind($arg))*.$fetch(&mut **tx);
                let answer = ::tokio::time::timeout(patience, answer).await;
                tx.heard(answer)
            }
        }
    };
}

/// Runs a statement and gives the number of rows it changed.
#[macro_export]
macro_rules! execute {
    ($tx:expr, $text:expr $(, $arg:expr)* $(,)?) => {
        match &mut $tx.inner {
            $crate::store::sql::Inner::Sqlite(tx) =>
                ::sqlx::query($text)$(.bind($arg))*.execute(&mut **tx).await.map(|done| done.rows_affected()),
            $crate::store::sql::Inner::Postgres(tx) => {
                let patience = tx.patience;
                let answer = ::sqlx::query($text)$(.bind($arg))*.execute(&mut **tx);
                let answer = ::tokio::time::timeout(patience, answer).await;
                tx.heard(answer).map(|done| done.rows_affected())
            }
        }
    };
}

impl Store {
    /// Opens the database at `url`: a path or `sqlite:` URL, or `postgres://…`.
    ///
    /// # Errors
    /// When the URL is neither, the file cannot be opened, the server cannot be reached, SQLite is too old.
    pub async fn open(url: &str, clock: Clock) -> anyhow::Result<Self> {
        let pools = if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            open_postgres(url).await?
        } else if url.contains("://") && !url.starts_with("sqlite://") {
            bail!("the database URL begins with neither sqlite:// nor postgres://; a plain path means SQLite");
        } else {
            open_sqlite(Path::new(url.trim_start_matches("sqlite://"))).await?
        };
        Ok(Self { pools, clock, commit_delay: Duration::ZERO, patience: PATIENCE })
    }

    /// The same store, which takes a connection to Postgres that is silent for so long for gone.
    #[must_use]
    pub fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// The same store with every commit of a write made longer by `delay`, as on a slower disk. For benches only.
    #[must_use]
    pub fn with_commit_delay(mut self, delay: Duration) -> Self {
        self.commit_delay = delay;
        self
    }

    /// Applies the migrations that are missing.
    ///
    /// # Errors
    /// When the database is of a newer version than this program, or a migration fails (it is rolled back).
    pub async fn migrate(&self) -> anyhow::Result<()> {
        let done = match &self.pools {
            Pools::Sqlite { write, .. } => {
                write.alone(async |connection: &mut SqliteConnection| MIGRATIONS.run(connection).await).await?
            }
            Pools::Postgres { pool, .. } => MIGRATIONS.run(pool).await,
        };
        done.map_err(|error| match error {
            sqlx::migrate::MigrateError::VersionMissing(version) => anyhow::anyhow!(
                "this database has migration {version}, which this program does not know: it was written by a newer \
                 Broadsheet. Nothing was changed. Start the newer program, or restore the backup made before the upgrade"
            ),
            other => anyhow::Error::new(other).context("the database could not be brought up to date"),
        })
    }

    /// `(version, description, applied)` of every migration this program has.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn migrations(&self) -> anyhow::Result<Vec<(i64, String, bool)>> {
        let mut tx = self.read().await?;
        let applied: Vec<(i64,)> =
            sql!(tx, fetch_all, "SELECT version FROM _sqlx_migrations WHERE success = TRUE").unwrap_or_default();
        let known = MIGRATIONS.iter().map(|m| (m.version, m.description.to_string(), applied.contains(&(m.version,))));
        Ok(known.collect())
    }

    /// A transaction that only reads: one snapshot.
    ///
    /// # Errors
    /// When no connection can be had.
    pub async fn read(&self) -> Result<Tx, sqlx::Error> {
        let inner = match &self.pools {
            Pools::Sqlite { read, .. } => Inner::Sqlite(SqliteTx::Read(read.begin().await?)),
            Pools::Postgres { pool, .. } => {
                let words = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
                Inner::Postgres(PgTx::begin(pool, self.patience, words).await?)
            }
        };
        Ok(Tx { inner, now: self.clock.now(), commit_delay: Duration::ZERO })
    }

    /// A transaction that writes. On SQLite it holds the one writer from here on. Never await the network with it.
    ///
    /// # Errors
    /// When no connection can be had, or another process holds the lock for longer than ten seconds.
    pub async fn write(&self) -> Result<Tx, sqlx::Error> {
        let inner = match &self.pools {
            Pools::Sqlite { write, .. } => Inner::Sqlite(SqliteTx::Write(write.begin().await?)),
            Pools::Postgres { pool, .. } => Inner::Postgres(PgTx::begin(pool, self.patience, "BEGIN").await?),
        };
        Ok(Tx { inner, now: self.clock.now(), commit_delay: self.commit_delay })
    }

    #[must_use]
    pub fn is_sqlite(&self) -> bool {
        matches!(self.pools, Pools::Sqlite { .. })
    }

    /// Closes every connection; SQLite checkpoints its WAL.
    pub async fn close(&self) {
        match &self.pools {
            Pools::Sqlite { write, read } => {
                read.close().await;
                write.close().await;
            }
            Pools::Postgres { pool, pulse } => {
                let pulse = pulse.lock().unwrap_or_else(PoisonError::into_inner).clone();
                pulse.close().await;
                pool.close().await;
            }
        }
    }

    /// A transaction for a heart-beat: on Postgres on a connection of its own, which waits for nobody.
    ///
    /// # Errors
    /// As [`Store::write`].
    pub async fn pulse(&self) -> Result<Tx, sqlx::Error> {
        let Pools::Postgres { pulse, .. } = &self.pools else { return self.write().await };
        let pulse = pulse.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let tx = PgTx::begin(&pulse, self.patience, "BEGIN").await?;
        Ok(Tx { inner: Inner::Postgres(tx), now: self.clock.now(), commit_delay: self.commit_delay })
    }

    /// Gives the heart another connection: the one it had does not answer, and may never.
    pub fn renew_pulse(&self) {
        let Pools::Postgres { pool, pulse } = &self.pools else { return };
        let fresh = pulse_pool(pool.connect_options().as_ref().clone());
        let dead = std::mem::replace(&mut *pulse.lock().unwrap_or_else(PoisonError::into_inner), fresh);
        // Its closing may wait as long as its connection does.
        tokio::spawn(async move { dead.close().await });
    }
}

impl Tx {
    /// Makes it so.
    ///
    /// # Errors
    /// When the engine could not write it down; then nothing of it happened.
    pub async fn commit(self) -> Result<(), sqlx::Error> {
        match self.inner {
            Inner::Sqlite(SqliteTx::Read(tx)) => tx.commit().await,
            Inner::Sqlite(SqliteTx::Write(tx)) => tx.commit(self.commit_delay).await,
            Inner::Postgres(tx) => {
                tx.commit().await?;
                if !self.commit_delay.is_zero() {
                    tokio::time::sleep(self.commit_delay).await;
                }
                Ok(())
            }
        }
    }

    #[must_use]
    pub fn is_sqlite(&self) -> bool {
        matches!(self.inner, Inner::Sqlite(_))
    }
}

async fn open_postgres(url: &str) -> anyhow::Result<Pools> {
    let options: PgConnectOptions = url.parse().context("the database URL cannot be read")?;
    let pool = postgres_pool(PG_CONNECTIONS_MAX, PG_PATIENCE).connect_with(options.clone()).await;
    let pool = pool.context("the database server cannot be reached")?;
    Ok(Pools::Postgres { pool, pulse: Arc::new(Mutex::new(pulse_pool(options))) })
}

fn pulse_pool(options: PgConnectOptions) -> PgPool {
    postgres_pool(HEARTS_MAX, PG_PATIENCE_OF_HEARTS).connect_lazy_with(options)
}

/// A pool whose transactions end by themselves if their node no longer drives them: the locks of one that was cut off
/// or stopped in the middle would keep the living from taking its leases back.
fn postgres_pool(connections: u32, patience: &'static str) -> PgPoolOptions {
    let pool = PgPoolOptions::new().max_connections(connections).test_before_acquire(false);
    let pool = pool.before_acquire(|connection, meta| Box::pin(postgres::is_alive(connection, meta.idle_for)));
    pool.after_connect(move |connection, _| {
        Box::pin(async move {
            connection.execute(patience).await?;
            Ok(())
        })
    })
}

async fn open_sqlite(path: &Path) -> anyhow::Result<Pools> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(Duration::from_millis(BUSY_MS))
        .disable_statement_logging();
    let opening = || format!("the database {} cannot be opened", path.display());
    let writing =
        options.clone().pragma("wal_autocheckpoint", CHECKPOINT_PAGES).pragma("journal_size_limit", LOG_BYTES_KEPT);
    let mut write = writing.connect().await.with_context(opening)?;
    let (version,): (String,) = sqlx::query_as("SELECT sqlite_version()").fetch_one(&mut write).await?;
    refuse_old_sqlite(&version)?;
    let read = reading_pool().connect_with(options).await.with_context(opening)?;
    Ok(Pools::Sqlite { write: Writer::new(write), read })
}

/// A pool whose connections are never handed out inside a transaction. SQLite rolls back by itself when it cannot go
/// on; sqlx 0.9 then has nothing to roll back, goes on counting the transaction as open, and would refuse every later
/// one on that connection.
fn reading_pool() -> SqlitePoolOptions {
    let pool = SqlitePoolOptions::new().max_connections(READERS_MAX).test_before_acquire(false);
    pool.before_acquire(|connection, _| {
        Box::pin(async move {
            // Waits behind a rollback that a dropped transaction has ordered.
            connection.ping().await?;
            Ok(!connection.is_in_transaction())
        })
    })
}

fn refuse_old_sqlite(version: &str) -> anyhow::Result<()> {
    let number = version.split('.').map(|part| part.parse().unwrap_or(0)).fold(0_i64, |sum, part| sum * 1_000 + part);
    if number < SQLITE_VERSION_MIN {
        bail!(
            "SQLite {version} is linked into this program; below 3.51.3 it can lose commits (the WAL-reset bug). \
             Nothing was opened. Build with the Cargo.lock of this release"
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::refuse_old_sqlite;

    #[test]
    fn a_sqlite_with_the_wal_reset_bug_is_refused() {
        for (version, fine) in
            [("3.51.3", true), ("3.53.0", true), ("4.0.0", true), ("3.51.2", false), ("3.40.1", false)]
        {
            assert_eq!(refuse_old_sqlite(version).is_ok(), fine, "{version}");
        }
    }
}

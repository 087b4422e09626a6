//! A transaction on Postgres that does not wait for ever.
//!
//! A network that swallows bytes (a firewall that forgot a connection, a machine that lost its power) closes nothing:
//! whoever waits for an answer waits until the system gives the connection up, a quarter of an hour for what it sent
//! and without end for what it only reads. sqlx lets nobody set the socket's own time-outs, and its transaction gives
//! its connection back to the pool only after it was asked whether it lives, which a silent one never answers. So the
//! transaction is said here in words, each statement has its time, and a connection that was silent is closed.

use std::ops::{Deref, DerefMut};
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::{Connection as _, Executor as _, PgConnection, PgPool, Postgres};
use tokio::time::error::Elapsed;

/// The longest that a statement may take. The longest of ours, a piece of a million rows, takes a second; on a server
/// that is busy, some.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);
/// A connection that takes longer to roll back, or to go back into the pool, is gone; the server ends the transaction by
/// itself.
const FAREWELL_MAX: Duration = Duration::from_secs(5);
/// An idle connection that does not answer for so long is not waited for.
const PING_MAX: Duration = Duration::from_secs(2);
/// One that was used so shortly before is not asked at all: a busy node asks for one with every group of mails.
const FRESH: Duration = Duration::from_secs(1);

/// An open transaction; dropped without a commit, it rolls back.
pub struct PgTx {
    connection: Option<PoolConnection<Postgres>>,
    pub patience: Duration,
    /// From before `BEGIN` is sent until `COMMIT` has succeeded.
    open: bool,
    silent: bool,
}

impl PgTx {
    pub(super) async fn begin(pool: &PgPool, patience: Duration, words: &'static str) -> Result<Self, sqlx::Error> {
        let connection = Some(pool.acquire().await?);
        let mut tx = Self { connection, patience, open: true, silent: false };
        tx.run(words).await?;
        Ok(tx)
    }

    pub(super) async fn commit(mut self) -> Result<(), sqlx::Error> {
        self.run("COMMIT").await?;
        self.open = false;
        Ok(())
    }

    async fn run(&mut self, words: &'static str) -> Result<(), sqlx::Error> {
        let answer = tokio::time::timeout(self.patience, (&mut **self).execute(words)).await;
        self.heard(answer).map(drop)
    }

    /// What came of a statement, or of waiting for it.
    ///
    /// # Errors
    /// The statement's, or that nothing was heard.
    pub fn heard<T>(&mut self, answer: Result<Result<T, sqlx::Error>, Elapsed>) -> Result<T, sqlx::Error> {
        answer.unwrap_or_else(|_| {
            self.silent = true;
            let why = format!("the database server has not answered for {} seconds", self.patience.as_secs());
            Err(sqlx::Error::Io(std::io::Error::new(std::io::ErrorKind::TimedOut, why)))
        })
    }
}

impl Drop for PgTx {
    fn drop(&mut self) {
        let Some(mut connection) = self.connection.take() else { return };
        let runtime = tokio::runtime::Handle::try_current();
        let (false, Ok(runtime)) = (self.silent, runtime) else {
            // Closed without a word: there is nobody to say it to.
            return drop(connection.detach());
        };
        let open = self.open;
        runtime.spawn(async move {
            if open {
                let said = tokio::time::timeout(FAREWELL_MAX, connection.execute("ROLLBACK")).await;
                if !matches!(said, Ok(Ok(_))) {
                    return drop(connection.detach());
                }
            }
            // The pool asks whether it lives. Who does not wait for the answer closes it.
            let _ = tokio::time::timeout(FAREWELL_MAX, connection.return_to_pool()).await;
        });
    }
}

/// Asks a connection that lay idle whether it lives.
///
/// # Errors
/// When it does not say so soon; the pool then closes it and takes another.
pub(super) async fn is_alive(connection: &mut PgConnection, idle: Duration) -> Result<bool, sqlx::Error> {
    if idle < FRESH {
        return Ok(true);
    }
    match tokio::time::timeout(PING_MAX, connection.ping()).await {
        Ok(answer) => answer.map(|()| true),
        Err(_) => Err(sqlx::Error::Io(std::io::ErrorKind::TimedOut.into())),
    }
}

impl Deref for PgTx {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        self.connection.as_ref().expect("the connection is given up only by the drop")
    }
}

impl DerefMut for PgTx {
    fn deref_mut(&mut self) -> &mut PgConnection {
        self.connection.as_mut().expect("the connection is given up only by the drop")
    }
}

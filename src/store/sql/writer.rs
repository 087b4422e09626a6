//! SQLite's one writer: a connection of its own behind a fair lock.
//!
//! Not a pool of one, because a pool asks its connection whether it lives when it hands it out and again when it
//! takes it back, and each question wakes the connection's thread, which costs as much as a small statement. Not
//! sqlx's `Transaction` either: SQLite rolls back by itself when the disk is full (sqlite.org/lang_transaction.html
//! §2.1), and sqlx 0.9 would go on counting that transaction as open and refuse every later one. Here `ROLLBACK` is
//! simply said before the next `BEGIN` wherever a `COMMIT` has not been acknowledged; where there is nothing to roll
//! back, SQLite says so and nothing happens.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Duration;

use sqlx::{Connection as _, SqliteConnection};
use tokio::sync::{Mutex, OwnedMutexGuard};

#[derive(Debug)]
struct Seat {
    /// `None` once the store is closed.
    connection: Option<SqliteConnection>,
    /// From before `BEGIN` is sent until `COMMIT` has succeeded.
    open: bool,
}

impl Seat {
    async fn run(&mut self, word: &'static str) -> Result<(), sqlx::Error> {
        let connection = self.connection.as_mut().ok_or(sqlx::Error::PoolClosed)?;
        sqlx::query(word).execute(connection).await.map(drop)
    }

    async fn roll_back(&mut self) {
        // Refused where SQLite has rolled back already or the commit had gone through: both are as it should be.
        let _ = self.run("ROLLBACK").await;
        self.open = false;
    }
}

/// Whoever asks first writes first.
#[derive(Clone, Debug)]
pub(super) struct Writer(Arc<Mutex<Seat>>);

impl Writer {
    pub(super) fn new(connection: SqliteConnection) -> Self {
        Self(Arc::new(Mutex::new(Seat { connection: Some(connection), open: false })))
    }

    /// Waits for the seat and begins a transaction that holds SQLite's write lock from here on.
    pub(super) async fn begin(&self) -> Result<Writing, sqlx::Error> {
        let mut seat = Arc::clone(&self.0).lock_owned().await;
        if seat.open {
            seat.roll_back().await;
        }
        seat.open = true;
        let mut writing = Writing(Some(seat));
        writing.seat().run("BEGIN IMMEDIATE").await?;
        Ok(writing)
    }

    /// Runs what needs the bare connection, such as migrations, outside any transaction of ours.
    pub(super) async fn alone<T>(&self, work: impl AsyncFnOnce(&mut SqliteConnection) -> T) -> Result<T, sqlx::Error> {
        let mut seat = self.0.lock().await;
        if seat.open {
            seat.roll_back().await;
        }
        let connection = seat.connection.as_mut().ok_or(sqlx::Error::PoolClosed)?;
        Ok(work(connection).await)
    }

    /// Closes the connection after whoever is writing; SQLite checkpoints its log.
    pub(super) async fn close(&self) {
        let mut seat = self.0.lock().await;
        if let Some(connection) = seat.connection.take() {
            // What could not be closed is closed by the end of the process; everything committed is on the disk.
            let _ = connection.close().await;
        }
    }
}

/// The seat, with a transaction open on it. Dropped without a commit, it rolls back.
pub struct Writing(Option<OwnedMutexGuard<Seat>>);

impl Writing {
    fn seat(&mut self) -> &mut Seat {
        self.0.as_mut().expect("the seat is given up only by the drop")
    }

    /// `pause` lengthens the commit for benches; the next writer waits for it as for a slow disk.
    pub(super) async fn commit(mut self, pause: Duration) -> Result<(), sqlx::Error> {
        self.seat().run("COMMIT").await?;
        self.seat().open = false;
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
        Ok(())
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        let Some(mut seat) = self.0.take().filter(|seat| seat.open) else { return };
        // At once and not when the next one writes: until then another process would find the database locked.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move { seat.roll_back().await });
        }
    }
}

impl Deref for Writing {
    type Target = SqliteConnection;

    fn deref(&self) -> &SqliteConnection {
        let seat = self.0.as_ref().expect("the seat is given up only by the drop");
        seat.connection.as_ref().expect("a closed store begins no transaction")
    }
}

impl DerefMut for Writing {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        self.seat().connection.as_mut().expect("a closed store begins no transaction")
    }
}

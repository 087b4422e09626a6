//! The store: SQLite or Postgres, from one set of SQL.
//!
//! The common dialect: TEXT, BIGINT, BOOLEAN, BYTEA; unix milliseconds from the transaction's own instant; ids made
//! in Rust; `$1`; `ON CONFLICT`, `RETURNING`; `CAST(SUM(n) AS BIGINT)`; every integer an `i64`. A statement forks
//! only with a comment that begins "Differs because". Every function takes `&mut Tx` and never commits: verbs own
//! transactions. Not here: drivers anywhere but in [`sql`], transactions held across a network call.

#[macro_use]
pub mod sql;
#[macro_use]
pub(crate) mod many;

pub mod account;
pub mod allowance;
pub mod bench;
pub mod breaker;
pub mod caught;
pub mod consent;
pub mod delivery;
pub mod desk;
pub mod event;
pub mod form;
pub mod issue;
pub mod letter;
pub mod media;
pub mod newsletter;
pub mod node;
pub mod pace;
pub mod past;
pub mod relay;
pub mod rendering;
pub mod secret;
pub mod setting;
pub mod slot;
pub mod spike;
pub mod subscriber;
pub mod subscription;
pub mod suppression;
pub mod trouble;
pub mod upload;
pub mod warm_up;
pub mod welcome;
pub mod wish;

pub use sql::{Store, Tx};

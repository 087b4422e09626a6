//! Verbs: the only place where hands (store, SMTP, media) meet. A verb owns its transactions.

pub mod accounts;
pub mod app;
pub mod archive;
pub mod breakers;
pub mod catcher;
pub mod deliver;
pub mod demo;
pub mod departed;
pub mod editing;
pub mod failpoint;
pub mod hours;
pub mod instance;
pub mod membership;
pub mod newsletters;
pub mod nodes;
mod notices;
pub mod outlet;
pub mod problem;
pub mod progress;
pub mod publish;
pub mod refusal;
pub mod relays;
pub mod replies;
pub mod scheduling;
pub mod signing;
pub mod start;
pub mod test_mail;

//! A message whose mark is ordered: it belongs to whichever connection is free next.

use std::sync::atomic::AtomicBool;
use std::time::Duration;

use super::job::Made;
use super::writer::Mark;
use crate::delivery::pace::sites::SiteKey;
use crate::smtp::client::Carried;
use crate::values::clock::Millis;

/// A message on its way, and how its mark stands.
pub(super) struct Laden {
    pub made: Made,
    pub mark: Mark,
    /// It had its second connection already.
    pub again: bool,
    /// Its text is about to leave or has left.
    pub passed: AtomicBool,
    pub site: SiteKey,
    pub begun: Millis,
    pub patience: Option<Duration>,
}

impl Carried for Laden {
    fn mail_from(&self) -> &str {
        &self.made.outgoing.mail_from
    }

    fn rcpt_to(&self) -> &str {
        &self.made.outgoing.rcpt_to
    }

    fn text(&self) -> &[u8] {
        &self.made.outgoing.message
    }

    fn patience(&self) -> Option<Duration> {
        self.patience
    }
}

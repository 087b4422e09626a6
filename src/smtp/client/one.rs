//! Cargo of one message, for [`super::Connection::send`].

use super::{Cargo, Carried, Handover};

/// A message that somebody else holds.
pub(super) struct Lent<'a> {
    mail_from: &'a str,
    rcpt_to: &'a str,
    text: &'a [u8],
}

impl Carried for Lent<'_> {
    fn mail_from(&self) -> &str {
        self.mail_from
    }

    fn rcpt_to(&self) -> &str {
        self.rcpt_to
    }

    fn text(&self) -> &[u8] {
        self.text
    }
}

pub(super) struct One<'a, F> {
    message: Option<Lent<'a>>,
    may_go: F,
    handover: Option<Handover>,
}

impl<'a, F> One<'a, F> {
    pub(super) fn new(mail_from: &'a str, rcpt_to: &'a str, text: &'a [u8], may_go: F) -> Self {
        Self { message: Some(Lent { mail_from, rcpt_to, text }), may_go, handover: None }
    }

    /// What became of it. A connection that never asked for it had been closed.
    pub(super) fn handover(self) -> Handover {
        self.handover.unwrap_or_else(|| Handover::Stale { why: "the relay had closed the connection".into() })
    }
}

impl<'a, F: Fn() -> bool + Send> Cargo for One<'a, F> {
    type Message = Lent<'a>;

    async fn next(&mut self) -> Option<Lent<'a>> {
        self.message.take()
    }

    fn ready(&mut self) -> Option<Lent<'a>> {
        None
    }

    async fn cleared(&mut self, _: &mut Lent<'a>) -> bool {
        true
    }

    fn may_go(&self, _: &Lent<'a>) -> bool {
        (self.may_go)()
    }

    fn answered(&mut self, _: Lent<'a>, handover: Handover) {
        self.handover = Some(handover);
    }
}

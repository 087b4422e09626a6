//! What was heard of one transaction with BDAT: its replies counted off, one for each command. Pure.

use std::time::Duration;

use super::Timeouts;
use crate::delivery::reply::{Reply, Stage};

/// The command whose reply comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    Reset,
    Mail,
    Rcpt,
    /// `BDAT … LAST`.
    Chunk,
}

impl Due {
    /// The stage of its reply, and how long it may take.
    pub(super) fn phase(self, times: &Timeouts) -> (Stage, Duration) {
        match self {
            Self::Reset => (Stage::MailFrom, times.command),
            Self::Mail => (Stage::MailFrom, times.mail),
            Self::Rcpt => (Stage::RcptTo, times.rcpt),
            Self::Chunk => (Stage::AfterDot, times.data_end),
        }
    }
}

/// What a reply comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The next command's reply follows.
    More,
    /// This decides it: a refusal of the envelope, or the answer to the text.
    Ended(Reply),
    /// No server answers so; whose reply it was is unknown.
    Nonsense(String),
}

#[derive(Clone, Debug)]
pub(super) struct Heard {
    due: Due,
    anything: bool,
    refusal: Option<Reply>,
}

impl Heard {
    pub(super) fn new(reset: bool) -> Self {
        Self { due: if reset { Due::Reset } else { Due::Mail }, anything: false, refusal: None }
    }

    pub(super) fn due(&self) -> Due {
        self.due
    }

    /// Whether anything was heard at all.
    pub(super) fn is_anything(&self) -> bool {
        self.anything
    }

    /// The refusal of MAIL or RCPT, which decides whatever comes later.
    pub(super) fn refusal(self) -> Option<Reply> {
        self.refusal
    }

    /// Takes the reply that is due; 421 is not for here.
    pub(super) fn take(&mut self, reply: Reply) -> Verdict {
        self.anything = true;
        let (good, refused) = (reply.code < 300, reply.code >= 400);
        match self.due {
            // Without it, whom the text would go to is unknown.
            Due::Reset if !good => Verdict::Nonsense(format!("RSET was answered with {}", reply.code)),
            Due::Reset => self.then(Due::Mail),
            Due::Mail | Due::Rcpt | Due::Chunk if !good && !refused => {
                Verdict::Nonsense(format!("the server answered {} where that makes no sense", reply.code))
            }
            Due::Mail => {
                self.refusal = refused.then_some(reply);
                self.then(Due::Rcpt)
            }
            // A recipient without a sender: one of the two was not for this message.
            Due::Rcpt if good && self.refusal.is_some() => {
                Verdict::Nonsense("the server took a recipient after it had refused the sender".into())
            }
            Due::Rcpt => {
                let refusal = refused.then_some(reply);
                self.refusal = self.refusal.take().or(refusal);
                self.then(Due::Chunk)
            }
            // RFC 3030 §2: without a transaction BDAT is answered 503.
            Due::Chunk if good && self.refusal.is_some() => {
                Verdict::Nonsense("the server took a text for nobody".into())
            }
            Due::Chunk => Verdict::Ended(self.refusal.take().unwrap_or(reply)),
        }
    }

    fn then(&mut self, due: Due) -> Verdict {
        self.due = due;
        Verdict::More
    }
}

#[cfg(test)]
mod tests {
    use super::{Heard, Verdict};
    use crate::delivery::reply::{Reply, Stage};

    /// What the replies come to, of which each but the last must leave it open.
    fn heard(reset: bool, codes: &[u16]) -> Verdict {
        let mut heard = Heard::new(reset);
        let reply = |code| Reply { stage: Stage::AfterDot, code, enhanced: None, text: String::new() };
        let (last, before) = codes.split_last().expect("every row has codes");
        for code in before {
            assert_eq!(heard.take(reply(*code)), Verdict::More, "{codes:?}");
        }
        heard.take(reply(*last))
    }

    #[test]
    fn the_first_refusal_decides_and_else_the_answer_to_the_text() {
        for (reset, codes, decided) in [
            (false, &[250, 250, 250][..], 250),
            (true, &[250, 250, 251, 250], 250),
            (true, &[250, 250, 250, 552], 552),
            (true, &[250, 250, 550, 503], 550),
            (false, &[451, 503, 503], 451),
        ] {
            match heard(reset, codes) {
                Verdict::Ended(reply) => assert_eq!(reply.code, decided, "{codes:?}"),
                other => panic!("{codes:?}: {other:?}"),
            }
        }
    }

    #[test]
    fn what_no_server_answers_is_nonsense() {
        for (reset, codes) in [
            (true, &[500][..]),
            (true, &[354]),
            (false, &[354]),
            (false, &[250, 334]),
            (false, &[250, 250, 354]),
            (false, &[550, 250]),
            (false, &[250, 550, 250]),
        ] {
            assert!(matches!(heard(reset, codes), Verdict::Nonsense(_)), "{codes:?}");
        }
    }
}

//! MAIL and RCPT: how they are said, and what need not be asked.

use std::fmt::Write as _;

use super::hello::Offers;
use super::{Carried, Timeouts};
use crate::delivery::reply::{Reply, Stage};
use std::ops::Range;
use std::time::Duration;

/// Where the lines of one envelope end in the bytes it was written to, which begin with it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Envelope {
    /// 0: no RSET before it.
    reset: usize,
    mail: usize,
    rcpt: usize,
    data: usize,
    /// For the answers about the recipient, where it is less than usual.
    patience: Option<Duration>,
}

/// One command of an envelope.
pub(super) struct Step {
    pub(super) stage: Stage,
    pub(super) line: Range<usize>,
    pub(super) within: Duration,
}

impl Envelope {
    /// Writes `[RSET] MAIL RCPT DATA` into `out`.
    pub(super) fn write(out: &mut String, offers: &Offers, message: &impl Carried, reset: bool) -> Self {
        out.clear();
        if reset {
            out.push_str("RSET\r\n");
        }
        let reset = out.len();
        write_mail(out, offers, message);
        let mail = out.len();
        write_rcpt(out, message);
        let rcpt = out.len();
        out.push_str("DATA\r\n");
        Self { reset, mail, rcpt, data: out.len(), patience: message.patience() }
    }

    pub(super) fn has_reset(self) -> bool {
        self.reset > 0
    }

    /// Its commands in order.
    pub(super) fn steps(self, times: &Timeouts) -> impl Iterator<Item = Step> + use<> {
        let patient = |within: Duration| self.patience.map_or(within, |patience| patience.min(within));
        let steps = [
            Step { stage: Stage::MailFrom, line: 0..self.reset, within: times.command },
            Step { stage: Stage::MailFrom, line: self.reset..self.mail, within: times.mail },
            Step { stage: Stage::RcptTo, line: self.mail..self.rcpt, within: patient(times.rcpt) },
            Step { stage: Stage::Data, line: self.rcpt..self.data, within: patient(times.data_start) },
        ];
        steps.into_iter().skip(usize::from(!self.has_reset()))
    }
}

/// MAIL with the parameters that the relay understands and we use.
pub(super) fn write_mail(out: &mut String, offers: &Offers, message: &impl Carried) {
    let (from, to) = (message.mail_from(), message.rcpt_to());
    out.push_str("MAIL FROM:<");
    out.push_str(from);
    out.push('>');
    if offers.size.is_some() {
        // Writing to a String cannot fail.
        let _ = write!(out, " SIZE={}", message.text().len());
    }
    // Bounces need not carry the whole issue back (RFC 3461 §4.3).
    if offers.dsn {
        out.push_str(" RET=HDRS");
    }
    // Only where an address needs it: the next hop may not know it (RFC 6531 §3.1). Never BODY: our text is 7-bit.
    if !(from.is_ascii() && to.is_ascii()) {
        out.push_str(" SMTPUTF8");
    }
    out.push_str("\r\n");
}

pub(super) fn write_rcpt(out: &mut String, message: &impl Carried) {
    out.push_str("RCPT TO:<");
    out.push_str(message.rcpt_to());
    out.push_str(">\r\n");
}

/// What need not be asked: the relay has said how much it takes, and not every address can be written.
pub(super) fn refuse_unsaid(offers: &Offers, message: &impl Carried) -> Option<Reply> {
    let refusal = |stage, code, enhanced: &str, text: &str| {
        Some(Reply { stage, code, enhanced: Some(enhanced.to_owned()), text: text.to_owned() })
    };
    let (from, to, bytes) = (message.mail_from(), message.rcpt_to(), message.text().len());
    if !writable(from) {
        return refusal(Stage::MailFrom, 501, "5.1.7", "Not sent: the return path cannot be written in SMTP");
    }
    if to.is_empty() || !writable(to) {
        return refusal(Stage::RcptTo, 501, "5.1.3", "Not sent: this address cannot be written in SMTP");
    }
    if !to.is_ascii() && !offers.smtputf8 {
        let text = "Not sent: the relay does not take addresses with letters beyond ASCII (SMTPUTF8)";
        return refusal(Stage::RcptTo, 553, "5.6.7", text);
    }
    match offers.size {
        Some(limit) if limit > 0 && bytes as u64 > limit => {
            let text = format!("Not sent: the message has {bytes} bytes, the relay takes {limit}");
            refusal(Stage::Data, 552, "5.3.4", &text)
        }
        _ => None,
    }
}

/// Whether an address can stand between angle brackets without ending them or the line. What is beyond that was
/// checked when the address came in.
fn writable(address: &str) -> bool {
    let quoted = address.starts_with('"');
    !address.chars().any(|c| c.is_control() || (!quoted && matches!(c, '<' | '>' | ' ')))
}

#[cfg(test)]
mod tests {
    use super::writable;

    #[test]
    fn an_address_cannot_bring_its_own_command() {
        for (address, fine) in [
            ("ann@example.com", true),
            ("", true),
            ("\"a b\"@example.com", true),
            ("a>\r\nRCPT TO:<b@example.com", false),
            ("a@example.com> X=Y", false),
            ("a\0@example.com", false),
            ("<a@example.com>", false),
        ] {
            assert_eq!(writable(address), fine, "{address:?}");
        }
    }
}

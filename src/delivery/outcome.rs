//! From answer to outcome: whose fault it is, and what to do. One ordered table, in `table`; the first row that fits
//! counts.
//!
//! The stage decides blame. Up to MAIL FROM the relay speaks to *us*, so no reader is touched and the relay rests.
//! From RCPT on it speaks about the reader or the text. Codes alone say little: providers reuse them, so text comes
//! before the enhanced code and that before the reply code. Where code and enhanced code disagree ("421 5.7.32"),
//! whether to try again follows the reply code, the reason follows the enhanced code (RFC 2034 §3 forbids the case).

mod table;

use crate::delivery::reply::{Answer, Reply, Stage};
use crate::values::clock::Millis;
use table::{Rule, TABLE, Then};

/// What we conclude from one try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Sent,
    /// The row goes back to pending. `not_before_ms`: wait at least so many milliseconds from now, where the answer
    /// asks for it.
    Retry {
        class: Class,
        why: String,
        not_before_ms: Option<i64>,
    },
    /// The row is finished. `hard`: the address is no good and is never to be mailed again.
    Failed {
        class: Class,
        hard: bool,
        why: String,
    },
    /// The relay may or may not have the message: held for a person to decide.
    InDoubt {
        why: String,
    },
    /// A fault of ours: the relay rests, the row goes back to pending as if untried.
    Ours {
        fault: Fault,
        why: String,
    },
}

/// Why a message was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    UnknownUser,
    BadDomain,
    BadSyntax,
    Moved,
    Disabled,
    NoMail,
    AccessDenied,
    RecipientThrottled,
    MailboxFull,
    TooBig,
    TooManyRecipients,
    Greylisted,
    Throttled,
    Blocked,
    Spam,
    Malformed,
    Unsupported,
    Protocol,
    Transient,
    Unclassified,
    /// Tried until there was no time left.
    Expired,
}

/// What of ours is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// The relay cannot be reached, or hung up before it took anything.
    Connection,
    /// It is there and does not want us now.
    Busy,
    /// It is there and does not want us at all.
    Refused,
    /// It does not like the name we introduce ourselves with.
    Hello,
    Tls,
    Auth,
    /// It does not accept the sender, or receivers miss SPF, DKIM, DMARC or a PTR record.
    Sender,
    /// It does not carry our mail to others.
    Relaying,
}

/// Added to a wait that a reply asks for in seconds or minutes, as clocks differ.
const WAIT_MARGIN_MS: i64 = 10 * Millis::SECOND;
/// Longest wait that we let a reply ask for.
const WAIT_MAX_MS: i64 = Millis::DAY;

/// Concludes.
#[must_use]
pub fn classify(answer: &Answer) -> Outcome {
    match answer {
        Answer::Unclear { why } => Outcome::InDoubt { why: why.clone() },
        Answer::Broken { stage, why } => broken(*stage, why),
        Answer::Reply(reply) if reply.stage == Stage::AfterDot && (200..300).contains(&reply.code) => Outcome::Sent,
        Answer::Reply(reply) => refused(reply),
    }
}

/// The conversation broke before the dot: nothing was delivered.
fn broken(stage: Stage, why: &str) -> Outcome {
    let why = why.to_owned();
    let fault = match stage {
        Stage::Connect | Stage::Greeting | Stage::MailFrom => Fault::Connection,
        Stage::Ehlo => Fault::Hello,
        Stage::StartTls => Fault::Tls,
        Stage::Auth => Fault::Auth,
        Stage::RcptTo | Stage::Data => return Outcome::Retry { class: Class::Transient, why, not_before_ms: None },
        Stage::AfterDot => return Outcome::InDoubt { why },
    };
    Outcome::Ours { fault, why }
}

fn refused(reply: &Reply) -> Outcome {
    let rule = rule_for(reply);
    let why = shown(reply);
    let temporary = reply.code < 500;
    let retry = |class, least: Option<i64>| Outcome::Retry {
        class,
        why: why.clone(),
        not_before_ms: asked_wait_ms(&reply.text).or(least),
    };
    match rule.then {
        Then::Hard(class) if temporary => retry(class, None),
        Then::Hard(class) => Outcome::Failed { class, hard: true, why },
        Then::ByCode(class, least) if temporary => retry(class, least),
        Then::ByCode(class, _) | Then::Soft(class) => Outcome::Failed { class, hard: false, why },
        Then::Later(class, least) => retry(class, least),
        Then::Ours(fault) => Outcome::Ours { fault, why },
    }
}

/// The first row of the table that fits; the last ones fit everything.
fn rule_for(reply: &Reply) -> &'static Rule {
    let text = reply.text.to_lowercase();
    let (last, before) = TABLE.split_last().expect("the table has rows because it is written out below");
    before.iter().find(|rule| rule.fits(reply, &text)).unwrap_or(last)
}

/// The reply as a person sees it.
fn shown(reply: &Reply) -> String {
    let parts = [reply.code.to_string(), reply.enhanced.clone().unwrap_or_default(), reply.text.clone()];
    parts.iter().filter(|part| !part.is_empty()).map(String::as_str).collect::<Vec<_>>().join(" ")
}

/// "try again in 300 seconds", "retry after 5 minutes": what the reply asks for, and a little more.
fn asked_wait_ms(text: &str) -> Option<i64> {
    let text = text.to_lowercase();
    let words: Vec<&str> = text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).collect();
    words.windows(2).find_map(|pair| {
        let unit = match pair[1] {
            "second" | "seconds" | "sec" | "secs" => Millis::SECOND,
            "minute" | "minutes" | "min" | "mins" => Millis::MINUTE,
            _ => return None,
        };
        let count: i64 = pair[0].parse().ok()?;
        Some(count.saturating_mul(unit).saturating_add(WAIT_MARGIN_MS).min(WAIT_MAX_MS))
    })
}

impl Class {
    /// The word in database and JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UnknownUser => "unknown-user",
            Self::BadDomain => "bad-domain",
            Self::BadSyntax => "bad-syntax",
            Self::Moved => "moved",
            Self::Disabled => "disabled",
            Self::NoMail => "no-mail",
            Self::AccessDenied => "access-denied",
            Self::RecipientThrottled => "recipient-throttled",
            Self::MailboxFull => "mailbox-full",
            Self::TooBig => "too-big",
            Self::TooManyRecipients => "too-many-recipients",
            Self::Greylisted => "greylisted",
            Self::Throttled => "throttled",
            Self::Blocked => "blocked",
            Self::Spam => "spam",
            Self::Malformed => "malformed",
            Self::Unsupported => "unsupported",
            Self::Protocol => "protocol",
            Self::Transient => "transient",
            Self::Unclassified => "unclassified",
            Self::Expired => "expired",
        }
    }

    /// What it means, in one sentence for the desk.
    #[must_use]
    pub fn explain(self) -> &'static str {
        match self {
            Self::UnknownUser => "There is no mailbox with this address.",
            Self::BadDomain => "The part after the @ does not exist or has no mail server.",
            Self::BadSyntax => "The mail server says this is not a proper address.",
            Self::Moved => "The mailbox has moved or belongs to somebody else now.",
            Self::Disabled => "The mailbox was closed or is no longer used.",
            Self::NoMail => "The domain says that it takes no mail at all.",
            Self::AccessDenied => "The reader's organisation does not let this address receive mail from outside.",
            Self::RecipientThrottled => "The reader's mailbox is getting too much mail just now.",
            Self::MailboxFull => "The reader's mailbox is full.",
            Self::TooBig => "The message is bigger than the mail server takes.",
            Self::TooManyRecipients => "The mail server wanted fewer recipients at once.",
            Self::Greylisted => "The mail server asks unknown senders to come back in a few minutes.",
            Self::Throttled => "The mail server wants us to send more slowly.",
            Self::Blocked => "The mail server does not take mail from us, because of its rules or our reputation.",
            Self::Spam => "The mail server takes this message for unwanted mail.",
            Self::Malformed => "The mail server says the message is not built as it should be.",
            Self::Unsupported => "The mail server cannot handle an address with letters like these.",
            Self::Protocol => "We and the mail server misunderstood each other.",
            Self::Transient => "The mail server could not take the message just then.",
            Self::Unclassified => {
                "The mail server refused, for a reason that we do not know; its words are beside this."
            }
            Self::Expired => "It was tried for three days without success.",
        }
    }
}

impl Fault {
    /// The word in database and JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connection => "connection",
            Self::Busy => "busy",
            Self::Refused => "refused",
            Self::Hello => "hello",
            Self::Tls => "tls",
            Self::Auth => "auth",
            Self::Sender => "sender",
            Self::Relaying => "relaying",
        }
    }

    /// What it means and what to do, for the desk. In every case no reader was touched.
    #[must_use]
    pub fn explain(self) -> &'static str {
        match self {
            Self::Connection => "The relay cannot be reached, or it hung up. We go on trying; check its host and port.",
            Self::Busy => "The relay asks us to come back later. We do.",
            Self::Refused => "The relay does not want mail from this machine. Ask its operator.",
            Self::Hello => {
                "The relay does not accept the name we introduce ourselves with. Set helo to this machine's full name."
            }
            Self::Tls => "No safe connection to the relay could be made. Check its TLS setting and its certificate.",
            Self::Auth => "The relay does not accept our user name and password. Check them in the settings.",
            Self::Sender => {
                "The sender is not accepted. Check its address and the DNS records for SPF, DKIM and DMARC."
            }
            Self::Relaying => {
                "The relay does not pass on our mail. Check whether it wants a user name, or this machine on its list."
            }
        }
    }

    /// The shortest rest after such a fault: trying a wrong password every few seconds gets accounts locked, and a
    /// sender that is refused today is refused in a minute.
    #[must_use]
    pub fn rest_min_ms(self) -> i64 {
        match self {
            Self::Connection => 0,
            Self::Busy | Self::Hello | Self::Tls => 30 * Millis::SECOND,
            Self::Auth | Self::Relaying => 2 * Millis::MINUTE,
            Self::Refused | Self::Sender => 5 * Millis::MINUTE,
        }
    }
}

#[cfg(test)]
mod tests;

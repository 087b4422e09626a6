//! The words of outcomes: why a message was not taken, whose fault that is, what of ours is wrong.

use crate::values::clock::Millis;

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
    RelayDenied,
    Protocol,
    Transient,
    Unclassified,
    /// Tried until there was no time left.
    Expired,
}

/// Who is to do something about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Blame {
    /// The address or its mailbox: concerns this reader and nobody else.
    Reader,
    /// This text, as this receiver sees it; others may take it.
    Content,
    /// The message as it is: every copy would be refused.
    Issue,
    /// This newsletter's sender address or its DNS records; other newsletters on the same relay may go on.
    Sender,
    /// The receiving site does not want so much, or us, just now.
    Site,
    /// The relay we hand over to.
    Relay,
    /// This program or how it was set up.
    Us,
}

/// What the pace of sending should learn from an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pace {
    /// Half as fast, climbing back by and by.
    Slow,
    /// Nothing more until the wait is over.
    Pause,
    /// Nothing until the wait is over, then one connection, then one more at a time.
    OneConnection,
    /// One connection and one message a minute, for the wait or half an hour.
    OneAMinute,
    /// One connection and ten messages a minute.
    TenAMinute,
    /// One connection at most, for the wait or an hour, then one more at a time.
    OneAtMost,
    /// Half as fast; at the third time within an hour nothing until the wait is over.
    RestAtThird,
    /// Only this connection is worn out: go on at once on a new one.
    NewConnection,
}

/// What a fault keeps from going on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Everything that goes to this relay (or, sent directly, to this site).
    Relay,
    /// The newsletter whose sender it is.
    Sender,
    /// This one issue.
    Issue,
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
    /// It does not carry our mail to others.
    Relaying,
    /// We and the relay do not understand each other.
    Protocol,
    /// It does not accept the sender, or receivers miss SPF, DKIM, DMARC or a PTR record.
    Sender,
    /// It takes no message of this size.
    TooBig,
    /// It says that the message is not built as it should be.
    Malformed,
    /// It takes nothing with this in it.
    Content,
}

/// One table a kind: the word, and what it means in a sentence for the desk.
macro_rules! words {
    ($kind:ident: $($which:ident, $word:literal, $means:literal;)*) => {
        impl $kind {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$which),*];

            /// The word in database, JSON and the table of replies.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$which => $word),*
                }
            }

            /// What it means, for people.
            #[must_use]
            pub fn explain(self) -> &'static str {
                match self {
                    $(Self::$which => $means),*
                }
            }
        }
    };
}

words! { Class:
    UnknownUser, "unknown-user", "There is no mailbox with this address.";
    BadDomain, "bad-domain", "The part after the @ does not exist or has no mail server.";
    BadSyntax, "bad-syntax", "The mail server says this is not a proper address.";
    Moved, "moved", "The mailbox has moved or belongs to somebody else now.";
    Disabled, "disabled", "The mailbox was closed or is no longer used.";
    NoMail, "no-mail", "The domain says that it takes no mail at all.";
    AccessDenied, "access-denied", "The reader's organisation does not let this address receive mail from outside.";
    RecipientThrottled, "recipient-throttled", "The reader's mailbox is getting too much mail just now.";
    MailboxFull, "mailbox-full", "The reader's mailbox is full.";
    TooBig, "too-big", "The message is bigger than the mail server takes.";
    TooManyRecipients, "too-many-recipients", "The mail server wanted fewer recipients at once.";
    Greylisted, "greylisted", "The mail server asks unknown senders to come back in a few minutes.";
    Throttled, "throttled", "The mail server wants us to send more slowly.";
    Blocked, "blocked", "The mail server does not take mail from us, because of its rules or our reputation.";
    Spam, "spam", "The mail server takes this message for unwanted mail.";
    Malformed, "malformed", "The mail server says the message is not built as it should be.";
    Unsupported, "unsupported", "The mail server cannot handle an address with letters like these.";
    RelayDenied, "relay-denied", "The mail server does not carry our mail to this address.";
    Protocol, "protocol", "We and the mail server misunderstood each other.";
    Transient, "transient", "The mail server could not take the message just then.";
    Unclassified, "unclassified", "The mail server refused, for a reason that we do not know; its words are beside this.";
    Expired, "expired", "It was tried for three days without success.";
}

words! { Blame:
    Reader, "reader", "It is the reader's address or mailbox.";
    Content, "content", "It is what the message says, for this receiver.";
    Issue, "issue", "It is the message itself: every copy would be refused.";
    Sender, "sender", "It is the newsletter's sender address or its DNS records.";
    Site, "site", "It is the receiving mail server.";
    Relay, "relay", "It is the relay.";
    Us, "us", "It is this program or how it was set up.";
}

words! { Pace:
    Slow, "slow", "We go half as fast and climb back.";
    Pause, "pause", "We send nothing there for a while.";
    OneConnection, "one-connection", "We wait, go on over one connection, and add more one at a time.";
    OneAMinute, "one-a-minute", "We send one message a minute over one connection for a while.";
    TenAMinute, "ten-a-minute", "We send ten messages a minute over one connection for a while.";
    OneAtMost, "one-at-most", "We keep to one connection for a while, then add more one at a time.";
    RestAtThird, "rest-at-third", "We go half as fast; at the third time within an hour we send nothing there for a while.";
    NewConnection, "new-connection", "We go on over a new connection.";
}

// What it means and what to do. In every case no reader was touched.
words! { Fault:
    Connection, "connection", "The relay cannot be reached, or it hung up. We go on trying; check its host and port.";
    Busy, "busy", "The relay asks us to come back later. We do.";
    Refused, "refused", "The relay does not want mail from this machine. Ask its operator.";
    Hello, "hello", "The relay does not accept the name we introduce ourselves with. Set helo to this machine's full name.";
    Tls, "tls", "No safe connection to the relay could be made. Check its TLS setting and its certificate.";
    Auth, "auth", "The relay does not accept our user name and password. Check them in the settings.";
    Relaying, "relaying", "The relay does not pass on our mail. Check whether it wants a user name, or this machine on its list.";
    Protocol, "protocol", "We and the relay misunderstood each other. Check that the relay's address is a mail server's.";
    Sender, "sender", "The sender is not accepted. Check its address and the DNS records for SPF, DKIM and DMARC.";
    TooBig, "too-big", "The message is bigger than the relay takes. Use smaller pictures, or have the relay's limit raised.";
    Malformed, "malformed", "The relay says the message is not built as it should be. Tell us: that is a fault of this program.";
    Content, "content", "The relay takes no message with this in it. Look for links, files or words that it may object to.";
}

impl Fault {
    /// What must stop until it is mended.
    #[must_use]
    pub fn scope(self) -> Scope {
        match self {
            Self::Sender => Scope::Sender,
            Self::TooBig | Self::Malformed | Self::Content => Scope::Issue,
            _ => Scope::Relay,
        }
    }

    /// The shortest rest after such a fault: trying a wrong password every few seconds gets accounts locked, and a
    /// sender that is refused today is refused in a minute.
    #[must_use]
    pub fn rest_min_ms(self) -> i64 {
        match self {
            Self::Connection => 0,
            Self::Busy | Self::Hello | Self::Tls => 30 * Millis::SECOND,
            Self::TooBig | Self::Malformed | Self::Content => Millis::MINUTE,
            Self::Auth | Self::Relaying | Self::Protocol => 2 * Millis::MINUTE,
            Self::Refused | Self::Sender => 5 * Millis::MINUTE,
        }
    }
}

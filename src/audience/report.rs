//! What comes back: bounces, delays, complaints, wishes to leave and automatic answers, told apart and read. Pure.
//!
//! ```text
//! bytes ─mime▶ Mail ─▶ complaint? ─▶ fields of RFC 3464? ─▶ automatic answer? ─▶ words of a bounce? ─▶ a mail within?
//!                      complaint.rs   fields.rs             marks.txt            lines.rs
//!                                          └──────────── refusal.rs, rules.txt ──────┘ ─▶ Found, one for every recipient
//! ```
//!
//! Nothing here trusts a mail: sizes, depth and counts are bounded, and whatever cannot be read is passed over. Whether
//! a report may change anything (our own signed address in it) is for whoever applies it.

mod code;
mod complaint;
mod decode;
mod fields;
mod found_address;
mod lines;
mod marks;
pub mod mbox;
mod mime;
mod notice;
mod reading;
mod refusal;
mod rules;

/// Of one mail; a report with a whole newsletter returned is smaller.
const MAIL_BYTES_MAX: usize = 1024 * 1024;

/// What a mail is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Given up.
    Bounce,
    /// Still being tried.
    Delayed,
    Complaint,
    /// A wish to leave, by mail.
    Unsubscribe,
    /// Away, received, or a challenge: nothing became of it.
    AutoReply,
    /// Delivered, relayed or expanded.
    Delivered,
    Other,
}

/// Why a mail did not arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    UnknownUser,
    BadDomain,
    BadSyntax,
    Moved,
    NullMx,
    Disabled,
    RecipientThrottled,
    MailboxFull,
    TooBig,
    Transient,
    Expired,
    /// The message, or how it was handed over, was wrong.
    OurBug,
    /// SMTPUTF8.
    Unsupported,
    Block,
    SenderConfig,
    Throttle,
    Unclassified,
}

const CLASSES: &[(Class, &str)] = &[
    (Class::UnknownUser, "unknown-user"),
    (Class::BadDomain, "bad-domain"),
    (Class::BadSyntax, "bad-syntax"),
    (Class::Moved, "moved"),
    (Class::NullMx, "null-mx"),
    (Class::Disabled, "disabled"),
    (Class::RecipientThrottled, "recipient-throttled"),
    (Class::MailboxFull, "mailbox-full"),
    (Class::TooBig, "too-big"),
    (Class::Transient, "transient"),
    (Class::Expired, "expired"),
    (Class::OurBug, "our-bug"),
    (Class::Unsupported, "unsupported"),
    (Class::Block, "block"),
    (Class::SenderConfig, "sender-config"),
    (Class::Throttle, "throttle"),
    (Class::Unclassified, "unclassified"),
];

impl Class {
    /// The word in JSON and on screen.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        CLASSES.iter().find(|(class, _)| *class == self).map_or("unclassified", |(_, word)| word)
    }

    fn from_word(word: &str) -> Option<Self> {
        CLASSES.iter().find(|(_, known)| *known == word).map(|(class, _)| *class)
    }

    /// Whether the address itself is no good, and so may be given up for ever.
    #[must_use]
    pub fn may_be_hard(self) -> bool {
        matches!(
            self,
            Self::UnknownUser | Self::BadDomain | Self::BadSyntax | Self::Moved | Self::NullMx | Self::Disabled
        )
    }
}

impl Kind {
    /// The word in JSON and on screen.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bounce => "bounce",
            Self::Delayed => "delayed",
            Self::Complaint => "complaint",
            Self::Unsubscribe => "unsubscribe",
            Self::AutoReply => "auto-reply",
            Self::Delivered => "delivered",
            Self::Other => "other",
        }
    }
}

/// What a mail says about one recipient.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Found {
    pub kind: Kind,
    /// As written in the report; none when it does not say.
    pub recipient: Option<String>,
    /// The enhanced code (RFC 3463) that says most: "5.1.1".
    pub status: Option<String>,
    /// The SMTP reply code.
    pub reply: Option<u16>,
    pub class: Class,
    /// The address is gone for good. Only of a bounce, only of the six classes that are about the address, and only
    /// with a permanent code or words that leave no doubt.
    pub hard: bool,
    /// The reason in the other side's words, on one line.
    pub text: String,
}

impl Found {
    /// Something that is no report about anybody.
    fn plain(kind: Kind, recipient: Option<String>, text: String) -> Self {
        Self { kind, recipient, status: None, reply: None, class: Class::Unclassified, hard: false, text }
    }
}

/// What `mail` means: one thing for every recipient it speaks of, at least one. Any bytes will do.
#[must_use]
pub fn read(mail: &[u8]) -> Vec<Found> {
    let mail = &mail[..mail.len().min(MAIL_BYTES_MAX)];
    // Line ends of the Macintosh before 2001.
    if memchr::memchr(b'\n', mail).is_none() && memchr::memchr(b'\r', mail).is_some() {
        let lines: Vec<u8> = mail.iter().map(|byte| if *byte == b'\r' { b'\n' } else { *byte }).collect();
        return reading::read(&lines);
    }
    reading::read(mail)
}

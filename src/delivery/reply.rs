//! A refusal is data: what a relay answered, and at which stage of the conversation.

/// Where in the SMTP conversation something was answered or went wrong. Stages up to [`Stage::MailFrom`] are ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    Connect,
    Greeting,
    Ehlo,
    StartTls,
    Auth,
    MailFrom,
    RcptTo,
    Data,
    /// After the final dot (or `BDAT … LAST`): from here on the relay may have taken the message.
    AfterDot,
}

impl Stage {
    /// All of them, in the order of a conversation.
    pub const ALL: [Self; 9] = [
        Self::Connect,
        Self::Greeting,
        Self::Ehlo,
        Self::StartTls,
        Self::Auth,
        Self::MailFrom,
        Self::RcptTo,
        Self::Data,
        Self::AfterDot,
    ];

    /// The stage that goes by this word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|stage| stage.as_str() == word)
    }

    /// The word in database, JSON and on screen.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Greeting => "greeting",
            Self::Ehlo => "ehlo",
            Self::StartTls => "starttls",
            Self::Auth => "auth",
            Self::MailFrom => "mail-from",
            Self::RcptTo => "rcpt-to",
            Self::Data => "data",
            Self::AfterDot => "after-dot",
        }
    }
}

/// What a server answered.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Reply {
    pub stage: Stage,
    /// 200 to 599.
    pub code: u16,
    /// RFC 3463: "5.1.1".
    pub enhanced: Option<String>,
    /// All lines, joined by spaces, without codes at their beginnings; at most 4 KB, control characters removed.
    pub text: String,
}

/// How one try to hand over one message ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The server spoke: 2xx after the dot, or a refusal at some stage.
    Reply(Reply),
    /// The conversation broke before the final dot was written: nothing can have been delivered.
    Broken { stage: Stage, why: String },
    /// The final dot was (or may have been) written and no clear answer came.
    Unclear { why: String },
}

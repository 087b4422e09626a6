//! Why a text is not an address we can mail.

/// One reason each; [`BadAddress::code`] is for machines, the sentence for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum BadAddress {
    #[error("an e-mail address is missing")]
    Missing,
    #[error("this is not an e-mail address: it needs a name, one @ and a domain, without spaces")]
    Shape,
    #[error("the part before the @ has a letter or a dot where none may stand")]
    Local,
    #[error("the domain after the @ has no dot; a mail address on the internet has one, as in example.org")]
    Dotless,
    #[error(
        "the domain after the @ cannot exist: a part of it is empty, too long, or has a letter that may not be there"
    )]
    Domain,
    #[error("the part after the @ is a number of a machine; write the name of a domain, as in example.org")]
    Literal,
    #[error("the part before the @ is longer than 64 letters")]
    LocalTooLong,
    #[error("the address is longer than 254 letters")]
    TooLong,
    #[error("this is far too long for an e-mail address")]
    Huge,
    #[error("addresses with quotation marks are not supported")]
    Quoted,
    #[error("an address may not have a comment in brackets; write only the address")]
    Comment,
    #[error("these are several addresses; write exactly one")]
    Several,
    #[error("write only the address, without a name and without < and >")]
    Named,
    #[error("the address has a control character in it, such as a line break")]
    ControlChar,
    #[error("the address has an invisible character in it; type it anew in place of pasting it")]
    Invisible,
    #[error(
        "addresses with letters other than a to z before the @ are not supported, as too few mail servers take them"
    )]
    Smtputf8,
}

impl BadAddress {
    /// A word for machines; stable.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Missing => "email_required",
            Self::Shape | Self::Comment => "email_invalid",
            Self::Local => "email_local",
            Self::Dotless | Self::Domain | Self::Literal => "email_domain",
            Self::LocalTooLong | Self::TooLong | Self::Huge => "email_too_long",
            Self::Quoted | Self::Smtputf8 => "email_unsupported",
            Self::Several => "email_several",
            Self::Named => "email_named",
            Self::ControlChar => "email_control_char",
            Self::Invisible => "email_invisible",
        }
    }
}

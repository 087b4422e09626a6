//! How a relay is written down: `smtp://user:password@host:587`, as `newsletter create --relay` and the desk take it.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// How the connection is made private.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tls {
    /// Nothing is encrypted. For loopback only, unless the configuration says otherwise in so many words.
    None,
    /// Plain at first, then STARTTLS, required: a relay that does not offer it is not spoken to (RFC 3207 §6).
    StartTls,
    /// TLS from the first byte (RFC 8314 §3.3).
    Implicit,
}

impl Tls {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::StartTls => "starttls",
            Self::Implicit => "implicit",
        }
    }
}

impl FromStr for Tls {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "none" => Ok(Self::None),
            "starttls" => Ok(Self::StartTls),
            "implicit" => Ok(Self::Implicit),
            _ => Err(format!("\"{text}\" is no way of encrypting: write none, starttls or implicit")),
        }
    }
}

impl TryFrom<String> for Tls {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

/// A relay as written. Shows itself without its password.
#[derive(Clone, PartialEq, Eq)]
pub struct RelayUrl {
    pub host: String,
    pub port: u16,
    pub tls: Tls,
    pub username: Option<String>,
    pub password: Option<String>,
}

/// The port that submission listens on (RFC 6409), with STARTTLS.
const PORT_SUBMISSION: u16 = 587;
/// The port that submission over TLS listens on (RFC 8314).
const PORT_SUBMISSIONS: u16 = 465;

impl RelayUrl {
    /// Whether the mail never leaves this machine on its way to the relay. A name counts only if it is `localhost`:
    /// any other could be answered differently tomorrow.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        let bare = self.host.trim_start_matches('[').trim_end_matches(']');
        bare.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
    }
}

impl FromStr for RelayUrl {
    type Err = String;

    /// `smtp://HOST` (STARTTLS; plain on the loopback), `smtps://HOST` (TLS from the first byte),
    /// `smtp+starttls://HOST`, or any of them with `?tls=none|starttls|implicit`.
    fn from_str(text: &str) -> Result<Self, String> {
        let shape = || {
            "a relay is written smtp://HOST:PORT, smtps://HOST or smtp://USER:PASSWORD@HOST:587?tls=starttls \
             (write @ in a user name or password as %40)"
                .to_owned()
        };
        let url = url::Url::parse(text.trim()).map_err(|_| shape())?;
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or_else(shape)?.to_owned();
        let written = match url.scheme() {
            "smtp" => None,
            "smtps" => Some(Tls::Implicit),
            "smtp+starttls" => Some(Tls::StartTls),
            _ => return Err(shape()),
        };
        if !matches!(url.path(), "" | "/") || url.fragment().is_some() {
            return Err(shape());
        }
        let asked = tls_asked(&url)?;
        let (username, password) = credentials(&url)?;
        let mut relay = Self { host, port: 0, tls: Tls::StartTls, username, password };
        let by_place = if relay.is_loopback() { Tls::None } else { Tls::StartTls };
        relay.tls = asked.or(written).unwrap_or(by_place);
        let usual = if relay.tls == Tls::Implicit { PORT_SUBMISSIONS } else { PORT_SUBMISSION };
        relay.port = url.port().unwrap_or(usual);
        Ok(relay)
    }
}

fn tls_asked(url: &url::Url) -> Result<Option<Tls>, String> {
    let mut asked = None;
    for (name, value) in url.query_pairs() {
        match name.as_ref() {
            "tls" => asked = Some(value.parse()?),
            _ => {
                return Err(format!(
                    "a relay's address has no setting \"{name}\"; it knows tls=none|starttls|implicit"
                ));
            }
        }
    }
    Ok(asked)
}

fn credentials(url: &url::Url) -> Result<(Option<String>, Option<String>), String> {
    let decode = |text: &str| {
        percent_encoding::percent_decode_str(text)
            .decode_utf8()
            .map(|text| text.into_owned())
            .map_err(|_| "user name and password of a relay must be UTF-8".to_owned())
    };
    let username = Some(url.username()).filter(|name| !name.is_empty()).map(decode).transpose()?;
    let password = url.password().map(decode).transpose()?;
    if password.is_some() && username.is_none() {
        return Err("the relay's address has a password but no user name".into());
    }
    Ok((username, password))
}

impl fmt::Display for RelayUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls == Tls::Implicit { "smtps" } else { "smtp" };
        let who = self.username.as_deref().map(|name| format!("{name}@")).unwrap_or_default();
        write!(f, "{scheme}://{who}{}:{}?tls={}", self.host, self.port, self.tls.as_str())
    }
}

impl fmt::Debug for RelayUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RelayUrl({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::{RelayUrl, Tls};

    #[test]
    fn a_relay_is_read_with_port_and_tls_as_one_expects() {
        for (text, host, port, tls) in [
            ("smtp://127.0.0.1:2525", "127.0.0.1", 2525, Tls::None),
            ("smtp://localhost", "localhost", 587, Tls::None),
            ("smtp://[::1]:25", "[::1]", 25, Tls::None),
            ("smtp://mail.example", "mail.example", 587, Tls::StartTls),
            ("smtps://mail.example", "mail.example", 465, Tls::Implicit),
            ("smtp+starttls://127.0.0.1:2525", "127.0.0.1", 2525, Tls::StartTls),
            ("smtp://mail.example:25?tls=none", "mail.example", 25, Tls::None),
        ] {
            let relay: RelayUrl = text.parse().expect(text);
            assert_eq!((relay.host.as_str(), relay.port, relay.tls), (host, port, tls), "{text}");
        }
    }

    #[test]
    fn a_password_is_read_and_never_shown() {
        let relay: RelayUrl = "smtp://me%40mail.example:s3cret%3A@mail.example".parse().expect("is a relay");
        assert_eq!(relay.username.as_deref(), Some("me@mail.example"));
        assert_eq!(relay.password.as_deref(), Some("s3cret:"));
        assert!(!format!("{relay} {relay:?}").contains("s3cret"));
    }

    #[test]
    fn what_is_no_relay_is_refused_with_the_form_to_write() {
        for text in [
            "",
            "mail.example",
            "http://mail.example",
            "smtp://",
            "smtp://h/path",
            "smtp://h?tls=ssl",
            "smtp://h?x=1",
            "smtp://:pw@h",
        ] {
            assert!(text.parse::<RelayUrl>().is_err(), "{text}");
        }
    }
}

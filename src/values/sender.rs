//! Who a newsletter is from: "Ines <brief@tidewater.example>", of a domain that its operator can sign for.

use super::address::Address;

/// A name and an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sender {
    pub name: String,
    pub address: Address,
}

/// Longest name shown: clients cut after about 30, and a header line is 998 bytes at most (RFC 5322 §2.1.1).
const NAME_LETTERS_MAX: usize = 120;

/// Domains whose mail we cannot sign: their DMARC policies tell receivers to refuse it.
const FREE_MAIL: [&str; 36] = [
    "126.com",
    "163.com",
    "aol.com",
    "att.net",
    "bluewin.ch",
    "comcast.net",
    "fastmail.com",
    "free.fr",
    "gmail.com",
    "googlemail.com",
    "hey.com",
    "icloud.com",
    "laposte.net",
    "libero.it",
    "mac.com",
    "mail.com",
    "mail.ru",
    "me.com",
    "msn.com",
    "orange.fr",
    "pm.me",
    "proton.me",
    "protonmail.com",
    "qq.com",
    "rocketmail.com",
    "sapo.pt",
    "sina.com",
    "t-online.de",
    "tutanota.com",
    "tuta.com",
    "verizon.net",
    "web.de",
    "wp.pl",
    "ya.ru",
    "ymail.com",
    "zoho.com",
];
/// Providers with a domain in many countries: yahoo.co.uk, gmx.net, live.nl.
const FREE_MAIL_LABELS: [&str; 6] = ["gmx", "hotmail", "live", "outlook", "yahoo", "yandex"];

impl Sender {
    /// Reads `Name <address>`.
    ///
    /// # Errors
    /// What is wrong with it, and what to write.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (name, address) = split(text)
            .ok_or_else(|| format!("\"{text}\" is not a sender; write it as: Ines <brief@tidewater.example>"))?;
        if name.chars().any(char::is_control) {
            return Err("the sender's name holds a line break or another control character".into());
        }
        if name.chars().count() > NAME_LETTERS_MAX {
            return Err(format!("the sender's name is longer than {NAME_LETTERS_MAX} letters"));
        }
        let address = Address::parse(address).map_err(|why| format!("the sender's address cannot be used: {why}"))?;
        check_domain(address.domain())?;
        Ok(Self { name: name.to_owned(), address })
    }
}

fn split(text: &str) -> Option<(&str, &str)> {
    let text = text.trim();
    match text.split_once('<') {
        Some((name, rest)) => {
            let address = rest.strip_suffix('>')?;
            let name = name.trim();
            Some((name.strip_prefix('"').and_then(|name| name.strip_suffix('"')).unwrap_or(name), address))
        }
        None => Some(("", text)).filter(|_| text.contains('@') && !text.contains([' ', ','])),
    }
}

/// A domain that mail can be sent from, and that somebody other than a mail provider may own.
///
/// # Errors
/// The reason, with what to do instead.
pub fn check_domain(domain: &str) -> Result<(), String> {
    let domain = domain.to_ascii_lowercase();
    let top = domain.rsplit('.').next().unwrap_or_default();
    if !domain.contains('.') || top.len() < 2 || top.bytes().all(|byte| byte.is_ascii_digit()) || domain.contains('[') {
        return Err(format!("\"{domain}\" is not a domain that mail can come from"));
    }
    let first = domain.split('.').next().unwrap_or_default();
    let many = FREE_MAIL_LABELS.contains(&first) && domain.split('.').count() <= 3;
    if FREE_MAIL.contains(&domain.as_str()) || many {
        return Err(format!(
            "mail from @{domain} can only be sent by {domain} itself: receivers are told to refuse it from anybody \
             else (DMARC). Use an address of a domain of your own"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::Sender;

    #[test]
    fn a_sender_is_read_with_and_without_a_name() {
        for (text, name, address) in [
            ("Ines <brief@tidewater.example>", "Ines", "brief@tidewater.example"),
            ("\"Ines, of the Quay\" <brief@tidewater.example>", "Ines, of the Quay", "brief@tidewater.example"),
            ("brief@tidewater.example", "", "brief@tidewater.example"),
            ("Inês 🌊 <brief@mail.tidewater.example>", "Inês 🌊", "brief@mail.tidewater.example"),
        ] {
            let sender = Sender::parse(text).expect(text);
            assert_eq!((sender.name.as_str(), sender.address.as_str()), (name, address));
        }
    }

    #[test]
    fn a_domain_of_a_mail_provider_is_refused_with_the_reason() {
        for text in ["a@gmail.com", "A <a@Yahoo.co.uk>", "a@outlook.com", "a@gmx.net", "a@icloud.com"] {
            assert!(Sender::parse(text).expect_err(text).contains("DMARC"), "{text}");
        }
        assert!(Sender::parse("a@live.tidewater.org.example").is_ok());
    }

    #[test]
    fn what_is_no_sender_is_refused() {
        for text in [
            "",
            "Ines",
            "Ines <>",
            "Ines <a@b",
            "a@b.example, c@d.example",
            "x\r\nBcc: y <a@b.example>",
            "a@localhost",
            "a@[127.0.0.1]",
            "a@10.0.0.1",
        ] {
            assert!(Sender::parse(text).is_err(), "{text}");
        }
    }
}

//! Addresses of mail: one strict reader for forms, imports, the command line and the desk.
//!
//! It takes the addresses that people have (RFC 5321 §4.1.2 `Dot-string@Domain`) and refuses the rest of the
//! grammar on purpose: quoted local parts, comments, groups, address literals and lists have no honest use in a
//! newsletter, and every mail library that split them by hand had its own hole. Every refusal has a code for
//! machines and a sentence for people. Not here: whether the mailbox exists, which only its server can say.

mod refused;

use std::fmt;

use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};

pub use refused::BadAddress;

/// Longest text looked at, in bytes. Nobody types a kilobyte; longer is refused before any work is done on it.
const TEXT_BYTES_MAX: usize = 1_024;
/// RFC 5321 §4.5.3.1.1.
const LOCAL_OCTETS_MAX: usize = 64;
/// RFC 5321 §4.5.3.1.3: a path of 256 octets, two of which are the angle brackets.
const WHOLE_OCTETS_MAX: usize = 254;
/// Letters that RFC 5321 allows in a `Dot-string` besides letters, digits and the dot.
const LOCAL_MARKS: &str = "!#$%&'*+-/=?^_`{|}~";
/// Mailboxes of a role and not of a person (RFC 2142); an import warns of them.
const ROLES: [&str; 8] = ["abuse", "postmaster", "hostmaster", "webmaster", "noc", "security", "noreply", "no-reply"];

/// One mailbox, checked. Shows itself shortened ("a…@example.com"), so that no log line can hold it;
/// [`Address::as_str`] gives the whole.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Address {
    whole: String,
    at: usize,
}

impl Address {
    /// Reads one address. White space and byte order marks around it are dropped, nothing else is repaired.
    ///
    /// # Errors
    /// [`BadAddress`] says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, BadAddress> {
        if text.len() > TEXT_BYTES_MAX {
            return Err(BadAddress::Huge);
        }
        let text = text.trim_matches(|letter: char| letter == ' ' || letter == '\t' || is_invisible(letter));
        if text.is_empty() {
            return Err(BadAddress::Missing);
        }
        refuse_letters(text)?;
        refuse_shapes(text)?;
        let (local, domain) = text.rsplit_once('@').ok_or(BadAddress::Shape)?;
        check_local(local)?;
        let domain = domain_in_ascii(domain)?;
        let whole = format!("{local}@{domain}");
        if whole.len() > WHOLE_OCTETS_MAX {
            return Err(BadAddress::TooLong);
        }
        Ok(Self { at: local.len(), whole })
    }

    /// As it is written on the envelope: local part as given, domain in A-labels and lower case.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.whole
    }

    /// The form in which two spellings of one mailbox are equal. The local part is folded although RFC 5321 §2.4
    /// lets servers tell its case apart: none that people use does, and two mails to one person are worse.
    #[must_use]
    pub fn key(&self) -> String {
        self.whole.to_lowercase()
    }

    /// The form in which aliases of one mailbox are equal (a+tag@, Gmail's dots): for limits only, never for
    /// identity, since a reader may want two subscriptions.
    #[must_use]
    pub fn base_key(&self) -> String {
        let local = self.local().to_lowercase();
        let base = local.split_once('+').map_or(local.as_str(), |(base, _)| base);
        match self.domain() {
            "gmail.com" | "googlemail.com" => format!("{}@gmail.com", base.replace('.', "")),
            domain => format!("{base}@{domain}"),
        }
    }

    #[must_use]
    pub fn local(&self) -> &str {
        &self.whole[..self.at]
    }

    #[must_use]
    pub fn domain(&self) -> &str {
        &self.whole[self.at + 1..]
    }

    /// For people's eyes: the domain in its own letters.
    #[must_use]
    pub fn shown(&self) -> String {
        let (domain, _) = Uts46::new().to_unicode(self.domain().as_bytes(), AsciiDenyList::STD3, Hyphens::Allow);
        format!("{}@{domain}", self.local())
    }

    /// For pages that a forwarded link may show to somebody else: "ma…@post.example".
    #[must_use]
    pub fn masked(&self) -> String {
        let shown: String = self.local().chars().take(if self.at > 3 { 2 } else { 1 }).collect();
        format!("{shown}…@{}", self.domain())
    }

    /// A mailbox of a role ("postmaster@"): taken, but an import says so.
    #[must_use]
    pub fn is_role(&self) -> bool {
        ROLES.contains(&self.local().to_lowercase().as_str())
    }

    /// Whether a label of the domain mixes Latin with letters that look like it: worth a second look by a person.
    #[must_use]
    pub fn is_mixed_script(&self) -> bool {
        let shown = self.shown();
        let domain = shown.rsplit_once('@').map_or("", |(_, domain)| domain);
        domain.split('.').any(|label| {
            let latin = label.chars().any(|letter| letter.is_ascii_alphabetic());
            latin && label.chars().any(|letter| matches!(letter, '\u{370}'..='\u{52f}'))
        })
    }
}

/// Letters that may stand nowhere in an address.
fn refuse_letters(text: &str) -> Result<(), BadAddress> {
    let lower = text.to_ascii_lowercase();
    let escaped = ["%0d", "%0a", "%00"].iter().any(|escape| lower.contains(escape));
    if escaped || text.chars().any(|letter| letter.is_control() || matches!(letter, '\u{2028}' | '\u{2029}')) {
        return Err(BadAddress::ControlChar);
    }
    if text.chars().any(is_invisible) {
        return Err(BadAddress::Invisible);
    }
    Ok(())
}

/// Shapes that RFC 5322 has and we do not take; each gets its own answer, so that a person knows what to change.
fn refuse_shapes(text: &str) -> Result<(), BadAddress> {
    if text.contains('"') {
        return Err(BadAddress::Quoted);
    }
    if text.contains(['(', ')']) {
        return Err(BadAddress::Comment);
    }
    if text.contains('[') || text.contains(']') {
        return Err(BadAddress::Literal);
    }
    if text.contains([',', ';']) {
        return Err(BadAddress::Several);
    }
    if text.contains(['<', '>']) {
        return Err(BadAddress::Named);
    }
    if text.contains(char::is_whitespace) || text.contains([':', '\\']) || text.matches('@').count() != 1 {
        return Err(BadAddress::Shape);
    }
    Ok(())
}

fn check_local(local: &str) -> Result<(), BadAddress> {
    if local.is_empty() {
        return Err(BadAddress::Shape);
    }
    if !local.is_ascii() {
        return Err(BadAddress::Smtputf8);
    }
    if local.len() > LOCAL_OCTETS_MAX {
        return Err(BadAddress::LocalTooLong);
    }
    let dots_wrong = local.starts_with('.') || local.ends_with('.') || local.contains("..");
    let known = |letter: char| letter.is_ascii_alphanumeric() || letter == '.' || LOCAL_MARKS.contains(letter);
    if dots_wrong || !local.chars().all(known) {
        return Err(BadAddress::Local);
    }
    Ok(())
}

/// The domain in A-labels, lower case (UTS 46 with STD3 rules and DNS lengths).
fn domain_in_ascii(domain: &str) -> Result<String, BadAddress> {
    if domain.is_empty() {
        return Err(BadAddress::Shape);
    }
    let ascii = Uts46::new()
        .to_ascii(domain.as_bytes(), AsciiDenyList::STD3, Hyphens::CheckFirstLast, DnsLength::Verify)
        .map_err(|_| BadAddress::Domain)?;
    let Some((_, last)) = ascii.rsplit_once('.') else { return Err(BadAddress::Dotless) };
    // No top-level domain is a number; one that is makes the whole an IPv4 address (RFC 3696 §2).
    if last.bytes().all(|letter| letter.is_ascii_digit()) {
        return Err(BadAddress::Literal);
    }
    Ok(ascii.into_owned())
}

/// White space other than blank and tab, and letters that cannot be seen: pasted along, never meant.
fn is_invisible(letter: char) -> bool {
    matches!(letter, '\u{a0}' | '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180e}' | '\u{1680}' | '\u{2000}'..='\u{200f}'
        | '\u{202a}'..='\u{202f}' | '\u{205f}'..='\u{206f}' | '\u{3000}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
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

#[cfg(test)]
mod tests {
    use super::{Address, BadAddress};
    use proptest::prelude::{prop_assert, prop_assert_eq, proptest};

    #[test]
    fn the_bad_input_catalogue_gets_its_answers() {
        let local_65 = format!("{}@x.org", "a".repeat(65));
        let whole_255 = format!("a@{}.{}.{}.{}.org", "b".repeat(63), "c".repeat(63), "d".repeat(63), "e".repeat(57));
        let label_64 = format!("a@{}.org", "b".repeat(64));
        let megabyte = format!("{}@x.org", "a".repeat(1_000_000));
        let table: [(&str, BadAddress, &str); 47] = [
            ("", BadAddress::Missing, "email_required"),                // I1
            ("   ", BadAddress::Missing, "email_required"),             // I1
            ("user", BadAddress::Shape, "email_invalid"),               // I2
            ("user@", BadAddress::Shape, "email_invalid"),              // I2
            ("@x.org", BadAddress::Shape, "email_invalid"),             // I2
            ("a@b", BadAddress::Dotless, "email_domain"),               // I3
            (&local_65, BadAddress::LocalTooLong, "email_too_long"),    // I4
            (&whole_255, BadAddress::TooLong, "email_too_long"),        // I4
            ("\"a b\"@x.org", BadAddress::Quoted, "email_unsupported"), // I5
            ("\"evil@gmail.com x\"@internal.x", BadAddress::Quoted, "email_unsupported"), // I6
            ("user@x.org(comment)evil.com", BadAddress::Comment, "email_invalid"), // I7
            ("u@x.org (a(b)c)", BadAddress::Comment, "email_invalid"),  // I7
            ("(((x)))u@x.org", BadAddress::Comment, "email_invalid"),   // I7
            ("grp: a@x.org, b@y.org;", BadAddress::Several, "email_several"), // I8
            ("a@x.org,b@y.org", BadAddress::Several, "email_several"),  // I8
            ("a@x.org;b@y.org", BadAddress::Several, "email_several"),  // I8
            ("a@x.org b@y.org", BadAddress::Shape, "email_invalid"),    // I8
            ("a@x.org@y.org", BadAddress::Shape, "email_invalid"),      // I8
            ("grp:a@x.org", BadAddress::Shape, "email_invalid"),        // I8
            ("Name <a@x.org>", BadAddress::Named, "email_named"),       // I9
            ("<a@x.org>", BadAddress::Named, "email_named"),            // I9
            ("a@x.org\r\nBcc: v@y.org", BadAddress::ControlChar, "email_control_char"), // I10
            ("a@x.org\n", BadAddress::ControlChar, "email_control_char"), // I10
            ("a%0d%0ab@x.org", BadAddress::ControlChar, "email_control_char"), // I10
            ("a@x.org%0D%0ABcc:v@y.org", BadAddress::ControlChar, "email_control_char"), // I10
            ("a\u{2028}@x.org", BadAddress::ControlChar, "email_control_char"), // I10
            ("a\0@x.org", BadAddress::ControlChar, "email_control_char"), // I10
            ("a\u{7f}@x.org", BadAddress::ControlChar, "email_control_char"), // I10
            ("a@[127.0.0.1]", BadAddress::Literal, "email_domain"),     // I11
            ("a@[IPv6:::1]", BadAddress::Literal, "email_domain"),      // I11
            ("a@1.2.3.4", BadAddress::Literal, "email_domain"),         // I11
            ("ä@x.org", BadAddress::Smtputf8, "email_unsupported"),     // I12
            ("a@xn--", BadAddress::Domain, "email_domain"),             // I14
            ("a@xn--.org", BadAddress::Domain, "email_domain"),         // I14
            ("a@x..org", BadAddress::Domain, "email_domain"),           // I14
            ("a@-x.org", BadAddress::Domain, "email_domain"),           // I14
            ("a@x-.org", BadAddress::Domain, "email_domain"),           // I14
            ("a@x.org.", BadAddress::Domain, "email_domain"),           // I14
            ("a@x_y.org", BadAddress::Domain, "email_domain"),          // I14
            (&label_64, BadAddress::Domain, "email_domain"),            // I14
            ("аdmin@x.org", BadAddress::Smtputf8, "email_unsupported"), // I15: the first letter is Cyrillic
            ("a\u{200b}b@x.org", BadAddress::Invisible, "email_invisible"), // I17
            ("a@x\u{feff}.org", BadAddress::Invisible, "email_invisible"), // I17
            ("a b@x.org", BadAddress::Shape, "email_invalid"),          // I17
            (&megabyte, BadAddress::Huge, "email_too_long"),            // I20
            (".a@x.org", BadAddress::Local, "email_local"),
            ("a..b@x.org", BadAddress::Local, "email_local"),
        ];
        for (text, refused, code) in table {
            let start: String = text.chars().take(40).collect();
            assert_eq!(Address::parse(text), Err(refused), "{start}");
            assert_eq!(refused.code(), code, "{start}");
        }
    }

    #[test]
    fn what_people_have_is_taken() {
        let table = [
            ("ann@example.org", "ann@example.org"),
            ("  ann@example.org\t", "ann@example.org"),
            ("\u{feff}ann@example.org\u{a0}\u{200b}", "ann@example.org"), // I17
            ("Ann.O'Neil+news@Example.ORG", "Ann.O'Neil+news@example.org"), // I16
            ("a@bücher.example", "a@xn--bcher-kva.example"),              // I13
            ("a@例え.テスト", "a@xn--r8jz45g.xn--zckzah"),
            ("postmaster@x.org", "postmaster@x.org"), // I19
            ("_-{}~@x.co.uk", "_-{}~@x.co.uk"),
        ];
        for (text, kept) in table {
            assert_eq!(Address::parse(text).as_ref().map(Address::as_str), Ok(kept));
        }
    }

    fn address(text: &str) -> Address {
        Address::parse(text).expect("the test's own address is good")
    }

    #[test]
    fn spellings_of_one_mailbox_have_one_key_and_aliases_one_base() {
        assert_eq!(address("A@X.ORG").key(), address("a@x.org").key()); // I16
        assert_eq!(address("a@bücher.example").key(), address("a@xn--bcher-kva.example").key()); // I13
        assert_eq!(address("a@bücher.example").shown(), "a@bücher.example");
        assert_ne!(address("a+1@x.org").key(), address("a+2@x.org").key()); // I18
        assert_eq!(address("a+1@x.org").base_key(), address("A+9999@x.org").base_key()); // I18
        assert_eq!(address("an.n+x@googlemail.com").base_key(), "ann@gmail.com");
        assert_ne!(address("an.n@x.org").base_key(), address("ann@x.org").base_key());
    }

    #[test]
    fn roles_and_mixed_scripts_are_told() {
        assert!(address("Abuse@x.org").is_role() && !address("abused@x.org").is_role()); // I19
        assert!(address("a@pаypal.example").is_mixed_script()); // I15: the second letter is Cyrillic
        assert!(!address("a@пример.example").is_mixed_script() && !address("a@bücher.example").is_mixed_script());
    }

    #[test]
    fn it_shows_itself_shortened() {
        let ann = address("maren.k@post.example");
        assert_eq!(format!("{ann} {ann:?}"), "m…@post.example Address(m…@post.example)");
        assert_eq!(ann.masked(), "ma…@post.example");
        assert_eq!(address("al@post.example").masked(), "a…@post.example");
    }

    proptest! {
        #[test]
        fn whatever_is_typed_is_answered_without_a_panic(text in "\\PC{0,60}") {
            let _ = Address::parse(&text);
        }

        #[test]
        fn what_is_taken_is_one_safe_mailbox_that_reads_back_the_same(text in "[a-zA-Z0-9.+@ü<>,\"% \r\n-]{1,40}") {
            if let Ok(address) = Address::parse(&text) {
                let kept = address.as_str();
                prop_assert!(kept.is_ascii() && kept.len() <= 254 && kept.matches('@').count() == 1);
                prop_assert!(kept.bytes().all(|byte| byte > b' ' && byte < 0x7f));
                prop_assert_eq!(Address::parse(kept), Ok(address.clone()));
                prop_assert!(kept.parse::<lettre::Address>().is_ok(), "lettre must build mail to it: {}", kept);
            }
        }
    }
}

//! DKIM: signing a message (RFC 6376, RFC 8463), by RSA-2048 or Ed25519, relaxed/relaxed, never with `l=`.

use std::fmt;

use aws_lc_rs::digest::{Context, SHA256};
use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::canonical::{header_fields, relaxed_body, relaxed_header};
use crate::values::clock::Millis;

/// Signed wherever they stand (RFC 6376 §5.4.1; the unsubscribe fields by RFC 8058 §4).
const SIGNED: [&str; 19] = [
    "From",
    "Reply-To",
    "To",
    "Cc",
    "Subject",
    "Date",
    "Message-ID",
    "MIME-Version",
    "Content-Type",
    "Content-Transfer-Encoding",
    "List-Id",
    "List-Unsubscribe",
    "List-Unsubscribe-Post",
    "List-Help",
    "List-Owner",
    "List-Post",
    "List-Archive",
    "Feedback-ID",
    "Auto-Submitted",
];
/// Named once more than they stand, so that none can be added (RFC 6376 §8.15).
const OVERSIGNED: [&str; 9] = [
    "From",
    "To",
    "Subject",
    "Date",
    "Message-ID",
    "Reply-To",
    "Content-Type",
    "List-Unsubscribe",
    "List-Unsubscribe-Post",
];
/// A signature is good this long: longer than the 72 hours of retries and a slow forwarder, not for ever (replay).
const GOOD_FOR_SECONDS: i64 = 14 * 24 * 3_600;
/// Longest string within a TXT record (RFC 1035 §3.3).
const TXT_OCTETS_MAX: usize = 255;
/// Octets of a signature on one line of its header.
const SIGNATURE_LINE_OCTETS: usize = 72;

/// Why a key cannot be used or made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadKey {
    #[error("this is not a PKCS#8 private key (RSA of at least 2048 bits, or Ed25519)")]
    Unreadable,
    #[error("the machine could not make a key")]
    NotMade,
}

enum Key {
    Rsa(Box<RsaKeyPair>),
    Ed25519(Box<Ed25519KeyPair>),
}

/// Signs for one domain with one key.
pub struct Signer {
    key: Key,
    domain: String,
    selector: String,
    random: SystemRandom,
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({}._domainkey.{})", self.selector, self.domain)
    }
}

/// A body's hash in the making; begun once for what all readers share, and cloned for each.
#[derive(Clone)]
pub struct BodyHash(Context);

impl fmt::Debug for BodyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BodyHash")
    }
}

impl Default for BodyHash {
    fn default() -> Self {
        Self(Context::new(&SHA256))
    }
}

impl BodyHash {
    /// Adds bytes that are in relaxed canonical form already.
    pub fn update_canonical(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(self) -> String {
        STANDARD.encode(self.0.finish())
    }
}

/// A new RSA-2048 key as PKCS#8 in base64, as it is kept among the secrets.
///
/// # Errors
/// [`BadKey::NotMade`] on a machine without randomness.
pub fn new_rsa_key() -> Result<String, BadKey> {
    let key = RsaKeyPair::generate(KeySize::Rsa2048).map_err(|_| BadKey::NotMade)?;
    let der: Pkcs8V1Der<'_> = key.as_der().map_err(|_| BadKey::NotMade)?;
    Ok(STANDARD.encode(der.as_ref()))
}

/// A new Ed25519 key in the same form. Not every receiver knows them yet, so none is made unless asked for.
///
/// # Errors
/// [`BadKey::NotMade`] on a machine without randomness.
pub fn new_ed25519_key() -> Result<String, BadKey> {
    let der = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).map_err(|_| BadKey::NotMade)?;
    Ok(STANDARD.encode(der.as_ref()))
}

impl Signer {
    /// A signer from a key in base64, or in PEM as other programs write it.
    ///
    /// # Errors
    /// [`BadKey::Unreadable`].
    pub fn new(domain: &str, selector: &str, key: &str) -> Result<Self, BadKey> {
        let base64: String = key.lines().filter(|line| !line.starts_with("-----")).flat_map(str::chars).collect();
        let base64: String = base64.chars().filter(|letter| !letter.is_whitespace()).collect();
        let der = STANDARD.decode(base64).map_err(|_| BadKey::Unreadable)?;
        let key = match RsaKeyPair::from_pkcs8(&der) {
            Ok(rsa) if rsa.public_modulus_len() * 8 >= 2_048 => Key::Rsa(Box::new(rsa)),
            Ok(_) => return Err(BadKey::Unreadable),
            Err(_) => {
                let ed25519 = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der).map_err(|_| BadKey::Unreadable)?;
                Key::Ed25519(Box::new(ed25519))
            }
        };
        let (domain, selector) = (domain.to_ascii_lowercase(), selector.to_owned());
        Ok(Self { key, domain, selector, random: SystemRandom::new() })
    }

    #[must_use]
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// Where the public key is looked for.
    #[must_use]
    pub fn dns_name(&self) -> String {
        format!("{}._domainkey.{}", self.selector, self.domain)
    }

    /// The TXT record's text, whole.
    #[must_use]
    pub fn dns_text(&self) -> String {
        let (kind, key) = match &self.key {
            Key::Rsa(key) => {
                let der: Option<PublicKeyX509Der<'_>> = key.public_key().as_der().ok();
                ("rsa", der.map(|der| STANDARD.encode(der.as_ref())).unwrap_or_default())
            }
            Key::Ed25519(key) => ("ed25519", STANDARD.encode(key.public_key().as_ref())),
        };
        format!("v=DKIM1; k={kind}; p={key}")
    }

    /// The TXT record's text as a zone file has it: quoted strings of at most 255 octets.
    #[must_use]
    pub fn dns_strings(&self) -> String {
        let text = self.dns_text();
        let strings =
            text.as_bytes().chunks(TXT_OCTETS_MAX).map(|part| format!("\"{}\"", String::from_utf8_lossy(part)));
        strings.collect::<Vec<_>>().join(" ")
    }

    /// Puts a signature before `message`, whatever its form.
    pub fn sign(&self, message: &mut Vec<u8>, at: Millis) {
        let body_at = message.windows(4).position(|four| four == b"\r\n\r\n").map_or(message.len(), |at| at + 4);
        let mut hash = BodyHash::default();
        relaxed_body(&message[body_at..], &mut |bytes| hash.update_canonical(bytes));
        self.sign_hashed(message, body_at, hash, at);
    }

    /// Puts a signature before a message whose body, which begins at `body_at`, has been hashed.
    pub(super) fn sign_hashed(&self, message: &mut Vec<u8>, body_at: usize, hash: BodyHash, at: Millis) {
        let head = &message[..body_at];
        let fields = header_fields(head);
        let (names, mut to_sign) = chosen(&fields);
        let seconds = at.0.div_euclid(Millis::SECOND);
        let mut header = format!(
            "DKIM-Signature: v=1; a={}; c=relaxed/relaxed; d={};\r\n s={}; t={seconds}; x={};\r\n h={};\r\n bh={};\r\n b=",
            self.algorithm(),
            self.domain,
            self.selector,
            seconds + GOOD_FOR_SECONDS,
            folded_names(&names),
            hash.finish(),
        );
        relaxed_header("DKIM-Signature", &header["DKIM-Signature:".len()..], &mut to_sign);
        to_sign.truncate(to_sign.len() - 2);
        let signature = STANDARD.encode(self.raw_signature(&to_sign));
        for (at, line) in signature.as_bytes().chunks(SIGNATURE_LINE_OCTETS).enumerate() {
            header.push_str(if at == 0 { "" } else { "\r\n " });
            header.push_str(&String::from_utf8_lossy(line));
        }
        header.push_str("\r\n");
        message.splice(0..0, header.into_bytes());
    }

    fn algorithm(&self) -> &'static str {
        match self.key {
            Key::Rsa(_) => "rsa-sha256",
            Key::Ed25519(_) => "ed25519-sha256",
        }
    }

    /// RFC 8463 §3: Ed25519 signs the SHA-256 of what RSA would sign.
    fn raw_signature(&self, to_sign: &[u8]) -> Vec<u8> {
        match &self.key {
            Key::Rsa(key) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &self.random, to_sign, &mut signature)
                    .expect("a checked RSA key signs any text, because the buffer is as long as its modulus");
                signature
            }
            Key::Ed25519(key) => {
                let hash = aws_lc_rs::digest::digest(&SHA256, to_sign);
                key.sign(hash.as_ref()).as_ref().to_vec()
            }
        }
    }
}

/// The names for `h=` and the canonical fields they stand for: every field that is signed, bottom up where a name
/// stands twice (RFC 6376 §5.4.2), then the oversigned names.
fn chosen<'a>(fields: &[(&'a str, &'a str)]) -> (Vec<&'static str>, Vec<u8>) {
    let mut names = Vec::new();
    let mut canonical = Vec::with_capacity(4_096);
    for name in SIGNED {
        for (found, value) in fields.iter().rev().filter(|(found, _)| found.eq_ignore_ascii_case(name)) {
            names.push(name);
            relaxed_header(found, value, &mut canonical);
        }
    }
    names.extend(OVERSIGNED);
    (names, canonical)
}

fn folded_names(names: &[&str]) -> String {
    let mut out = String::new();
    let mut column = 3;
    for (at, name) in names.iter().enumerate() {
        if at > 0 {
            out.push(':');
            column += 1;
        }
        if column + name.len() > 74 {
            out.push_str("\r\n  ");
            column = 2;
        }
        out.push_str(name);
        column += name.len();
    }
    out
}

#[cfg(test)]
mod tests;

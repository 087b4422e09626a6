use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{BodyHash, Key, Signer, SystemRandom, new_ed25519_key, new_rsa_key};
use crate::issue::canonical::{header_fields, relaxed_body, relaxed_header};
use crate::values::clock::Millis;

const AT: Millis = Millis(1_795_510_800_000);

/// The message of RFC 8463 appendix A.
const RFC_8463: &str = "From: Joe SixPack <joe@football.example.com>\r\n\
    To: Suzie Q <suzie@shopping.example.net>\r\n\
    Subject: Is dinner ready?\r\n\
    Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)\r\n\
    Message-ID: <20030712040037.46341.5F8J@football.example.com>\r\n\
    \r\n\
    Hi.\r\n\
    \r\n\
    We lost the game.  Are you hungry yet?\r\n\
    \r\n\
    Joe.\r\n";

const RFC_8463_HEAD_SIGNED: &str = " v=1; a=ed25519-sha256; c=relaxed/relaxed;\r\n d=football.example.com; \
    i=@football.example.com;\r\n q=dns/txt; s=brisbane; t=1528637909; h=from : to :\r\n subject : date : message-id : \
    from : subject : date;\r\n bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n b=";

fn body_of(message: &str) -> &str {
    message.split_once("\r\n\r\n").map(|(_, body)| body).expect("a body")
}

fn body_hash(body: &str) -> String {
    let mut hash = BodyHash::default();
    relaxed_body(body.as_bytes(), &mut |bytes| hash.update_canonical(bytes));
    hash.finish()
}

#[test]
fn rfc_8463s_example_gives_rfc_8463s_signature() {
    let seed = STANDARD.decode("nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=").expect("base64");
    let pair = Ed25519KeyPair::from_seed_unchecked(&seed).expect("a seed");
    let signer = Signer {
        key: Key::Ed25519(Box::new(pair)),
        domain: "football.example.com".to_owned(),
        selector: "brisbane".to_owned(),
        random: SystemRandom::new(),
    };
    assert_eq!(signer.dns_text(), "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=");
    assert_eq!(body_hash(body_of(RFC_8463)), "2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=");
    let fields = header_fields(RFC_8463.as_bytes());
    let mut to_sign = Vec::new();
    for name in ["from", "to", "subject", "date", "message-id"] {
        let (found, value) = fields.iter().find(|(found, _)| found.eq_ignore_ascii_case(name)).expect("a field");
        relaxed_header(found, value, &mut to_sign);
    }
    relaxed_header("DKIM-Signature", RFC_8463_HEAD_SIGNED, &mut to_sign);
    to_sign.truncate(to_sign.len() - 2);
    let expected = "/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11BusFa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==";
    assert_eq!(STANDARD.encode(signer.raw_signature(&to_sign)), expected);
}

/// Verifies as a receiver does, with its own reading of the header. `None`: there is no signature that holds.
fn verified(message: &[u8], public: &UnparsedPublicKey<Vec<u8>>) -> Option<()> {
    let text = std::str::from_utf8(message).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    let fields = header_fields(head.as_bytes());
    let (_, signature) = fields.iter().find(|(name, _)| *name == "DKIM-Signature")?;
    let tag = |wanted: &str| {
        let tags = signature.split(';').filter_map(|tag| tag.split_once('='));
        let value = tags.filter(|(name, _)| name.trim() == wanted).map(|(_, value)| value).next()?;
        Some(value.chars().filter(|letter| !letter.is_whitespace()).collect::<String>())
    };
    if body_hash(body) != tag("bh")? {
        return None;
    }
    let mut to_sign = Vec::new();
    let mut left = fields.clone();
    for name in tag("h")?.split(':') {
        if let Some(at) = left.iter().rposition(|(found, _)| found.eq_ignore_ascii_case(name)) {
            let (found, value) = left.remove(at);
            relaxed_header(found, value, &mut to_sign);
        }
    }
    let unsigned = &signature[..signature.rfind("b=")? + 2];
    relaxed_header("DKIM-Signature", unsigned, &mut to_sign);
    to_sign.truncate(to_sign.len() - 2);
    public.verify(&to_sign, &STANDARD.decode(tag("b")?).ok()?).ok()
}

fn rsa_public(signer: &Signer) -> UnparsedPublicKey<Vec<u8>> {
    let text = signer.dns_text();
    let key = text.split("p=").last().expect("a key");
    UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, STANDARD.decode(key).expect("base64"))
}

const MAIL: &str = "From: a@tidewater.example\r\nTo: ann@example.com\r\nSubject: One\r\n two\r\nList-Unsubscribe: \
    <https://x.example/u>\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n\r\n.dot \r\n\ta  b\r\n\r\n \r\n";

#[test]
fn a_signature_by_rsa_holds_until_anything_signed_is_changed_or_added() {
    let signer = Signer::new("Tidewater.example", "b1", &new_rsa_key().expect("a key")).expect("a signer");
    let public = rsa_public(&signer);
    let mut message = MAIL.as_bytes().to_vec();
    signer.sign(&mut message, AT);
    assert_eq!(verified(&message, &public), Some(()));
    let text = String::from_utf8(message).expect("ASCII");
    assert!(text.split("\r\n").all(|line| line.len() <= 78), "{text}");
    assert!(text.contains("c=relaxed/relaxed; d=tidewater.example;") && !text.contains(" l="));
    for (from, to) in [
        ("Subject: One", "Subject: Two"),
        ("\r\n\r\n.dot", "\r\n\r\n.dots"),
        ("Subject: One", "Subject: Evil\r\nSubject: One"),
        ("List-Unsubscribe-Post: ", "List-Unsubscribe-Post: x\r\nList-Unsubscribe-Post: "),
        ("To: ann", "Reply-To: x@example.com\r\nTo: ann"),
    ] {
        assert_eq!(verified(text.replace(from, to).as_bytes(), &public), None, "{to}");
    }
    assert_eq!(verified(text.replace(".dot \r\n", ".dot\t\r\n").as_bytes(), &public), Some(()), "white space is free");
}

#[test]
fn bodies_of_every_odd_form_are_signed_right() {
    let signer = Signer::new("x.example", "b1", &new_rsa_key().expect("a key")).expect("a signer");
    let public = rsa_public(&signer);
    for body in ["", "\r\n", " \r\n\r\n", "a", "a \t b\r\n\r\n\r\n", ".\r\n..\r\n", "a\r\n \r\n"] {
        let mut message = format!("From: a@x.example\r\nSubject: x\r\n\r\n{body}").into_bytes();
        signer.sign(&mut message, AT);
        assert_eq!(verified(&message, &public), Some(()), "{body:?}");
    }
}

#[test]
fn an_ed25519_signature_is_over_the_hash() {
    let signer = Signer::new("x.example", "e1", &new_ed25519_key().expect("a key")).expect("a signer");
    let key = signer.dns_text();
    let key = STANDARD.decode(key.split("p=").last().expect("a key")).expect("base64");
    let signature = signer.raw_signature(b"text");
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, b"text");
    let public = ParsedPublicKey::new(&ED25519, &key).expect("a key");
    assert!(public.verify_sig(hash.as_ref(), &signature).is_ok());
}

#[test]
fn the_record_for_the_zone_is_cut_into_strings() {
    let signer = Signer::new("x.example", "b1", &new_rsa_key().expect("a key")).expect("a signer");
    assert_eq!(signer.dns_name(), "b1._domainkey.x.example");
    let strings = signer.dns_strings();
    assert!(strings.split("\" \"").all(|string| string.trim_matches('"').len() <= 255));
    assert_eq!(strings.replace("\" \"", "").trim_matches('"'), signer.dns_text());
}

#[test]
fn what_is_no_key_is_refused() {
    for key in ["", "MIIB", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"] {
        assert!(Signer::new("x.example", "b1", key).is_err(), "{key}");
    }
}

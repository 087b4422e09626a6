use mail_parser::{Message, MessageParser, MimeHeaders as _};
use proptest::prelude::*;

use super::{Personal, compose, compose_signed, fill_line};
use crate::issue::dkim::{Signer, new_rsa_key};
use crate::issue::fixtures;
use crate::issue::headers::Unmailable;
use crate::issue::html::{escape, one_line};
use crate::issue::message::{Prepared, Sending, prepare};
use crate::issue::newsletter::Masthead;
use crate::issue::render::render;
use crate::issue::rendered::{Piece, Reader, Rendered, Template};
use crate::issue::tree::Issue;
use crate::values::clock::Millis;
use crate::values::ids::IssueId;

const SENDING: Sending<'static> =
    Sending { issue: IssueId(31), at: Millis(1_795_510_800_000), subject_prefix: "", signed: true };

fn rendered(issue: &Issue) -> Rendered {
    let date = jiff::civil::date(2026, 11, 24);
    render(issue, &fixtures::masthead(), date, &fixtures::pictures()).expect("rendered")
}

fn prepared(issue: &Issue) -> Prepared {
    prepare(&rendered(issue), &fixtures::masthead(), SENDING).expect("prepared")
}

fn personal(reader: &Reader) -> Personal<'_> {
    Personal { reader, message_id: "i.s.hash@tidewater.example", leave_address: "u+TOKEN@b.tidewater.example" }
}

fn composed(prepared: &Prepared, reader: &Reader) -> Vec<u8> {
    let mut out = Vec::new();
    compose(prepared, personal(reader), &mut out).expect("composed");
    out
}

/// M-01, M-02, M-03, M-04.
fn assert_well_formed(message: &[u8]) {
    let text = std::str::from_utf8(message).expect("ASCII");
    assert!(message.iter().all(|byte| matches!(byte, b'\r' | b'\n' | b' '..=b'~')), "7 bits, no control characters");
    assert!(text.ends_with("\r\n"));
    let (head, body) = text.split_once("\r\n\r\n").expect("a body");
    for line in text.split("\r\n") {
        assert!(line.len() <= 998 && !line.contains(['\r', '\n']), "{line}");
    }
    for line in body.split("\r\n") {
        assert!(line.len() <= 76, "{} {line}", line.len());
    }
    let mut names: Vec<String> = head
        .split("\r\n")
        .filter(|line| !line.starts_with(' '))
        .map(|line| line.split(':').next().unwrap_or_default().to_ascii_lowercase())
        .collect();
    names.sort();
    for name in [
        "from",
        "reply-to",
        "to",
        "subject",
        "date",
        "message-id",
        "mime-version",
        "content-type",
        "list-id",
        "list-unsubscribe",
        "list-unsubscribe-post",
        "feedback-id",
        "list-archive",
        "precedence",
        "x-auto-response-suppress",
        "list-help",
        "list-owner",
        "list-post",
    ] {
        assert_eq!(names.iter().filter(|known| *known == name).count(), 1, "{name}");
    }
    assert_eq!(names.len(), 18, "{names:?}");
}

fn full(template: &Template, reader: &Reader, html: bool) -> String {
    let value = |piece: &Piece| match piece {
        Piece::Fixed(text) => text.clone(),
        Piece::Slot(field) if html => escape(&one_line(reader.value(field))),
        Piece::Slot(field) => one_line(reader.value(field)).into_owned(),
    };
    template.pieces.iter().map(value).collect()
}

fn parse(message: &[u8]) -> Message<'_> {
    MessageParser::default().parse(message).expect("a message")
}

#[test]
fn a_spliced_message_is_what_a_full_rendering_would_be() {
    let mut odd = fixtures::reader();
    odd.name = "Zoë <script>\"&'= .\r\nBcc: x@y 🎣".to_owned();
    for issue in [fixtures::brief(), fixtures::everything(), fixtures::arabic()] {
        let rendered = rendered(&issue);
        let prepared = prepare(&rendered, &fixtures::masthead(), SENDING).expect("prepared");
        for reader in [fixtures::reader(), odd.clone()] {
            let message = composed(&prepared, &reader);
            assert_well_formed(&message);
            let message = parse(&message);
            assert_eq!(message.parts.len(), 3);
            let (text, html) = (message.body_text(0).expect("text"), message.body_html(0).expect("html"));
            assert_eq!(text.replace("\r\n", "\n"), full(&rendered.text, &reader, false));
            assert_eq!(html.replace("\r\n", "\n"), full(&rendered.html, &reader, true));
            let subject = fill_line(&rendered.subject, &reader);
            assert_eq!(message.subject(), Some(crate::issue::encode::header_line(&subject).as_str()));
        }
    }
}

#[test]
fn the_parts_stand_in_their_order_and_say_what_they_are() {
    let message = composed(&prepared(&fixtures::brief()), &fixtures::reader());
    let message = parse(&message);
    let kinds: Vec<_> = message.parts.iter().map(|part| part.content_type().and_then(|kind| kind.subtype())).collect();
    assert_eq!(kinds, [Some("alternative"), Some("plain"), Some("html")]);
    assert!(message.parts[1..].iter().all(|part| {
        part.content_type().and_then(|kind| kind.attribute("charset")) == Some("utf-8")
            && part.content_transfer_encoding() == Some("quoted-printable")
    }));
}

#[test]
fn the_headers_of_a_list_are_as_the_rfcs_want_them() {
    let message = composed(&prepared(&fixtures::brief()), &fixtures::reader());
    let text = String::from_utf8(message).expect("ASCII");
    let (head, _) = text.split_once("\r\n\r\n").expect("a body");
    insta::assert_snapshot!(head.replace("\r\n", "\n"));
}

#[test]
fn without_a_signature_or_https_one_click_is_not_promised() {
    let unsigned = Sending { signed: false, ..SENDING };
    let prepared_unsigned = prepare(&rendered(&fixtures::brief()), &fixtures::masthead(), unsigned).expect("prepared");
    let http = Reader { unsubscribe: "http://news.example/u/x".to_owned(), ..fixtures::reader() };
    for (prepared, reader) in [(&prepared_unsigned, fixtures::reader()), (&prepared(&fixtures::brief()), http)] {
        let message = String::from_utf8(composed(prepared, &reader)).expect("ASCII");
        assert!(message.contains("\r\nList-Unsubscribe: <") && !message.contains("List-Unsubscribe-Post"));
    }
}

#[test]
fn a_test_mail_says_so_in_its_subject() {
    let test = Sending { subject_prefix: "[Test] ", ..SENDING };
    for issue in [fixtures::brief(), fixtures::everything()] {
        let prepared = prepare(&rendered(&issue), &fixtures::masthead(), test).expect("prepared");
        let message = composed(&prepared, &fixtures::reader());
        assert!(parse(&message).subject().is_some_and(|subject| subject.starts_with("[Test] ")));
    }
}

#[test]
fn a_signed_message_is_the_unsigned_one_with_a_signature_before_it_and_the_same_each_time() {
    let signer = Signer::new("tidewater.example", "b1", &new_rsa_key().expect("a key")).expect("a signer");
    let prepared = prepared(&fixtures::brief());
    let (reader, mut spliced) = (fixtures::reader(), Vec::new());
    compose_signed(&prepared, personal(&reader), &signer, &mut spliced).expect("composed");
    let mut again = Vec::from("what the buffer held before");
    compose_signed(&prepared, personal(&reader), &signer, &mut again).expect("composed");
    assert_eq!(spliced, again, "a second try is the same message");
    let mut whole = composed(&prepared, &reader);
    signer.sign(&mut whole, SENDING.at);
    assert_eq!(String::from_utf8(spliced), String::from_utf8(whole), "the shared hash is the hash of the whole");
}

#[test]
fn addresses_that_cannot_stand_in_a_mail_are_refused() {
    let prepared = prepared(&fixtures::brief());
    for email in ["", "ann", "ann@", "@x.example", "a\r\nBcc: b@x.example", "a b@x.example", "ü@x.example", "a@x,b@y"]
    {
        let reader = Reader { email: email.to_owned(), ..fixtures::reader() };
        assert_eq!(compose(&prepared, personal(&reader), &mut Vec::new()), Err(Unmailable::Recipient), "{email:?}");
    }
    let masthead = Masthead { from_address: "brief".to_owned(), ..fixtures::masthead() };
    assert_eq!(prepare(&rendered(&fixtures::brief()), &masthead, SENDING).err(), Some(Unmailable::Sender));
    let masthead = Masthead { list_id: "a b\r\nx".to_owned(), ..fixtures::masthead() };
    assert_eq!(prepare(&rendered(&fixtures::brief()), &masthead, SENDING).err(), Some(Unmailable::ListId));
}

#[test]
fn international_domains_become_a_labels() {
    let prepared = prepared(&fixtures::brief());
    let reader = Reader { email: "ann@Müller.example".to_owned(), ..fixtures::reader() };
    let message = String::from_utf8(composed(&prepared, &reader)).expect("ASCII");
    assert!(message.contains("<ann@xn--mller-kva.example>"), "{}", &message[..400]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn no_value_of_any_field_can_break_a_message(
        name in "[\\PC\r\n\0\u{2028}\u{85}\t]{0,60}",
        link in "[!-~\u{e9}\r\n \0]{0,80}",
        newsletter in "[\\PC\r\n\0]{1,60}",
    ) {
        let masthead = Masthead {
            from_name: newsletter.clone(),
            name: newsletter,
            postal_address: format!("{name}\r\n.\r\n"),
            ..fixtures::masthead()
        };
        let url = format!("https://x.example/{link}");
        let reader = Reader { name, unsubscribe: url.clone(), web_copy: url.clone(), preferences: url.clone(), pause: url,
            ..fixtures::reader() };
        let date = jiff::civil::date(2026, 11, 24);
        let rendered = render(&fixtures::everything(), &masthead, date, &fixtures::pictures()).expect("rendered");
        let prepared = prepare(&rendered, &masthead, SENDING).expect("prepared");
        let message = composed(&prepared, &reader);
        assert_well_formed(&message);
        let message = parse(&message);
        prop_assert_eq!(message.parts.len(), 3);
        prop_assert_eq!(message.to().and_then(|to| to.first()).and_then(|to| to.address()), Some("ann@example.com"));
        let html = message.body_html(0).expect("html").into_owned();
        prop_assert!(!html.contains("<script"));
    }
}

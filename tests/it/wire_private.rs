//! Our client, TLS and passwords.

use broadsheet::delivery::reply::Stage;
use broadsheet::smtp::client::{Credentials, Target, Trust, Window, connect};
use broadsheet::values::relay::Tls;

use crate::postbox::{Act, Identity, Postbox, Script};
use crate::wire::{AMPLE, FROM, SHORT, assert_broken_at, is_sent, once, refusal, target};
use crate::wire_carry::Load;

fn tls_target(postbox: &Postbox, tls: Tls, identity: &Identity) -> Target {
    Target {
        host: "localhost".into(),
        tls,
        trust: Trust::with(std::slice::from_ref(&identity.certificate)),
        ..target(postbox)
    }
}

#[tokio::test]
async fn passwords_are_sent_as_plain_or_login() {
    for (offers, commands) in [
        ("AUTH LOGIN PLAIN", &["AUTH PLAIN AGFubgBzZWNyZXQ="][..]),
        ("AUTH LOGIN", &["AUTH LOGIN", "YW5u", "c2VjcmV0"]),
    ] {
        let postbox = Postbox::start(Script::new().offering(&[offers])).await;
        let credentials = Credentials { username: "ann".into(), password: "secret".into() };
        assert!(!format!("{credentials:?}").contains("secret"));
        let target = Target { credentials: Some(credentials), ..target(&postbox) };
        assert!(is_sent(&once(&target).await.0));
        assert_eq!(&postbox.log().commands[1..=commands.len()], commands);
    }
}

#[tokio::test]
async fn a_wrong_password_or_no_way_to_say_it_is_ours() {
    let credentials = Some(Credentials { username: "ann".into(), password: "wrong".into() });
    let no = Act::say("535 5.7.8 Not accepted");
    let postbox = Postbox::start(Script::new().offering(&["AUTH PLAIN"]).on("AUTH", no)).await;
    let (handover, _) = once(&Target { credentials: credentials.clone(), ..target(&postbox) }).await;
    assert_eq!((refusal(&handover).stage, refusal(&handover).code), (Stage::Auth, 535));

    let postbox = Postbox::start(Script::new()).await;
    let (handover, _) = once(&Target { credentials, ..target(&postbox) }).await;
    assert_broken_at(Stage::Auth, &handover, "AUTH");
    assert_eq!(postbox.log().commands.len(), 1);
}

#[tokio::test]
async fn starttls_and_implicit_tls_carry_messages() {
    let identity = Identity::of("localhost");
    let script = Script::new()
        .offering(&["PIPELINING", "STARTTLS"])
        .offering_in_tls(&["AUTH PLAIN"])
        .identity(&identity)
        .on("CONNECT", Act::say("220 ready"));
    let postbox = Postbox::start(script).await;
    let mut starttls = tls_target(&postbox, Tls::StartTls, &identity);
    starttls.credentials = Some(Credentials { username: "ann".into(), password: "secret".into() });
    assert!(is_sent(&once(&starttls).await.0));
    let log = postbox.log();
    assert_eq!(log.commands[..3], ["EHLO news.example", "STARTTLS", "EHLO news.example"]);
    assert!(log.groups.iter().any(|group| group == "DATA\r\n"), "what was offered in plain text is forgotten");

    let postbox = Postbox::start(Script::new().tls_at_once(&identity)).await;
    let connection = connect(&tls_target(&postbox, Tls::Implicit, &identity)).await;
    let big = b"0123456789abcdef\r\n".repeat(20_000);
    let connection = connection.unwrap_or_else(|answer| panic!("{answer:?}"));
    let (handover, clean) = connection.send(FROM, "ann@example.com", &big, || true).await;
    assert!(is_sent(&handover) && clean.is_some());
    assert_eq!(postbox.mails()[0].bytes, big);
}

#[tokio::test]
async fn several_messages_on_the_wire_go_through_tls_as_they_are() {
    let identity = Identity::of("localhost");
    for (offers, window) in [(&["PIPELINING", "CHUNKING"][..], 3), (&["PIPELINING"], 2), (&["PIPELINING"], 1)] {
        let postbox = Postbox::start(Script::new().offering(offers).tls_at_once(&identity)).await;
        let target = Target { window: Window::Fixed(window), ..tls_target(&postbox, Tls::Implicit, &identity) };
        let connection = connect(&target).await.unwrap_or_else(|answer| panic!("{answer:?}"));
        let mut load = Load::of(5).big();
        assert!(connection.carry(&mut load).await.is_some());
        assert!(load.ended.values().all(is_sent), "{offers:?}");
        let dots = b".23456789abcdef\r\n".repeat(10_000);
        let mails = postbox.mails();
        assert_eq!(mails.len(), 5);
        assert!(mails.iter().all(|mail| mail.bytes.ends_with(&dots)), "{offers:?}");
    }
}

#[tokio::test]
async fn a_relay_that_cannot_prove_who_it_is_gets_nothing() {
    let (ours, other) = (Identity::of("localhost"), Identity::of("mx.elsewhere.example"));
    for (shown, trusted, why) in [(&other, &other, "another host"), (&ours, &other, "unknown authority")] {
        for tls in [Tls::StartTls, Tls::Implicit] {
            let script = Script::new().offering(&["STARTTLS"]);
            let script = if tls == Tls::Implicit { script.tls_at_once(shown) } else { script.identity(shown) };
            let postbox = Postbox::start(script).await;
            let (handover, _) = once(&tls_target(&postbox, tls, trusted)).await;
            assert_broken_at(Stage::StartTls, &handover, why);
            assert!(!postbox.log().commands.iter().any(|line| line.starts_with("MAIL")));
        }
    }
}

#[tokio::test]
async fn no_starttls_no_mail() {
    let identity = Identity::of("localhost");
    let refused = Act::say("454 4.7.0 TLS not available");
    let injected = Act::Raw(b"220 go ahead\r\n250 2.0.0 an attacker's words\r\n".to_vec());
    for (script, why) in [
        (Script::new(), "not offered"),
        (Script::new().offering(&["STARTTLS"]).on("STARTTLS", Act::Hang), "never answered"),
        (Script::new().offering(&["STARTTLS"]).on("STARTTLS", injected).identity(&identity), "plain text injected"),
    ] {
        let postbox = Postbox::start(script).await;
        let mut target = tls_target(&postbox, Tls::StartTls, &identity);
        target.timeouts.command = AMPLE / 40;
        assert_broken_at(Stage::StartTls, &once(&target).await.0, why);
        assert!(!postbox.log().commands.iter().any(|line| line.starts_with("MAIL")));
    }
    let postbox = Postbox::start(Script::new().offering(&["STARTTLS"]).on("STARTTLS", refused)).await;
    let (handover, _) = once(&tls_target(&postbox, Tls::StartTls, &identity)).await;
    assert_eq!((refusal(&handover).stage, refusal(&handover).code), (Stage::StartTls, 454));
}

#[tokio::test]
async fn a_handshake_that_never_ends_ends_in_time() {
    let identity = Identity::of("localhost");
    // It greets in plain text, which is no handshake, and then waits.
    let postbox = Postbox::start(Script::new().on("CONNECT", Act::Hang)).await;
    let mut target = tls_target(&postbox, Tls::Implicit, &identity);
    target.timeouts.tls = SHORT;
    assert_broken_at(Stage::StartTls, &once(&target).await.0, "mid-TLS");
}

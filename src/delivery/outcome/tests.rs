use std::collections::BTreeSet;

use super::table::TABLE;
use super::{Class, Fault, Outcome, asked_wait_ms, classify, rule_for};
use crate::delivery::reply::{Answer, Reply, Stage};
use Stage::{AfterDot, Auth, Data, Ehlo, Greeting, MailFrom, RcptTo, StartTls};

fn reply(stage: Stage, line: &str) -> Reply {
    let (code, rest) = line.split_once(' ').expect("a line has a code");
    let (first, after) = rest.split_once(' ').unwrap_or((rest, ""));
    let is_enhanced = first.len() >= 5 && first.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let (enhanced, text) = if is_enhanced { (Some(first.to_owned()), after) } else { (None, rest) };
    Reply { stage, code: code.parse().expect("a code is a number"), enhanced, text: text.to_owned() }
}

/// In a word: what the table concludes.
fn word(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Sent => "sent".into(),
        Outcome::Retry { class, not_before_ms, .. } => {
            let wait = not_before_ms.map_or(String::new(), |ms| format!(" {}s", ms / 1_000));
            format!("retry {}{wait}", class.as_str())
        }
        Outcome::Failed { class, hard: true, .. } => format!("hard {}", class.as_str()),
        Outcome::Failed { class, .. } => format!("soft {}", class.as_str()),
        Outcome::InDoubt { .. } => "in doubt".into(),
        Outcome::Ours { fault, .. } => format!("ours {}", fault.as_str()),
    }
}

/// Every row of the table has at least one line here: (row, stage, reply, conclusion).
#[rustfmt::skip]
const LINES: &[(&str, Stage, &str, &str)] = &[
    ("greeting-later", Greeting, "421 4.3.2 Too busy", "ours busy"),
    ("greeting-no", Greeting, "554 mx.example not accepting connections", "ours refused"),
    ("tls-first", MailFrom, "530 5.7.29 TLS required", "ours tls"),
    ("tls-first-text", MailFrom, "530 5.7.0 Must issue a STARTTLS command first", "ours tls"),
    ("hello-later", Ehlo, "451 4.3.0 Later", "ours busy"),
    ("hello", Ehlo, "501 5.5.4 HELO/EHLO argument invalid", "ours hello"),
    ("starttls", StartTls, "454 4.7.0 TLS not available", "ours tls"),
    ("auth", Auth, "535 5.7.8 Username and password not accepted", "ours auth"),
    ("auth", Auth, "454 4.7.0 Too many login attempts", "ours auth"),
    ("mail-auth-wanted", MailFrom, "530 5.7.0 Authentication required", "ours auth"),
    ("mail-too-big", MailFrom, "552 5.3.4 Message exceeds the limit", "soft too-big"),
    ("mail-too-big-text", MailFrom, "552 Message size exceeds fixed limit", "soft too-big"),
    ("mail-blocked", MailFrom, "550 5.7.1 Service unavailable, listed at Spamhaus", "ours refused"),
    ("mail-yahoo-permanent", MailFrom, "553 5.7.2 [TSS09] All messages from 192.0.2.1 will be permanently deferred", "ours refused"),
    ("mail-later", MailFrom, "421 4.7.0 [TSS04] Messages temporarily deferred", "ours busy"),
    ("mail", MailFrom, "553 5.1.8 Sender address does not exist", "ours sender"),
    ("relay-denied", RcptTo, "554 5.7.1 <ann@example.com>: Relay access denied", "ours relaying"),
    ("relay-denied", RcptTo, "550 5.7.1 Unable to relay", "ours relaying"),
    ("auth-wanted", RcptTo, "530 5.7.1 Client was not authenticated", "ours relaying"),
    ("not-authenticated", AfterDot, "550 5.7.26 This mail has been blocked because the sender is unauthenticated", "ours sender"),
    ("not-authenticated", AfterDot, "421 4.7.32 From header not aligned", "ours sender"),
    ("not-authenticated", AfterDot, "421 5.7.32 code and enhanced code disagree", "ours sender"),
    ("not-authenticated", AfterDot, "550 5.7.515 Access denied, sending domain does not meet the required authentication level", "ours sender"),
    ("not-authenticated-yahoo", AfterDot, "550 5.7.9 This mail has been blocked because the sender is unauthenticated", "ours sender"),
    ("yahoo-permanent", AfterDot, "553 5.7.2 [TSS11] permanently deferred; Retrying will NOT succeed", "soft blocked"),
    ("gmail-rate", RcptTo, "421 4.7.28 Gmail has detected an unusual rate of mail", "retry throttled 600s"),
    ("yahoo-rate", AfterDot, "421 4.7.0 [TSS04] Messages temporarily deferred due to user complaints", "retry throttled 7200s"),
    ("outlook-rate", AfterDot, "451 4.7.650 The mail server has been temporarily rate limited (RP-001)", "retry throttled 900s"),
    ("apple-rate", RcptTo, "450 4.7.1 [HCM1] Later, excessive volume", "retry throttled 900s"),
    ("china-rate", AfterDot, "550 Mail content denied: frequency limited", "retry throttled 3600s"),
    ("too-many-connections", RcptTo, "421 4.7.0 Too many connections from your host", "retry throttled"),
    ("relay-rate", AfterDot, "454 Throttling failure: Maximum sending rate exceeded.", "retry throttled"),
    ("reader-rate", RcptTo, "550 5.2.1 The user is receiving mail too quickly", "retry recipient-throttled 3600s"),
    ("reader-rate", RcptTo, "450 4.2.1 receiving mail at a rate that prevents delivery", "retry recipient-throttled 3600s"),
    ("too-many-recipients", RcptTo, "552 5.5.3 Too many", "retry too-many-recipients"),
    ("too-many-recipients-text", RcptTo, "452 Too many recipients", "retry too-many-recipients"),
    ("no-mailbox-at-text", AfterDot, "552 1 Requested mail action aborted, mailbox not found", "hard unknown-user"),
    ("disabled-text", AfterDot, "554 30 Sorry, your message cannot be delivered. This mailbox is disabled (554.30).", "hard disabled"),
    ("full", RcptTo, "452 4.2.2 The recipient's inbox is out of storage space", "retry mailbox-full 3600s"),
    ("full", RcptTo, "552 5.2.2 Mailbox full", "soft mailbox-full"),
    ("full-text", RcptTo, "550 over quota", "soft mailbox-full"),
    ("unknown-text", RcptTo, "550 No such user here", "hard unknown-user"),
    ("null-mx", RcptTo, "550 5.1.10 Domain has null MX", "hard no-mail"),
    ("null-mx-code", RcptTo, "556 takes nothing", "hard no-mail"),
    ("null-mx-owner", RcptTo, "550 5.7.18 Domain owner has changed", "hard bad-domain"),
    ("unknown", RcptTo, "550 5.1.1 Address rejected", "hard unknown-user"),
    ("unknown", RcptTo, "450 4.1.1 unverified address", "retry unknown-user"),
    ("unknown", AfterDot, "550 5.1.1 No", "hard unknown-user"),
    ("bad-domain", RcptTo, "550 5.1.2 Bad destination", "hard bad-domain"),
    ("bad-domain", RcptTo, "450 4.1.2 Recipient address rejected: Domain not found", "retry bad-domain"),
    ("bad-domain-text", RcptTo, "550 Host unknown", "hard bad-domain"),
    ("bad-syntax", RcptTo, "501 5.1.3 Bad recipient address syntax", "hard bad-syntax"),
    ("moved", RcptTo, "550 5.1.6 Address no longer valid", "hard moved"),
    ("moved-code", RcptTo, "551 User not local; please try elsewhere", "hard moved"),
    ("disabled", RcptTo, "550 5.2.1 Inactive", "hard disabled"),
    ("disabled-code", RcptTo, "525 closed", "hard disabled"),
    ("access-denied", RcptTo, "550 5.4.1 Recipient address rejected: Access denied. AS(201806281)", "soft access-denied"),
    ("greylist", RcptTo, "450 4.2.0 <ann@example.com>: Greylisted", "retry greylisted 300s"),
    ("greylist", RcptTo, "451 Greylisted, try again in 300 seconds", "retry greylisted 310s"),
    ("greylist-enhanced", RcptTo, "451 4.7.1 Please wait", "retry greylisted 300s"),
    ("unsupported", RcptTo, "553 5.6.7 needs SMTPUTF8", "soft unsupported"),
    ("too-big", Data, "552 5.3.4 Not sent: the message has 9 bytes, the relay takes 8", "soft too-big"),
    ("too-big-text", AfterDot, "552 Message too large", "soft too-big"),
    ("attachment", AfterDot, "552 5.7.0 Its content presents a potential security issue", "soft spam"),
    ("malformed", AfterDot, "554 5.6.0 Invalid content", "soft malformed"),
    ("malformed-text", AfterDot, "550 5.7.1 not RFC 5322 compliant", "soft malformed"),
    ("spam", AfterDot, "550 5.7.1 Message is likely unsolicited mail", "soft spam"),
    ("spam", AfterDot, "421 4.7.0 This message is suspicious", "retry spam 3600s"),
    ("blocked-text", RcptTo, "554 Your IP has a poor reputation", "soft blocked"),
    ("blocked", AfterDot, "550 5.7.1 Policy", "soft blocked"),
    ("protocol", Data, "503 5.5.1 Bad sequence of commands", "retry protocol"),
    ("routing", RcptTo, "550 5.4.4 Unable to route", "soft bad-domain"),
    ("other-4xx", RcptTo, "451 4.3.0 Mail server temporarily rejected message", "retry transient"),
    ("other-4xx", AfterDot, "498 a code of nobody's", "retry transient"),
    ("other-4xx", AfterDot, "451 4.4.2 Come again after 2 minutes", "retry transient 130s"),
    ("other-5xx", AfterDot, "585 a code of nobody's", "soft unclassified"),
    ("other-5xx", RcptTo, "550 No", "soft unclassified"),
];

#[test]
fn every_line_ends_at_its_row_and_conclusion() {
    for (row, stage, line, conclusion) in LINES {
        let reply = reply(*stage, line);
        assert_eq!(rule_for(&reply).name, *row, "{line}");
        assert_eq!(word(&classify(&Answer::Reply(reply))), *conclusion, "{line}");
    }
}

#[test]
fn every_row_has_a_line_and_a_name_of_its_own() {
    let rows: BTreeSet<&str> = TABLE.iter().map(|rule| rule.name).collect();
    let tested: BTreeSet<&str> = LINES.iter().map(|line| line.0).collect();
    assert_eq!(rows.len(), TABLE.len());
    assert_eq!(rows, tested);
}

#[test]
fn no_reader_is_blamed_for_anything_up_to_mail_from() {
    for stage in [Stage::Connect, Greeting, Ehlo, StartTls, Auth, MailFrom] {
        for code in 400..600 {
            let reply = Reply { stage, code, enhanced: Some("5.1.1".into()), text: "user unknown".into() };
            assert!(matches!(classify(&Answer::Reply(reply)), Outcome::Ours { .. }), "{stage:?} {code}");
        }
        let broken = Answer::Broken { stage, why: "closed".into() };
        assert!(matches!(classify(&broken), Outcome::Ours { .. }), "{stage:?}");
    }
}

#[test]
fn a_temporary_code_never_finishes_a_row() {
    for (_, stage, line, _) in LINES.iter().filter(|line| line.1 >= RcptTo) {
        let temporary = Reply { code: 450, ..reply(*stage, line) };
        let outcome = classify(&Answer::Reply(temporary));
        let spared = ["[TSS11]", "5.6.7"].iter().any(|said| line.contains(said));
        assert!(spared || !matches!(outcome, Outcome::Failed { .. }), "{line}: {outcome:?}");
    }
}

#[test]
fn only_two_hundred_after_the_dot_is_sent() {
    let said = |stage, code| Answer::Reply(Reply { stage, code, enhanced: None, text: "ok".into() });
    assert_eq!(classify(&said(AfterDot, 250)), Outcome::Sent);
    assert_ne!(classify(&said(RcptTo, 250)), Outcome::Sent);
    let unclear = Answer::Unclear { why: "closed after the dot".into() };
    assert_eq!(classify(&unclear), Outcome::InDoubt { why: "closed after the dot".into() });
    let before = Answer::Broken { stage: Data, why: "closed".into() };
    assert!(matches!(classify(&before), Outcome::Retry { class: Class::Transient, .. }));
}

#[test]
fn the_wait_that_a_reply_asks_for_is_kept_and_bounded() {
    assert_eq!(asked_wait_ms("Retry after 90 seconds, please"), Some(100_000));
    assert_eq!(asked_wait_ms("in 5 minutes"), Some(310_000));
    assert_eq!(asked_wait_ms("in 99999999999999999 minutes"), Some(24 * 3_600_000));
    assert_eq!(asked_wait_ms("in a few minutes"), None);
    assert_eq!(asked_wait_ms("minutes"), None);
}

#[test]
fn the_words_for_people_are_sentences() {
    for class in TABLE.iter().filter_map(|rule| match rule.then {
        super::Then::Hard(c) | super::Then::Soft(c) | super::Then::ByCode(c, _) | super::Then::Later(c, _) => Some(c),
        super::Then::Ours(_) => None,
    }) {
        assert!(class.explain().ends_with('.') && !class.as_str().contains(' '));
    }
    assert!(Fault::Tls.explain().ends_with('.'));
}

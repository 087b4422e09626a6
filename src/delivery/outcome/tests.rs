use std::collections::BTreeSet;

use super::fixture::{answer, said};
use super::{Blame, Class, Fault, Outcome, Pace, Speaker, Table, asked_wait_ms, classify};
use crate::delivery::reply::{Answer, Reply, Stage};
use Stage::{AfterDot, Data, Ehlo, Greeting, MailFrom, RcptTo, StartTls};

const RELAY: Speaker<'_> = Speaker::Relay;

#[test]
fn every_rule_has_a_line_and_every_line_ends_at_its_rule() {
    let table = Table::built_in();
    let wrong = table.wrong_fixtures(table.rules.iter());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for rule in &table.rules {
        assert!(!rule.tested.is_empty(), "rule “{}” has no line", rule.name);
    }
    assert_eq!(table.gaps(), Vec::<String>::new());
}

#[test]
fn no_reader_is_blamed_for_anything_up_to_mail_from() {
    for stage in [Stage::Connect, Greeting, Ehlo, StartTls, Stage::Auth, MailFrom] {
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
    for line in Table::built_in().rules.iter().flat_map(|rule| &rule.tested) {
        let Ok(Answer::Reply(reply)) = answer(line.split(" => ").next().expect("has a first part")) else { continue };
        let outcome = classify(&Answer::Reply(Reply { code: 450, ..reply }));
        let spared = ["[TSS11]", "5.6.7"].iter().any(|said| line.contains(said));
        assert!(spared || !matches!(outcome, Outcome::Failed { .. }), "{line}: {outcome:?}");
    }
}

#[test]
fn only_two_hundred_after_the_dot_is_sent() {
    let said = |stage, code| Answer::Reply(Reply { stage, code, enhanced: None, text: "ok".into() });
    assert_eq!(classify(&said(AfterDot, 250)), Outcome::Sent);
    assert_ne!(classify(&said(RcptTo, 250)), Outcome::Sent);
    for code in [199, 354, 600, 999] {
        assert!(matches!(classify(&said(AfterDot, code)), Outcome::InDoubt { .. }), "{code}");
    }
    let unclear = Answer::Unclear { why: "closed after the dot".into() };
    assert_eq!(classify(&unclear), Outcome::InDoubt { why: "closed after the dot".into() });
    let before = Answer::Broken { stage: Data, why: "closed".into() };
    assert!(matches!(classify(&before), Outcome::Retry { class: Class::Transient, .. }));
}

#[test]
fn the_wait_that_a_reply_asks_for_is_kept_and_bounded() {
    assert_eq!(asked_wait_ms("retry after 90 seconds, please"), Some(100_000));
    assert_eq!(asked_wait_ms("in 5 minutes"), Some(310_000));
    assert_eq!(asked_wait_ms("in 2 hours"), Some(7_210_000));
    assert_eq!(asked_wait_ms("in 99999999999999999 minutes"), Some(24 * 3_600_000));
    assert_eq!(asked_wait_ms("in a few minutes"), None);
    assert_eq!(asked_wait_ms("minutes"), None);
}

#[test]
fn a_providers_rule_is_not_anothers() {
    let reply = answer("after-dot 550 5.7.9 Rejected").expect("is an answer");
    let table = Table::built_in();
    assert_eq!(table.conclude(&reply, Speaker::Site(Some("yahoo"))).rule, Some("not-authenticated-yahoo"));
    assert_ne!(table.conclude(&reply, Speaker::Site(Some("google"))).rule, Some("not-authenticated-yahoo"));
    assert_eq!(table.conclude(&reply, RELAY).rule, Some("not-authenticated-yahoo"));
}

#[test]
fn what_is_everybodys_at_the_relay_is_one_readers_at_their_own_server() {
    let at = |speaker, line: &str| said(&Table::built_in().explain(line, speaker).expect("is an answer"));
    for (line, relay, site) in [
        ("after-dot 552 5.3.4 too big", "stop-issue too-big", "soft too-big"),
        ("after-dot 554 5.6.0 bad", "stop-issue malformed", "soft malformed"),
        ("rcpt-to 554 5.7.1 Relay access denied", "retry relay-denied 900s", "soft relay-denied"),
    ] {
        assert_eq!((at(RELAY, line).as_str(), at(Speaker::Site(None), line).as_str()), (relay, site), "{line}");
    }
}

#[test]
fn the_words_for_people_are_sentences_and_the_words_for_files_are_words() {
    let mut words = BTreeSet::new();
    let all = (Class::ALL.iter().map(|it| ("class", it.as_str(), it.explain())))
        .chain(Fault::ALL.iter().map(|it| ("fault", it.as_str(), it.explain())))
        .chain(Blame::ALL.iter().map(|it| ("blame", it.as_str(), it.explain())))
        .chain(Pace::ALL.iter().map(|it| ("pace", it.as_str(), it.explain())));
    for (kind, word, sentence) in all {
        assert!(sentence.ends_with('.') && !word.contains(' ') && words.insert((kind, word)), "{word}: {sentence}");
    }
}

const OWN: &str = r#"
without = ["attachment"]
[[rule]]
name = "our-gateway"
stage = "rcpt-to"
code = [5]
text = ["Quarantined By Gateway"]
then = "retry"
class = "throttled"
blame = "relay"
wait_minutes = 45
tested = ["rcpt-to 550 5.1.1 quarantined by gateway 7 => retry throttled 2700s"]

[[rule]]
name = "greylist"
stage = "rcpt-to data"
code = [4]
text = ["greylist"]
then = "retry"
class = "greylisted"
blame = "site"
wait_minutes = 20
"#;

#[test]
fn an_operators_rules_come_first_replace_by_name_and_take_out() {
    let table = Table::with(OWN).expect("is well-formed");
    assert_eq!(table.rules[0].name, "our-gateway");
    assert_eq!(table.rules.len(), Table::built_in().rules.len());
    let found = |line: &str| said(&table.explain(line, RELAY).expect("is an answer"));
    assert_eq!(found("rcpt-to 550 5.1.1 Quarantined by gateway"), "retry throttled 2700s");
    assert_eq!(found("rcpt-to 451 Greylisted"), "retry greylisted 1200s");
    assert_eq!(found("after-dot 552 5.7.0 potential issue"), "soft blocked");
    assert_eq!(found("rcpt-to 550 5.1.1 No such user"), "hard unknown-user");
    assert!(Table::with("").is_ok(), "an empty file changes nothing");
}

#[test]
fn a_table_that_would_break_a_promise_or_its_own_lines_is_refused_whole() {
    let rule = |body: &str| format!("[[rule]]\nname = \"mine\"\nblame = \"reader\"\n{body}");
    for (file, problem) in [
        (rule("stage = \"mail-from\"\nthen = \"hard\"\nclass = \"moved\""), "nothing is a reader's fault"),
        (rule("stage = \"rcpt-to\"\nthen = \"hard\""), "needs a class"),
        (rule("stage = \"rcpt-to\"\nthen = \"rest\"\nfault = \"sender\""), "does not go with this"),
        (rule("stage = \"rcpt\"\nthen = \"hard\"\nclass = \"moved\""), "“rcpt” is no stage"),
        (rule("stage = \"\"\nthen = \"hard\"\nclass = \"moved\""), "stage is empty"),
        (rule("stage = \"rcpt-to\"\nthen = \"hard\"\nclass = \"moved\"\nwait_minutes = -1"), "wait_minutes is from"),
        (rule("stage = \"rcpt-to\"\nthen = \"hard\"\nclass = \"moved\"\nhard_after = 0"), "hard_after is from"),
        (rule("stage = \"rcpt-to\"\nthen = \"hard\"\nclass = \"moved\"\ncolour = 1"), "unknown field"),
        (rule("stage = \"rcpt-to\"\nthen = \"fly\"\nclass = \"moved\""), "unknown variant"),
        (
            rule(
                "stage = \"rcpt-to\"\nthen = \"hard\"\nclass = \"moved\"\ncode = [599]\ntested = [\"rcpt-to 550 No => hard moved\"]",
            ),
            "ends at rule “other-5xx”",
        ),
        (
            rule(
                "stage = \"rcpt-to\"\nthen = \"hard\"\nclass = \"moved\"\ncode = [599]\ntested = [\"rcpt-to 599 No => soft moved\"]",
            ),
            "is “hard moved”, not “soft moved”",
        ),
        ("without = [\"nothing-like-it\"]".into(), "there is no rule “nothing-like-it”"),
        ("without = [\"other-5xx\"]".into(), "no rule is left for"),
        ("without = [".into(), "TOML"),
    ] {
        let said = Table::with(&file).err().map(|bad| bad.to_string()).unwrap_or_default();
        assert!(said.contains(problem), "{file}\nsaid: {said}");
    }
}

//! What comes back, read: `tests/reports/*.eml` against `tests/reports/expected.jsonl`, whole and broken, one by one
//! and as an mbox. The mails are our own, shaped like those of the servers they are named after.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use broadsheet::audience::report::{self, Found, Kind};
use proptest::prelude::{ProptestConfig, any, proptest};
use serde_json::Value;

use crate::cli::{Folder, run};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reports")
}

/// Every mail's name with what it means: for each recipient the fields that are certain.
fn expected() -> BTreeMap<String, Vec<Value>> {
    let lines = std::fs::read_to_string(folder().join("expected.jsonl")).expect("the list");
    let line = |line: &str| {
        let line: Value = serde_json::from_str(line).expect("a line of JSON");
        (line["file"].as_str().expect("a name").to_owned(), line["found"].as_array().expect("what it means").clone())
    };
    lines.lines().map(line).collect()
}

fn mails() -> Vec<(String, Vec<u8>)> {
    expected().into_keys().map(|name| (name.clone(), std::fs::read(folder().join(&name)).expect("a mail"))).collect()
}

fn agrees(found: &Found, expected: &Value) -> bool {
    let found = serde_json::to_value(found).expect("plain data");
    expected.as_object().expect("an object").iter().all(|(field, value)| found[field] == *value)
}

#[test]
fn every_mail_means_what_it_is_written_to_mean() {
    let mut wrong = Vec::new();
    for (name, expected) in expected() {
        let found = report::read(&std::fs::read(folder().join(&name)).expect("a mail"));
        let agree = found.len() == expected.len() && found.iter().zip(&expected).all(|(found, it)| agrees(found, it));
        if !agree {
            wrong.push(format!("{name}\n  wanted {expected:?}\n  found  {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_mail_is_listed_and_there_are_enough_of_them() {
    let listed = expected();
    assert!(listed.len() >= 150, "{} are too few", listed.len());
    for entry in std::fs::read_dir(folder()).expect("the folder") {
        let name = entry.expect("an entry").file_name().to_string_lossy().into_owned();
        assert!(name == "expected.jsonl" || listed.contains_key(&name), "{name} is not listed");
    }
}

/// A report that is only delayed, or whose reply says "later", never costs a reader the subscription.
#[test]
fn nothing_soft_is_ever_hard() {
    for (name, mail) in mails() {
        for found in report::read(&mail) {
            let later = found.kind != Kind::Bounce || found.reply.is_some_and(|reply| reply < 500);
            assert!(!(found.hard && (later || !found.class.may_be_hard())), "{name}: {found:?}");
        }
    }
}

/// The same mail with the line ends of every system means the same.
#[test]
fn line_ends_do_not_matter() {
    for (name, mail) in mails() {
        let unix: Vec<u8> = mail.iter().copied().filter(|byte| *byte != b'\r').collect();
        let dos: Vec<u8> =
            unix.iter().flat_map(|byte| if *byte == b'\n' { vec![b'\r', b'\n'] } else { vec![*byte] }).collect();
        let mac: Vec<u8> = unix.iter().map(|byte| if *byte == b'\n' { b'\r' } else { *byte }).collect();
        assert_eq!(report::read(&unix), report::read(&dos), "{name}");
        assert_eq!(report::read(&unix), report::read(&mac), "{name}");
    }
}

#[test]
fn the_command_reads_files_and_an_mbox_and_prints_one_object_a_line() {
    let place = Folder::new();
    let mut mbox = Vec::new();
    for (_, mail) in mails() {
        mbox.extend_from_slice(b"From - Tue Mar  3 08:00:00 2026\n");
        for line in String::from_utf8_lossy(&mail).replace('\r', "").split_inclusive('\n') {
            let quote = if line.trim_start_matches('>').starts_with("From ") { ">" } else { "" };
            mbox.extend_from_slice(format!("{quote}{line}").as_bytes());
        }
        mbox.extend_from_slice(b"\n\n");
    }
    let path = place.path().join("all.mbox");
    std::fs::write(&path, &mbox).expect("a file");
    let ran = run(&place, &["report", "read", "--json", &path.to_string_lossy()]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let lines: Vec<Value> = ran.out.lines().map(|line| serde_json::from_str(line).expect("an object")).collect();
    assert!(lines.len() >= mails().len(), "{} objects", lines.len());
    for field in ["file", "kind", "recipient", "status", "reply", "class", "hard", "text"] {
        assert!(lines[0].get(field).is_some(), "{field} is missing");
    }

    let one = folder().join("postfix-unknown.eml");
    let ran = run(&place, &["report", "read", &one.to_string_lossy(), "no-such-file"]);
    assert_eq!(ran.code, 1);
    assert!(ran.out.contains("bounce, hard: reader@site.example, unknown-user (550 5.1.1)"), "{ran:?}");
    assert!(ran.err.contains("no-such-file cannot be read"), "{ran:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// Mails with bytes changed, pieces missing and pieces doubled are read without an end of the process.
    #[test]
    fn broken_mails_are_read_all_the_same(
        which in any::<usize>(),
        changes in proptest::collection::vec((any::<usize>(), any::<u8>()), 0..30),
        cut in any::<(usize, usize, bool)>(),
    ) {
        let names: Vec<String> = expected().into_keys().collect();
        let mut mail = std::fs::read(folder().join(&names[which % names.len()])).expect("a mail");
        for (at, byte) in changes {
            let at = at % mail.len();
            mail[at] = byte;
        }
        let (one, other) = (cut.0 % mail.len(), cut.1 % mail.len());
        let piece: Vec<u8> = mail[one.min(other)..one.max(other)].to_vec();
        if cut.2 {
            mail.extend_from_slice(&piece);
        } else {
            mail.drain(one.min(other)..one.max(other));
        }
        proptest::prop_assert!(!report::read(&mail).is_empty());
    }

    #[test]
    fn any_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..4_000)) {
        proptest::prop_assert!(!report::read(&bytes).is_empty());
    }
}

/// A mail that is all boundaries, all parts within parts, or one long line ends soon.
#[test]
fn bombs_are_defused() {
    let parts = "--b\n\nx@site.example\n".repeat(40_000);
    let many = format!(
        "From: MAILER-DAEMON@mx.example\nSubject: Undelivered\nContent-Type: multipart/report; boundary=b\n\n{parts}"
    );
    let mut deep = String::from("Subject: Undelivered\n");
    for level in 0..2_000 {
        deep.push_str(&format!("Content-Type: multipart/mixed; boundary=b{level}\n\n--b{level}\n"));
    }
    let long = format!("From: MAILER-DAEMON@mx.example\nSubject: Undelivered\n\n{}", "a@b.example,".repeat(80_000));
    let messages = "Content-Type: message/rfc822\n\n".repeat(30_000);
    for mail in [
        many,
        deep,
        long,
        messages,
        "@".repeat(1_000_000),
        "=?".repeat(500_000),
        format!("Subject: {}", "=?utf-8?q?x?=".repeat(70_000)),
    ] {
        let begin = std::time::Instant::now();
        let found = report::read(mail.as_bytes());
        assert!(!found.is_empty() && found.len() <= 1_000);
        assert!(begin.elapsed().as_secs() < 10, "{} bytes took {:?}", mail.len(), begin.elapsed());
    }
}

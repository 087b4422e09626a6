//! The shell script of the README, command by command, with the real binary and a relay at the other end.

use std::time::{Duration, Instant};

use crate::cli::{Folder, Serving, create_newsletter, ok, run};
use crate::postbox::{Postbox, Script};

const ISSUE: &str = "---\nsubject: \"🌊 Low tide at the quay\"\npreheader: What the tide left behind\nnumber: 31\n---\n\
    Good morning. This week the tide went out further than it has in years.\n\n\
    ## 🦀 Crabs on the slipway\n\n\
    The harbour master counted four hundred of them before breakfast, and then stopped counting.\n\n\
    Source: [The Harbour Log](https://harbour.example/log)\n\n\
    ---\n\nTell us what you saw.\n";

fn status_until_sent(folder: &Folder, id: &str) -> serde_json::Value {
    let began = Instant::now();
    loop {
        let status = ok(folder, &["issue", "status", id, "--json"]).json();
        if status["state"] == "sent" {
            return status;
        }
        assert!(began.elapsed() < Duration::from_secs(30), "{status}");
    }
}

fn draft(folder: &Folder) -> String {
    let csv = folder.write("readers.csv", "email,name\nann@reader.example,Ann\nbob@reader.example,Bob\n");
    let file = folder.write("issue.md", ISSUE);
    let consent = "signed up at the spring fair";
    let (csv, file) = (csv.to_string_lossy(), file.to_string_lossy());
    ok(folder, &["subscriber", "import", &csv, "--newsletter", "tidewater", "--consent", consent, "--yes"]);
    let added = ok(folder, &["issue", "add", &file, "--newsletter", "tidewater", "--json"]).json();
    added["id"].as_str().expect("an id").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shell_script_does_the_whole_thing() {
    let (folder, postbox) = (Folder::new(), Postbox::start(Script::new()).await);
    create_newsletter(&folder, &format!("smtp://127.0.0.1:{}", postbox.port()));
    let id = draft(&folder);
    let sent = ok(&folder, &["issue", "send", &id, "--hold", "0s", "--yes"]);
    assert!(sent.out.contains("2 readers") && sent.out.contains("serve"), "{sent:?}");
    let _serving = Serving::start(&folder);
    let status = status_until_sent(&folder, &id);
    for (key, count) in [
        ("audience", 2),
        ("sent", 2),
        ("pending", 0),
        ("claimed", 0),
        ("inflight", 0),
        ("failed", 0),
        ("skipped", 0),
        ("in_doubt", 0),
    ] {
        assert_eq!(status[key], count, "{key}: {status}");
    }
    let mails = postbox.wait_for(2).await;
    assert_eq!(mails.len(), 2);
    let rows = ok(&folder, &["issue", "deliveries", &id, "--csv"]).out;
    assert!(rows.starts_with("address,state,attempts,reply,"), "{rows}");
    assert!(rows.contains("ann@reader.example,sent,1,250"), "{rows}");
    let again = ok(&folder, &["issue", "send", &id, "--hold", "0s", "--yes"]);
    assert!(again.out.contains("already"), "{again:?}");
    let story = ok(&folder, &["subscriber", "find", "ann@reader.example"]).out;
    assert!(story.contains("Low tide") && story.contains("250"), "{story}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_beside_a_running_serve() {
    let (folder, postbox) = (Folder::new(), Postbox::start(Script::new()).await);
    let _serving = Serving::start(&folder);
    create_newsletter(&folder, &format!("smtp://127.0.0.1:{}", postbox.port()));
    let id = draft(&folder);
    let waited = ok(&folder, &["issue", "send", &id, "--hold", "0s", "--yes", "--wait"]);
    assert_eq!(waited.code, 0);
    assert_eq!(postbox.wait_for(2).await.len(), 2);
}

#[test]
fn a_time_that_cannot_be_is_refused_and_one_that_can_is_said_with_its_zone() {
    let folder = Folder::new();
    create_newsletter(&folder, "smtp://127.0.0.1:2525");
    let id = draft(&folder);
    let schedule = |at: &str, zone: &str| run(&folder, &["issue", "schedule", &id, "--at", at, "--zone", zone]);
    for (at, zone, word) in [
        ("2020-11-29 09:00", "Europe/Lisbon", "in the past"),
        ("2026-13-29 09:00", "Europe/Lisbon", "no such day"),
        ("soon", "Europe/Lisbon", "2026-11-29 09:00"),
        ("2099-11-29 09:00", "Europe/Lisbon", "more than two years"),
    ] {
        let ran = schedule(at, zone);
        assert_eq!(ran.code, 2, "{ran:?}");
        assert!(ran.err.contains(word), "{word}: {}", ran.err);
    }
    assert!(schedule("2026-11-29 09:00", "Europe/Lisboa").err.contains("did you mean Europe/Lisbon"));
    let tomorrow = schedule("tomorrow 09:00", "America/Vancouver");
    assert_eq!(tomorrow.code, 0, "{tomorrow:?}");
    assert!(tomorrow.out.contains("09:00 America/Vancouver (UTC"), "{tomorrow:?}");
    assert!(ok(&folder, &["issue", "list"]).out.contains("scheduled"));
    ok(&folder, &["issue", "unschedule", &id]);
    let slot = run(&folder, &["issue", "schedule", &id, "--next-slot"]);
    assert_eq!(slot.code, 5, "{slot:?}");
    ok(&folder, &["newsletter", "set", "tidewater", "--slot", "weekly SUN 09:00"]);
    assert!(ok(&folder, &["issue", "schedule", &id, "--next-slot"]).out.contains("Sun "));
}

#[test]
fn an_issue_that_is_not_finished_is_checked_rendered_and_not_sent() {
    let folder = Folder::new();
    create_newsletter(&folder, "smtp://127.0.0.1:2525");
    let file = folder.write("issue.md", "---\npreheader: x\n---\nTK\n");
    let file = file.to_string_lossy();
    let checked = run(&folder, &["issue", "check", &file, "--json"]);
    assert_eq!(checked.code, 5, "{checked:?}");
    assert_eq!(checked.json()["blocked"], true);
    let out = folder.path().join("out");
    ok(&folder, &["issue", "render", &file, "--out", &out.to_string_lossy()]);
    for name in ["issue.html", "issue.txt", "issue.eml"] {
        assert!(out.join(name).is_file(), "{name}");
    }
    let added = ok(&folder, &["issue", "add", &file, "--newsletter", "tidewater", "--json"]).json();
    let sent = run(&folder, &["issue", "send", added["id"].as_str().expect("an id"), "--hold", "0s", "--yes"]);
    assert_eq!(sent.code, 5, "{sent:?}");
    let started = folder.path().join("new.md");
    ok(&folder, &["issue", "new", &started.to_string_lossy()]);
    assert_eq!(run(&folder, &["issue", "new", &started.to_string_lossy()]).code, 5);
}

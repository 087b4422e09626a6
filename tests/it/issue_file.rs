//! An issue as a file, with no database and no configuration behind it.

#![allow(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

use std::path::{Path, PathBuf};

use broadsheet::cli::issue_file::{self, listing::listing};
use broadsheet::issue::finding::blocked;
use broadsheet::values::clock::Clock;
use broadsheet::values::ids::EventId;

use crate::app::NOW;

fn folder() -> PathBuf {
    let folder = std::env::temp_dir().join(format!("broadsheet_file_{}", EventId::new(NOW)));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

#[test]
fn a_file_is_rendered_to_a_page_a_text_a_message_and_its_pictures() {
    let (out, clock) = (folder(), Clock::fixed(NOW));
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("demo/31.md");
    let judged = issue_file::judge(&file, &clock).unwrap();
    assert_eq!(judged.findings, []);
    let written = issue_file::write(&judged, &out, &clock).unwrap();
    assert!(!written.is_blocked && written.html_bytes < 45 * 1024, "{}", written.html_bytes);
    assert_eq!(written.files.len(), 9);
    let html = std::fs::read_to_string(out.join("issue.html")).unwrap();
    for (_, picture) in &judged.pictures {
        assert!(html.contains(&format!("src=\"pictures/{}\"", picture.name)));
        assert!(out.join("pictures").join(&picture.name).exists());
    }
    let message = std::fs::read(out.join("issue.eml")).unwrap();
    assert!(message.is_ascii() && message.split(|byte| *byte == b'\n').all(|line| line.len() <= 999));
    assert!(String::from_utf8(message).unwrap().contains("List-Unsubscribe: <https://news.example/"));
    assert!(std::fs::read_to_string(out.join("issue.txt")).unwrap().contains("Good morning, reader,"));
    std::fs::remove_dir_all(&out).unwrap();
}

#[test]
fn every_sample_is_rendered_whatever_is_wrong_with_it() {
    let (out, clock) = (folder(), Clock::fixed(NOW));
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/issues");
    for entry in std::fs::read_dir(samples).unwrap() {
        let file = entry.unwrap().path();
        if file.extension().is_some_and(|end| end == "md") {
            let judged = issue_file::judge(&file, &clock).unwrap();
            issue_file::write(&judged, &out, &clock).unwrap();
        }
    }
    std::fs::remove_dir_all(&out).unwrap();
}

#[test]
fn a_new_issue_passes_its_own_checks_and_is_never_overwritten() {
    let (out, clock) = (folder(), Clock::fixed(NOW));
    let file = out.join("issue.md");
    issue_file::new(&file).unwrap();
    let judged = issue_file::judge(&file, &clock).unwrap();
    assert!(!blocked(&judged.findings), "{:?}", judged.findings);
    assert!(issue_file::new(&file).unwrap_err().to_string().contains("nothing was written"));
    std::fs::remove_dir_all(&out).unwrap();
}

#[test]
fn findings_are_listed_as_a_compiler_lists_them() {
    let (out, clock) = (folder(), Clock::fixed(NOW));
    let file = out.join("issue.md");
    std::fs::write(&file, "---\nsubject: Ships\n---\n\nÄ ship: ![A ship](Ship.png \"Credit: Ann\") TK\n").unwrap();
    std::fs::write(out.join("ship.png"), b"<svg xmlns=\"x\"/>").unwrap();
    let judged = issue_file::judge(&file, &clock).unwrap();
    let listed = listing(Path::new("issue.md"), &judged.source, &judged.findings, false);
    assert!(listed.contains("issue.md:5:9: error[bad-picture]: the picture Ship.png can't be used"), "{listed}");
    assert!(listed.contains("did you mean ship.png?"), "{listed}");
    assert!(listed.contains(&format!("\n    | {}^\n", " ".repeat(42))), "{listed}");
    assert!(listed.ends_with("it can't be sent like this\n"), "{listed}");
    std::fs::remove_dir_all(&out).unwrap();
}

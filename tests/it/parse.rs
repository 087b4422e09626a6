//! Issues as people write them: what is read, what is found, what the text twin says.
//! `UPDATE=1` rewrites the golden files beside the issues.

#![allow(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use broadsheet::issue::check::{About, check};
use broadsheet::issue::finding::in_order;
use broadsheet::issue::newsletter::Masthead;
use broadsheet::issue::parse::parse;
use broadsheet::issue::rendered::{Piece, Reader, Template};
use broadsheet::issue::text::text;

fn masthead() -> Masthead {
    Masthead {
        name: "The Tidewater Brief".into(),
        slug: "tidewater".into(),
        tagline: "Harbours, ships and coasts, every Tuesday".into(),
        language: "en".into(),
        zone: "Europe/Lisbon".into(),
        from_name: "Ines".into(),
        from_address: "brief@tidewater.example".into(),
        reply_to: None,
        postal_address: "Quay House, 4 Customs Lane, Port Ellery PE1 2TW".into(),
        accent: "#A5301F".into(),
        accent_dark: "#F2937C".into(),
        logo: None,
        list_id: "tidewater.tidewater.example".into(),
        public_url: "https://tidewater.example".into(),
    }
}

fn reader() -> Reader {
    Reader {
        name: String::new(),
        email: "reader@example.net".into(),
        web_copy: "https://tidewater.example/r/k1.7QfT2mVbX0aR/web".into(),
        unsubscribe: "https://tidewater.example/r/k1.7QfT2mVbX0aR/leave".into(),
        preferences: "https://tidewater.example/r/k1.7QfT2mVbX0aR/preferences".into(),
        pause: "https://tidewater.example/r/k1.7QfT2mVbX0aR/pause".into(),
    }
}

fn filled(template: &Template) -> String {
    let reader = reader();
    let pieces = template.pieces.iter().map(|piece| match piece {
        Piece::Fixed(text) => text.as_str(),
        Piece::Slot(field) => reader.value(field),
    });
    pieces.collect()
}

/// The files of a folder that end like this, in order.
fn files(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|end| end == "md") && !path.ends_with("README.md"));
    files.sort();
    files
}

fn golden(path: &Path, now: &str) {
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(path, now).unwrap();
    }
    let before = std::fs::read_to_string(path).unwrap_or_default();
    assert!(before == now, "{} differs; run with UPDATE=1 and look at the difference", path.display());
}

#[test]
fn every_sample_has_the_text_twin_and_the_findings_that_were_looked_at() {
    let date = jiff::civil::date(2026, 11, 24);
    for path in files("tests/issues") {
        let source = std::fs::read_to_string(&path).unwrap();
        let parsed = parse(&source);
        golden(&path.with_extension("txt"), &filled(&text(&parsed.issue, &masthead(), date)));
        let mut found = String::new();
        let about = About { source: &source, postal_address: "Quay House", language: "en", ..About::default() };
        let mut findings = parsed.findings;
        findings.extend(check(&parsed.issue, &about));
        for finding in &in_order(findings) {
            let at = finding.at;
            writeln!(found, "{}:{} {} {}: {}", at.line, at.column, finding.severity, finding.code, finding.what)
                .unwrap();
            writeln!(found, "    {}", finding.instead).unwrap();
        }
        golden(&path.with_extension("findings"), &found);
    }
}

#[test]
fn issue_31_reads_as_it_was_set_by_hand() {
    let source = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("demo/31.md")).unwrap();
    let parsed = parse(&source);
    assert_eq!(parsed.findings, []);
    let twin = filled(&text(&parsed.issue, &masthead(), jiff::civil::date(2026, 11, 24)));
    golden(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/issues/tidewater-31.twin"), &twin);
}

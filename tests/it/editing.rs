//! An issue is added, saved and rendered.

use std::path::Path;

use broadsheet::verbs::editing::{self, Save, rendering};

use crate::app::TestApp;

fn demo() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("demo")
}

#[tokio::test]
async fn an_issue_is_added_with_its_pictures_and_shows_one_hash_everywhere() {
    let app = TestApp::new().await;
    let newsletter = app.newsletter("smtp://127.0.0.1:2525").await;
    let source = std::fs::read_to_string(demo().join("31.md")).unwrap();
    let added = editing::add_issue(&app, newsletter, &source, Some(&demo())).await.unwrap();
    assert_eq!((added.number, added.slug.as_str()), (Some(31), "the-harbour-that-learned-to-wait"));
    assert_eq!(added.findings, []);
    assert_eq!(added.pictures.len(), 6);
    let ready = rendering::by_id(&app, added.id).await.unwrap().unwrap();
    let preview = rendering::preview(&app, added.id, &source).await.unwrap().unwrap();
    let sending = rendering::for_sending(&app, added.id).await.unwrap().unwrap();
    assert_eq!(ready.rendered.hash, preview.rendered.hash);
    assert_eq!(ready.rendered, sending.rendered);
    assert!(rendering::octets(&ready.rendered.html) < 45 * 1024);
    assert!(added.pictures.iter().all(|name| ready.rendered.web.contains(&format!("/m/{name}"))));

    let again = editing::add_issue(&app, newsletter, &source, None).await.unwrap();
    assert_eq!(again.slug, "the-harbour-that-learned-to-wait-2");
    assert!(again.findings.iter().all(|finding| finding.code == "missing-picture"));
    assert_eq!(again.findings.len(), 6);
    let next = editing::add_issue(&app, newsletter, "---\nsubject: Next\n---\nText\n", None).await.unwrap();
    assert_eq!(next.number, Some(32));
}

#[tokio::test]
async fn who_saves_second_is_told_and_nothing_is_overwritten() {
    let app = TestApp::new().await;
    let newsletter = app.newsletter("smtp://127.0.0.1:2525").await;
    let added = editing::add_issue(&app, newsletter, "---\nsubject: One\n---\n", None).await.unwrap();
    let first = editing::save(&app, added.id, "---\nsubject: Two\n---\n", 1).await.unwrap();
    assert!(matches!(first, Save::Kept { revision: 2, .. }));
    let second = editing::save(&app, added.id, "---\nsubject: Three\n---\n", 1).await.unwrap();
    let Save::Conflict(theirs) = second else { panic!("kept") };
    assert_eq!((theirs.subject.as_str(), theirs.slug.as_str()), ("Two", "two"));
    let refused = editing::save(&app, added.id, "a\0b", 2).await.unwrap_err();
    assert!(refused.to_string().contains("NUL"), "{refused}");
}

#[tokio::test]
async fn a_picture_handed_in_stands_under_its_file_name() {
    let app = TestApp::new().await;
    let newsletter = app.newsletter("smtp://127.0.0.1:2525").await;
    let source = "---\nsubject: One\n---\n\n## S\n\n![A chart](chart.png)\n";
    let added = editing::add_issue(&app, newsletter, source, None).await.unwrap();
    let bytes = std::fs::read(demo().join("pictures/chart.png")).unwrap();
    let kept = editing::add_picture(&app, added.id, "C:\\pictures\\chart.png", bytes).await.unwrap();
    assert_eq!(kept.reference, "chart.png");
    let ready = rendering::by_id(&app, added.id).await.unwrap().unwrap();
    assert!(!ready.is_blocked(), "{:?}", ready.findings);
    let refused = editing::add_picture(&app, added.id, "x.png", b"<svg/>".to_vec()).await.unwrap_err();
    assert!(refused.to_string().contains("SVG"), "{refused}");
}

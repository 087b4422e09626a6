//! Lists of readers in and out, one by one and by the thousand, and what is kept of each of them.

use std::time::Instant;

use broadsheet::audience::import::Report;
use broadsheet::audience::status::Status;
use broadsheet::store;
use broadsheet::store::suppression::Reason;
use broadsheet::values::address::Address;
use broadsheet::values::clock::Millis;
use broadsheet::values::ids::{NewsletterId, SubscriberId};
use broadsheet::verbs::membership::{
    Added, Import, NewReader, Refused, add_reader, export, find, history, import, lift_suppression, suppress,
    unsubscribe_by_editor,
};
use futures_util::StreamExt as _;

use crate::app::{TestApp, engines};

const RELAY: &str = "smtp://127.0.0.1:2525";

async fn bring(app: &TestApp, newsletter: NewsletterId, file: &str, dry_run: bool) -> Report {
    let what = Import {
        newsletter,
        consent: "signed up at the spring fair".into(),
        source: "readers.csv".into(),
        account: None,
        dry_run,
    };
    let file = std::io::Cursor::new(file.as_bytes().to_vec());
    let report = import(app, what, file).await.expect("the store works").expect("a list of readers");
    assert!(report.adds_up(), "{report:?}");
    report
}

async fn by_hand(app: &TestApp, newsletter: NewsletterId, address: &str) -> Added {
    let new = NewReader {
        newsletter,
        address: Address::parse(address).expect("an address"),
        name: "Ann".into(),
        consent: "asked by phone".into(),
        by: "a test".into(),
        account: None,
    };
    add_reader(app, new).await.expect("the store works")
}

async fn exported(app: &TestApp, newsletter: NewsletterId, status: Option<Status>) -> String {
    let parts: Vec<_> = export(app, newsletter, status).collect().await;
    parts.into_iter().map(|part| part.expect("the store works")).collect()
}

#[tokio::test]
async fn an_import_puts_every_line_in_one_class_and_again_changes_nothing() {
    for engine in engines() {
        let app = TestApp::on(engine).await;
        let newsletter = app.newsletter(RELAY).await;
        let Added::Active(left) = by_hand(&app, newsletter, "left@x.org").await else { panic!("is new") };
        unsubscribe_by_editor(&app, newsletter, left, None).await.expect("works");
        by_hand(&app, newsletter, "here@x.org").await;
        suppress(&app, &Address::parse("never@x.org").expect("an address"), "a test", None).await.expect("works");
        let file = "email,name\nann@x.org,Ann\nBO@x.org,Bo\nleft@x.org,L\nhere@x.org,H\nnever@x.org,N\nnot an address,X\n\
                    bo@X.org,Bo again\nabuse@x.org,\n\"open@x.org,never closed\n";
        let dry = bring(&app, newsletter, file, true).await;
        let counts = |r: &Report| (r.new, r.already_active, r.left_before, r.suppressed, r.bad, r.duplicate, r.roles);
        assert_eq!(counts(&dry), (3, 1, 1, 1, 2, 1, 1));
        let mut tx = app.store.read().await.expect("reads");
        let ann = Address::parse("ann@x.org").expect("an address");
        assert!(store::subscriber::by_address(&mut tx, &ann).await.expect("reads").is_none(), "a dry run is dry");
        drop(tx);
        let wet = bring(&app, newsletter, file, false).await;
        assert_eq!(counts(&wet), counts(&dry));
        let lines: Vec<usize> = wet.problems.iter().map(|problem| problem.line).collect();
        assert!([7, 8, 10, 4, 6].iter().all(|line| lines.contains(line)), "{:?}", wet.problems);
        let again = bring(&app, newsletter, file, false).await;
        assert_eq!(counts(&again), (0, 4, 1, 1, 2, 1, 0));
        let mut tx = app.store.read().await.expect("reads");
        let row = store::subscriber::by_address(&mut tx, &ann).await.expect("reads").expect("is kept");
        let subscription = store::subscription::by_ids(&mut tx, newsletter, row.id).await.expect("reads");
        let subscription = subscription.expect("is subscribed");
        assert_eq!(
            (subscription.status, subscription.consent_text.as_str()),
            (Status::Active, "signed up at the spring fair")
        );
        let events = store::event::by_subscriber(&mut tx, row.id, 9).await.expect("reads");
        assert_eq!(events.len(), 1, "the second import is no event");
    }
}

#[tokio::test]
async fn an_import_without_consent_or_without_addresses_takes_nothing() {
    let app = TestApp::new().await;
    let newsletter = app.newsletter(RELAY).await;
    let what = |consent: &str| Import {
        newsletter,
        consent: consent.into(),
        source: "a".into(),
        account: None,
        dry_run: false,
    };
    let said = import(&app, what(" "), &b"email\na@x.org\n"[..]).await.expect("the store works");
    assert!(matches!(said, Err(Refused::NoConsent)));
    for file in [&b""[..], b"city\nOslo\n", b"PK\x03\x04", &vec![b','; 10_000]] {
        let said = import(&app, what("yes"), std::io::Cursor::new(file.to_vec())).await.expect("the store works");
        assert!(matches!(said, Err(Refused::File(_))));
    }
    assert_eq!(exported(&app, newsletter, None).await.lines().count(), 1);
}

#[tokio::test]
async fn what_was_exported_can_be_imported_and_holds_no_formula() {
    let app = TestApp::new().await;
    let newsletter = app.newsletter(RELAY).await;
    bring(&app, newsletter, "email,name\n+plus@x.org,=HYPERLINK(\"http://evil\")\nbo@x.org,\"Lee, Bo\"\n", false).await;
    let csv = exported(&app, newsletter, Some(Status::Active)).await;
    assert!(csv.contains("'+plus@x.org,\"'=HYPERLINK") || csv.contains("'+plus@x.org,'=HYPERLINK"), "{csv}");
    assert!(csv.contains("\"Lee, Bo\"") && csv.starts_with("email,name,status,"));
    let again = bring(&app, newsletter, &csv, true).await;
    assert_eq!((again.already_active, again.lines), (2, 2));
    assert_eq!(exported(&app, newsletter, Some(Status::Unsubscribed)).await.lines().count(), 1);
}

#[tokio::test]
async fn who_left_comes_back_neither_by_hand_nor_by_list() {
    let app = TestApp::new().await;
    let newsletter = app.newsletter(RELAY).await;
    let Added::Active(ann) = by_hand(&app, newsletter, "ann@x.org").await else { panic!("is new") };
    assert_eq!(by_hand(&app, newsletter, "ANN@x.org").await, Added::AlreadyActive(ann));
    assert!(unsubscribe_by_editor(&app, newsletter, ann, None).await.expect("works"));
    assert!(!unsubscribe_by_editor(&app, newsletter, ann, None).await.expect("works"), "twice is as once");
    assert_eq!(by_hand(&app, newsletter, "ann@x.org").await, Added::LeftBefore(ann));
    let bo = Address::parse("bo@x.org").expect("an address");
    assert!(suppress(&app, &bo, "a test", None).await.expect("works"));
    assert_eq!(by_hand(&app, newsletter, "bo@x.org").await, Added::Suppressed);
    assert!(lift_suppression(&app, &bo, "a test", None).await.expect("works"));
    assert!(matches!(by_hand(&app, newsletter, "bo@x.org").await, Added::Active(_)));
}

#[tokio::test]
async fn everything_about_one_person_is_in_one_line_of_time() {
    for engine in engines() {
        let app = TestApp::on(engine).await;
        let newsletter = app.newsletter(RELAY).await;
        let Added::Active(ann) = by_hand(&app, newsletter, "ann_100%@x.org").await else { panic!("is new") };
        by_hand(&app, newsletter, "bo@x.org").await;
        let issue = app.draft(newsletter).await;
        app.publish(issue, 0).await.expect("can be published");
        app.clock.advance(Millis::MINUTE);
        unsubscribe_by_editor(&app, newsletter, ann, None).await.expect("works");
        assert_eq!(find(&app, "_100%").await.expect("works").len(), 1, "letters mean themselves");
        assert_eq!(find(&app, "X.ORG").await.expect("works").len(), 2);
        let told = history(&app, ann).await.expect("works").expect("is known");
        let kinds: Vec<&str> = told.entries.iter().map(|entry| entry.kind.as_str()).collect();
        assert_eq!(kinds[0], "subscription.left");
        assert!(kinds.contains(&"delivery.pending") && kinds.contains(&"subscription.added"), "{kinds:?}");
        assert_eq!(told.subscriptions[0].0, "The Tidewater Brief");
        assert!(history(&app, SubscriberId(1)).await.expect("works").is_none());
    }
}

#[tokio::test]
async fn places_for_letters_come_back_one_by_one() {
    for engine in engines() {
        let app = TestApp::on(engine).await;
        let mut tx = app.store.write().await.expect("writes");
        for taken in [true, true, true, false] {
            let got = store::allowance::slot(&mut tx, "b", 3, Millis::DAY).await.expect("works");
            assert_eq!(got, taken);
        }
        for used in 1..4 {
            assert_eq!(store::allowance::count(&mut tx, "c", Millis::HOUR).await.expect("works"), used);
        }
        tx.commit().await.expect("commits");
        app.clock.advance(Millis::DAY);
        let mut tx = app.store.write().await.expect("writes");
        assert!(store::allowance::slot(&mut tx, "b", 3, Millis::DAY).await.expect("works"));
        assert_eq!(store::allowance::count(&mut tx, "c", Millis::HOUR).await.expect("works"), 1);
        assert_eq!(store::allowance::sweep(&mut tx, Millis::DAY - 1).await.expect("works"), 2);
        let listed = store::suppression::insert(&mut tx, "a@x.org", Reason::Bounce, "test").await.expect("works");
        assert!(listed && !store::suppression::insert(&mut tx, "a@x.org", Reason::Manual, "t").await.expect("works"));
        assert_eq!(store::suppression::list(&mut tx, 9).await.expect("works")[0].reason, "bounce");
        let newest = store::subscription::before(&mut tx, NewsletterId(1), None, "", None, 5).await.expect("works");
        assert!(
            newest.is_empty() && store::subscription::counts(&mut tx, NewsletterId(1)).await.expect("works").is_empty()
        );
    }
}

/// A measure, not a check: `cargo test --release -- --ignored import_speed --nocapture`.
#[tokio::test]
#[ignore = "measures"]
async fn import_speed() {
    for engine in engines() {
        let app = TestApp::on(engine).await;
        let newsletter = app.newsletter(RELAY).await;
        let mut file = String::from("email,name\n");
        (0..200_000).for_each(|n| file.push_str(&format!("reader{n}@readers.example,Reader {n}\n")));
        for what in ["new", "again"] {
            let began = Instant::now();
            let report = bring(&app, newsletter, &file, false).await;
            let rate = report.lines as f64 / began.elapsed().as_secs_f64();
            println!("{engine:?} {what}: {} lines, {rate:.0} a second", report.lines);
        }
    }
}

//! Staying and leaving, from outside: mails read at the postbox, links fetched, buttons pressed.

use broadsheet::audience::status::Status;
use broadsheet::store;
use broadsheet::values::clock::Millis;
use broadsheet::values::ids::{IssueId, NewsletterId, SubscriberId};
use broadsheet::values::token::Purpose;
use broadsheet::verbs::membership;
use broadsheet::verbs::newsletters::{self, Wanted};
use reqwest::StatusCode;

use crate::app::{TestApp, engines};
use crate::public::{Site, text};

/// A second newsletter of the same house, to which the same person is subscribed.
async fn second(site: &Site, reader: SubscriberId) -> NewsletterId {
    let wanted = Wanted {
        name: "The Upland Post".into(),
        slug: "upland".into(),
        from: "Ines <post@tidewater.example>".into(),
        postal_address: "Quay House, Port Ellery".into(),
        zone: "Europe/Lisbon".into(),
        relay: Some(format!("smtp://127.0.0.1:{}", site.postbox.port()).parse().expect("a relay")),
        ..Wanted::default()
    };
    let id = newsletters::create(&site.app, wanted).await.expect("can be made").id;
    let mut tx = site.app.store.write().await.expect("writes");
    let consent = store::subscription::Consent { text: "yes".into(), source: "test".into(), ip: String::new() };
    store::subscription::begin(&mut tx, id, reader, Status::Active, &consent).await.expect("begun");
    tx.commit().await.expect("commits");
    id
}

async fn status_in(site: &Site, newsletter: NewsletterId, reader: SubscriberId) -> Status {
    let mut tx = site.app.store.read().await.expect("reads");
    store::subscription::by_ids(&mut tx, newsletter, reader).await.expect("reads").expect("is there").status
}

fn in_issue(site: &Site, reader: SubscriberId, issue: IssueId, page: &str) -> String {
    format!("/r/{}/{page}", site.app.keys.seal(Purpose::Reader, [site.newsletter.0, reader.0, issue.0]))
}

#[tokio::test]
async fn everything_can_be_left_at_once_and_taken_back_at_once() {
    for engine in engines() {
        let site = Site::of(TestApp::on(engine).await).await;
        let ann = site.active("ann@readers.example").await;
        let doors = text(site.get(&site.link(ann, "leave")).await).await;
        assert!(!doors.contains("/leave-all"), "one newsletter needs one door: {doors}");
        let upland = second(&site, ann).await;
        let doors = text(site.get(&site.link(ann, "leave")).await).await;
        assert!(doors.contains("/leave-all"), "{doors}");
        let left = text(site.post(&site.link(ann, "leave-all"), "").await).await;
        assert!(left.contains("You have left all our newsletters") && left.contains("/undo"), "{left}");
        assert_eq!(
            (site.status(ann).await, status_in(&site, upland, ann).await),
            (Status::Unsubscribed, Status::Unsubscribed)
        );
        assert!(site.app.departed.contains(site.newsletter, ann) && site.app.departed.contains(upland, ann));
        let back = text(site.post(&site.link(ann, "undo"), "").await).await;
        assert!(back.contains("everything you had"), "{back}");
        assert_eq!((site.status(ann).await, status_in(&site, upland, ann).await), (Status::Active, Status::Active));
        // One newsletter only, by one-click: the other goes on.
        site.post(&site.link(ann, "unsubscribe"), "List-Unsubscribe=One-Click").await;
        assert_eq!(
            (site.status(ann).await, status_in(&site, upland, ann).await),
            (Status::Unsubscribed, Status::Active)
        );
        // What was left before stays left when all of the rest is taken back.
        site.app.clock.advance(Millis::MINUTE);
        site.post(&site.link(ann, "leave-all"), "").await;
        site.post(&site.link(ann, "undo"), "").await;
        assert_eq!(
            (site.status(ann).await, status_in(&site, upland, ann).await),
            (Status::Active, Status::Unsubscribed)
        );
    }
}

#[tokio::test]
async fn what_became_of_it_is_counted_by_issue_way_and_reason() {
    for engine in engines() {
        let site = Site::of(TestApp::on(engine).await).await;
        let issue = site.app.draft(site.newsletter).await;
        let mut readers = Vec::new();
        for name in ["ann", "bo", "cy", "di"] {
            readers.push(site.active(&format!("{name}@readers.example")).await);
        }
        site.app.publish(issue, 0).await.expect("can be published");
        let link = |reader: usize, page: &str| in_issue(&site, readers[reader], issue, page);
        site.post(&link(0, "leave"), "").await;
        site.post(&link(0, "reason"), "reason=often&words=Too+many+%3Cb%3E").await;
        site.post(&link(1, "unsubscribe"), "List-Unsubscribe=One-Click").await;
        site.post(&link(2, "leave"), "").await;
        site.post(&link(2, "undo"), "").await;
        let found = membership::departures(&site.app, issue).await.expect("counts");
        assert_eq!((found.left, found.undone), (2, 1), "{engine:?}");
        let ways: Vec<(&str, i64)> = found.ways.iter().map(|(way, many)| (way.as_str(), *many)).collect();
        assert_eq!(ways, [("one_click", 1), ("page", 1)]);
        assert_eq!(found.reasons, [(membership::LeaveReason::Often, 1)]);
        assert_eq!(found.words, ["Too many <b>"]);
        assert!(site.events(readers[0]).await.iter().all(|kind| kind != "subscription.reason"));
    }
}

#[tokio::test]
async fn a_link_of_a_deleted_issue_goes_on_working() {
    let site = Site::new().await;
    let ann = site.active("ann@readers.example").await;
    site.app.clock.advance(400 * Millis::DAY);
    let gone = in_issue(&site, ann, IssueId(77), "unsubscribe");
    assert_eq!(site.post(&gone, "List-Unsubscribe=One-Click").await.status(), StatusCode::OK);
    assert_eq!(site.status(ann).await, Status::Unsubscribed);
}

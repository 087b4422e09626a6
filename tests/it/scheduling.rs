//! Slots and times as the days go by: a clock that the test moves, and schedulers that race.

use broadsheet::schedule::wall;
use broadsheet::store::event;
use broadsheet::store::slot::{self, Slot, SlotState};
use broadsheet::values::clock::Millis;
use broadsheet::values::ids::{IssueId, NewsletterId};
use broadsheet::verbs::accounts::{self, NewAccount, Role};
use broadsheet::verbs::app::App;
use broadsheet::verbs::{deliver, newsletters, publish, scheduling};

use crate::app::{NOW, TestApp, engines};
use crate::postbox::{Postbox, Script};

/// A newsletter with a weekly slot on Sunday 09:00, set on a Sunday at 09:00: the first slot is a week ahead.
async fn weekly(house: &TestApp) -> NewsletterId {
    weekly_by(house, "smtp://127.0.0.1:2525").await
}

async fn weekly_by(house: &TestApp, relay: &str) -> NewsletterId {
    let id = house.newsletter(relay).await;
    house.readers(id, 3).await;
    let mut tx = house.store.read().await.expect("reads");
    let mut kept = newsletters::find(&mut tx, "tidewater").await.expect("is there");
    drop(tx);
    kept.slot = Some("weekly sunday at 9:00".into());
    let kept = newsletters::save(house, kept).await.expect("is saved");
    assert_eq!(kept.slot.as_deref(), Some("weekly SUN 09:00"));
    id
}

async fn slots(house: &TestApp, id: NewsletterId) -> Vec<Slot> {
    let mut tx = house.store.read().await.expect("reads");
    let mut slots = slot::recent(&mut tx, id, 100).await.expect("reads");
    slots.reverse();
    slots
}

async fn happened(house: &TestApp, issue: IssueId, kind: &str) -> usize {
    let mut tx = house.store.read().await.expect("reads");
    let events = event::by_issue(&mut tx, issue, 100).await.expect("reads");
    events.iter().filter(|event| event.kind == kind).count()
}

async fn told(house: &TestApp, id: NewsletterId) -> Vec<(String, String)> {
    let mut tx = house.store.read().await.expect("reads");
    slot::told(&mut tx, id, Millis(0)).await.expect("reads").into_iter().collect()
}

fn another(house: &TestApp) -> App {
    App::new(house.config.clone(), house.store.clone(), house.clock.clone(), house.keys.clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn any_number_of_schedulers_fire_a_slot_once() {
    for engine in engines() {
        let house = TestApp::on(engine).await;
        let id = weekly(&house).await;
        let issue = house.draft(id).await;
        publish::mark_ready(&house, issue).await.expect("is marked");
        house.clock.advance(7 * Millis::DAY);
        let racing: Vec<_> = (0..4)
            .map(|_| {
                let app = another(&house);
                tokio::spawn(async move { scheduling::tick(&app).await })
            })
            .collect();
        for scheduler in racing {
            scheduler.await.expect("ends").expect("is no fault");
        }
        let decided = slots(&house, id).await;
        assert_eq!(decided.len(), 1, "{engine:?}");
        assert_eq!((decided[0].state, decided[0].issue_id), (SlotState::Fired, Some(issue)));
        assert_eq!((decided[0].wall.as_str(), decided[0].due_at), ("2026-12-06T09:00", NOW.plus(7 * Millis::DAY).0));
        assert_eq!(happened(&house, issue, "slot.fired").await, 1, "{engine:?}");
        assert!(happened(&house, issue, "issue.published").await <= 1, "{engine:?}");
    }
}

#[tokio::test]
async fn an_editor_with_nothing_ready_is_told_twice_and_the_slot_is_missed() {
    for engine in engines() {
        let house = TestApp::on(engine).await;
        let id = weekly(&house).await;
        let wall = || "2026-12-06T09:00".to_owned();
        for (hours, notices) in [(6 * 24 - 1, vec![]), (1, vec!["24h"]), (5, vec!["24h"]), (17, vec!["24h", "2h"])] {
            house.clock.advance(hours * Millis::HOUR);
            scheduling::tick(&house).await.expect("is no fault");
            scheduling::tick(&house).await.expect("is no fault");
            let mut expected: Vec<_> = notices.iter().map(|kind| (wall(), (*kind).to_owned())).collect();
            expected.sort();
            assert_eq!(told(&house, id).await, expected, "{engine:?}");
        }
        assert_eq!(slots(&house, id).await, []);
        house.clock.advance(2 * Millis::HOUR);
        scheduling::tick(&house).await.expect("is no fault");
        let states: Vec<_> = slots(&house, id).await.iter().map(|slot| slot.state).collect();
        assert_eq!(states, [SlotState::Missed], "{engine:?}");
    }
}

#[tokio::test]
async fn after_weeks_switched_off_nothing_old_goes_out() {
    for engine in engines() {
        let house = TestApp::on(engine).await;
        let id = weekly(&house).await;
        let issue = house.draft(id).await;
        publish::mark_ready(&house, issue).await.expect("is marked");
        house.clock.advance(21 * Millis::DAY + 7 * Millis::HOUR);
        scheduling::tick(&house).await.expect("is no fault");
        let decided: Vec<_> = slots(&house, id).await.iter().map(|slot| (slot.wall.clone(), slot.state)).collect();
        let expected = [
            ("2026-12-06T09:00".to_owned(), SlotState::Missed),
            ("2026-12-13T09:00".to_owned(), SlotState::Missed),
            ("2026-12-20T09:00".to_owned(), SlotState::Held),
        ];
        assert_eq!(decided, expected, "{engine:?}");
        let row = house.issue(issue).await;
        assert_eq!(row.state.as_str(), "held");
        assert!(row.state_reason.contains("7 hours late"), "{}", row.state_reason);
        scheduling::tick(&house).await.expect("is no fault");
        assert_eq!(slots(&house, id).await.len(), 3);
    }
}

#[tokio::test]
async fn a_scheduled_issue_that_is_too_late_is_held() {
    let house = TestApp::new().await;
    let id = weekly(&house).await;
    let issue = house.draft(id).await;
    let moment = wall::parse("2026-11-30 09:00", "Europe/Lisbon", NOW).expect("a time");
    publish::schedule(&house, issue, moment.at, "2026-11-30T09:00", &moment.zone).await.expect("is scheduled");
    scheduling::tick(&house).await.expect("is no fault");
    assert_eq!(house.issue(issue).await.state.as_str(), "scheduled");
    house.clock.advance(Millis::DAY + 6 * Millis::HOUR + 1);
    scheduling::tick(&house).await.expect("is no fault");
    assert_eq!(house.issue(issue).await.state.as_str(), "held");
    assert_eq!(happened(&house, issue, "issue.held").await, 1);
}

#[tokio::test]
async fn a_scheduled_issue_can_be_undone_until_its_time_and_leaves_at_its_time() {
    let house = TestApp::new().await;
    let id = weekly(&house).await;
    let issue = house.draft(id).await;
    let at = NOW.plus(Millis::HOUR);
    publish::schedule(&house, issue, at, "2026-11-29T10:00", "Europe/Lisbon").await.expect("is scheduled");
    house.clock.advance(59 * Millis::MINUTE - 1);
    scheduling::tick(&house).await.expect("is no fault");
    assert_eq!(house.issue(issue).await.state.as_str(), "scheduled");
    house.clock.advance(1);
    scheduling::tick(&house).await.expect("is no fault");
    let row = house.issue(issue).await;
    assert_eq!((row.state.as_str(), row.hold_until, row.audience), ("sending", Some(at.0), 3));
    publish::undo(&house, issue).await.expect("the hold lasts");
    assert_eq!(house.issue(issue).await.state.as_str(), "draft");
}

#[tokio::test]
async fn an_editor_gets_a_letter_for_an_empty_slot() {
    for engine in engines() {
        let (house, postbox) = (TestApp::on(engine).await, Postbox::start(Script::new()).await);
        weekly_by(&house, &format!("smtp://127.0.0.1:{}", postbox.port())).await;
        let new = NewAccount {
            email: "ines@tidewater.example".into(),
            name: "Ines".into(),
            password: "the quay at low tide".into(),
        };
        accounts::create_account(&house, new, Role::Owner).await.expect("is made");
        house.clock.advance(6 * Millis::DAY);
        for _ in 0..2 {
            scheduling::tick(&house).await.expect("is no fault");
        }
        deliver::drain(&house).await.expect("sends");
        let mails = postbox.wait_for(1).await;
        assert_eq!(mails.len(), 1, "{engine:?}");
        assert_eq!(mails[0].rcpt_to, ["ines@tidewater.example"]);
        let text = String::from_utf8_lossy(&mails[0].bytes).into_owned();
        assert!(text.contains("Subject: The Tidewater Brief: no issue is ready"), "{text}");
    }
}

#[tokio::test]
async fn a_slot_that_is_set_anew_counts_from_then() {
    let house = TestApp::new().await;
    let id = weekly(&house).await;
    house.clock.advance(30 * Millis::DAY);
    let mut tx = house.store.read().await.expect("reads");
    let mut kept = newsletters::find(&mut tx, "tidewater").await.expect("is there");
    drop(tx);
    kept.slot = Some("0 18 * * FRI".into());
    newsletters::save(&house, kept).await.expect("is saved");
    scheduling::tick(&house).await.expect("is no fault");
    assert_eq!(slots(&house, id).await, []);
}

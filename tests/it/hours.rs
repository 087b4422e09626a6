//! Each reader's copy at its own hour: frozen by zone, spread, kept out of quiet hours, by a clock that the test moves.

use broadsheet::delivery::state::DeliveryState;
use broadsheet::schedule::hours::plan::{PLACES, place, salt};
use broadsheet::store::delivery::freeze;
use broadsheet::store::{self, Tx};
use broadsheet::values::clock::Millis;
use broadsheet::values::ids::{IssueId, NewsletterId, SubscriberId};
use broadsheet::verbs::hours::{self, Begin};
use broadsheet::verbs::{deliver, editing, membership, newsletters, progress, publish, scheduling};

use crate::app::{NOW, TestApp, engines};
use crate::postbox::{Act, Postbox, Script};

/// Thursday 3 December 2026, 09:00 as every reader's clock shows it; the test's now is a Sunday morning before.
const WALL: &str = "2026-12-03 09:00";

fn at(text: &str) -> Millis {
    Millis::from(text.parse::<jiff::Timestamp>().expect("a timestamp"))
}

/// Readers in Auckland, Tokyo, New York and one who said nothing, of a newsletter in Lisbon with these hours.
async fn house_of(house: &TestApp, relay: &str, text: &str) -> (NewsletterId, Vec<SubscriberId>) {
    let id = house.newsletter(relay).await;
    let readers = house.readers(id, 4).await;
    for (reader, zone) in readers.iter().zip(["Pacific/Auckland", "asia/tokyo", "America/New_York"]) {
        membership::set_zone_by_editor(house, *reader, zone).await.expect("is a zone");
    }
    set(house, text).await;
    (id, readers)
}

async fn set(house: &TestApp, text: &str) {
    let mut kept = paper(house).await;
    kept.hours = text.into();
    newsletters::save(house, kept).await.expect("is saved");
}

async fn paper(house: &TestApp) -> store::newsletter::Newsletter {
    let mut tx = house.store.read().await.expect("reads");
    newsletters::find(&mut tx, "tidewater").await.expect("is there")
}

async fn scheduled(house: &TestApp, newsletter: NewsletterId, text: &str) -> IssueId {
    let issue = house.draft(newsletter).await;
    let paper = paper(house).await;
    let mut tx: Tx = house.store.read().await.expect("reads");
    let hours = hours::of(None, &paper);
    let moment = hours::moment(&mut tx, &paper, &hours, text, &paper.zone).await.expect("lies ahead");
    tx.commit().await.expect("commits");
    let wall = moment.wall.strftime("%Y-%m-%dT%H:%M").to_string();
    publish::schedule(house, issue, moment.at, &wall, &moment.zone).await.expect("is scheduled");
    issue
}

fn advance_to(house: &TestApp, to: Millis) {
    house.clock.advance(to.since(house.clock.now()));
}

async fn tick(house: &TestApp) {
    scheduling::tick(house).await.expect("is no fault");
}

async fn dues(house: &TestApp, issue: IssueId, readers: &[SubscriberId]) -> Vec<String> {
    let mut dues = Vec::new();
    for reader in readers {
        dues.push(Millis(house.delivery(issue, *reader).await.next_at).timestamp().to_string());
    }
    dues
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issue_is_frozen_for_the_first_zone_and_leaves_at_nine_in_each() {
    for engine in engines() {
        let postbox = Postbox::start(Script::new()).await;
        let house = TestApp::on(engine).await;
        let relay = format!("smtp://127.0.0.1:{}", postbox.port());
        let (id, readers) = house_of(&house, &relay, "local 07:00").await;
        let issue = scheduled(&house, id, WALL).await;
        assert_eq!(house.issue(issue).await.scheduled_at, Some(at("2026-12-02T20:00:00Z").0), "{engine:?}");
        advance_to(&house, at("2026-12-02T19:58:00Z"));
        tick(&house).await;
        assert_eq!(house.issue(issue).await.state.as_str(), "scheduled", "{engine:?}");
        advance_to(&house, at("2026-12-02T19:59:58Z"));
        tick(&house).await;
        let due = ["2026-12-02T20:00:00Z", "2026-12-03T00:00:00Z", "2026-12-03T14:00:00Z", "2026-12-03T09:00:00Z"];
        assert_eq!(dues(&house, issue, &readers).await, due, "{engine:?}");
        // Whoever comes in between has missed it; whoever leaves is skipped at their own hour.
        house.readers(id, 5).await;
        membership::unsubscribe_by_editor(&house, id, readers[1], None).await.expect("has left");
        for (when, sent, waiting) in
            [("2026-12-02T20:00:00Z", 1, 3), ("2026-12-03T08:59:59Z", 1, 2), ("2026-12-03T09:00:00Z", 2, 1)]
        {
            advance_to(&house, at(when));
            deliver::drain(&house).await.expect("sends");
            // The rows themselves: what live pages are told may be a moment old.
            let counts = house.counts(issue).await;
            assert_eq!((counts.sent, counts.pending), (sent, waiting), "{engine:?} at {when}");
        }
        advance_to(&house, at("2026-12-03T14:00:00Z"));
        deliver::drain(&house).await.expect("sends");
        let counts = house.counts(issue).await;
        assert_eq!((counts.audience, counts.sent, counts.skipped), (4, 3, 1), "{engine:?}");
        assert_eq!(house.issue(issue).await.state.as_str(), "sent", "{engine:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whose_hour_has_passed_gets_it_at_once_or_is_skipped_and_undo_still_works() {
    for engine in engines() {
        for (passed, tokyo) in [("at-once", DeliveryState::Pending), ("skip", DeliveryState::Skipped)] {
            let house = TestApp::on(engine).await;
            let (id, readers) =
                house_of(&house, "smtp://127.0.0.1:2525", &format!("local 09:30, passed {passed}")).await;
            // It is 09:00 in Lisbon: evening in Auckland and Tokyo, early in New York.
            let issue = house.draft(id).await;
            house.publish(issue, 30_000).await.expect("is published");
            let hold = NOW.plus(30_000);
            let row = house.delivery(issue, readers[1]).await;
            assert_eq!((row.state, row.next_at), (tokyo, hold.0), "{engine:?}");
            if tokyo == DeliveryState::Skipped {
                assert_eq!((row.reason.as_deref(), row.settled_at), (Some("hour_passed"), Some(NOW.0)));
            }
            let due = dues(&house, issue, &readers[2..]).await;
            assert_eq!(due, ["2026-11-29T14:30:00Z", "2026-11-29T09:30:00Z"], "{engine:?}");
            assert_eq!(house.counts(issue).await.audience, 4, "{engine:?}");
            publish::undo(&house, issue).await.expect("can be undone while the hold lasts");
            assert_eq!(house.counts(issue).await.total(), 0, "{engine:?}");
        }
    }
}

#[tokio::test]
async fn a_spread_is_even_in_an_order_of_its_own_and_the_ledgers_sum_is_ours() {
    for engine in engines() {
        let house = TestApp::on(engine).await;
        let id = house.newsletter("smtp://127.0.0.1:2525").await;
        let readers = house.readers(id, 300).await;
        // From 09:00, three hours of which the second is quiet.
        set(&house, "spread 3h, quiet 10:00-11:00").await;
        let issue = house.draft(id).await;
        house.publish(issue, 0).await.expect("is published");
        let (mut hours, mut last, mut in_order) = ([0; 4], Millis(0), 0);
        for reader in &readers {
            let due = Millis(house.delivery(issue, *reader).await.next_at);
            let share = 3 * Millis::HOUR * place(reader.0, salt(issue.0)) / PLACES;
            let quiet = if share < Millis::HOUR { 0 } else { Millis::HOUR };
            assert_eq!(due, NOW.plus(share + quiet), "{engine:?}");
            hours[usize::try_from(due.since(NOW) / Millis::HOUR).expect("is later")] += 1;
            in_order += i32::from(due > last);
            last = due;
        }
        assert_eq!(hours[1], 0, "{engine:?}");
        assert!([hours[0], hours[2], hours[3]].iter().all(|many| (60..=140).contains(many)), "{engine:?}: {hours:?}");
        assert!((30..270).contains(&in_order), "{engine:?}: {in_order} of 300 in the order of joining");
    }
}

#[tokio::test]
async fn quiet_hours_put_off_what_is_sent_at_night() {
    for engine in engines() {
        let house = TestApp::on(engine).await;
        let (id, readers) = house_of(&house, "smtp://127.0.0.1:2525", "quiet 22:00-07:00").await;
        advance_to(&house, at("2026-11-29T23:00:00Z"));
        let issue = house.draft(id).await;
        house.publish(issue, 0).await.expect("is published");
        assert_eq!(dues(&house, issue, &readers).await, ["2026-11-30T07:00:00Z"; 4], "{engine:?}");
        // One issue says that it may.
        let urgent = house.draft(id).await;
        hours::set(&house, urgent, "quiet off".parse().expect("wishes")).await.expect("is set");
        house.publish(urgent, 0).await.expect("is published");
        assert_eq!(dues(&house, urgent, &readers).await, ["2026-11-29T23:00:00Z"; 4], "{engine:?}");
        let refused = hours::set(&house, urgent, "quiet off, spread 1h".parse().expect("wishes")).await;
        assert!(refused.is_err(), "{engine:?}: a published issue keeps its hours");
    }
}

#[tokio::test]
async fn a_slot_is_the_hour_of_each_readers_own_clock() {
    for engine in engines() {
        let house = TestApp::on(engine).await;
        let (id, readers) = house_of(&house, "smtp://127.0.0.1:2525", "local 07:00").await;
        let mut kept = paper(&house).await;
        kept.slot = Some("weekly THU 09:00".into());
        newsletters::save(&house, kept).await.expect("is saved");
        let issue = house.draft(id).await;
        publish::mark_ready(&house, issue).await.expect("is ready");
        advance_to(&house, at("2026-12-02T19:59:59Z"));
        tick(&house).await;
        assert_eq!(house.issue(issue).await.state.as_str(), "ready", "{engine:?}");
        advance_to(&house, at("2026-12-02T20:00:02Z"));
        tick(&house).await;
        tick(&house).await;
        let due = ["2026-12-02T20:00:02Z", "2026-12-03T00:00:00Z", "2026-12-03T14:00:00Z", "2026-12-03T09:00:00Z"];
        assert_eq!(dues(&house, issue, &readers).await, due, "{engine:?}");
        // The next one is a week later, once.
        let next = house.draft(id).await;
        publish::mark_ready(&house, next).await.expect("is ready");
        advance_to(&house, at("2026-12-03T10:00:00Z"));
        tick(&house).await;
        assert_eq!(house.issue(next).await.state.as_str(), "ready", "{engine:?}");
        advance_to(&house, at("2026-12-09T20:00:00Z"));
        tick(&house).await;
        assert_eq!(house.issue(next).await.state.as_str(), "sending", "{engine:?}");
    }
}

#[tokio::test]
async fn the_time_follows_the_first_reader() {
    for engine in engines() {
        let house = TestApp::on(engine).await;
        let (id, readers) = house_of(&house, "smtp://127.0.0.1:2525", "local 07:00").await;
        let issue = scheduled(&house, id, WALL).await;
        let first = || async { Millis(house.issue(issue).await.scheduled_at.expect("is scheduled")) };
        assert_eq!(first().await, at("2026-12-02T20:00:00Z"), "{engine:?}");
        membership::set_zone_by_editor(&house, readers[3], "Pacific/Kiritimati").await.expect("is a zone");
        tick(&house).await;
        assert_eq!(first().await, at("2026-12-02T19:00:00Z"), "{engine:?}");
        for reader in [readers[0], readers[3]] {
            membership::unsubscribe_by_editor(&house, id, reader, None).await.expect("has left");
        }
        tick(&house).await;
        assert_eq!(first().await, at("2026-12-03T00:00:00Z"), "{engine:?}");
    }
}

#[tokio::test]
async fn what_is_paused_or_cancelled_while_it_waits_stays_here() {
    for engine in engines() {
        let postbox = Postbox::start(Script::new()).await;
        let house = TestApp::on(engine).await;
        let relay = format!("smtp://127.0.0.1:{}", postbox.port());
        let (id, _) = house_of(&house, &relay, "local 07:00").await;
        let issue = scheduled(&house, id, WALL).await;
        advance_to(&house, at("2026-12-02T20:00:00Z"));
        tick(&house).await;
        deliver::drain(&house).await.expect("sends");
        publish::pause(&house, issue, "a mistake").await.expect("is paused");
        advance_to(&house, at("2026-12-03T00:00:00Z"));
        deliver::drain(&house).await.expect("sends nothing");
        assert_eq!(house.counts(issue).await.sent, 1, "{engine:?}");
        publish::resume(&house, issue).await.expect("goes on");
        deliver::drain(&house).await.expect("sends");
        assert_eq!(house.counts(issue).await.sent, 2, "{engine:?}");
        assert_eq!(publish::cancel(&house, issue).await.expect("is cancelled"), 2, "{engine:?}");
        let counts = house.counts(issue).await;
        assert_eq!((counts.sent, counts.skipped), (2, 2), "{engine:?}");
    }
}

#[tokio::test]
async fn the_outlook_is_what_the_freeze_makes_of_it() {
    for engine in engines() {
        let house = TestApp::on(engine).await;
        let (id, readers) = house_of(&house, "smtp://127.0.0.1:2525", "local 09:30, passed skip, spread 2h").await;
        let paper = paper(&house).await;
        let mut tx = house.store.read().await.expect("reads");
        let begin = Begin { wall: None, passed_before: NOW, start: NOW };
        let (many, seen) = hours::outlook(&mut tx, &paper, &hours::of(None, &paper), begin).await.expect("counts");
        let seen = seen.expect("has hours");
        assert_eq!((many, seen.skipped, seen.unknown, seen.at_once), (4, 2, 1, 0), "{engine:?}");
        assert_eq!(freeze::mailable(&mut tx, id).await.expect("counts"), many);
        tx.commit().await.expect("commits");
        assert_eq!(seen.bars.iter().map(|(_, many)| many).sum::<i64>(), 2, "{engine:?}");
        let issue = house.draft(id).await;
        house.publish(issue, 0).await.expect("is published");
        let (first, last) = (seen.first.expect("one is first").0, seen.last.expect("one is last").0);
        for reader in &readers[2..] {
            let due = Millis(house.delivery(issue, *reader).await.next_at);
            assert!(first <= due && due <= last, "{engine:?}");
        }
        assert!(membership::set_zone_by_editor(&house, readers[0], "Europe/Lisboa").await.is_err());
    }
}

/// Rows as they wait: when they are due, and why.
async fn waiting(house: &TestApp, issue: IssueId, readers: &[SubscriberId]) -> Vec<(String, Option<String>)> {
    let mut rows = Vec::new();
    for reader in readers {
        let row = house.delivery(issue, *reader).await;
        assert_eq!(row.state, DeliveryState::Pending);
        rows.push((Millis(row.next_at).timestamp().to_string(), row.reason));
    }
    rows
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_late_is_not_begun_at_night() {
    for engine in engines() {
        let (house, postbox) = (TestApp::on(engine).await, Postbox::start(Script::new()).await);
        let relay = format!("smtp://127.0.0.1:{}", postbox.port());
        let (id, readers) = house_of(&house, &relay, "quiet 22:00-07:00").await;
        let issue = house.draft(id).await;
        house.publish(issue, 0).await.expect("is published");
        // The machine slept the day away.
        advance_to(&house, at("2026-11-29T23:00:00Z"));
        deliver::drain(&house).await.expect("sends");
        assert_eq!(postbox.mails().len(), 0, "{engine:?}");
        let morning = ("2026-11-30T07:00:00Z".to_owned(), Some("quiet_hours".to_owned()));
        assert_eq!(waiting(&house, issue, &readers).await, vec![morning; 4], "{engine:?}");
        let seen = progress::status(&house, issue).await.expect("reads").expect("is there");
        assert_eq!((seen.quiet_until, seen.waiting), (Some(at("2026-11-30T07:00:00Z")), 4), "{engine:?}");
        // What the newsletter says now is for its next issue.
        set(&house, "quiet 06:00-10:00").await;
        advance_to(&house, at("2026-11-30T07:00:00Z"));
        deliver::drain(&house).await.expect("sends");
        assert_eq!((postbox.mails().len(), house.counts(issue).await.sent), (4, 4), "{engine:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn at_readers_own_hours_it_is_their_night_that_counts() {
    for engine in engines() {
        let (house, postbox) = (TestApp::on(engine).await, Postbox::start(Script::new()).await);
        let relay = format!("smtp://127.0.0.1:{}", postbox.port());
        let (id, readers) = house_of(&house, &relay, "local 09:00, quiet 22:00-07:00").await;
        let issue = house.draft(id).await;
        house.publish(issue, 0).await.expect("is published");
        // 12:30 in Auckland, 08:30 in Tokyo, 18:30 in New York; in Lisbon it is night.
        advance_to(&house, at("2026-11-29T23:30:00Z"));
        deliver::drain(&house).await.expect("sends");
        assert_eq!(postbox.mails().len(), 3, "{engine:?}");
        let rows = waiting(&house, issue, &readers[3..]).await;
        assert_eq!(rows, [("2026-11-30T07:00:00Z".into(), Some("quiet_hours".into()))], "{engine:?}");
        advance_to(&house, at("2026-11-30T07:00:00Z"));
        deliver::drain(&house).await.expect("sends");
        assert_eq!(postbox.mails().len(), 4, "{engine:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_that_comes_due_at_night_waits_for_the_morning() {
    for engine in engines() {
        let script = Script::new().on_some(".", 3, 1, Act::say("451 4.3.0 Try again later"));
        let (house, postbox) = (TestApp::on(engine).await, Postbox::start(script).await);
        let relay = format!("smtp://127.0.0.1:{}", postbox.port());
        let (id, readers) = house_of(&house, &relay, "quiet 22:00-07:00").await;
        advance_to(&house, at("2026-11-29T21:59:00Z"));
        let issue = house.draft(id).await;
        house.publish(issue, 0).await.expect("is published");
        deliver::drain(&house).await.expect("sends");
        assert_eq!(house.counts(issue).await.pending, 1, "{engine:?}");
        advance_to(&house, at("2026-11-30T01:00:00Z"));
        deliver::drain(&house).await.expect("sends");
        let counts = house.counts(issue).await;
        assert_eq!((counts.sent, counts.pending), (3, 1), "{engine:?}");
        let mut due = Vec::new();
        for reader in readers {
            let row = house.delivery(issue, reader).await;
            due.extend((row.state == DeliveryState::Pending).then_some((row.next_at, row.attempts)));
        }
        assert_eq!(due, [(at("2026-11-30T07:00:00Z").0, 1)], "{engine:?}");
    }
}

#[tokio::test]
async fn a_file_says_its_issues_hours_until_somebody_says_otherwise() {
    let house = TestApp::new().await;
    let id = house.newsletter("smtp://127.0.0.1:2525").await;
    let file = |hours: &str, text: &str| {
        format!("---\nsubject: Low tide\npreheader: What it left\n{hours}---\n\n## A boat\n\n{text}\n")
    };
    let with = file("hours:\n  quiet: 22:00-07:00\n  spread: 2h\n", "It was there at dawn.");
    let added = editing::add_issue(&house, id, &with, None).await.expect("is added");
    assert_eq!(house.issue(added.id).await.hours, "spread 2h, quiet 22:00-07:00");
    hours::set(&house, added.id, "quiet off".parse().expect("wishes")).await.expect("is set");
    let same = file("hours:\n  quiet: 22:00-07:00\n  spread: 2h\n", "It was there at noon.");
    editing::save(&house, added.id, &same, 1).await.expect("is saved");
    assert_eq!(house.issue(added.id).await.hours, "quiet off", "the file says nothing new");
    editing::save(&house, added.id, &file("", "It was there."), 2).await.expect("is saved");
    assert_eq!(house.issue(added.id).await.hours, "", "the file takes it back");
}

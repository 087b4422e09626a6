//! Many nodes on one Postgres: real processes that are killed, stopped, cut off from their database; nobody is lost,
//! nobody gets two, and every slot fires once.

mod cluster;
mod town;

use std::time::{Duration, Instant};

use broadsheet::store::issue::IssueState;
use broadsheet::store::slot::SlotState;
use broadsheet::store::{Store, event, setting, slot, subscription};
use broadsheet::values::address::Address;
use broadsheet::values::clock::{Clock, Millis};
use broadsheet::values::ids::NewsletterId;
use broadsheet::verbs::app::App;
use broadsheet::verbs::membership;
use broadsheet::verbs::newsletters::{self, Wanted};
use broadsheet::verbs::{deliver, instance, nodes, publish};

use crate::app::{Engine, NOW, TestApp, engines};
use crate::postbox::{Postbox, Script};
use cluster::{Cluster, Proxy};
use town::{Town, eventually};

/// A relay that takes its time, so that there is a middle in which something can happen.
const SLOW: &str = "dot-after-log:delay(20)";
/// Readers of an issue in which something happens.
const READERS: usize = 900;

fn has_postgres() -> bool {
    engines().contains(&Engine::Postgres)
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_killed_at_random_lose_and_double_nobody() {
    const KILLS: usize = 8;
    if !has_postgres() {
        return;
    }
    let mut town = Town::of(READERS, &[SLOW]).await;
    let mut running: Vec<_> = (0..3).map(|n| town.node(n)).collect();
    for kill in 0..KILLS {
        town.until_taken((kill + 1) * READERS / (KILLS + 2)).await;
        // Which one comes next is nobody's plan: whoever the time points at.
        let who = usize::try_from(town.app.clock.now().0 % 3).expect("is small");
        running[who].kill();
        // The last one stays dead, and what it held goes on elsewhere.
        if kill + 1 < KILLS {
            running[who] = town.node(who);
        }
    }
    town.until_sent().await;
    town.check(KILLS, &running).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_dead_node_held_goes_on_elsewhere_within_fifteen_seconds() {
    if !has_postgres() {
        return;
    }
    // The first ten conversations hang: the node has ten readers on the wire and more in its hands when it dies.
    let mut town = Town::of(80, &["dot-before-log:never:n=1"]).await;
    town.heartbeat_ms = 2_000;
    let mut first = town.node(0);
    town.until("a conversation to hang", async |town| town.leased().await >= 1).await;
    first.kill();
    let died = Instant::now();
    let second = town.node(1);
    town.until_sent().await;
    let took = died.elapsed();
    println!("all of it was over {:.1} s after the kill", took.as_secs_f64());
    // Fifteen seconds, and as much again for a machine that has other things to do.
    assert!(took < Duration::from_secs(30), "{took:?}");
    town.check(1, &[first, second]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_starts_again_in_its_folder_waits_for_no_lease() {
    if !has_postgres() {
        return;
    }
    let mut town = Town::of(80, &["dot-before-log:never:n=1"]).await;
    town.heartbeat_ms = 15_000;
    let mut node = town.node(0);
    town.until("a conversation to hang", async |town| town.leased().await >= 1).await;
    node.kill();
    let again = town.node(0);
    let started = Instant::now();
    town.until_sent().await;
    println!("the same folder went on and ended in {:.1} s", started.elapsed().as_secs_f64());
    // Others would have waited a minute for its heart.
    assert!(started.elapsed() < Duration::from_secs(45), "{:?}", started.elapsed());
    town.check(1, &[node, again]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_slept_through_its_lease_changes_nothing_when_it_wakes() {
    if !has_postgres() {
        return;
    }
    let mut town = Town::of(READERS, &[SLOW]).await;
    let mut running = vec![town.node(0), town.node(1), town.node(2)];
    town.until_taken(READERS / 3).await;
    running[0].signal("-STOP");
    let pid = running[0].pid();
    town.until("the sleeper to be taken for dead", async |town| !town.pids().await.contains(&pid)).await;
    town.until_sent().await;
    let before = town.rows().await;
    running[0].signal("-CONT");
    town.until("the sleeper to come back", async |town| town.pids().await.contains(&pid)).await;
    // Its connections end: what it had on the wire is answered, and of that the ledger may learn.
    running.iter_mut().for_each(town::Node::stop);
    town.check_since(&before).await;
    town.check(1, &running).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_starts_again_makes_nobody_dead() {
    if !has_postgres() {
        return;
    }
    let cluster = Cluster::start();
    let mut town = Town::at(&cluster.url(), READERS, &[SLOW]).await;
    let running: Vec<_> = (0..3).map(|n| town.node(n)).collect();
    for part in 1..3 {
        town.until_taken(part * READERS / 4).await;
        cluster.restart();
    }
    town.until_sent().await;
    // Nobody died: whatever is in doubt was so before.
    town.check(0, &running).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_cut_off_from_its_database_stops_sending() {
    if !has_postgres() {
        return;
    }
    let mut town = Town::of(READERS, &[SLOW]).await;
    let proxy = Proxy::to(&town.url).await;
    let mut running = vec![town.node_by(0, &proxy.url(&town.url)), town.node(1)];
    let pid = running[0].pid();
    town.until_taken(READERS / 3).await;
    proxy.cut(true);
    town.until("the one that was cut off to be taken for dead", async |town| !town.pids().await.contains(&pid)).await;
    let (by_it, all) = (town.taken_from(0), town.relay.accepted().len());
    assert!(by_it > 0 && all < READERS, "{by_it} of {all}: nothing was cut off");
    town.until_sent().await;
    assert_eq!(town.taken_from(0), by_it, "it sent while others believed it dead");
    let before = town.rows().await;
    proxy.cut(false);
    town.until("it to come back", async |town| town.pids().await.contains(&pid)).await;
    running.iter_mut().for_each(town::Node::stop);
    town.check_since(&before).await;
    town.check(1, &running).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_were_lost_without_a_word_are_given_up() {
    if !has_postgres() {
        return;
    }
    let mut town = Town::of(READERS, &[SLOW]).await;
    let proxy = Proxy::to(&town.url).await;
    let running = vec![town.node_by(0, &proxy.url(&town.url))];
    for part in 1..3 {
        town.until_taken(part * READERS / 4).await;
        proxy.lose();
        let (lost, taken) = (Instant::now(), town.relay.accepted().len());
        // What is on the wire ends, and then some.
        town.until_taken((taken + 100).min(READERS)).await;
        println!("a hundred more were taken {:.1} s after every connection fell silent", lost.elapsed().as_secs_f64());
        // The system would have waited a quarter of an hour.
        assert!(lost.elapsed() < Duration::from_secs(60), "{:?}", lost.elapsed());
    }
    town.until_sent().await;
    // Nobody died: what was marked by a commit whose answer was lost is known to be so, and sent.
    town.check(0, &running).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn thirty_slots_fire_once_each_while_leaders_die() {
    const SLOTS: usize = 30;
    if !has_postgres() {
        return;
    }
    let mut town = Town::of(0, &[]).await;
    let papers = papers_with_a_slot_a_minute_ago(&town.app, SLOTS, town.relay.port).await;
    let mut running: Vec<_> = (0..3).map(|n| town.node(n)).collect();
    let mut killed = 0;
    while fired(&town.app, &papers).await < SLOTS {
        let who = killed % 3;
        let before = fired(&town.app, &papers).await;
        town.until("another slot to fire", async |town| fired(&town.app, &papers).await > before).await;
        running[who].kill();
        running[who] = town.node(who);
        killed += 1;
    }
    for paper in &papers {
        let mut tx = town.app.store.read().await.expect("reads");
        let slots = slot::recent(&mut tx, *paper, 10).await.expect("reads");
        assert_eq!(slots.len(), 1, "{slots:?}");
        let issue = slots[0].issue_id.expect("has an issue");
        drop(tx);
        town.until("its issue to be sent", async |town| town.app.issue(issue).await.state == IssueState::Sent).await;
        let mut tx = town.app.store.read().await.expect("reads");
        let events = event::by_issue(&mut tx, issue, 100).await.expect("reads");
        for kind in ["slot.fired", "issue.published"] {
            assert_eq!(events.iter().filter(|event| event.kind == kind).count(), 1, "{kind} of {events:?}");
        }
    }
    println!("{SLOTS} slots fired once each; {killed} schedulers were killed meanwhile");
}

async fn fired(app: &TestApp, papers: &[NewsletterId]) -> usize {
    let mut tx = app.store.read().await.expect("reads");
    let mut fired = 0;
    for paper in papers {
        let slots = slot::recent(&mut tx, *paper, 10).await.expect("reads");
        fired += slots.iter().filter(|slot| slot.state == SlotState::Fired).count();
    }
    fired
}

/// Newsletters whose slot was set two minutes ago and due one minute ago, with an issue that is ready.
async fn papers_with_a_slot_a_minute_ago(app: &TestApp, many: usize, port: u16) -> Vec<NewsletterId> {
    let mut papers = Vec::new();
    let due = app.clock.now().plus(-Millis::MINUTE).timestamp().to_zoned_datetime(jiff::tz::TimeZone::UTC);
    for n in 0..many {
        let wanted = Wanted {
            name: format!("The Tidewater Brief {n}"),
            slug: format!("tidewater-{n}"),
            from: "Ines <brief@tidewater.example>".into(),
            postal_address: "Quay House, Port Ellery".into(),
            zone: "UTC".into(),
            relay: Some(format!("smtp://127.0.0.1:{port}").parse().expect("is a relay's address")),
            ..Wanted::default()
        };
        let mut paper = newsletters::create(app, wanted).await.expect("can be made");
        app.readers(paper.id, 1).await;
        let issue = app.draft(paper.id).await;
        paper.slot = Some(format!("weekly {} {}", due.strftime("%a"), due.strftime("%H:%M")));
        newsletters::save(app, paper.clone()).await.expect("is saved");
        publish::mark_ready(app, issue).await.expect("is marked");
        papers.push(paper.id);
    }
    let mut tx = app.store.write().await.expect("writes");
    let set_at = app.clock.now().plus(-3 * Millis::MINUTE).0;
    broadsheet::execute!(tx, "UPDATE newsletter SET slot_set_at = $1", set_at).expect("writes");
    tx.commit().await.expect("commits");
    papers
}

/// Another process's view of the same house, but for the process.
async fn neighbour(house: &TestApp) -> App {
    let store = Store::open(&house.config.database, house.clock.clone()).await.expect("opens");
    let folder = house.folder.join("neighbour");
    std::fs::create_dir_all(&folder).expect("a folder");
    let config = broadsheet::config::Config { data: folder, ..house.config.clone() };
    App::new(config, store, house.clock.clone(), house.keys.clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_or_comes_back_by_one_node_is_heard_of_by_another() {
    if !has_postgres() {
        return;
    }
    let house = TestApp::at(Engine::Postgres, Clock::System).await;
    let newsletter = house.newsletter("smtp://127.0.0.1:2525").await;
    let reader = house.readers(newsletter, 1).await[0];
    let other = neighbour(&house).await;
    let hearing = tokio::spawn(nodes::hear(other.clone()));
    membership::unsubscribe_by_editor(&house, newsletter, reader, None).await.expect("leaves");
    eventually("the other to hear it", async || other.departed.contains(newsletter, reader)).await;
    let address = Address::parse("reader0@readers.example").expect("an address");
    let mut tx = house.store.write().await.expect("writes");
    let about = event::About { subscriber: Some(reader), ..event::About::default() };
    broadsheet::execute!(tx, "UPDATE subscription SET status = 'active', left_at = NULL").expect("writes");
    event::insert(&mut tx, "subscription.undone", about, &serde_json::json!({})).await.expect("writes");
    assert!(subscription::by_ids(&mut tx, newsletter, reader).await.expect("reads").is_some());
    tx.commit().await.expect("commits");
    eventually("the other to hear that too", async || !other.departed.contains(newsletter, reader)).await;
    membership::suppress(&house, &address, "test", None).await.expect("is suppressed");
    eventually("and that", async || other.departed.contains(newsletter, reader)).await;
    hearing.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_from_another_server_sends_nothing_until_somebody_says_go() {
    if !has_postgres() {
        return;
    }
    let (house, postbox) = (TestApp::at(Engine::Postgres, Clock::System).await, Postbox::start(Script::new()).await);
    let newsletter = house.newsletter(&format!("smtp://127.0.0.1:{}", postbox.port())).await;
    house.readers(newsletter, 3).await;
    let issue = house.draft(newsletter).await;
    assert_eq!(instance::check(&house).await.expect("can be checked"), None);
    let mut tx = house.store.write().await.expect("writes");
    let kept = setting::get(&mut tx, "home").await.expect("reads").expect("is kept");
    setting::set(&mut tx, "home", &format!("1{kept}")).await.expect("writes");
    tx.commit().await.expect("commits");
    let other = neighbour(&house).await;
    let why = instance::check(&other).await.expect("can be checked").expect("is on hold");
    assert!(why.contains("another server"), "{why}");
    house.publish(issue, 0).await.expect("can be published");
    deliver::drain(&other).await.expect("drains");
    assert_eq!(house.counts(issue).await.pending, 3);
    assert!(postbox.mails().is_empty());
    instance::go_ahead(&other).await.expect("goes");
    assert_eq!(instance::check(&house).await.expect("can be checked"), None);
    deliver::drain(&other).await.expect("drains");
    assert_eq!(house.counts(issue).await.sent, 3);
}

#[tokio::test]
async fn a_node_that_has_not_entered_sends_nothing_and_leaves_in_order() {
    for engine in engines() {
        let house = TestApp::on(engine).await;
        assert!(!house.node.may_send(NOW));
        nodes::enter(&house).await.expect("enters");
        assert!(house.node.may_send(NOW));
        let listed = nodes::list(&house).await.expect("can be listed");
        assert_eq!(listed.len(), 1);
        assert!(listed[0].is_this && !listed[0].is_late && listed[0].row.roles == "web send schedule");
        nodes::leave(&house).await.expect("leaves");
        assert!(!house.node.may_send(NOW) && nodes::list(&house).await.expect("can be listed").is_empty());
    }
}

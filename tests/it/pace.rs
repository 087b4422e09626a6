//! How fast mail leaves: limits, several relays, shares, sites in trouble, warm-up. Counted in messages and in order,
//! never in seconds.

use std::time::Duration;

use broadsheet::audience::status::Status;
use broadsheet::delivery::pace::sites::SiteKey;
use broadsheet::store;
use broadsheet::store::issue::IssueState;
use broadsheet::store::subscription::Consent;
use broadsheet::values::address::Address;
use broadsheet::values::clock::Millis;
use broadsheet::values::ids::{IssueId, NewsletterId, SubscriberId};
use broadsheet::verbs::relays::{self, Change};
use broadsheet::verbs::{deliver, newsletters, nodes, pace, publish, warm_up};
use tokio_util::sync::CancellationToken;

use crate::app::{Engine, TestApp, engines};
use crate::postbox::{Act, Postbox, Script};

/// How long a story waits for what it expects before it fails.
const PATIENCE: Duration = Duration::from_secs(60);

async fn relay(app: &TestApp, name: &str, postbox: &Postbox, change: Change) {
    let url = format!("smtp://127.0.0.1:{}", postbox.port()).parse().expect("is a relay's address");
    relays::add(app, name, &url, change).await.expect("can be made");
}

/// A newsletter with these relays.
async fn newsletter(app: &TestApp, slug: &str, relays: &[(&str, i64)]) -> NewsletterId {
    let wanted = newsletters::Wanted {
        name: slug.into(),
        slug: slug.into(),
        from: "Ines <brief@tidewater.example>".into(),
        postal_address: "Quay House, Port Ellery".into(),
        zone: "Europe/Lisbon".into(),
        ..newsletters::Wanted::default()
    };
    let id = newsletters::create(app, wanted).await.expect("can be made").id;
    let parts: Vec<(String, i64)> = relays.iter().map(|(name, weight)| ((*name).to_owned(), *weight)).collect();
    relays::share(app, id, &parts).await.expect("can be shared");
    id
}

/// So many readers `PREFIXn@DOMAIN`.
async fn readers(app: &TestApp, newsletter: NewsletterId, prefix: &str, domain: &str, many: usize) {
    let mut tx = app.store.write().await.expect("writes");
    let consent = Consent { text: "yes".into(), source: "test".into(), ip: String::new() };
    for n in 0..many {
        let address = Address::parse(&format!("{prefix}{n}@{domain}")).expect("an address");
        let id = SubscriberId::new(tx.now);
        let id = store::subscriber::keep(&mut tx, id, &address, "").await.expect("kept");
        store::subscription::begin(&mut tx, newsletter, id, Status::Active, &consent).await.expect("begun");
    }
    tx.commit().await.expect("commits");
}

async fn published(app: &TestApp, newsletter: NewsletterId) -> IssueId {
    let issue = app.draft(newsletter).await;
    app.publish(issue, 0).await.expect("can be published");
    issue
}

/// The engine at work until `until` holds of the issue's counts, then stopped in order.
async fn work_until(app: &TestApp, issue: IssueId, until: impl Fn(&broadsheet::delivery::counts::Counts) -> bool) {
    let stop = CancellationToken::new();
    nodes::enter(app).await.expect("takes a seat");
    let beating = tokio::spawn(nodes::beat(app.app.clone()));
    let engine = tokio::spawn(deliver::run_until(app.app.clone(), stop.clone()));
    let waiting = async {
        while !until(&app.counts(issue).await) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let came = tokio::time::timeout(PATIENCE, waiting).await;
    stop.cancel();
    engine.await.expect("does not panic").expect("ends in order");
    beating.abort();
    nodes::leave(app).await.expect("leaves");
    assert!(came.is_ok(), "it did not come: {:?}", app.counts(issue).await);
}

#[tokio::test]
async fn an_hours_limit_is_kept_over_a_restart_and_by_the_sum_of_all_nodes() {
    for engine in engines() {
        let (app, postbox, free) =
            (TestApp::on(engine).await, Postbox::start(Script::new()).await, Postbox::start(Script::new()).await);
        relay(&app, "small", &postbox, Change { per_hour: Some(Some(5)), ..Change::default() }).await;
        relay(&app, "free", &free, Change::default()).await;
        let id = newsletter(&app, "small", &[("small", 1)]).await;
        readers(&app, id, "r", "readers.example", 12).await;
        let issue = published(&app, id).await;
        work_until(&app, issue, |counts| counts.sent >= 5).await;
        // Another issue goes out beside it after a restart: when that is through, this one has had its chance.
        let other = newsletter(&app, "other", &[("free", 1)]).await;
        readers(&app, other, "o", "readers.example", 30).await;
        let beside = published(&app, other).await;
        work_until(&app, beside, |counts| counts.sent == 30).await;
        assert_eq!(postbox.mails().len(), 5);
        let mut tx = app.store.read().await.expect("reads");
        let small = store::relay::by_name(&mut tx, "small").await.expect("reads").expect("is there");
        assert_eq!(pace::used(&mut tx, small.id).await.expect("reads"), (5, 0));
        tx.commit().await.expect("ends");
        app.clock.advance(Millis::HOUR + 2 * Millis::MINUTE);
        work_until(&app, issue, |counts| counts.sent >= 10).await;
        assert_eq!(postbox.mails().len(), 10);
        // Changed while it waits.
        relays::set(&app, "small", Change { per_hour: Some(None), ..Change::default() }).await.expect("can be set");
        work_until(&app, issue, |counts| counts.sent == 12).await;
    }
}

#[tokio::test]
async fn a_relay_with_a_limit_on_connections_and_messages_each_keeps_to_them() {
    let (app, postbox) = (TestApp::new().await, Postbox::start(Script::new()).await);
    let change = Change { connections: Some(1), messages_per_connection: Some(Some(5)), ..Change::default() };
    relay(&app, "few", &postbox, change).await;
    let id = newsletter(&app, "few", &[("few", 1)]).await;
    readers(&app, id, "r", "readers.example", 20).await;
    let issue = published(&app, id).await;
    work_until(&app, issue, |counts| counts.sent == 20).await;
    assert_eq!(postbox.log().connections, 4);
}

/// Nine readers in ten at a dead site.
async fn nine_in_ten_dead(act: Act) -> (TestApp, Postbox, IssueId) {
    let script = Script::new().offering(&["SIZE 50000000"]).on("RCPT TO:<dead", act);
    let (app, postbox) = (TestApp::new().await, Postbox::start(script).await);
    relay(&app, "one", &postbox, Change { connections: Some(10), ..Change::default() }).await;
    let id = newsletter(&app, "one", &[("one", 1)]).await;
    readers(&app, id, "dead", "dead.example", 360).await;
    readers(&app, id, "live", "live.example", 40).await;
    let issue = published(&app, id).await;
    (app, postbox, issue)
}

fn tries(postbox: &Postbox, at: &str) -> usize {
    let at = format!("RCPT TO:<{at}");
    postbox.log().commands.iter().filter(|command| command.to_uppercase().starts_with(&at.to_uppercase())).count()
}

#[tokio::test]
async fn a_site_that_refuses_costs_a_handful_of_tries_and_not_one_for_each_reader() {
    let (app, postbox, issue) = nine_in_ten_dead(Act::say("451 4.3.0 Try again later")).await;
    work_until(&app, issue, |counts| counts.sent == 40).await;
    assert!((1..=8).contains(&tries(&postbox, "dead")), "{} tries", tries(&postbox, "dead"));
}

#[tokio::test]
async fn a_site_that_hangs_holds_one_connection_of_ten_and_the_rest_goes_on() {
    let (app, postbox, issue) = nine_in_ten_dead(Act::Hang).await;
    let engine = tokio::spawn(deliver::run_until(app.app.clone(), CancellationToken::new()));
    postbox.wait_until("all of the living", |log| log.mails.len() == 40).await;
    assert_eq!(tries(&postbox, "dead"), 1);
    let counts = app.counts(issue).await;
    assert_eq!(counts.in_doubt + counts.failed, 0);
    engine.abort();
}

#[tokio::test]
async fn a_relay_that_is_down_has_its_part_carried_by_the_others_and_a_spare_waits() {
    let (app, up, spare) =
        (TestApp::new().await, Postbox::start(Script::new()).await, Postbox::start(Script::new()).await);
    let down = Postbox::start(Script::new()).await;
    relay(&app, "down", &down, Change::default()).await;
    drop(down);
    relay(&app, "up", &up, Change::default()).await;
    relay(&app, "spare", &spare, Change::default()).await;
    let id = newsletter(&app, "shared", &[("down", 1), ("up", 1), ("spare", 0)]).await;
    readers(&app, id, "r", "readers.example", 40).await;
    let issue = published(&app, id).await;
    work_until(&app, issue, |counts| counts.sent == 40).await;
    assert_eq!((up.mails().len(), spare.mails().len()), (40, 0));
    deliver::drain(&app).await.expect("drains");
    assert_eq!(app.issue(issue).await.state, IssueState::Sent);
}

#[tokio::test]
async fn a_spare_carries_everything_while_all_others_rest() {
    let (app, spare) = (TestApp::new().await, Postbox::start(Script::new()).await);
    let down = Postbox::start(Script::new()).await;
    relay(&app, "down", &down, Change::default()).await;
    drop(down);
    relay(&app, "spare", &spare, Change::default()).await;
    let id = newsletter(&app, "shared", &[("down", 1), ("spare", 0)]).await;
    readers(&app, id, "r", "readers.example", 25).await;
    let issue = published(&app, id).await;
    work_until(&app, issue, |counts| counts.sent == 25).await;
    assert_eq!(spare.mails().len(), 25);
}

#[tokio::test]
async fn a_short_issue_beside_a_long_one_is_through_long_before_it() {
    let (app, postbox) = (TestApp::new().await, Postbox::start(Script::new()).await);
    relay(&app, "one", &postbox, Change { connections: Some(2), ..Change::default() }).await;
    let (long, short) = (newsletter(&app, "long", &[("one", 1)]).await, newsletter(&app, "short", &[("one", 1)]).await);
    readers(&app, long, "long", "readers.example", 600).await;
    readers(&app, short, "short", "readers.example", 20).await;
    let (first, second) = (published(&app, long).await, published(&app, short).await);
    work_until(&app, first, |counts| counts.sent == 600).await;
    assert_eq!(app.counts(second).await.sent, 20);
    let mails = postbox.mails();
    let last = mails.iter().rposition(|mail| mail.rcpt_to[0].starts_with("short")).expect("is there");
    assert!(last < 300, "the short issue's last copy was the {last}th of 620");
}

#[tokio::test]
async fn a_warm_up_spreads_an_issue_over_days_and_the_plan_says_so_before() {
    for engine in engines() {
        let (app, postbox) = (TestApp::on(engine).await, Postbox::start(Script::new()).await);
        relay(&app, "one", &postbox, Change::default()).await;
        let id = newsletter(&app, "young", &[("one", 1)]).await;
        warm_up::switch(&app, id, true).await.expect("can be switched");
        readers(&app, id, "g", "gmail.com", 180).await;
        readers(&app, id, "x", "small.example", 5).await;
        let many = |plan: &warm_up::Plan| plan.days.iter().map(|day| day.many).collect::<Vec<_>>();
        let plan = plan(&app, id).await;
        assert_eq!((many(&plan), plan.domain.as_deref()), (vec![55, 100, 30], Some("tidewater.example")));
        let issue = published(&app, id).await;
        assert_eq!(many(&self::plan(&app, id).await)[0], 5, "Gmail's first day is taken by this issue");
        deliver::drain(&app).await.expect("drains");
        assert_eq!(postbox.mails().len(), 55);
        app.clock.advance(Millis::DAY);
        deliver::drain(&app).await.expect("drains");
        assert_eq!(postbox.mails().len(), 155);
        app.clock.advance(Millis::DAY);
        deliver::drain(&app).await.expect("drains");
        assert_eq!((postbox.mails().len(), app.counts(issue).await.sent), (185, 185));
    }
}

async fn plan(app: &TestApp, newsletter: NewsletterId) -> warm_up::Plan {
    let mut tx = app.store.read().await.expect("reads");
    let row = store::newsletter::by_id(&mut tx, newsletter).await.expect("reads").expect("is there");
    let sites = pace::read_sites(app).expect("can be read");
    warm_up::plan(&mut tx, &sites, &row).await.expect("can be planned")
}

#[tokio::test]
async fn an_issue_taken_back_gives_its_days_back() {
    let (app, postbox) = (TestApp::new().await, Postbox::start(Script::new()).await);
    relay(&app, "one", &postbox, Change::default()).await;
    let id = newsletter(&app, "young", &[("one", 1)]).await;
    warm_up::switch(&app, id, true).await.expect("can be switched");
    readers(&app, id, "g", "gmail.com", 120).await;
    let before = plan(&app, id).await;
    let issue = app.draft(id).await;
    app.publish(issue, Millis::MINUTE).await.expect("can be published");
    assert_ne!(plan(&app, id).await.days, before.days);
    publish::undo(&app, issue).await.expect("can be undone");
    assert_eq!(plan(&app, id).await.days, before.days);
}

#[tokio::test]
async fn a_receiver_that_asks_for_less_gets_the_next_day_s_part_a_day_later() {
    let script = Script::new().on_some(".", 0, 1, Act::say("421 4.7.28 Gmail has detected an unusual rate of mail"));
    let (app, postbox) = (TestApp::new().await, Postbox::start(script).await);
    relay(&app, "one", &postbox, Change { connections: Some(1), ..Change::default() }).await;
    let id = newsletter(&app, "young", &[("one", 1)]).await;
    warm_up::switch(&app, id, true).await.expect("can be switched");
    readers(&app, id, "g", "gmail.com", 150).await;
    let issue = published(&app, id).await;
    deliver::drain(&app).await.expect("drains");
    // The rest of the first day comes ten minutes later, one connection at a time.
    for _ in 0..4 {
        app.clock.advance(20 * Millis::MINUTE);
        deliver::drain(&app).await.expect("drains");
    }
    assert_eq!(app.counts(issue).await.sent, 50);
    app.clock.advance(Millis::DAY);
    deliver::drain(&app).await.expect("drains");
    assert_eq!(app.counts(issue).await.sent, 50, "held for a day");
    app.clock.advance(Millis::DAY);
    deliver::drain(&app).await.expect("drains");
    assert_eq!(app.counts(issue).await.sent, 150);
}

#[tokio::test]
async fn the_operators_table_of_sites_goes_over_ours_and_a_broken_one_is_told() {
    let app = TestApp::on(Engine::Sqlite).await;
    let file = app.folder.join(pace::SITES_FILE);
    assert_eq!(pace::read_sites(&app).expect("ours").rule(&SiteKey::new("google")).connections, 5);
    std::fs::write(&file, "[google]\nconnections = 2\n").expect("can be written");
    assert_eq!(pace::read_sites(&app).expect("theirs").rule(&SiteKey::new("google")).connections, 2);
    std::fs::write(&file, "[google]\nconections = 2\n").expect("can be written");
    let why = pace::read_sites(&app).expect_err("is broken");
    assert!(why.starts_with("sites.toml: ") && why.contains("line 2"), "{why}");
}

#[tokio::test]
async fn a_relay_s_settings_are_checked_and_nothing_is_changed_when_they_are_wrong() {
    let (app, postbox) = (TestApp::new().await, Postbox::start(Script::new()).await);
    relay(&app, "one", &postbox, Change::default()).await;
    for (change, says) in [
        (Change { per_hour: Some(Some(0)), ..Change::default() }, "messages per hour must be 1 or more"),
        (Change { connections: Some(100), ..Change::default() }, "more than the 64 that may be in doubt"),
        (Change { in_doubt_max: Some(0), ..Change::default() }, "in-doubt must be"),
        (Change { name: Some("a=b".into()), ..Change::default() }, "cannot be a relay's name"),
    ] {
        let why = relays::set(&app, "one", change).await.expect_err(says).to_string();
        assert!(why.contains(says) && why.contains("nothing was changed"), "{why}");
    }
    let why = relays::set(&app, "two", Change::default()).await.expect_err("is not there").to_string();
    assert!(why.contains("there are one"), "{why}");
    let id = newsletter(&app, "brief", &[("one", 1)]).await;
    let why = relays::remove(&app, "one").await.expect_err("is used").to_string();
    assert!(why.contains("\"brief\" uses the relay"), "{why}");
    let why = relays::share(&app, id, &[("one".into(), 0)]).await.expect_err("all spares").to_string();
    assert!(why.contains("spares"), "{why}");
}

//! A big audience is frozen in pieces: others write in between, nothing leaves before the last, and whoever is killed,
//! undone, cancelled or overtaken in the middle leaves nothing half.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use broadsheet::audience::status::Status;
use broadsheet::store;
use broadsheet::store::delivery::freeze::{self, Freezing, PIECE, Piece};
use broadsheet::store::issue::IssueState;
use broadsheet::values::clock::{Clock, Millis};
use broadsheet::values::ids::{IssueId, NewsletterId, SubscriberId};
use broadsheet::verbs::publish::{self, Published};
use broadsheet::verbs::{deliver, progress};

use crate::app::{Engine, TestApp, engines, rendered};

/// Three pieces, the last of them short.
const READERS: i64 = 2 * PIECE + 1_000;
const HOLD_MS: i64 = Millis::HOUR;
const LOOK: Duration = Duration::from_millis(50);
const LOOKS_MAX: usize = 1_200;

async fn full(engine: Engine, clock: Clock) -> (TestApp, NewsletterId, IssueId) {
    let app = TestApp::at(engine, clock).await;
    let newsletter = app.newsletter("smtp://127.0.0.1:9").await;
    let mut tx = app.store.write().await.expect("writes");
    store::bench::readers(&mut tx, newsletter, READERS).await.expect("fills");
    tx.commit().await.expect("commits");
    let issue = app.draft(newsletter).await;
    (app, newsletter, issue)
}

/// What a process leaves that dies after its first piece.
async fn half_frozen(app: &TestApp, newsletter: NewsletterId, issue: IssueId) -> Freezing {
    let mut tx = app.store.write().await.expect("writes");
    assert!(store::issue::publish(&mut tx, issue, 1).await.expect("publishes"));
    let row = store::newsletter::by_id(&mut tx, newsletter).await.expect("reads").expect("is there");
    let masthead = row.masthead(&app.config.public_url);
    let hold_until = tx.now.plus(HOLD_MS);
    store::rendering::insert(&mut tx, issue, &rendered(), &masthead, hold_until).await.expect("kept");
    let mut work = freeze::begin(&mut tx, issue, newsletter, hold_until, None).await.expect("begins");
    assert_eq!(freeze::piece(&mut tx, &mut work).await.expect("freezes"), Piece::More);
    tx.commit().await.expect("commits");
    work
}

async fn set(app: &TestApp, text: &'static str) {
    let mut tx = app.store.write().await.expect("writes");
    broadsheet::execute!(tx, text).expect("writes");
    tx.commit().await.expect("commits");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_dead_process_began_another_ends_and_nothing_leaves_before() {
    for engine in engines() {
        let (app, newsletter, issue) = full(engine, Clock::fixed(crate::app::NOW)).await;
        let work = half_frozen(&app, newsletter, issue).await;
        app.clock.advance(2 * HOLD_MS);
        let seen = progress::status(&app, issue).await.expect("reads").expect("is there");
        assert!(seen.freezing && seen.counts.audience == PIECE && seen.counts.adds_up(), "{seen:?}");
        let mut tx = app.store.read().await.expect("reads");
        assert!(store::issue::leaving(&mut tx, None).await.expect("reads").is_empty(), "the hold would be over");
        drop(tx);
        // One before and one after the place where it stopped leave; one joins, another ends a pause.
        set(&app, "UPDATE subscription SET status = 'unsubscribed' WHERE subscriber_id IN (5, 50005)").await;
        let late = "UPDATE subscription SET confirmed_at = confirmed_at + 60000 WHERE subscriber_id = 50006";
        set(&app, late).await;
        set(&app, "UPDATE relay SET paused_until = 9000000000000, paused_reason = 'for the test'").await;
        let engine = tokio::spawn(deliver::run_until(app.app.clone(), app.stop.child_token()));
        let whole = app.counts(issue);
        assert_eq!(whole.await.audience, PIECE, "nobody goes on with what may still be driven");
        until("the ledger to be whole", async || app.issue(issue).await.hold_until.is_some()).await;
        let row = app.issue(issue).await;
        assert_eq!(row.hold_until, Some(work.hold_until));
        let counts = app.counts(issue).await;
        assert_eq!((row.audience, counts.total()), (READERS - 2, READERS - 2), "{engine:?}");
        for (who, is_in) in [(5, true), (50_004, true), (50_005, false), (50_006, false), (READERS, true)] {
            let mut tx = app.store.read().await.expect("reads");
            let found = store::delivery::one(&mut tx, issue, SubscriberId(who)).await.expect("reads");
            assert_eq!(found.is_some(), is_in, "reader {who}");
        }
        let mut tx = app.store.read().await.expect("reads");
        assert!(freeze::all(&mut tx).await.expect("reads").is_empty());
        drop(tx);
        app.stop.cancel();
        engine.await.expect("ends").expect("ends well");
    }
}

#[tokio::test]
async fn whoever_was_overtaken_changes_nothing() {
    for engine in engines() {
        let (app, newsletter, issue) = full(engine, Clock::fixed(crate::app::NOW)).await;
        let mut slept = half_frozen(&app, newsletter, issue).await;
        let mut tx = app.store.write().await.expect("writes");
        let mut mine = freeze::take_over(&mut tx, &slept).await.expect("writes").expect("nobody else did");
        assert_eq!(freeze::take_over(&mut tx, &slept).await.expect("writes"), None, "only one goes on");
        assert_eq!(freeze::piece(&mut tx, &mut slept).await.expect("asks"), Piece::Lost);
        assert_eq!(freeze::piece(&mut tx, &mut mine).await.expect("freezes"), Piece::More);
        assert_eq!(freeze::piece(&mut tx, &mut mine).await.expect("freezes"), Piece::Last);
        freeze::end(&mut tx, &mine).await.expect("ends");
        assert_eq!(freeze::piece(&mut tx, &mut mine).await.expect("asks"), Piece::Lost);
        tx.commit().await.expect("commits");
        assert_eq!(app.counts(issue).await.total(), READERS);
    }
}

#[tokio::test]
async fn half_frozen_it_can_be_undone_or_cancelled() {
    for engine in engines() {
        let (app, newsletter, issue) = full(engine, Clock::fixed(crate::app::NOW)).await;
        let mut work = half_frozen(&app, newsletter, issue).await;
        publish::undo(&app, issue).await.expect("can be undone");
        assert_eq!(app.issue(issue).await.state, IssueState::Draft);
        assert_eq!(app.counts(issue).await.total(), 0);
        let mut tx = app.store.write().await.expect("writes");
        assert_eq!(freeze::piece(&mut tx, &mut work).await.expect("asks"), Piece::Lost);
        tx.commit().await.expect("commits");
        let again = app.publish(issue, HOLD_MS).await.expect("can be published again");
        assert!(matches!(again, Published::Now { audience: READERS, .. }), "{again:?}");
        assert_eq!(app.publish(issue, 0).await.expect("is asked again"), Published::Already);
        publish::undo(&app, issue).await.expect("whole, it can be undone as well");
        assert_eq!(app.counts(issue).await.total(), 0);

        let mut work = half_frozen(&app, newsletter, issue).await;
        assert_eq!(publish::cancel(&app, issue).await.expect("can be cancelled"), PIECE.unsigned_abs());
        let mut tx = app.store.write().await.expect("writes");
        assert_eq!(freeze::piece(&mut tx, &mut work).await.expect("asks"), Piece::Lost);
        tx.commit().await.expect("commits");
        let counts = app.counts(issue).await;
        assert_eq!((app.issue(issue).await.state, counts.skipped), (IssueState::Cancelled, PIECE), "{counts:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn others_write_between_the_pieces() {
    for engine in engines() {
        let (app, newsletter, issue) = full(engine, Clock::fixed(crate::app::NOW)).await;
        let publishing = tokio::spawn({
            let app = app.app.clone();
            async move { publish::freeze(&app, issue, 1, &rendered(), HOLD_MS).await }
        });
        let (mut left, mut between) = (0, 0);
        while !publishing.is_finished() {
            left += 1;
            let mut tx = app.store.write().await.expect("writes");
            let who = SubscriberId(READERS - left);
            store::subscription::end(&mut tx, newsletter, who, Status::Unsubscribed, "test", None).await.expect("ends");
            between += usize::from(!freeze::all(&mut tx).await.expect("reads").is_empty());
            tx.commit().await.expect("commits");
        }
        let published = publishing.await.expect("ends").expect("can be published");
        let Published::Now { audience, .. } = published else { panic!("{published:?}") };
        assert!((READERS - left..=READERS).contains(&audience), "{audience} of {READERS}, {left} left");
        assert!(between > 0, "nobody wrote between two pieces");
        assert_eq!(app.counts(issue).await.total(), audience);
    }
}

async fn rows(app: &TestApp, issue: IssueId) -> i64 {
    let mut tx = app.store.read().await.expect("reads");
    store::delivery::counts(&mut tx, issue).await.expect("counts").total()
}

/// Killed when dropped, as by SIGKILL.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn until(what: &str, mut fits: impl AsyncFnMut() -> bool) {
    for _ in 0..LOOKS_MAX {
        if fits().await {
            return;
        }
        tokio::time::sleep(LOOK).await;
    }
    panic!("waited for {what}");
}

fn command(app: &TestApp, place: Option<&str>, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_broadsheet"));
    command.arg("--data").arg(&app.folder).args(arguments).stdout(Stdio::null()).stderr(Stdio::null());
    if let Some(place) = place {
        command.env("BROADSHEET_FAILPOINT", place);
    }
    command
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_between_two_pieces_it_goes_on_with_the_next_start() {
    for place in ["freezing:1", "piece:2"] {
        let (app, _, issue) = full(Engine::Sqlite, Clock::System).await;
        let id = issue.to_string();
        let send = ["issue", "send", &id, "--hold", "1h", "--yes"];
        let ended = command(&app, Some(place), &send).status().expect("runs");
        assert!(!ended.success(), "{place} was not passed");
        let row = app.issue(issue).await;
        assert!(row.is_freezing() && row.audience < READERS, "{place}: {row:?}");
        let serving = command(&app, None, &["serve", "--listen", "127.0.0.1:0"]).spawn().expect("starts");
        let serving = Process(serving);
        until("the ledger to be whole", async || app.issue(issue).await.hold_until.is_some()).await;
        drop(serving);
        assert_eq!(app.counts(issue).await.pending, READERS, "{place}");

        let undone = command(&app, Some("thawing:2"), &["issue", "undo", &id]).status().expect("runs");
        assert!(!undone.success() && app.issue(issue).await.state == IssueState::Draft, "{place}");
        assert_eq!(rows(&app, issue).await, READERS - PIECE, "{place}: a piece of it is gone");
        let serving = Process(command(&app, None, &["serve", "--listen", "127.0.0.1:0"]).spawn().expect("starts"));
        until("the rest to go", async || rows(&app, issue).await == 0).await;
        drop(serving);
    }
}

//! Every fail-point of sending, publishing and scheduling, with death, with an error and with lateness: at its first
//! passing, then at a later one, until a run ends without a hit. The places are read from the source, so a new one is
//! swept by itself.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use broadsheet::store;
use broadsheet::store::issue::IssueState;
use broadsheet::values::clock::{Clock, Millis};
use broadsheet::values::ids::{IssueId, NewsletterId};
use broadsheet::verbs::scheduling;

use crate::app::{Engine, NOW, TestApp};
use crate::kill::sent_once_or_in_doubt;
use crate::postbox::{Act, Postbox, Script};

const READERS: usize = 6;
/// Passings at which a place is swept before the sweep gives up: more than a run of so few readers has.
const PASSINGS_MAX: u32 = 60;
const LOOK: Duration = Duration::from_millis(20);
/// A run that has not ended by itself after so many looks waits for a lease: it is killed, and the next one must end.
const LOOKS_STUCK: usize = 400;
const LOOKS_MAX: usize = 3_000;
/// Errors and lateness are tried at these passings; each needs an issue of its own.
const PASSINGS: [u32; 5] = [1, 2, 3, 5, 8];

/// Places by the file that they stand in.
fn places(under: &[&str]) -> Vec<(String, bool)> {
    let mut found = BTreeMap::new();
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/verbs");
    for path in under.iter().map(|path| root.join(path)) {
        let files = if path.is_dir() {
            let entries = std::fs::read_dir(&path).expect("is a folder");
            entries.flatten().map(|entry| entry.path()).collect()
        } else {
            vec![path]
        };
        for file in files {
            let text = std::fs::read_to_string(file).expect("is text");
            for (call, can_fail) in [("failpoint::pass(\"", false), ("failpoint::check(\"", true)] {
                for after in text.split(call).skip(1) {
                    found.insert(after.split('"').next().unwrap_or_default().to_owned(), can_fail);
                }
            }
        }
    }
    assert!(!found.is_empty(), "no fail-points in {under:?}");
    found.into_iter().collect()
}

struct Story {
    app: TestApp,
    postbox: Postbox,
    newsletter: NewsletterId,
    kills: i64,
}

/// How a run ended.
#[derive(Debug, PartialEq, Eq)]
enum Ran {
    Sent,
    Died,
    Stuck,
}

impl Story {
    async fn new() -> Self {
        // One refusal, so that there is something to try again.
        let script = Script::new().on_some(".", 3, 1, Act::say("451 4.3.0 Try again later"));
        let (app, postbox) = (TestApp::at(Engine::Sqlite, Clock::System).await, Postbox::start(script).await);
        let newsletter = app.newsletter(&format!("smtp://127.0.0.1:{}", postbox.port())).await;
        app.readers(newsletter, READERS).await;
        Self { app, postbox, newsletter, kills: 0 }
    }

    fn hits(&self) -> PathBuf {
        self.app.folder.join("hits")
    }

    fn was_hit(&self) -> bool {
        std::fs::remove_file(self.hits()).is_ok()
    }

    fn command(&self, failpoint: Option<&str>, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_broadsheet"));
        command.arg("--data").arg(&self.app.folder).args(arguments).stdout(Stdio::null()).stderr(Stdio::null());
        if let Some(place) = failpoint {
            command.env("BROADSHEET_FAILPOINT", format!("{place}@{}", self.hits().display()));
        }
        command
    }

    /// Serves until the issue is sent, the process is dead, or nothing moves any more.
    async fn serve(&mut self, issue: IssueId, failpoint: Option<&str>) -> Ran {
        let mut process = self.command(failpoint, &["serve", "--listen", "127.0.0.1:0"]).spawn().expect("starts");
        let looks = if failpoint.is_some() { LOOKS_STUCK } else { LOOKS_MAX };
        let mut ran = Ran::Stuck;
        for _ in 0..looks {
            if process.try_wait().expect("can be asked").is_some() {
                assert!(self.was_hit(), "it died before it came to {failpoint:?}");
                ran = Ran::Died;
                break;
            }
            // A refusal is tried again after minutes; a test does not wait for them.
            let mut tx = self.app.store.write().await.expect("writes");
            broadsheet::execute!(tx, "UPDATE delivery SET next_at = 0 WHERE state = 'pending'").expect("writes");
            tx.commit().await.expect("commits");
            if self.app.issue(issue).await.state == IssueState::Sent {
                ran = Ran::Sent;
                break;
            }
            tokio::time::sleep(LOOK).await;
        }
        let _ = process.kill();
        let _ = process.wait();
        if ran != Ran::Sent {
            self.kills += 1;
        }
        ran
    }

    /// Every reader's copies are what the row says.
    async fn check(&self, issue: IssueId, from: usize, what: &str) {
        let took = self.postbox.mails().into_iter().skip(from).flat_map(|mail| mail.rcpt_to);
        sent_once_or_in_doubt(&self.app, issue, took, READERS, what).await;
    }

    /// Finishes what is left, without faults.
    async fn finish(&mut self, issue: IssueId, what: &str) {
        assert_eq!(self.serve(issue, None).await, Ran::Sent, "{what}: the run after it did not end");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sending_survives_death_at_every_place_and_passing() {
    for (place, _) in places(&["deliver"]) {
        let mut story = Story::new().await;
        let issue = story.app.draft(story.newsletter).await;
        story.app.publish(issue, 0).await.expect("can be published");
        let mut passing = 1;
        loop {
            assert!(passing <= PASSINGS_MAX, "{place} was hit {passing} times");
            if story.serve(issue, Some(&format!("{place}:{passing}"))).await == Ran::Sent {
                break;
            }
            passing += 1;
        }
        story.check(issue, 0, &format!("killed at {place}, {passing} runs")).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sending_survives_errors_and_lateness_at_every_place() {
    for (place, can_fail) in places(&["deliver"]) {
        for act in ["error", "delay"] {
            if act == "error" && !can_fail {
                continue;
            }
            let mut story = Story::new().await;
            for passing in PASSINGS {
                let what = format!("{place}:{passing}={act}");
                let from = story.postbox.mails().len();
                let issue = story.app.draft(story.newsletter).await;
                story.app.publish(issue, 0).await.expect("can be published");
                if story.serve(issue, Some(&what)).await != Ran::Sent {
                    story.finish(issue, &what).await;
                }
                story.check(issue, from, &what).await;
                if !story.was_hit() {
                    break;
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn publishing_survives_everything_at_every_place() {
    for (place, _) in places(&["publish.rs"]) {
        for act in ["kill", "error", "delay"] {
            let what = format!("{place}:1={act}");
            let mut story = Story::new().await;
            let issue = story.app.draft(story.newsletter).await;
            let id = issue.to_string();
            let send = ["issue", "send", &id, "--hold", "0s", "--yes"];
            let ended = story.command(Some(&what), &send).status().expect("runs");
            assert!(story.was_hit(), "{what} was not passed");
            assert_eq!(ended.success(), act == "delay", "{what}");
            let row = story.app.issue(issue).await;
            let rows = story.app.counts(issue).await.total();
            let whole = rows == i64::try_from(READERS).expect("is small") && row.state == IssueState::Sending;
            assert!(whole || (rows == 0 && row.state == IssueState::Draft), "{what}: {rows} rows, {:?}", row.state);
            if row.state == IssueState::Draft {
                assert!(story.command(None, &send).status().expect("runs").success(), "{what}: and again");
            }
            story.finish(issue, &what).await;
            story.check(issue, 0, &what).await;
        }
    }
}

/// A test that is its own child: looks at the schedule when the environment says that it is.
#[tokio::test]
#[ignore = "is run as a child by the test below"]
async fn a_child_that_looks_at_the_clock() {
    let folder = std::env::var("SWEEP_FOLDER").expect("is run as a child");
    let at: i64 = std::env::var("SWEEP_AT").expect("is run as a child").parse().expect("is a time");
    let config = broadsheet::config::Config { data: folder.into(), ..broadsheet::config::Config::default() };
    let app = broadsheet::verbs::start::open(config, Clock::fixed(Millis(at))).await.expect("opens");
    scheduling::tick(&app).await.expect("looks");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slot_fires_once_whatever_happens_while_it_does() {
    let week = 7 * Millis::DAY;
    for (place, _) in places(&["scheduling.rs", "publish.rs"]) {
        for act in ["kill", "error", "delay"] {
            let what = format!("{place}:1={act}");
            let app = TestApp::new().await;
            let newsletter = app.newsletter("smtp://127.0.0.1:9").await;
            app.readers(newsletter, READERS).await;
            let mut tx = app.store.write().await.expect("writes");
            let set = "UPDATE newsletter SET slot = 'weekly SUN 09:00', slot_set_at = $1 WHERE id = $2";
            broadsheet::execute!(tx, set, NOW.0, newsletter.0).expect("writes");
            tx.commit().await.expect("commits");
            let issue = app.draft(newsletter).await;
            let mut tx = app.store.write().await.expect("writes");
            broadsheet::execute!(tx, "UPDATE issue SET state = 'ready' WHERE id = $1", issue.0).expect("writes");
            tx.commit().await.expect("commits");
            let mut child = Command::new(std::env::current_exe().expect("is a file"));
            child.args(["--exact", "sweep::a_child_that_looks_at_the_clock", "--ignored"]);
            child.env("SWEEP_FOLDER", &app.folder).env("SWEEP_AT", (NOW.0 + week).to_string());
            let hits = app.folder.join("hits");
            child.env("BROADSHEET_FAILPOINT", format!("{what}@{}", hits.display()));
            let ended = child.stdout(Stdio::null()).stderr(Stdio::null()).status().expect("runs");
            assert!(hits.exists(), "{what} was not passed");
            assert_eq!(ended.success(), act == "delay", "{what}");
            app.clock.advance(week);
            for _ in 0..2 {
                scheduling::tick(&app).await.expect("looks again");
            }
            assert_eq!(app.issue(issue).await.state, IssueState::Sending, "{what}");
            assert_eq!(app.counts(issue).await.total(), i64::try_from(READERS).expect("is small"), "{what}");
            let mut tx = app.store.read().await.expect("reads");
            let fired = store::slot::recent(&mut tx, newsletter, 10).await.expect("reads");
            assert_eq!(fired.len(), 1, "{what}: {fired:?}");
        }
    }
}

//! A real process, killed where it hurts most, and started again: nobody is lost, nobody gets two unless the ledger
//! says that it cannot know.

use std::collections::BTreeMap;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use broadsheet::delivery::state::DeliveryState;
use broadsheet::store;
use broadsheet::store::issue::IssueState;
use broadsheet::values::clock::Clock;
use broadsheet::values::ids::{IssueId, SubscriberId};

use crate::app::{Engine, TestApp};
use crate::postbox::{Act, Postbox, Script};

const READERS: usize = 60;
/// Of the relay that `newsletter create` makes: the bound on what one kill may leave in doubt.
const CONNECTIONS: i64 = 10;
/// What a connection with DATA has marked and unanswered so early in a send: a text, behind it an envelope, and the
/// relay's ten that are marked ahead after as many messages as there are here; with time they may become more.
const WINDOW: i64 = 4;
/// How often a test looks at the rows of a process that it cannot hear.
const LOOK: Duration = Duration::from_millis(25);
/// Looks before it gives up: a minute.
const LOOKS_MAX: usize = 2_400;

struct Story {
    app: TestApp,
    postbox: Postbox,
    issue: IssueId,
}

impl Story {
    async fn of(script: Script) -> Self {
        let (app, postbox) = (TestApp::at(Engine::Sqlite, Clock::System).await, Postbox::start(script).await);
        let newsletter = app.newsletter(&format!("smtp://127.0.0.1:{}", postbox.port())).await;
        app.readers(newsletter, READERS).await;
        let issue = app.draft(newsletter).await;
        Self { app, postbox, issue }
    }

    /// `broadsheet serve` on the story's folder, told to die at a place.
    fn serve(&self, failpoint: Option<&str>) -> Process {
        let mut command = Command::new(env!("CARGO_BIN_EXE_broadsheet"));
        command.arg("--data").arg(&self.app.folder).args(["serve", "--listen", "127.0.0.1:0"]);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        if let Some(place) = failpoint {
            command.env("BROADSHEET_FAILPOINT", place);
        }
        Process(command.spawn().expect("starts"))
    }

    async fn until(&self, what: &str, mut fits: impl AsyncFnMut() -> bool) {
        for _ in 0..LOOKS_MAX {
            if fits().await {
                return;
            }
            tokio::time::sleep(LOOK).await;
        }
        panic!("waited for {what}; the rows say {:?}", self.app.counts(self.issue).await);
    }

    async fn is_sent(&self) -> bool {
        self.app.issue(self.issue).await.state == IssueState::Sent
    }

    /// Starts it again and lets it finish; then every reader's copies are compared with what the ledger says.
    async fn finish_and_check(&self) {
        let again = self.serve(None);
        self.until("the issue to be sent", async || {
            // A refusal is tried again after minutes; a test does not wait for them.
            let mut tx = self.app.store.write().await.expect("writes");
            let soon = "UPDATE delivery SET next_at = 0 WHERE state = 'pending'";
            broadsheet::execute!(tx, soon).expect("writes");
            tx.commit().await.expect("commits");
            self.is_sent().await
        })
        .await;
        drop(again);
        let counts = self.app.counts(self.issue).await;
        assert_eq!(counts.sent + counts.in_doubt, READERS as i64, "{counts:?}");
        assert!(counts.in_doubt <= CONNECTIONS * WINDOW, "{counts:?}");
        let took = self.postbox.mails().into_iter().flat_map(|mail| mail.rcpt_to);
        sent_once_or_in_doubt(&self.app, self.issue, took, READERS, "").await;
    }
}

/// Holds the ledger to what readers got: everybody has one copy, or is in doubt and has one at most.
pub(crate) async fn sent_once_or_in_doubt(
    app: &TestApp,
    issue: IssueId,
    took: impl Iterator<Item = String>,
    readers: usize,
    what: &str,
) {
    let mut copies: BTreeMap<String, usize> = BTreeMap::new();
    for to in took {
        *copies.entry(to).or_default() += 1;
    }
    let mut tx = app.store.read().await.expect("reads");
    let rows = store::delivery::page(&mut tx, issue, SubscriberId(0), None, 1_000).await.expect("reads");
    assert_eq!(rows.len(), readers, "{what}");
    for row in rows {
        let got = copies.get(&row.address).copied().unwrap_or(0);
        let fine = match row.state {
            DeliveryState::Sent => got == 1,
            DeliveryState::InDoubt => got <= 1,
            _ => false,
        };
        assert!(fine, "{what}: {} is {} and got {got}", row.address, row.state.as_str());
    }
}

/// Killed when dropped, as by SIGKILL.
struct Process(Child);

impl Process {
    async fn died(&mut self) {
        for _ in 0..LOOKS_MAX {
            if let Some(status) = self.0.try_wait().expect("can be asked") {
                assert!(!status.success(), "it ended well, and should have died");
                return;
            }
            tokio::time::sleep(LOOK).await;
        }
        panic!("the process passed the place where it should have died");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Dies at a fail-point while sending, is started again, finishes.
async fn dies_at(place: &str, script: Script) {
    let story = Story::of(script).await;
    story.app.publish(story.issue, 0).await.expect("can be published");
    story.serve(Some(place)).died().await;
    story.finish_and_check().await;
}

#[tokio::test]
async fn killed_when_a_claim_is_committed() {
    dies_at("claimed", Script::new()).await;
}

#[tokio::test]
async fn killed_before_a_mark() {
    dies_at("before-mark:12", Script::new()).await;
}

#[tokio::test]
async fn killed_between_mark_and_first_byte() {
    dies_at("marked:12", Script::new()).await;
}

#[tokio::test]
async fn killed_between_354_and_text() {
    dies_at("before-text:12", Script::new()).await;
}

#[tokio::test]
async fn killed_between_reply_and_outcome() {
    dies_at("answered:12", Script::new()).await;
}

#[tokio::test]
async fn killed_before_a_group_is_committed() {
    dies_at("group-before-commit:3", Script::new()).await;
}

#[tokio::test]
async fn killed_after_a_group_is_committed() {
    dies_at("group-after-commit:3", Script::new()).await;
}

#[tokio::test]
async fn killed_before_a_refusal_goes_back_to_wait() {
    // Fewer refusals than let a site rest: the rest would outlast the test.
    dies_at("before-retry", Script::new().on_some(".", 10, 3, Act::say("451 4.3.0 Try again later"))).await;
}

/// Killed from outside, when the relay has come to a certain point with one message.
async fn killed_while(script: Script, point: impl Fn(&crate::postbox::Log) -> bool) {
    let story = Story::of(script).await;
    story.app.publish(story.issue, 0).await.expect("can be published");
    let running = story.serve(None);
    story.postbox.wait_until("the point of death", point).await;
    drop(running);
    story.finish_and_check().await;
}

#[tokio::test]
async fn killed_in_the_middle_of_a_text() {
    let script = Script::new().on_some("TEXT", 9, 1, Act::Hang);
    killed_while(script, |log| log.mails.len() >= 40).await;
}

#[tokio::test]
async fn killed_after_the_dot_and_before_the_reply() {
    let script = Script::new().on_some(".", 9, 1, Act::Hang);
    killed_while(script, |log| log.mails.len() >= 40).await;
}

/// A test that is its own child: publishes what the environment names, and dies on the way.
#[tokio::test]
#[ignore = "is run as a child by the tests below"]
async fn a_child_that_publishes() {
    let folder = std::env::var("KILL_FOLDER").expect("is run as a child");
    let issue: IssueId = std::env::var("KILL_ISSUE").expect("is run as a child").parse().expect("an id");
    let config = broadsheet::config::Config { data: folder.into(), ..broadsheet::config::Config::default() };
    let app = broadsheet::verbs::start::open(config, Clock::System).await.expect("opens");
    let published = broadsheet::verbs::publish::freeze(&app, issue, 1, &crate::app::rendered(), 0).await;
    published.expect("can be published");
}

async fn publishing_dies_at(place: &str) {
    let story = Story::of(Script::new()).await;
    let mut command = Command::new(std::env::current_exe().expect("is a file"));
    command.args(["--exact", "kill::a_child_that_publishes", "--ignored"]);
    command.env("KILL_FOLDER", &story.app.folder).env("KILL_ISSUE", story.issue.to_string());
    command.env("BROADSHEET_FAILPOINT", place).stdout(Stdio::null()).stderr(Stdio::null());
    Process(command.spawn().expect("starts")).died().await;
    assert_eq!(story.app.issue(story.issue).await.state, IssueState::Draft, "half published");
    assert_eq!(story.app.counts(story.issue).await.total(), 0);
    story.app.publish(story.issue, 0).await.expect("again");
    story.finish_and_check().await;
}

#[tokio::test]
async fn killed_in_the_middle_of_publishing() {
    publishing_dies_at("publishing").await;
}

#[tokio::test]
async fn killed_when_the_audience_is_frozen_and_not_committed() {
    publishing_dies_at("frozen").await;
}

#[cfg(unix)]
#[tokio::test]
async fn asked_to_stop_it_ends_well_with_nothing_in_doubt() {
    let story = Story::of(Script::new()).await;
    story.app.publish(story.issue, 0).await.expect("can be published");
    let mut running = story.serve(None);
    story.postbox.wait_for(5).await;
    let pid = running.0.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().expect("runs").success());
    story.until("the process to end", async || running.0.try_wait().expect("can be asked").is_some()).await;
    assert!(running.0.wait().expect("has ended").success());
    let counts = story.app.counts(story.issue).await;
    assert_eq!((counts.claimed, counts.inflight, counts.in_doubt), (0, 0, 0));
    story.finish_and_check().await;
}

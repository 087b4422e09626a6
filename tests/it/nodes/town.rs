//! A house with one issue under way, a relay that tells the truth, and nodes that are processes.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use broadsheet::delivery::state::DeliveryState;
use broadsheet::store::delivery::{self, DeliveryRow};
use broadsheet::store::issue::IssueState;
use broadsheet::store::node;
use broadsheet::values::clock::Clock;
use broadsheet::values::ids::{EventId, IssueId, SubscriberId};

use crate::app::{Engine, NOW, TestApp};
use crate::faultsmtpd::Relay;

/// How often a test looks at what processes do that it cannot hear.
const LOOK: Duration = Duration::from_millis(50);
/// Looks before it gives up: three minutes, for machines that have other things to do.
const LOOKS_MAX: usize = 3_600;
/// What one death may leave in doubt: connections times window, as the configuration bounds it.
const DOUBT_A_DEATH_MAX: usize = 64;
/// In tests hearts beat faster; slower than a busy machine stumbles.
const HEARTBEAT_MS: u64 = 500;

pub(super) async fn eventually(what: &str, mut fits: impl AsyncFnMut() -> bool) {
    for _ in 0..LOOKS_MAX {
        if fits().await {
            return;
        }
        tokio::time::sleep(LOOK).await;
    }
    panic!("waited for {what}");
}

pub(super) struct Town {
    pub(super) app: TestApp,
    pub(super) url: String,
    pub(super) relay: Relay,
    pub(super) heartbeat_ms: u64,
    issue: IssueId,
    readers: usize,
}

impl Town {
    /// On the test server, in a schema of its own; its issue is published.
    pub(super) async fn of(readers: usize, rules: &[&str]) -> Self {
        Self::with(TestApp::at(Engine::Postgres, Clock::System).await, readers, rules).await
    }

    /// On another server.
    pub(super) async fn at(url: &str, readers: usize, rules: &[&str]) -> Self {
        let folder = std::env::temp_dir().join(format!("broadsheet_test_{}", EventId::new(NOW)));
        std::fs::create_dir_all(&folder).expect("a temporary folder");
        Self::with(TestApp::opened(url, Clock::System, folder).await, readers, rules).await
    }

    async fn with(app: TestApp, readers: usize, rules: &[&str]) -> Self {
        let relay = Relay::start(rules);
        let newsletter = app.newsletter(&format!("smtp://127.0.0.1:{}", relay.port)).await;
        app.readers(newsletter, readers).await;
        let issue = app.draft(newsletter).await;
        if readers > 0 {
            app.publish(issue, 0).await.expect("can be published");
        }
        Self { url: app.config.database.clone(), app, relay, heartbeat_ms: HEARTBEAT_MS, issue, readers }
    }

    /// A process that serves the house from the folder of that number.
    pub(super) fn node(&mut self, n: usize) -> Node {
        let url = self.url.clone();
        self.node_by(n, &url)
    }

    /// The same, with its own way to the database.
    pub(super) fn node_by(&mut self, n: usize, url: &str) -> Node {
        let folder = self.app.folder.join(format!("node-{n}"));
        std::fs::create_dir_all(&folder).expect("a folder");
        let log = folder.join("log");
        let said = File::options().create(true).append(true).open(&log).expect("a log");
        let mut command = Command::new(env!("CARGO_BIN_EXE_broadsheet"));
        command.arg("--data").arg(&folder).args(["serve", "--listen", "127.0.0.1:0"]);
        command.env("BROADSHEET_DATABASE", url).env("BROADSHEET_HEARTBEAT_MS", self.heartbeat_ms.to_string());
        command.env("BROADSHEET_PUBLIC_URL", "http://news.example").env("BROADSHEET_HOLD_SECONDS", "0");
        command.env("BROADSHEET_RETURN_DOMAIN", format!("node-{n}.example"));
        command.stdout(Stdio::null()).stderr(said);
        Node { child: command.spawn().expect("starts"), log }
    }

    pub(super) async fn until(&self, what: &str, mut fits: impl AsyncFnMut(&Self) -> bool) {
        for _ in 0..LOOKS_MAX {
            if fits(self).await {
                return;
            }
            tokio::time::sleep(LOOK).await;
        }
        let logs: Vec<_> = (0..3).map(|n| self.app.folder.join(format!("node-{n}/log"))).collect();
        let said: Vec<_> = logs.iter().filter_map(|log| std::fs::read_to_string(log).ok()).collect();
        panic!("waited for {what}; {:?}\n{}", self.app.counts(self.issue).await, said.join("\n--\n"));
    }

    pub(super) async fn until_taken(&self, many: usize) {
        self.until(&format!("{many} to be taken"), async |town| town.relay.accepted().len() >= many).await;
    }

    pub(super) async fn until_sent(&self) {
        self.until("the issue to be sent", async |town| {
            // A relay's rest after a hung conversation would be waited for.
            town.app.issue(town.issue).await.state == IssueState::Sent
        })
        .await;
    }

    /// Messages that the relay took from the node of that number.
    pub(super) fn taken_from(&self, n: usize) -> usize {
        let domain = format!("@node-{n}.example");
        self.relay.accepted().iter().filter(|accepted| accepted.from.ends_with(&domain)).count()
    }

    /// Deliveries that some node has in its hands.
    pub(super) async fn leased(&self) -> i64 {
        self.app.counts(self.issue).await.inflight
    }

    /// Process ids of the nodes that the database knows.
    pub(super) async fn pids(&self) -> Vec<i64> {
        let Ok(mut tx) = self.app.store.read().await else { return Vec::new() };
        node::all(&mut tx).await.expect("reads").into_iter().map(|node| node.pid).collect()
    }

    pub(super) async fn rows(&self) -> Vec<DeliveryRow> {
        let mut tx = self.app.store.read().await.expect("reads");
        delivery::page(&mut tx, self.issue, SubscriberId(0), None, 10_000).await.expect("reads")
    }

    /// Of a node that was taken for dead and came back, the ledger may learn one thing: how what it left in doubt
    /// ended, told under the very epoch of that try. Nothing else is different from `before`.
    pub(super) async fn check_since(&self, before: &[DeliveryRow]) {
        let after = self.rows().await;
        assert_eq!(after.len(), before.len());
        for (before, after) in before.iter().zip(&after).filter(|(before, after)| before != after) {
            let learns = before.state == DeliveryState::InDoubt && before.epoch == after.epoch;
            let ended = matches!(after.state, DeliveryState::Sent | DeliveryState::Failed);
            assert!(learns && ended, "a zombie wrote: {before:?} became {after:?}");
        }
    }

    /// Every reader's copies are what the ledger says, and no more is in doubt than `deaths` explain, with those of
    /// nodes that a busy machine made miss their beats.
    pub(super) async fn check(&self, deaths: usize, nodes: &[Node]) {
        let mut copies: BTreeMap<String, usize> = BTreeMap::new();
        for to in self.relay.accepted().into_iter().flat_map(|accepted| accepted.to) {
            *copies.entry(to).or_default() += 1;
        }
        let rows = self.rows().await;
        assert_eq!(rows.len(), self.readers);
        let mut in_doubt = 0;
        for row in rows {
            let got = copies.get(&row.address).copied().unwrap_or(0);
            in_doubt += usize::from(row.state == DeliveryState::InDoubt);
            let fine = match row.state {
                DeliveryState::Sent => got == 1,
                DeliveryState::InDoubt => got <= 1,
                _ => false,
            };
            assert!(fine, "{} is {} and got {got}", row.address, row.state.as_str());
        }
        let fenced: usize = nodes.iter().map(Node::deaths_it_saw).sum();
        println!("{} readers, {deaths} deaths, {fenced} by missed beats, {in_doubt} in doubt", self.readers);
        assert!(in_doubt <= (deaths + fenced) * DOUBT_A_DEATH_MAX, "{in_doubt} in doubt");
    }
}

/// A node's process; killed when dropped.
pub(super) struct Node {
    child: Child,
    log: PathBuf,
}

impl Node {
    pub(super) fn pid(&self) -> i64 {
        i64::from(self.child.id())
    }

    pub(super) fn signal(&self, which: &str) {
        let sent = Command::new("kill").args([which, &self.child.id().to_string()]).status().expect("can be run");
        assert!(sent.success(), "kill {which}");
    }

    /// As by SIGKILL.
    pub(super) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Asks it to stop, and waits until it has.
    pub(super) fn stop(&mut self) {
        self.signal("-TERM");
        let _ = self.child.wait();
    }

    /// How often it found that others had taken it for dead.
    fn deaths_it_saw(&self) -> usize {
        std::fs::read_to_string(&self.log).map_or(0, |log| log.matches("was taken for dead").count())
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill();
    }
}

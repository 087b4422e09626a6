//! Everything that can go wrong at a relay, at every step: what becomes of the readers, and what they got.
//!
//! The table `tests/matrix.txt` says what must be, in words of the protocol and not of our code. Each cell is a relay of its own that
//! fails in that way whenever it can, with three readers and one connection; then it is mended, and everything that
//! can go goes.

use std::time::Duration;

use broadsheet::delivery::counts::Counts;
use broadsheet::smtp::faults::{Faults, Handle, Options, Rule, Rules};
use broadsheet::store::issue::IssueState;
use broadsheet::values::address::Address;
use broadsheet::values::clock::{Clock, Millis};
use broadsheet::values::ids::{EventId, IssueId, NewsletterId};
use broadsheet::verbs::membership::{NewReader, add_reader};
use broadsheet::verbs::newsletters::{self, Wanted};
use broadsheet::verbs::{deliver, publish};
use tokio_util::sync::CancellationToken;

use crate::app::{Engine, NOW, TestApp, engines};

const READERS: i64 = 3;
/// A relay that never answers is waited for so long; a busy machine answers a friendly question within it.
const PATIENCE: Duration = Duration::from_secs(6);
const SEED: u64 = 1;

/// Actions, in the order of the columns.
const ACTIONS: [&str; 18] = [
    "reply(451,4.3.0 Later)",
    "reply(550,5.1.1 No such user)",
    "drop",
    "rst",
    "421drop",
    "delay(300)",
    "trickle(2)",
    "halfclose",
    "never",
    "garbage(60)",
    "multiline(30)",
    "longline(3000)",
    "utf8bad",
    "wrongcode",
    "doublereply",
    "slowread(40000)",
    "ehlo-without(PIPELINING)",
    "size(100)",
];

/// What must become of the readers, as data: see the head of the file.
fn table() -> Vec<(String, Vec<String>)> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/matrix.txt");
    let text = std::fs::read_to_string(path).expect("the table is there");
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    let row = |line: &str| {
        let mut words = line.split_whitespace().map(str::to_owned);
        (words.next().expect("a row has a name"), words.collect())
    };
    lines.map(row).collect()
}

/// Up to here the relay speaks to us and not about a reader, so nothing counts against anybody.
const OURS: [&str; 6] = ["connect", "banner", "ehlo", "starttls", "auth", "mail"];

struct Cell {
    name: String,
    phase: String,
    expected: String,
    issue: IssueId,
    relay: Handle,
    /// What the readers' rows said while the relay failed.
    then: String,
}

impl Cell {
    async fn new(app: &TestApp, phase: &str, action: &str, expected: &str, number: usize) -> Self {
        let name = format!("{phase}:{action}");
        let rule: Rule = name.parse().unwrap_or_else(|error| panic!("{error}"));
        let options =
            Options { pipelining: true, chunking: false, auth: true, truth: None, keep: None, clock: Clock::System };
        let address = "127.0.0.1:0".parse().expect("an address");
        let relay = Faults::bind(address, options, Rules::new(vec![rule], SEED)).await.expect("a port is free");
        let (handle, port) = (relay.handle(), relay.address().expect("it is bound").port());
        tokio::spawn(relay.run(CancellationToken::new()));
        let (user, tls) = match phase {
            "auth" => ("ines:secret@", "none"),
            "starttls" => ("", "starttls"),
            _ => ("", "none"),
        };
        let wanted = Wanted {
            name: name.clone(),
            slug: format!("cell-{number}"),
            from: "Ines <brief@tidewater.example>".into(),
            postal_address: "Quay House, Port Ellery".into(),
            zone: "Europe/Lisbon".into(),
            relay: Some(format!("smtp://{user}127.0.0.1:{port}?tls={tls}").parse().expect("is a relay")),
            ..Wanted::default()
        };
        let newsletter = newsletters::create(&app.app, wanted).await.expect("can be made").id;
        readers(app, newsletter, number).await;
        let issue = app.draft(newsletter).await;
        app.publish(issue, 0).await.expect("can be published");
        let (phase, expected) = (phase.to_owned(), expected.to_owned());
        Self { name, phase, expected, issue, relay: handle, then: String::new() }
    }

    /// Whether the fault is ours by the protocol, so that nothing may count against a reader. A relay that says
    /// everything twice is understood one step too late.
    fn is_ours(&self) -> bool {
        OURS.contains(&self.phase.as_str()) && !self.name.ends_with("doublereply")
    }

    /// What the rows say, in the letters of the table, before the relay is mended.
    async fn look(&mut self, app: &TestApp) {
        let counts = app.counts(self.issue).await;
        let taken = i64::try_from(self.relay.taken()).expect("is small");
        self.then = letter(&counts, taken).to_owned();
        let attempts: i64 = attempts(app, self.issue).await;
        if self.is_ours() && self.then == "A" && attempts > 0 {
            self.then = format!("A, and {attempts} tries were charged to readers");
        }
    }

    /// What is wrong in the end, if anything is.
    async fn judge(&self, app: &TestApp) -> Option<String> {
        let counts = app.counts(self.issue).await;
        let taken = i64::try_from(self.relay.taken()).expect("is small");
        let mended = match self.then.as_str() {
            // Mended or not, without a certificate there is no TLS: it waits.
            "A" if self.phase == "starttls" => counts.pending == READERS && taken == 0,
            "A" | "S" => counts.sent == READERS && taken == READERS,
            "L" => counts.sent == READERS && taken == 2 * READERS,
            "F" => counts.failed == READERS && taken == 0,
            "X" => counts.failed == READERS && taken == READERS,
            // After silence the site rests, so that the others are not in doubt too; they get it later.
            "D" => counts.in_doubt >= 1 && counts.in_doubt + counts.sent == READERS && taken == counts.sent,
            "T" => counts.in_doubt >= 1 && counts.in_doubt + counts.sent == READERS && taken == READERS,
            _ => false,
        };
        let expected = self.expected.split('/').any(|letter| letter == self.then);
        if expected && mended {
            return None;
        }
        let (Self { name, expected, then, .. }, issue) = (self, app.issue(self.issue).await);
        let state = format!("{:?} {}", issue.state, issue.state_reason);
        Some(format!("{name}: expected {expected}, was {then}; in the end {counts:?}, taken {taken}, {state}\n"))
    }
}

/// Each cell has readers of its own: an address that one relay calls unknown is written to by nobody any more.
async fn readers(app: &TestApp, newsletter: NewsletterId, cell: usize) {
    for n in 0..READERS {
        let new = NewReader {
            newsletter,
            address: Address::parse(&format!("reader{n}@cell{cell}.example")).expect("an address"),
            name: format!("Reader {n}"),
            consent: "said so at the fair".into(),
            by: "a test".into(),
            account: None,
        };
        add_reader(&app.app, new).await.expect("can be added");
    }
}

fn letter(counts: &Counts, taken: i64) -> &'static str {
    let all = |many: i64| many == READERS;
    let waits = counts.pending;
    match taken {
        _ if all(counts.sent) && all(taken) => "S",
        0 if all(waits) => "A",
        0 if all(counts.failed) => "F",
        0 if counts.in_doubt >= 1 && all(counts.in_doubt + waits) => "D",
        _ if all(waits) && all(taken) => "L",
        _ if all(counts.failed) && all(taken) => "X",
        _ if counts.in_doubt >= 1 && all(counts.in_doubt + waits) && taken == counts.in_doubt => "T",
        // Sent to some, and to be tried again for the others: the relay's mending decides.
        _ if all(waits + counts.sent) && taken == counts.sent => "A",
        _ => "?",
    }
}

async fn attempts(app: &TestApp, issue: IssueId) -> i64 {
    let mut tx = app.store.read().await.expect("reads");
    let none = broadsheet::values::ids::SubscriberId(0);
    let rows = broadsheet::store::delivery::page(&mut tx, issue, none, None, READERS).await.expect("reads");
    rows.iter().map(|row| row.attempts).sum()
}

async fn house(engine: Engine) -> TestApp {
    let folder = std::env::temp_dir().join(format!("broadsheet_matrix_{}", EventId::new(NOW)));
    TestApp::set_up(engine, Clock::fixed(NOW), folder, |config| {
        config.smtp_patience = Some(PATIENCE);
        config.connections_max = 1;
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_a_relay_does_nobody_is_lost_and_nobody_gets_two() {
    for engine in engines() {
        let app = house(engine).await;
        let mut cells = Vec::new();
        for (phase, row) in table() {
            assert_eq!(row.len(), ACTIONS.len(), "the row {phase} of the table");
            for (action, expected) in ACTIONS.into_iter().zip(&row) {
                if expected == "-" {
                    assert!(format!("{phase}:{action}").parse::<Rule>().is_err(), "{phase}:{action} exists");
                    continue;
                }
                cells.push(Cell::new(&app, &phase, action, expected, cells.len()).await);
            }
        }
        deliver::drain(&app).await.expect("drains");
        for cell in &mut cells {
            cell.look(&app).await;
            cell.relay.set_rules(Rules::new(Vec::new(), SEED));
        }
        // Rests of relays and pauses of rows are over by then.
        for _ in 0..4 {
            app.clock.advance(6 * Millis::HOUR);
            for cell in &cells {
                // Where every copy would be refused the issue waits for a person, who says go.
                if app.issue(cell.issue).await.state == IssueState::Paused {
                    publish::resume(&app, cell.issue).await.expect("can be resumed");
                }
            }
            deliver::drain(&app).await.expect("drains");
        }
        let mut told = String::new();
        for cell in &cells {
            told.push_str(&cell.judge(&app).await.unwrap_or_default());
        }
        assert!(told.is_empty(), "of {} cells on {engine:?} these differ\n{told}", cells.len());
        println!("{} cells on {engine:?}", cells.len());
    }
}

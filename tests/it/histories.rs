//! Random histories: crashes, pauses, lost and late replies, several nodes, readers who leave. First with the rules
//! alone, many thousands of steps; then the same rules against both databases, statement by statement.

mod model;
mod rows;

use broadsheet::delivery::reply::{Answer, Reply, Stage};
use broadsheet::delivery::state::DeliveryState;
use broadsheet::delivery::step::{Tried, step};
use broadsheet::store::issue::IssueState;
use broadsheet::values::clock::Millis;

use model::Model;

const READERS: usize = 14;
const NODES: usize = 3;
const STEPS: usize = 2_000;
const SEEDS: u64 = 200;
/// Copies that one node has on the wire at most.
const WINDOW: usize = 2;
const LEASE: i64 = 5 * Millis::MINUTE;
/// Every seed that fails is kept here. So far they are those at which rules broken on purpose showed first: a lease
/// taken back to pending, a mark without consent, an outcome under an old epoch.
const KEPT: [u64; 2] = [0xBAD_5EED, 33];

/// A small generator whose numbers depend on the seed and on nothing else.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, many: usize) -> usize {
        usize::try_from(self.next() % many as u64).expect("is below many")
    }

    fn part(&mut self) -> f64 {
        f64::from(u32::try_from(self.next() >> 32).expect("has 32 bits")) / f64::from(u32::MAX)
    }
}

/// One copy in a node's hands.
#[derive(Clone, Debug)]
struct Job {
    reader: usize,
    epoch: i64,
    tried: Tried,
    /// When its mark was committed.
    marked: Option<Millis>,
    /// What the relay answered, once the text has left.
    answer: Option<Answer>,
}

/// What the relay knows to be true, and what we may be asked about.
#[derive(Clone, Debug, Default)]
struct Truth {
    accepted: u32,
    /// A person said: once more.
    resent: u32,
    left_at: Option<Millis>,
    was_in_doubt: bool,
}

struct World {
    now: Millis,
    epoch: i64,
    model: Model,
    nodes: Vec<Vec<Job>>,
    truth: Vec<Truth>,
    /// Rows that crashes, lost replies and ended leases may have left in doubt.
    doubts_allowed: u32,
    doubts: u32,
}

fn reply(stage: Stage, code: u16, text: &str) -> Answer {
    Answer::Reply(Reply { stage, code, enhanced: None, text: text.into() })
}

impl World {
    fn new() -> Self {
        let now = Millis(1_000_000);
        Self {
            now,
            epoch: 0,
            model: Model::of(READERS, now),
            nodes: vec![Vec::new(); NODES],
            truth: vec![Truth::default(); READERS],
            doubts_allowed: 0,
            doubts: 0,
        }
    }

    fn claim(&mut self, node: usize, chance: &mut Chance) {
        let mut due = self.model.due(self.now);
        due.truncate(1 + chance.below(4));
        self.epoch += 1;
        for reader in self.model.claim(&due, self.epoch, self.now.plus(LEASE)) {
            let row = &self.model.rows[reader];
            let tried = Tried { attempts: row.attempts, first_at: row.first_at.unwrap_or(self.now), now: self.now };
            self.nodes[node].push(Job { reader, epoch: self.epoch, tried, marked: None, answer: None });
        }
    }

    /// One of a node's jobs goes one step on, or something happens to it.
    fn work(&mut self, node: usize, chance: &mut Chance) {
        if self.nodes[node].is_empty() {
            return self.claim(node, chance);
        }
        let at = chance.below(self.nodes[node].len());
        let job = self.nodes[node][at].clone();
        match (job.marked, job.answer.clone()) {
            (None, _) => self.begin(node, at, &job, chance),
            (Some(_), None) => self.text(node, at, &job, chance),
            (Some(_), Some(answer)) => self.answered(node, at, &job, &answer, chance),
        }
    }

    fn begin(&mut self, node: usize, at: usize, job: &Job, chance: &mut Chance) {
        let on_the_wire = self.nodes[node].iter().filter(|job| job.marked.is_some()).count();
        if chance.below(10) == 0 {
            self.nodes[node].remove(at);
            return self.model.release(job.reader, job.epoch, self.now);
        }
        if on_the_wire >= WINDOW {
            return;
        }
        if self.model.mark(job.reader, job.epoch, self.now.plus(LEASE), self.now) {
            self.nodes[node][at].marked = Some(self.now);
        } else {
            self.nodes[node].remove(at);
            self.model.release(job.reader, job.epoch, self.now);
        }
    }

    /// The bytes leave, unless the conversation breaks first; what the relay does is the truth.
    fn text(&mut self, node: usize, at: usize, job: &Job, chance: &mut Chance) {
        let before = |stage| Answer::Broken { stage, why: "closed".into() };
        let answer = match chance.below(12) {
            0 => before(Stage::Data),
            1 => before(Stage::MailFrom),
            2 => reply(Stage::RcptTo, 550, "no such user"),
            3 => reply(Stage::RcptTo, 450, "greylisted"),
            4 => reply(Stage::MailFrom, 421, "busy"),
            5 => reply(Stage::AfterDot, 451, "later"),
            6 => reply(Stage::AfterDot, 554, "looks like spam"),
            fate => {
                let truth = &mut self.truth[job.reader];
                let marked = job.marked.expect("was marked before its text");
                assert!(truth.left_at.is_none_or(|left| left > marked), "INV7: reader {} had left", job.reader);
                truth.accepted += u32::from(fate != 7);
                match fate {
                    7 | 8 => {
                        self.doubts_allowed += 1;
                        Answer::Unclear { why: "cut after the dot".into() }
                    }
                    _ => reply(Stage::AfterDot, 250, "queued"),
                }
            }
        };
        self.nodes[node][at].answer = Some(answer);
    }

    fn answered(&mut self, node: usize, at: usize, job: &Job, answer: &Answer, chance: &mut Chance) {
        self.nodes[node].remove(at);
        let (end, _) = step(Tried { now: self.now, ..job.tried }, answer, chance.part());
        let before = self.model.rows[job.reader].clone();
        let taken = self.model.settle(job.reader, job.epoch, &end);
        assert!(!taken || before.epoch == job.epoch, "INV10: an outcome under an old epoch");
        self.note_doubts();
    }

    /// A process dies with everything in its hands. The relay may have taken what had left; what was marked is the
    /// window, and in doubt when the lease is taken back.
    fn crash(&mut self, node: usize) {
        let lost = self.nodes[node].drain(..).filter(|job| job.marked.is_some()).count();
        assert!(lost <= WINDOW, "INV6: {lost} on the wire of one node");
        self.doubts_allowed += u32::try_from(lost).expect("is small");
    }

    /// Leases end: jobs that somebody still holds may be stale from here on.
    fn recover(&mut self) {
        let stale = |job: &&Job| job.marked.is_some_and(|marked| marked.plus(LEASE) <= self.now);
        let held = self.nodes.iter().flatten().filter(stale).count();
        self.doubts_allowed += u32::try_from(held).expect("is small");
        self.model.recover(self.now, self.now);
        self.note_doubts();
    }

    fn note_doubts(&mut self) {
        for (row, truth) in self.model.rows.iter().zip(&mut self.truth) {
            let in_doubt = row.state == DeliveryState::InDoubt;
            if in_doubt && !truth.was_in_doubt {
                self.doubts += 1;
            }
            truth.was_in_doubt = in_doubt;
        }
        assert!(self.doubts <= self.doubts_allowed, "INV6: {} in doubt of {}", self.doubts, self.doubts_allowed);
    }

    fn resend(&mut self, reader: usize) {
        if self.model.resend(reader, self.now) {
            self.truth[reader].resent += 1;
            self.truth[reader].was_in_doubt = false;
        }
    }

    /// The hours go by in all sizes; sometimes longer than any lease.
    fn wait(&mut self, chance: &mut Chance) {
        let most = [Millis::SECOND, Millis::MINUTE, 10 * Millis::MINUTE, 3 * Millis::HOUR][chance.below(4)];
        let many = usize::try_from(most).expect("is positive");
        self.now = self.now.plus(1 + i64::try_from(chance.below(many)).expect("fits"));
    }

    fn step(&mut self, chance: &mut Chance) {
        let (node, reader) = (chance.below(NODES), chance.below(READERS));
        match chance.below(100) {
            0..62 => self.work(node, chance),
            62..70 => self.claim(node, chance),
            70..80 => self.wait(chance),
            80..88 => self.recover(),
            88..92 => self.crash(node),
            92..94 if self.model.issue == IssueState::Sending => self.model.issue = IssueState::Paused,
            92..97 if self.model.issue == IssueState::Paused => self.model.issue = IssueState::Sending,
            97 => self.resend(reader),
            98 if chance.below(40) == 0 => {
                self.model.rows[reader].wanted = false;
                self.truth[reader].left_at.get_or_insert(self.now);
            }
            99 if chance.below(400) == 0 => self.model.cancel(),
            _ => {}
        }
        self.check();
    }

    fn check(&self) {
        assert_eq!(self.model.rows.len(), READERS, "INV2: rows = audience");
        for (n, (row, truth)) in self.model.rows.iter().zip(&self.truth).enumerate() {
            assert!(row.state != DeliveryState::Sent || truth.accepted >= 1, "INV4: {n} is sent and was not taken");
            let refused = row.state == DeliveryState::Failed && truth.resent == 0;
            assert!(!refused || truth.accepted == 0, "INV4: {n} failed and was taken");
            assert!(truth.accepted <= 1 + truth.resent, "INV5: {n} was taken {} times", truth.accepted);
        }
    }

    /// The faults end; everything must find its end.
    fn finish(&mut self, chance: &mut Chance) {
        for node in 0..NODES {
            self.crash(node);
        }
        if self.model.issue == IssueState::Paused {
            self.model.issue = IssueState::Sending;
        }
        for _ in 0..200_000 {
            if self.model.rows.iter().all(|row| row.state.is_settled()) {
                return;
            }
            let node = chance.below(NODES);
            match chance.below(8) {
                0 => self.wait(chance),
                1 => self.recover(),
                _ => self.work(node, chance),
            }
            self.check();
        }
        panic!("INV3: not finished: {:?}", self.model.rows);
    }
}

fn live(seed: u64) {
    let (mut world, mut chance) = (World::new(), Chance(seed));
    for _ in 0..STEPS {
        world.step(&mut chance);
        if world.model.rows.iter().all(|row| row.state.is_settled()) && chance.below(20) == 0 {
            world.finish(&mut chance);
            world = World::new();
        }
    }
    world.finish(&mut chance);
    assert!(world.model.due(Millis(i64::MAX)).is_empty(), "INV3: something is still due");
}

#[test]
fn no_history_loses_or_doubles_anybody() {
    for seed in KEPT.into_iter().chain(0..SEEDS) {
        let lived = std::panic::catch_unwind(|| live(seed));
        assert!(lived.is_ok(), "seed {seed} fails: keep it in KEPT and mend what it shows");
    }
}

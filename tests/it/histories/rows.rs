//! The same rules against the store's statements, on both engines: one random operation after the other, and after
//! each the rows must stand as the model says.

use broadsheet::audience::status::Status;
use broadsheet::delivery::outcome::Class;
use broadsheet::delivery::state::DeliveryState;
use broadsheet::delivery::step::{End, Note, Said};
use broadsheet::store::delivery::claim::{self, Claim};
use broadsheet::store::delivery::doubt;
use broadsheet::store::delivery::settle::{self, Settlement};
use broadsheet::store::issue::IssueState;
use broadsheet::store::{Tx, subscription};
use broadsheet::values::clock::Millis;
use broadsheet::values::ids::{IssueId, NewsletterId, SubscriberId};
use broadsheet::verbs::publish;

use super::model::Model;
use super::{Chance, LEASE};
use crate::app::{Engine, TestApp, engines};

const READERS: usize = 9;
const STEPS: usize = 150;
const SEEDS: u64 = 3;

struct Both {
    app: TestApp,
    newsletter: NewsletterId,
    issue: IssueId,
    readers: Vec<SubscriberId>,
    model: Model,
    /// Claims that somebody may still hold, or may have lost.
    held: Vec<(usize, i64)>,
    epoch: i64,
}

impl Both {
    async fn on(engine: Engine) -> Self {
        let app = TestApp::on(engine).await;
        let newsletter = app.newsletter("smtp://127.0.0.1:2525").await;
        let readers = app.readers(newsletter, READERS).await;
        let issue = app.draft(newsletter).await;
        app.publish(issue, 0).await.expect("can be published");
        let model = Model::of(READERS, app.clock.now());
        Self { app, newsletter, issue, readers, model, held: Vec::new(), epoch: 0 }
    }

    async fn tx(&self) -> Tx {
        self.app.store.write().await.expect("writes")
    }

    fn lease(&self) -> Millis {
        self.app.clock.now().plus(LEASE)
    }

    async fn claim(&mut self, limit: usize) {
        self.epoch += 1;
        let (issue, newsletter, epoch, lease_until) = (self.issue, self.newsletter, self.epoch, self.lease());
        let mut tx = self.tx().await;
        let order = Claim {
            issue,
            newsletter,
            relay: None,
            epoch,
            lease_until,
            limit: i64::try_from(limit).expect("is small"),
        };
        let (claimed, skipped) = claim::claim(&mut tx, order).await.expect("claims");
        tx.commit().await.expect("commits");
        let due = self.model.due(self.app.clock.now());
        assert_eq!(claimed.len() + skipped, due.len().min(limit), "as many as are due, up to the limit");
        // Which of several that are due alike come first is the database's choice; the model follows it.
        let mut picked = Vec::new();
        for &n in &due {
            let row = self.app.delivery(self.issue, self.readers[n]).await;
            if row.state == DeliveryState::Skipped || row.epoch == epoch {
                picked.push(n);
            }
        }
        let mine = self.model.claim(&picked, epoch, lease_until);
        assert_eq!(mine.len(), claimed.len());
        self.held.extend(mine.into_iter().map(|n| (n, epoch)));
    }

    async fn mark(&mut self, (n, epoch): (usize, i64)) {
        let (lease, who) = (self.lease(), [self.readers[n]]);
        let mut tx = self.tx().await;
        let marked = claim::mark(&mut tx, self.issue, epoch, lease, &who).await.expect("marks");
        tx.commit().await.expect("commits");
        let may = self.model.mark(n, epoch, lease, self.app.clock.now());
        assert_eq!(marked.len() == 1, may, "reader {n} under epoch {epoch}");
    }

    async fn settle(&mut self, (n, epoch): (usize, i64), to: DeliveryState) {
        let now = self.app.clock.now();
        let end = End {
            to,
            next_at: now.plus(Millis::MINUTE),
            tried: true,
            said: Said { stage: Some("after-dot"), code: Some(451), text: Some("later".into()) },
            reason: Some(Class::Transient.as_str().into()),
            hard: false,
            note: Note::default(),
        };
        let Said { stage, code, text } = end.said.clone();
        let (issue, subscriber, reason) = (self.issue, self.readers[n], end.reason.clone());
        let one =
            Settlement { issue, subscriber, epoch, to, next_at: end.next_at, tried: true, stage, code, text, reason };
        let mut tx = self.tx().await;
        let taken = settle::settle(&mut tx, &[one]).await.expect("settles");
        claim::sweep_cancelled(&mut tx).await.expect("sweeps");
        tx.commit().await.expect("commits");
        assert_eq!(taken == 1, self.model.settle(n, epoch, &end), "reader {n} under epoch {epoch} to {to:?}");
    }

    async fn release(&mut self, (n, epoch): (usize, i64)) {
        let mut tx = self.tx().await;
        claim::release(&mut tx, self.issue, epoch, &[self.readers[n]]).await.expect("releases");
        claim::sweep_cancelled(&mut tx).await.expect("sweeps");
        tx.commit().await.expect("commits");
        self.model.release(n, epoch, self.app.clock.now());
        self.model.sweep();
    }

    async fn recover(&mut self, ended: Millis) {
        let mut tx = self.tx().await;
        claim::recover(&mut tx, ended).await.expect("recovers");
        tx.commit().await.expect("commits");
        self.model.recover(ended, self.app.clock.now());
    }

    async fn leave(&mut self, n: usize) {
        let mut tx = self.tx().await;
        let gone = Status::Unsubscribed;
        subscription::end(&mut tx, self.newsletter, self.readers[n], gone, "test", None).await.expect("ends");
        tx.commit().await.expect("commits");
        self.model.rows[n].wanted = false;
    }

    async fn resend(&mut self, n: usize) {
        let may = matches!(self.model.issue, IssueState::Sending | IssueState::Paused);
        if may {
            let mut tx = self.tx().await;
            let sent = doubt::resend(&mut tx, self.issue, Some(&[self.readers[n]])).await.expect("resends").len();
            tx.commit().await.expect("commits");
            assert_eq!(sent == 1, self.model.resend(n, self.app.clock.now()), "reader {n}");
        }
    }

    async fn turn(&mut self) {
        let issue = self.issue;
        match self.model.issue {
            IssueState::Sending => {
                publish::pause(&self.app, issue, "test").await.expect("pauses");
                self.model.issue = IssueState::Paused;
            }
            IssueState::Paused => {
                publish::resume(&self.app, issue).await.expect("resumes");
                self.model.issue = IssueState::Sending;
            }
            _ => {}
        }
    }

    async fn cancel(&mut self) {
        if matches!(self.model.issue, IssueState::Sending | IssueState::Paused) {
            publish::cancel(&self.app, self.issue).await.expect("cancels");
            self.model.cancel();
        }
    }

    async fn step(&mut self, chance: &mut Chance) {
        let n = chance.below(READERS);
        let what = chance.below(100);
        let lately = (!self.held.is_empty()).then(|| self.held[chance.below(self.held.len())]);
        match (what, lately) {
            (0..18, _) => self.claim(1 + chance.below(5)).await,
            (18..42, Some(held)) => self.mark(held).await,
            (42..66, Some(held)) => {
                use DeliveryState::{Failed, InDoubt, Pending, Sent};
                let to = [Pending, Pending, Sent, Failed, InDoubt][chance.below(5)];
                // A claim that was never marked ends only as not made.
                let claimed = self.model.rows[held.0].state == DeliveryState::Claimed;
                self.settle(held, if claimed && matches!(to, Sent | InDoubt) { Pending } else { to }).await;
            }
            (66..70, Some(held)) => self.release(held).await,
            (70..78, _) => {
                let most = usize::try_from(2 * LEASE).expect("is positive");
                self.app.clock.advance(i64::try_from(chance.below(most)).expect("fits"));
            }
            (78..84, _) => self.recover(self.app.clock.now()).await,
            (84, _) => self.recover(Millis(i64::MAX)).await,
            (85..90, _) => self.turn().await,
            (90..96, _) => self.resend(n).await,
            (96..98, _) if chance.below(4) == 0 => self.leave(n).await,
            (98, _) if chance.below(8) == 0 => self.cancel().await,
            _ => {}
        }
    }

    async fn compare(&self, seed: u64, nth: usize) {
        for (n, mine) in self.model.rows.iter().enumerate() {
            let row = self.app.delivery(self.issue, self.readers[n]).await;
            let theirs = (row.state, row.attempts, row.epoch, row.first_at.map(Millis));
            assert_eq!(theirs, (mine.state, mine.attempts, mine.epoch, mine.first_at), "seed {seed}, step {nth}, {n}");
            if !mine.state.is_settled() {
                assert_eq!(row.next_at, mine.next_at.0, "seed {seed}, step {nth}, {n}");
            }
        }
        // Also checks that the states add up to the audience (INV2, INV11).
        self.app.counts(self.issue).await;
    }
}

#[tokio::test]
async fn the_statements_do_what_the_rules_say() {
    for engine in engines() {
        for seed in 0..SEEDS {
            let (mut both, mut chance) = (Both::on(engine).await, Chance(seed));
            for nth in 0..STEPS {
                both.step(&mut chance).await;
                both.compare(seed, nth).await;
            }
        }
    }
}

//! The ledger's promises, on both engines.

use broadsheet::audience::status::Status;
use broadsheet::delivery::state::DeliveryState;
use broadsheet::store::delivery::claim::{self, Claim, Claimed};
use broadsheet::store::delivery::doubt;
use broadsheet::store::delivery::settle::{self, Settlement};
use broadsheet::store::delivery::{self, freeze};
use broadsheet::store::issue::{self, IssueState, IssueText, Saved};
use broadsheet::store::letter::{self, LetterEnd, LetterKind, NewLetter};
use broadsheet::store::suppression::{self, Reason};
use broadsheet::store::{Tx, setting, subscription};
use broadsheet::values::clock::Millis;
use broadsheet::values::ids::{IssueId, NewsletterId, SubscriberId};
use broadsheet::verbs::publish::Published;

use crate::app::{Engine, NOW, TestApp, engines};

const LEASE: i64 = Millis::MINUTE;

struct Ledger {
    app: TestApp,
    newsletter: NewsletterId,
    readers: Vec<SubscriberId>,
    issue: IssueId,
}

impl Ledger {
    /// A published issue on that engine, its deliveries due.
    async fn of(engine: Engine, readers: usize) -> Self {
        let app = TestApp::on(engine).await;
        let newsletter = app.newsletter("smtp://127.0.0.1:2525").await;
        let readers = app.readers(newsletter, readers).await;
        let issue = app.draft(newsletter).await;
        app.publish(issue, 0).await.expect("can be published");
        Self { app, newsletter, readers, issue }
    }

    async fn tx(&self) -> Tx {
        self.app.store.write().await.expect("writes")
    }

    async fn claim(&self, epoch: i64, limit: i64) -> (Vec<Claimed>, usize) {
        let mut tx = self.tx().await;
        let lease_until = tx.now.plus(LEASE);
        let (issue, newsletter) = (self.issue, self.newsletter);
        let claimed = claim::claim(&mut tx, Claim { issue, newsletter, relay: None, epoch, lease_until, limit }).await;
        tx.commit().await.expect("commits");
        claimed.expect("claims")
    }

    async fn mark(&self, epoch: i64, who: &[SubscriberId]) -> Vec<SubscriberId> {
        let mut tx = self.tx().await;
        let lease = tx.now.plus(LEASE);
        let mut marked = claim::mark(&mut tx, self.issue, epoch, lease, who).await.expect("marks");
        tx.commit().await.expect("commits");
        marked.sort();
        marked
    }

    async fn settle(&self, epoch: i64, subscriber: SubscriberId, to: DeliveryState) -> u64 {
        let end = Settlement {
            issue: self.issue,
            subscriber,
            epoch,
            to,
            next_at: NOW.plus(Millis::HOUR),
            tried: true,
            stage: Some("after-dot"),
            code: Some(250),
            text: Some("2.0.0 Ok: “queued” as ' \\ \u{1F30A}".into()),
            reason: None,
        };
        let mut tx = self.tx().await;
        let taken = settle::settle(&mut tx, &[end]).await.expect("settles");
        tx.commit().await.expect("commits");
        taken
    }

    async fn state(&self, subscriber: SubscriberId) -> DeliveryState {
        self.app.delivery(self.issue, subscriber).await.state
    }
}

#[tokio::test]
async fn only_who_may_be_mailed_is_frozen() {
    for engine in engines() {
        let app = TestApp::on(engine).await;
        let newsletter = app.newsletter("smtp://127.0.0.1:2525").await;
        let readers = app.readers(newsletter, 8).await;
        let mut tx = app.store.write().await.expect("writes");
        for (who, status) in [(0, Status::Unsubscribed), (1, Status::Bounced), (2, Status::Complained)] {
            subscription::end(&mut tx, newsletter, readers[who], status, "test", None).await.expect("ends");
        }
        subscription::pause(&mut tx, newsletter, readers[3], Some(NOW.0 + 1)).await.expect("pauses");
        subscription::pause(&mut tx, newsletter, readers[4], Some(NOW.0)).await.expect("pauses");
        suppression::insert(&mut tx, "reader5@readers.example", Reason::Manual, "test").await.expect("suppresses");
        tx.commit().await.expect("commits");
        let issue = app.draft(newsletter).await;
        let published = app.publish(issue, 0).await.expect("can be published");
        assert_eq!(published, Published::Now { audience: 3, hold_until: NOW });
        let mut tx = app.store.read().await.expect("reads");
        assert_eq!(freeze::mailable(&mut tx, newsletter).await.expect("counts"), 3);
        let rows = delivery::page(&mut tx, issue, SubscriberId(0), None, 100).await.expect("reads");
        let got: Vec<SubscriberId> = rows.iter().map(|row| row.subscriber_id).collect();
        assert_eq!(got, [readers[4], readers[6], readers[7]]);
    }
}

#[tokio::test]
async fn a_claim_takes_each_row_once_and_skips_who_has_left() {
    for engine in engines() {
        let ledger = Ledger::of(engine, 6).await;
        let mut tx = ledger.tx().await;
        let gone = Status::Unsubscribed;
        subscription::end(&mut tx, ledger.newsletter, ledger.readers[0], gone, "test", None).await.expect("ends");
        suppression::insert(&mut tx, "reader1@readers.example", Reason::Complaint, "test").await.expect("suppresses");
        tx.commit().await.expect("commits");
        let (first, skipped) = ledger.claim(1, 4).await;
        assert_eq!((first.len(), skipped), (2, 2));
        let (second, _) = ledger.claim(2, 10).await;
        assert_eq!(second.len(), 2);
        assert!(ledger.claim(3, 10).await.0.is_empty());
        let row = ledger.app.delivery(ledger.issue, ledger.readers[1]).await;
        assert_eq!((row.state, row.reason.as_deref()), (DeliveryState::Skipped, Some("suppressed")));
        let counts = ledger.app.counts(ledger.issue).await;
        assert_eq!((counts.claimed, counts.skipped), (4, 2));
    }
}

#[tokio::test]
async fn a_mark_asks_again_whether_the_reader_is_wanted_and_the_issue_is_sending() {
    for engine in engines() {
        let ledger = Ledger::of(engine, 4).await;
        ledger.claim(1, 10).await;
        let mut tx = ledger.tx().await;
        let gone = Status::Unsubscribed;
        subscription::end(&mut tx, ledger.newsletter, ledger.readers[0], gone, "test", None).await.expect("ends");
        suppression::insert(&mut tx, "reader1@readers.example", Reason::Manual, "test").await.expect("suppresses");
        subscription::pause(&mut tx, ledger.newsletter, ledger.readers[2], Some(NOW.0 + 1)).await.expect("pauses");
        tx.commit().await.expect("commits");
        assert!(ledger.mark(2, &ledger.readers).await.is_empty(), "another epoch's claim");
        assert_eq!(ledger.mark(1, &ledger.readers).await, [ledger.readers[3]]);
        assert!(ledger.mark(1, &ledger.readers).await.is_empty(), "marked already");

        let paused = Ledger::of(engine, 1).await;
        paused.claim(1, 10).await;
        broadsheet::verbs::publish::pause(&paused.app, paused.issue, "wait").await.expect("may");
        assert!(paused.mark(1, &paused.readers).await.is_empty());
    }
}

#[tokio::test]
async fn an_outcome_under_an_old_lease_changes_nothing() {
    for engine in engines() {
        let ledger = Ledger::of(engine, 1).await;
        let who = ledger.readers[0];
        ledger.claim(1, 10).await;
        ledger.app.clock.advance(LEASE);
        let mut tx = ledger.tx().await;
        let now = tx.now;
        let found = claim::recover(&mut tx, now).await.expect("recovers");
        tx.commit().await.expect("commits");
        assert_eq!((found.released, found.in_doubt), (1, 0));
        ledger.claim(2, 10).await;
        assert_eq!(ledger.settle(1, who, DeliveryState::Failed).await, 0);
        assert_eq!(ledger.state(who).await, DeliveryState::Claimed);
        ledger.mark(2, &[who]).await;
        assert_eq!(ledger.settle(1, who, DeliveryState::Sent).await, 0);
        assert_eq!(ledger.settle(2, who, DeliveryState::Sent).await, 1);
        assert_eq!(ledger.settle(2, who, DeliveryState::Failed).await, 0, "sent stays sent");
        let row = ledger.app.delivery(ledger.issue, who).await;
        assert_eq!(row.reply_text.as_deref(), Some("2.0.0 Ok: “queued” as ' \\ \u{1F30A}"));
        assert_eq!((row.state, row.attempts, row.settled_at.is_some()), (DeliveryState::Sent, 1, true));
    }
}

#[tokio::test]
async fn what_was_in_flight_when_a_lease_ends_is_in_doubt_and_learns_only_the_truth() {
    for engine in engines() {
        let ledger = Ledger::of(engine, 2).await;
        let (one, two) = (ledger.readers[0], ledger.readers[1]);
        ledger.claim(1, 10).await;
        ledger.mark(1, &[one, two]).await;
        let mut tx = ledger.tx().await;
        let found = claim::recover(&mut tx, Millis(i64::MAX)).await.expect("recovers");
        tx.commit().await.expect("commits");
        assert_eq!((found.released, found.in_doubt), (0, 2));
        assert_eq!(ledger.settle(1, one, DeliveryState::Pending).await, 0, "a retry would be a second copy");
        assert_eq!(ledger.settle(1, one, DeliveryState::Sent).await, 1, "it was sent after all");
        let mut tx = ledger.tx().await;
        assert_eq!(doubt::resend(&mut tx, ledger.issue, Some(&[one, two])).await.expect("resends"), [two]);
        tx.commit().await.expect("commits");
        assert_eq!(ledger.state(two).await, DeliveryState::Pending);
        assert_eq!(ledger.settle(1, two, DeliveryState::Sent).await, 0, "it is to be sent anew");
    }
}

#[tokio::test]
async fn a_claim_given_back_counts_no_try_and_a_cancelled_one_is_skipped() {
    for engine in engines() {
        let ledger = Ledger::of(engine, 2).await;
        ledger.claim(1, 10).await;
        let mut tx = ledger.tx().await;
        claim::release(&mut tx, ledger.issue, 1, &ledger.readers[..1]).await.expect("releases");
        tx.commit().await.expect("commits");
        let row = ledger.app.delivery(ledger.issue, ledger.readers[0]).await;
        assert_eq!((row.state, row.attempts, row.next_at), (DeliveryState::Pending, 0, NOW.0));
        assert_eq!(broadsheet::verbs::publish::cancel(&ledger.app, ledger.issue).await.expect("may"), 1);
        let mut tx = ledger.tx().await;
        claim::release(&mut tx, ledger.issue, 1, &ledger.readers).await.expect("releases");
        claim::sweep_cancelled(&mut tx).await.expect("sweeps");
        tx.commit().await.expect("commits");
        assert_eq!(ledger.app.counts(ledger.issue).await.skipped, 2);
    }
}

#[tokio::test]
async fn an_issue_is_finished_only_when_no_row_is_unfinished() {
    for engine in engines() {
        let ledger = Ledger::of(engine, 2).await;
        let finish = async || {
            let mut tx = ledger.tx().await;
            let finished = issue::finish(&mut tx, ledger.issue).await.expect("finishes");
            tx.commit().await.expect("commits");
            finished
        };
        ledger.claim(1, 10).await;
        assert!(!finish().await, "two are claimed");
        ledger.mark(1, &ledger.readers).await;
        ledger.settle(1, ledger.readers[0], DeliveryState::Sent).await;
        assert!(!finish().await, "one is in flight");
        ledger.settle(1, ledger.readers[1], DeliveryState::Pending).await;
        assert!(!finish().await, "one is to be tried again");
        ledger.app.clock.advance(Millis::HOUR);
        ledger.claim(2, 10).await;
        ledger.settle(2, ledger.readers[1], DeliveryState::Failed).await;
        assert!(finish().await);
        assert!(!finish().await, "once");
        assert_eq!(ledger.app.issue(ledger.issue).await.state, IssueState::Sent);
        let mut tx = ledger.app.store.read().await.expect("reads");
        let attempts = delivery::attempts(&mut tx, ledger.issue, ledger.readers[1]).await.expect("reads");
        let outcomes: Vec<&str> = attempts.iter().map(|attempt| attempt.outcome.as_str()).collect();
        assert_eq!(outcomes, ["retry", "failed"]);
        assert_eq!(delivery::problems(&mut tx, ledger.issue, 10).await.expect("reads").len(), 2);
    }
}

#[tokio::test]
async fn a_save_from_an_old_revision_is_refused() {
    for engine in engines() {
        let app = TestApp::on(engine).await;
        let newsletter = app.newsletter("smtp://127.0.0.1:2525").await;
        app.readers(newsletter, 1).await;
        let id = app.draft(newsletter).await;
        let mut tx = app.store.write().await.expect("writes");
        let text = IssueText { slug: "low-tide".into(), source: "New.".into(), ..IssueText::default() };
        assert_eq!(issue::save(&mut tx, id, 1, &text).await.expect("saves"), Saved::As(2));
        assert_eq!(issue::save(&mut tx, id, 1, &text).await.expect("is told"), Saved::Stale);
        tx.commit().await.expect("commits");
        assert!(app.publish(id, 0).await.is_err(), "the first revision was rendered, the second is kept");
        let mut tx = app.store.write().await.expect("writes");
        assert!(issue::publish(&mut tx, id, 2).await.expect("publishes"));
        assert_eq!(issue::save(&mut tx, id, 2, &text).await.expect("is told"), Saved::Closed);
        let listed = issue::list(&mut tx, Some(newsletter), &[IssueState::Sending], 10).await.expect("lists");
        assert_eq!((listed.len(), listed[0].source.as_str()), (1, ""));
        assert!(issue::list(&mut tx, None, &[IssueState::Draft], 10).await.expect("lists").is_empty());
        assert!(issue::archive(&mut tx, newsletter, 10).await.expect("lists").is_empty(), "its ledger is not written");
        let due = tx.now;
        freeze::freeze(&mut tx, id, newsletter, due).await.expect("freezes");
        assert_eq!(issue::archive(&mut tx, newsletter, 10).await.expect("lists").len(), 1);
    }
}

#[tokio::test]
async fn a_confirmation_in_doubt_is_sent_once_more_and_a_notice_is_held() {
    for engine in engines() {
        let app = TestApp::on(engine).await;
        let newsletter = app.newsletter("smtp://127.0.0.1:2525").await;
        let mut tx = app.store.write().await.expect("writes");
        let mut ids = Vec::new();
        for kind in [LetterKind::Confirm, LetterKind::Notice] {
            let letter = NewLetter {
                kind,
                newsletter_id: newsletter,
                subscriber_id: None,
                address: "ann@readers.example".into(),
                return_path: "brief@tidewater.example".into(),
                message: b"Subject: hello\r\n\r\nHello.\r\n".to_vec(),
            };
            ids.push(letter::insert(&mut tx, &letter).await.expect("kept"));
        }
        for (round, wanted) in [(1, ["pending", "in_doubt"]), (2, ["in_doubt", "in_doubt"])] {
            let lease = tx.now.plus(LEASE);
            let claimed = letter::claim(&mut tx, None, round, lease, 10).await.expect("claims");
            for letter in claimed {
                assert!(letter::mark(&mut tx, letter.id, round, lease).await.expect("marks"));
                let end = LetterEnd {
                    id: letter.id,
                    epoch: round,
                    to: DeliveryState::InDoubt,
                    next_at: tx.now,
                    tried: true,
                    stage: Some("after-dot"),
                    code: None,
                    text: None,
                    reason: None,
                };
                assert!(letter::settle(&mut tx, &end).await.expect("settles"));
            }
            for (id, wanted) in ids.iter().zip(wanted) {
                let row = letter::by_id(&mut tx, *id).await.expect("reads").expect("is there");
                assert_eq!((row.state.as_str(), row.attempts), (wanted, row.attempts.max(1)), "round {round}");
            }
        }
        tx.commit().await.expect("commits");
    }
}

#[tokio::test]
async fn settings_are_kept_changed_and_forgotten() {
    for engine in engines() {
        let app = TestApp::on(engine).await;
        let mut tx = app.store.write().await.expect("writes");
        assert_eq!(setting::get(&mut tx, "x").await.expect("reads"), None);
        setting::set(&mut tx, "x", "1").await.expect("writes");
        setting::set(&mut tx, "x", "2").await.expect("writes");
        assert_eq!(setting::get(&mut tx, "x").await.expect("reads").as_deref(), Some("2"));
        assert!(setting::remove(&mut tx, "x").await.expect("writes"));
        assert!(!setting::remove(&mut tx, "x").await.expect("writes"));
    }
}

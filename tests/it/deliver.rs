//! Issues going out over real sockets, to a postbox that does what its script says.

use broadsheet::delivery::state::DeliveryState;
use broadsheet::store;
use broadsheet::store::issue::{IssueState, IssueText};
use broadsheet::store::letter::{LetterKind, NewLetter};
use broadsheet::values::clock::Millis;
use broadsheet::values::ids::{IssueId, NewsletterId, SubscriberId};
use broadsheet::verbs::doubt::{self, By};
use broadsheet::verbs::refusal::Refusal;
use broadsheet::verbs::{deliver, instance, publish};

use crate::app::{TestApp, engines};
use crate::postbox::{Act, Postbox, Script};

struct Story {
    app: TestApp,
    postbox: Postbox,
    newsletter: NewsletterId,
    readers: Vec<SubscriberId>,
    issue: IssueId,
}

impl Story {
    /// An issue published to so many readers, nothing held.
    async fn of(readers: usize, script: Script) -> Self {
        Self::held(readers, script, 0).await
    }

    async fn held(readers: usize, script: Script, hold_ms: i64) -> Self {
        let (app, postbox) = (TestApp::new().await, Postbox::start(script).await);
        Self::on(app, postbox, readers, hold_ms).await
    }

    async fn on(app: TestApp, postbox: Postbox, readers: usize, hold_ms: i64) -> Self {
        let newsletter = app.newsletter(&format!("smtp://127.0.0.1:{}", postbox.port())).await;
        let readers = app.readers(newsletter, readers).await;
        let issue = app.draft(newsletter).await;
        app.publish(issue, hold_ms).await.expect("can be published");
        Self { app, postbox, newsletter, readers, issue }
    }

    async fn drain(&self) {
        deliver::drain(&self.app).await.expect("drains");
    }

    /// Addresses that got it, sorted, one entry a copy.
    fn got(&self) -> Vec<String> {
        let mut got: Vec<String> = self.postbox.mails().into_iter().flat_map(|mail| mail.rcpt_to).collect();
        got.sort();
        got
    }

    fn everybody(&self) -> Vec<String> {
        let mut all: Vec<String> = (0..self.readers.len()).map(|n| format!("reader{n}@readers.example")).collect();
        all.sort();
        all
    }
}

#[tokio::test]
async fn everybody_gets_it_once_and_the_issue_is_sent() {
    for engine in engines() {
        let (app, postbox) = (TestApp::on(engine).await, Postbox::start(Script::new()).await);
        let story = Story::on(app, postbox, 60, 0).await;
        story.drain().await;
        assert_eq!(story.got(), story.everybody());
        let counts = story.app.counts(story.issue).await;
        assert_eq!((counts.sent, counts.unfinished()), (60, 0));
        assert_eq!(story.app.issue(story.issue).await.state, IssueState::Sent);
        let row = story.app.delivery(story.issue, story.readers[0]).await;
        assert_eq!((row.attempts, row.reply_code, row.stage.as_deref()), (1, Some(250), Some("after-dot")));
    }
}

#[tokio::test]
async fn a_message_carries_what_bulk_mail_must() {
    let story = Story::of(1, Script::new()).await;
    story.drain().await;
    let mail = &story.postbox.mails()[0];
    let text = String::from_utf8_lossy(&mail.bytes).into_owned();
    assert!(text.starts_with("DKIM-Signature:"), "{text}");
    for header in ["List-Unsubscribe: <http", "List-Unsubscribe-Post:", "Message-ID: <", "List-Id:", "Date:"] {
        assert!(text.contains(&format!("\r\n{header}")), "{header} is missing from\n{text}");
    }
    assert!(mail.mail_from.starts_with("b+") && mail.mail_from.ends_with("@bounce.example"), "{}", mail.mail_from);
}

#[tokio::test]
async fn a_4xx_is_tried_again_later_with_the_same_bytes() {
    let script = Script::new().on_some(".", 0, 1, Act::say("451 4.3.0 Try again later"));
    let story = Story::of(1, script).await;
    story.drain().await;
    let row = story.app.delivery(story.issue, story.readers[0]).await;
    assert_eq!((row.state, row.attempts, row.reply_code), (DeliveryState::Pending, 1, Some(451)));
    assert_eq!(story.app.issue(story.issue).await.state, IssueState::Sending);
    story.drain().await;
    assert!(story.got().is_empty(), "it was tried before its time");
    story.app.clock.advance(Millis::HOUR);
    story.drain().await;
    assert_eq!(story.got(), story.everybody());
    assert_eq!(story.app.issue(story.issue).await.state, IssueState::Sent);
    let mut tx = story.app.store.read().await.expect("reads");
    let attempts = store::delivery::attempts(&mut tx, story.issue, story.readers[0]).await.expect("reads");
    assert_eq!((attempts.len(), attempts[0].outcome.as_str()), (1, "retry"));
}

#[tokio::test]
async fn a_4xx_for_three_days_fails() {
    let story = Story::of(1, Script::new().on("RCPT", Act::say("450 4.2.0 Greylisted"))).await;
    for _ in 0..40 {
        story.drain().await;
        story.app.clock.advance(5 * Millis::HOUR);
    }
    let row = story.app.delivery(story.issue, story.readers[0]).await;
    assert_eq!((row.state, row.reason.as_deref()), (DeliveryState::Failed, Some("expired")));
    assert_eq!(story.app.issue(story.issue).await.state, IssueState::Sent);
}

#[tokio::test]
async fn an_unknown_mailbox_fails_bounces_and_is_never_mailed_again() {
    let script = Script::new().on("RCPT TO:<reader1@", Act::say("550 5.1.1 No such user"));
    let story = Story::of(3, script).await;
    story.drain().await;
    let counts = story.app.counts(story.issue).await;
    assert_eq!((counts.sent, counts.failed), (2, 1));
    let row = story.app.delivery(story.issue, story.readers[1]).await;
    assert_eq!((row.reply_code, row.stage.as_deref()), (Some(550), Some("rcpt-to")));
    let next = story.app.draft(story.newsletter).await;
    story.app.publish(next, 0).await.expect("can be published");
    assert_eq!(story.app.counts(next).await.audience, 2);
    let problems = broadsheet::verbs::progress::problems(&story.app, story.issue, 10).await.expect("reads");
    assert_eq!((problems.len(), problems[0].outcome.as_str()), (1, "failed"));
}

#[tokio::test]
async fn a_connection_that_ends_after_the_dot_leaves_a_row_in_doubt_until_somebody_says_resend() {
    let story = Story::of(5, Script::new().on_some(".", 2, 1, Act::Close)).await;
    story.drain().await;
    let counts = story.app.counts(story.issue).await;
    assert_eq!((counts.sent, counts.in_doubt), (4, 1));
    assert_eq!(story.app.issue(story.issue).await.state, IssueState::Sent);
    let by = By { account: None, name: "Ines".into() };
    assert_eq!(doubt::resend(&story.app, story.issue, None, &by).await.expect("may"), 1);
    story.drain().await;
    assert_eq!(story.app.counts(story.issue).await.sent, 5);
    assert_eq!(story.app.issue(story.issue).await.state, IssueState::Sent);
    assert_eq!(story.got().len(), 6, "the one in doubt had been kept, and was sent again by hand");
}

#[tokio::test]
async fn a_421_in_the_middle_loses_and_doubles_nobody() {
    let script = Script::new().on_some("MAIL", 3, 2, Act::Last(b"421 4.3.2 Closing\r\n".to_vec()));
    let story = Story::of(30, script).await;
    for _ in 0..5 {
        story.drain().await;
        story.app.clock.advance(Millis::HOUR);
    }
    assert_eq!(story.got(), story.everybody());
    assert_eq!(story.app.counts(story.issue).await.sent, 30);
}

#[tokio::test]
async fn a_relay_that_is_down_rests_and_touches_no_reader() {
    let gone = Postbox::start(Script::new()).await;
    let port = gone.port();
    drop(gone);
    let app = TestApp::new().await;
    let newsletter = app.newsletter(&format!("smtp://127.0.0.1:{port}")).await;
    app.readers(newsletter, 10).await;
    let issue = app.draft(newsletter).await;
    app.publish(issue, 0).await.expect("can be published");
    deliver::drain(&app).await.expect("drains");
    let counts = app.counts(issue).await;
    assert_eq!((counts.pending, counts.unfinished()), (10, 10));
    let progress = broadsheet::verbs::progress::status(&app, issue).await.expect("reads").expect("is there");
    assert!(progress.relay_paused_until.is_some_and(|until| until > app.clock.now()), "{progress:?}");
    assert!(progress.relay_paused_reason.is_some_and(|why| why.starts_with("connect:")));
}

#[tokio::test]
async fn a_wrong_password_rests_the_relay_and_the_right_one_goes_on_at_once() {
    let postbox = Postbox::start(Script::new().offering(&["PIPELINING", "AUTH PLAIN"]).on_some(
        "AUTH",
        0,
        1,
        Act::say("535 5.7.8 Wrong"),
    ))
    .await;
    let app = TestApp::new().await;
    let newsletter = app.newsletter(&format!("smtp://ines:secret@127.0.0.1:{}", postbox.port())).await;
    app.readers(newsletter, 4).await;
    let issue = app.draft(newsletter).await;
    app.publish(issue, 0).await.expect("can be published");
    deliver::drain(&app).await.expect("drains");
    let row = app.counts(issue).await;
    // Connections beside the refused one may have got in before the relay was told to rest.
    assert_eq!(row.failed + row.in_doubt + row.skipped, 0);
    app.clock.advance(Millis::HOUR);
    deliver::drain(&app).await.expect("drains");
    assert_eq!(app.counts(issue).await.sent, 4);
    let mut tx = app.store.read().await.expect("reads");
    let relay = &store::relay::all(&mut tx).await.expect("reads")[0];
    assert_eq!((relay.faults, relay.paused_until), (0, None));
}

#[tokio::test]
async fn who_leaves_before_it_is_claimed_gets_nothing() {
    let story = Story::held(4, Script::new(), Millis::MINUTE).await;
    let (gone, who) = (story.newsletter, story.readers[2]);
    broadsheet::verbs::membership::unsubscribe_by_editor(&story.app, gone, who, None).await.expect("may leave");
    story.app.clock.advance(Millis::MINUTE);
    story.drain().await;
    let counts = story.app.counts(story.issue).await;
    assert_eq!((counts.sent, counts.skipped), (3, 1));
    let row = story.app.delivery(story.issue, who).await;
    assert_eq!(row.reason.as_deref(), Some("unsubscribed"));
    assert!(!story.got().contains(&"reader2@readers.example".to_owned()));
}

#[tokio::test]
async fn who_leaves_in_the_last_moment_gets_nothing_either() {
    let story = Story::of(1, Script::new()).await;
    // What a verb does after its commit; the rows alone are asked at the mark, this is asked at the dot.
    story.app.departed.add(story.newsletter, story.readers[0]);
    let engine = tokio::spawn(deliver::run(story.app.app.clone()));
    let mut changes = story.app.changed.subscribe();
    while story.app.delivery(story.issue, story.readers[0]).await.epoch == 0 {
        changes.recv().await.expect("the engine works");
    }
    broadsheet::verbs::membership::unsubscribe_by_editor(&story.app, story.newsletter, story.readers[0], None)
        .await
        .expect("may leave");
    while story.app.issue(story.issue).await.state != IssueState::Sent {
        changes.recv().await.expect("the engine works");
    }
    story.app.stop.cancel();
    engine.await.expect("ends").expect("well");
    assert!(story.got().is_empty());
    assert_eq!(story.app.counts(story.issue).await.skipped, 1);
}

#[tokio::test]
async fn nothing_leaves_before_the_hold_is_over_and_until_then_it_can_be_undone() {
    let story = Story::held(3, Script::new(), Millis::MINUTE).await;
    story.drain().await;
    assert!(story.got().is_empty());
    publish::undo(&story.app, story.issue).await.expect("in time");
    let row = story.app.issue(story.issue).await;
    assert_eq!((row.state, row.audience, row.hold_until), (IssueState::Draft, 0, None));
    assert_eq!(story.app.counts(story.issue).await.total(), 0);
    story.app.clock.advance(Millis::HOUR);
    story.drain().await;
    assert!(story.got().is_empty());
    story.app.publish(story.issue, 0).await.expect("again");
    story.drain().await;
    assert_eq!(story.got(), story.everybody());
    assert!(publish::undo(&story.app, story.issue).await.is_err(), "too late");
}

#[tokio::test]
async fn a_paused_issue_waits_and_goes_on() {
    let story = Story::of(3, Script::new()).await;
    publish::pause(&story.app, story.issue, "a mistake in the second story").await.expect("may");
    story.drain().await;
    assert!(story.got().is_empty());
    publish::resume(&story.app, story.issue).await.expect("may");
    story.drain().await;
    assert_eq!(story.got(), story.everybody());
}

#[tokio::test]
async fn a_cancelled_issue_skips_the_rest() {
    let story = Story::of(6, Script::new().on("RCPT TO:<reader", Act::say("450 4.2.0 Later"))).await;
    story.drain().await;
    assert_eq!(publish::cancel(&story.app, story.issue).await.expect("may"), 6);
    story.app.clock.advance(Millis::DAY);
    story.drain().await;
    assert!(story.got().is_empty());
    assert_eq!(story.app.counts(story.issue).await.skipped, 6);
    assert_eq!(story.app.issue(story.issue).await.state, IssueState::Cancelled);
}

#[tokio::test]
async fn two_who_publish_at_once_publish_once() {
    for engine in engines() {
        let app = TestApp::on(engine).await;
        let newsletter = app.newsletter("smtp://127.0.0.1:2525").await;
        app.readers(newsletter, 50).await;
        let issue = app.draft(newsletter).await;
        let (one, two) = tokio::join!(app.publish(issue, 0), app.publish(issue, 0));
        let (one, two) = (one.expect("is fine"), two.expect("is fine"));
        assert_ne!(one == publish::Published::Already, two == publish::Published::Already);
        assert_eq!(app.counts(issue).await.pending, 50);
    }
}

#[tokio::test]
async fn a_stop_in_the_middle_leaves_nothing_claimed_or_in_doubt() {
    let story = Story::of(300, Script::new()).await;
    let engine = tokio::spawn(deliver::run(story.app.app.clone()));
    story.postbox.wait_for(20).await;
    story.app.stop.cancel();
    engine.await.expect("ends").expect("well");
    let counts = story.app.counts(story.issue).await;
    assert_eq!((counts.claimed, counts.inflight, counts.in_doubt), (0, 0, 0));
    assert_eq!(counts.sent, i64::try_from(story.postbox.mails().len()).expect("few"));
    assert_eq!(counts.sent + counts.pending, 300);
}

#[tokio::test]
async fn what_the_checks_let_pass_is_rendered_and_sent() {
    let story = Story::held(2, Script::new(), Millis::HOUR).await;
    let issue = story.app.draft(story.newsletter).await;
    publish::send(&story.app, issue, 0).await.expect("can be sent");
    story.drain().await;
    assert_eq!(story.got(), story.everybody());
    assert!(String::from_utf8_lossy(&story.postbox.mails()[0].bytes).contains("A boat on the sand"));
}

#[tokio::test]
async fn what_the_checks_block_is_not_sent() {
    let story = Story::held(2, Script::new(), Millis::HOUR).await;
    let issue = story.app.draft(story.newsletter).await;
    let mut tx = story.app.store.write().await.expect("writes");
    let text = IssueText { slug: "no-subject".into(), source: "Hello.".into(), ..IssueText::default() };
    store::issue::save(&mut tx, issue, 1, &text).await.expect("saves");
    tx.commit().await.expect("commits");
    let refused = publish::send(&story.app, issue, 0).await.expect_err("has no subject");
    let refusal: Option<&Refusal> = refused.downcast_ref();
    assert!(matches!(refusal, Some(Refusal::Blocked(findings)) if !findings.is_empty()), "{refused:#}");
    assert_eq!(story.app.issue(issue).await.state, IssueState::Draft);
}

#[tokio::test]
async fn a_letter_is_signed_and_tried_again_beside_an_issue() {
    for engine in engines() {
        let script = Script::new().on_some("RCPT TO:<ann@", 0, 1, Act::say("450 4.2.0 Greylisted"));
        let (app, postbox) = (TestApp::on(engine).await, Postbox::start(script).await);
        let story = Story::on(app, postbox, 20, 0).await;
        let mut tx = story.app.store.write().await.expect("writes");
        let letter = NewLetter {
            kind: LetterKind::Confirm,
            newsletter_id: story.newsletter,
            subscriber_id: None,
            address: "ann@readers.example".into(),
            return_path: "brief@tidewater.example".into(),
            message: b"From: brief@tidewater.example\r\nSubject: Please confirm\r\n\r\nYes?\r\n".to_vec(),
        };
        let id = store::letter::insert(&mut tx, &letter).await.expect("kept");
        tx.commit().await.expect("commits");
        story.drain().await;
        story.app.clock.advance(Millis::HOUR);
        story.drain().await;
        let mail = story.postbox.mails().into_iter().find(|mail| mail.rcpt_to == ["ann@readers.example"]);
        assert!(mail.expect("it went").bytes.starts_with(b"DKIM-Signature:"));
        let mut tx = story.app.store.read().await.expect("reads");
        let row = store::letter::by_id(&mut tx, id).await.expect("reads").expect("is there");
        assert_eq!((row.state.as_str(), row.attempts, row.reply_code), ("sent", 2, Some(250)));
    }
}

#[tokio::test]
async fn a_backup_put_back_sends_nothing_until_somebody_says_go() {
    let story = Story::of(5, Script::new()).await;
    assert_eq!(instance::check(&story.app).await.expect("can be checked"), None);
    let mut tx = story.app.store.read().await.expect("reads");
    let then = store::setting::get(&mut tx, "instance").await.expect("reads").expect("is kept");
    drop(tx);
    instance::advance(&story.app).await.expect("steps on");
    let mut tx = story.app.store.write().await.expect("writes");
    store::setting::set(&mut tx, "instance", &then).await.expect("writes");
    tx.commit().await.expect("commits");
    let why = instance::check(&story.app).await.expect("can be checked");
    assert!(why.is_some_and(|why| why.contains("nothing is sent")));
    story.drain().await;
    assert!(story.got().is_empty());
    instance::go_ahead(&story.app).await.expect("may");
    story.drain().await;
    assert_eq!(story.got(), story.everybody());
}

/// What the relay does with a message, drawn at random.
fn acts() -> impl proptest::strategy::Strategy<Value = Vec<(usize, &'static str, usize)>> {
    let places = proptest::sample::select(vec!["MAIL", "RCPT", "DATA", "."]);
    proptest::collection::vec((0_usize..40, places, 0_usize..6), 0..10)
}

fn act(kind: usize) -> Act {
    match kind {
        0 => Act::say("451 4.3.0 Not now"),
        1 => Act::say("550 5.1.1 No such user"),
        2 => Act::Last(b"421 4.3.2 Closing\r\n".to_vec()),
        3 => Act::Close,
        4 => Act::say("452 4.2.2 Mailbox full"),
        _ => Act::say("554 5.7.1 Looks like spam"),
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig { cases: 12, ..Default::default() })]
    #[test]
    fn whatever_the_relay_does_the_counts_add_up_and_nobody_gets_two(script in acts()) {
        let runtime = tokio::runtime::Runtime::new().expect("starts");
        runtime.block_on(async {
            let script = script.iter().fold(Script::new(), |script, (skip, at, kind)| script.on_some(at, *skip, 1, act(*kind)));
            let story = Story::of(30, script).await;
            for _ in 0..60 {
                story.drain().await;
                // Adds up at every moment; `counts` checks it.
                if story.app.counts(story.issue).await.unfinished() == 0 {
                    break;
                }
                story.app.clock.advance(2 * Millis::HOUR);
            }
            assert_eq!(story.app.issue(story.issue).await.state, IssueState::Sent);
            let got = story.got();
            for (n, reader) in story.readers.iter().enumerate() {
                let address = format!("reader{n}@readers.example");
                let copies = got.iter().filter(|to| **to == address).count();
                match story.app.delivery(story.issue, *reader).await.state {
                    DeliveryState::Sent => assert_eq!(copies, 1, "{address}"),
                    DeliveryState::InDoubt => assert!(copies <= 1, "{address}"),
                    DeliveryState::Failed | DeliveryState::Skipped => assert_eq!(copies, 0, "{address}"),
                    other => panic!("{address} is still {}", other.as_str()),
                }
            }
        });
    }
}

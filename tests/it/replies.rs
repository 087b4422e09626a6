//! Answers that are not 250, over real sockets: whose fault they are, who stops, and who is not harmed.

use broadsheet::delivery::state::DeliveryState;
use broadsheet::store::issue::{IssueRow, IssueState, IssueText, Saved};
use broadsheet::values::clock::Millis;
use broadsheet::values::ids::{IssueId, NewsletterId, SubscriberId};
use broadsheet::verbs::{deliver, progress, publish};

use crate::app::TestApp;
use crate::postbox::{Act, Postbox, Script};

struct Story {
    app: TestApp,
    postbox: Postbox,
    newsletter: NewsletterId,
    readers: Vec<SubscriberId>,
    issue: IssueId,
}

impl Story {
    async fn of(readers: usize, script: Script) -> Self {
        let (app, postbox) = (TestApp::new().await, Postbox::start(script).await);
        let newsletter = app.newsletter(&format!("smtp://127.0.0.1:{}", postbox.port())).await;
        let readers = app.readers(newsletter, readers).await;
        let issue = app.draft(newsletter).await;
        app.publish(issue, 0).await.expect("can be published");
        Self { app, postbox, newsletter, readers, issue }
    }

    async fn drain(&self) -> IssueRow {
        deliver::drain(&self.app).await.expect("drains");
        self.app.issue(self.issue).await
    }

    async fn next_issue(&self) -> IssueId {
        let issue = self.app.draft(self.newsletter).await;
        self.app.publish(issue, 0).await.expect("can be published");
        deliver::drain(&self.app).await.expect("drains");
        issue
    }

    async fn relay_rests(&self) -> Option<String> {
        let progress = progress::status(&self.app, self.issue).await.expect("reads").expect("is there");
        progress.relay_paused_until.filter(|until| *until > self.app.clock.now()).and(progress.relay_paused_reason)
    }
}

#[tokio::test]
async fn twenty_refused_for_what_they_say_pause_the_issue_and_resuming_counts_anew() {
    let story = Story::of(120, Script::new().on(".", Act::say("554 5.7.1 This looks like spam"))).await;
    let row = story.drain().await;
    assert_eq!(row.state, IssueState::Paused);
    assert!(row.state_reason.contains("for what they say") && row.state_reason.contains("554"), "{}", row.state_reason);
    let first = story.app.counts(story.issue).await;
    assert!(first.failed >= 20 && first.pending > 0, "{first:?}");
    publish::resume(&story.app, story.issue).await.expect("may");
    let row = story.drain().await;
    let second = story.app.counts(story.issue).await;
    assert_eq!(row.state, IssueState::Paused);
    assert!(second.failed >= first.failed + 20, "old numbers counted again: {first:?} {second:?}");
    assert_eq!(second.failed + second.pending, 120, "{second:?}");
}

#[tokio::test]
async fn a_relay_that_takes_less_than_the_message_pauses_the_issue_and_fails_nobody() {
    for script in [
        Script::new().offering(&["PIPELINING", "SIZE 200"]),
        Script::new().on("MAIL", Act::say("552 5.3.4 Message size exceeds fixed limit")),
        Script::new().on(".", Act::say("552 5.3.4 Message too big")),
    ] {
        let story = Story::of(6, script).await;
        let row = story.drain().await;
        assert_eq!(row.state, IssueState::Paused);
        assert!(row.state_reason.contains("bigger than the relay takes"), "{}", row.state_reason);
        let counts = story.app.counts(story.issue).await;
        assert_eq!((counts.pending, counts.failed), (6, 0), "{counts:?}");
        assert_eq!(story.relay_rests().await, None);
    }
}

#[tokio::test]
async fn a_refused_sender_pauses_its_issue_and_the_relay_does_not_rest() {
    let refused = Act::say("553 5.1.8 Sender address does not exist");
    let story = Story::of(40, Script::new().on("MAIL FROM:<b+", refused)).await;
    let mut row = story.drain().await;
    for _ in 0..5 {
        if row.state == IssueState::Paused {
            break;
        }
        story.app.clock.advance(10 * Millis::MINUTE);
        row = story.drain().await;
    }
    assert_eq!(row.state, IssueState::Paused);
    assert!(row.state_reason.contains("SPF, DKIM and DMARC"), "{}", row.state_reason);
    let counts = story.app.counts(story.issue).await;
    assert_eq!((counts.pending, counts.failed), (40, 0));
    assert_eq!(story.relay_rests().await, None, "the relay is there for others");
}

#[tokio::test]
async fn access_denied_is_hard_on_the_second_issue_and_not_on_the_first() {
    let denied = "550 5.4.1 Recipient address rejected: Access denied. AS(201806281)";
    let story = Story::of(3, Script::new().on("RCPT TO:<reader1@", Act::say(denied))).await;
    story.drain().await;
    let row = story.app.delivery(story.issue, story.readers[1]).await;
    assert_eq!((row.state, row.reason.as_deref()), (DeliveryState::Failed, Some("access-denied")));
    let second = story.next_issue().await;
    assert_eq!(story.app.counts(second).await.audience, 3, "once is no proof");
    let third = story.next_issue().await;
    assert_eq!(story.app.counts(third).await.audience, 2);
}

#[tokio::test]
async fn a_relay_that_wants_tls_or_a_login_rests_with_the_reason_and_no_row_fails() {
    for (at, line, reason) in [
        ("MAIL", "530 5.7.0 Must issue a STARTTLS command first", "STARTTLS"),
        ("MAIL", "530 5.7.0 Authentication required", "Authentication"),
        ("CONNECT", "554 5.3.2 No SMTP service here", "No SMTP"),
        ("EHLO", "501 5.5.4 HELO/EHLO argument invalid", "argument"),
    ] {
        let story = Story::of(4, Script::new().on(at, Act::say(line))).await;
        assert_eq!(story.drain().await.state, IssueState::Sending, "{line}");
        let counts = story.app.counts(story.issue).await;
        assert_eq!((counts.pending, counts.failed, counts.in_doubt), (4, 0, 0), "{line}");
        let rests = story.relay_rests().await;
        assert!(rests.as_deref().is_some_and(|why| why.contains(reason)), "{line}: {rests:?}");
    }
}

/// What a relay may say that is no SMTP: before the dot nothing was delivered and it is tried again; after it, only a
/// clear 250 is sent, and everything unclear is held.
#[tokio::test]
async fn nonsense_before_the_dot_is_tried_again_and_after_it_is_in_doubt() {
    use DeliveryState::{InDoubt, Pending, Sent};
    let many_lines = format!("{}250 2.1.5 Ok\r\n", "250-2.1.5 more\r\n".repeat(10_000));
    let cases: [(&str, Act, &[DeliveryState]); 11] = [
        ("CONNECT", Act::Raw(b"220 a\r\n220 b\r\n".to_vec()), &[Pending]),
        ("CONNECT", Act::say("hello"), &[Pending]),
        ("DATA", Act::say("250 Ok"), &[Pending]),
        ("RCPT", Act::say("999 what"), &[Pending]),
        ("RCPT", Act::Raw(many_lines.into_bytes()), &[Pending, Sent]),
        (".", Act::say("354 Go on"), &[InDoubt]),
        (".", Act::say("999 what"), &[InDoubt]),
        (".", Act::say("hello"), &[InDoubt]),
        (".", Act::Last(b"250 2.0.0 Ok".to_vec()), &[InDoubt]),
        (".", Act::Raw(b"250 \xff\xfe kept\r\n".to_vec()), &[Sent]),
        (".", Act::Raw(b"250 kept\r\n250 kept again\r\n".to_vec()), &[Sent]),
    ];
    for (at, act, wanted) in cases {
        let story = Story::of(1, Script::new().on_some(at, 0, 1, act.clone())).await;
        story.drain().await;
        let row = story.app.delivery(story.issue, story.readers[0]).await;
        assert!(wanted.contains(&row.state), "{at} {act:?}: {row:?}");
        assert!(row.state != Pending || story.postbox.mails().is_empty(), "{at} {act:?} was delivered");
    }
}

#[tokio::test]
async fn one_refused_one_full_and_a_421_harm_nobody_else() {
    let script = Script::new()
        .on("RCPT TO:<reader1@", Act::say("550 5.1.1 No such user"))
        .on("RCPT TO:<reader2@", Act::say("452 4.2.2 Mailbox full"))
        .on_some("RCPT TO:<reader3@", 0, 1, Act::Last(b"421 4.3.0 Closing\r\n".to_vec()));
    let story = Story::of(12, script).await;
    story.drain().await;
    let counts = story.app.counts(story.issue).await;
    assert_eq!((counts.failed, counts.in_doubt), (1, 0), "{counts:?}");
    assert!(counts.sent >= 9, "{counts:?}");
    story.app.clock.advance(20 * Millis::MINUTE);
    story.drain().await;
    let counts = story.app.counts(story.issue).await;
    assert_eq!((counts.sent, counts.pending), (10, 1), "{counts:?}");
    for _ in 0..4 {
        story.app.clock.advance(13 * Millis::HOUR);
        story.drain().await;
    }
    let row = story.app.delivery(story.issue, story.readers[2]).await;
    assert_eq!((row.state, row.reason.as_deref()), (DeliveryState::Failed, Some("expired")));
}

#[tokio::test]
async fn an_operators_table_is_used_without_a_restart() {
    let story = Story::of(1, Script::new().on("RCPT", Act::say("550 5.1.1 Quarantined by gateway"))).await;
    let rule = "[[rule]]\nname = \"gateway\"\nstage = \"rcpt-to\"\ntext = [\"quarantined\"]\nthen = \"retry\"\n\
        class = \"throttled\"\nblame = \"relay\"\nwait_minutes = 45\n";
    std::fs::write(story.app.folder.join("replies.toml"), rule).expect("writes");
    story.drain().await;
    let row = story.app.delivery(story.issue, story.readers[0]).await;
    assert_eq!((row.state, row.reason.as_deref()), (DeliveryState::Pending, Some("throttled")));
    assert_eq!(row.next_at, story.app.clock.now().0 + 45 * Millis::MINUTE);
}

#[tokio::test]
async fn what_is_changed_while_it_goes_out_does_not_change_what_goes_out() {
    let story = Story::of(3, Script::new()).await;
    let mut tx = story.app.store.write().await.expect("writes");
    let changed = IssueText { subject: "High tide".into(), source: "Other words.".into(), ..IssueText::default() };
    let row = story.app.issue(story.issue).await;
    let saved = broadsheet::store::issue::save(&mut tx, story.issue, row.revision, &changed).await.expect("answers");
    tx.commit().await.expect("commits");
    assert_eq!(saved, Saved::Closed, "an issue that is being sent was changed");
    let again = publish::freeze(&story.app, story.issue, row.revision, &crate::app::rendered(), 0).await.expect("may");
    assert_eq!(again, publish::Published::Already);
    story.drain().await;
    for mail in story.postbox.mails() {
        let text = String::from_utf8_lossy(&mail.bytes).into_owned();
        assert!(text.contains("Subject: Low tide") && !text.contains("Other words"), "{text}");
    }
    assert_eq!(story.postbox.mails().len(), 3);
}

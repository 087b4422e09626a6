//! Mails of which nobody could hear whether they were taken: what is known of them, and what ends the doubt.

use broadsheet::delivery::state::DeliveryState;
use broadsheet::store;
use broadsheet::store::delivery::claim::{self, Claim};
use broadsheet::store::issue::IssueState;
use broadsheet::values::clock::Millis;
use broadsheet::values::ids::{IssueId, NewsletterId, SubscriberId, epoch};
use broadsheet::values::token::Purpose;
use broadsheet::verbs::doubt::{self, By, Evidence, Why};
use broadsheet::verbs::membership::{self, How};
use broadsheet::verbs::{deliver, newsletters};
use serde_json::Value;

use crate::app::{Engine, TestApp, engines};
use crate::cli::{Folder, Serving, create_newsletter, ok, run};
use crate::postbox::{Act, Postbox, Script};

const MINUTE: i64 = Millis::MINUTE;

struct Story {
    app: TestApp,
    postbox: Postbox,
    newsletter: NewsletterId,
    readers: Vec<SubscriberId>,
    issue: IssueId,
}

impl Story {
    async fn of(engine: Engine, readers: usize, script: Script) -> Self {
        let (app, postbox) = (TestApp::on(engine).await, Postbox::start(script).await);
        let newsletter = app.newsletter(&format!("smtp://127.0.0.1:{}", postbox.port())).await;
        let readers = app.readers(newsletter, readers).await;
        let issue = app.draft(newsletter).await;
        app.publish(issue, 0).await.expect("can be published");
        Self { app, postbox, newsletter, readers, issue }
    }

    /// So many whose connection ended after the dot.
    async fn doubtful(engine: Engine, readers: usize, many: usize) -> Self {
        let story = Self::of(engine, readers, Script::new().on_some(".", 1, many, Act::Close)).await;
        story.finish().await;
        assert_eq!(story.app.counts(story.issue).await.in_doubt, many as i64);
        story
    }

    async fn drain(&self) {
        deliver::drain(&self.app).await.expect("drains");
    }

    /// Their receiving site rests after each; the others wait for that.
    async fn finish(&self) {
        for _ in 0..10 {
            self.drain().await;
            if self.app.counts(self.issue).await.unfinished() == 0 {
                break;
            }
            self.app.clock.advance(Millis::HOUR);
        }
    }

    async fn doubts(&self) -> Vec<doubt::Doubt> {
        doubt::page(&self.app, self.issue, None, 100).await.expect("reads")
    }

    async fn state(&self, who: SubscriberId) -> DeliveryState {
        self.app.delivery(self.issue, who).await.state
    }

    /// The token of the links in this issue's mail to a reader.
    fn token(&self, who: SubscriberId) -> String {
        self.app.keys.seal(Purpose::Reader, [self.newsletter.0, who.0, self.issue.0])
    }

    /// A reader's mail was on the wire when the process died.
    async fn interrupt(&self, who: SubscriberId, for_ms: i64) {
        let mut tx = self.app.store.write().await.expect("writes");
        let relay =
            store::newsletter::by_id(&mut tx, self.newsletter).await.expect("reads").expect("is there").relay_id;
        let (epoch, lease_until) = (epoch(tx.now, 1), tx.now.plus(MINUTE));
        let order = Claim { issue: self.issue, newsletter: self.newsletter, relay, epoch, lease_until, limit: 100 };
        claim::claim(&mut tx, order).await.expect("claims");
        // As long as the engine's own lease of a mark.
        let lease = tx.now.plus(45 * MINUTE);
        assert_eq!(claim::mark(&mut tx, self.issue, epoch, lease, &[who]).await.expect("marks"), [who]);
        tx.commit().await.expect("commits");
        self.app.clock.advance(for_ms);
    }

    async fn recover(&self) {
        let mut tx = self.app.store.write().await.expect("writes");
        claim::recover(&mut tx, Millis(i64::MAX)).await.expect("recovers");
        tx.commit().await.expect("commits");
    }

    async fn kinds_of(&self, who: SubscriberId) -> Vec<(String, Option<i64>)> {
        let mut tx = self.app.store.read().await.expect("reads");
        let rows = store::event::by_subscriber(&mut tx, who, 10).await.expect("reads");
        rows.into_iter().map(|row| (row.kind, row.issue_id.map(|id| id.0))).collect()
    }
}

fn ines() -> By {
    By { account: None, name: "Ines".into() }
}

#[tokio::test]
async fn what_is_known_of_each_is_told_and_a_word_ends_the_doubt() {
    for engine in engines() {
        let story = Story::doubtful(engine, 6, 3).await;
        let doubts = story.doubts().await;
        assert_eq!(doubts.len(), 3);
        let caught: Vec<String> =
            story.postbox.mails().iter().map(|mail| String::from_utf8_lossy(&mail.bytes).into_owned()).collect();
        for doubt in &doubts {
            assert!(doubt.why == Why::NoAnswer && doubt.from == doubt.until, "{doubt:?}");
            assert!(doubt.heard.as_deref().is_some_and(|text| !text.is_empty()), "{doubt:?}");
            assert_eq!(doubt.relay_address, Some(format!("127.0.0.1:{}", story.postbox.port())));
            let id = format!("Message-ID: <{}>", doubt.message_id);
            assert!(caught.iter().any(|text| text.contains(&id)), "{id} is in no mail");
        }
        let [one, two, three] = [0, 1, 2].map(|n| doubts[n].subscriber);
        assert_eq!(doubt::mark_sent(&story.app, story.issue, Some(&[one]), &ines()).await.expect("may"), 1);
        assert_eq!(doubt::mark_sent(&story.app, story.issue, Some(&[one]), &ines()).await.expect("may"), 0);
        let issue = Some(story.issue.0);
        assert_eq!(story.kinds_of(one).await, [("delivery.marked_sent".to_owned(), issue)]);
        assert_eq!(doubt::resend(&story.app, story.issue, Some(&[two]), &ines()).await.expect("may"), 1);
        assert_eq!(story.app.issue(story.issue).await.state, IssueState::Sending);
        story.drain().await;
        assert_eq!(story.state(two).await, DeliveryState::Sent);
        assert_eq!(story.kinds_of(two).await, [("delivery.resent".to_owned(), issue)]);
        assert_eq!(story.state(three).await, DeliveryState::InDoubt, "nobody spoke of this one");
        assert_eq!(story.postbox.mails().len(), 7, "only one was sent again");
        assert_eq!(doubt::mark_sent(&story.app, story.issue, None, &ines()).await.expect("may"), 1);
        assert_eq!(story.app.counts(story.issue).await.sent, 6);
        let mut tx = story.app.store.read().await.expect("reads");
        let row = store::event::by_issue(&mut tx, story.issue, 1).await.expect("reads").remove(0);
        assert!(row.detail.contains("Ines"), "{row:?}");
    }
}

#[tokio::test]
async fn one_that_was_interrupted_tells_between_when_and_when() {
    for engine in engines() {
        let story = Story::of(engine, 2, Script::new()).await;
        let began = story.app.clock.now();
        story.interrupt(story.readers[0], 3 * MINUTE).await;
        story.recover().await;
        let doubts = story.doubts().await;
        assert_eq!(doubts.len(), 1);
        let known = &doubts[0];
        assert_eq!((known.why, known.from, known.until), (Why::Interrupted, began, began.plus(3 * MINUTE)));
        assert_eq!(known.relay_address, Some(format!("127.0.0.1:{}", story.postbox.port())));
        assert_eq!((&known.heard, &known.machine), (&None, &None));
    }
}

#[tokio::test]
async fn a_reader_who_presses_a_button_behind_a_link_of_the_mail_has_it_and_one_who_looks_proves_nothing() {
    for engine in engines() {
        let story = Story::doubtful(engine, 5, 3).await;
        let [one, two, three] = [0, 1, 2];
        let who: Vec<SubscriberId> = story.doubts().await.iter().map(|doubt| doubt.subscriber).collect();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let base = format!("http://{}", listener.local_addr().expect("an address"));
        tokio::spawn(broadsheet::web::serve(story.app.app.clone(), listener));
        for page in ["web", "unsubscribe", "preferences", "pause", "leave"] {
            reqwest::get(format!("{base}/r/{}/{page}", story.token(who[one]))).await.expect("an answer");
        }
        assert_eq!(story.state(who[one]).await, DeliveryState::InDoubt, "a scanner looks, too");
        // A link of another mail says nothing of this one.
        let other = story.app.keys.seal(Purpose::Reader, [story.newsletter.0, who[one].0, 0]);
        membership::resume(&story.app, &other).await.expect("writes").expect("is ours");
        assert_eq!(story.state(who[one]).await, DeliveryState::InDoubt);
        let left = membership::unsubscribe(&story.app, &story.token(who[one]), How::OneClick).await;
        left.expect("writes").expect("is ours");
        membership::pause(&story.app, &story.token(who[two]), 1).await.expect("writes").expect("is ours");
        assert_eq!(story.state(who[one]).await, DeliveryState::Sent);
        assert_eq!(story.state(who[two]).await, DeliveryState::Sent);
        assert!(story.kinds_of(who[two]).await.iter().any(|(kind, _)| kind == "delivery.proven"));
        // Sent again and not gone yet: the first copy has arrived, so there is no second.
        doubt::resend(&story.app, story.issue, None, &ines()).await.expect("may");
        membership::set_name(&story.app, &story.token(who[three]), "Rui").await.expect("writes").expect("is ours");
        story.drain().await;
        assert_eq!(story.state(who[three]).await, DeliveryState::Sent);
        assert_eq!(story.postbox.mails().len(), 5, "nobody got two");
        assert_eq!(story.app.issue(story.issue).await.state, IssueState::Sent);
    }
}

#[tokio::test]
async fn who_left_by_the_mail_before_anybody_knew_of_a_doubt_is_in_none() {
    for engine in engines() {
        let story = Story::of(engine, 2, Script::new()).await;
        story.interrupt(story.readers[0], 0).await;
        let left = membership::unsubscribe(&story.app, &story.token(story.readers[0]), How::Page).await;
        left.expect("writes").expect("is ours");
        story.recover().await;
        let row = story.app.delivery(story.issue, story.readers[0]).await;
        assert_eq!((row.state, row.reason.as_deref()), (DeliveryState::Sent, Some("proven by the reader")));
    }
}

#[tokio::test]
async fn a_bounce_ends_a_doubt_and_changes_nothing_that_is_known() {
    for engine in engines() {
        let story = Story::doubtful(engine, 3, 1).await;
        let who = story.doubts().await[0].subscriber;
        let bounce =
            Evidence::Bounce { reason: "unknown-user".into(), code: Some(550), text: "5.1.1 No such user".into() };
        assert!(doubt::proven(&story.app, story.issue, who, &bounce).await.expect("writes"));
        let row = story.app.delivery(story.issue, who).await;
        assert_eq!((row.state, row.reason.as_deref()), (DeliveryState::Failed, Some("unknown-user")));
        assert_eq!((row.reply_code, row.reply_text.as_deref()), (Some(550), Some("5.1.1 No such user")));
        for known in &story.readers {
            assert!(!doubt::proven(&story.app, story.issue, *known, &Evidence::Reader).await.expect("writes"));
        }
        let counts = story.app.counts(story.issue).await;
        assert_eq!((counts.sent, counts.failed, counts.in_doubt), (2, 1, 0));
    }
}

/// I49: who edits the sender while mail leaves changes the next issue.
#[tokio::test]
async fn a_sender_that_is_edited_in_the_middle_of_an_issue_goes_out_with_the_next() {
    for engine in engines() {
        let script = Script::new().on_some(".", 2, 2, Act::say("451 4.3.0 Try again later"));
        let story = Story::of(engine, 6, script).await;
        story.drain().await;
        assert_eq!(story.app.counts(story.issue).await.pending, 2);
        let mut tx = story.app.store.read().await.expect("reads");
        let mut paper = store::newsletter::by_id(&mut tx, story.newsletter).await.expect("reads").expect("is there");
        drop(tx);
        (paper.from_name, paper.name) = ("Somebody Else".into(), "Another Name".into());
        paper.from_address = "other@tidewater.example".into();
        newsletters::save(&story.app, paper).await.expect("may");
        story.app.clock.advance(Millis::HOUR);
        // A new engine, as after a restart: it remembers nothing.
        story.drain().await;
        let texts = |from: usize| -> Vec<String> {
            let mails = story.postbox.mails();
            mails[from..].iter().map(|mail| String::from_utf8_lossy(&mail.bytes).into_owned()).collect()
        };
        assert_eq!(texts(0).len(), 6);
        for text in texts(0) {
            assert!(text.contains("\r\nFrom: Ines <brief@tidewater.example>\r\n"), "{text}");
            assert!(!text.contains("Another Name") && !text.contains("Somebody Else"), "{text}");
        }
        let next = story.app.draft(story.newsletter).await;
        story.app.publish(next, 0).await.expect("can be published");
        story.drain().await;
        for text in texts(6) {
            assert!(text.contains("\r\nFrom: Somebody Else <other@tidewater.example>\r\n"), "{text}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_lists_decides_and_writes_everybody_down() {
    let script = Script::new().on_some(".", 0, 2, Act::Close);
    let (folder, postbox) = (Folder::new(), Postbox::start(script).await);
    create_newsletter(&folder, &format!("smtp://127.0.0.1:{}", postbox.port()));
    let list = "email,name\nann@one.example,Ann\n+bob@two.example,Bob\ncid@three.example,Cid\n";
    let (list, text) = (folder.write("readers.csv", list), folder.write("issue.md", TEXT));
    let (list, text) = (list.to_string_lossy(), text.to_string_lossy());
    ok(&folder, &["subscriber", "import", &list, "--newsletter", "tidewater", "--consent", "at the fair", "--yes"]);
    let added = ok(&folder, &["issue", "add", &text, "--newsletter", "tidewater", "--json"]).json();
    let id = added["id"].as_str().expect("an id");
    ok(&folder, &["issue", "send", id, "--hold", "0s", "--yes"]);
    let serving = Serving::start(&folder);
    ok(&folder, &["issue", "status", id, "--wait"]);
    let status = ok(&folder, &["issue", "status", id, "--json"]).json();
    assert_eq!((status["in_doubt"].as_i64(), status["sent"].as_i64()), (Some(2), Some(1)), "{status}");
    assert_eq!(status["problems"].as_array().map(Vec::len), Some(2), "{status}");
    let doubts = ok(&folder, &["issue", "doubt", "list", id, "--json"]).json();
    let doubts: Vec<&Value> = doubts.as_array().expect("a list").iter().collect();
    assert!(doubts.len() == 2 && doubts[0]["message_id"].as_str().is_some_and(|id| id.contains('@')), "{doubts:?}");
    let address = doubts[0]["address"].as_str().expect("an address");
    let shown = ok(&folder, &["issue", "doubt", "list", id]).out;
    assert!(shown.contains(address) && shown.contains("Message-ID: <") && shown.contains("mark-sent"), "{shown}");
    let unasked = run(&folder, &["issue", "doubt", "resend", id, "--all"]);
    assert!(unasked.code == 2 && unasked.err.contains("twice"), "{unasked:?}");
    let nobody = run(&folder, &["issue", "doubt", "resend", id, "--reader", "nobody@one.example", "--yes"]);
    assert_eq!(nobody.code, 4, "{nobody:?}");
    let marked = ok(&folder, &["issue", "doubt", "mark-sent", id, "--reader", address, "--yes", "--json"]).json();
    assert_eq!(marked["readers"], 1);
    assert_eq!(serving.terminate(), Some(0));
    ok(&folder, &["issue", "doubt", "resend", id, "--all", "--yes"]);
    let none = ok(&folder, &["issue", "doubt", "list", id]).out;
    assert!(none.contains("Nothing"), "{none}");
    let rows = ok(&folder, &["issue", "deliveries", id, "--json"]).json();
    assert_eq!(rows.as_array().map(Vec::len), Some(3), "{rows}");
    assert_eq!(ok(&folder, &["issue", "status", id, "--json"]).json()["in_doubt"], 0);
    let failed = ok(&folder, &["issue", "deliveries", id, "--state", "failed", "--json"]).json();
    assert_eq!(failed, Value::Array(Vec::new()));
    let csv = ok(&folder, &["issue", "deliveries", id, "--csv"]).out;
    assert!(csv.lines().count() == 4 && csv.contains("\n'+bob@two.example,"), "{csv}");
}

const TEXT: &str = "---\nsubject: Low tide at the quay\npreheader: What the tide left behind\nnumber: 31\n---\n\n\
    Good morning.\n\n## Crabs on the slipway\n\nThe harbour master counted four hundred of them before breakfast.\n\n\
    Source: [The Harbour Log](https://harbour.example/log)\n\n---\n\nTell us what you saw.\n";

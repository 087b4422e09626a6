//! One connection, many messages: what rides with what on the wire, and that no answer is taken for another's.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use broadsheet::delivery::reply::{Answer, Reply, Stage};
use broadsheet::smtp::client::{Cargo, Carried, Connection, Handover, Mode, Target, WINDOW_AUTO, Window, connect};
use tokio::sync::Notify;

use crate::postbox::{Act, Log, Postbox, Script};
use crate::wire::{AMPLE, BODY, FROM, SHORT, target};

/// One way to a relay that is far, and back.
const FAR: Duration = Duration::from_millis(20);
const CHUNKS: &[&str] = &["PIPELINING", "CHUNKING", "SIZE 50000000"];

pub(crate) struct Parcel {
    pub(crate) to: String,
    pub(crate) text: Vec<u8>,
}

impl Carried for Parcel {
    fn mail_from(&self) -> &str {
        FROM
    }

    fn rcpt_to(&self) -> &str {
        &self.to
    }

    fn text(&self) -> &[u8] {
        &self.text
    }
}

/// Messages to `r0`, `r1` and so on, all of them ready at once.
pub(crate) struct Load {
    waiting: VecDeque<Parcel>,
    /// What became of each, by the part of the address before the @.
    pub(crate) ended: BTreeMap<String, Handover>,
    /// What is stale is waiting again.
    again: bool,
    /// The order of answers.
    order: Vec<String>,
    /// Readers who left at the last moment: gone when `may_go` is asked after `cleared`.
    leaves: Option<String>,
    /// `cleared` waits for this where it is set.
    mark: Option<Arc<Notify>>,
    /// Until the first was cleared, nothing is ready.
    cleared: usize,
    in_hand: usize,
    in_hand_most: usize,
}

impl Load {
    pub(crate) fn of(count: usize) -> Self {
        let parcel = |n: usize| Parcel { to: format!("r{n}@example.com"), text: text(n) };
        Self {
            waiting: (0..count).map(parcel).collect(),
            ended: BTreeMap::new(),
            again: false,
            order: Vec::new(),
            leaves: None,
            mark: None,
            cleared: 0,
            in_hand: 0,
            in_hand_most: 0,
        }
    }

    /// What comes back stale goes out again.
    pub(crate) fn again(self) -> Self {
        Self { again: true, ..self }
    }

    /// Each text longer than any buffer, with a dot at the beginning of every line.
    pub(crate) fn big(mut self) -> Self {
        for parcel in &mut self.waiting {
            parcel.text.extend(b".23456789abcdef\r\n".repeat(10_000));
        }
        self
    }

    fn take(&mut self) -> Option<Parcel> {
        let parcel = self.waiting.pop_front()?;
        self.in_hand += 1;
        self.in_hand_most = self.in_hand_most.max(self.in_hand);
        Some(parcel)
    }
}

/// Each text is its own, so that a mix-up shows.
fn text(n: usize) -> Vec<u8> {
    [format!("Subject: for r{n}\r\n").as_bytes(), BODY].concat()
}

impl Cargo for Load {
    type Message = Parcel;

    async fn next(&mut self) -> Option<Parcel> {
        self.take()
    }

    fn ready(&mut self) -> Option<Parcel> {
        self.take()
    }

    async fn cleared(&mut self, _: &mut Parcel) -> bool {
        if let Some(mark) = &self.mark {
            mark.notified().await;
        }
        self.cleared += 1;
        true
    }

    fn may_go(&self, parcel: &Parcel) -> bool {
        self.cleared == 0 || self.leaves.as_ref() != Some(&parcel.to)
    }

    fn answered(&mut self, parcel: Parcel, handover: Handover) {
        let name = parcel.to.split('@').next().expect("there is a first part").to_owned();
        self.in_hand -= 1;
        if self.again && matches!(handover, Handover::Stale { .. }) {
            return self.waiting.push_back(parcel);
        }
        self.order.push(name.clone());
        assert!(self.ended.insert(name.clone(), handover).is_none(), "{name} was answered for twice");
    }
}

/// What became of it, in one word.
pub(crate) fn word(handover: &Handover) -> String {
    match handover {
        Handover::Answered(Answer::Reply(Reply { stage: Stage::AfterDot, code: 200..300, .. })) => "sent".into(),
        Handover::Answered(Answer::Reply(reply)) => format!("{} {}", reply.stage.as_str(), reply.code),
        Handover::Answered(Answer::Broken { stage, .. }) => format!("broken {}", stage.as_str()),
        Handover::Answered(Answer::Unclear { .. }) => "unclear".into(),
        Handover::Withdrawn => "withdrawn".into(),
        Handover::Stale { .. } => "stale".into(),
    }
}

fn words(load: &Load) -> Vec<String> {
    (0..load.ended.len()).map(|n| word(&load.ended[&format!("r{n}")])).collect()
}

fn with_window(postbox: &Postbox, window: u32) -> Target {
    Target { window: Window::Fixed(window), ..target(postbox) }
}

async fn open(target: &Target) -> Connection {
    connect(target).await.unwrap_or_else(|answer| panic!("no connection: {answer:?}"))
}

/// Carries `count` messages over one connection to a relay with this script.
async fn carried(script: Script, window: u32, count: usize) -> (Load, bool, Log) {
    let postbox = Postbox::start(script).await;
    let target = with_window(&postbox, window);
    carried_to(&postbox, &target, count, false).await
}

async fn carried_to(postbox: &Postbox, target: &Target, count: usize, hangs: bool) -> (Load, bool, Log) {
    let mut load = Load::of(count);
    let kept = open(target).await.carry(&mut load).await;
    let clean = kept.is_some();
    drop(kept);
    // A relay that has stopped reading does not see the end.
    let log = postbox.wait_until("the end", |log| log.closed == 1 || hangs).await;
    assert_eq!(load.in_hand, 0, "everything taken was answered for");
    for mail in &log.mails {
        assert_eq!(mail.rcpt_to.len(), 1, "{mail:?}");
        let n: usize = mail.rcpt_to[0].trim_start_matches('r').split('@').next().expect("r1").parse().expect("1");
        assert_eq!(String::from_utf8_lossy(&mail.bytes), String::from_utf8_lossy(&text(n)), "each has its own text");
    }
    (load, clean, log)
}

fn script(offers: &[&str]) -> Script {
    Script::new().offering(offers)
}

#[tokio::test]
async fn every_mode_carries_all_in_order_and_gives_the_connection_back() {
    for (offers, window, mode) in [
        (&[][..], 4, Mode::LockStep),
        (&["PIPELINING"], 1, Mode::Alone),
        (&["PIPELINING"], 4, Mode::Riding),
        (CHUNKS, 1, Mode::Chunks { window: 1 }),
        (CHUNKS, 4, Mode::Chunks { window: 4 }),
    ] {
        let postbox = Postbox::start(script(offers)).await;
        let target = with_window(&postbox, window);
        assert_eq!(open(&target).await.mode(), mode);
        postbox.wait_until("the end", |log| log.closed == 1).await;
        let mut load = Load::of(9);
        let connection = open(&target).await.carry(&mut load).await.expect("nothing was wrong");
        assert_eq!(words(&load), ["sent"; 9], "{mode:?}");
        assert_eq!(load.in_hand_most, mode.window() as usize, "{mode:?}");
        assert!(load.order.is_sorted());
        // The same connection, again.
        let mut load = Load::of(2);
        assert!(connection.carry(&mut load).await.is_some());
        let log = postbox.log();
        assert_eq!((log.connections, log.mails.len()), (2, 11), "{mode:?}");
        assert_eq!(log.mails[3].bytes, text(3));
    }
}

#[tokio::test]
async fn the_measured_round_trip_decides_how_messages_follow() {
    for (ehlo_late, mail_late, mode) in [
        (true, true, Mode::Chunks { window: WINDOW_AUTO }),
        // A relay that looks our name up at EHLO is slow once, and near all the same.
        (true, false, Mode::Riding),
        (false, false, Mode::Riding),
    ] {
        let (ehlo, mail) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let mut script = script(CHUNKS);
        let hello = b"250-postbox.example\r\n250-CHUNKING\r\n250 PIPELINING\r\n".to_vec();
        if ehlo_late {
            script = script.on("EHLO", Act::Held(Arc::clone(&ehlo), hello));
        }
        if mail_late {
            script = script.on_some("MAIL", 0, 1, Act::Held(Arc::clone(&mail), b"250 2.1.0 Ok\r\n".to_vec()));
        }
        let postbox = Postbox::start(script).await;
        let target = target(&postbox);
        let far_away = async {
            for (verb, go) in [("EHLO", &ehlo), ("MAIL", &mail)] {
                postbox.wait_until(verb, |log| log.commands.iter().any(|line| line.starts_with(verb))).await;
                // The length of the way, and nothing that is waited for.
                tokio::time::sleep(FAR).await;
                go.notify_one();
            }
        };
        let mut load = Load::of(3);
        let carrying = async {
            let connection = open(&target).await;
            assert_eq!(connection.mode(), Mode::Alone, "one alone goes first and is measured");
            connection.carry(&mut load).await.expect("nothing was wrong")
        };
        let (connection, ()) = tokio::join!(carrying, far_away);
        assert_eq!(connection.mode(), mode, "{:?}", connection.round_trip());
        assert_eq!(words(&load), ["sent"; 3]);
        let chunks = postbox.log().commands.iter().filter(|line| line.starts_with("BDAT")).count();
        assert_eq!(chunks, if mode == Mode::Riding { 0 } else { 2 }, "{:?}", postbox.log().commands);
    }
}

#[tokio::test]
async fn the_next_envelope_rides_behind_a_text() {
    let (load, _, log) = carried(script(&["PIPELINING"]), 2, 3).await;
    assert_eq!(words(&load), ["sent"; 3]);
    let commands: Vec<&str> = log.commands.iter().map(|line| line.split([':', ' ']).next().expect("a verb")).collect();
    assert_eq!(commands, ["EHLO", "MAIL", "RCPT", "DATA", "MAIL", "RCPT", "DATA", "MAIL", "RCPT", "DATA"]);
    // Groups of commands alone: EHLO and the first envelope. All others came with a text before them.
    assert_eq!(log.groups.len(), 2, "{:?}", log.groups);
}

#[tokio::test]
async fn several_transactions_are_on_the_wire_and_each_but_the_first_begins_with_rset() {
    let go = Arc::new(Notify::new());
    let held = Act::Held(Arc::clone(&go), b"250 2.0.0 Kept\r\n".to_vec());
    let postbox = Postbox::start(script(CHUNKS).on_some(".", 1, 1, held)).await;
    let target = with_window(&postbox, 4);
    let carrying = tokio::spawn(async move {
        let mut load = Load::of(7);
        let kept = open(&target).await.carry(&mut load).await;
        (load, kept.is_some())
    });
    // The second is kept and not answered, and still three more are on their way: nobody waited.
    postbox.wait_until("the second", |log| log.mails.len() == 2).await;
    go.notify_one();
    let (load, clean) = carrying.await.expect("it does not panic");
    assert_eq!((words(&load), clean), (vec!["sent".to_owned(); 7], true));
    assert_eq!(load.in_hand_most, 4);
    let log = postbox.log();
    assert_eq!(
        log.commands[1..5],
        [
            "MAIL FROM:<bounce+1@news.example> SIZE=76",
            "RCPT TO:<r0@example.com>",
            "BDAT 76 LAST",
            "MAIL FROM:<bounce+1@news.example> SIZE=76"
        ]
    );
    assert_eq!(log.commands.iter().filter(|line| *line == "RSET").count(), 5, "behind each that was not answered yet");
    assert!(log.mails[6].bytes.starts_with(b"Subject: for r6"));
}

#[tokio::test]
async fn a_refusal_in_the_middle_touches_its_own_message_only() {
    for (at, said, stage) in [
        ("RCPT TO:<r2@", "550 5.1.1 No such user", "rcpt-to 550"),
        ("RCPT TO:<r2@", "452 4.2.2 Full", "rcpt-to 452"),
        ("RCPT TO:<r5@", "550 5.1.1 No such user", "rcpt-to 550"),
    ] {
        for (offers, window) in [(CHUNKS, 4), (CHUNKS, 1), (&["PIPELINING"][..], 2), (&["PIPELINING"], 1), (&[], 1)] {
            let (load, clean, log) = carried(script(offers).on(at, Act::say(said)), window, 6).await;
            let mut expected = vec!["sent".to_owned(); 6];
            expected[at[10..11].parse::<usize>().expect("a digit")] = stage.to_owned();
            assert_eq!(words(&load), expected, "{offers:?} {window}");
            assert_eq!((clean, log.connections, log.mails.len()), (true, 1, 5), "{offers:?} {window}");
        }
    }
    // The third message's sender, and the third message's text.
    for (at, said, stage) in
        [("MAIL", "451 4.7.1 Later", "mail-from 451"), (".", "552 5.3.4 Too much", "after-dot 552")]
    {
        for (offers, window) in [(CHUNKS, 4), (CHUNKS, 1), (&["PIPELINING"][..], 2), (&["PIPELINING"], 1), (&[], 1)] {
            let (load, clean, log) = carried(script(offers).on_some(at, 2, 1, Act::say(said)), window, 6).await;
            assert_eq!(words(&load), ["sent", "sent", stage, "sent", "sent", "sent"], "{offers:?} {window} {at}");
            assert_eq!((clean, log.connections, log.mails.len()), (true, 1, 5), "{offers:?} {window} {at}");
        }
    }
}

#[tokio::test]
async fn service_closing_in_a_window_leaves_what_comes_behind_untouched() {
    let closing = || Act::Last(b"421 4.7.0 Enough on this connection\r\n".to_vec());
    for (at, skip, expected) in [
        // The relay has said that it closes, and did: nobody has looked at what came behind.
        ("RSET", 0, ["sent", "sent", "stale", "stale", "stale"]),
        ("MAIL", 2, ["sent", "sent", "mail-from 421", "stale", "stale"]),
        ("RCPT", 2, ["sent", "sent", "rcpt-to 421", "stale", "stale"]),
        (".", 2, ["sent", "sent", "after-dot 421", "stale", "stale"]),
    ] {
        let (load, clean, log) = carried(script(CHUNKS).on_some(at, skip, 1, closing()), 4, 5).await;
        assert_eq!(words(&load), expected, "{at}");
        assert_eq!((clean, log.mails.len()), (false, 2), "{at}");
    }
    // It says that it closes and then does not: who knows what it still does.
    let postbox = Postbox::start(script(CHUNKS).on_some("MAIL", 2, 1, Act::say("421 4.3.2 Closing, perhaps"))).await;
    let mut target = with_window(&postbox, 4);
    target.timeouts.quit = SHORT;
    let (load, clean, _) = carried_to(&postbox, &target, 5, false).await;
    assert_eq!(
        (words(&load), clean),
        (["sent", "sent", "unclear", "unclear", "unclear"].map(str::to_owned).to_vec(), false)
    );
}

#[tokio::test]
async fn a_connection_cut_in_a_window_leaves_whole_texts_in_doubt() {
    for (at, skip) in [("RSET", 0), ("MAIL", 2), ("RCPT", 2), (".", 2)] {
        let (load, clean, log) = carried(script(CHUNKS).on_some(at, skip, 1, Act::Close), 3, 9).await;
        let words = words(&load);
        assert_eq!(words[..2], ["sent", "sent"], "{at}");
        assert_eq!(words[2..5], ["unclear", "unclear", "unclear"], "{at}: the window of three was written whole");
        assert!(words.len() == 5 || words[5..] == ["stale"], "{at}: {words:?}");
        assert!(!clean && log.mails.len() == if at == "." { 3 } else { 2 }, "{at}");
    }
}

#[tokio::test]
async fn silence_and_nonsense_in_a_window_leave_doubt_and_end_the_connection() {
    let nonsense = |line: &str| Act::Last(format!("{line}\r\n").into_bytes());
    for (at, skip, act) in [
        ("MAIL", 2, Act::Hang),
        (".", 2, nonsense("354 Go on")),
        ("RCPT", 2, nonsense("334 What")),
        ("MAIL", 2, nonsense("HTTP/1.1 400 Bad Request")),
        ("RSET", 0, nonsense("500 5.5.1 Never heard of it")),
        // Nobody is left to get the text, and it is taken.
        ("MAIL", 2, Act::say("550 5.1.0 No")),
    ] {
        let mut script = script(CHUNKS).on_some(at, skip, 1, act.clone());
        if matches!(&act, Act::Raw(_)) {
            script = script.on_some("RCPT", 2, 1, Act::say("550 5.1.0 No")).on_some(".", 2, 1, Act::say("250 Kept"));
        }
        let postbox = Postbox::start(script).await;
        let mut target = with_window(&postbox, 3);
        (target.timeouts.mail, target.timeouts.quit) = (AMPLE / 80, SHORT);
        let hangs = matches!(&act, Act::Hang);
        let (load, clean, _) = carried_to(&postbox, &target, 5, hangs).await;
        assert_eq!(words(&load), ["sent", "sent", "unclear", "unclear", "unclear"], "{at} {act:?}");
        assert!(!clean, "{at}");
    }
}

#[tokio::test]
async fn one_reply_too_many_or_too_few_ends_the_connection() {
    let two = Act::Raw(b"250 2.1.5 Ok\r\n250 2.1.5 And again\r\n".to_vec());
    for (offers, window) in [(CHUNKS, 3), (&["PIPELINING"][..], 1), (&["PIPELINING"], 2)] {
        let (load, clean, _) = carried(script(offers).on_some("RCPT", 4, 1, two.clone()), window, 5).await;
        assert_eq!(words(&load)[..4], ["sent"; 4], "{offers:?} {window}");
        assert!(!clean, "{offers:?} {window}");
    }
    let none = Act::Raw(Vec::new());
    let postbox = Postbox::start(script(CHUNKS).on_some("RCPT", 3, 1, none)).await;
    let mut target = with_window(&postbox, 3);
    target.timeouts.data_end = AMPLE / 40;
    let (load, clean, _) = carried_to(&postbox, &target, 5, false).await;
    assert_eq!((words(&load)[4].as_str(), clean), ("unclear", false), "the last waits for an answer in vain");
}

#[tokio::test]
async fn a_relay_that_offers_chunking_and_does_not_know_it_is_sent_data() {
    let postbox = Postbox::start(script(CHUNKS).on("BDAT", Act::say("500 5.5.1 Unknown command"))).await;
    let target = with_window(&postbox, 4);
    let mut load = Load::of(3);
    assert!(open(&target).await.carry(&mut load).await.is_none());
    assert_eq!(words(&load), ["stale"], "one alone goes first");
    let connection = open(&target).await;
    assert_eq!(connection.mode(), Mode::Riding, "what one connection learns, all know");
    assert!(connection.carry(&mut load).await.is_some());
    assert_eq!(postbox.wait_for(2).await.len(), 2);
}

#[tokio::test]
async fn a_text_leaves_only_when_its_mark_is_there_and_its_reader_has_not_left() {
    for (offers, window, said) in [(&["PIPELINING"][..], 2, "DATA"), (&["PIPELINING"], 1, "DATA"), (CHUNKS, 3, "EHLO")]
    {
        let postbox = Postbox::start(script(offers)).await;
        let (target, mark) = (with_window(&postbox, window), Arc::new(Notify::new()));
        let mut load = Load { mark: Some(Arc::clone(&mark)), leaves: Some("r1@example.com".into()), ..Load::of(3) };
        let carrying = tokio::spawn(async move {
            let kept = open(&target).await.carry(&mut load).await.is_some();
            (load, kept)
        });
        let saw = |log: &Log| log.commands.last().is_some_and(|line| line.starts_with(said));
        postbox.wait_until(said, saw).await;
        assert!(postbox.mails().is_empty(), "the envelope is said, the text waits");
        while !carrying.is_finished() {
            mark.notify_one();
            tokio::task::yield_now().await;
        }
        let (load, kept) = carrying.await.expect("it does not panic");
        assert_eq!(word(&load.ended["r0"]), "sent", "{offers:?}");
        assert_eq!(word(&load.ended["r1"]), "withdrawn", "{offers:?}");
        assert!(kept && postbox.mails().iter().all(|mail| mail.rcpt_to != ["r1@example.com"]), "{offers:?}");
    }
}

#[tokio::test]
async fn a_relay_that_closes_an_idle_connection_is_noticed_before_the_next_message() {
    for offers in [CHUNKS, &["PIPELINING"]] {
        let closing = Act::Last(b"250 2.0.0 Kept\r\n421 4.4.2 Idle for too long\r\n".to_vec());
        let postbox = Postbox::start(script(offers).on(".", closing)).await;
        let target = with_window(&postbox, 1);
        let (load, clean, log) = carried_to(&postbox, &target, 3, false).await;
        assert_eq!((words(&load), clean, log.mails.len()), (vec!["sent".to_owned()], false, 1));
        assert_eq!(load.waiting.len(), 2, "nothing was taken for a dead connection");
    }
}

#[tokio::test]
async fn a_late_reply_is_never_taken_for_another_messages() {
    for (offers, window) in [(&["PIPELINING"][..], 1), (&["PIPELINING"], 2), (CHUNKS, 3)] {
        for cancelled in [false, true] {
            // The second text's answer comes when nobody waits any more: it was refused, while all else is taken.
            let late = Arc::new(Notify::new());
            let held = Act::Held(Arc::clone(&late), b"554 5.7.1 No\r\n".to_vec());
            let postbox = Postbox::start(script(offers).on_some(".", 1, 1, held)).await;
            let mut target = with_window(&postbox, window);
            if !cancelled {
                target.timeouts.data_end = AMPLE / 40;
            }
            let (connection, mut load) = (open(&target).await, Load::of(5));
            let carrying = connection.carry(&mut load);
            if cancelled {
                tokio::select! {
                    _ = carrying => panic!("it waits"),
                    _ = postbox.wait_until("the second", |log| log.texts == 2) => {}
                }
            } else {
                assert!(carrying.await.is_none(), "a connection that timed out is thrown away");
                assert_eq!(word(&load.ended["r1"]), "unclear");
            }
            late.notify_one();
            let mut again = Load::of(8);
            again.waiting.drain(..5);
            assert!(open(&target).await.carry(&mut again).await.is_some());
            assert!(again.ended.values().all(|handover| word(handover) == "sent"), "{offers:?} {window}");
            let kept = postbox.mails();
            assert!(kept.iter().all(|mail| mail.rcpt_to != ["r1@example.com"]), "{offers:?} {window}");
        }
    }
}

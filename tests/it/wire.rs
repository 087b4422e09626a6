//! Our client against every kind of relay.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use broadsheet::cli::bench::wire::source::Manner;
use broadsheet::delivery::reply::{Answer, Reply, Stage};
use broadsheet::smtp::client::{Connection, Credentials, Handover, Target, Timeouts, connect};
use broadsheet::values::relay::Tls;

use crate::postbox::{Act, Postbox, Script};

pub(crate) const BODY: &[u8] = b"Subject: hello\r\n\r\n.a line with a dot\r\n..\r\nand one without\r\n";
pub(crate) const FROM: &str = "bounce+1@news.example";
/// Longer than a loaded machine takes for anything.
pub(crate) const AMPLE: Duration = Duration::from_secs(20);
/// For the one phase that is meant to run out of time.
pub(crate) const SHORT: Duration = Duration::from_millis(50);

pub(crate) fn target(postbox: &Postbox) -> Target {
    let mut target = Target::new("127.0.0.1", postbox.port(), Tls::None, "news.example");
    target.timeouts = Timeouts::all(AMPLE);
    target
}

pub(crate) async fn ready(postbox: &Postbox) -> Connection {
    connect(&target(postbox)).await.unwrap_or_else(|answer| panic!("no connection: {answer:?}"))
}

/// One message on a fresh connection, wherever it ends.
pub(crate) async fn once(target: &Target) -> (Handover, Option<Connection>) {
    match connect(target).await {
        Ok(connection) => connection.send(FROM, "ann@example.com", BODY, || true).await,
        Err(answer) => (Handover::Answered(answer), None),
    }
}

pub(crate) fn refusal(handover: &Handover) -> &Reply {
    match handover {
        Handover::Answered(Answer::Reply(reply)) => reply,
        other => panic!("not a reply: {other:?}"),
    }
}

pub(crate) fn is_sent(handover: &Handover) -> bool {
    matches!(handover, Handover::Answered(Answer::Reply(reply)) if reply.stage == Stage::AfterDot && reply.code < 300)
}

#[tokio::test]
async fn messages_arrive_as_they_were_over_one_connection() {
    for offers in [&["PIPELINING", "SIZE 1000"][..], &[]] {
        let postbox = Postbox::start(Script::new().offering(offers)).await;
        let mut connection = ready(&postbox).await;
        for (rcpt_to, body) in [("a@example.com", BODY), ("b@example.com", b"no end"), ("c@example.com", b"")] {
            let (handover, clean) = connection.send(FROM, rcpt_to, body, || true).await;
            assert!(is_sent(&handover), "{handover:?}");
            connection = clean.expect("nothing was wrong");
        }
        connection.quit().await;
        assert_eq!(postbox.wait_for(3).await.len(), 3);
        let log = postbox.wait_until("the end", |log| log.closed == 1).await;
        assert_eq!(log.mails[0].bytes, BODY);
        assert_eq!(log.mails[0].mail_from, FROM);
        assert_eq!(log.mails[1].bytes, b"no end\r\n");
        assert_eq!(log.mails[2].rcpt_to, ["c@example.com"]);
        assert_eq!((log.connections, log.commands.last().map(String::as_str)), (1, Some("QUIT")));
    }
}

#[tokio::test]
async fn the_envelope_is_one_write_with_pipelining_and_three_without() {
    let envelope = "MAIL FROM:<bounce+1@news.example> SIZE=60\r\nRCPT TO:<ann@example.com>\r\nDATA\r\n";
    let postbox = Postbox::start(Script::new()).await;
    once(&target(&postbox)).await;
    assert_eq!(postbox.log().groups[1], envelope.replace("60", &BODY.len().to_string()));

    let postbox = Postbox::start(Script::new().offering(&[])).await;
    once(&target(&postbox)).await;
    let groups = postbox.log().groups;
    assert_eq!(groups[1..4], ["MAIL FROM:<bounce+1@news.example>\r\n", "RCPT TO:<ann@example.com>\r\n", "DATA\r\n"]);
}

#[tokio::test]
async fn a_refused_reader_does_not_cost_the_connection() {
    for offers in [&["PIPELINING"][..], &[]] {
        let no = Act::say("550 5.1.1 No such user");
        let postbox = Postbox::start(Script::new().offering(offers).on("RCPT TO:<bad", no)).await;
        let mut connection = ready(&postbox).await;
        for n in 0..100 {
            let name = if n % 5 == 0 { "bad" } else { "good" };
            let (handover, clean) = connection.send(FROM, &format!("{name}{n}@example.com"), BODY, || true).await;
            connection = clean.expect("a refusal is no accident");
            if n % 5 == 0 {
                let reply = refusal(&handover);
                assert_eq!((reply.stage, reply.code, reply.enhanced.as_deref()), (Stage::RcptTo, 550, Some("5.1.1")));
            } else {
                assert!(is_sent(&handover));
            }
        }
        let log = postbox.log();
        assert_eq!((log.connections, log.mails.len()), (1, 80));
        let resets = log.commands.iter().filter(|line| *line == "RSET").count();
        assert_eq!(resets, 20, "one after each refusal and none before the first message");
        assert!(log.commands[1].starts_with("MAIL"));
    }
}

#[tokio::test]
async fn a_data_taken_without_recipients_is_ended_by_a_lone_dot() {
    let script = Script::new().on_some("RCPT", 0, 1, Act::say("550 5.1.1 No such user")).on_some(
        "DATA",
        0,
        1,
        Act::say("354 Go on all the same"),
    );
    let postbox = Postbox::start(script).await;
    let (handover, clean) = ready(&postbox).await.send(FROM, "bad@example.com", BODY, || true).await;
    assert_eq!(refusal(&handover).code, 550);
    let (handover, _) = clean.expect("it is clean").send(FROM, "ann@example.com", BODY, || true).await;
    assert!(is_sent(&handover));
    let log = postbox.log();
    assert_eq!((log.connections, log.mails.len(), &log.mails[0].rcpt_to[0]), (1, 1, &"ann@example.com".to_owned()));
}

#[tokio::test]
async fn a_sender_refused_while_everything_else_is_taken_delivers_nothing() {
    let script = Script::new()
        .on("MAIL", Act::say("550 5.7.1 No"))
        .on("RCPT", Act::say("250 Yes"))
        .on("DATA", Act::say("354 Yes"));
    let postbox = Postbox::start(script).await;
    let (handover, clean) = once(&target(&postbox)).await;
    assert_eq!((refusal(&handover).stage, refusal(&handover).code), (Stage::MailFrom, 550));
    assert!(clean.is_none());
    assert!(postbox.wait_until("the end", |log| log.closed == 1).await.mails.is_empty());
}

#[tokio::test]
async fn service_closing_ends_the_connection_at_every_stage() {
    for (at, stage) in [
        ("CONNECT", Stage::Greeting),
        ("EHLO", Stage::Ehlo),
        ("MAIL", Stage::MailFrom),
        ("RCPT", Stage::RcptTo),
        ("DATA", Stage::Data),
        (".", Stage::AfterDot),
    ] {
        for offers in [&["PIPELINING"][..], &[]] {
            let closing = Act::Last(b"421 4.3.2 Closing\r\n".to_vec());
            let postbox = Postbox::start(Script::new().offering(offers).on(at, closing)).await;
            let (handover, clean) = once(&target(&postbox)).await;
            assert_eq!((refusal(&handover).stage, refusal(&handover).code), (stage, 421), "{at}");
            assert!(clean.is_none(), "{at}");
        }
    }
}

#[tokio::test]
async fn a_connection_closed_between_messages_is_stale_and_blames_nobody() {
    for act in [Act::Close, Act::Last(b"421 4.7.0 Enough on this connection\r\n".to_vec())] {
        let postbox = Postbox::start(Script::new().on_some("MAIL", 1, 1, act)).await;
        let (first, clean) = ready(&postbox).await.send(FROM, "a@example.com", BODY, || true).await;
        assert!(is_sent(&first));
        let (second, gone) = clean.expect("it is clean").send(FROM, "b@example.com", BODY, || true).await;
        assert!(matches!(second, Handover::Stale { .. }), "{second:?}");
        assert!(gone.is_none());
        let (again, _) = ready(&postbox).await.send(FROM, "b@example.com", BODY, || true).await;
        assert!(is_sent(&again));
    }
}

/// Where the answer is expected when the relay does not go on at `at`.
const STAGES: [(&str, Stage); 7] = [
    ("CONNECT", Stage::Greeting),
    ("EHLO", Stage::Ehlo),
    ("AUTH", Stage::Auth),
    ("MAIL", Stage::MailFrom),
    ("RCPT", Stage::RcptTo),
    ("DATA", Stage::Data),
    (".", Stage::AfterDot),
];

pub(crate) fn assert_broken_at(stage: Stage, handover: &Handover, at: &str) {
    match (handover, stage) {
        (Handover::Answered(Answer::Unclear { .. }), Stage::AfterDot) => {}
        (Handover::Answered(Answer::Broken { stage: got, .. }), _) if *got == stage => {}
        _ => panic!("{at}: {handover:?}"),
    }
}

async fn with_act(at: &str, act: Act, change: impl Fn(&mut Timeouts)) -> Handover {
    let may_be_kept = at == "." && !matches!(act, Act::Raw(_));
    let script = Script::new().offering(&["PIPELINING", "AUTH PLAIN"]).on(at, act);
    let postbox = Postbox::start(script).await;
    let mut target = target(&postbox);
    target.credentials = Some(Credentials { username: "ann".into(), password: "secret".into() });
    change(&mut target.timeouts);
    let (handover, clean) = once(&target).await;
    assert!(clean.is_none(), "{at}");
    assert!(may_be_kept || postbox.mails().is_empty(), "{at}");
    handover
}

#[tokio::test]
async fn silence_at_any_stage_ends_in_time_and_is_known_by_its_stage() {
    for (at, stage) in STAGES {
        let handover = with_act(at, Act::Hang, |times| match stage {
            Stage::Greeting => times.greeting = SHORT,
            Stage::Ehlo | Stage::Auth => times.command = AMPLE / 40,
            Stage::MailFrom => times.mail = SHORT,
            Stage::RcptTo => times.rcpt = SHORT,
            Stage::Data => times.data_start = SHORT,
            _ => times.data_end = SHORT,
        })
        .await;
        assert_broken_at(stage, &handover, at);
    }
}

#[tokio::test]
async fn a_connection_cut_at_any_stage_is_known_by_its_stage() {
    for (at, stage) in STAGES {
        assert_broken_at(stage, &with_act(at, Act::Close, |_| {}).await, at);
    }
}

#[tokio::test]
async fn what_is_not_smtp_breaks_off_and_after_the_dot_leaves_a_doubt() {
    let huge = b"250-again and again\r\n".repeat(10_000);
    for (at, stage) in STAGES {
        for said in [&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], b"\0\xff\r\n", &huge] {
            assert_broken_at(stage, &with_act(at, Act::Last(said.to_vec()), |_| {}).await, at);
        }
    }
}

#[tokio::test]
async fn strange_but_valid_replies_are_understood() {
    let odd = |text: &str| Act::Slowly(text.as_bytes().to_vec());
    let script = Script::new()
        .on("CONNECT", odd("220-many\r\n220-lines\r\n220\r\n"))
        .on("EHLO", odd("250-postbox\n250 pipelining\n"))
        .on("MAIL", odd("250\r\n"))
        .on("RCPT", odd("251 \u{fc}ber anderswo\r\n"))
        .on("DATA", odd("354-go\r\n354 on\r\n"))
        .on(".", odd("250-2.0.0 kept\r\n250 2.0.0 as 4711\r\n"));
    let postbox = Postbox::start(script).await;
    let (handover, clean) = once(&target(&postbox)).await;
    assert_eq!((refusal(&handover).code, refusal(&handover).text.as_str()), (250, "kept as 4711"));
    assert!(clean.is_some());
    assert_eq!(postbox.mails().len(), 1);
}

#[tokio::test]
async fn a_dribbling_reply_is_bounded_as_a_whole() {
    // Every byte would be in time, the reply is not: it never ends.
    let endless = Act::Slowly(b"250-again\r\n".repeat(100_000));
    let postbox = Postbox::start(Script::new().on("EHLO", endless)).await;
    let mut target = target(&postbox);
    target.timeouts.command = SHORT;
    let (handover, _) = once(&target).await;
    assert_broken_at(Stage::Ehlo, &handover, "EHLO");
}

#[tokio::test]
async fn a_reply_that_comes_before_its_time_is_never_taken_for_a_sent_message() {
    let early = Act::Raw(b"354 go on\r\n250 2.0.0 kept already\r\n".to_vec());
    let postbox = Postbox::start(Script::new().on("DATA", early)).await;
    let (handover, clean) = once(&target(&postbox)).await;
    assert_broken_at(Stage::Data, &handover, "DATA");
    assert!(clean.is_none());

    let chatty = Act::Raw(b"250 postbox\r\n250 and\r\n250 more\r\n354 still\r\n250 more\r\n".to_vec());
    let postbox = Postbox::start(Script::new().on("EHLO", chatty)).await;
    assert_broken_at(Stage::Ehlo, &once(&target(&postbox)).await.0, "EHLO");
}

#[tokio::test]
async fn a_text_that_cannot_be_written_whole_was_not_delivered() {
    let postbox = Postbox::start(Script::new().on("TEXT", Act::Close)).await;
    let big = b"0123456789abcdef0123456789abcdef\r\n".repeat(1_000_000);
    let (handover, clean) = ready(&postbox).await.send(FROM, "ann@example.com", &big, || true).await;
    assert_broken_at(Stage::Data, &handover, "TEXT");
    assert!(clean.is_none() && postbox.mails().is_empty());
}

#[tokio::test]
async fn a_text_that_nobody_reads_ends_in_time() {
    let postbox = Postbox::start(Script::new().on("TEXT", Act::Hang)).await;
    let big = b"0123456789abcdef0123456789abcdef\r\n".repeat(1_000_000);
    let mut target = target(&postbox);
    (target.timeouts.data_block, target.timeouts.quit) = (SHORT, SHORT);
    let connection = connect(&target).await.unwrap_or_else(|answer| panic!("{answer:?}"));
    let (handover, _) = connection.send(FROM, "ann@example.com", &big, || true).await;
    assert_broken_at(Stage::Data, &handover, "TEXT");
}

#[tokio::test]
async fn refusals_after_the_dot_keep_the_connection() {
    let postbox = Postbox::start(Script::new().on_some(".", 0, 1, Act::say("554 5.7.1 Spam"))).await;
    let (handover, clean) = once(&target(&postbox)).await;
    assert_eq!((refusal(&handover).stage, refusal(&handover).code), (Stage::AfterDot, 554));
    let (handover, _) = clean.expect("it is clean").send(FROM, "b@example.com", BODY, || true).await;
    assert!(is_sent(&handover));
    assert_eq!(postbox.mails().len(), 1);
}

#[tokio::test]
async fn too_big_a_message_is_not_offered() {
    let postbox = Postbox::start(Script::new().offering(&["SIZE 59"])).await;
    let (handover, clean) = ready(&postbox).await.send(FROM, "ann@example.com", &[b'a'; 60], || true).await;
    assert_eq!((refusal(&handover).code, refusal(&handover).enhanced.as_deref()), (552, Some("5.3.4")));
    let (handover, _) = clean.expect("nothing was said").send(FROM, "ann@example.com", &[b'a'; 59], || true).await;
    assert!(is_sent(&handover));
    assert_eq!(postbox.log().commands[1], "MAIL FROM:<bounce+1@news.example> SIZE=59");
}

#[tokio::test]
async fn letters_beyond_ascii_need_a_relay_that_takes_them() {
    let postbox = Postbox::start(Script::new().offering(&[])).await;
    let (handover, clean) = ready(&postbox).await.send(FROM, "j\u{f6}rg@example.com", BODY, || true).await;
    assert_eq!((refusal(&handover).stage, refusal(&handover).enhanced.as_deref()), (Stage::RcptTo, Some("5.6.7")));
    assert!(clean.is_some());

    let postbox = Postbox::start(Script::new().offering(&["SMTPUTF8"])).await;
    let connection = ready(&postbox).await;
    let (_, clean) = connection.send(FROM, "j\u{f6}rg@example.com", BODY, || true).await;
    clean.expect("it is clean").send(FROM, "ann@xn--mller-kva.example", BODY, || true).await;
    let mails: Vec<String> = postbox.log().commands.into_iter().filter(|line| line.starts_with("MAIL")).collect();
    assert_eq!(mails, ["MAIL FROM:<bounce+1@news.example> SMTPUTF8", "MAIL FROM:<bounce+1@news.example>"]);
}

#[tokio::test]
async fn an_address_that_would_end_its_command_is_not_said() {
    let postbox = Postbox::start(Script::new()).await;
    let (handover, clean) = ready(&postbox).await.send(FROM, "a@b.c>\r\nRCPT TO:<d@e.f", BODY, || true).await;
    assert_eq!(refusal(&handover).stage, Stage::RcptTo);
    assert!(clean.is_some());
    assert_eq!(postbox.log().commands.len(), 1);
}

#[tokio::test]
async fn an_old_server_is_greeted_with_helo_and_a_bad_name_is_ours() {
    let postbox = Postbox::start(Script::new().on("EHLO", Act::say("502 5.5.1 What?"))).await;
    assert!(is_sent(&once(&target(&postbox)).await.0));
    assert_eq!(postbox.log().commands[..2], ["EHLO news.example", "HELO news.example"]);

    let postbox = Postbox::start(Script::new().on("EHLO", Act::say("501 5.5.4 Invalid name"))).await;
    assert_eq!(refusal(&once(&target(&postbox)).await.0).stage, Stage::Ehlo);

    for helo in ["", "two words", "a\r\nMAIL"] {
        let postbox = Postbox::start(Script::new()).await;
        let target = Target { helo: helo.into(), ..target(&postbox) };
        assert_broken_at(Stage::Ehlo, &once(&target).await.0, helo);
        assert_eq!(postbox.log().connections, 0);
    }
}

#[tokio::test]
async fn the_gate_stops_a_message_before_it_begins_and_before_its_text() {
    let postbox = Postbox::start(Script::new()).await;
    let (handover, clean) = ready(&postbox).await.send(FROM, "ann@example.com", BODY, || false).await;
    assert_eq!(handover, Handover::Withdrawn);
    assert_eq!(postbox.log().commands.len(), 1);

    let asked = AtomicUsize::new(0);
    let only_once = || asked.fetch_add(1, Ordering::SeqCst) == 0;
    let (handover, gone) = clean.expect("nothing was said").send(FROM, "ann@example.com", BODY, only_once).await;
    assert_eq!((handover, gone.is_none()), (Handover::Withdrawn, true));
    let log = postbox.wait_until("the end", |log| log.closed == 1).await;
    assert!(log.mails.is_empty() && log.commands.last().is_some_and(|line| line == "DATA"));
}

#[tokio::test]
async fn a_send_that_is_dropped_closes_its_connection() {
    let postbox = Postbox::start(Script::new().on("DATA", Act::Raw(Vec::new()))).await;
    let connection = ready(&postbox).await;
    let sending = tokio::spawn(async move {
        connection.send(FROM, "ann@example.com", BODY, || true).await;
    });
    postbox.wait_until("DATA", |log| log.commands.iter().any(|line| line == "DATA")).await;
    sending.abort();
    assert!(postbox.wait_until("the end", |log| log.closed == 1).await.mails.is_empty());
}

#[tokio::test]
async fn goodbye_is_polite_and_bounded() {
    let postbox = Postbox::start(Script::new().on("QUIT", Act::Hang)).await;
    let mut target = target(&postbox);
    target.timeouts.quit = SHORT;
    connect(&target).await.unwrap_or_else(|answer| panic!("{answer:?}")).quit().await;
    postbox.wait_until("QUIT", |log| log.commands.iter().any(|line| line == "QUIT")).await;
}

#[tokio::test]
async fn plain_text_goes_to_this_machine_only() {
    let far = Target::new("192.0.2.1", 25, Tls::None, "news.example");
    let answer = connect(&far).await.err();
    assert!(
        matches!(&answer, Some(Answer::Broken { stage: Stage::Connect, why }) if why.contains("no TLS")),
        "{answer:?}"
    );
    assert!(Target { plain_allowed: true, ..far.clone() }.addresses().await.is_ok());
    assert!(Target { tls: Tls::StartTls, ..far }.addresses().await.is_ok());
    for near in ["127.0.0.1", "127.8.8.8", "[::1]", "localhost", "::ffff:127.0.0.1"] {
        assert!(Target::new(near, 25, Tls::None, "news.example").addresses().await.is_ok(), "{near}");
    }
}

#[tokio::test]
async fn a_relay_that_is_not_there_is_ours() {
    let postbox = Postbox::start(Script::new()).await;
    let target = target(&postbox);
    drop(postbox);
    let no_such_name = Target { host: "no-such-host.invalid".into(), tls: Tls::StartTls, ..target.clone() };
    assert_broken_at(Stage::Connect, &once(&no_such_name).await.0, "name");
    // The port may need a moment to be free again.
    for _ in 0..1_000 {
        if let (Handover::Answered(Answer::Broken { stage: Stage::Connect, .. }), None) = once(&target).await {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("a closed port was connected to");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bench_sends_what_it_says_and_stops_at_a_refusal() {
    let args = |to| broadsheet::cli::bench::wire::WireArgs {
        messages: 21,
        size: 1_000,
        connections: vec![2],
        mode: vec![Manner::Auto, Manner::Bdat],
        window: 4,
        into: Vec::new(),
        rtt: 0,
        to,
    };
    let postbox = Postbox::start(Script::new().offering(&["PIPELINING", "CHUNKING"])).await;
    let done = broadsheet::cli::bench::wire::run(&args(Some(format!("127.0.0.1:{}", postbox.port())))).await;
    assert!(done.is_ok(), "{done:?}");
    let ours = postbox.mails().into_iter().filter(|mail| mail.bytes.starts_with(b"From: <bench@sender.example>\r\n"));
    assert!(ours.filter(|mail| mail.bytes.len() == 1_000).count() >= 2 * 3 * 21);

    let postbox = Postbox::start(Script::new().on(".", Act::say("554 5.7.1 No"))).await;
    let done = broadsheet::cli::bench::wire::run(&args(Some(format!("127.0.0.1:{}", postbox.port())))).await;
    assert!(done.is_err_and(|error| error.to_string().contains("not taken")));
}

#[tokio::test]
async fn a_greeting_that_is_said_twice_is_never_taken_for_an_answer() {
    let twice = b"220 relay.example ESMTP\r\n220 relay.example ESMTP\r\n";
    for act in [Act::Raw(twice.to_vec()), Act::Slowly(twice.to_vec())] {
        let postbox = Postbox::start(Script::new().on("CONNECT", act)).await;
        let (handover, kept) = once(&target(&postbox)).await;
        let Handover::Answered(Answer::Broken { stage, why }) = &handover else { panic!("{handover:?}") };
        // Which of the two sees it depends on when the second comes.
        assert!([Stage::Greeting, Stage::Ehlo].contains(stage), "{stage:?}: {why}");
        assert!(kept.is_none() && postbox.mails().is_empty());
        assert!(!postbox.log().commands.iter().any(|command| command.starts_with("MAIL")));
    }
}

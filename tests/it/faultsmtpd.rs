//! The relay that fails on purpose, as a program of its own: what it says it took is what it took.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use broadsheet::delivery::reply::{Answer, Stage};
use broadsheet::smtp::client::{Connection, Handover, Target, Timeouts, connect};
use broadsheet::smtp::faults::Accepted;
use broadsheet::values::ids::EventId;
use broadsheet::values::relay::Tls;

use crate::app::NOW;

const MESSAGE: &[u8] = b"From: a@example.com\r\nMessage-ID: <1@example.com>\r\n\r\nGood morning.\r\n";

/// `broadsheet faultsmtpd`, killed when dropped.
pub(crate) struct Relay {
    process: Child,
    pub(crate) port: u16,
    pub(crate) truth: PathBuf,
}

impl Relay {
    pub(crate) fn start(rules: &[&str]) -> Self {
        let truth = std::env::temp_dir().join(format!("broadsheet_truth_{}", EventId::new(NOW)));
        let mut command = Command::new(env!("CARGO_BIN_EXE_broadsheet"));
        command.args(["--json", "faultsmtpd", "--truth"]).arg(&truth).args(["--chunking", "--auth"]);
        for rule in rules {
            command.args(["--rule", rule]);
        }
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("starts");
        let mut line = String::new();
        BufReader::new(process.stdout.take().expect("is piped")).read_line(&mut line).expect("says where it is");
        let said: serde_json::Value = serde_json::from_str(&line).expect("is JSON");
        let address = said["listening"].as_str().expect("is text");
        let port = address.rsplit(':').next().and_then(|port| port.parse().ok()).expect("is a port");
        Self { process, port, truth }
    }

    /// What it took.
    pub(crate) fn accepted(&self) -> Vec<Accepted> {
        accepted(&self.truth)
    }

    async fn connect(&self) -> Connection {
        let target = Target {
            timeouts: Timeouts::all(std::time::Duration::from_secs(20)),
            ..Target::new("127.0.0.1", self.port, Tls::None, "news.example")
        };
        connect(&target).await.expect("connects")
    }

    async fn send(&self, to: &str) -> Handover {
        self.connect().await.send("b@bounce.example", to, MESSAGE, || true).await.0
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = std::fs::remove_file(&self.truth);
    }
}

pub(crate) fn accepted(truth: &Path) -> Vec<Accepted> {
    let text = std::fs::read_to_string(truth).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).expect("the truth is JSON")).collect()
}

#[tokio::test]
async fn taken_or_not_a_lost_reply_looks_the_same_and_the_truth_knows() {
    let relay = Relay::start(&["dot-after-log:drop:to=taken", "dot-before-log:drop:to=lost"]);
    for to in ["taken@readers.example", "lost@readers.example"] {
        let handover = relay.send(to).await;
        assert!(matches!(handover, Handover::Answered(Answer::Unclear { .. })), "{to}: {handover:?}");
    }
    let truth = relay.accepted();
    assert_eq!(truth.len(), 1);
    assert_eq!(
        (truth[0].to.as_slice(), truth[0].size),
        (["taken@readers.example".to_owned()].as_slice(), MESSAGE.len())
    );
    assert_eq!((truth[0].message_id.as_str(), truth[0].from.as_str()), ("<1@example.com>", "b@bounce.example"));
}

#[tokio::test]
async fn a_refusal_is_for_whom_the_rule_names_and_the_connection_goes_on() {
    let relay = Relay::start(&["rcpt:reply(550,5.1.1 No such user):to=nobody"]);
    let (handover, kept) =
        relay.connect().await.send("b@bounce.example", "nobody@readers.example", MESSAGE, || true).await;
    let Handover::Answered(Answer::Reply(reply)) = handover else { panic!("{handover:?}") };
    assert_eq!((reply.code, reply.stage), (550, Stage::RcptTo));
    let again = kept.expect("is clean").send("b@bounce.example", "ann@readers.example", MESSAGE, || true).await.0;
    let Handover::Answered(Answer::Reply(reply)) = again else { panic!("{again:?}") };
    assert_eq!((reply.code, reply.stage, relay.accepted().len()), (250, Stage::AfterDot, 1));
}

#[tokio::test]
async fn two_messages_are_on_the_wire_at_once_by_bdat() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let relay = Relay::start(&["dot-before-log:reply(451,4.3.0 Later):to=bob"]);
    let mut tcp = tokio::net::TcpStream::connect(("127.0.0.1", relay.port)).await.expect("connects");
    let one = |to: &str| {
        let half = MESSAGE.len() / 2;
        let (first, second) = MESSAGE.split_at(half);
        let mut wire = format!("MAIL FROM:<a@x>\r\nRCPT TO:<{to}>\r\nBDAT {half}\r\n").into_bytes();
        wire.extend_from_slice(first);
        wire.extend_from_slice(format!("BDAT {} LAST\r\n", second.len()).as_bytes());
        wire.extend_from_slice(second);
        wire
    };
    let group: Vec<u8> =
        [b"EHLO x\r\n".to_vec(), one("ann@x"), one("bob@x"), one("eve@x"), b"QUIT\r\n".to_vec()].concat();
    tcp.write_all(&group).await.expect("writes");
    let mut said = String::new();
    tcp.read_to_string(&mut said).await.expect("reads to the end");
    let ends: Vec<&str> = said.lines().filter(|line| line.contains("Taken") || line.contains("Later")).collect();
    assert_eq!(ends, ["250 2.0.0 Taken", "451 4.3.0 Later", "250 2.0.0 Taken"], "{said}");
    let to: Vec<String> = relay.accepted().into_iter().flat_map(|accepted| accepted.to).collect();
    assert_eq!(to, ["ann@x", "eve@x"]);
}

#[test]
fn a_wrong_rule_or_a_door_to_the_world_is_refused() {
    for (arguments, why) in [
        (["--rule", "rcpt:explode"], "there is no action “explode”"),
        (["--listen", "0.0.0.0:0"], "this relay is for this one only"),
    ] {
        let ran = Command::new(env!("CARGO_BIN_EXE_broadsheet")).arg("faultsmtpd").args(arguments).output();
        let ran = ran.expect("runs");
        let said = String::from_utf8_lossy(&ran.stderr).into_owned();
        assert!(!ran.status.success() && said.contains(why), "{said}");
    }
}

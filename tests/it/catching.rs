//! Our SMTP server: what it takes, what it refuses, and that no message hides in another.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use broadsheet::smtp::client::{Handover, Target, Timeouts, connect};
use broadsheet::smtp::server::{Envelope, Limits, Refusal, Server};
use broadsheet::values::relay::Tls;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

const AMPLE: Duration = Duration::from_secs(20);

type Kept = Arc<Mutex<Vec<(Envelope, Vec<u8>)>>>;

struct Caught {
    address: SocketAddr,
    kept: Kept,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Caught {
    fn kept(&self) -> Vec<(Envelope, Vec<u8>)> {
        self.kept.lock().expect("nobody panicked with it").clone()
    }
}

async fn server(limits: Limits) -> Caught {
    let kept = Kept::default();
    let sink = {
        let kept = Arc::clone(&kept);
        move |envelope: Envelope, message: Vec<u8>| {
            let kept = Arc::clone(&kept);
            async move {
                if message.starts_with(b"refuse me") {
                    return Err(Refusal { code: 554, text: "5.7.1 As you wish".into() });
                }
                kept.lock().expect("nobody panicked with it").push((envelope, message));
                Ok(())
            }
        }
    };
    let server =
        Server::bind(([127, 0, 0, 1], 0).into(), "catcher.example", limits, sink).await.expect("a port is free");
    let address = server.address().expect("it is bound");
    let stop = CancellationToken::new();
    let task = tokio::spawn(server.run(stop.clone()));
    Caught { address, kept, stop, task }
}

/// Says everything at once, hangs up its own side and gives all the codes that came back.
async fn codes(address: SocketAddr, said: &[u8]) -> Vec<u16> {
    let talking = async {
        let mut tcp = TcpStream::connect(address).await.expect("it listens");
        // The server may close before it has read everything.
        let _ = tcp.write_all(said).await;
        let _ = tcp.shutdown().await;
        let mut heard = Vec::new();
        let _ = tcp.read_to_end(&mut heard).await;
        heard
    };
    let heard = tokio::time::timeout(AMPLE, talking).await.expect("it answers");
    let lines = String::from_utf8(heard).expect("it speaks ASCII");
    lines
        .lines()
        .filter(|line| line.as_bytes().get(3) == Some(&b' '))
        .filter_map(|line| line[..3].parse().ok())
        .collect()
}

#[tokio::test]
async fn it_takes_what_our_client_sends() {
    let caught = server(Limits::default()).await;
    let mut target = Target::new("127.0.0.1", caught.address.port(), Tls::None, "news.example");
    target.timeouts = Timeouts::all(AMPLE);
    let mut connection = connect(&target).await.unwrap_or_else(|answer| panic!("{answer:?}"));
    for n in 0..50 {
        let body = format!("Subject: {n}\r\n\r\n.\r\n..{n}\r\n{}\r\n", "x".repeat(n * 1_000));
        let (handover, clean) =
            connection.send("b@news.example", &format!("r{n}@example.com"), body.as_bytes(), || true).await;
        assert!(matches!(handover, Handover::Answered(_)), "{handover:?}");
        connection = clean.expect("it is clean");
        let (envelope, message) = caught.kept().pop().expect("it is kept before the 250");
        assert_eq!((envelope.rcpt_to, message), (vec![format!("r{n}@example.com")], body.into_bytes()));
    }
    connection.quit().await;
}

#[tokio::test]
async fn a_whole_conversation_in_one_write_is_answered_in_order() {
    let caught = server(Limits::default()).await;
    let said = b"EHLO a\r\nNOOP\r\nVRFY x\r\nMAIL FROM:<>\r\nRCPT TO:<a@b.c>\r\nRSET\r\nDATA\r\nMAIL FROM:<a@b.c>\r\n\
        RCPT TO:<d@e.f>\r\nDATA\r\nhello\r\n.\r\nMAIL FROM:<a@b.c>\r\nRCPT TO:<d@e.f>\r\nDATA\r\nrefuse me\r\n.\r\nNONSENSE\r\nQUIT\r\n";
    let expected = [220, 250, 250, 252, 250, 250, 250, 503, 250, 250, 354, 250, 250, 250, 354, 554, 500, 221];
    assert_eq!(codes(caught.address, said).await, expected);
    let kept = caught.kept();
    assert_eq!((kept.len(), kept[0].1.as_slice()), (1, &b"hello\r\n"[..]));
}

#[tokio::test]
async fn chunks_are_put_together() {
    let caught = server(Limits::default()).await;
    let said = b"EHLO a\r\nMAIL FROM:<a@b.c>\r\nRCPT TO:<d@e.f>\r\nBDAT 7\r\n.\r\nab\r\nBDAT 4\r\ncd\r\nDATA\r\nBDAT 0 LAST\r\n\
        BDAT 3\r\nxyzMAIL FROM:<a@b.c>\r\nRCPT TO:<d@e.f>\r\nBDAT 2 LAST\r\n\r\nQUIT\r\n";
    let expected = [220, 250, 250, 250, 250, 250, 503, 250, 503, 250, 250, 250, 221];
    assert_eq!(codes(caught.address, said).await, expected);
    let kept = caught.kept();
    assert_eq!(kept.iter().map(|kept| kept.1.as_slice()).collect::<Vec<_>>(), [&b".\r\nab\r\ncd\r\n"[..], b"\r\n"]);
}

#[tokio::test]
async fn no_message_hides_in_another() {
    let hidden = "MAIL FROM:<evil@b.c>\r\nRCPT TO:<d@e.f>\r\nDATA\r\nhidden\r\n.\r\n";
    for end in ["\n.\n", "\n.\r\n", "\r\n.\n", "\r.\r", "\r\n.\r\r\n", "\r.\r\n"] {
        let caught = server(Limits::default()).await;
        let said = format!("EHLO a\r\nMAIL FROM:<a@b.c>\r\nRCPT TO:<d@e.f>\r\nDATA\r\nfirst{end}{hidden}QUIT\r\n");
        let heard = codes(caught.address, said.as_bytes()).await;
        assert_eq!(heard, [220, 250, 250, 250, 354, 550, 221], "{end:?}");
        assert!(caught.kept().is_empty(), "{end:?}");
    }
    let caught = server(Limits::default()).await;
    assert_eq!(codes(caught.address, b"EHLO a\r\nNOOP\nQUIT\r\n").await, [220, 250, 500]);
}

#[tokio::test]
async fn limits_hold() {
    let limits = Limits { message_bytes: 1_000, recipients: 2, ..Limits::default() };
    let caught = server(limits).await;
    let long = "x".repeat(70);
    let text = format!("{long}\r\n").repeat(20);
    let said = format!(
        "EHLO a\r\nMAIL FROM:<a@b.c> SIZE=1001\r\nMAIL FROM:<a@b.c>\r\nRCPT TO:<1@e.f>\r\nRCPT TO:<2@e.f>\r\n\
         RCPT TO:<3@e.f>\r\nDATA\r\n{text}.\r\nQUIT\r\n"
    );
    assert_eq!(codes(caught.address, said.as_bytes()).await, [220, 250, 552, 250, 250, 250, 452, 354, 552, 221]);

    let endless = vec![b'x'; 20_000];
    assert_eq!(codes(caught.address, &endless).await, [220, 500]);
    let nonsense = b"NONSENSE\r\n".repeat(100);
    assert_eq!(codes(caught.address, &nonsense).await.last(), Some(&421));

    let caught = server(Limits { connections: 1, ..limits }).await;
    let mut first = TcpStream::connect(caught.address).await.expect("it listens");
    let mut greeting = [0; 3];
    first.read_exact(&mut greeting).await.expect("it greets");
    assert_eq!(codes(caught.address, b"").await, [421]);
    assert!(caught.kept().is_empty());
}

#[tokio::test]
async fn a_silent_client_is_sent_away() {
    let caught = server(Limits { idle: Duration::from_millis(50), ..Limits::default() }).await;
    let mut tcp = TcpStream::connect(caught.address).await.expect("it listens");
    let mut heard = String::new();
    tokio::time::timeout(AMPLE, tcp.read_to_string(&mut heard)).await.expect("it ends").expect("it is text");
    assert!(heard.contains("\r\n421 "), "{heard}");
}

#[tokio::test]
async fn stopping_says_so_to_whoever_is_connected() {
    let caught = server(Limits::default()).await;
    let mut tcp = TcpStream::connect(caught.address).await.expect("it listens");
    let mut greeting = [0; 3];
    tcp.read_exact(&mut greeting).await.expect("it greets");
    caught.stop.cancel();
    let mut heard = String::new();
    tokio::time::timeout(AMPLE, tcp.read_to_string(&mut heard)).await.expect("it ends").expect("it is text");
    assert!(heard.contains("421 4.3.2"), "{heard}");
    tokio::time::timeout(AMPLE, caught.task).await.expect("it stops").expect("without a panic");
}

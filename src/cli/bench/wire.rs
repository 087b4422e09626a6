//! `bench wire`: how fast messages go over SMTP, without ledger and rendering, side by side with Postfix's own load
//! generator where that is installed. Figures of one run mean nothing next to those of another; their ratio does.

pub(super) mod sink;

use std::os::unix::fs::MetadataExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use clap::Args;
use tokio::task::JoinSet;

use crate::delivery::outcome::{Outcome, classify};
use crate::smtp::client::{Handover, Target, connect};
use crate::values::relay::Tls;

/// Rounds of each sender, alternating; the median counts.
const ROUNDS: usize = 3;
/// How long another program may take to begin listening.
const START: Duration = Duration::from_secs(10);
/// Between two looks whether it does.
const START_LOOK: Duration = Duration::from_millis(20);
const SENDER: &str = "bench@sender.example";
const READER: &str = "reader@example.com";

/// Measure sending over SMTP on this machine
#[derive(Clone, Debug, Args)]
pub struct WireArgs {
    /// Messages in each round
    #[arg(long, default_value_t = 20_000)]
    pub messages: usize,
    /// Bytes of one message
    #[arg(long, default_value_t = 40_000)]
    pub size: usize,
    /// Connections at once
    #[arg(long, default_value_t = 10)]
    pub connections: usize,
    /// Send to this relay on the loopback instead, which must throw the mail away
    #[arg(long, value_name = "HOST:PORT")]
    pub to: Option<String>,
}

/// Measures and prints.
///
/// # Errors
/// When a receiver does not start or a message is not taken.
pub async fn run(args: &WireArgs) -> anyhow::Result<()> {
    if args.messages == 0 || args.connections == 0 {
        bail!("there must be at least one message and one connection; nothing was sent");
    }
    println!("{} messages of {} bytes, {} connections, median of {ROUNDS}", args.messages, args.size, args.connections);
    if let Some(to) = &args.to {
        let (host, port) = to.rsplit_once(':').context("--to is written HOST:PORT")?;
        return compare(args, to, host, port.parse().context("--to is written HOST:PORT")?).await;
    }
    let port = sink::start()?;
    compare(args, "own sink", "127.0.0.1", port).await?;
    if let Some((mut receiver, port)) = smtp_sink().await? {
        let compared = compare(args, "smtp-sink", "127.0.0.1", port).await;
        receiver.kill().context("smtp-sink does not end")?;
        receiver.wait()?;
        compared?;
    }
    Ok(())
}

/// Both senders in turn into one receiver.
async fn compare(args: &WireArgs, receiver: &str, host: &str, port: u16) -> anyhow::Result<()> {
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        ours.push(send(args, host, port).await?);
        theirs.extend(smtp_source(args, host, port)?);
    }
    let ours = median(ours);
    if theirs.is_empty() {
        println!("{receiver}: ours {ours:.0}/s (smtp-source is not installed: no comparison)");
    } else {
        let theirs = median(theirs);
        println!("{receiver}: ours {ours:.0}/s, smtp-source {theirs:.0}/s, ratio {:.2}", ours / theirs);
    }
    Ok(())
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}

#[expect(clippy::cast_precision_loss, reason = "a bench does not send 2^52 messages")]
fn rate(args: &WireArgs, began: Instant) -> f64 {
    args.messages as f64 / began.elapsed().as_secs_f64()
}

/// Our client: messages a second, connecting included.
async fn send(args: &WireArgs, host: &str, port: u16) -> anyhow::Result<f64> {
    let target = Arc::new(Target::new(host, port, Tls::None, "bench.example"));
    let message = Arc::new(message(args.size));
    let began = Instant::now();
    let mut tasks = JoinSet::new();
    for n in 0..args.connections {
        let share = args.messages / args.connections + usize::from(n < args.messages % args.connections);
        tasks.spawn(send_share(Arc::clone(&target), Arc::clone(&message), share));
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    Ok(rate(args, began))
}

async fn send_share(target: Arc<Target>, message: Arc<Vec<u8>>, count: usize) -> anyhow::Result<()> {
    let mut open = None;
    for _ in 0..count {
        loop {
            let connection = match open.take() {
                Some(connection) => connection,
                None => connect(&target).await.map_err(|answer| anyhow::anyhow!("no connection: {answer:?}"))?,
            };
            let (handover, clean) = connection.send(SENDER, READER, &message, || true).await;
            open = clean;
            match handover {
                Handover::Stale { .. } => {}
                Handover::Answered(answer) if classify(&answer) == Outcome::Sent => break,
                other => bail!("a message was not taken: {other:?}"),
            }
        }
    }
    if let Some(connection) = open {
        connection.quit().await;
    }
    Ok(())
}

fn message(size: usize) -> Vec<u8> {
    /// A line of text mail, its end included.
    const LINE_BYTES: usize = 78;
    let mut text = format!("From: <{SENDER}>\r\nTo: <{READER}>\r\nSubject: bench\r\n\r\n").into_bytes();
    while text.len() < size {
        let line = (size - text.len()).min(LINE_BYTES).saturating_sub(2);
        text.extend(std::iter::repeat_n(b'x', line));
        text.extend_from_slice(b"\r\n");
    }
    text
}

/// Postfix's generator; `None` where it is not installed. `-d` keeps its connections, as ours are kept.
fn smtp_source(args: &WireArgs, host: &str, port: u16) -> anyhow::Result<Option<f64>> {
    let began = Instant::now();
    let done = Command::new("smtp-source")
        .args(["-d", "-f", SENDER, "-t", READER])
        .args(["-s", &args.connections.to_string(), "-m", &args.messages.to_string(), "-l", &args.size.to_string()])
        .arg(format!("{host}:{port}"))
        .status();
    match done {
        Ok(status) if status.success() => Ok(Some(rate(args, began))),
        Ok(status) => bail!("smtp-source failed: {status}"),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).context("smtp-source cannot be started"),
    }
}

/// Postfix's receiver on a free port; `None` where it is not installed.
async fn smtp_sink() -> anyhow::Result<Option<(Child, u16)>> {
    let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let mut command = Command::new("smtp-sink");
    // Started by root it wants to be somebody else; started by anybody else it cannot be.
    if std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0) {
        command.args(["-u", "nobody"]);
    }
    let started = command.arg(format!("127.0.0.1:{port}")).arg("1024").stdout(Stdio::null()).spawn();
    let mut receiver = match started {
        Ok(child) => child,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).context("smtp-sink cannot be started"),
    };
    let mut looks = tokio::time::interval(START_LOOK);
    let listening = async {
        while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            looks.tick().await;
        }
    };
    if tokio::time::timeout(START, listening).await.is_err() {
        receiver.kill()?;
        receiver.wait()?;
        bail!("smtp-sink does not listen");
    }
    Ok(Some((receiver, port)))
}

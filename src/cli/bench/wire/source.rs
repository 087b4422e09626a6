//! Who sends the mail of a benchmark: our client, or Postfix's smtp-source.

use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, bail};
use clap::ValueEnum;
use tokio::task::JoinSet;

use crate::delivery::outcome::{Outcome, classify};
use crate::smtp::client::{Cargo, Carried, Handover, Target, Window, connect};
use crate::values::relay::Tls;

pub(in crate::cli::bench) const SENDER: &str = "bench@sender.example";
pub(in crate::cli::bench) const READER: &str = "reader@example.com";
/// Clock ticks a second in /proc, as Linux has them on every machine that we build for.
const TICKS_A_SECOND: f64 = 100.0;

/// How messages follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Manner {
    /// As the relay's offers and its distance say
    Auto,
    /// Each command waits for its answer
    Lockstep,
    /// The envelope in one write, the text in the next
    Alone,
    /// Each text with the next envelope behind it
    Riding,
    /// Whole transactions, several unanswered (BDAT)
    Bdat,
}

/// What one round sends.
#[derive(Clone, Copy, Debug)]
pub(in crate::cli::bench) struct Round {
    pub(in crate::cli::bench) messages: usize,
    pub(in crate::cli::bench) size: usize,
    pub(in crate::cli::bench) connections: usize,
    pub(in crate::cli::bench) window: u32,
}

/// How it went.
#[derive(Clone, Copy, Debug)]
pub(in crate::cli::bench) struct Speed {
    /// Messages a second, connecting included.
    pub(in crate::cli::bench) rate: f64,
    /// Microseconds of processor time a message, of this program without its sink.
    pub(in crate::cli::bench) cpu: f64,
}

/// A share of a round, for one connection: the same text again and again.
struct Share {
    left: usize,
    text: Arc<Vec<u8>>,
    /// The first answer that was no 250.
    refused: Option<Handover>,
}

struct Copy(Arc<Vec<u8>>);

impl Carried for Copy {
    fn mail_from(&self) -> &str {
        SENDER
    }

    fn rcpt_to(&self) -> &str {
        READER
    }

    fn text(&self) -> &[u8] {
        &self.0
    }
}

impl Cargo for Share {
    type Message = Copy;

    async fn next(&mut self) -> Option<Copy> {
        self.ready()
    }

    fn ready(&mut self) -> Option<Copy> {
        self.left = self.left.checked_sub(1)?;
        Some(Copy(Arc::clone(&self.text)))
    }

    async fn cleared(&mut self, _: &mut Copy) -> bool {
        true
    }

    fn may_go(&self, _: &Copy) -> bool {
        true
    }

    fn answered(&mut self, _: Copy, handover: Handover) {
        match handover {
            Handover::Stale { .. } => self.left += 1,
            Handover::Answered(answer) if classify(&answer) == Outcome::Sent => {}
            other => {
                self.left = 0;
                self.refused.get_or_insert(other);
            }
        }
    }
}

/// Sends a round with our client.
#[expect(clippy::cast_precision_loss, reason = "a bench does not send 2^52 messages")]
pub(in crate::cli::bench) async fn ours(round: Round, manner: Manner, host: &str, port: u16) -> anyhow::Result<Speed> {
    let target = Arc::new(target(round, manner, host, port));
    let text = Arc::new(text(round.size));
    let (began, cpu_began) = (Instant::now(), cpu_seconds());
    let mut tasks = JoinSet::new();
    for n in 0..round.connections {
        let left = round.messages / round.connections + usize::from(n < round.messages % round.connections);
        let share = Share { left, text: Arc::clone(&text), refused: None };
        tasks.spawn(carry(Arc::clone(&target), share));
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    let messages = round.messages as f64;
    let cpu = (cpu_seconds() - cpu_began) * 1e6 / messages;
    Ok(Speed { rate: messages / began.elapsed().as_secs_f64(), cpu })
}

fn target(round: Round, manner: Manner, host: &str, port: u16) -> Target {
    let mut target = Target::new(host, port, Tls::None, "bench.example");
    target.chunking = matches!(manner, Manner::Auto | Manner::Bdat);
    target.pipelining = manner != Manner::Lockstep;
    target.window = match manner {
        Manner::Auto => Window::Auto,
        Manner::Lockstep | Manner::Alone => Window::Fixed(1),
        Manner::Riding => Window::Fixed(2),
        Manner::Bdat => Window::Fixed(round.window),
    };
    target
}

async fn carry(target: Arc<Target>, mut share: Share) -> anyhow::Result<()> {
    while share.left > 0 {
        let connection = connect(&target).await.map_err(|answer| anyhow::anyhow!("no connection: {answer:?}"))?;
        if let Some(connection) = connection.carry(&mut share).await {
            connection.quit().await;
        }
    }
    match share.refused {
        Some(handover) => bail!("a message was not taken: {handover:?}"),
        None => Ok(()),
    }
}

pub(in crate::cli::bench) fn text(size: usize) -> Vec<u8> {
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

/// Processor time of this program's threads so far, without that of its sink; 0 where there is no /proc.
pub(in crate::cli::bench) fn cpu_seconds() -> f64 {
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let ticks = |task: std::fs::DirEntry| {
        let stat = std::fs::read_to_string(task.path().join("stat")).ok()?;
        // `pid (name) state …`: user and system time are the 12th and 13th behind the name.
        let (name, rest) = stat.split_once('(')?.1.rsplit_once(") ")?;
        let times = rest.split(' ').skip(11).take(2).filter_map(|time| time.parse::<f64>().ok());
        (name != super::sink::THREAD).then(|| times.sum::<f64>())
    };
    tasks.filter_map(ticks).sum::<f64>() / TICKS_A_SECOND
}

/// Postfix's generator; `None` where it is not installed. `-d` keeps its connections, as ours are kept.
#[expect(clippy::cast_precision_loss, reason = "a bench does not send 2^52 messages")]
pub(in crate::cli::bench) fn smtp_source(round: Round, host: &str, port: u16) -> anyhow::Result<Option<f64>> {
    let began = Instant::now();
    let done = Command::new("smtp-source")
        .args(["-d", "-f", SENDER, "-t", READER])
        .args(["-s", &round.connections.to_string(), "-m", &round.messages.to_string(), "-l", &round.size.to_string()])
        .arg(format!("{host}:{port}"))
        .status();
    match done {
        Ok(status) if status.success() => Ok(Some(round.messages as f64 / began.elapsed().as_secs_f64())),
        Ok(status) => bail!("smtp-source failed: {status}"),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).context("smtp-source cannot be started"),
    }
}

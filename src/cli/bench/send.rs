//! `bench send`: the whole way of an issue, claim, make, mark, SMTP, settle, side by side with another sender into the
//! same receiver. Figures of one run mean nothing next to those of another; their ratio does.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use serde_json::json;

use super::far::{self, Far};
use super::house::House;
use super::lettre;
use super::wire::receiver::{Kind, Receiver};
use super::wire::source::{self, Round};
use crate::store::issue::IssueState;
use crate::store::{self, delivery, relay};
use crate::verbs::deliver;
use crate::verbs::relays::{self, Change};

/// Rounds of each sender, alternating; the median counts.
const ROUNDS: usize = 3;
/// Between two looks at a running issue.
const LOOK: Duration = Duration::from_millis(5);

/// Send an issue to a receiver on this machine: claim, compose, sign, mark, SMTP, settle
#[derive(Clone, Debug, Args)]
pub struct SendArgs {
    /// Readers of the issue in each round
    #[arg(long, default_value_t = 20_000)]
    pub readers: i64,
    /// Bytes of one message, about
    #[arg(long, default_value_t = 40_000)]
    pub size: usize,
    /// Connections at once
    #[arg(long, default_value_t = 20)]
    pub connections: usize,
    /// Messages unanswered on a connection at once, instead of what the distance suggests
    #[arg(long)]
    pub window: Option<u32>,
    /// Sign each message (RSA-2048)
    #[arg(long)]
    pub dkim: bool,
    /// Put the receiver so many milliseconds away
    #[arg(long, value_name = "MS")]
    pub rtt: Option<u64>,
    /// Let every commit take so many milliseconds more, as slow disks do
    #[arg(long, value_name = "MS", default_value_t = 0)]
    pub commit_delay: u64,
    /// The sender to compare with
    #[arg(long, value_enum, default_value = "smtp-source")]
    pub against: Against,
    /// The receiver
    #[arg(long, value_enum, default_value = "smtp-sink")]
    pub into: Kind,
    /// Rounds of each sender
    #[arg(long, default_value_t = ROUNDS)]
    pub rounds: usize,
    /// One JSON object
    #[arg(long)]
    pub json: bool,
}

/// The anchor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Against {
    /// Postfix's load generator: one fixed message, no memory
    SmtpSource,
    /// lettre's pooled transport, one fixed message
    Lettre,
    /// Our own engine with its ledger off: what durability costs
    NoLedger,
    /// Nobody
    None,
}

impl Against {
    fn name(self) -> &'static str {
        match self {
            Self::SmtpSource => "smtp-source",
            Self::Lettre => "lettre",
            Self::NoLedger => "no ledger",
            Self::None => "nobody",
        }
    }
}

/// One round of ours.
#[derive(Clone, Copy, Debug)]
struct Speed {
    rate: f64,
    /// Microseconds of this program's processor time a message, without sinks and proxies.
    cpu: f64,
}

/// Measures and prints.
///
/// # Errors
/// When the receiver or the anchor is not installed, a message is not taken, or the store cannot.
pub async fn run(args: &SendArgs) -> anyhow::Result<()> {
    anyhow::ensure!(
        args.readers > 0 && args.connections > 0 && args.rounds > 0,
        "there must be readers, connections and rounds; nothing was sent"
    );
    let round_trip = args.rtt.map(Duration::from_millis);
    if let Some(round_trip) = round_trip {
        far::move_out(round_trip)?;
    }
    let receiver = Receiver::start(args.into).await?;
    let receiver = receiver.with_context(|| format!("{} is not installed; nothing was sent", args.into.name()))?;
    let far = round_trip.map(|round_trip| Far::put(round_trip, receiver.port)).transpose()?;
    let port = far.as_ref().map_or(receiver.port, |far| far.port(receiver.port));
    let relay = format!("smtp://127.0.0.1:{port}");
    let house = House::open(args.readers, &relay, |config| {
        config.connections_max = args.connections;
        config.bench.unsigned = !args.dkim;
        config.bench.window = args.window;
        config.bench.commit_delay = Duration::from_millis(args.commit_delay);
    })
    .await?;
    if let Some(window) = args.window {
        let in_doubt_max = Some(i64::from(window) * i64::try_from(args.connections)?);
        let name = relay::all(&mut house.app.store.read().await?).await?.into_iter().next().context("no relay")?.name;
        relays::set(&house.app, &name, Change { in_doubt_max, ..Change::default() }).await?;
    }
    let idle = memory("VmRSS:");
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..args.rounds {
        ours.push(send(&house, args).await?);
        theirs.extend(anchor(&house, args, port).await?);
    }
    let figures = Figures {
        rate: median(ours.iter().map(|speed| speed.rate).collect()),
        cpu: median(ours.iter().map(|speed| speed.cpu).collect()),
        anchor: (!theirs.is_empty()).then(|| median(theirs)),
        memory: memory("VmHWM:"),
        over_idle: memory("VmHWM:").saturating_sub(idle),
    };
    figures.show(args, far.as_ref());
    Ok(())
}

struct Figures {
    rate: f64,
    cpu: f64,
    anchor: Option<f64>,
    /// KiB at most, and beyond the idle process.
    memory: u64,
    over_idle: u64,
}

impl Figures {
    fn show(&self, args: &SendArgs, far: Option<&Far>) {
        let ratio = self.anchor.map(|anchor| self.rate / anchor);
        if args.json {
            let figures = json!({
                "readers": args.readers, "size": args.size, "connections": args.connections, "window": args.window,
                "dkim": args.dkim, "rtt_ms": args.rtt, "far_by": far.map(Far::explain),
                "commit_delay_ms": args.commit_delay, "into": args.into.name(), "against": args.against.name(),
                "rate": self.rate, "anchor_rate": self.anchor, "ratio": ratio, "cpu_us": self.cpu,
                "memory_kib": self.memory, "memory_over_idle_kib": self.over_idle, "rounds": args.rounds,
            });
            println!("{figures}");
            return;
        }
        println!(
            "{} readers, {} bytes, {} connections, {}, into {}{}; medians of {} rounds",
            args.readers,
            args.size,
            args.connections,
            if args.dkim { "signed" } else { "unsigned" },
            args.into.name(),
            far.map(|far| format!(" {} ms away by {}", args.rtt.unwrap_or_default(), far.explain()))
                .unwrap_or_default(),
            args.rounds,
        );
        println!("  ours         {:>8.0}/s, {:.0} µs CPU a message, ledger on", self.rate, self.cpu);
        if let (Some(anchor), Some(ratio)) = (self.anchor, ratio) {
            println!("  {:<12} {anchor:>8.0}/s", args.against.name());
            println!("  ratio        {ratio:>8.2}");
        }
        println!("  memory       {:>8} KiB at most, {} over the idle process", self.memory, self.over_idle);
    }
}

/// One issue, from the moment it may go to its last outcome.
async fn send(house: &House, args: &SendArgs) -> anyhow::Result<Speed> {
    let (issue, _) = house.publish(args.size).await?;
    let (began, cpu_began) = (Instant::now(), source::cpu_seconds());
    let stop = house.app.stop.child_token();
    let engine = tokio::spawn(deliver::run_until(house.app.clone(), stop.clone()));
    loop {
        tokio::time::sleep(LOOK).await;
        let mut tx = house.app.store.read().await?;
        let row = store::issue::by_id(&mut tx, issue).await?.context("the issue is gone")?;
        if row.state == IssueState::Sent {
            break;
        }
        anyhow::ensure!(row.state == IssueState::Sending, "the issue is {}: {}", row.state.as_str(), row.state_reason);
        anyhow::ensure!(!engine.is_finished(), "the engine stopped");
    }
    let (took, cpu) = (began.elapsed(), source::cpu_seconds() - cpu_began);
    stop.cancel();
    engine.await??;
    let mut tx = house.app.store.read().await?;
    let counts = delivery::counts(&mut tx, issue).await?;
    anyhow::ensure!(counts.sent == args.readers, "not everybody got it: {counts:?}");
    Ok(speed(args.readers, took, cpu))
}

async fn anchor(house: &House, args: &SendArgs, port: u16) -> anyhow::Result<Option<f64>> {
    let messages = usize::try_from(args.readers)?;
    let round = Round { messages, size: args.size, connections: args.connections, window: 1 };
    match args.against {
        Against::None => Ok(None),
        Against::SmtpSource => source::smtp_source(round, "127.0.0.1", port)?
            .map(Some)
            .context("smtp-source is not installed (Debian's package postfix); --against none measures without it"),
        Against::Lettre => lettre::send(round, port).await.map(Some),
        Against::NoLedger => {
            let (issue, _) = house.publish(args.size).await?;
            let (took, sent) = deliver::unwritten::send(&house.app, issue, args.connections).await?;
            Ok(Some(speed(i64::try_from(sent)?, took, 0.0).rate))
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a bench does not send 2^52 messages")]
fn speed(messages: i64, took: Duration, cpu_seconds: f64) -> Speed {
    Speed { rate: messages as f64 / took.as_secs_f64(), cpu: cpu_seconds * 1e6 / messages as f64 }
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// What the system says of this process's memory, in KiB; 0 where it does not.
fn memory(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
    line.trim().split(' ').next().and_then(|number| number.parse().ok()).unwrap_or(0)
}

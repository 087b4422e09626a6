//! `bench wire`: how fast messages go over SMTP, without ledger and rendering, side by side with Postfix's own load
//! generator where that is installed. Figures of one run mean nothing next to those of another; their ratio does.

pub(super) mod distance;
pub mod receiver;
pub(super) mod sink;
pub mod source;

use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args;

use receiver::{Kind, Receiver};
use source::{Manner, Round, Speed};

/// Rounds of each sender, alternating; the median counts.
const ROUNDS: usize = 3;

/// Measure sending over SMTP on this machine
#[derive(Clone, Debug, Args)]
pub struct WireArgs {
    /// Messages in each round
    #[arg(long, default_value_t = 20_000)]
    pub messages: usize,
    /// Bytes of one message
    #[arg(long, default_value_t = 40_000)]
    pub size: usize,
    /// Connections at once; several numbers, with commas, are measured one after the other
    #[arg(long, default_value = "10", value_delimiter = ',')]
    pub connections: Vec<usize>,
    /// How messages follow each other; several with commas
    #[arg(long, value_enum, default_value = "auto", value_delimiter = ',')]
    pub mode: Vec<Manner>,
    /// Messages unanswered at once on a connection, with bdat
    #[arg(long, default_value_t = crate::smtp::client::WINDOW_AUTO)]
    pub window: u32,
    /// Receivers to start and send to; several with commas
    #[arg(long, value_enum, default_value = "own,smtp-sink", value_delimiter = ',')]
    pub into: Vec<Kind>,
    /// Milliseconds to the receiver and back, added on the way to it
    #[arg(long, default_value_t = 0)]
    pub rtt: u64,
    /// Send to this relay on the loopback instead, which must throw the mail away
    #[arg(long, value_name = "HOST:PORT", conflicts_with_all = ["into", "rtt"])]
    pub to: Option<String>,
}

/// Measures and prints.
///
/// # Errors
/// When a receiver does not start or a message is not taken.
pub async fn run(args: &WireArgs) -> anyhow::Result<()> {
    if args.messages == 0 || args.connections.contains(&0) {
        bail!("there must be at least one message and one connection; nothing was sent");
    }
    let far = if args.rtt > 0 { format!("{} ms there and back, ", args.rtt) } else { String::new() };
    println!("{} messages of {} bytes, {far}median of {ROUNDS} rounds", args.messages, args.size);
    if let Some(to) = &args.to {
        let (host, port) = to.rsplit_once(':').context("--to is written HOST:PORT")?;
        return compare(args, to, host, port.parse().context("--to is written HOST:PORT")?).await;
    }
    for into in &args.into {
        match Receiver::start(*into).await? {
            Some(receiver) => {
                let (port, far) = (receiver.port, Duration::from_millis(args.rtt));
                let port = if far.is_zero() { port } else { distance::start(port, far)? };
                compare(args, into.name(), "127.0.0.1", port).await?;
            }
            None => println!("{}: not there, no comparison", into.name()),
        }
    }
    Ok(())
}

/// All senders in turn into one receiver.
async fn compare(args: &WireArgs, receiver: &str, host: &str, port: u16) -> anyhow::Result<()> {
    for connections in &args.connections {
        let round = Round { messages: args.messages, size: args.size, connections: *connections, window: args.window };
        let mut theirs = Vec::new();
        let mut ours = vec![Vec::new(); args.mode.len()];
        for _ in 0..ROUNDS {
            for (speeds, mode) in ours.iter_mut().zip(&args.mode) {
                speeds.push(source::ours(round, *mode, host, port).await?);
            }
            theirs.extend(source::smtp_source(round, host, port)?);
        }
        let theirs = (!theirs.is_empty()).then(|| median(theirs));
        for (speeds, mode) in ours.iter().zip(&args.mode) {
            show(receiver, *connections, *mode, speeds, theirs);
        }
    }
    Ok(())
}

fn show(receiver: &str, connections: usize, mode: Manner, speeds: &[Speed], theirs: Option<f64>) {
    let rate = median(speeds.iter().map(|speed| speed.rate).collect());
    let cpu = median(speeds.iter().map(|speed| speed.cpu).collect());
    let mode = format!("{mode:?}").to_lowercase();
    let compared = theirs.map_or("smtp-source is not installed: no comparison".to_owned(), |theirs| {
        format!("smtp-source {theirs:.0}/s, ratio {:.2}", rate / theirs)
    });
    println!("{receiver}, {connections} connections, {mode}: {rate:.0}/s, {cpu:.0} µs CPU each; {compared}");
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

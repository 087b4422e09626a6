//! `bench freeze`, `bench ledger`, `bench send`: the ledger by itself, and the whole way into a sink that costs little.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::Args;

use super::figures::{self, Spread, Took, Watch};
use super::wire::sink;
use crate::config::Config;
use crate::delivery::state::DeliveryState;
use crate::issue::rendered::{Piece, Rendered, Template};
use crate::issue::tree::Field;
use crate::store::delivery::claim::{Claim, claim, mark};
use crate::store::delivery::settle::{Settlement, settle};
use crate::store::issue::{IssueState, IssueText};
use crate::store::{self, delivery};
use crate::values::clock::{Clock, Millis};
use crate::values::ids::{AttemptId, IssueId, NewsletterId, SubscriberId};
use crate::verbs::app::App;
use crate::verbs::newsletters::{self, Wanted};
use crate::verbs::{deliver, publish, start};

/// Repetitions of what is short; the median counts.
const ROUNDS: usize = 5;
/// Between two looks at a running issue.
const LOOK: Duration = Duration::from_millis(20);

/// Freeze an audience: rendering and one row a reader, one transaction
#[derive(Clone, Debug, Args)]
pub struct FreezeArgs {
    #[arg(long, default_value_t = 1_000_000)]
    pub readers: i64,
    #[arg(long)]
    pub json: bool,
}

/// Claim, mark and settle without a network, in groups of several sizes
#[derive(Clone, Debug, Args)]
pub struct LedgerArgs {
    #[arg(long, default_value_t = 200_000)]
    pub readers: i64,
    /// Readers of each size of group in each round
    #[arg(long, default_value_t = 8_000)]
    pub each: i64,
    /// Make every commit longer by so many milliseconds, as on a slower disk
    #[arg(long, default_value_t = 0)]
    pub commit_delay: u64,
    #[arg(long)]
    pub json: bool,
}

/// Send an issue to a sink: claim, compose, sign, mark, SMTP, settle
#[derive(Clone, Debug, Args)]
pub struct SendArgs {
    #[arg(long, default_value_t = 10_000)]
    pub readers: i64,
    /// Bytes of one message, about
    #[arg(long, default_value_t = 40_000)]
    pub size: usize,
    /// Connections at once
    #[arg(long, default_value_t = 10)]
    pub connections: i64,
}

/// A house in a folder of its own, removed at the end.
pub(super) struct Bench {
    pub(super) app: App,
    pub(super) newsletter: NewsletterId,
    folder: PathBuf,
}

impl Drop for Bench {
    fn drop(&mut self) {
        // What stays behind is in the system's folder for such things.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl Bench {
    pub(super) async fn open(readers: i64, port: u16, connections: i64) -> anyhow::Result<Self> {
        let clock = Clock::System;
        let folder = std::env::temp_dir().join(format!("broadsheet-bench-{}", AttemptId::new(clock.now())));
        let config = Config {
            data: folder.clone(),
            public_url: "https://news.example".into(),
            helo: "news.example".into(),
            connections_max: usize::try_from(connections)?,
            ..Config::default()
        };
        let app = start::open(config, clock).await?;
        let wanted = Wanted {
            name: "The Tidewater Brief".into(),
            slug: "tidewater".into(),
            from: "Ines <brief@tidewater.example>".into(),
            postal_address: "Quay House, Port Ellery".into(),
            zone: "Europe/Lisbon".into(),
            relay: Some(format!("smtp://127.0.0.1:{port}").parse().map_err(anyhow::Error::msg)?),
            ..Wanted::default()
        };
        let newsletter = newsletters::create(&app, wanted).await?.id;
        let mut tx = app.store.write().await?;
        store::bench::readers(&mut tx, newsletter, readers).await?;
        tx.commit().await?;
        Ok(Self { app, newsletter, folder })
    }

    /// Publishes an issue of about `size` bytes; gives it and how long that took.
    async fn publish(&self, size: usize) -> anyhow::Result<(IssueId, Duration)> {
        let mut tx = self.app.store.write().await?;
        let slug = format!("issue-{}", AttemptId::new(tx.now));
        let text = IssueText { slug, subject: "Low tide".into(), source: "Bench.".into(), ..IssueText::default() };
        let issue = store::issue::insert(&mut tx, self.newsletter, &text).await?;
        tx.commit().await?;
        let began = Instant::now();
        publish::freeze(&self.app, issue, 1, &rendered(size), 0).await?;
        Ok((issue, began.elapsed()))
    }
}

/// Text of about so many bytes, with gaps where an issue has them.
fn rendered(size: usize) -> Rendered {
    let line = "The tide was low this week, and what it left behind is worth a look: a boat, a bell, a letter.\n";
    let body = line.repeat(size / line.len() / 2);
    let template = |open: &str, body: &str| Template {
        pieces: vec![
            Piece::Fixed(format!("{open}{body}")),
            Piece::Slot(Field::Name { default: "reader".into() }),
            Piece::Fixed("\n".into()),
            Piece::Slot(Field::Unsubscribe),
            Piece::Fixed("\n".into()),
        ],
    };
    Rendered {
        subject: Template { pieces: vec![Piece::Fixed("Low tide".into())] },
        html: template("<p>", &body),
        text: template("", &body),
        web: String::new(),
        hash: "bench".into(),
    }
}

#[expect(clippy::cast_precision_loss, reason = "figures for a person to read")]
fn rate(many: i64, took: Duration) -> f64 {
    many as f64 / took.as_secs_f64()
}

/// What the freeze came to.
#[derive(serde::Serialize)]
struct Frozen {
    readers: i64,
    seconds: Spread,
    cpu_seconds: Spread,
    /// The longest that a page's counts took while an audience was frozen beside them.
    read_meanwhile_ms_max: f64,
    memory_most_kib: u64,
}

/// # Errors
/// When the store cannot.
pub async fn freeze(args: &FreezeArgs) -> anyhow::Result<()> {
    let bench = Bench::open(args.readers, 25, 1).await?;
    let (first, _) = bench.publish(1_000).await?;
    let (mut wall, mut cpu, mut longest) = (Vec::new(), Vec::new(), Duration::ZERO);
    for _ in 0..ROUNDS {
        let done = tokio_util::sync::CancellationToken::new();
        let reading = tokio::spawn(read_until(bench.app.clone(), first, done.clone()));
        let watch = Watch::start()?;
        bench.publish(1_000).await?;
        let took = watch.stop()?;
        done.cancel();
        longest = longest.max(reading.await??);
        wall.push(took.wall.as_secs_f64());
        cpu.push(took.cpu.as_secs_f64());
    }
    let frozen = Frozen {
        readers: args.readers,
        seconds: Spread::of(wall),
        cpu_seconds: Spread::of(cpu),
        read_meanwhile_ms_max: longest.as_secs_f64() * 1_000.0,
        memory_most_kib: figures::memory_most_kib()?,
    };
    if args.json {
        println!("{}", serde_json::to_string(&frozen)?);
    } else {
        println!("freeze of {} readers: {} s, CPU {} s", frozen.readers, frozen.seconds, frozen.cpu_seconds);
        println!("an issue's row read meanwhile: {:.1} ms at most", frozen.read_meanwhile_ms_max);
        println!("memory: {} KiB at most", frozen.memory_most_kib);
    }
    Ok(())
}

/// Reads an issue's row again and again, as the desk does; gives the longest that it took.
async fn read_until(app: App, issue: IssueId, done: tokio_util::sync::CancellationToken) -> anyhow::Result<Duration> {
    let mut longest = Duration::ZERO;
    while !done.is_cancelled() {
        let began = Instant::now();
        let mut tx = app.store.read().await?;
        store::issue::by_id(&mut tx, issue).await?;
        drop(tx);
        longest = longest.max(began.elapsed());
        tokio::time::sleep(LOOK).await;
    }
    Ok(longest)
}

/// What one size of group came to.
#[derive(serde::Serialize)]
struct Grouped {
    group: usize,
    readers_a_second: Spread,
    wall_us_a_reader: Spread,
    cpu_us_a_reader: Spread,
}

/// Readers of one claim, as the engine claims them.
const CLAIMED_AT_ONCE: i64 = 512;

/// # Errors
/// When the store cannot.
pub async fn ledger(args: &LedgerArgs) -> anyhow::Result<()> {
    let bench = Bench::open(args.readers, 25, 1).await?;
    let (issue, _) = bench.publish(1_000).await?;
    let store = bench.app.store.clone().with_commit_delay(Duration::from_millis(args.commit_delay));
    let (sizes, mut took) = ([1, 20, 100, 500], [const { Vec::new() }; 4]);
    // Round by round and not size by size, so that a machine that slows down slows all of them.
    for _ in 0..ROUNDS {
        for (place, group) in sizes.into_iter().enumerate() {
            let most = if group == 1 { args.each / 20 } else { args.each };
            let (watch, mut done) = (Watch::start()?, 0);
            while done < most {
                done += one_claim(&store, bench.newsletter, issue, group, CLAIMED_AT_ONCE.min(most - done)).await?;
            }
            took[place].push((watch.stop()?, done));
        }
    }
    let figures: Vec<Grouped> = sizes.into_iter().zip(took).map(|(group, took)| grouped(group, &took)).collect();
    if args.json {
        println!("{}", serde_json::to_string(&figures)?);
        return Ok(());
    }
    println!("claims of {CLAIMED_AT_ONCE}; marks, then outcomes, one commit each; {} readers", args.readers);
    for at in figures {
        println!(
            "groups of {:>3}: {} readers/s; {} µs each, CPU {} µs",
            at.group, at.readers_a_second, at.wall_us_a_reader, at.cpu_us_a_reader
        );
    }
    Ok(())
}

fn grouped(group: usize, took: &[(Took, i64)]) -> Grouped {
    let each = |time: fn(&Took) -> Duration| {
        Spread::of(took.iter().map(|(took, done)| 1e6 / rate(*done, time(took)).max(1e-9)).collect())
    };
    Grouped {
        group,
        readers_a_second: Spread::of(took.iter().map(|(took, done)| rate(*done, took.wall)).collect()),
        wall_us_a_reader: each(|took| took.wall),
        cpu_us_a_reader: each(|took| took.cpu.max(Duration::from_micros(1))),
    }
}

/// One claim; then its readers in groups, each marked in one commit and settled in the next.
async fn one_claim(
    store: &store::Store,
    newsletter: NewsletterId,
    issue: IssueId,
    group: usize,
    limit: i64,
) -> anyhow::Result<i64> {
    let mut tx = store.write().await?;
    let (epoch, lease_until) = (AttemptId::new(tx.now).0, tx.now.plus(Millis::MINUTE));
    let (claimed, _) = claim(&mut tx, Claim { issue, newsletter, relay: None, epoch, lease_until, limit }).await?;
    tx.commit().await?;
    anyhow::ensure!(!claimed.is_empty(), "the issue has too few readers for this bench; give it more");
    let who: Vec<SubscriberId> = claimed.iter().map(|reader| reader.recipient.subscriber()).collect();
    let mut done = 0;
    for some in who.chunks(group) {
        let mut tx = store.write().await?;
        let marked = mark(&mut tx, issue, epoch, lease_until, some).await?;
        tx.commit().await?;
        let ends: Vec<Settlement> = marked.iter().map(|who| sent(issue, *who, epoch, lease_until)).collect();
        let mut tx = store.write().await?;
        done += i64::try_from(settle(&mut tx, &ends).await?)?;
        tx.commit().await?;
    }
    Ok(done)
}

fn sent(issue: IssueId, subscriber: SubscriberId, epoch: i64, next_at: Millis) -> Settlement {
    Settlement {
        issue,
        subscriber,
        epoch,
        to: DeliveryState::Sent,
        next_at,
        tried: true,
        stage: Some("after-dot"),
        code: Some(250),
        text: Some("2.0.0 Ok: queued as 4XyZ12abcDEF".into()),
        reason: None,
    }
}

/// # Errors
/// When the store cannot, or the engine stops.
pub async fn send(args: &SendArgs) -> anyhow::Result<()> {
    let bench = Bench::open(args.readers, sink::start()?, args.connections).await?;
    let (issue, froze) = bench.publish(args.size).await?;
    println!("froze {} readers in {:.2} s", args.readers, froze.as_secs_f64());
    let began = Instant::now();
    let engine = tokio::spawn(deliver::run(bench.app.clone()));
    loop {
        tokio::time::sleep(LOOK).await;
        let mut tx = bench.app.store.read().await?;
        let row = store::issue::by_id(&mut tx, issue).await?.context("the issue is gone")?;
        if row.state != IssueState::Sending {
            break;
        }
        anyhow::ensure!(!engine.is_finished(), "the engine stopped");
    }
    let took = began.elapsed();
    bench.app.stop.cancel();
    engine.await??;
    let mut tx = bench.app.store.read().await?;
    let counts = delivery::counts(&mut tx, issue).await?;
    drop(tx);
    println!(
        "sent {} messages of about {} bytes over {} connections in {:.2} s: {:.0} a second",
        counts.sent,
        args.size,
        args.connections,
        took.as_secs_f64(),
        rate(counts.sent, took)
    );
    println!("{}", memory()?);
    Ok(())
}

/// What the system says of this process: resident memory now and at most.
fn memory() -> anyhow::Result<String> {
    let status = std::fs::read_to_string("/proc/self/status").context("this system does not say how much memory")?;
    let line = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().trim();
    Ok(format!("memory: {} now, {} at most", line("VmRSS:"), line("VmHWM:")))
}

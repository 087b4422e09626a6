//! `bench freeze`, `bench ledger`, `bench send`: the ledger by itself, and the whole way into a sink that costs little.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::Args;

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
}

/// Claim, mark and settle without a network, in groups of several sizes
#[derive(Clone, Debug, Args)]
pub struct LedgerArgs {
    #[arg(long, default_value_t = 200_000)]
    pub readers: i64,
    /// Readers of each size of group
    #[arg(long, default_value_t = 20_000)]
    pub each: i64,
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
struct Bench {
    app: App,
    newsletter: NewsletterId,
    folder: PathBuf,
}

impl Drop for Bench {
    fn drop(&mut self) {
        // What stays behind is in the system's folder for such things.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl Bench {
    async fn open(readers: i64, port: u16, connections: i64) -> anyhow::Result<Self> {
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

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

#[expect(clippy::cast_precision_loss, reason = "figures for a person to read")]
fn rate(many: i64, took: Duration) -> f64 {
    many as f64 / took.as_secs_f64()
}

/// # Errors
/// When the store cannot.
pub async fn freeze(args: &FreezeArgs) -> anyhow::Result<()> {
    let bench = Bench::open(args.readers, 25, 1).await?;
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        let (issue, took) = bench.publish(1_000).await?;
        times.push(took);
        let began = Instant::now();
        let mut tx = bench.app.store.read().await?;
        let counts = delivery::counts(&mut tx, issue).await?;
        drop(tx);
        println!("counted {} rows in {:.1} ms", counts.total(), began.elapsed().as_secs_f64() * 1_000.0);
    }
    println!("freeze of {} readers: {:.2} s (median of {ROUNDS})", args.readers, median(times).as_secs_f64());
    println!("{}", memory()?);
    Ok(())
}

/// # Errors
/// When the store cannot.
pub async fn ledger(args: &LedgerArgs) -> anyhow::Result<()> {
    let bench = Bench::open(args.readers, 25, 1).await?;
    let (issue, _) = bench.publish(1_000).await?;
    println!("claim, mark and settle, one commit each, {} readers in the issue", args.readers);
    for group in [1, 20, 100, 500] {
        let most = if group == 1 { args.each / 20 } else { args.each };
        let (began, mut done) = (Instant::now(), 0);
        while done < most {
            done += one_group(&bench, issue, group).await?;
        }
        let took = began.elapsed();
        let each = took.as_secs_f64() * 1e6 / rate(done, Duration::from_secs(1));
        println!("groups of {group:>3}: {:>8.0} readers/s, {each:>6.1} µs each", rate(done, took));
    }
    Ok(())
}

async fn one_group(bench: &Bench, issue: IssueId, limit: i64) -> anyhow::Result<i64> {
    let mut tx = bench.app.store.write().await?;
    let (epoch, lease_until, next_at) = (AttemptId::new(tx.now).0, tx.now.plus(Millis::MINUTE), tx.now);
    let wanted = Claim { issue, newsletter: bench.newsletter, epoch, lease_until, limit };
    let (claimed, _) = claim(&mut tx, wanted).await?;
    tx.commit().await?;
    anyhow::ensure!(!claimed.is_empty(), "the issue has too few readers for this bench; give it more");
    let who: Vec<SubscriberId> = claimed.iter().map(|reader| reader.recipient.subscriber()).collect();
    let mut tx = bench.app.store.write().await?;
    let marked = mark(&mut tx, issue, epoch, lease_until, &who).await?;
    tx.commit().await?;
    let ends = marked.iter().map(|subscriber| Settlement {
        issue,
        subscriber: *subscriber,
        epoch,
        to: DeliveryState::Sent,
        next_at,
        tried: true,
        stage: Some("after-dot"),
        code: Some(250),
        text: Some("2.0.0 Ok: queued as 4XyZ12abcDEF".into()),
        reason: None,
    });
    let ends: Vec<Settlement> = ends.collect();
    let mut tx = bench.app.store.write().await?;
    let settled = settle(&mut tx, &ends).await?;
    tx.commit().await?;
    Ok(i64::try_from(settled)?)
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

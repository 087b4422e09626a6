//! `bench freeze`, `bench ledger`: the ledger by itself.

use std::time::{Duration, Instant};

use clap::Args;

use super::figures::{self, Spread, Took, Watch};
use super::house::House;
use crate::audience::status::Status;
use crate::delivery::state::DeliveryState;
use crate::store;
use crate::store::delivery::claim::{Claim, claim, mark};
use crate::store::delivery::settle::{Settlement, settle};
use crate::values::clock::Millis;
use crate::values::ids::{AttemptId, IssueId, NewsletterId, SubscriberId};
use crate::verbs::app::App;

/// Repetitions of what is short; the median counts.
const ROUNDS: usize = 5;
/// Between two looks at an audience that is being frozen.
const LOOK: Duration = Duration::from_millis(20);

/// Freeze an audience: rendering and one row a reader, in pieces; with the longest that readers and writers wait
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
    /// The longest that an unsubscribe took meanwhile, with its commit.
    write_meanwhile_ms_max: f64,
    memory_most_kib: u64,
}

/// # Errors
/// When the store cannot.
pub async fn freeze(args: &FreezeArgs) -> anyhow::Result<()> {
    let bench = House::open(args.readers, "smtp://127.0.0.1:25", |_| {}).await?;
    let (first, _) = bench.publish(1_000).await?;
    let (mut wall, mut cpu, mut longest, mut longest_write) = (Vec::new(), Vec::new(), Duration::ZERO, Duration::ZERO);
    for _ in 0..ROUNDS {
        let done = tokio_util::sync::CancellationToken::new();
        let reading = tokio::spawn(read_until(bench.app.clone(), first, done.clone()));
        let writing = tokio::spawn(write_until(bench.app.clone(), bench.newsletter, done.clone()));
        let watch = Watch::start()?;
        bench.publish(1_000).await?;
        let took = watch.stop()?;
        done.cancel();
        longest_write = longest_write.max(writing.await??);
        longest = longest.max(reading.await??);
        wall.push(took.wall.as_secs_f64());
        cpu.push(took.cpu.as_secs_f64());
    }
    let frozen = Frozen {
        readers: args.readers,
        seconds: Spread::of(wall),
        cpu_seconds: Spread::of(cpu),
        read_meanwhile_ms_max: longest.as_secs_f64() * 1_000.0,
        write_meanwhile_ms_max: longest_write.as_secs_f64() * 1_000.0,
        memory_most_kib: figures::memory_most_kib()?,
    };
    if args.json {
        println!("{}", serde_json::to_string(&frozen)?);
    } else {
        println!("freeze of {} readers: {} s, CPU {} s", frozen.readers, frozen.seconds, frozen.cpu_seconds);
        println!("an issue's row read meanwhile: {:.1} ms at most", frozen.read_meanwhile_ms_max);
        println!("an unsubscribe meanwhile: {:.1} ms at most", frozen.write_meanwhile_ms_max);
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

/// Unsubscribes one reader after the other, as their mail programs do; gives the longest that it took.
async fn write_until(
    app: App,
    newsletter: NewsletterId,
    done: tokio_util::sync::CancellationToken,
) -> anyhow::Result<Duration> {
    let (mut longest, mut reader) = (Duration::ZERO, SubscriberId(0));
    while !done.is_cancelled() {
        reader.0 += 1;
        let began = Instant::now();
        let mut tx = app.store.write().await?;
        store::subscription::end(&mut tx, newsletter, reader, Status::Unsubscribed, "bench", None).await?;
        tx.commit().await?;
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
    let bench = House::open(args.readers, "smtp://127.0.0.1:25", |_| {}).await?;
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

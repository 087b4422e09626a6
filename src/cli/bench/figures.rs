//! What the benches say: medians with their spread, CPU beside wall time, memory; for a person or as JSON.

use std::time::{Duration, Instant};

use anyhow::Context as _;

/// Ticks a second of the times in /proc: fixed at a hundred on Linux (proc_pid_stat(5), `_SC_CLK_TCK`).
const TICKS_A_SECOND: f64 = 100.0;

/// Wall and CPU time of one stretch.
#[derive(Clone, Copy, Debug)]
pub(super) struct Took {
    pub wall: Duration,
    pub cpu: Duration,
}

/// A stop-watch that also sees what all threads of this process burn.
pub(super) struct Watch(Instant, Duration);

impl Watch {
    pub(super) fn start() -> anyhow::Result<Self> {
        Ok(Self(Instant::now(), cpu()?))
    }

    pub(super) fn stop(&self) -> anyhow::Result<Took> {
        Ok(Took { wall: self.0.elapsed(), cpu: cpu()?.saturating_sub(self.1) })
    }
}

fn cpu() -> anyhow::Result<Duration> {
    let stat = std::fs::read_to_string("/proc/self/stat").context("this system does not say what CPU time was used")?;
    // The second field is a name in brackets that may hold spaces; utime and stime are the 14th and 15th.
    let rest = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks: u32 = rest.split_whitespace().skip(11).take(2).filter_map(|word| word.parse::<u32>().ok()).sum();
    Ok(Duration::from_secs_f64(f64::from(ticks) / TICKS_A_SECOND))
}

/// Resident memory of this process at its most, in KiB.
pub(super) fn memory_most_kib() -> anyhow::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status").context("this system does not say how much memory")?;
    let most =
        status.lines().find_map(|line| line.strip_prefix("VmHWM:")).and_then(|rest| rest.split_whitespace().next());
    most.and_then(|word| word.parse().ok()).context("this system does not say how much memory")
}

/// Figures of several rounds: the middle one, and the lowest and highest.
#[derive(Clone, Copy, Debug, serde::Serialize)]
pub(super) struct Spread {
    pub median: f64,
    pub low: f64,
    pub high: f64,
}

impl Spread {
    pub(super) fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let at = |place: usize| values.get(place).copied().unwrap_or_default();
        Self { median: at(values.len() / 2), low: at(0), high: at(values.len().saturating_sub(1)) }
    }
}

impl std::fmt::Display for Spread {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let digits = if self.median < 100.0 { 2 } else { 0 };
        write!(out, "{:.digits$} [{:.digits$} … {:.digits$}]", self.median, self.low, self.high)
    }
}

#[cfg(test)]
mod tests {
    use super::Spread;

    #[test]
    fn the_middle_one_counts_and_the_ends_are_told() {
        let spread = Spread::of(vec![3.0, 1.0, 2.0]);
        assert_eq!((spread.low, spread.median, spread.high), (1.0, 2.0, 3.0));
        assert_eq!(spread.to_string(), "2.00 [1.00 … 3.00]");
    }
}

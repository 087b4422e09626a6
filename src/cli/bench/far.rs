//! A relay far away: round trips of milliseconds on one machine.
//!
//! Where the kernel has netem, the whole benchmark runs again in a network namespace of its own whose loopback delays
//! every packet; it needs root, and is gone with the process. Elsewhere a proxy holds back every byte for half the
//! round trip in each direction: latency without the windows and losses of a real line, the same for all senders.

use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::time::Duration;

use anyhow::Context as _;

use super::wire::distance;

/// Set in the process that runs inside the namespace.
const INSIDE: &str = "BROADSHEET_BENCH_FAR";

/// How the distance is made.
pub(super) enum Far {
    /// By the kernel, in this process's own network namespace.
    Kernel,
    /// By a proxy on this port.
    Proxy(u16),
}

impl Far {
    /// Puts `round_trip` between this process and the receiver on `port`. Where the kernel can do it, this does not
    /// come back: the program begins anew inside a namespace, where it comes to [`Far::is_inside`].
    pub(super) fn put(round_trip: Duration, port: u16) -> anyhow::Result<Self> {
        if Self::is_inside() {
            return Ok(Self::Kernel);
        }
        Ok(Self::Proxy(distance::start(port, round_trip)?))
    }

    pub(super) fn is_inside() -> bool {
        std::env::var_os(INSIDE).is_some()
    }

    pub(super) fn port(&self, receiver: u16) -> u16 {
        match self {
            Self::Kernel => receiver,
            Self::Proxy(port) => *port,
        }
    }

    pub(super) fn explain(&self) -> &'static str {
        match self {
            Self::Kernel => "netem in a network namespace",
            Self::Proxy(_) => "a delaying proxy (netem needs root and the kernel module sch_netem)",
        }
    }
}

/// Begins the program anew in a network namespace with a slow loopback, if this machine can; comes back if not.
pub(super) fn move_out(round_trip: Duration) -> anyhow::Result<()> {
    if Far::is_inside() {
        return Ok(());
    }
    // Every packet is delayed on its way in, so half a round trip each way; the limit is beyond any window.
    let slow = format!(
        "ip link set lo mtu 1500 up && tc qdisc add dev lo root netem delay {}us limit 100000",
        round_trip.as_micros() / 2
    );
    let tried = Command::new("unshare").args(["--net", "sh", "-c", &slow]).output();
    if !tried.is_ok_and(|done| done.status.success()) {
        return Ok(());
    }
    let this = std::env::current_exe().context("this program does not find itself")?;
    let mut again = Command::new("unshare");
    again.args(["--net", "sh", "-c", &format!("{slow} && exec \"$0\" \"$@\"")]);
    again.arg(this).args(std::env::args_os().skip(1)).env(INSIDE, "1");
    Err(again.exec()).context("the benchmark cannot be started in a network namespace")
}

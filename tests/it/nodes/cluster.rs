//! A Postgres server of a test's own, and a way to it that can be cut.

use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use broadsheet::values::ids::EventId;

use crate::app::NOW;

/// Stopped and removed when dropped.
pub(super) struct Cluster {
    folder: PathBuf,
    port: u16,
}

impl Cluster {
    pub(super) fn start() -> Self {
        let folder = std::env::temp_dir().join(format!("broadsheet-pg-{}", EventId::new(NOW)));
        std::fs::create_dir_all(&folder).expect("a folder");
        if is_root() {
            // It refuses to run as root.
            let (user, group) = ids_of("postgres");
            chown(&folder, Some(user), Some(group)).expect("can be given away");
        }
        let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let cluster = Self { folder, port: port.expect("a port is free").port() };
        let data = cluster.data();
        run("initdb", &["-D", &data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale"]);
        cluster.control("start");
        cluster
    }

    pub(super) fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    /// As after a crash: no connection ends well.
    pub(super) fn restart(&self) {
        self.control("restart");
    }

    fn control(&self, what: &str) {
        let options = format!("-p {} -c listen_addresses=127.0.0.1 -k {}", self.port, self.folder.display());
        let log = self.folder.join("log").display().to_string();
        run("pg_ctl", &["-D", &self.data(), "-w", "-m", "immediate", "-l", &log, "-o", &options, what]);
    }

    fn data(&self) -> String {
        self.folder.join("data").display().to_string()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.control("stop");
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn is_root() -> bool {
    let said = Command::new("id").arg("-u").output().expect("can be run");
    said.stdout.starts_with(b"0\n")
}

fn ids_of(user: &str) -> (u32, u32) {
    let id = |flag: &str| {
        let said = Command::new("id").args([flag, user]).output().expect("can be run").stdout;
        String::from_utf8_lossy(&said).trim().parse().expect("is a number")
    };
    (id("-u"), id("-g"))
}

fn run(program: &str, args: &[&str]) {
    let versions = std::fs::read_dir("/usr/lib/postgresql").expect("Debian's postgresql is installed");
    let newest = versions.flatten().map(|entry| entry.path()).max().expect("a version is installed");
    let program = newest.join("bin").join(program);
    let mut command = if is_root() {
        let mut command = Command::new("runuser");
        command.args(["-u", "postgres", "--"]).arg(program);
        command
    } else {
        Command::new(program)
    };
    command.args(args).current_dir(Path::new("/")).stdout(Stdio::null()).stderr(Stdio::null());
    assert!(command.status().expect("can be run").success(), "{args:?}");
}

/// A way to a server that can be cut: nothing is refused or reset, it only does not arrive.
pub(super) struct Proxy {
    port: u16,
    cut: watch::Sender<bool>,
    /// Connections made before were lost so often.
    lost: watch::Sender<u64>,
}

impl Proxy {
    pub(super) async fn to(url: &str) -> Self {
        let server = authority(url).to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let (cut, is_cut) = watch::channel(false);
        let (lost, losses) = watch::channel(0);
        let port = listener.local_addr().expect("it is bound").port();
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let (server, is_cut, losses) = (server.clone(), is_cut.clone(), losses.clone());
                tokio::spawn(async move {
                    let Ok(far) = TcpStream::connect(server).await else { return };
                    let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
                    let ways = (pump(near_in, far_out, is_cut.clone()), pump(far_in, near_out, is_cut));
                    swallowed(losses, async { tokio::join!(ways.0, ways.1) }).await;
                });
            }
        });
        Self { port, cut, lost }
    }

    /// The URL that goes this way.
    pub(super) fn url(&self, url: &str) -> String {
        url.replacen(authority(url), &format!("127.0.0.1:{}", self.port), 1)
    }

    /// What goes over every connection there is now is swallowed for ever; new ones go through.
    pub(super) fn lose(&self) {
        self.lost.send_modify(|lost| *lost += 1);
    }

    pub(super) fn cut(&self, cut: bool) {
        self.cut.send_replace(cut);
    }
}

/// `HOST:PORT` of a URL that has both.
fn authority(url: &str) -> &str {
    let after = url.split_once("://").map_or(url, |(_, rest)| rest);
    let place = after.split(['/', '?']).next().unwrap_or(after);
    place.rsplit_once('@').map_or(place, |(_, host)| host)
}

/// Lets a connection's bytes go until it is lost; then its sockets stay open, and nobody reads them.
async fn swallowed<T>(mut losses: watch::Receiver<u64>, ways: impl Future<Output = T>) {
    losses.mark_unchanged();
    let mut ways = std::pin::pin!(ways);
    tokio::select! {
        _ = &mut ways => return,
        lost = losses.changed() => if lost.is_err() { return },
    }
    std::future::pending::<()>().await;
}

async fn pump(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut is_cut: watch::Receiver<bool>) {
    let mut bytes = vec![0; 16 * 1024];
    loop {
        let read = from.read(&mut bytes).await.unwrap_or(0);
        let open = is_cut.wait_for(|cut| !cut).await.is_ok();
        if read == 0 || !open || to.write_all(&bytes[..read]).await.is_err() {
            return;
        }
    }
}

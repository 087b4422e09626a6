//! Who takes the mail of a benchmark: our own sink, Postfix's smtp-sink, or a throw-away Postfix.

use std::io::{BufRead as _, BufReader, ErrorKind};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::ValueEnum;

use super::sink;

/// How long another program may take to begin listening.
const START: Duration = Duration::from_secs(10);
/// Between two looks whether it does.
const START_LOOK: Duration = Duration::from_millis(20);
/// How long a throw-away Postfix lives if nobody stops it.
const POSTFIX_SECONDS: &str = "3600";
/// Makes a throw-away Postfix; beside the source.
const POSTFIX: &str = "scripts/postfix-relay";

/// A receiver by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// A receiver in this program that costs as little as can be
    Own,
    /// Postfix's test receiver
    SmtpSink,
    /// Debian's Postfix as a relay that throws the mail away; needs root and the folder scripts/
    Postfix,
}

impl Kind {
    pub(in crate::cli::bench) fn name(self) -> &'static str {
        match self {
            Self::Own => "own sink",
            Self::SmtpSink => "smtp-sink",
            Self::Postfix => "Postfix",
        }
    }
}

/// A receiver that listens on the loopback; it ends when this is dropped.
pub(in crate::cli::bench) struct Receiver {
    pub(in crate::cli::bench) port: u16,
    child: Option<Child>,
}

impl Drop for Receiver {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // A terminated Postfix script takes its Postfix with it, a killed one would not. Whoever is gone is gone.
            let _ = Command::new("kill").arg(child.id().to_string()).status();
            let _ = child.wait();
        }
    }
}

impl Receiver {
    /// Starts it; `None` where it is not installed.
    pub(in crate::cli::bench) async fn start(into: Kind) -> anyhow::Result<Option<Self>> {
        match into {
            Kind::Own => Ok(Some(Self { port: sink::start()?, child: None })),
            Kind::SmtpSink => smtp_sink().await,
            Kind::Postfix => postfix(),
        }
    }
}

fn free_port() -> std::io::Result<u16> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

async fn smtp_sink() -> anyhow::Result<Option<Receiver>> {
    let port = free_port()?;
    let mut command = Command::new("smtp-sink");
    // Started by root it wants to be somebody else; started by anybody else it cannot be.
    if std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0) {
        command.args(["-u", "nobody"]);
    }
    let child = match command.arg(format!("127.0.0.1:{port}")).arg("1024").stdout(Stdio::null()).spawn() {
        Ok(child) => child,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).context("smtp-sink cannot be started"),
    };
    let receiver = Receiver { port, child: Some(child) };
    let mut looks = tokio::time::interval(START_LOOK);
    let listening = async {
        while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            looks.tick().await;
        }
    };
    if tokio::time::timeout(START, listening).await.is_err() {
        bail!("smtp-sink does not listen");
    }
    Ok(Some(receiver))
}

fn postfix() -> anyhow::Result<Option<Receiver>> {
    if !Path::new(POSTFIX).is_file() {
        bail!("--into postfix is for the source's folder: there is no {POSTFIX} here; nothing was sent");
    }
    let port = free_port()?;
    let mut child = Command::new(POSTFIX)
        .args([&port.to_string(), "--seconds", POSTFIX_SECONDS])
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("{POSTFIX} cannot be started"))?;
    let said = child.stdout.take().map(BufReader::new);
    let receiver = Receiver { port, child: Some(child) };
    let mut line = String::new();
    if let Some(mut said) = said {
        said.read_line(&mut line)?;
    }
    // The script says why on its own.
    if line.trim() == "ready" { Ok(Some(receiver)) } else { Ok(None) }
}

//! `faultsmtpd`: a relay that fails on purpose, for whoever tests a program that sends mail.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::{Global, print};
use crate::smtp::faults::{Faults, Options, Rule, Rules, Truth};
use crate::values::clock::Clock;
use crate::verbs::start;

#[derive(Debug, Args)]
#[command(after_help = GRAMMAR)]
pub struct FaultArgs {
    /// Address and port, of this machine only; port 0 takes a free one, which is printed
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// What goes wrong and where; may be given several times, the first that fits acts
    #[arg(long = "rule", value_name = "PHASE:ACTION[:LIMIT]…")]
    rules: Vec<Rule>,
    /// File for the truth: one line of JSON for every message taken, on the disk before the 250
    #[arg(long, value_name = "FILE")]
    truth: Option<PathBuf>,
    /// Folder for the messages that were taken, each named by its SHA-256
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    /// Do not offer PIPELINING
    #[arg(long)]
    no_pipelining: bool,
    /// Offer CHUNKING (BDAT), any number of messages on the wire
    #[arg(long)]
    chunking: bool,
    /// Offer AUTH; every name and password is let in
    #[arg(long)]
    auth: bool,
    /// Where chances fall: the same for the same number
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,
}

const GRAMMAR: &str = "\
Phases:
  connect banner ehlo starttls auth mail rcpt data body[(bytes)]
  dot-before-log (not taken) dot-after-log (taken, in the truth) quit idle
Actions:
  reply(code,text) drop rst 421drop delay(ms) trickle[(ms)] halfclose never
  garbage(bytes) multiline(lines) longline(bytes) utf8bad wrongcode[(code)]
  doublereply slowread(bytes a second) ehlo-without(extension) size(bytes)
Limits:
  p=CHANCE (0 to 1)  n=TIMES  after=PASSES  to=PART (of the receiver's address)
Examples:
  --rule 'dot-after-log:drop:p=0.01'       taken, then cut before the reply
  --rule 'dot-before-log:drop:after=100:n=1'  cut before taking, once
  --rule 'rcpt:reply(550,5.1.1 No such user):to=bounce'";

/// # Errors
/// When it cannot listen, or the truth's file cannot be opened.
pub async fn run(global: &Global, args: FaultArgs) -> anyhow::Result<()> {
    let truth = match &args.truth {
        Some(path) => Some(Truth::open(path).with_context(|| format!("{} cannot be written", path.display()))?),
        None => None,
    };
    if let Some(folder) = &args.keep {
        std::fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    }
    let options = Options {
        pipelining: !args.no_pipelining,
        chunking: args.chunking,
        auth: args.auth,
        truth,
        keep: args.keep,
        clock: Clock::System,
    };
    let asked = start::signals()?;
    let relay = Faults::bind(args.listen, options, Rules::new(args.rules, args.seed)).await;
    let relay = relay.with_context(|| format!("{} cannot be listened on; nothing was started", args.listen))?;
    let (address, handle, stop) = (relay.address()?, relay.handle(), CancellationToken::new());
    if global.json {
        print::line(&json!({ "listening": address.to_string() }).to_string())?;
    } else {
        print::line(&format!("A relay that fails on purpose listens on {address}"))?;
    }
    let serving = tokio::spawn(relay.run(stop.clone()));
    asked.await;
    stop.cancel();
    serving.await?;
    print::note(&format!("took {} messages on {} connections", handle.taken(), handle.connections()));
    Ok(())
}

//! `demo`: everything at once, invented, on this machine only.

use std::net::{SocketAddr, ToSocketAddrs as _};
use std::path::PathBuf;

use anyhow::{Context as _, bail};
use clap::Args;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::{Global, print};
use crate::config::folder;
use crate::store::issue::IssueState;
use crate::verbs::app::App;
use crate::verbs::catcher::Catcher;
use crate::verbs::demo::{self, Demo, READERS, READERS_MAX};
use crate::verbs::{progress, start};
use crate::web;

const LISTEN: &str = "127.0.0.1:8080";
/// Below the folder in which it is started.
const FOLDER: &str = "broadsheet-demo";

#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Address and port of the web server [default: 127.0.0.1:8080, or any free port if that is taken]
    #[arg(long, value_name = "ADDR:PORT")]
    pub listen: Option<String>,
    /// Where a browser reaches it, if not at that address
    #[arg(long, value_name = "URL")]
    pub public_url: Option<String>,
    /// Invented readers, when the demo is made
    #[arg(long, value_name = "N", default_value_t = READERS)]
    pub readers: usize,
}

/// # Errors
/// When the address or the folder cannot be had, or a part fails.
pub async fn run(global: &Global, args: DemoArgs) -> anyhow::Result<()> {
    if args.readers == 0 || args.readers > READERS_MAX {
        bail!("--readers takes 1 to {READERS_MAX}; nothing was started");
    }
    let listener = listen(args.listen.as_deref()).await?;
    let address = listener.local_addr()?;
    let data = global.data.clone().unwrap_or_else(|| PathBuf::from(FOLDER));
    folder::make(&data)?;
    let _lock = folder::lock(&data)?;
    let url = args.public_url.unwrap_or_else(|| format!("http://{}", reachable(address)));
    let config = demo::config(&data, address, url.trim_end_matches('/').to_owned());
    let catcher = Catcher::bind().await?;
    let caught_at = catcher.address();
    let demo = demo::open(config, caught_at, args.readers).await?;
    welcome(&demo, caught_at)?;
    let app = demo.app.clone();
    let stop = CancellationToken::new();
    let catching = tokio::spawn(catcher.run(app.store.clone(), stop.clone()));
    let telling = tokio::spawn(tell_the_end(demo));
    let serving = {
        let (app, stop) = (app.clone(), stop.clone());
        async move {
            let served = web::serve(app, listener).await;
            // Last of all, and while the store is still open: what is on the wire still gets its answer.
            stop.cancel();
            let _ = catching.await;
            served
        }
    };
    let ended = start::serve(app, serving).await;
    telling.abort();
    ended?;
    print::line(&format!("Stopped. Started again, the demo goes on: it is kept in {}", data.display()))
}

/// The address asked for; without one the usual port, or any that is free.
async fn listen(asked: Option<&str>) -> anyhow::Result<TcpListener> {
    let address = asked.unwrap_or(LISTEN);
    let found = address.to_socket_addrs().ok().and_then(|mut found| found.next());
    let address =
        found.with_context(|| format!("--listen {address} is not an address and a port, such as {LISTEN}"))?;
    match (TcpListener::bind(address).await, asked) {
        (Ok(listener), _) => Ok(listener),
        (Err(_), None) => Ok(TcpListener::bind(SocketAddr::new(address.ip(), 0)).await?),
        (Err(error), Some(_)) => Err(error).with_context(|| {
            format!("{address} cannot be listened on; nothing was started. Choose another with --listen ADDR:PORT")
        }),
    }
}

/// Where a browser on this machine reaches a server that listens everywhere.
fn reachable(address: SocketAddr) -> String {
    if address.ip().is_unspecified() { format!("localhost:{}", address.port()) } else { address.to_string() }
}

fn welcome(demo: &Demo, catcher: SocketAddr) -> anyhow::Result<()> {
    let (app, url) = (&demo.app, &demo.app.config.public_url);
    let name = &demo.newsletter.name;
    print::line(&format!("Broadsheet's demo: {name}, an invented newsletter. {}", what_now(demo)))?;
    print::line("")?;
    print::line(&format!("  Desk, where editors work      {url}/desk"))?;
    print::line(&format!("  Catcher, where its mail ends  {url}/catcher"))?;
    print::line(&format!("  Archive, what readers see     {url}/{}/archive", demo.newsletter.slug))?;
    print::line("")?;
    print::line(&format!("Nothing leaves this machine: the only way out for mail is the catcher at {catcher}."))?;
    print::line(&format!("Everything is kept in {}. Ctrl-C stops it.", app.config.data.display()))
}

fn what_now(demo: &Demo) -> String {
    let subject = format!("“{}”", demo.newest.subject);
    match demo.newest.state {
        IssueState::Scheduled => format!("{subject} goes out in about ten seconds."),
        IssueState::Sending => format!("{subject} was on its way and goes on."),
        IssueState::Sent => {
            format!("{subject} has gone out already; look at its report. A new folder (--data) begins anew.")
        }
        state => format!("{subject} is {}.", state.as_str()),
    }
}

/// Says once how the newest issue ended.
async fn tell_the_end(demo: Demo) -> anyhow::Result<()> {
    let app: &App = &demo.app;
    let mut changes = app.changed.subscribe();
    if demo.newest.state == IssueState::Sent {
        return Ok(());
    }
    while changes.recv().await.is_ok() {
        let Some(now) = progress::status(app, demo.newest.id).await? else { return Ok(()) };
        if now.state == IssueState::Sent {
            let (sent, all) = (now.counts.sent, now.counts.audience);
            return print::line(&format!("It is sent: {sent} of {all} mails are in the catcher."));
        }
    }
    Ok(())
}

//! `serve`: the whole thing, until it is told to stop.

use clap::Args;

use super::{Global, print};
use crate::config::{Loaded, Origin, folder};
use crate::values::clock::Clock;
use crate::verbs::app::App;
use crate::verbs::{accounts, instance, start};
use crate::web;

#[derive(Debug, Args)]
pub struct ServeArgs {
    /// Address and port of the web server [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDR:PORT")]
    pub listen: Option<String>,
    /// Where readers reach this server: <https://news.example.org>
    #[arg(long, value_name = "URL")]
    pub public_url: Option<String>,
    /// What this node does, on a Postgres database with others [default: all]
    #[arg(long, value_name = "ROLE", value_delimiter = ',', value_parser = crate::config::keys::ROLES)]
    pub role: Vec<String>,
}

/// # Errors
/// When another `serve` is on the folder, or something cannot be opened.
pub async fn run(global: &Global, args: ServeArgs) -> anyhow::Result<()> {
    let roles = (!args.role.is_empty()).then(|| args.role.join(" "));
    let flags = [("listen", args.listen), ("public_url", args.public_url), ("roles", roles)];
    let flags = flags.into_iter().filter_map(|(key, value)| value.map(|value| (key, value))).collect();
    let Loaded { mut config, origins, .. } = global.load(flags)?;
    folder::make(&config.data)?;
    let _lock = folder::lock(&config.data)?;
    let asked = start::signals()?;
    if !config.plays("web") {
        if origins.get("public_url") == Some(&Origin::Default) {
            anyhow::bail!(
                "a node that serves no pages must be told where readers find them: public_url (--public-url). Every \
                 mail leads there. Nothing was started"
            );
        }
        let app = start::open(config, Clock::System).await?;
        print::line(&format!("Broadsheet takes part as a node: {}", app.config.roles))?;
        warn_of_hold(&app).await?;
        return start::serve_until(app, async { Ok(()) }, asked).await;
    }
    let listener = start::listen(&config).await?;
    if origins.get("public_url") == Some(&Origin::Default) {
        // With port 0 the system chose one.
        config.public_url = format!("http://{}", listener.local_addr()?);
    }
    let app = start::open(config, Clock::System).await?;
    welcome(&app, listener.local_addr()?).await?;
    start::serve_until(app.clone(), web::serve(app, listener), asked).await
}

async fn welcome(app: &App, address: std::net::SocketAddr) -> anyhow::Result<()> {
    print::line(&format!(
        "Broadsheet serves {} on {address}, keeping everything in {}",
        app.config.public_url,
        app.config.data.display()
    ))?;
    if let Some(link) = accounts::setup_link(app).await? {
        print::line(&format!("Make the first account within half an hour, once: {link}"))?;
    }
    warn_of_hold(app).await
}

async fn warn_of_hold(app: &App) -> anyhow::Result<()> {
    if let Some(why) = instance::check(app).await? {
        print::note(&format!(
            "Nothing is sent for now: {why}.\nTo send all the same: broadsheet --data {} go-ahead",
            app.config.data.display()
        ));
    }
    Ok(())
}

/// `go-ahead`: mail may leave again, by somebody's word.
///
/// # Errors
/// When the answer is no, or the database cannot be used.
pub async fn go_ahead(global: &Global, yes: bool) -> anyhow::Result<()> {
    let app = global.open().await?;
    let Some(why) = instance::hold(&app).await? else { return print::line("Nothing is on hold.") };
    print::confirm(&format!("Mail was put on hold: {why}."), yes)?;
    instance::go_ahead(&app).await?;
    print::line("Mail may leave again.")
}

//! `relay list`, `add`, `set`, `remove`, `test`, `sites`.

use std::path::PathBuf;

use anyhow::bail;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{Global, print};
use crate::config::load::read_small;
use crate::delivery::pace::sites::{Rule, Sites};
use crate::store::relay::{self, Relay};
use crate::values::clock::Millis;
use crate::values::relay::RelayUrl;
use crate::verbs::app::App;
use crate::verbs::pace;
use crate::verbs::problem::Problem;
use crate::verbs::relays::{self, Change, Hello};

#[derive(Debug, Subcommand)]
pub enum RelayCommand {
    /// List the relays: how fast each may be used, and what it has used
    List,
    /// Make a relay
    Add(AddArgs),
    /// Change how a relay is reached or how fast it may be used; a running `serve` follows within a second
    Set(SetArgs),
    /// Remove a relay that no newsletter uses
    Remove { name: String },
    /// Connect and say hello; nothing is sent
    Test { name: String },
    /// Show what is known of receiving sites: ours, and sites.toml in the data folder over it
    Sites,
}

#[derive(Debug, Args)]
pub struct AddArgs {
    /// What it is called here
    pub name: String,
    /// smtp://user:password@host:587, smtps://host
    #[arg(env = "BROADSHEET_RELAY", hide_env_values = true, required_unless_present = "url_file")]
    pub url: Option<String>,
    /// A file that holds the URL, so that its password stands in no process list
    #[arg(long, env = "BROADSHEET_RELAY_FILE", value_name = "FILE", conflicts_with = "url")]
    pub url_file: Option<PathBuf>,
    #[command(flatten)]
    pub pace: PaceArgs,
}

#[derive(Debug, Args)]
pub struct SetArgs {
    pub name: String,
    /// A new name
    #[arg(long, value_name = "NAME")]
    pub rename: Option<String>,
    /// Where it is: smtp://user:password@host:587
    #[arg(long)]
    pub url: Option<String>,
    /// A file that holds the URL
    #[arg(long, value_name = "FILE", conflicts_with = "url")]
    pub url_file: Option<PathBuf>,
    #[command(flatten)]
    pub pace: PaceArgs,
}

#[derive(Debug, Args)]
pub struct PaceArgs {
    /// Connections at once, or "auto": as many as carry more
    #[arg(long, value_parser = connections, value_name = "N|auto")]
    pub connections: Option<i64>,
    /// Messages in one connection
    #[arg(long, value_parser = limit, value_name = "N|none")]
    pub messages_per_connection: Option<Many>,
    /// Messages a second, evenly spaced
    #[arg(long, value_parser = limit, value_name = "N|none")]
    pub per_second: Option<Many>,
    /// Messages a minute, evenly spaced
    #[arg(long, value_parser = limit, value_name = "N|none")]
    pub per_minute: Option<Many>,
    /// Messages in any hour
    #[arg(long, value_parser = limit, value_name = "N|none")]
    pub per_hour: Option<Many>,
    /// Messages in any 24 hours
    #[arg(long, value_parser = limit, value_name = "N|none")]
    pub per_day: Option<Many>,
    /// Readers that may be in doubt at most if this machine dies
    #[arg(long, value_name = "N")]
    pub in_doubt: Option<i64>,
    /// Keep to the table of receiving sites behind this relay (true, false)
    #[arg(long, value_name = "BOOL")]
    pub per_site: Option<bool>,
}

/// A limit as it is typed. A type of its own, or clap takes the inner `Option` for one of its own.
#[derive(Clone, Copy, Debug)]
pub struct Many(Option<i64>);

fn limit(text: &str) -> Result<Many, String> {
    match text {
        "none" => Ok(Many(None)),
        many => {
            many.parse().map(|many| Many(Some(many))).map_err(|_| format!("\"{many}\" is neither a number nor none"))
        }
    }
}

fn connections(text: &str) -> Result<i64, String> {
    match text {
        "auto" => Ok(0),
        many => {
            many.parse().ok().filter(|many| *many > 0).ok_or_else(|| format!("\"{many}\" is neither a number nor auto"))
        }
    }
}

impl PaceArgs {
    fn change(&self) -> Change {
        let many = |many: Option<Many>| many.map(|many| many.0);
        Change {
            connections: self.connections,
            messages_per_connection: many(self.messages_per_connection),
            per_second: many(self.per_second),
            per_minute: many(self.per_minute),
            per_hour: many(self.per_hour),
            per_day: many(self.per_day),
            in_doubt_max: self.in_doubt,
            per_site: self.per_site,
            ..Change::default()
        }
    }
}

/// # Errors
/// When a value is wrong, or the database cannot be used.
pub async fn run(global: &Global, command: RelayCommand) -> anyhow::Result<()> {
    let app = global.open().await?;
    match command {
        RelayCommand::List => list(global, &app).await,
        RelayCommand::Add(args) => {
            let url =
                url(args.url, args.url_file)?.ok_or_else(|| Problem::Invalid("the relay's URL is missing".into()))?;
            let made = relays::add(&app, &args.name, &url, args.pace.change()).await?;
            show(global, &app, &made).await?;
            note(global, "Give it to a newsletter with `broadsheet newsletter set SLUG --relay NAME`.");
            Ok(())
        }
        RelayCommand::Set(args) => {
            let url = url(args.url, args.url_file)?;
            let change = Change { name: args.rename, url, ..args.pace.change() };
            show(global, &app, &relays::set(&app, &args.name, change).await?).await
        }
        RelayCommand::Remove { name } => {
            relays::remove(&app, &name).await?;
            note(global, &format!("The relay \"{name}\" was removed."));
            Ok(())
        }
        RelayCommand::Test { name } => test(&app, &name).await,
        RelayCommand::Sites => sites(global, &app),
    }
}

fn url(written: Option<String>, file: Option<PathBuf>) -> anyhow::Result<Option<RelayUrl>> {
    let written = match (written, file) {
        (Some(url), _) => Some(url),
        (None, Some(path)) => Some(read_small(&path).map_err(Problem::Invalid)?),
        (None, None) => None,
    };
    Ok(written.map(|url| url.parse::<RelayUrl>()).transpose().map_err(Problem::Invalid)?)
}

fn note(global: &Global, text: &str) {
    if !global.json {
        print::note(text);
    }
}

async fn list(global: &Global, app: &App) -> anyhow::Result<()> {
    let mut tx = app.store.read().await?;
    let all = relay::all(&mut tx).await?;
    let mut used = Vec::with_capacity(all.len());
    for known in &all {
        used.push(pace::used(&mut tx, known.id).await?);
    }
    tx.commit().await?;
    let now = app.clock.now();
    if global.json {
        let rows: Vec<Value> = all.iter().zip(&used).map(|(relay, used)| as_json(relay, *used, now)).collect();
        return print::json(&rows);
    }
    if all.is_empty() {
        return print::line("There is no relay yet; make one with `broadsheet relay add NAME smtp://HOST`.");
    }
    let rows = all.iter().zip(&used).map(|(relay, used)| {
        let state = if relay.is_paused(now) { "resting" } else { "takes mail" };
        let spent = pace_words(relay, *used);
        vec![relay.name.clone(), relay.url().to_string(), connections_words(relay), spent, state.to_owned()]
    });
    print::table(&["name", "where", "connections", "limits", "state"], rows)
}

async fn show(global: &Global, app: &App, relay: &Relay) -> anyhow::Result<()> {
    let mut tx = app.store.read().await?;
    let used = pace::used(&mut tx, relay.id).await?;
    tx.commit().await?;
    if global.json {
        return print::json(&as_json(relay, used, app.clock.now()));
    }
    print::line(&format!("{}\n  where        {}", relay.name, relay.url()))?;
    print::line(&format!("  connections  {}", connections_words(relay)))?;
    print::line(&format!("  limits       {}", pace_words(relay, used)))?;
    print::line(&format!("  in doubt     at most {} readers if this machine dies", relay.in_doubt_max))
}

fn connections_words(relay: &Relay) -> String {
    let many = match relay.connections_max {
        0 => format!("found by trying, up to {}", relay.connections_most()),
        many => many.to_string(),
    };
    match relay.messages_per_connection {
        Some(each) => format!("{many}, {each} messages each"),
        None => many,
    }
}

/// "10 a second, 120 of 500 in an hour": what there is of limits, and what is used.
fn pace_words(relay: &Relay, (hour, day): (u32, u32)) -> String {
    let spaced = |many: Option<i64>, span: &str| many.map(|many| format!("{many} a {span}"));
    let counted = |many: Option<i64>, used: u32, span: &str| many.map(|many| format!("{used} of {many} in {span}"));
    let parts = [
        spaced(relay.per_second, "second"),
        spaced(relay.per_minute, "minute"),
        counted(relay.per_hour, hour, "an hour"),
        counted(relay.per_day, day, "24 hours"),
        relay.per_site.then(|| "by receiving site".to_owned()),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    if parts.is_empty() { "none".into() } else { parts.join(", ") }
}

fn as_json(relay: &Relay, (hour, day): (u32, u32), now: Millis) -> Value {
    json!({
        "name": relay.name,
        "url": relay.url().to_string(),
        "connections": if relay.connections_max == 0 { json!("auto") } else { json!(relay.connections_max) },
        "messages_per_connection": relay.messages_per_connection,
        "per_second": relay.per_second,
        "per_minute": relay.per_minute,
        "per_hour": relay.per_hour,
        "per_day": relay.per_day,
        "in_doubt_max": relay.in_doubt_max,
        "per_site": relay.per_site,
        "used_in_hour": hour,
        "used_in_day": day,
        "paused_until": relay.paused_until.filter(|_| relay.is_paused(now)),
        "paused_reason": relay.paused_reason,
    })
}

async fn test(app: &App, name: &str) -> anyhow::Result<()> {
    let mut tx = app.store.read().await?;
    let found = relays::find(&mut tx, name).await?;
    tx.commit().await?;
    match relays::hello(app, Some(&found)).await {
        Hello::Welcome => {
            print::line("It said hello: address, encryption, user name and password fit. Nothing was sent.")
        }
        Hello::Trouble(why) => bail!("it did not let us in: {why}. Nothing was sent"),
    }
}

fn sites(global: &Global, app: &App) -> anyhow::Result<()> {
    let sites = pace::read_sites(app).map_err(Problem::Invalid)?;
    if global.json {
        return print::json(&json!({ "default": sites.everybody_else(), "sites": sites.rows() }));
    }
    let row = |name: &str, rule: &Rule, who: String| {
        let limits = rule.limits;
        let spans =
            [(limits.per_second, "s"), (limits.per_minute, "min"), (limits.per_hour, "h"), (limits.per_day, "d")];
        let rate: Vec<String> =
            spans.iter().filter_map(|(many, span)| many.map(|many| format!("{many}/{span}"))).collect();
        let tls = if rule.tls == crate::delivery::pace::sites::SiteTls::Required { "required" } else { "offered" };
        let (connections, each) = (rule.connections.to_string(), rule.messages_per_connection.to_string());
        vec![name.to_owned(), connections, each, rate.join(" "), tls.to_owned(), who]
    };
    let rows = all_rows(&sites).into_iter().map(|(name, rule, who)| row(&name, rule, who));
    print::table(&["site", "connections", "messages each", "rate", "tls", "mail servers"], rows)
}

fn all_rows(sites: &Sites) -> Vec<(String, &Rule, String)> {
    let known = sites.rows().iter().map(|(name, row)| (name.clone(), &row.rule, row.mx.join(" ")));
    known.chain([("default".to_owned(), sites.everybody_else(), "everybody else".to_owned())]).collect()
}

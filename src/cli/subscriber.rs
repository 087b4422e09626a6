//! `subscriber …`: readers, one by one and as lists.

mod lists;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::json;

use super::{Global, print};
use crate::audience::status::Status;
use crate::schedule::wall;
use crate::store::{Tx, subscriber};
use crate::values::address::Address;
use crate::values::clock::Millis;
use crate::verbs::app::App;
use crate::verbs::membership::{self, Added, Found, History, NewReader};
use crate::verbs::newsletters;
use crate::verbs::problem::Problem;

#[derive(Debug, Subcommand)]
pub enum SubscriberCommand {
    /// Put one reader on, with the consent they gave
    Add(AddArgs),
    /// Import a CSV file with the columns email and name
    Import(ImportArgs),
    /// Write the readers of a newsletter as CSV
    Export(ExportArgs),
    /// Find readers; of a single one, everything that happened
    Find {
        /// A part of an address or of a name
        words: String,
    },
    /// Change what is known of a reader: the time zone they live in
    Set(SetArgs),
    /// Take a reader off a newsletter, on their wish
    Unsubscribe(UnsubscribeArgs),
}

#[derive(Debug, Args)]
pub struct AddArgs {
    pub address: String,
    #[arg(long, value_name = "SLUG")]
    pub newsletter: String,
    #[arg(long, default_value = "", hide_default_value = true)]
    pub name: String,
    /// What this reader agreed to and where; the words are kept as the proof
    #[arg(long)]
    pub consent: String,
}

#[derive(Debug, Args)]
pub struct ImportArgs {
    /// The file, or - for standard input
    pub file: PathBuf,
    #[arg(long, value_name = "SLUG")]
    pub newsletter: String,
    /// What these readers agreed to and where; the words are kept with each of them
    #[arg(long)]
    pub consent: String,
    /// Say what would happen, and import nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Do not ask
    #[arg(long)]
    pub yes: bool,
}

#[derive(Debug, Args)]
pub struct ExportArgs {
    #[arg(long, value_name = "SLUG")]
    pub newsletter: String,
    /// Only readers of this status: active, pending, unsubscribed, bounced, complained
    #[arg(long)]
    pub status: Option<Status>,
    /// Write to a file, which must not exist yet
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct SetArgs {
    pub address: String,
    /// IANA time zone, such as Europe/Lisbon, or "none"
    #[arg(long)]
    pub zone: String,
}

#[derive(Debug, Args)]
pub struct UnsubscribeArgs {
    pub address: String,
    #[arg(long, value_name = "SLUG")]
    pub newsletter: String,
}

/// # Errors
/// When a value is wrong, nobody is found, or the database cannot be used.
pub async fn run(global: &Global, command: SubscriberCommand) -> anyhow::Result<()> {
    let app = global.open().await?;
    match command {
        SubscriberCommand::Add(args) => add(global, &app, args).await,
        SubscriberCommand::Import(args) => lists::import(global, &app, args).await,
        SubscriberCommand::Export(args) => lists::export(&app, args).await,
        SubscriberCommand::Find { words } => find(global, &app, &words).await,
        SubscriberCommand::Set(args) => set(global, &app, args).await,
        SubscriberCommand::Unsubscribe(args) => unsubscribe(global, &app, args).await,
    }
}

fn address(text: &str) -> Result<Address, Problem> {
    Address::parse(text).map_err(|why| Problem::Invalid(format!("\"{text}\": {why}; nothing was changed")))
}

async fn add(global: &Global, app: &App, args: AddArgs) -> anyhow::Result<()> {
    let address = address(&args.address)?;
    if args.consent.trim().is_empty() {
        let why = "--consent is empty: say what this reader agreed to and where; nobody was added";
        return Err(Problem::Invalid(why.into()).into());
    }
    let mut tx = app.store.read().await?;
    let newsletter = newsletters::find(&mut tx, &args.newsletter).await?;
    tx.commit().await?;
    let new = NewReader {
        newsletter: newsletter.id,
        address,
        name: args.name,
        consent: args.consent,
        by: "the command line".into(),
        account: None,
    };
    let added = membership::add_reader(app, new).await?;
    let text = match added {
        Added::Active(_) => "is a reader now",
        Added::AlreadyActive(_) => "was a reader already; nothing was changed",
        Added::LeftBefore(_) => "left before and stays out; only they can come back, by the form",
        Added::Suppressed => "is on the suppression list and stays out",
    };
    if global.json {
        return print::json(&json!({ "address": args.address, "result": added }));
    }
    print::line(&format!("{} {text} ({}).", args.address, newsletter.name))?;
    match added {
        Added::Active(_) | Added::AlreadyActive(_) => Ok(()),
        Added::LeftBefore(_) | Added::Suppressed => Err(super::exit::Silent(super::exit::REFUSED).into()),
    }
}

async fn find(global: &Global, app: &App, words: &str) -> anyhow::Result<()> {
    let found = membership::find(app, words).await?;
    let exact = found.iter().find(|found| found.subscriber.address.eq_ignore_ascii_case(words.trim()));
    let one = exact.or(found.first().filter(|_| found.len() == 1));
    let story = match one {
        Some(one) => membership::history(app, one.subscriber.id).await?,
        None => None,
    };
    match story {
        Some(history) if global.json => print::json(&history),
        Some(history) => tell(&history),
        None if found.is_empty() => {
            Err(Problem::NotFound(format!("nobody's address or name contains \"{words}\"")).into())
        }
        None if global.json => print::json(&found),
        None => table(&found),
    }
}

fn table(found: &[Found]) -> anyhow::Result<()> {
    let row = |found: &Found| {
        let statuses: Vec<&str> = found.subscriptions.iter().map(|sub| sub.status.as_str()).collect();
        let suppressed = if found.suppressed { "suppressed" } else { "" };
        vec![found.subscriber.address.clone(), found.subscriber.name.clone(), statuses.join(", "), suppressed.into()]
    };
    print::table(&["address", "name", "status", ""], found.iter().map(row))
}

fn tell(history: &History) -> anyhow::Result<()> {
    let person = &history.subscriber;
    print::line(format!("{}  {}", person.address, person.name).trim_end())?;
    if !person.zone.is_empty() {
        print::line(&format!("  lives in {}", person.zone))?;
    }
    for (newsletter, subscription) in &history.subscriptions {
        print::line(&format!("  {newsletter}: {}", subscription.status.as_str()))?;
    }
    if let Some(suppression) = &history.suppression {
        print::line(&format!("  suppressed: {suppression:?}"))?;
    }
    let row = |entry: &membership::Entry| {
        let about = [&entry.newsletter, &entry.issue].into_iter().flatten().cloned().collect::<Vec<_>>().join(", ");
        let when = wall::say(Millis(entry.at), &jiff::tz::TimeZone::UTC);
        vec![when, entry.kind.clone(), about, entry.reply.clone().unwrap_or_default()]
    };
    print::table(&["when", "what", "about", "reply"], history.entries.iter().map(row))
}

async fn set(global: &Global, app: &App, args: SetArgs) -> anyhow::Result<()> {
    let address = address(&args.address)?;
    let mut tx = app.store.read().await?;
    let id = known(&mut tx, &address, &args.address).await?;
    tx.commit().await?;
    let zone = membership::set_zone_by_editor(app, id, if args.zone == "none" { "" } else { &args.zone }).await?;
    if global.json {
        return print::json(&json!({ "address": args.address, "zone": zone }));
    }
    let lives = if zone.is_empty() { "lives by the newsletter's clock".to_owned() } else { format!("lives in {zone}") };
    print::line(&format!("{} {lives} now.", args.address))
}

async fn unsubscribe(global: &Global, app: &App, args: UnsubscribeArgs) -> anyhow::Result<()> {
    let address = address(&args.address)?;
    let mut tx = app.store.read().await?;
    let newsletter = newsletters::find(&mut tx, &args.newsletter).await?;
    let id = known(&mut tx, &address, &args.address).await?;
    tx.commit().await?;
    let left = membership::unsubscribe_by_editor(app, newsletter.id, id, None).await?;
    if global.json {
        return print::json(&json!({ "address": args.address, "left": left }));
    }
    let text = if left { "is off" } else { "was not on" };
    print::line(&format!("{} {text} {}.", args.address, newsletter.name))
}

async fn known(tx: &mut Tx, address: &Address, typed: &str) -> anyhow::Result<crate::values::ids::SubscriberId> {
    let person = subscriber::by_address(tx, address).await?;
    Ok(person.ok_or_else(|| Problem::NotFound(format!("nobody has the address {typed}; nothing was changed")))?.id)
}

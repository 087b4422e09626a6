//! `issue doubt …`: mails of which nobody could hear whether they were taken.

use clap::{Args, Subcommand};
use serde_json::json;

use super::{Global, known};
use crate::cli::print;
use crate::values::address::Address;
use crate::values::clock::Millis;
use crate::values::ids::{IssueId, SubscriberId};
use crate::verbs::app::App;
use crate::verbs::doubt::{self, By, Doubt};
use crate::verbs::problem::Problem;

/// Rows read at once.
const PAGE_ROWS: i64 = 500;

#[derive(Debug, Subcommand)]
pub enum DoubtCommand {
    /// List them: to whom, when, through which relay, why, and the Message-ID to look for in the relay's log
    List { id: IssueId },
    /// Send them once more, with the same Message-ID: for those that the relay's log does not know
    Resend(DoubtArgs),
    /// Take them for sent: for those that the relay's log knows
    MarkSent(DoubtArgs),
}

#[derive(Debug, Args)]
pub struct DoubtArgs {
    pub id: IssueId,
    /// An address; may be given more than once
    #[arg(long, value_name = "ADDRESS", required_unless_present = "all")]
    pub reader: Vec<String>,
    /// Everybody whose mail is in doubt
    #[arg(long, conflicts_with = "reader")]
    pub all: bool,
    /// Do not ask
    #[arg(long)]
    pub yes: bool,
}

pub(super) async fn run(global: &Global, app: &App, command: DoubtCommand) -> anyhow::Result<()> {
    match command {
        DoubtCommand::List { id } => list(global, app, id).await,
        DoubtCommand::Resend(args) => {
            let consequence = "A reader who has got it already will have it twice.";
            let Some(chosen) = choose(app, &args, consequence).await? else { return none(global) };
            let many = doubt::resend(app, args.id, chosen.only(), &by()).await?;
            told(global, "resent", many, "wait to be sent again; a running `broadsheet serve` sends them")
        }
        DoubtCommand::MarkSent(args) => {
            let consequence = "A reader who has not got it will never get it.";
            let Some(chosen) = choose(app, &args, consequence).await? else { return none(global) };
            let many = doubt::mark_sent(app, args.id, chosen.only(), &by()).await?;
            told(global, "marked_sent", many, "count as sent now")
        }
    }
}

fn by() -> By {
    By { account: None, name: "the command line".into() }
}

/// Whose mails are meant.
struct Chosen(Option<Vec<SubscriberId>>);

impl Chosen {
    fn only(&self) -> Option<&[SubscriberId]> {
        self.0.as_deref()
    }
}

/// `None`: nothing is in doubt.
async fn choose(app: &App, args: &DoubtArgs, consequence: &str) -> anyhow::Result<Option<Chosen>> {
    let issue = known(app, args.id).await?;
    let parse = |text: &String| {
        Address::parse(text).map_err(|why| Problem::Invalid(format!("\"{text}\": {why}; nothing was changed")))
    };
    let addresses: Vec<Address> = args.reader.iter().map(parse).collect::<Result<_, _>>()?;
    let (chosen, many) = match args.all {
        true => (Chosen(None), crate::verbs::progress::counts(app, args.id).await?.in_doubt),
        false => {
            let who = doubt::find(app, args.id, &addresses).await?;
            let many = i64::try_from(who.len())?;
            (Chosen(Some(who)), many)
        }
    };
    if many == 0 {
        return Ok(None);
    }
    print::confirm(&format!("This is about {many} of \"{}\". {consequence}", issue.subject), args.yes)?;
    Ok(Some(chosen))
}

fn none(global: &Global) -> anyhow::Result<()> {
    if global.json { print::json(&json!({ "readers": 0 })) } else { print::line("Nothing of this issue is in doubt.") }
}

fn told(global: &Global, what: &str, many: u64, words: &str) -> anyhow::Result<()> {
    if global.json {
        return print::json(&json!({ "done": what, "readers": many }));
    }
    print::line(&format!("{many} {words}."))
}

async fn list(global: &Global, app: &App, id: IssueId) -> anyhow::Result<()> {
    known(app, id).await?;
    let (mut after, mut many) = (None, 0);
    let mut array = print::Array::new(global.json);
    loop {
        let page = doubt::page(app, id, after, PAGE_ROWS).await?;
        let Some(last) = page.last() else { break };
        (after, many) = (Some(last.subscriber), many + page.len());
        for doubt in &page {
            match global.json {
                true => array.item(doubt)?,
                false => described(doubt).iter().try_for_each(|line| print::line(line))?,
            }
        }
    }
    match (global.json, many) {
        (true, _) => array.end(),
        (false, 0) => print::line("Nothing of this issue is in doubt."),
        (false, _) => print::line(&format!(
            "\n{many} in doubt. Look for each Message-ID in the relay's log: what is there as taken, mark as sent; what is \
             not, send again.\n  broadsheet issue doubt mark-sent {id} --reader ADDRESS\n  broadsheet issue doubt resend \
             {id} --reader ADDRESS"
        )),
    }
}

fn described(doubt: &Doubt) -> Vec<String> {
    // To the second: logs are searched by it.
    let time = |at: Millis| at.timestamp().strftime("%a %-d %b %Y %H:%M:%S UTC").to_string();
    let when = match doubt.from == doubt.until {
        true => format!("may have left at {}", time(doubt.until)),
        false => format!("may have left from {} to {}", time(doubt.from), time(doubt.until)),
    };
    let relay = doubt.relay.as_deref().map(|name| match &doubt.relay_address {
        Some(place) if place != name => format!("relay {name} ({place})"),
        _ => format!("relay {name}"),
    });
    let machine = doubt.machine.as_ref().map(|host| format!("from {host}"));
    let through: Vec<String> = relay.into_iter().chain(machine).collect();
    let heard = doubt.heard.as_ref().map(|text| format!(": {text}")).unwrap_or_default();
    let mut lines = vec![doubt.address.clone(), format!("  {when}")];
    lines.extend(Some(format!("  {}", through.join(", "))).filter(|line| !line.trim().is_empty()));
    lines.push(format!("  {}{heard}", doubt.why.words()));
    lines.push(format!("  Message-ID: <{}>", doubt.message_id));
    lines
}

//! `newsletter create`, `list`, `show`, `set`.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, Subcommand};

use super::hours::HoursArgs;
use super::{Global, print};
use crate::config::load::read_small;
use crate::issue::dkim::Signer;
use crate::schedule::hours::Wishes;
use crate::schedule::{Schedule, wall, zone};
use crate::store::newsletter::{self, Newsletter};
use crate::store::relay::{self, Relay};
use crate::values::clock::Millis;
use crate::values::relay::RelayUrl;
use crate::verbs::app::App;
use crate::verbs::newsletters::{self, Wanted};
use crate::verbs::problem::Problem;
use crate::verbs::{relays, signing, warm_up};

/// The largest share of a relay: a thousandth of the mail is the least that one can want.
const WEIGHT_MAX: i64 = 1_000;
/// Firings shown beside every schedule.
pub const FIRINGS_SHOWN: usize = 5;

#[derive(Debug, Subcommand)]
pub enum NewsletterCommand {
    /// Make a newsletter
    Create(CreateArgs),
    /// List the newsletters
    List,
    /// Show one newsletter, its relay and its next slots
    Show { slug: String },
    /// Change a newsletter's slot, zone, hours or relay
    Set(SetArgs),
}

#[derive(Debug, Args)]
pub struct CreateArgs {
    /// Its name, as readers see it
    pub name: String,
    /// Its name in addresses [default: made from the name]
    #[arg(long, default_value = "", hide_default_value = true)]
    pub slug: String,
    /// Whom it is from: "Ines <brief@tidewater.example>"
    #[arg(long)]
    pub from: String,
    /// The postal address that stands in every mail; the law of most countries asks for one
    #[arg(long)]
    pub postal_address: String,
    /// IANA time zone of slots and dates: Europe/Lisbon
    #[arg(long)]
    pub zone: String,
    /// Language of its text: en, pt, zh-Hant
    #[arg(long, default_value = "en")]
    pub language: String,
    /// One line under the name
    #[arg(long, default_value = "", hide_default_value = true)]
    pub tagline: String,
    /// Where answers go, if not to the sender
    #[arg(long, default_value = "", hide_default_value = true)]
    pub reply_to: String,
    /// Colour of links and buttons: "#A5301F"
    #[arg(long, default_value = "", hide_default_value = true)]
    pub accent: String,
    /// The same in the dark theme
    #[arg(long, default_value = "", hide_default_value = true)]
    pub accent_dark: String,
    /// List-Id, for ever [default: SLUG.list-id.DOMAIN]
    #[arg(long, default_value = "", hide_default_value = true)]
    pub list_id: String,
    /// The sentence that readers agree to when they sign up
    #[arg(long, default_value = "", hide_default_value = true)]
    pub consent_text: String,
    /// Weekly slot: "weekly SUN 09:00", "monthly first MON 09:00" or cron
    #[arg(long, default_value = "", hide_default_value = true)]
    pub slot: String,
    #[command(flatten)]
    pub relay: RelayArgs,
}

#[derive(Debug, Args)]
pub struct RelayArgs {
    /// Where mail is handed to: smtp://user:password@host:587, smtps://host; for `set` also relays of that name with
    /// their shares: main=3,other=1,spare=0
    #[arg(long, env = "BROADSHEET_RELAY", hide_env_values = true, value_name = "URL")]
    pub relay: Option<String>,
    /// A file that holds the relay's URL, so that its password stands in no process list
    #[arg(long, env = "BROADSHEET_RELAY_FILE", value_name = "FILE", conflicts_with = "relay")]
    pub relay_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct SetArgs {
    pub slug: String,
    /// Weekly slot, or "none"
    #[arg(long)]
    pub slot: Option<String>,
    /// IANA time zone
    #[arg(long)]
    pub zone: Option<String>,
    /// A slot later than this is held and not sent
    #[arg(long, value_parser = super::duration::parse, value_name = "DURATION")]
    pub max_lateness: Option<i64>,
    #[command(flatten)]
    pub hours: HoursArgs,
    #[command(flatten)]
    pub relay: RelayArgs,
    /// Warm the sender's domain up: few messages a day and site at first (true, false)
    #[arg(long, value_name = "BOOL")]
    pub warm_up: Option<bool>,
}

/// # Errors
/// When a value is wrong, or the database cannot be used.
pub async fn run(global: &Global, command: NewsletterCommand) -> anyhow::Result<()> {
    let app = global.open().await?;
    match command {
        NewsletterCommand::Create(args) => create(global, &app, args).await,
        NewsletterCommand::List => list(global, &app).await,
        NewsletterCommand::Show { slug } => show(global, &app, &slug).await,
        NewsletterCommand::Set(args) => set(global, &app, args).await,
    }
}

impl RelayArgs {
    fn url(&self) -> anyhow::Result<Option<RelayUrl>> {
        let written = match (&self.relay, &self.relay_file) {
            (Some(url), _) => Some(url.clone()),
            (None, Some(path)) => Some(read_small(path).map_err(Problem::Invalid)?),
            (None, None) => None,
        };
        Ok(written.map(|url| url.parse::<RelayUrl>()).transpose().map_err(Problem::Invalid)?)
    }
}

/// Relays by name, if that is what was written: `main=3,other`, each with its share.
fn parts(written: Option<&String>) -> anyhow::Result<Option<Vec<(String, i64)>>> {
    let Some(written) = written.filter(|written| !written.contains("://")) else { return Ok(None) };
    let part = |text: &str| match text.trim().rsplit_once('=') {
        None => Ok((text.trim().to_owned(), 1)),
        Some((name, weight)) => match weight.parse() {
            Ok(weight) if (0..=WEIGHT_MAX).contains(&weight) => Ok((name.trim().to_owned(), weight)),
            _ => Err(Problem::Invalid(format!(
                "\"{weight}\" is no share of {name}; write a number from 0 (a spare) to {WEIGHT_MAX}. Nothing was changed"
            ))),
        },
    };
    Ok(Some(written.split(',').map(part).collect::<Result<_, _>>()?))
}

async fn create(global: &Global, app: &App, args: CreateArgs) -> anyhow::Result<()> {
    let wanted = Wanted {
        relay: args.relay.url()?,
        name: args.name,
        slug: args.slug,
        tagline: args.tagline,
        from: args.from,
        reply_to: args.reply_to,
        postal_address: args.postal_address,
        language: args.language,
        zone: args.zone,
        accent: args.accent,
        accent_dark: args.accent_dark,
        list_id: args.list_id,
        consent_text: args.consent_text,
        slot: args.slot,
    };
    let made = newsletters::create(app, wanted).await?;
    show(global, app, &made.slug).await?;
    if !global.json {
        print::note("Before the first issue goes out, put the dkim record into the DNS of the sender's domain.");
    }
    Ok(())
}

async fn set(global: &Global, app: &App, args: SetArgs) -> anyhow::Result<()> {
    let parts = parts(args.relay.relay.as_ref())?;
    let relay = if parts.is_some() { None } else { args.relay.url()? };
    let mut tx = app.store.read().await?;
    let mut kept = newsletters::find(&mut tx, &args.slug).await?;
    tx.commit().await?;
    if let Some(url) = relay {
        kept.relay_id = Some(newsletters::set_relay(app, kept.id, &url).await?);
    }
    if let Some(parts) = parts {
        kept.relay_id = Some(relays::share(app, kept.id, &parts).await?);
    }
    if let Some(warm_up) = args.warm_up {
        warm_up::switch(app, kept.id, warm_up).await?;
    }
    if let Some(zone) = args.zone {
        kept.zone = zone::name_of(&zone::find(&zone)?).to_owned();
    }
    if let Some(slot) = args.slot {
        kept.slot = Some(slot).filter(|slot| slot != "none");
    }
    let wishes: Wishes = kept.hours.parse().map_err(Problem::Invalid)?;
    kept.hours = args.hours.wishes().map_err(Problem::Invalid)?.over(wishes).to_string();
    kept.max_lateness_ms = args.max_lateness.unwrap_or(kept.max_lateness_ms);
    newsletters::save(app, kept).await?;
    show(global, app, &args.slug).await
}

async fn list(global: &Global, app: &App) -> anyhow::Result<()> {
    let mut tx = app.store.read().await?;
    let all = newsletter::all(&mut tx).await?;
    tx.commit().await?;
    if global.json {
        return print::json(&all);
    }
    if all.is_empty() {
        return print::line("There is no newsletter yet; make one with `broadsheet newsletter create`.");
    }
    let slot =
        |n: &Newsletter| n.slot.as_deref().and_then(|slot| slot.parse::<Schedule>().ok()).map(|slot| slot.words());
    let rows = all.iter().map(|n| {
        vec![n.slug.clone(), n.name.clone(), n.from_address.clone(), slot(n).unwrap_or_default(), n.zone.clone()]
    });
    print::table(&["slug", "name", "from", "slot", "zone"], rows)
}

async fn show(global: &Global, app: &App, slug: &str) -> anyhow::Result<()> {
    let mut tx = app.store.read().await?;
    let kept = newsletters::find(&mut tx, slug).await?;
    let relay = match kept.relay_id {
        Some(id) => relay::by_id(&mut tx, id).await?,
        None => None,
    };
    let now = tx.now;
    tx.commit().await?;
    let signer = signing::signer(app, kept.sender_domain()).await?;
    let firings = next_firings(&kept, now)?;
    if global.json {
        let mut value = serde_json::to_value(&kept)?;
        let fields = value.as_object_mut().context("a newsletter is a JSON object")?;
        fields.insert("relay".into(), relay.map(|relay| relay.url().to_string()).into());
        fields.insert("next_slots".into(), firings.into());
        fields.insert("dkim".into(), serde_json::json!({ "name": signer.dns_name(), "txt": signer.dns_text() }));
        return print::json(&value);
    }
    for line in described(&kept, relay.as_ref(), &firings, &signer) {
        print::line(&line)?;
    }
    Ok(())
}

fn described(n: &Newsletter, relay: Option<&Relay>, firings: &[String], signer: &Signer) -> Vec<String> {
    let slot = n.slot.as_deref().and_then(|slot| slot.parse::<Schedule>().ok());
    let mut lines = vec![
        format!("{} ({})", n.name, n.slug),
        format!("  from      {} <{}>", n.from_name, n.from_address),
        format!("  address   {}", n.postal_address),
        format!("  language  {}, zone {}", n.language, n.zone),
        format!("  list id   {}", n.list_id),
        format!("  consent   {}", n.consent_text),
        format!(
            "  relay     {}",
            relay.map_or_else(|| "none yet: nothing can be sent".to_owned(), |relay| relay.url().to_string())
        ),
        format!("  slot      {}", slot.map_or_else(|| "none".to_owned(), |slot| slot.words())),
    ];
    lines.extend(Wishes::effective("", &n.hours).words().into_iter().map(|words| format!("  hours     {words}")));
    lines.extend(relay.and_then(|relay| relay.paused_reason.as_ref()).map(|why| format!("  relay is paused: {why}")));
    lines.extend(firings.iter().map(|firing| format!("            {firing}")));
    lines.push(format!("  dkim      {}. TXT {}", signer.dns_name(), signer.dns_strings()));
    lines
}

/// The next slots with zone and offset.
fn next_firings(kept: &Newsletter, now: Millis) -> anyhow::Result<Vec<String>> {
    let Some(slot) = &kept.slot else { return Ok(Vec::new()) };
    let (schedule, tz) = (slot.parse::<Schedule>()?, zone::find(&kept.zone)?);
    Ok(schedule.next(&tz, now, FIRINGS_SHOWN).iter().map(|firing| wall::say(firing.at, &tz)).collect())
}

//! The demo: an invented newsletter with a past, readers who do not exist, and an issue that goes out while one
//! watches. Its mail has one way out, which ends in the catcher of the same process: whatever the rows say, [`Outlet`]
//! leads nowhere else.

mod content;
mod past;
mod people;

use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context as _, bail};
use jiff::tz::TimeZone;
use serde_json::json;

use crate::config::Config;
use crate::issue::parse::parse;
use crate::schedule::zone;
use crate::store::account::{self, Account};
use crate::store::event::{self, About};
use crate::store::issue::{self, IssueRow};
use crate::store::newsletter::{self, Newsletter};
use crate::store::{Tx, setting};
use crate::values::clock::{Clock, Millis};
use crate::values::ids::{AccountId, IssueId};
use crate::values::relay::{RelayUrl, Tls};
use crate::values::token::random_secret;
use crate::verbs::app::App;
use crate::verbs::newsletters::{self, Wanted};
use crate::verbs::outlet::Outlet;
use crate::verbs::start;

/// Active readers, unless somebody asks for more.
pub const READERS: usize = 500;
/// More than this is a benchmark and not a demo: `broadsheet bench` measures.
pub const READERS_MAX: usize = 200_000;
/// When the newest issue is due, after the start: time to open a page.
const DUE_AFTER_MS: i64 = 8 * Millis::SECOND;
/// The undo hold: long enough to see it, short enough to wait for.
const HOLD_SECONDS: u64 = 4;
/// The setting that says that this database is the demo's.
const MARK: &str = "demo";
const SLUG: &str = "tidewater";
const ZONE: &str = "Europe/Lisbon";

/// A demo that is ready to run.
pub struct Demo {
    pub app: App,
    pub newsletter: Newsletter,
    /// The newest issue as it stands.
    pub newest: IssueRow,
    /// Made just now, and not by an earlier run.
    pub is_new: bool,
}

/// The demo's configuration: no file and no environment has a say in it.
#[must_use]
pub fn config(data: &Path, listen: SocketAddr, public_url: String) -> Config {
    Config {
        data: data.to_owned(),
        listen: listen.to_string(),
        public_url,
        helo: "demo.tidewater.example".into(),
        hold_seconds: HOLD_SECONDS,
        demo: true,
        ..Config::default()
    }
}

/// Opens the demo in its folder, and makes it if it is not there. `catcher` is where its mail ends.
///
/// # Errors
/// When the folder holds a real installation, or something cannot be opened or written.
pub async fn open(config: Config, catcher: SocketAddr, readers: usize) -> anyhow::Result<Demo> {
    let data = config.data.clone();
    let app = start::open_with_outlet(config, Clock::System, Outlet::CatcherOnly(catcher)).await?;
    let relay = RelayUrl {
        host: catcher.ip().to_string(),
        port: catcher.port(),
        tls: Tls::None,
        username: None,
        password: None,
    };
    let known = known(&app, &data).await?;
    let is_new = known.is_none();
    let (newsletter, newest) = match known {
        Some(known) => {
            // The catcher has another port at every start; pages that show the relay should show the right one.
            newsletters::set_relay(&app, known.0.id, &relay).await?;
            known
        }
        None => make(&app, relay, readers).await?,
    };
    Ok(Demo { app, newsletter, newest, is_new })
}

/// The demo of an earlier run. A folder that is nobody's becomes the demo's from here on.
async fn known(app: &App, data: &Path) -> anyhow::Result<Option<(Newsletter, IssueRow)>> {
    let mut tx = app.store.write().await?;
    let newsletter = newsletter::by_slug(&mut tx, SLUG).await?;
    let mark = setting::get(&mut tx, MARK).await?;
    if mark.is_none() && (!newsletter::all(&mut tx).await?.is_empty() || account::count(&mut tx).await? > 0) {
        bail!(
            "the folder {} holds a real Broadsheet and not a demo; nothing in it was changed. Give the demo a folder \
             of its own with --data",
            data.display()
        );
    }
    let newest = mark.as_deref().and_then(|id| id.parse::<IssueId>().ok());
    let Some((newsletter, newest)) = newsletter.zip(newest) else {
        setting::set(&mut tx, MARK, "begun").await?;
        tx.commit().await?;
        return Ok(None);
    };
    let newest = issue::by_id(&mut tx, newest).await?.context("the demo's newest issue is gone; use another folder")?;
    Ok(Some((newsletter, newest)))
}

/// Makes everything, and gives the newest issue its time. All but the newsletter is one transaction: a demo that was
/// stopped half-way is made again.
async fn make(app: &App, relay: RelayUrl, readers: usize) -> anyhow::Result<(Newsletter, IssueRow)> {
    let reading = tokio::task::spawn_blocking(content::read);
    let (manuscripts, pictures) = reading.await.context("the demo's pictures could not be prepared")??;
    let (latest, old) = manuscripts.split_last().context("the demo has no issues")?;
    let zone = zone::find(ZONE)?;
    let newsletter = the_newsletter(app, relay).await?;
    let mut tx = app.store.write().await?;
    editor(&mut tx).await?;
    let public_url = app.config.public_url.as_str();
    past::Past::new(&mut tx, &newsletter, public_url, &pictures).tell(old, readers, &zone).await?;
    let parsed = parse(&latest.source).issue;
    let id = past::keep(&mut tx, &newsletter, latest, &parsed, &pictures).await?;
    setting::set(&mut tx, MARK, &id.to_string()).await?;
    // The making itself took a moment; the time counts from its end.
    let due = app.clock.now().plus(DUE_AFTER_MS);
    schedule(&mut tx, &newsletter, id, due, &zone).await?;
    tx.commit().await?;
    let newest = issue::by_id(&mut app.store.read().await?, id).await?.context("the demo's newest issue is gone")?;
    Ok((newsletter, newest))
}

/// Found again if an earlier run got no further than this.
async fn the_newsletter(app: &App, relay: RelayUrl) -> anyhow::Result<Newsletter> {
    if let Some(known) = newsletter::by_slug(&mut app.store.read().await?, SLUG).await? {
        return Ok(known);
    }
    let wanted = Wanted {
        name: "The Tidewater Brief".into(),
        slug: SLUG.into(),
        tagline: "Harbours, ships and coasts, every Tuesday".into(),
        from: "Maren Holt, The Tidewater Brief <brief@tidewater.example>".into(),
        reply_to: "letters@tidewater.example".into(),
        postal_address: "Quay House, 4 Customs Lane, Port Ellery PE1 2TW".into(),
        language: "en".into(),
        zone: ZONE.into(),
        slot: "weekly TUE 09:00".into(),
        relay: Some(relay),
        ..Wanted::default()
    };
    newsletters::create(app, wanted).await
}

/// Who everybody is in the demo. Nobody knows the password, and nobody needs it.
async fn editor(tx: &mut Tx) -> anyhow::Result<()> {
    let secret: String = random_secret()?.iter().map(|byte| format!("{byte:02x}")).collect();
    let account = Account {
        id: AccountId::new(tx.now),
        email: "maren@tidewater.example".into(),
        name: "Maren Holt".into(),
        role: "owner".into(),
        // Not a hash that any password has.
        password_hash: format!("none {secret}"),
        theme: "auto".into(),
        created_at: tx.now.0,
    };
    account::insert(tx, &account).await?;
    Ok(())
}

async fn schedule(
    tx: &mut Tx,
    newsletter: &Newsletter,
    id: IssueId,
    at: Millis,
    zone: &TimeZone,
) -> anyhow::Result<()> {
    let wall = zone.to_datetime(at.timestamp()).strftime("%Y-%m-%dT%H:%M").to_string();
    issue::schedule(tx, id, &wall, ZONE, at).await?;
    let about = About { newsletter: Some(newsletter.id), issue: Some(id), ..About::default() };
    event::insert(tx, "issue.scheduled", about, &json!({ "at": at, "wall": wall, "zone": ZONE })).await?;
    Ok(())
}

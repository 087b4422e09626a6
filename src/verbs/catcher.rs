//! The mail catcher: an SMTP server on this machine whose mail goes into our own table, to be looked at. The demo's
//! only outlet, and a stand-in for a relay while one develops.

pub mod letter;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::time::Duration;

use anyhow::Context as _;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::fetch::one_click;
use crate::smtp::server::{Envelope, Limits, Refusal, Server};
use crate::store::caught::{self, Caught, Count, Line, Query, Whole};
use crate::store::{Store, Tx, newsletter};
use crate::values::ids::{CaughtId, IssueId, NewsletterId, SubscriberId};
use crate::values::token::Purpose;
use crate::verbs::app::App;
use letter::Letter;

/// Mails kept; the oldest make room. Ten thousand issues of 60 KB are some 600 MB of disk.
pub const KEPT_MAX: i64 = 10_000;
/// Bytes of one mail: what Gmail takes.
const MESSAGE_BYTES_MAX: usize = 25 * 1024 * 1024;
/// Mails that wait to be written down. Each is held in memory until it is.
const WAITING_MAX: usize = 64;
/// Mails written in one commit: as many as come in while the last commit was on its way to the disk.
const BATCH_MAX: usize = 64;
/// How long a mail waits for its neighbours before the commit.
const GATHER: Duration = Duration::from_millis(2);
/// What it calls itself in SMTP.
const NAME: &str = "catcher.localhost";

struct Parcel {
    envelope: Envelope,
    letter: Letter,
    raw: Vec<u8>,
    kept: oneshot::Sender<bool>,
}

type Taking = Pin<Box<dyn Future<Output = Result<(), Refusal>> + Send>>;
type Inbox = Box<dyn Fn(Envelope, Vec<u8>) -> Taking + Send + Sync>;

/// A catcher that has its port and does not yet listen.
pub struct Catcher {
    address: SocketAddr,
    server: Server<Inbox>,
    parcels: mpsc::Receiver<Parcel>,
}

impl Catcher {
    /// Takes any free port on the loopback.
    ///
    /// # Errors
    /// When this machine gives no port.
    pub async fn bind() -> anyhow::Result<Self> {
        let (inbox, parcels) = mpsc::channel(WAITING_MAX);
        let anywhere = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
        let limits = Limits { message_bytes: MESSAGE_BYTES_MAX, ..Limits::default() };
        let inbox: Inbox = Box::new(move |envelope, raw| Box::pin(take(inbox.clone(), envelope, raw)));
        let server = Server::bind(anywhere, NAME, limits, inbox).await.context("the catcher gets no port")?;
        let address = server.address().context("the catcher has no address")?;
        Ok(Self { address, server, parcels })
    }

    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Catches until it is stopped. What was being handed over then is still written down: the keeper goes on until
    /// the server and its sessions are gone.
    pub async fn run(self, store: Store, stop: CancellationToken) {
        tokio::join!(self.server.run(stop), keep(store, self.parcels));
    }
}

/// Hands one mail to the keeper and waits until it is on disk.
async fn take(inbox: mpsc::Sender<Parcel>, envelope: Envelope, raw: Vec<u8>) -> Result<(), Refusal> {
    let letter = Letter::read(&raw);
    let (kept, answer) = oneshot::channel();
    let handed = inbox.send(Parcel { envelope, letter, raw, kept }).await.is_ok();
    if handed && answer.await.unwrap_or(false) { Ok(()) } else { Err(refusal()) }
}

fn refusal() -> Refusal {
    Refusal { code: 451, text: "4.3.0 The mail could not be written down".into() }
}

fn as_caught(id: CaughtId, parcel: &mut Parcel) -> Caught {
    let letter = std::mem::take(&mut parcel.letter);
    let (from, to) = (letter.from.to_string(), letter.to_line());
    Caught {
        id,
        mail_from: parcel.envelope.mail_from.clone(),
        rcpt_to: parcel.envelope.rcpt_to.join("\n"),
        words: caught::searchable(&from, &to, &letter.subject, &letter.text),
        from_header: from,
        to_header: to,
        snippet: letter.snippet(),
        subject: letter.subject,
        message_id: letter.message_id,
        raw: std::mem::take(&mut parcel.raw),
    }
}

/// Writes down what comes in, many in one commit: each waits for the disk once, together with its neighbours.
async fn keep(store: Store, mut parcels: mpsc::Receiver<Parcel>) {
    let mut batch = Vec::with_capacity(BATCH_MAX);
    while parcels.recv_many(&mut batch, BATCH_MAX).await > 0 {
        if batch.len() < BATCH_MAX {
            // A neighbour that is on its way shares the commit; one that is not costs nobody more than this.
            tokio::time::sleep(GATHER).await;
            while batch.len() < BATCH_MAX {
                let Ok(parcel) = parcels.try_recv() else { break };
                batch.push(parcel);
            }
        }
        let written = write_down(&store, &mut batch).await;
        if let Err(error) = &written {
            tracing::error!(
                error = format!("{error:#}"),
                mails = batch.len(),
                "caught mails could not be written down"
            );
        }
        for parcel in batch.drain(..) {
            // Whoever handed it in may be gone; the mail is kept all the same.
            let _ = parcel.kept.send(written.is_ok());
        }
    }
}

async fn write_down(store: &Store, batch: &mut [Parcel]) -> anyhow::Result<()> {
    let mut tx = store.write().await?;
    for parcel in batch {
        let mail = as_caught(CaughtId::new(tx.now), parcel);
        caught::insert(&mut tx, &mail).await?;
    }
    caught::drop_oldest(&mut tx, KEPT_MAX).await?;
    Ok(tx.commit().await?)
}

/// One page of a list.
pub struct Page {
    pub lines: Vec<Line>,
    /// What the search found.
    pub found: Count,
    /// All that are kept.
    pub all: Count,
}

/// Mails that a search finds, newest first.
///
/// # Errors
/// When the database cannot be read.
pub async fn list(app: &App, search: &str, limit: i64, start: i64) -> anyhow::Result<Page> {
    let mut tx = app.store.read().await?;
    let query = Query::parse(search);
    let lines = caught::lines(&mut tx, &query, limit, start).await?;
    let all = caught::count_all(&mut tx).await?;
    let found = if query == Query::default() { all } else { caught::count(&mut tx, &query).await? };
    Ok(Page { lines, found, all })
}

/// One mail, read.
pub struct Opened {
    pub whole: Whole,
    pub letter: Letter,
    pub about: Option<About>,
    /// Of the newsletter that it is about.
    pub slug: Option<String>,
}

/// Whose mail it is, as its own unsubscribe link says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct About {
    pub newsletter: NewsletterId,
    pub subscriber: SubscriberId,
    /// `None` for a mail that is not an issue.
    pub issue: Option<IssueId>,
}

/// The mail `id`, or the latest.
///
/// # Errors
/// When the database cannot be read.
pub async fn open(app: &App, id: Option<CaughtId>) -> anyhow::Result<Option<Opened>> {
    let mut tx = app.store.read().await?;
    let whole = match id {
        Some(id) => caught::by_id(&mut tx, id).await?,
        None => caught::latest(&mut tx).await?,
    };
    let Some(whole) = whole else { return Ok(None) };
    let letter = Letter::read(&whole.raw);
    let about = letter.one_click.as_deref().and_then(|url| about(app, url));
    let newsletter = match about {
        Some(about) => newsletter::by_id(&mut tx, about.newsletter).await?,
        None => None,
    };
    Ok(Some(Opened { whole, letter, about, slug: newsletter.map(|newsletter| newsletter.slug) }))
}

fn about(app: &App, url: &str) -> Option<About> {
    let (_, rest) = url.split_once("/r/")?;
    let token = rest.split('/').next()?;
    let [newsletter, subscriber, issue] = app.keys.open(Purpose::Reader, token).ok()?;
    let issue = (issue != 0).then_some(IssueId(issue));
    Some(About { newsletter: NewsletterId(newsletter), subscriber: SubscriberId(subscriber), issue })
}

/// Sets the mark of these mails, or of all that a search finds, up to [`KEPT_MAX`].
///
/// # Errors
/// When the database cannot be written.
pub async fn set_read(app: &App, which: Which, read: bool) -> anyhow::Result<()> {
    let mut tx = app.store.write().await?;
    for id in which.ids(&mut tx).await? {
        caught::set_read(&mut tx, id, read).await?;
    }
    Ok(tx.commit().await?)
}

/// Throws mails away.
///
/// # Errors
/// When the database cannot be written.
pub async fn delete(app: &App, which: Which) -> anyhow::Result<()> {
    let mut tx = app.store.write().await?;
    if matches!(which, Which::All) {
        caught::delete_all(&mut tx).await?;
    } else {
        for id in which.ids(&mut tx).await? {
            caught::delete(&mut tx, id).await?;
        }
    }
    Ok(tx.commit().await?)
}

/// Some of the mails.
pub enum Which {
    All,
    These(Vec<CaughtId>),
    Found(String),
}

impl Which {
    async fn ids(self, tx: &mut Tx) -> anyhow::Result<Vec<CaughtId>> {
        let query = match self {
            Self::These(ids) => return Ok(ids),
            Self::Found(search) => Query::parse(&search),
            Self::All => Query::default(),
        };
        let lines = caught::lines(tx, &query, KEPT_MAX, 0).await?;
        Ok(lines.into_iter().map(|line| line.id).collect())
    }
}

/// What became of a press on the button.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tried {
    /// Status and first words of the answer.
    Answered { status: u16, body: String },
    /// Why nothing was sent.
    NotSent(String),
}

/// Does what a mail program does when somebody presses its unsubscribe button (RFC 8058 §3.2): one POST to the address
/// in the mail, without cookies, following nothing. Only our own address is asked, at the port that we listen on.
///
/// # Errors
/// When the database cannot be read.
pub async fn try_one_click(app: &App, id: CaughtId) -> anyhow::Result<Option<Tried>> {
    let Some(opened) = open(app, Some(id)).await? else { return Ok(None) };
    let not_sent = |why: &str| Ok(Some(Tried::NotSent(why.to_owned())));
    let Some(url) = opened.letter.one_click else {
        return not_sent("This mail has no List-Unsubscribe-Post header with an address for it.");
    };
    let ours = app.config.public_url.trim_end_matches('/');
    if ours.is_empty() || !url.strip_prefix(ours).is_some_and(|path| path.starts_with('/')) {
        return not_sent("The address in this mail is not ours, so it was not called.");
    }
    match one_click::post(&url, &app.config.listen).await {
        Ok((status, body)) => Ok(Some(Tried::Answered { status, body })),
        Err(error) => Ok(Some(Tried::NotSent(format!("The address did not answer: {error:#}.")))),
    }
}

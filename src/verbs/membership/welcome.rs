//! The welcome: one mail or a short series that a new reader gets, each so long after joining, written as an issue is.
//!
//! Joining writes down who is to get what and when. When it is due, a letter lies in the out-tray, once for ever by
//! its row, and goes the way of every letter: tried again, never twice, its reply on its row. Whoever left, or was
//! suppressed, is skipped here and again when the letter is claimed.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use serde_json::json;

use crate::issue::check::{About as Checked, check};
use crate::issue::envelope;
use crate::issue::finding::blocked;
use crate::issue::message::Sending;
use crate::issue::parse::parse;
use crate::issue::pictures::Pictures;
use crate::issue::render::render;
use crate::issue::rendered::Rendered;
use crate::issue::tree::plain;
use crate::store::event;
use crate::store::event::About;
use crate::store::letter::{self, LetterKind, NewLetter};
use crate::store::newsletter::{self, Newsletter};
use crate::store::welcome::{self, Due, Welcome};
use crate::values::address::Address;
use crate::values::clock::Millis;
use crate::values::ids::{AccountId, IssueId, NewsletterId, SubscriberId, WelcomeId};
use crate::verbs::app::App;
use crate::verbs::deliver::return_domain;
use crate::verbs::deliver::sheet::Sheet;
use crate::verbs::editing::rendering::octets;
use crate::verbs::problem::Problem;
use crate::verbs::test_mail::unsigned;

/// Mails of one welcome: a short series, not a second newsletter.
const STEPS_MAX: usize = 7;
/// The last of them comes so long after joining at most.
const DELAY_MS_MAX: i64 = 60 * Millis::DAY;
/// Letters written in one transaction, so that nobody else waits long.
const DUE_MAX: i64 = 200;

/// A welcome mail, and how it stands.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Step {
    #[serde(flatten)]
    pub row: Welcome,
    pub subject: String,
    pub waiting: i64,
    pub sent: i64,
}

/// A newsletter's welcome mails, in the order they leave.
///
/// # Errors
/// When the database cannot be read.
pub async fn steps(app: &App, newsletter: NewsletterId) -> anyhow::Result<Vec<Step>> {
    let mut tx = app.store.read().await?;
    let mut steps = Vec::new();
    for row in welcome::of(&mut tx, newsletter).await? {
        let (waiting, sent) = welcome::counts(&mut tx, row.id).await?;
        steps.push(Step { subject: plain(&parse(&row.source).issue.subject), row, waiting, sent });
    }
    Ok(steps)
}

/// Writes a welcome mail: a new one, or one that there is. It may only be on when nothing is wrong with it.
///
/// # Errors
/// [`Problem`] with what is wrong; then nothing was saved.
pub async fn save_welcome(
    app: &App,
    newsletter: &Newsletter,
    id: Option<WelcomeId>,
    delay_ms: i64,
    source: &str,
    is_on: bool,
    by: Option<AccountId>,
) -> anyhow::Result<Welcome> {
    if !(0..=DELAY_MS_MAX).contains(&delay_ms) {
        let why = format!("a welcome comes at once, or up to {} days later", DELAY_MS_MAX / Millis::DAY);
        return Err(Problem::Invalid(format!("{why}; nothing was saved")).into());
    }
    let wrong = written(app, newsletter, source, app.clock.now())?.1;
    if is_on && !wrong.is_empty() {
        return Err(Problem::Invalid(format!("{}; nothing was saved", wrong.join("; "))).into());
    }
    let mut tx = app.store.write().await?;
    let all = welcome::of(&mut tx, newsletter.id).await?;
    let now = tx.now;
    let row = match id {
        Some(id) => {
            let kept = all.into_iter().find(|row| row.id == id).ok_or_else(no_such_welcome)?;
            Welcome { delay_ms, source: source.into(), is_on, updated_at: now.0, ..kept }
        }
        None if all.len() >= STEPS_MAX => {
            return Err(Problem::Refused(format!("{STEPS_MAX} mails are a long welcome; nothing was saved")).into());
        }
        None => Welcome {
            id: WelcomeId::new(now),
            newsletter_id: newsletter.id,
            delay_ms,
            source: source.into(),
            is_on,
            created_at: now.0,
            updated_at: now.0,
        },
    };
    welcome::keep(&mut tx, &row).await?;
    let about = About { newsletter: Some(newsletter.id), account: by, ..About::default() };
    event::insert(&mut tx, "welcome.saved", about, &json!({"welcome": row.id, "on": is_on})).await?;
    tx.commit().await?;
    app.wake.notify_waiters();
    Ok(row)
}

fn no_such_welcome() -> Problem {
    Problem::NotFound("there is no such welcome mail; nothing was changed".into())
}

/// Removes a welcome mail; who waits for it does not get it.
///
/// # Errors
/// [`Problem`] if there is none.
pub async fn remove_welcome(app: &App, newsletter: NewsletterId, id: WelcomeId) -> anyhow::Result<()> {
    let mut tx = app.store.write().await?;
    if !welcome::remove(&mut tx, newsletter, id).await? {
        return Err(no_such_welcome().into());
    }
    tx.commit().await?;
    Ok(())
}

/// The mail as it would leave, and what keeps it from leaving.
fn written(app: &App, newsletter: &Newsletter, source: &str, now: Millis) -> anyhow::Result<(Rendered, Vec<String>)> {
    let parsed = parse(source);
    let masthead = newsletter.masthead(&app.config.public_url);
    let zone = crate::values::zone::find(&newsletter.zone).unwrap_or(jiff::tz::TimeZone::UTC);
    let pictures = Pictures::default();
    let rendered = render(&parsed.issue, &masthead, zone.to_datetime(now.timestamp()).date(), &pictures)?;
    let about = Checked {
        source,
        postal_address: &masthead.postal_address,
        language: &masthead.language,
        pictures: Some(&pictures),
        broken: &[],
        html_bytes: Some(octets(&rendered.html)),
    };
    let mut findings = parsed.findings;
    findings.extend(check(&parsed.issue, &about));
    let stops = findings.iter().filter(|finding| blocked(std::slice::from_ref(*finding)));
    Ok((rendered, stops.map(|finding| finding.what.clone()).collect()))
}

/// A mail ready to be written out for anybody.
struct Sheaf {
    newsletter: Newsletter,
    sheet: Sheet,
}

impl Sheaf {
    async fn of(app: &App, row: &Welcome, prefix: &str, now: Millis) -> anyhow::Result<Option<Self>> {
        let Some(newsletter) = newsletter::by_id(&mut app.store.read().await?, row.newsletter_id).await? else {
            return Ok(None);
        };
        let (rendered, wrong) = written(app, &newsletter, &row.source, now)?;
        if !wrong.is_empty() || (newsletter.relay_id.is_none() && app.outlet.needs_relay()) {
            return Ok(None);
        }
        let masthead = newsletter.masthead(&app.config.public_url);
        // Its own number where an issue's would be, so that its Message-ID is its own too.
        let sending = Sending { issue: IssueId(row.id.0), at: now, subject_prefix: prefix, signed: true };
        let sheet = Sheet::new(app, newsletter.id, &masthead, &rendered, sending).await?;
        Ok(Some(Self { newsletter, sheet }))
    }

    fn letter(&self, app: &App, kind: LetterKind, id: SubscriberId, name: &str, to: &str) -> anyhow::Result<NewLetter> {
        let outgoing = self.sheet.write(id, name, to)?;
        let domain = return_domain(app, self.newsletter.sender_domain());
        Ok(NewLetter {
            kind,
            newsletter_id: self.newsletter.id,
            subscriber_id: (kind == LetterKind::Welcome).then_some(id),
            address: outgoing.rcpt_to,
            return_path: envelope::return_path(&app.keys, IssueId(0), id, &domain),
            message: unsigned(outgoing.message),
        })
    }
}

/// Puts every welcome that is due into the out-tray; gives how many. One that cannot be rendered, or has no relay to
/// leave by, waits until it can.
///
/// # Errors
/// When the store cannot.
pub async fn write_due(app: &App) -> anyhow::Result<usize> {
    let mut tx = app.store.read().await?;
    let due = welcome::due(&mut tx, DUE_MAX).await?;
    let now = tx.now;
    tx.commit().await?;
    let mut sheaves: BTreeMap<WelcomeId, Option<Sheaf>> = BTreeMap::new();
    for id in due.iter().filter(|one| one.wanted).map(|one| one.welcome_id) {
        if let Entry::Vacant(place) = sheaves.entry(id) {
            let row = welcome::by_id(&mut app.store.read().await?, id).await?;
            let sheaf = match &row {
                Some(row) => Sheaf::of(app, row, "", now).await?,
                None => None,
            };
            place.insert(sheaf);
        }
    }
    if due.is_empty() {
        return Ok(0);
    }
    let mut letters = Vec::new();
    for one in &due {
        let sheaf = sheaves.get(&one.welcome_id).and_then(Option::as_ref);
        letters.push(match sheaf.filter(|_| one.wanted) {
            Some(sheaf) => Some(sheaf.letter(app, LetterKind::Welcome, one.subscriber_id, &one.name, &one.address)?),
            None => None,
        });
    }
    let written = put(app, &due, letters).await?;
    if written > 0 {
        app.wake.notify_waiters();
    }
    Ok(written)
}

async fn put(app: &App, due: &[Due], letters: Vec<Option<NewLetter>>) -> anyhow::Result<usize> {
    let (mut tx, mut many) = (app.store.write().await?, 0);
    for (one, letter) in due.iter().zip(letters) {
        if one.wanted && letter.is_none() {
            continue;
        }
        // Another node may have been here since it was looked at.
        if !welcome::take(&mut tx, one.welcome_id, one.subscriber_id).await? {
            continue;
        }
        if let Some(letter) = letter {
            let id = letter::insert(&mut tx, &letter).await?;
            welcome::written(&mut tx, one.welcome_id, one.subscriber_id, id).await?;
            many += 1;
        }
    }
    tx.commit().await?;
    Ok(many)
}

/// Sends a welcome mail as a test.
///
/// # Errors
/// [`Problem`] if there is no such mail, or it cannot leave.
pub async fn test_welcome(app: &App, id: WelcomeId, to: &Address) -> anyhow::Result<()> {
    let row = welcome::by_id(&mut app.store.read().await?, id).await?.ok_or_else(no_such_welcome)?;
    let now = app.clock.now();
    let Some(sheaf) = Sheaf::of(app, &row, "[Test] ", now).await? else {
        let why = "something is wrong with this mail, or there is no relay to send it by; nothing was sent";
        return Err(Problem::Refused(why.into()).into());
    };
    let letter = sheaf.letter(app, LetterKind::Test, SubscriberId::new(now), "", to.as_str())?;
    let mut tx = app.store.write().await?;
    letter::insert(&mut tx, &letter).await?;
    tx.commit().await?;
    app.wake.notify_waiters();
    Ok(())
}

//! Newsletters: making one, changing it, and the rules that both keep.

use super::app::App;
use super::problem::Problem;
use crate::config::Config;
use crate::schedule::hours::Wishes;
use crate::schedule::{Schedule, slots, zone};
use crate::store::newsletter::{self, Newsletter};
use crate::store::{Tx, relay};
use crate::values::address::Address;
use crate::values::colour::{CONTRAST_MIN, Colour};
use crate::values::ids::{NewsletterId, RelayId};
use crate::values::relay::{RelayUrl, Tls};
use crate::values::sender::{Sender, check_domain};

/// What a newsletter is made of, as typed. Whatever is empty gets a default where there is a good one.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    pub name: String,
    pub slug: String,
    pub tagline: String,
    /// `Name <address>`.
    pub from: String,
    pub reply_to: String,
    pub postal_address: String,
    pub language: String,
    pub zone: String,
    pub accent: String,
    pub accent_dark: String,
    pub list_id: String,
    pub consent_text: String,
    /// In the form of [`Schedule`], or empty.
    pub slot: String,
    pub relay: Option<RelayUrl>,
}

/// The paper that accents are read on, light and dark, as in the theme.
const PAPER: Colour = Colour::new([0xF7, 0xF6, 0xF1]);
const PAPER_DARK: Colour = Colour::new([0x13, 0x15, 0x18]);
const ACCENT_DEFAULT: &str = "#A5301F";
const ACCENT_DARK_DEFAULT: &str = "#F2937C";
/// A label of a host name (RFC 1035 §2.3.4), which `List-Id` needs it to be.
const SLUG_LETTERS_MAX: usize = 63;
/// In place of a sender that could not be read, so that the rest is checked all the same.
const STAND_IN: &str = "nobody@sender.invalid";
/// RFC 2919 §2.
const LIST_ID_LETTERS_MAX: usize = 255;
/// First parts of our own addresses; a newsletter of that name would hide them or be hidden.
const SLUGS_TAKEN: [&str; 22] = [
    "admin",
    "api",
    "assets",
    "catcher",
    "confirm",
    "demo",
    "desk",
    "favicon",
    "feed",
    "healthz",
    "leave",
    "livez",
    "m",
    "media",
    "metrics",
    "readyz",
    "robots",
    "setup",
    "signin",
    "static",
    "u",
    "unsubscribe",
];

/// Makes a newsletter, and its relay if one is given.
///
/// # Errors
/// [`Problem::Invalid`] with everything that is wrong with `wanted`; then nothing was made.
pub async fn create(app: &App, wanted: Wanted) -> anyhow::Result<Newsletter> {
    let mut tx = app.store.write().await?;
    let (mut new, mut wrong) = assemble(&wanted, &tx);
    wrong.extend(wanted.relay.as_ref().and_then(|relay| relay_problem(&app.config, relay)));
    refuse_if(&wrong, "the newsletter was not made")?;
    if let Some(url) = &wanted.relay {
        new.relay_id = Some(relay_for(&mut tx, &app.config, &new.slug, url).await?);
    }
    if !newsletter::insert(&mut tx, &new).await? {
        return Err(slug_taken(&new.slug).into());
    }
    tx.commit().await?;
    app.wake.notify_waiters();
    Ok(new)
}

/// Writes a changed newsletter. A changed slot counts from now.
///
/// # Errors
/// [`Problem::Invalid`] with everything that is wrong; then nothing was changed. [`Problem::NotFound`].
pub async fn save(app: &App, mut changed: Newsletter) -> anyhow::Result<Newsletter> {
    let mut tx = app.store.write().await?;
    let before = newsletter::by_id(&mut tx, changed.id).await?.ok_or_else(|| not_found(&changed.slug))?;
    refuse_if(&problems(&changed), "nothing was changed")?;
    if newsletter::by_slug(&mut tx, &changed.slug).await?.is_some_and(|other| other.id != changed.id) {
        return Err(slug_taken(&changed.slug).into());
    }
    if (&changed.slot, &changed.zone) != (&before.slot, &before.zone) {
        changed.slot = changed.slot.and_then(|slot| slot.parse::<Schedule>().ok()).map(|slot| slot.to_string());
        changed.slot_set_at = changed.slot.as_ref().map(|_| tx.now.0);
    }
    newsletter::update(&mut tx, &changed).await?;
    tx.commit().await?;
    app.wake.notify_waiters();
    Ok(changed)
}

/// Gives a newsletter another relay, or its relay other settings.
///
/// # Errors
/// [`Problem::Invalid`] when the relay may not be used; [`Problem::NotFound`].
pub async fn set_relay(app: &App, id: NewsletterId, url: &RelayUrl) -> anyhow::Result<RelayId> {
    let wrong: Vec<String> = relay_problem(&app.config, url).into_iter().collect();
    refuse_if(&wrong, "the relay was not changed")?;
    let mut tx = app.store.write().await?;
    let mut kept = newsletter::by_id(&mut tx, id).await?.ok_or_else(|| not_found(&id.to_string()))?;
    let relay_id = relay_for(&mut tx, &app.config, &kept.slug, url).await?;
    kept.relay_id = Some(relay_id);
    newsletter::update(&mut tx, &kept).await?;
    tx.commit().await?;
    app.wake.notify_waiters();
    Ok(relay_id)
}

/// The newsletter of that slug.
///
/// # Errors
/// [`Problem::NotFound`], naming those there are.
pub async fn find(tx: &mut Tx, slug: &str) -> anyhow::Result<Newsletter> {
    if let Some(found) = newsletter::by_slug(tx, slug).await? {
        return Ok(found);
    }
    let all = newsletter::all(tx).await?;
    let slugs: Vec<&str> = all.iter().map(|known| known.slug.as_str()).collect();
    let known = match slugs.as_slice() {
        [] => "there is none yet; make one with `broadsheet newsletter create`".to_owned(),
        some => format!("there are {}", some.join(", ")),
    };
    Err(Problem::NotFound(format!("there is no newsletter \"{slug}\": {known}")).into())
}

fn not_found(name: &str) -> Problem {
    Problem::NotFound(format!("there is no newsletter \"{name}\" any more; nothing was changed"))
}

fn slug_taken(slug: &str) -> Problem {
    Problem::Invalid(format!("there is a newsletter with the slug \"{slug}\" already; choose another with --slug"))
}

/// Refuses with all that is wrong and what therefore did not happen.
pub(super) fn refuse_if(wrong: &[String], consequence: &str) -> Result<(), Problem> {
    match wrong {
        [] => Ok(()),
        [one] => Err(Problem::Invalid(format!("{one}; {consequence}"))),
        some => {
            Err(Problem::Invalid(format!("{} things are wrong; {consequence}\n  {}", some.len(), some.join("\n  "))))
        }
    }
}

/// The row that `wanted` makes, with defaults filled in, and everything that is wrong with it.
fn assemble(wanted: &Wanted, tx: &Tx) -> (Newsletter, Vec<String>) {
    let mut wrong = Vec::new();
    let or = |value: &str, default: &str| if value.trim().is_empty() { default } else { value.trim() }.to_owned();
    let sender = Sender::parse(&wanted.from).map_err(|why| wrong.push(why)).ok();
    let (from_name, from_address) =
        sender.map(|sender| (sender.name, sender.address.as_str().to_owned())).unwrap_or_default();
    let domain = from_address.rsplit_once('@').map_or("", |(_, domain)| domain);
    let slug = or(&wanted.slug, &slug_of(&wanted.name));
    let slot = Some(wanted.slot.trim()).filter(|slot| !slot.is_empty()).map(str::parse::<Schedule>);
    let slot = slot.and_then(|slot| slot.map_err(|why| wrong.push(why.to_string())).ok());
    let zone = or(&wanted.zone, "UTC");
    let accent = or(&wanted.accent, ACCENT_DEFAULT);
    let new = Newsletter {
        id: NewsletterId::new(tx.now),
        list_id: or(&wanted.list_id, &format!("{slug}.list-id.{domain}")),
        consent_text: or(&wanted.consent_text, &consent_text(wanted.name.trim(), slot.as_ref())),
        from_name: or(&from_name, wanted.name.trim()),
        accent_dark: or(&wanted.accent_dark, &dark_accent(&accent)),
        accent,
        slug,
        name: wanted.name.trim().to_owned(),
        tagline: wanted.tagline.trim().to_owned(),
        reply_to: Some(wanted.reply_to.trim().to_owned()).filter(|address| !address.is_empty()),
        postal_address: wanted.postal_address.trim().to_owned(),
        language: or(&wanted.language, "en"),
        zone: zone::find(&zone).map(|zone| zone::name_of(&zone).to_owned()).unwrap_or(zone),
        logo: None,
        slot_set_at: slot.as_ref().map(|_| tx.now.0),
        slot: slot.map(|slot| slot.to_string()),
        max_lateness_ms: slots::LATENESS_MAX_DEFAULT_MILLIS,
        relay_id: None,
        hours: String::new(),
        created_at: tx.now.0,
        from_address,
    };
    // What is said of the sender once is not said again of the address and the list id that follow from it.
    let known = if new.from_address.is_empty() {
        Newsletter { from_address: STAND_IN.into(), list_id: "x.y".into(), ..new.clone() }
    } else {
        new.clone()
    };
    wrong.extend(problems(&known));
    (new, wrong)
}

/// The sentence a reader agrees to: what comes, how often, and how to stop it.
#[must_use]
pub fn consent_text(name: &str, slot: Option<&Schedule>) -> String {
    let often = slot.map(|slot| format!(", {}", slot.cadence())).unwrap_or_default();
    format!("Yes, send me {name} by e-mail{often}. I can leave at any time with one click in every mail.")
}

/// The default accent has a dark twin of its own; another is made lighter until it can be read.
fn dark_accent(accent: &str) -> String {
    match accent.parse::<Colour>() {
        Ok(colour) if accent != ACCENT_DEFAULT => colour.readable_on(PAPER_DARK).to_string(),
        _ => ACCENT_DARK_DEFAULT.to_owned(),
    }
}

fn slug_of(name: &str) -> String {
    let letters = name.to_lowercase();
    let words = letters.split(|letter: char| !letter.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("-")
}

/// Everything that is wrong with a newsletter, in sentences.
#[must_use]
pub fn problems(newsletter: &Newsletter) -> Vec<String> {
    let mut wrong = Vec::new();
    let n = newsletter;
    for (what, text) in [("name", &n.name), ("postal address", &n.postal_address)] {
        if text.trim().is_empty() {
            wrong.push(format!("a {what} is missing"));
        }
    }
    for (what, text) in [("name", &n.name), ("sender's name", &n.from_name), ("tagline", &n.tagline)] {
        if text.chars().any(char::is_control) {
            wrong.push(format!("the {what} holds a line break or another control character"));
        }
    }
    wrong.extend(address_problems(n));
    wrong.extend(slug_problem(&n.slug));
    wrong.extend(list_id_problem(&n.list_id));
    wrong.extend(zone::find(&n.zone).err().map(|why| why.to_string()));
    if !is_language(&n.language) {
        wrong.push(format!("\"{}\" is not a language; write its short form, such as en, pt or zh-Hant", n.language));
    }
    for (key, text, paper) in [("accent", &n.accent, PAPER), ("dark accent", &n.accent_dark, PAPER_DARK)] {
        wrong.extend(accent_problem(key, text, paper));
    }
    wrong.extend(n.slot.as_ref().and_then(|slot| slot.parse::<Schedule>().err()).map(|why| why.to_string()));
    wrong.extend(n.hours.parse::<Wishes>().err());
    if n.consent_text.trim().is_empty() {
        wrong.push("the consent text is missing: readers must see what they agree to".into());
    }
    wrong
}

fn address_problems(newsletter: &Newsletter) -> Vec<String> {
    let mut wrong = Vec::new();
    match Address::parse(&newsletter.from_address) {
        Ok(address) => wrong.extend(check_domain(address.domain()).err()),
        Err(why) => wrong.push(format!("the sender's address cannot be used: {why}")),
    }
    if let Some(reply_to) = &newsletter.reply_to
        && let Err(why) = Address::parse(reply_to)
    {
        wrong.push(format!("the reply address cannot be used: {why}"));
    }
    wrong
}

fn slug_problem(slug: &str) -> Option<String> {
    let letters = slug.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    let shape = letters && !slug.is_empty() && slug.len() <= SLUG_LETTERS_MAX;
    if !shape || slug.starts_with('-') || slug.ends_with('-') {
        return Some(format!(
            "the slug \"{slug}\" must be small letters, digits and hyphens, such as tidewater; give one with --slug"
        ));
    }
    SLUGS_TAKEN.contains(&slug).then(|| format!("the slug \"{slug}\" is one of our own addresses; choose another"))
}

fn list_id_problem(list_id: &str) -> Option<String> {
    let label = |label: &str| {
        !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    let fine = list_id.contains('.') && list_id.len() <= LIST_ID_LETTERS_MAX && list_id.split('.').all(label);
    (!fine).then(|| format!("\"{list_id}\" is not a list id; write it as tidewater.list-id.tidewater.example"))
}

fn is_language(text: &str) -> bool {
    let mut parts = text.split('-');
    let first =
        parts.next().is_some_and(|part| (2..=3).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphabetic()));
    first && parts.all(|part| (2..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

fn accent_problem(key: &str, text: &str, paper: Colour) -> Option<String> {
    let colour: Colour = match text.parse() {
        Ok(colour) => colour,
        Err(why) => return Some(why),
    };
    let contrast = colour.contrast(paper);
    (contrast < CONTRAST_MIN).then(|| {
        let better = colour.readable_on(paper);
        format!("the {key} {colour} is too faint to read (contrast {contrast:.1}, needed {CONTRAST_MIN}); the nearest that works is {better}")
    })
}

/// Why a relay may not be used: readers' addresses do not cross a network in the clear by accident.
#[must_use]
pub fn relay_problem(config: &Config, relay: &RelayUrl) -> Option<String> {
    let open = relay.tls == Tls::None && !relay.is_loopback() && !config.allow_relay_without_tls;
    open.then(|| {
        format!(
            "the relay {relay} is not on this machine and has no TLS, so every address would cross the network in \
             the clear. Write ?tls=starttls or smtps://, or set allow_relay_without_tls = true in the configuration"
        )
    })
}

/// The relay of that address: one that is there already, with its name and password made the same, or a new one.
async fn relay_for(tx: &mut Tx, config: &Config, slug: &str, url: &RelayUrl) -> anyhow::Result<RelayId> {
    let same_place = |known: &relay::Relay| {
        (known.host.as_str(), known.port, known.username.as_deref())
            == (url.host.as_str(), i64::from(url.port), url.username.as_deref())
    };
    let known = relay::all(tx).await?;
    let connections = i64::try_from(config.connections_max)?;
    if let Some(found) = known.iter().find(|known| same_place(known)) {
        let mut wanted = relay::Relay::new(&found.name, url, found.connections_max, tx.now);
        wanted.id = found.id;
        if wanted.url() != found.url() {
            relay::update(tx, &wanted).await?;
        }
        return Ok(found.id);
    }
    let plain = format!("{}:{}", url.host, url.port);
    let taken = known.iter().any(|known| known.name == plain);
    let name = if taken { format!("{plain} ({})", url.username.as_deref().unwrap_or(slug)) } else { plain };
    let new = relay::Relay::new(&name, url, connections, tx.now);
    relay::insert(tx, &new).await?;
    Ok(new.id)
}

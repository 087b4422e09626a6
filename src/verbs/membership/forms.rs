//! Forms, as editors keep them: many a newsletter, each with its own words, questions and guards.

use serde_json::json;
use url::Url;

use crate::audience::form::{ASKS, FIELDS_MAX, Field, Questions, TOPICS_MAX, Topic, lines};
use crate::schedule::{Schedule, zone};
use crate::store::event::About;
use crate::store::form::{self, Form, MAIN};
use crate::store::newsletter::Newsletter;
use crate::store::{Tx, event};
use crate::values::clock::Millis;
use crate::values::ids::{AccountId, FormId, NewsletterId};
use crate::verbs::app::App;
use crate::verbs::problem::Problem;

/// Forms of one newsletter: one for each page, poster and partner.
const FORMS_MAX: usize = 100;
/// Names that the desk's own addresses have.
const SLUGS_TAKEN: [&str; 3] = ["new", "fields", "topics"];
/// Letters of a form's name in addresses.
const SLUG_LETTERS_MAX: usize = 40;
/// Letters of a headline, and of everything longer.
const TITLE_LETTERS_MAX: usize = 120;
const TEXT_LETTERS_MAX: usize = 1_000;
/// A reason for single opt-in says something.
const REASON_LETTERS_MIN: usize = 10;
/// Sites whose scripts may use one form.
const ORIGINS_MAX: usize = 20;

/// What is to be other than it is; `None` stays.
#[derive(Clone, Debug, Default)]
pub struct FormChange {
    pub title: Option<String>,
    pub lead: Option<String>,
    pub cadence: Option<String>,
    pub consent_text: Option<String>,
    /// Words of [`ASKS`] and keys of fields.
    pub asks: Option<Vec<String>>,
    pub single_reason: Option<String>,
    pub origins: Option<Vec<String>>,
    pub challenge: Option<String>,
    pub is_open: Option<bool>,
}

/// The form of that name, open or not.
///
/// # Errors
/// When the database cannot be read.
pub async fn find_form(app: &App, newsletter: NewsletterId, slug: &str) -> anyhow::Result<Option<Form>> {
    Ok(form::by_slug(&mut app.store.read().await?, newsletter, slug).await?)
}

/// Everything that a form asks.
///
/// # Errors
/// When the database cannot be read.
pub async fn questions(app: &App, form: &Form) -> anyhow::Result<Questions> {
    let mut tx = app.store.read().await?;
    let fields = form::fields(&mut tx, form.newsletter_id).await?;
    let topics = if form.asks_for("topics") { form::topics(&mut tx, form.newsletter_id).await? } else { Vec::new() };
    Ok(Questions {
        name: form.asks_for("name"),
        fields: fields.into_iter().filter(|field| form.asks_for(&field.key)).collect(),
        topics,
        frequency: form.asks_for("frequency"),
        language: form.asks_for("language"),
        zone: form.asks_for("zone"),
    })
}

/// When the next issue is due by the newsletter's slot.
#[must_use]
pub fn next_issue(newsletter: &Newsletter, now: Millis) -> Option<Millis> {
    let schedule: Schedule = newsletter.slot.as_deref()?.parse().ok()?;
    let zone = zone::find(&newsletter.zone).ok()?;
    schedule.next(&zone, now, 1).first().map(|firing| firing.at)
}

/// Makes a form, or changes one.
///
/// # Errors
/// [`Problem`] with everything that is wrong; then nothing was changed.
pub async fn save_form(
    app: &App,
    newsletter: NewsletterId,
    slug: &str,
    change: FormChange,
    new: bool,
    by: Option<AccountId>,
) -> anyhow::Result<Form> {
    let mut tx = app.store.write().await?;
    let mut form = match (form::by_slug(&mut tx, newsletter, slug).await?, new) {
        (Some(form), false) => form,
        (Some(_), true) => {
            return Err(Problem::Refused(format!("there is a form \"{slug}\" already; nothing was made")).into());
        }
        (None, false) => return Err(no_such_form(slug).into()),
        (None, true) => fresh(&mut tx, newsletter, slug).await?,
    };
    let before = form.clone();
    let wrong = apply(&mut tx, &mut form, change).await?;
    if !wrong.is_empty() {
        return Err(Problem::Invalid(format!("{}; nothing was saved", wrong.join("; "))).into());
    }
    let seen = |form: &Form| (form.consent_text.clone(), form.asks.clone(), form.single_reason.clone());
    if !new && seen(&form) != seen(&before) {
        form.version += 1;
    }
    form::keep(&mut tx, &form).await?;
    let about = About { newsletter: Some(newsletter), account: by, ..About::default() };
    event::insert(&mut tx, "form.saved", about, &json!({"form": form.slug, "version": form.version})).await?;
    tx.commit().await?;
    Ok(form)
}

fn no_such_form(slug: &str) -> Problem {
    Problem::NotFound(format!("there is no form \"{slug}\"; `form list` shows them. Nothing was changed"))
}

async fn fresh(tx: &mut Tx, newsletter: NewsletterId, slug: &str) -> anyhow::Result<Form> {
    let good = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if slug.is_empty() || slug.len() > SLUG_LETTERS_MAX || !slug.bytes().all(good) || SLUGS_TAKEN.contains(&slug) {
        let why = format!(
            "\"{slug}\" is no name for a form: use a to z, 0 to 9 and -, at most {SLUG_LETTERS_MAX}; nothing was made"
        );
        return Err(Problem::Invalid(why).into());
    }
    if form::of(tx, newsletter).await?.len() >= FORMS_MAX {
        return Err(Problem::Refused(format!("{FORMS_MAX} forms are enough; nothing was made")).into());
    }
    let now = tx.now;
    Ok(Form { id: FormId::new(now), slug: slug.into(), created_at: now.0, ..Form::main(newsletter) })
}

/// Puts the change on; gives everything that is wrong with it.
async fn apply(tx: &mut Tx, form: &mut Form, change: FormChange) -> anyhow::Result<Vec<String>> {
    let mut wrong = Vec::new();
    let mut text = |to: &mut String, new: Option<String>, what: &str, max: usize| {
        let Some(new) = new else { return };
        *to = new.split_whitespace().collect::<Vec<_>>().join(" ");
        if to.chars().count() > max {
            wrong.push(format!("{what} is longer than {max} letters"));
        }
    };
    text(&mut form.title, change.title, "the headline", TITLE_LETTERS_MAX);
    text(&mut form.lead, change.lead, "the sentence under the headline", TEXT_LETTERS_MAX);
    text(&mut form.cadence, change.cadence, "how often it comes", TITLE_LETTERS_MAX);
    text(&mut form.consent_text, change.consent_text, "the consent", TEXT_LETTERS_MAX);
    text(&mut form.single_reason, change.single_reason, "the reason for single opt-in", TEXT_LETTERS_MAX);
    if (1..REASON_LETTERS_MIN).contains(&form.single_reason.chars().count()) {
        wrong.push("say in a sentence why no confirmation is needed; it is kept with each reader as proof".into());
    }
    if let Some(asks) = change.asks {
        let known = form::fields(tx, form.newsletter_id).await?;
        let is_known = |ask: &&String| ASKS.contains(&ask.as_str()) || known.iter().any(|field| field.key == **ask);
        let strange = asks.iter().filter(|ask| !is_known(ask));
        wrong.extend(
            strange.map(|ask| format!("\"{ask}\" is neither {} nor one of the newsletter's fields", ASKS.join(", "))),
        );
        form.asks = asks.join(",");
    }
    if let Some(origins) = change.origins {
        wrong.extend(origins.iter().filter_map(|origin| bad_origin(origin)));
        if origins.len() > ORIGINS_MAX {
            wrong.push(format!("{} origins are too many; at most {ORIGINS_MAX}", origins.len()));
        }
        form.origins = origins.join("\n");
    }
    if let Some(challenge) = change.challenge {
        if !matches!(challenge.as_str(), "auto" | "always" | "off") {
            wrong.push(format!("\"{challenge}\" is no challenge; there are auto, always and off"));
        }
        form.challenge = challenge;
    }
    form.is_open = change.is_open.unwrap_or(form.is_open);
    Ok(wrong)
}

fn bad_origin(origin: &str) -> Option<String> {
    let good = Url::parse(origin)
        .is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.origin().ascii_serialization() == origin);
    (!good).then(|| format!("\"{origin}\" is no origin; write it like https://example.org, without a path"))
}

/// Removes a form. The main one cannot go; it can be closed.
///
/// # Errors
/// [`Problem`] if there is none, or it is the main one.
pub async fn remove_form(app: &App, newsletter: NewsletterId, slug: &str, by: Option<AccountId>) -> anyhow::Result<()> {
    if slug == MAIN {
        let why = "the main form stays; close it to take no sign-ups. Nothing was removed";
        return Err(Problem::Refused(why.into()).into());
    }
    let mut tx = app.store.write().await?;
    if !form::remove(&mut tx, newsletter, slug).await? {
        return Err(no_such_form(slug).into());
    }
    let about = About { newsletter: Some(newsletter), account: by, ..About::default() };
    event::insert(&mut tx, "form.removed", about, &json!({"form": slug})).await?;
    tx.commit().await?;
    Ok(())
}

/// Writes what the newsletter can ask, one field a line: `boat! = Your boat : choice : sail | motor`.
///
/// # Errors
/// [`Problem`] with the line that cannot be read; then nothing was changed.
pub async fn set_fields(app: &App, newsletter: NewsletterId, text: &str) -> anyhow::Result<Vec<Field>> {
    let fields = lines(text, FIELDS_MAX, |field: &Field| &field.key).map_err(not_saved)?;
    let mut tx = app.store.write().await?;
    form::set_fields(&mut tx, newsletter, &fields).await?;
    let keys: Vec<&str> = fields.iter().map(|field| field.key.as_str()).collect();
    // What a form shows has changed, so its version does; a field that is gone is no longer asked.
    for mut form in form::of(&mut tx, newsletter).await?.into_iter().filter(|form| !form.asks.is_empty()) {
        let still = |ask: &&str| ASKS.contains(ask) || keys.contains(ask);
        form.asks = form.asks.split(',').filter(still).collect::<Vec<_>>().join(",");
        form.version += 1;
        form::keep(&mut tx, &form).await?;
    }
    tx.commit().await?;
    Ok(fields)
}

/// Writes the newsletter's topics, one a line: `harbours = Harbours and trade`.
///
/// # Errors
/// [`Problem`] with the line that cannot be read; then nothing was changed.
pub async fn set_topics(app: &App, newsletter: NewsletterId, text: &str) -> anyhow::Result<Vec<Topic>> {
    let topics = lines(text, TOPICS_MAX, |topic: &Topic| &topic.key).map_err(not_saved)?;
    let mut tx = app.store.write().await?;
    form::set_topics(&mut tx, newsletter, &topics).await?;
    tx.commit().await?;
    Ok(topics)
}

fn not_saved(why: String) -> Problem {
    Problem::Invalid(format!("{why}; nothing was saved"))
}

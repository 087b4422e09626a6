//! Forms: a newsletter's ways in, and what it asks its readers.

use super::Tx;
use crate::audience::form::{Field, Topic};
use crate::values::ids::{FormId, NewsletterId};

/// The form that every newsletter has.
pub const MAIN: &str = "main";

/// A form, every column.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow, serde::Serialize)]
pub struct Form {
    pub id: FormId,
    pub newsletter_id: NewsletterId,
    /// What it is called in addresses.
    pub slug: String,
    /// Headline and sentence above it; empty: the words that every form has.
    pub title: String,
    pub lead: String,
    /// How often it comes, in words; empty: from the slot.
    pub cadence: String,
    /// Empty: the newsletter's.
    pub consent_text: String,
    pub version: i64,
    /// By commas: of [`crate::audience::form::ASKS`], and keys of fields.
    pub asks: String,
    /// Why no confirmation is asked for; empty: it is.
    pub single_reason: String,
    /// Whose scripts may use the JSON address, one a line.
    pub origins: String,
    /// auto, always, off.
    pub challenge: String,
    pub is_open: bool,
    /// Unix milliseconds.
    pub created_at: i64,
}

impl Form {
    /// The form that a newsletter has before anybody changes it.
    #[must_use]
    pub fn main(newsletter: NewsletterId) -> Self {
        Self {
            // One a newsletter, so the newsletter's number is free for it.
            id: FormId(newsletter.0),
            newsletter_id: newsletter,
            slug: MAIN.into(),
            title: String::new(),
            lead: String::new(),
            cadence: String::new(),
            consent_text: String::new(),
            version: 1,
            asks: String::new(),
            single_reason: String::new(),
            origins: String::new(),
            challenge: "auto".into(),
            is_open: true,
            created_at: 0,
        }
    }

    /// Whether it asks for this.
    #[must_use]
    pub fn asks_for(&self, what: &str) -> bool {
        self.asks.split(',').any(|asked| asked == what)
    }

    #[must_use]
    pub fn is_main(&self) -> bool {
        self.slug == MAIN
    }
}

const BY_SLUG: &str = "SELECT * FROM form WHERE newsletter_id = $1 AND slug = $2";

/// The form of that name; the main one is there also without a row.
///
/// # Errors
/// When the store cannot.
pub async fn by_slug(tx: &mut Tx, newsletter: NewsletterId, slug: &str) -> Result<Option<Form>, sqlx::Error> {
    let row: Option<Form> = sql!(tx, fetch_optional, BY_SLUG, newsletter, slug)?;
    Ok(row.or_else(|| (slug == MAIN).then(|| Form::main(newsletter))))
}

const OF: &str = "SELECT * FROM form WHERE newsletter_id = $1 ORDER BY created_at, id";

/// Every form of a newsletter, the main one first.
///
/// # Errors
/// When the store cannot.
pub async fn of(tx: &mut Tx, newsletter: NewsletterId) -> Result<Vec<Form>, sqlx::Error> {
    let mut rows: Vec<Form> = sql!(tx, fetch_all, OF, newsletter)?;
    let main = rows.iter().position(Form::is_main).map(|at| rows.remove(at));
    rows.insert(0, main.unwrap_or_else(|| Form::main(newsletter)));
    Ok(rows)
}

const KEEP: &str = "INSERT INTO form (id, newsletter_id, slug, title, lead, cadence, consent_text, version, asks, \
    single_reason, origins, challenge, is_open, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, \
    $13, $14) ON CONFLICT (newsletter_id, slug) DO UPDATE SET title = excluded.title, lead = excluded.lead, \
    cadence = excluded.cadence, consent_text = excluded.consent_text, version = excluded.version, \
    asks = excluded.asks, single_reason = excluded.single_reason, origins = excluded.origins, \
    challenge = excluded.challenge, is_open = excluded.is_open";

/// Writes a form, new or changed.
///
/// # Errors
/// When the store cannot.
pub async fn keep(tx: &mut Tx, form: &Form) -> Result<(), sqlx::Error> {
    let f = form;
    let (title, lead, cadence, consent) = (&f.title, &f.lead, &f.cadence, &f.consent_text);
    execute!(
        tx,
        KEEP,
        f.id,
        f.newsletter_id,
        &f.slug,
        title,
        lead,
        cadence,
        consent,
        f.version,
        &f.asks,
        &f.single_reason,
        &f.origins,
        &f.challenge,
        f.is_open,
        f.created_at
    )
    .map(drop)
}

const REMOVE: &str = "DELETE FROM form WHERE newsletter_id = $1 AND slug = $2";

/// Removes a form; what was agreed to by it is kept with each reader.
///
/// # Errors
/// When the store cannot.
pub async fn remove(tx: &mut Tx, newsletter: NewsletterId, slug: &str) -> Result<bool, sqlx::Error> {
    execute!(tx, REMOVE, newsletter, slug).map(|rows| rows == 1)
}

const FIELDS: &str = "SELECT key, label, kind, choices, required FROM field WHERE newsletter_id = $1 ORDER BY place";

/// What a newsletter can ask, in order.
///
/// # Errors
/// When the store cannot.
pub async fn fields(tx: &mut Tx, newsletter: NewsletterId) -> Result<Vec<Field>, sqlx::Error> {
    let rows: Vec<(String, String, String, String, bool)> = sql!(tx, fetch_all, FIELDS, newsletter)?;
    let field = |(key, label, kind, choices, required): (String, String, String, String, bool)| {
        // A kind that is not known here was written by a newer program, whose form it is.
        let kind = kind.parse().ok()?;
        Some(Field { key, label, kind, choices: choices.lines().map(str::to_owned).collect(), required })
    };
    Ok(rows.into_iter().filter_map(field).collect())
}

const NO_FIELDS: &str = "DELETE FROM field WHERE newsletter_id = $1";
const FIELD: &str = "INSERT INTO field (newsletter_id, key, label, kind, choices, required, place) \
    VALUES ($1, $2, $3, $4, $5, $6, $7)";

/// Writes what a newsletter can ask. Answers to a field that goes are kept, and are there again with it.
///
/// # Errors
/// When the store cannot.
pub async fn set_fields(tx: &mut Tx, newsletter: NewsletterId, fields: &[Field]) -> Result<(), sqlx::Error> {
    execute!(tx, NO_FIELDS, newsletter)?;
    for (field, place) in fields.iter().zip(0_i64..) {
        let Field { key, label, kind, choices, required } = field;
        execute!(tx, FIELD, newsletter, key, label, kind.as_str(), choices.join("\n"), *required, place)?;
    }
    Ok(())
}

const TOPICS: &str = "SELECT key, label FROM topic WHERE newsletter_id = $1 ORDER BY place";

/// A newsletter's topics, in order.
///
/// # Errors
/// When the store cannot.
pub async fn topics(tx: &mut Tx, newsletter: NewsletterId) -> Result<Vec<Topic>, sqlx::Error> {
    let rows: Vec<(String, String)> = sql!(tx, fetch_all, TOPICS, newsletter)?;
    Ok(rows.into_iter().map(|(key, label)| Topic { key, label }).collect())
}

const NO_TOPICS: &str = "DELETE FROM topic WHERE newsletter_id = $1";
const TOPIC: &str = "INSERT INTO topic (newsletter_id, key, label, place) VALUES ($1, $2, $3, $4)";

/// Writes a newsletter's topics.
///
/// # Errors
/// When the store cannot.
pub async fn set_topics(tx: &mut Tx, newsletter: NewsletterId, topics: &[Topic]) -> Result<(), sqlx::Error> {
    execute!(tx, NO_TOPICS, newsletter)?;
    for (topic, place) in topics.iter().zip(0_i64..) {
        execute!(tx, TOPIC, newsletter, &topic.key, &topic.label, place)?;
    }
    Ok(())
}

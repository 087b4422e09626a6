//! Newsletters.

use crate::issue::newsletter::Masthead;
use crate::store::{Tx, relay};
use crate::values::clock::Millis;
use crate::values::ids::{NewsletterId, RelayId};

/// A newsletter, every column.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, sqlx::FromRow)]
pub struct Newsletter {
    pub id: NewsletterId,
    /// What it is called in addresses: `/tidewater`.
    pub slug: String,
    pub name: String,
    pub tagline: String,
    pub from_name: String,
    pub from_address: String,
    pub reply_to: Option<String>,
    pub postal_address: String,
    /// BCP 47.
    pub language: String,
    /// IANA zone: slots and dates are in it.
    pub zone: String,
    pub accent: String,
    pub accent_dark: String,
    /// Media name.
    pub logo: Option<String>,
    pub list_id: String,
    /// The exact sentence a reader agrees to.
    pub consent_text: String,
    /// The weekly slot in the form of `schedule::Schedule`, or none.
    pub slot: Option<String>,
    /// Unix milliseconds. Slots before it are nobody's.
    pub slot_set_at: Option<i64>,
    /// A slot later than this is held, not sent.
    pub max_lateness_ms: i64,
    pub relay_id: Option<RelayId>,
    /// When each reader's copy leaves, in the form of `schedule::hours::Wishes`; empty for all at once.
    pub hours: String,
    /// Unix milliseconds.
    pub created_at: i64,
}

impl Newsletter {
    /// The newsletter as rendering needs it. `public_url` without a slash at the end.
    #[must_use]
    pub fn masthead(&self, public_url: &str) -> Masthead {
        Masthead {
            name: self.name.clone(),
            slug: self.slug.clone(),
            tagline: self.tagline.clone(),
            language: self.language.clone(),
            zone: self.zone.clone(),
            from_name: self.from_name.clone(),
            from_address: self.from_address.clone(),
            reply_to: self.reply_to.clone(),
            postal_address: self.postal_address.clone(),
            accent: self.accent.clone(),
            accent_dark: self.accent_dark.clone(),
            logo: self.logo.clone(),
            list_id: self.list_id.clone(),
            public_url: public_url.trim_end_matches('/').to_owned(),
        }
    }

    #[must_use]
    pub fn created(&self) -> Millis {
        Millis(self.created_at)
    }

    /// The domain of the From address, whose DKIM key signs.
    #[must_use]
    pub fn sender_domain(&self) -> &str {
        self.from_address.rsplit_once('@').map_or("", |(_, domain)| domain)
    }
}

const BY_ID: &str = "SELECT * FROM newsletter WHERE id = $1";

/// # Errors
/// When the database cannot be read.
pub async fn by_id(tx: &mut Tx, id: NewsletterId) -> Result<Option<Newsletter>, sqlx::Error> {
    sql!(tx, fetch_optional, BY_ID, id)
}

const BY_SLUG: &str = "SELECT * FROM newsletter WHERE slug = $1";

/// # Errors
/// When the database cannot be read.
pub async fn by_slug(tx: &mut Tx, slug: &str) -> Result<Option<Newsletter>, sqlx::Error> {
    sql!(tx, fetch_optional, BY_SLUG, slug)
}

const ALL: &str = "SELECT * FROM newsletter ORDER BY name, id";

/// Every newsletter, by name. An installation has a handful.
///
/// # Errors
/// When the database cannot be read.
pub async fn all(tx: &mut Tx) -> Result<Vec<Newsletter>, sqlx::Error> {
    sql!(tx, fetch_all, ALL)
}

const INSERT: &str = "INSERT INTO newsletter (id, slug, name, tagline, from_name, from_address, reply_to, \
    postal_address, language, zone, accent, accent_dark, logo, list_id, consent_text, slot, slot_set_at, max_lateness_ms, relay_id, \
    created_at, hours) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21) \
    ON CONFLICT (slug) DO NOTHING";

/// Writes a new newsletter; `false` if its slug is taken, and then nothing is written.
///
/// # Errors
/// When the database cannot be written.
pub async fn insert(tx: &mut Tx, new: &Newsletter) -> Result<bool, sqlx::Error> {
    let n = new;
    let made = execute!(
        tx,
        INSERT,
        n.id,
        &n.slug,
        &n.name,
        &n.tagline,
        &n.from_name,
        &n.from_address,
        n.reply_to.as_deref(),
        &n.postal_address,
        &n.language,
        &n.zone,
        &n.accent,
        &n.accent_dark,
        n.logo.as_deref(),
        &n.list_id,
        &n.consent_text,
        n.slot.as_deref(),
        n.slot_set_at,
        n.max_lateness_ms,
        n.relay_id,
        n.created_at,
        &n.hours
    )?;
    if made == 1 {
        relay::follow(tx, n.id, n.relay_id).await?;
    }
    Ok(made == 1)
}

// Never `id`, `created_at`, and never `list_id`: RFC 2919 §6 wants it stable for ever.
const UPDATE: &str = "UPDATE newsletter SET slug = $2, name = $3, tagline = $4, from_name = $5, from_address = $6, \
    reply_to = $7, postal_address = $8, language = $9, zone = $10, accent = $11, accent_dark = $12, logo = $13, \
    consent_text = $14, slot = $15, slot_set_at = $16, max_lateness_ms = $17, relay_id = $18, hours = $19 WHERE id = $1";

/// Writes every column that may change; `false` if there is no such newsletter.
///
/// # Errors
/// When the database cannot be written, or the slug is another newsletter's.
pub async fn update(tx: &mut Tx, new: &Newsletter) -> Result<bool, sqlx::Error> {
    let n = new;
    let changed = execute!(
        tx,
        UPDATE,
        n.id,
        &n.slug,
        &n.name,
        &n.tagline,
        &n.from_name,
        &n.from_address,
        n.reply_to.as_deref(),
        &n.postal_address,
        &n.language,
        &n.zone,
        &n.accent,
        &n.accent_dark,
        n.logo.as_deref(),
        &n.consent_text,
        n.slot.as_deref(),
        n.slot_set_at,
        n.max_lateness_ms,
        n.relay_id,
        &n.hours
    )?;
    if changed == 1 {
        relay::follow(tx, n.id, n.relay_id).await?;
    }
    Ok(changed == 1)
}

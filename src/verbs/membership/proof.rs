//! Proof of consent (Art. 7(1) GDPR): line by line what was asked in which words, what letter was written and what the
//! receiving server said to it, and which button was pressed when. Each line carries a seal made with a key that the
//! database does not hold, so a line that was changed is shown as such.

use std::fmt::Write as _;

use aws_lc_rs::digest;

use crate::store::consent::{self, ConsentRow, Line};
use crate::store::letter::{self, LetterRow};
use crate::store::newsletter::{self, Newsletter};
use crate::store::subscriber::{self, Subscriber};
use crate::store::subscription::{self, Subscription};
use crate::store::{Tx, wish};
use crate::values::ids::{ConsentId, NewsletterId, SubscriberId};
use crate::verbs::app::App;

/// Everything that can be shown for somebody's consent to one newsletter.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Proof {
    pub newsletter: Newsletter,
    pub subscriber: Subscriber,
    pub subscription: Option<Subscription>,
    pub wish: wish::Wish,
    pub lines: Vec<Proven>,
}

/// A line, whether it is as it was written, and what became of its letter.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Proven {
    #[serde(flatten)]
    pub row: ConsentRow,
    pub intact: bool,
    pub letter: Option<Written>,
}

/// What became of the letter that asked.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Written {
    pub state: String,
    /// Unix milliseconds.
    pub settled_at: Option<i64>,
    pub reply_code: Option<i64>,
    pub reply_text: Option<String>,
    /// Whether the letter's bytes still have the digest that the line names.
    pub same_bytes: bool,
}

/// The proof, or `None` where there is no such newsletter or person.
///
/// # Errors
/// When the database cannot be read.
pub async fn proof(app: &App, newsletter: NewsletterId, subscriber: SubscriberId) -> anyhow::Result<Option<Proof>> {
    let mut tx = app.store.read().await?;
    let Some(paper) = newsletter::by_id(&mut tx, newsletter).await? else { return Ok(None) };
    let Some(person) = subscriber::by_id(&mut tx, subscriber).await? else { return Ok(None) };
    let mut lines = Vec::new();
    for row in consent::of(&mut tx, newsletter, subscriber).await? {
        let letter = match row.letter_id {
            Some(id) => letter::by_id(&mut tx, id).await?.map(|letter| written(&letter, &row.letter_hash)),
            None => None,
        };
        lines.push(Proven { intact: row.seal == app.keys.fingerprint(&row.sealed_text()), row, letter });
    }
    Ok(Some(Proof {
        subscription: subscription::by_ids(&mut tx, newsletter, subscriber).await?,
        wish: wish::of(&mut tx, newsletter, subscriber).await?,
        newsletter: paper,
        subscriber: person,
        lines,
    }))
}

fn written(letter: &LetterRow, hash: &str) -> Written {
    Written {
        state: letter.state.clone(),
        settled_at: letter.settled_at,
        reply_code: letter.reply_code,
        reply_text: letter.reply_text.clone(),
        same_bytes: sha256(&letter.message) == hash,
    }
}

/// Adds a line, sealed.
pub(super) async fn add(
    app: &App,
    tx: &mut Tx,
    newsletter: NewsletterId,
    subscriber: SubscriberId,
    line: Line,
) -> anyhow::Result<()> {
    let mut row = ConsentRow::new(ConsentId::new(tx.now), tx.now.0, newsletter, subscriber, line);
    row.seal = app.keys.fingerprint(&row.sealed_text());
    Ok(consent::insert(tx, &row).await?)
}

/// In hex.
pub(super) fn sha256(bytes: &[u8]) -> String {
    digest::digest(&digest::SHA256, bytes).as_ref().iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

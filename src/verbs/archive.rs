//! The public archive: what was sent, for everybody to read. Read only; nothing of an issue is here before its undo
//! hold is over.

use crate::issue::parse::parse;
use crate::issue::tree::{Issue, plain};
use crate::store::issue::IssueRow;
use crate::store::media::Media;
use crate::store::newsletter::{self, Newsletter};
use crate::store::{Tx, issue, media, rendering};
use crate::values::clock::Millis;
use crate::values::ids::IssueId;
use crate::verbs::app::App;

/// Issues that an archive shows: ten years of a weekly.
pub const ISSUES_MAX: i64 = 600;

/// An issue as a list shows it.
#[derive(Clone, Debug, PartialEq)]
pub struct Card {
    pub id: IssueId,
    pub number: Option<i64>,
    pub slug: String,
    pub subject: String,
    pub preheader: String,
    /// BCP 47: the issue's own, or the newsletter's.
    pub language: String,
    pub published: Millis,
    pub cover: Option<Cover>,
    /// Emoji and words of each story's headline.
    pub headlines: Vec<(String, String)>,
}

/// The picture that an issue begins with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cover {
    /// Media name.
    pub name: String,
    pub width: i64,
    pub height: i64,
    pub alt: String,
}

/// An issue to be read.
#[derive(Clone, Debug)]
pub struct Page {
    pub card: Card,
    /// The article's HTML, as it was frozen when the issue was published.
    pub article: String,
    /// The one before it, and the one after, as cards without pictures.
    pub previous: Option<Card>,
    pub next: Option<Card>,
}

/// Every newsletter.
///
/// # Errors
/// When the database cannot be read.
pub async fn newsletters(app: &App) -> anyhow::Result<Vec<Newsletter>> {
    let mut tx = app.store.read().await?;
    Ok(newsletter::all(&mut tx).await?)
}

/// The newsletter of a slug.
///
/// # Errors
/// When the database cannot be read.
pub async fn newsletter(app: &App, slug: &str) -> anyhow::Result<Option<Newsletter>> {
    let mut tx = app.store.read().await?;
    Ok(newsletter::by_slug(&mut tx, slug).await?)
}

/// The newest issues, newest first, with their covers and headlines.
///
/// # Errors
/// When the database cannot be read.
pub async fn cards(app: &App, newsletter: &Newsletter, limit: i64) -> anyhow::Result<Vec<Card>> {
    let mut tx = app.store.read().await?;
    let mut cards = Vec::new();
    for row in issue::archive(&mut tx, newsletter.id, limit).await? {
        cards.push(with_cover(&mut tx, newsletter, row).await?);
    }
    Ok(cards)
}

/// How many issues there are, and those of them in which every one of these words stands, newest first.
///
/// # Errors
/// When the database cannot be read.
pub async fn search(app: &App, newsletter: &Newsletter, words: &str) -> anyhow::Result<(usize, Vec<Card>)> {
    let mut tx = app.store.read().await?;
    let rows = issue::archive(&mut tx, newsletter.id, ISSUES_MAX).await?;
    let all = rows.len();
    let words: Vec<String> = words.to_lowercase().split_whitespace().map(str::to_owned).collect();
    let mut cards = Vec::new();
    for row in rows {
        let whole = issue::by_id(&mut tx, row.id).await?.unwrap_or(row);
        let text = whole.source.to_lowercase();
        if words.iter().all(|word| text.contains(word)) {
            cards.push(card(&mut tx, newsletter, whole).await?);
        }
    }
    Ok((all, cards))
}

async fn with_cover(tx: &mut Tx, newsletter: &Newsletter, row: IssueRow) -> anyhow::Result<Card> {
    let whole = issue::by_id(tx, row.id).await?.unwrap_or(row);
    card(tx, newsletter, whole).await
}

async fn card(tx: &mut Tx, newsletter: &Newsletter, row: IssueRow) -> anyhow::Result<Card> {
    let Issue { cover, stories, language, .. } = parse(&row.source).issue;
    let headline = |story: &crate::issue::tree::Story| {
        (story.emoji.clone().unwrap_or_default(), plain(&story.headline).trim().to_owned())
    };
    let headlines = stories.iter().map(headline).collect();
    let mut card = plain_card(newsletter, row, language);
    card.headlines = headlines;
    if let Some(figure) = cover {
        let stored = media::of_issue(tx, card.id).await?.into_iter().find(|named| named.reference == figure.image);
        let alt = figure.alt.unwrap_or_default();
        card.cover = stored.map(|named| Cover { name: named.name, width: named.width, height: named.height, alt });
    }
    Ok(card)
}

fn plain_card(newsletter: &Newsletter, row: IssueRow, language: Option<String>) -> Card {
    Card {
        id: row.id,
        number: row.number,
        slug: row.slug,
        subject: row.subject,
        preheader: row.preheader,
        language: language.unwrap_or_else(|| newsletter.language.clone()),
        published: Millis(row.published_at.unwrap_or(row.created_at)),
        cover: None,
        headlines: Vec::new(),
    }
}

/// One issue; `None` if there is none of that slug, or its undo hold is not over.
///
/// # Errors
/// When the database cannot be read.
pub async fn page(app: &App, newsletter: &Newsletter, slug: &str) -> anyhow::Result<Option<Page>> {
    let mut tx = app.store.read().await?;
    let rows = issue::archive(&mut tx, newsletter.id, ISSUES_MAX).await?;
    let Some(at) = rows.iter().position(|row| row.slug == slug) else { return Ok(None) };
    let neighbour =
        |at: Option<usize>| at.and_then(|at| rows.get(at)).map(|row| plain_card(newsletter, row.clone(), None));
    let (next, previous) = (neighbour(at.checked_sub(1)), neighbour(Some(at + 1)));
    let id = rows[at].id;
    let Some(frozen) = rendering::by_issue(&mut tx, id).await? else { return Ok(None) };
    let card = with_cover(&mut tx, newsletter, rows[at].clone()).await?;
    Ok(Some(Page { card, article: frozen.rendered.web, previous, next }))
}

/// The slug under which an issue stands in its newsletter's archive, as soon as it does.
///
/// # Errors
/// When the database cannot be read.
pub async fn slug_of(app: &App, newsletter: &Newsletter, id: IssueId) -> anyhow::Result<Option<String>> {
    let mut tx = app.store.read().await?;
    let row = issue::by_id(&mut tx, id).await?.filter(|row| row.newsletter_id == newsletter.id);
    Ok(row.map(|row| row.slug))
}

/// A picture.
///
/// # Errors
/// When the database cannot be read.
pub async fn picture(app: &App, name: &str) -> anyhow::Result<Option<Media>> {
    let mut tx = app.store.read().await?;
    Ok(media::by_name(&mut tx, name).await?)
}

//! Rendering an issue: the one way for preview, test mail, publish and archive.

use anyhow::Context as _;

use super::pictures;
use crate::issue::check::{About, check};
use crate::issue::finding::{Finding, blocked, in_order};
use crate::issue::parse::{Parsed, parse};
use crate::issue::render::render as render_tree;
use crate::issue::rendered::{Piece, Rendered, Template};
use crate::store::issue::IssueRow;
use crate::store::newsletter::Newsletter;
use crate::store::{self, Tx};
use crate::values::clock::Millis;
use crate::values::ids::IssueId;
use crate::verbs::app::App;

/// An issue as it would go out, or as it did.
#[derive(Clone, Debug)]
pub struct Ready {
    pub row: IssueRow,
    pub newsletter: Newsletter,
    pub rendered: Rendered,
    /// What parser and checks say; empty for a published issue.
    pub findings: Vec<Finding>,
}

impl Ready {
    /// Whether the findings keep it from being sent.
    #[must_use]
    pub fn is_blocked(&self) -> bool {
        blocked(&self.findings)
    }
}

/// Renders an issue as it stands in the store. A published one comes as it was frozen. `None`: there is no such issue.
///
/// # Errors
/// When the store cannot, or the theme's templates fail.
pub async fn by_id(app: &App, id: IssueId) -> anyhow::Result<Option<Ready>> {
    let mut tx = app.store.read().await?;
    let Some(row) = store::issue::by_id(&mut tx, id).await? else { return Ok(None) };
    let newsletter = newsletter(&mut tx, &row).await?;
    if let Some(frozen) = store::rendering::by_issue(&mut tx, id).await? {
        return Ok(Some(Ready { row, newsletter, rendered: frozen.rendered, findings: Vec::new() }));
    }
    let source = row.source.clone();
    render(&mut tx, &app.config.public_url, row, newsletter, &source).await.map(Some)
}

/// The same, before it is sent, tested or reviewed: pictures that still lie elsewhere are fetched and kept first, and
/// those that can't be had block it.
///
/// # Errors
/// Those of [`by_id`].
pub async fn for_sending(app: &App, id: IssueId) -> anyhow::Result<Option<Ready>> {
    let mut tx = app.store.read().await?;
    let Some(row) = store::issue::by_id(&mut tx, id).await? else { return Ok(None) };
    drop(tx);
    let mut missing = Vec::new();
    if row.state.is_editable() {
        missing = pictures::take(app, id, &parse(&row.source).issue).await?;
    }
    let mut ready = by_id(app, id).await?;
    if let Some(ready) = &mut ready {
        ready.findings.extend(missing);
        ready.findings = in_order(std::mem::take(&mut ready.findings));
    }
    Ok(ready)
}

/// Renders a text that is being typed, as if it were the issue's: the preview. Nothing is kept.
///
/// # Errors
/// Those of [`by_id`].
pub async fn preview(app: &App, id: IssueId, source: &str) -> anyhow::Result<Option<Ready>> {
    let mut tx = app.store.read().await?;
    let Some(row) = store::issue::by_id(&mut tx, id).await? else { return Ok(None) };
    let newsletter = newsletter(&mut tx, &row).await?;
    render(&mut tx, &app.config.public_url, row, newsletter, source).await.map(Some)
}

async fn newsletter(tx: &mut Tx, row: &IssueRow) -> anyhow::Result<Newsletter> {
    store::newsletter::by_id(tx, row.newsletter_id).await?.context("the issue's newsletter is gone")
}

async fn render(
    tx: &mut Tx,
    public_url: &str,
    row: IssueRow,
    newsletter: Newsletter,
    source: &str,
) -> anyhow::Result<Ready> {
    let Parsed { mut issue, mut findings } = parse(source);
    issue.number = issue.number.or(row.number);
    let masthead = newsletter.masthead(public_url);
    let pictures = pictures::shown(tx, row.id, &issue, public_url).await?;
    let date = day_of(&row, &newsletter.zone, tx.now);
    let rendered = render_tree(&issue, &masthead, date, &pictures).context("the issue could not be rendered")?;
    let about = About {
        source,
        postal_address: &masthead.postal_address,
        language: &masthead.language,
        pictures: Some(&pictures),
        broken: &[],
        html_bytes: Some(octets(&rendered.html)),
    };
    findings.extend(check(&issue, &about));
    Ok(Ready { row, newsletter, rendered, findings: in_order(findings) })
}

/// The day on the folio line: that of sending, as far as it is known.
fn day_of(row: &IssueRow, zone: &str, now: Millis) -> jiff::civil::Date {
    let at = row.published_at.or(row.scheduled_at).map_or(now, Millis);
    let zone = crate::values::zone::find(zone).unwrap_or(jiff::tz::TimeZone::UTC);
    zone.to_datetime(at.timestamp()).date()
}

/// Bytes of a template, its gaps not counted: they are short, and the limit has room for them.
#[must_use]
pub fn octets(template: &Template) -> usize {
    let of_piece = |piece: &Piece| match piece {
        Piece::Fixed(text) => text.len(),
        Piece::Slot(_) => 0,
    };
    template.pieces.iter().map(of_piece).sum()
}

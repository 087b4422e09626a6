//! Writing an issue: added from a file, saved as it is typed, rendered for whoever looks at it.
//!
//! [`rendering`] is the one place where preview, test mail, publish and archive come to their
//! [`Rendered`](crate::issue::rendered::Rendered), so that all of them show the same hash.

pub mod pictures;
pub mod rendering;

use std::path::Path;

use crate::issue::finding::{Finding, in_order};
use crate::issue::parse::{Parsed, parse, slug};
use crate::issue::pictures::references;
use crate::issue::tree::{Issue, plain};
use crate::store::issue::{IssueRow, IssueText, Saved};
use crate::store::{self, Tx};
use crate::values::ids::{IssueId, NewsletterId};
use crate::verbs::app::App;
use crate::verbs::problem::Problem;
use crate::verbs::refusal::Refusal;

/// An issue that was added.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Added {
    pub id: IssueId,
    pub slug: String,
    pub number: Option<i64>,
    pub subject: String,
    pub revision: i64,
    /// Names of the pictures that were kept.
    pub pictures: Vec<String>,
    /// What parser and checks say. A draft may have findings that block sending.
    pub findings: Vec<Finding>,
}

/// What became of a save.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Save {
    /// Kept, as this revision; what the parser says about it.
    Kept { revision: i64, findings: Vec<Finding> },
    /// Somebody saved since: their text. Nothing was changed.
    Conflict(Box<IssueRow>),
}

/// Keeps a new draft with its pictures. Local ones are read from `folder`, those with an https address are fetched;
/// what can't be had is a finding, and the draft is kept all the same.
///
/// # Errors
/// [`Problem`], if the newsletter is not there, or the text can't be kept at all; or the store cannot.
pub async fn add_issue(
    app: &App,
    newsletter: NewsletterId,
    source: &str,
    folder: Option<&Path>,
) -> anyhow::Result<Added> {
    let Parsed { issue, findings } = readable(source)?;
    let found = pictures::gather(&issue, folder).await?;
    let mut tx = app.store.write().await?;
    if store::newsletter::by_id(&mut tx, newsletter).await?.is_none() {
        return Err(Problem::NotFound("there is no such newsletter; nothing was added".to_owned()).into());
    }
    let number = match issue.number {
        Some(number) => Some(number),
        None => Some(store::issue::next_number(&mut tx, newsletter).await?),
    };
    let text = text_of(&mut tx, newsletter, None, &issue, number, source).await?;
    let id = store::issue::insert(&mut tx, newsletter, &text).await?;
    store::issue::set_hours(&mut tx, id, &issue.hours.to_string()).await?;
    for (reference, picture) in &found.pictures {
        pictures::keep(&mut tx, id, reference, picture).await?;
    }
    let about = store::event::About { newsletter: Some(newsletter), issue: Some(id), ..Default::default() };
    store::event::insert(&mut tx, "issue.added", about, &serde_json::json!({ "slug": text.slug })).await?;
    tx.commit().await?;
    let ready = rendering::by_id(app, id).await?;
    let mut all = ready.map(|ready| ready.findings).unwrap_or(findings);
    // What could not be had is said with its reason.
    let is_said = |finding: &Finding| found.findings.iter().any(|bad| bad.at == finding.at);
    all.retain(|finding| finding.code != "missing-picture" || !is_said(finding));
    all.extend(found.findings);
    Ok(Added {
        id,
        slug: text.slug,
        number,
        subject: text.subject,
        revision: 1,
        pictures: found.pictures.iter().map(|(_, picture)| picture.name.clone()).collect(),
        findings: in_order(all),
    })
}

/// Replaces an issue's text, if nobody saved since `revision`.
///
/// # Errors
/// [`Refusal`], if the issue is not there or is published; [`Problem`], if the text can't be kept; or the store
/// cannot.
pub async fn save(app: &App, id: IssueId, source: &str, revision: i64) -> anyhow::Result<Save> {
    let Parsed { issue, findings } = readable(source)?;
    let mut tx = app.store.write().await?;
    let row = store::issue::by_id(&mut tx, id).await?.ok_or(Refusal::NoSuchIssue)?;
    let number = issue.number.or(row.number);
    let text = text_of(&mut tx, row.newsletter_id, Some(id), &issue, number, source).await?;
    match store::issue::save(&mut tx, id, revision, &text).await? {
        Saved::As(revision) => {
            // What the file never said, or says as before, may have been said elsewhere since.
            if issue.hours != parse(&row.source).issue.hours {
                store::issue::set_hours(&mut tx, id, &issue.hours.to_string()).await?;
            }
            tx.commit().await?;
            Ok(Save::Kept { revision, findings })
        }
        Saved::Stale => Ok(Save::Conflict(Box::new(row))),
        Saved::Closed => Err(Refusal::State { state: row.state, wanted: "changed" }.into()),
    }
}

/// Keeps a picture for an issue under the name of its file, as the Markdown will call it.
///
/// # Errors
/// [`Problem`], if it is no picture that a mail can show; [`Refusal`], if the issue is not there or is published; or
/// the store cannot.
pub async fn add_picture(app: &App, id: IssueId, file: &str, bytes: Vec<u8>) -> anyhow::Result<pictures::Kept> {
    let reference = file.rsplit(['/', '\\']).next().unwrap_or_default().trim().replace(char::is_control, "");
    if reference.is_empty() || reference.starts_with('.') {
        return Err(Problem::Invalid("the picture has no file name; nothing was kept".to_owned()).into());
    }
    let prepared = tokio::task::spawn_blocking(move || crate::media::prepare(&bytes)).await?;
    let picture =
        prepared.map_err(|why| Problem::Invalid(format!("{reference} can't be used, and nothing was kept: {why}")))?;
    let mut tx = app.store.write().await?;
    let row = store::issue::by_id(&mut tx, id).await?.ok_or(Refusal::NoSuchIssue)?;
    if !row.state.is_editable() {
        return Err(Refusal::State { state: row.state, wanted: "changed" }.into());
    }
    pictures::keep(&mut tx, id, &reference, &picture).await?;
    // A text written beside a folder of pictures calls it "pictures/cover.png"; a browser sends the name alone.
    for (called, _) in references(&parse(&row.source).issue) {
        let is_it = called.rsplit(['/', '\\']).next() == Some(reference.as_str());
        if is_it && called != reference && !pictures::is_address(&called) {
            pictures::keep(&mut tx, id, &called, &picture).await?;
        }
    }
    tx.commit().await?;
    let size = picture.bytes.len();
    Ok(pictures::Kept { reference, name: picture.name, width: picture.width, height: picture.height, bytes: size })
}

/// The text, unless it can't be kept at all.
fn readable(source: &str) -> anyhow::Result<Parsed> {
    // A text column of Postgres takes no NUL, and no line of any mail does.
    if let Some(at) = source.find('\0') {
        let line = source[..at].matches('\n').count() + 1;
        let why = format!("there is a NUL character in line {line}, so nothing was kept; delete it");
        return Err(Problem::Invalid(why).into());
    }
    let parsed = parse(source);
    match parsed.findings.iter().find(|finding| finding.code == "too-long") {
        Some(long) => Err(Problem::Invalid(format!("{}; {}", long.what, long.instead)).into()),
        None => Ok(parsed),
    }
}

/// What the row says of the text.
async fn text_of(
    tx: &mut Tx,
    newsletter: NewsletterId,
    id: Option<IssueId>,
    issue: &Issue,
    number: Option<i64>,
    source: &str,
) -> anyhow::Result<IssueText> {
    let subject = plain(&issue.subject);
    let wanted = issue.slug.clone().unwrap_or_else(|| slug(&subject));
    let wanted = match (wanted.is_empty(), number) {
        (false, _) => wanted,
        (true, Some(number)) => format!("issue-{number}"),
        (true, None) => "issue".to_owned(),
    };
    let slug = free_slug(tx, newsletter, id, wanted).await?;
    Ok(IssueText { number, slug, subject, preheader: plain(&issue.preheader), source: source.to_owned() })
}

/// The wanted slug, or with the first number behind it that no other issue of the newsletter has.
async fn free_slug(
    tx: &mut Tx,
    newsletter: NewsletterId,
    id: Option<IssueId>,
    wanted: String,
) -> anyhow::Result<String> {
    let mut slug = wanted.clone();
    let mut again = 2;
    while let Some(other) = store::issue::by_slug(tx, newsletter, &slug).await? {
        if Some(other.id) == id {
            break;
        }
        slug = format!("{wanted}-{again}");
        again += 1;
    }
    Ok(slug)
}

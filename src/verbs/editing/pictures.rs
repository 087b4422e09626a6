//! The pictures of an issue: read, fetched, kept.

use std::path::{Path, PathBuf};

use crate::fetch::{Fetcher, Reach};
use crate::issue::finding::Finding;
use crate::issue::pictures::{Picture as Shown, Pictures, references};
use crate::issue::tree::{Issue, Place};
use crate::media::{self, Picture};
use crate::store::{self, Tx};
use crate::values::ids::IssueId;
use crate::verbs::app::App;

/// Pictures of one issue; more is a gallery and not a mail.
pub const PICTURES_MAX: usize = 100;

/// A picture that was kept for an issue.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Kept {
    /// How the Markdown calls it.
    pub reference: String,
    pub name: String,
    pub width: u32,
    pub height: u32,
    pub bytes: usize,
}

/// What could be had of the pictures that an issue names.
#[derive(Debug, Default)]
pub struct Gathered {
    pub pictures: Vec<(String, Picture)>,
    pub findings: Vec<Finding>,
}

/// Whether a reference is an address and not a file.
#[must_use]
pub fn is_address(reference: &str) -> bool {
    reference.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("http")) && reference.contains("://")
}

/// Reads and fetches every picture that the issue names. Without a folder, files are not looked for.
///
/// # Errors
/// When the fetcher can't be set up. A picture that can't be had is a finding.
pub async fn gather(issue: &Issue, folder: Option<&Path>) -> anyhow::Result<Gathered> {
    let wanted = references(issue);
    let wanted = wanted.into_iter().filter(|(reference, _)| is_address(reference) || folder.is_some());
    gather_these(wanted.collect(), folder, &Reach::default()).await
}

async fn gather_these(wanted: Vec<(String, Place)>, folder: Option<&Path>, reach: &Reach) -> anyhow::Result<Gathered> {
    let mut gathered = Gathered::default();
    let mut fetcher = None;
    for (index, (reference, at)) in wanted.into_iter().enumerate() {
        if index == PICTURES_MAX {
            let what =
                format!("an issue has at most {PICTURES_MAX} pictures; this one and those after it were not kept");
            gathered.findings.push(Finding::blocks("too-many-pictures", at, what, "leave some out"));
            break;
        }
        let got = if is_address(&reference) {
            let fetcher = match &fetcher {
                Some(fetcher) => fetcher,
                None => fetcher.insert(Fetcher::new(reach)?),
            };
            fetched(fetcher, &reference).await
        } else {
            beside(folder.unwrap_or(Path::new("")).to_owned(), reference.clone()).await
        };
        match got {
            Ok(picture) => gathered.pictures.push((reference, picture)),
            Err(why) => {
                let what = format!("the picture {reference} can't be used: {why}");
                gathered.findings.push(Finding::blocks("bad-picture", at, what, ""));
            }
        }
    }
    Ok(gathered)
}

async fn fetched(fetcher: &Fetcher, address: &str) -> Result<Picture, String> {
    let bytes = fetcher.get(address).await.map_err(|why| why.to_string())?;
    let prepared = tokio::task::spawn_blocking(move || media::prepare(&bytes)).await;
    prepared.map_err(|_| "it could not be read".to_owned())?.map_err(|why| why.to_string())
}

async fn beside(folder: PathBuf, reference: String) -> Result<Picture, String> {
    let read = tokio::task::spawn_blocking(move || media::beside::read(&folder, &reference)).await;
    read.map_err(|_| "it could not be read".to_owned())?.map_err(|why| why.to_string())
}

/// Fetches the pictures by https address that an issue names and that are not kept yet. Call it before an issue is
/// rendered for the last time; it waits for the network and holds no transaction meanwhile.
///
/// # Errors
/// When the store cannot. Pictures that can't be had are findings.
pub async fn take(app: &App, id: IssueId, issue: &Issue) -> anyhow::Result<Vec<Finding>> {
    take_within(app, id, issue, &Reach::default()).await
}

/// The same, within a given reach (tests fetch from this machine).
///
/// # Errors
/// Those of [`take`].
pub async fn take_within(app: &App, id: IssueId, issue: &Issue, reach: &Reach) -> anyhow::Result<Vec<Finding>> {
    let mut tx = app.store.read().await?;
    let kept = store::media::of_issue(&mut tx, id).await?;
    drop(tx);
    let is_kept = |reference: &str| kept.iter().any(|known| known.reference == reference);
    let wanted = references(issue).into_iter().filter(|(reference, _)| is_address(reference) && !is_kept(reference));
    let gathered = gather_these(wanted.collect(), None, reach).await?;
    if !gathered.pictures.is_empty() {
        let mut tx = app.store.write().await?;
        for (reference, picture) in &gathered.pictures {
            keep(&mut tx, id, reference, picture).await?;
        }
        tx.commit().await?;
    }
    Ok(gathered.findings)
}

/// Writes a picture down, and what the issue calls it.
pub(super) async fn keep(tx: &mut Tx, id: IssueId, reference: &str, picture: &Picture) -> anyhow::Result<()> {
    let size = (i64::from(picture.width), i64::from(picture.height));
    store::media::insert(tx, &picture.name, picture.content_type, size, &picture.bytes).await?;
    store::media::name_in_issue(tx, id, reference, &picture.name).await?;
    Ok(())
}

/// Where each kept picture of an issue is served. Addresses that are not kept yet are shown from where they are.
pub(super) async fn shown(tx: &mut Tx, id: IssueId, issue: &Issue, public_url: &str) -> anyhow::Result<Pictures> {
    let mut pictures: Pictures = references(issue)
        .into_iter()
        .filter(|(reference, _)| is_address(reference))
        .map(|(reference, _)| (reference.clone(), Shown { url: reference, ..Shown::default() }))
        .collect();
    for named in store::media::of_issue(tx, id).await? {
        let pixels = |side: i64| u32::try_from(side).unwrap_or(0);
        let shown = Shown {
            url: format!("{public_url}/m/{}", named.name),
            width: pixels(named.width),
            height: pixels(named.height),
            bytes: usize::try_from(named.size).unwrap_or(0),
        };
        pictures.insert(named.reference, shown);
    }
    Ok(pictures)
}

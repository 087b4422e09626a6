//! A list of readers, in. The file is read as a stream in a thread of its own and written a thousand lines at a time,
//! each batch in its own transaction: stopped half-way, what is in is in, and the same file again changes nothing of it.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher as _, RandomState};
use std::io::Read;

use serde_json::json;
use tokio::sync::mpsc;

use crate::audience::csv::{self, BadFile, BadRow, Row};
use crate::audience::import::{Class, Report, classify};
use crate::audience::status::Status;
use crate::store::subscriber::NewSubscriber;
use crate::store::subscription::Consent;
use crate::store::{Tx, event, subscriber, subscription, suppression};
use crate::values::address::Address;
use crate::values::ids::{AccountId, NewsletterId, SubscriberId};
use crate::values::zone;
use crate::verbs::app::App;

/// Lines of one transaction: a commit costs little then, and a stop loses little.
const BATCH_LINES: usize = 1_000;
/// Batches that may wait between reading and writing.
const BATCHES_WAITING_MAX: usize = 2;

/// What to import into, and on what grounds.
#[derive(Clone, Debug)]
pub struct Import {
    pub newsletter: NewsletterId,
    /// What these people agreed to and where, in words; kept with each of them.
    pub consent: String,
    /// Where the list came from: the file's name, and who brought it.
    pub source: String,
    pub account: Option<AccountId>,
    /// Only say what would happen.
    pub dry_run: bool,
}

/// Why nothing (more) was imported.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    #[error("say where and to what these readers agreed: the words are kept with each of them. Nothing was imported")]
    NoConsent,
    #[error("{0}. Nothing was imported")]
    File(#[from] BadFile),
}

enum Read1 {
    Head { encoding: &'static str, delimiter: char },
    Batch(Vec<(Row, bool)>, &'static str),
    Failed(BadFile),
}

/// Imports readers from a CSV file. Whoever left, bounced, complained or is suppressed stays out.
///
/// # Errors
/// When the database cannot be written. A file that is no list of readers is `Ok(Err(Refused))`.
pub async fn import(
    app: &App,
    what: Import,
    file: impl Read + Send + 'static,
) -> anyhow::Result<Result<Report, Refused>> {
    if what.consent.trim().is_empty() {
        return Ok(Err(Refused::NoConsent));
    }
    let mut report = Report { dry_run: what.dry_run, ..Report::default() };
    let (give, mut batches) = mpsc::channel(BATCHES_WAITING_MAX);
    let reading = tokio::task::spawn_blocking(move || read_rows(file, &give));
    while let Some(read) = batches.recv().await {
        match read {
            Read1::Head { encoding, delimiter } => {
                report.encoding = encoding.to_owned();
                report.delimiter = delimiter.to_string();
            }
            Read1::Failed(bad) => return Ok(Err(Refused::File(bad))),
            Read1::Batch(rows, encoding) => {
                report.encoding = encoding.to_owned();
                take_batch(app, &what, rows, &mut report).await?;
            }
        }
    }
    reading.await?;
    Ok(Ok(report))
}

/// Reads the file to its end, marking addresses that stood in it before. Stops when nobody takes the rows any more.
fn read_rows(file: impl Read + Send + 'static, give: &mpsc::Sender<Read1>) {
    let mut rows = match csv::open(file) {
        Ok(rows) => rows,
        Err(bad) => return drop(give.blocking_send(Read1::Failed(bad))),
    };
    let head = Read1::Head { encoding: rows.encoding(), delimiter: rows.delimiter() };
    // Keyed hashes and not the addresses: eight bytes for each of a million lines. That any two of a million differ and
    // are taken for one happens in one import of thirty million.
    let (mut seen, hash) = (HashSet::new(), RandomState::new());
    let mut batch = Vec::with_capacity(BATCH_LINES);
    if give.blocking_send(head).is_err() {
        return;
    }
    loop {
        match rows.next_row() {
            Err(bad) => return drop(give.blocking_send(Read1::Failed(bad))),
            Ok(None) => return drop(give.blocking_send(Read1::Batch(batch, rows.encoding()))),
            Ok(Some(row)) => {
                let again = row.address.as_ref().is_ok_and(|address| !seen.insert(hash.hash_one(address.key())));
                batch.push((row, again));
            }
        }
        if batch.len() == BATCH_LINES {
            let full = std::mem::replace(&mut batch, Vec::with_capacity(BATCH_LINES));
            if give.blocking_send(Read1::Batch(full, rows.encoding())).is_err() {
                return;
            }
        }
    }
}

/// A good line, first of its address in the file.
struct Line {
    line: usize,
    address: Address,
    key: String,
    name: String,
    zone: String,
}

async fn take_batch(app: &App, what: &Import, rows: Vec<(Row, bool)>, report: &mut Report) -> anyhow::Result<()> {
    let mut lines = Vec::with_capacity(rows.len());
    for (row, again) in rows {
        match row.address {
            Err(bad) => tell_bad(report, row.line, bad),
            Ok(_) if again => {
                report.count(Class::Duplicate);
                report.tell(row.line, Class::Duplicate, "this address stands in the file before");
            }
            Ok(address) => {
                let zone = tell_zone(report, row.line, row.zone);
                lines.push(Line { line: row.line, key: address.key(), address, name: row.name, zone });
            }
        }
    }
    let mut tx = if what.dry_run { app.store.read().await? } else { app.store.write().await? };
    let new = sort_out(&mut tx, what.newsletter, lines, report).await?;
    if !what.dry_run {
        keep(&mut tx, what, &new).await?;
        tx.commit().await?;
    }
    Ok(())
}

/// The zone as it is kept. One that there is not keeps nobody out: it is told, and the reader lives by the newsletter's.
fn tell_zone(report: &mut Report, line: usize, zone: String) -> String {
    if zone.is_empty() {
        return zone;
    }
    match zone::find(&zone) {
        Ok(known) => zone::name_of(&known).to_owned(),
        Err(why) => {
            report.zones_unknown += 1;
            report.tell(line, Class::New, format!("taken without its zone: {why}"));
            String::new()
        }
    }
}

fn tell_bad(report: &mut Report, line: usize, bad: BadRow) {
    report.count(Class::Bad);
    report.tell(line, Class::Bad, bad.to_string());
}

/// Counts each line by what is known of its address; gives those to be kept.
async fn sort_out(
    tx: &mut Tx,
    newsletter: NewsletterId,
    lines: Vec<Line>,
    report: &mut Report,
) -> anyhow::Result<Vec<Line>> {
    let keys: Vec<String> = lines.iter().map(|line| line.key.clone()).collect();
    let known: HashMap<String, Option<Status>> =
        subscription::known(tx, newsletter, &keys).await?.into_iter().map(|(key, _, status)| (key, status)).collect();
    let suppressed: HashSet<String> = suppression::among(tx, &keys).await?.into_iter().collect();
    let mut new = Vec::new();
    for line in lines {
        let class = classify(known.get(&line.key).copied().flatten(), suppressed.contains(&line.key));
        report.count(class);
        match class {
            Class::LeftBefore => report.tell(line.line, class, "left before: only they can come back, by the form"),
            Class::Suppressed => report.tell(line.line, class, "suppressed: this address must not be mailed"),
            Class::New => {
                if line.address.is_role() {
                    report.roles += 1;
                    report.tell(line.line, class, "taken, but this is the mailbox of a role and not of a person");
                }
                new.push(line);
            }
            Class::AlreadyActive | Class::Bad | Class::Duplicate => {}
        }
    }
    Ok(new)
}

async fn keep(tx: &mut Tx, what: &Import, new: &[Line]) -> anyhow::Result<()> {
    let people: Vec<NewSubscriber> = new
        .iter()
        .map(|line| NewSubscriber {
            id: SubscriberId::new(tx.now),
            address: line.address.as_str().to_owned(),
            key: line.key.clone(),
            name: line.name.clone(),
            zone: line.zone.clone(),
        })
        .collect();
    let ids: Vec<SubscriberId> = subscriber::keep_many(tx, &people).await?.into_iter().map(|(_, id)| id).collect();
    let consent = Consent { text: what.consent.trim().to_owned(), source: what.source.clone(), ip: String::new() };
    let active = subscription::activate_many(tx, what.newsletter, &ids, &consent).await?;
    let detail = json!({"consent": consent.text, "source": consent.source});
    event::insert_many(tx, "subscription.imported", what.newsletter, what.account, &active, &detail).await?;
    Ok(())
}

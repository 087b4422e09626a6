//! Readers from a file: upload, dry run in which every line is in exactly one row, then the button.

use std::io::Cursor;

use askama::Template;
use axum::extract::{Form, Multipart, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;

use super::frame::{Frame, Here};
use super::room::Room;
use super::words::{count, number};
use crate::audience::import::{Class, Report};
use crate::store::upload;
use crate::values::clock::Millis;
use crate::values::ids::UploadId;
use crate::verbs::app::{App, to_the_end};
use crate::verbs::membership::{self, Import, Refused};
use crate::web::error::{WebError, page, page_with, sentence};

/// The largest file: a million readers with names.
pub(super) const FILE_BYTES_MAX: usize = 64 * 1024 * 1024;
/// A file that nobody confirmed is forgotten after this.
const UPLOAD_KEPT_MS: i64 = Millis::DAY;
/// Lines shown with what is wrong with them.
const PROBLEMS_SHOWN: usize = 200;

#[derive(Template)]
#[template(path = "desk/import.html")]
struct ImportPage {
    frame: Frame,
    step: u8,
    error: String,
    id: String,
    file: String,
    sums: Vec<(&'static str, String, bool)>,
    lines: String,
    sum: String,
    problems: Vec<(String, &'static str, String)>,
    new: String,
    has_new: bool,
    consent: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Confirm {
    upload: String,
    consent: String,
}

pub(super) async fn show(State(app): State<App>, room: Room) -> Result<Response, WebError> {
    page(&empty(&app, &room, "").await?)
}

async fn empty(app: &App, room: &Room, error: &str) -> anyhow::Result<ImportPage> {
    Ok(ImportPage {
        frame: room.frame(app, Here::Readers, "Import readers").await?,
        step: 1,
        error: error.to_owned(),
        id: String::new(),
        file: String::new(),
        sums: Vec::new(),
        lines: String::new(),
        sum: String::new(),
        problems: Vec::new(),
        new: String::new(),
        has_new: false,
        consent: String::new(),
    })
}

/// Takes the file and says what would happen; nothing is written but the file itself.
pub(super) async fn upload(State(app): State<App>, room: Room, form: Multipart) -> Result<Response, WebError> {
    let Some((name, bytes)) = file_of(form).await? else {
        return page_with(StatusCode::UNPROCESSABLE_ENTITY, &empty(&app, &room, "Choose a file first.").await?);
    };
    let dry = what(&room, "(dry run)", &name, true);
    let (on, copy) = (app.clone(), bytes.clone());
    let report = match membership::import(&on, dry, Cursor::new(copy)).await? {
        Ok(report) => report,
        Err(why) => {
            return page_with(
                StatusCode::UNPROCESSABLE_ENTITY,
                &empty(&app, &room, &sentence(&why.to_string())).await?,
            );
        }
    };
    let (on, newsletter, account, file) = (app.clone(), room.paper.id, room.who.account.id, name.clone());
    let id = to_the_end(async move {
        let mut tx = on.store.write().await?;
        let before = tx.now.plus(-UPLOAD_KEPT_MS).0;
        upload::forget(&mut tx, UploadId(0), before).await?;
        let id = upload::insert(&mut tx, newsletter, account, &file, &bytes).await?;
        tx.commit().await?;
        Ok(id)
    })
    .await?;
    page(&filled(empty(&app, &room, "").await?, 2, id, &name, &report))
}

async fn file_of(mut form: Multipart) -> anyhow::Result<Option<(String, Vec<u8>)>> {
    while let Some(field) = form.next_field().await? {
        if field.name() == Some("file") {
            let name = field.file_name().unwrap_or_default().to_owned();
            let bytes = field.bytes().await?.to_vec();
            return Ok((!name.is_empty()).then_some((name, bytes)));
        }
    }
    Ok(None)
}

fn what(room: &Room, consent: &str, file: &str, dry_run: bool) -> Import {
    Import {
        newsletter: room.paper.id,
        consent: consent.to_owned(),
        source: format!("{file}, by {}", room.who.account.name),
        account: Some(room.who.account.id),
        dry_run,
    }
}

/// Imports what the dry run showed.
pub(super) async fn confirm(
    State(app): State<App>,
    room: Room,
    Form(form): Form<Confirm>,
) -> Result<Response, WebError> {
    let id: UploadId = form.upload.parse().map_err(|_| WebError::NotFound)?;
    let kept = upload::by_id(&mut app.store.read().await?, id, room.paper.id).await?;
    let Some(kept) = kept else {
        let why = "The file was imported already, or is gone after a day. Upload it again: whoever is in stays in.";
        return page_with(StatusCode::CONFLICT, &empty(&app, &room, why).await?);
    };
    let dry = form.consent.trim().is_empty();
    let import = what(&room, if dry { "(dry run)" } else { &form.consent }, &kept.name, dry);
    let (on, name, bytes) = (app.clone(), kept.name.clone(), kept.bytes);
    let done = to_the_end(async move {
        let done = membership::import(&on, import, Cursor::new(bytes)).await?;
        if !dry && done.is_ok() {
            let mut tx = on.store.write().await?;
            upload::forget(&mut tx, id, 0).await?;
            tx.commit().await?;
        }
        Ok(done)
    })
    .await?;
    answer(&app, &room, id, &name, dry, done).await
}

async fn answer(
    app: &App,
    room: &Room,
    id: UploadId,
    name: &str,
    dry: bool,
    done: Result<Report, Refused>,
) -> Result<Response, WebError> {
    let blank = empty(app, room, "").await?;
    match done {
        Ok(report) if dry => {
            let mut again = filled(blank, 2, id, name, &report);
            again.error = "Say where and to what these readers agreed: the words are kept with each of them.".into();
            page_with(StatusCode::UNPROCESSABLE_ENTITY, &again)
        }
        Ok(report) => page(&filled(blank, 3, id, name, &report)),
        Err(why) => {
            page_with(StatusCode::UNPROCESSABLE_ENTITY, &ImportPage { error: sentence(&why.to_string()), ..blank })
        }
    }
}

/// The dry run or the result: every line in exactly one row, and the sum of them.
fn filled(blank: ImportPage, step: u8, id: UploadId, file: &str, report: &Report) -> ImportPage {
    let parts = [
        (if step == 3 { "Imported" } else { "New readers" }, report.new),
        ("Already here, kept as they are", report.already_active),
        ("Left, bounced or complained before: stay out", report.left_before),
        ("Suppressed: stay out", report.suppressed),
        ("Twice in the file", report.duplicate),
        ("Not valid", report.bad),
    ];
    let as_number = |many: usize| number(i64::try_from(many).unwrap_or(i64::MAX));
    let sum: Vec<String> = parts.iter().map(|(_, many)| as_number(*many)).collect();
    let delimiter = match report.delimiter.as_str() {
        "\t" => "tab",
        ";" => "semicolon",
        "," => "comma",
        other => other,
    };
    ImportPage {
        step,
        id: id.to_string(),
        file: format!("{file}, {} lines, {delimiter}, {}", as_number(report.lines), report.encoding),
        sums: parts.iter().map(|(what, many)| (*what, as_number(*many), *what == parts[0].0)).collect(),
        lines: as_number(report.lines),
        sum: format!("{} = {}", sum.join(" + "), as_number(report.lines)),
        problems: report
            .problems
            .iter()
            .take(PROBLEMS_SHOWN)
            .map(|problem| (problem.line.to_string(), class(problem.class), problem.reason.clone()))
            .collect(),
        new: count(i64::try_from(report.new).unwrap_or(i64::MAX), "reader", "readers"),
        has_new: report.new > 0,
        ..blank
    }
}

fn class(class: Class) -> &'static str {
    match class {
        Class::New => "taken",
        Class::AlreadyActive => "already here",
        Class::LeftBefore => "stays out",
        Class::Suppressed => "suppressed",
        Class::Bad => "not valid",
        Class::Duplicate => "twice",
    }
}

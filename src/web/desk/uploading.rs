//! An issue from a Markdown file, with the pictures that lie beside it.

use askama::Template;
use axum::extract::{Multipart, State};
use axum::http::StatusCode;
use axum::response::Response;

use super::frame::{Frame, Here};
use super::room::Room;
use crate::values::ids::IssueId;
use crate::verbs::app::{App, to_the_end};
use crate::verbs::editing;
use crate::verbs::problem::Problem;
use crate::web::error::{WebError, page, page_with, sentence};
use crate::web::see_other;

/// Largest upload: a text and a score of pictures as cameras make them.
pub(super) const FILES_BYTES_MAX: usize = 160 * 1024 * 1024;

#[derive(Template)]
#[template(path = "desk/upload.html")]
struct UploadPage {
    frame: Frame,
    error: String,
}

/// The one text and its pictures.
#[derive(Default)]
struct Files {
    text: Option<String>,
    pictures: Vec<(String, Vec<u8>)>,
}

pub(super) async fn show(State(app): State<App>, room: Room) -> Result<Response, WebError> {
    page(&UploadPage { frame: room.frame(&app, Here::Issues, "Upload an issue").await?, error: String::new() })
}

pub(super) async fn take(State(app): State<App>, room: Room, form: Multipart) -> Result<Response, WebError> {
    let added = match files(form).await? {
        Ok(files) => add(&app, &room, files).await,
        Err(why) => return refused(&app, &room, why).await,
    };
    match added {
        Ok(id) => Ok(see_other(&format!("/desk/issue/{id}"))),
        Err(error) => match Problem::of(&error) {
            Some(why) => refused(&app, &room, &why.to_string()).await,
            None => Err(error.into()),
        },
    }
}

async fn files(mut form: Multipart) -> anyhow::Result<Result<Files, &'static str>> {
    let mut files = Files::default();
    while let Some(field) = form.next_field().await? {
        let name = field.file_name().unwrap_or_default().to_owned();
        let bytes = field.bytes().await?.to_vec();
        let ending = name.rsplit('.').next().unwrap_or_default().to_lowercase();
        match ending.as_str() {
            _ if name.is_empty() => {}
            "md" | "markdown" | "txt" if files.text.is_some() => return Ok(Err("one Markdown file at a time, please")),
            "md" | "markdown" | "txt" => match String::from_utf8(bytes) {
                Ok(text) => files.text = Some(text.trim_start_matches('\u{feff}').replace("\r\n", "\n")),
                Err(_) => return Ok(Err("the Markdown file is not in UTF-8; save it so and upload it again")),
            },
            _ => files.pictures.push((name, bytes)),
        }
    }
    Ok(if files.text.is_some() { Ok(files) } else { Err("choose a Markdown file (ending in .md)") })
}

/// Adds the text, then each picture; one that cannot be used is a finding in the editor, not an end.
async fn add(app: &App, room: &Room, files: Files) -> anyhow::Result<IssueId> {
    let (app, newsletter) = (app.clone(), room.paper.id);
    to_the_end(async move {
        let text = files.text.unwrap_or_default();
        let added = editing::add_issue(&app, newsletter, &text, None).await?;
        for (name, bytes) in files.pictures {
            match editing::add_picture(&app, added.id, &name, bytes).await {
                Err(error) if Problem::of(&error).is_none() => return Err(error),
                _ => {}
            }
        }
        Ok(added.id)
    })
    .await
}

async fn refused(app: &App, room: &Room, why: &str) -> Result<Response, WebError> {
    let frame = room.frame(app, Here::Issues, "Upload an issue").await?;
    page_with(StatusCode::UNPROCESSABLE_ENTITY, &UploadPage { frame, error: sentence(why) })
}

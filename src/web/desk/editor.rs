//! Writing an issue: its Markdown beside the real mail, checks beside both. One form carries everything, so that it is
//! whole without a script; with one, the same form is sent as one types and only the parts come back.

use askama::Template;
use axum::extract::{Multipart, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::frame::Frame;
use super::room::{Edition, Room};
use super::said::Said;
use super::state::{State as Ink, issue_name};
use super::words::{When, count, from_now, number};
use crate::delivery::counts::Counts;
use crate::issue::finding::{Finding, Severity};
use crate::issue::parse::parse;
use crate::issue::tree::{Story, plain};
use crate::store::issue::IssueRow;
use crate::values::clock::Millis;
use crate::verbs::app::{App, to_the_end};
use crate::verbs::editing::rendering::{self, Ready, octets};
use crate::verbs::editing::{self, Save};
use crate::verbs::problem::Problem;
use crate::web::error::{WebError, capital, page, page_with, sentence};
use crate::web::see_other;

/// Largest form: 5 MB of text and one picture as it comes from a camera.
pub(super) const FORM_BYTES_MAX: usize = 40 * 1024 * 1024;
/// Words that people read in a minute.
const WORDS_A_MINUTE: usize = 220;
/// What a new issue begins with.
const SKELETON: &str = include_str!("skeleton.md");

#[derive(Template)]
#[template(path = "desk/editor.html")]
struct EditorPage {
    frame: Frame,
    at: String,
    source: String,
    revision: i64,
    language: String,
    side: Side,
    views: Vec<(&'static str, &'static str, bool)>,
    view: &'static str,
    conflict: Option<Conflict>,
    error: String,
}

/// The parts that a save sends back to a script.
#[derive(Template)]
#[template(path = "desk/parts/side.html")]
struct SidePart {
    side: Side,
}

/// Everything beside the text.
struct Side {
    issues: String,
    name: String,
    state: Ink,
    slot: String,
    saved: String,
    stories: Vec<StoryRow>,
    blocking: Vec<Check>,
    looking: Vec<Check>,
    size: usize,
    size_words: String,
    proof: String,
    words: String,
    from: String,
    subject: String,
    preheader: String,
}

struct StoryRow {
    number: usize,
    line: usize,
    headline: String,
    state: Ink,
    is_here: bool,
}

struct Check {
    line: usize,
    what: String,
    instead: String,
    /// The line itself, where it was asked for.
    quote: String,
}

/// Somebody saved since: their text beside ours. Nothing is lost.
struct Conflict {
    theirs: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Look {
    line: usize,
    view: String,
}

/// Views of the mail: code and word.
pub(super) const VIEWS: [(&str, &str); 4] =
    [("desktop", "Desktop"), ("phone", "Phone"), ("dark", "Dark"), ("text", "Text")];

/// What the form carries.
#[derive(Default)]
struct Typed {
    source: String,
    revision: i64,
    alt: String,
    picture: Option<(String, Vec<u8>)>,
    then: String,
}

pub(super) async fn show(
    State(app): State<App>,
    edition: Edition,
    Query(look): Query<Look>,
    Query(said): Query<Said>,
) -> Result<Response, WebError> {
    if !edition.issue.state.is_editable() {
        return Ok(see_other(&edition.at("/report")));
    }
    let Some(ready) = rendering::by_id(&app, edition.issue.id).await? else { return Err(WebError::NotFound) };
    let frame = edition.frame(&app, issue_name(&edition.issue)).await?.telling(&said);
    page(&editor_page(frame, &edition, &ready, &look, app.clock.now()))
}

fn editor_page(frame: Frame, edition: &Edition, ready: &Ready, look: &Look, now: Millis) -> EditorPage {
    let view = VIEWS.iter().find(|(code, _)| *code == look.view).map_or("desktop", |(code, _)| code);
    EditorPage {
        frame,
        at: edition.at(""),
        source: ready.row.source.clone(),
        revision: ready.row.revision,
        language: ready.newsletter.language.clone(),
        side: side(ready, &ready.row.source, look.line, now),
        views: VIEWS.iter().map(|(code, word)| (*code, *word, *code == view)).collect(),
        view,
        conflict: None,
        error: String::new(),
    }
}

fn side(ready: &Ready, source: &str, asked: usize, now: Millis) -> Side {
    let row = &ready.row;
    let zone = ready.newsletter.zone.as_str();
    let parsed = parse(source).issue;
    let check = |severity: Severity| {
        let some = ready.findings.iter().filter(move |finding| finding.severity == severity);
        some.map(|finding| check(finding, source, asked)).collect::<Vec<_>>()
    };
    let (blocking, size) = (check(Severity::Blocks), octets(&ready.rendered.html));
    let state = match blocking.len() {
        0 => Ink::of_issue(row, &Counts::default(), zone, now),
        many => Ink::new(
            "warn",
            "warn",
            format!("{}, {many} to mend", Ink::of_issue(row, &Counts::default(), zone, now).word),
        ),
    };
    let words = source.split_whitespace().count();
    Side {
        issues: format!("/desk/n/{}/issues", ready.newsletter.slug),
        name: issue_name(row),
        state,
        slot: slot(row, zone, now),
        saved: format!("Saved {}", When::near(Millis(row.updated_at), now, zone)),
        stories: stories(&parsed.stories, &ready.findings, asked),
        looking: check(Severity::Warns),
        blocking,
        size,
        size_words: number(i64::try_from(size).unwrap_or(i64::MAX)),
        proof: ready.rendered.hash.chars().take(8).collect(),
        words: format!(
            "{}, {}",
            count(words as i64, "word", "words"),
            count(words.div_ceil(WORDS_A_MINUTE) as i64, "minute", "minutes")
        ),
        from: format!("{}, {}", ready.newsletter.from_name, ready.newsletter.from_address),
        subject: plain(&parsed.subject),
        preheader: plain(&parsed.preheader),
    }
}

fn slot(row: &IssueRow, zone: &str, now: Millis) -> String {
    row.scheduled_at
        .map(Millis)
        .map(|at| {
            let when = When::new(at, zone);
            format!("{} {}, {}", when.short, when.place, from_now(at, now))
        })
        .unwrap_or_default()
}

fn check(finding: &Finding, source: &str, asked: usize) -> Check {
    let quote = if asked > 0 && finding.at.line == asked { source.lines().nth(asked - 1) } else { None };
    Check {
        line: finding.at.line,
        what: capital(&finding.what),
        instead: advice(&finding.instead),
        quote: quote.unwrap_or_default().chars().take(200).collect(),
    }
}

/// What to write instead, as a sentence; nothing where nothing was said.
pub(super) fn advice(words: &str) -> String {
    if words.is_empty() { String::new() } else { sentence(words) }
}

/// Stories in their order, each with the worst that was found between its headline and the next.
fn stories(stories: &[Story], findings: &[Finding], asked: usize) -> Vec<StoryRow> {
    let ends = stories.iter().skip(1).map(|story| story.at.line).chain([usize::MAX]);
    stories
        .iter()
        .zip(ends)
        .enumerate()
        .map(|(at, (story, end))| {
            let inside = |line: usize| line >= story.at.line && line < end;
            let of = |severity| {
                findings.iter().filter(|finding| inside(finding.at.line) && finding.severity == severity).count()
            };
            let state = match (of(Severity::Blocks), of(Severity::Warns)) {
                (0, 0) => Ink::new("good", "tick", "Complete"),
                (0, many) => Ink::new("warn", "warn", format!("{many} to look at")),
                (many, _) => Ink::new("bad", "stop", format!("{many} to mend")),
            };
            let emoji = story.emoji.as_deref().map(|emoji| format!("{emoji} ")).unwrap_or_default();
            let headline = format!("{emoji}{}", plain(&story.headline));
            StoryRow { number: at + 1, line: story.at.line, headline, state, is_here: inside(asked) }
        })
        .collect()
}

async fn typed(mut form: Multipart) -> anyhow::Result<Typed> {
    let mut typed = Typed::default();
    while let Some(field) = form.next_field().await? {
        match field.name().unwrap_or_default() {
            // Browsers send CR LF; the text is kept with LF, so that lines and columns are what the editor sees.
            "text" => typed.source = field.text().await?.replace("\r\n", "\n"),
            "revision" => typed.revision = field.text().await?.parse().unwrap_or(0),
            "alt" => typed.alt = field.text().await?,
            "then" => typed.then = field.text().await?,
            "picture" => {
                let name = field.file_name().unwrap_or_default().to_owned();
                let bytes = field.bytes().await?;
                typed.picture = (!name.is_empty()).then(|| (name, bytes.to_vec()));
            }
            _ => {}
        }
    }
    Ok(typed)
}

/// Takes the form: the picture first, so that the text can name it, then the text.
pub(super) async fn save(
    State(app): State<App>,
    edition: Edition,
    headers: HeaderMap,
    form: Multipart,
) -> Result<Response, WebError> {
    let by_script = headers.contains_key("x-desk-script");
    let mut typed = typed(form).await?;
    let said = if typed.picture.is_some() { "picture" } else { "saved" };
    if let Some((name, bytes)) = typed.picture.take() {
        match keep_picture(&app, &edition, &name, bytes).await? {
            Ok(reference) => typed.source.push_str(&figure(&reference, &typed.alt)),
            Err(why) => return refused(&app, &edition, &typed, why, by_script).await,
        }
    }
    let (on, id, source, revision) = (app.clone(), edition.issue.id, typed.source.clone(), typed.revision);
    match to_the_end(async move { editing::save(&on, id, &source, revision).await }).await {
        Ok(Save::Kept { .. }) if by_script => kept(&app, &edition).await,
        Ok(Save::Kept { .. }) => Ok(see_other(
            &edition.at(match typed.then.as_str() {
                "review" => "/review".to_owned(),
                "test" => "/test".to_owned(),
                _ => format!("?said={said}#text"),
            }
            .as_str()),
        )),
        Ok(Save::Conflict(theirs)) => conflict(&app, &edition, &typed, *theirs, by_script).await,
        Err(error) => match Problem::of(&error) {
            Some(problem) => refused(&app, &edition, &typed, problem.to_string(), by_script).await,
            None => Err(error.into()),
        },
    }
}

/// What stands beside a text that has just been kept, for a script.
async fn kept(app: &App, edition: &Edition) -> Result<Response, WebError> {
    let Some(ready) = rendering::by_id(app, edition.issue.id).await? else { return Err(WebError::NotFound) };
    let revision = [("x-revision", ready.row.revision.to_string())];
    let part = SidePart { side: side(&ready, &ready.row.source, 0, app.clock.now()) };
    Ok((revision, page(&part)?).into_response())
}

async fn keep_picture(
    app: &App,
    edition: &Edition,
    name: &str,
    bytes: Vec<u8>,
) -> anyhow::Result<Result<String, String>> {
    let (on, id, name) = (app.clone(), edition.issue.id, name.to_owned());
    match to_the_end(async move { editing::add_picture(&on, id, &name, bytes).await }).await {
        Ok(kept) => Ok(Ok(kept.reference)),
        Err(error) => match Problem::of(&error) {
            Some(problem) => Ok(Err(problem.to_string())),
            None => Err(error),
        },
    }
}

/// The line that shows a picture.
fn figure(reference: &str, alt: &str) -> String {
    let alt = alt.replace(['[', ']', '\r', '\n'], " ");
    let reference = if reference.contains([' ', '(', ')']) { format!("<{reference}>") } else { reference.to_owned() };
    format!("\n\n![{}]({reference} \"Caption. Credit: \")\n", alt.trim())
}

/// The text as it was typed, and why it was not kept.
async fn refused(
    app: &App,
    edition: &Edition,
    typed: &Typed,
    why: String,
    by_script: bool,
) -> Result<Response, WebError> {
    let why = sentence(&why);
    if by_script {
        return Ok((StatusCode::UNPROCESSABLE_ENTITY, why).into_response());
    }
    let mut again = again(app, edition, typed, None).await?;
    again.error = why;
    page_with(StatusCode::UNPROCESSABLE_ENTITY, &again)
}

async fn conflict(
    app: &App,
    edition: &Edition,
    typed: &Typed,
    theirs: IssueRow,
    by_script: bool,
) -> Result<Response, WebError> {
    if by_script {
        let words = "Somebody saved since you began. Your text is kept here; press Save to see both.";
        return Ok((StatusCode::CONFLICT, words).into_response());
    }
    let mut both = again(app, edition, typed, Some(Conflict { theirs: theirs.source })).await?;
    // Saving again now replaces their text, knowingly.
    both.revision = theirs.revision;
    page_with(StatusCode::CONFLICT, &both)
}

async fn again(app: &App, edition: &Edition, typed: &Typed, conflict: Option<Conflict>) -> anyhow::Result<EditorPage> {
    let id = edition.issue.id;
    let ready = rendering::preview(app, id, &typed.source).await?.ok_or(crate::verbs::refusal::Refusal::NoSuchIssue)?;
    let frame = edition.frame(app, issue_name(&edition.issue)).await?;
    let mut again = editor_page(frame, edition, &ready, &Look::default(), app.clock.now());
    again.source = typed.source.clone();
    again.revision = typed.revision;
    again.conflict = conflict;
    Ok(again)
}

/// Begins an issue.
pub(super) async fn begin(State(app): State<App>, room: Room) -> Result<Response, WebError> {
    let newsletter = room.paper.id;
    let added = to_the_end(async move { editing::add_issue(&app, newsletter, SKELETON, None).await }).await?;
    Ok(see_other(&format!("/desk/issue/{}", added.id)))
}

#[cfg(test)]
mod tests {
    use super::figure;

    #[test]
    fn a_picture_gets_a_line_that_markdown_reads() {
        assert_eq!(figure("cat.jpg", "A cat"), "\n\n![A cat](cat.jpg \"Caption. Credit: \")\n");
        assert_eq!(figure("my cat.jpg", "a]b\nc"), "\n\n![a b c](<my cat.jpg> \"Caption. Credit: \")\n");
    }
}

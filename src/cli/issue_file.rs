//! `issue new`, `issue check`, `issue render`: an issue as a file, without database and configuration.

pub mod listing;

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::issue::check::{About, check};
use crate::issue::compose::{Personal, compose};
use crate::issue::finding::{Finding, blocked, in_order};
use crate::issue::html::fill;
use crate::issue::message::{Sending, prepare};
use crate::issue::newsletter::Masthead;
use crate::issue::parse::{Parsed, parse, slug};
use crate::issue::pictures::{Picture as Shown, Pictures, references};
use crate::issue::render::render;
use crate::issue::rendered::{Piece, Reader, Rendered, Template};
use crate::issue::tree::Issue;
use crate::media::{Picture, beside};
use crate::values::clock::{Clock, Millis};
use crate::values::ids::IssueId;
use crate::verbs::editing::pictures::is_address;
use crate::verbs::editing::rendering::octets;
use crate::verbs::problem::Problem;

/// Where the sample newsletter says that it is served.
const SAMPLE_URL: &str = "https://news.example";

/// What `issue new` writes.
const TEMPLATE: &str = include_str!("issue_file/new.md");

/// A picture that can't be used, by reference, and why.
type Broken = (String, String);

/// A file, read and judged.
pub struct Judged {
    pub source: String,
    pub issue: Issue,
    pub findings: Vec<Finding>,
    pub rendered: Rendered,
    /// Pictures beside the file, by reference, as they will be served.
    pub pictures: Vec<(String, Picture)>,
}

/// `broadsheet issue new FILE`: a beginning to write on. Never overwrites.
///
/// # Errors
/// [`Problem::Refused`] if the file is there already; or it can't be written.
pub fn new(file: &Path) -> anyhow::Result<()> {
    let opened = std::fs::OpenOptions::new().write(true).create_new(true).open(file);
    let mut out = match opened {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            let why = format!("{} is there already; nothing was written. Give another name", file.display());
            return Err(Problem::Refused(why).into());
        }
        opened => opened.with_context(|| format!("{} can't be written", file.display()))?,
    };
    out.write_all(TEMPLATE.as_bytes()).with_context(|| format!("{} can't be written", file.display()))
}

/// Reads, checks and renders a file with the sample newsletter around it.
///
/// # Errors
/// [`Problem::NotFound`] if there is no such file, [`Problem::Invalid`] if it is not text.
pub fn judge(file: &Path, clock: &Clock) -> anyhow::Result<Judged> {
    let source = read(file)?;
    let Parsed { issue, mut findings } = parse(&source);
    let folder = file.parent().unwrap_or(Path::new(""));
    let (pictures, broken) = beside_file(folder, &issue);
    let masthead = masthead();
    let date = jiff::tz::TimeZone::UTC.to_datetime(clock.now().timestamp()).date();
    let shown = shown(&issue, &pictures, &format!("{SAMPLE_URL}/m"));
    let rendered = render(&issue, &masthead, date, &shown).context("the issue could not be rendered")?;
    let about = About {
        source: &source,
        postal_address: &masthead.postal_address,
        language: &masthead.language,
        pictures: Some(&shown),
        broken: &broken,
        html_bytes: Some(octets(&rendered.html)),
    };
    findings.extend(check(&issue, &about));
    Ok(Judged { source, issue, findings: in_order(findings), rendered, pictures })
}

/// What `issue render` wrote.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Written {
    pub files: Vec<PathBuf>,
    /// The content hash that preview, test mail and send show for this text.
    pub hash: String,
    pub html_bytes: usize,
    pub is_blocked: bool,
}

/// `broadsheet issue render FILE --out DIR`: writes `issue.html` (to look at: pictures from `pictures/`),
/// `issue.txt`, `issue.eml` (the whole message for one reader) and the pictures; also when checks would block sending.
///
/// # Errors
/// When the folder can't be written.
pub fn write(judged: &Judged, out: &Path, clock: &Clock) -> anyhow::Result<Written> {
    let folder = out.join("pictures");
    std::fs::create_dir_all(&folder).with_context(|| format!("{} can't be made", folder.display()))?;
    let mut files = Vec::new();
    let mut put = |path: PathBuf, bytes: &[u8]| {
        std::fs::write(&path, bytes).with_context(|| format!("{} can't be written", path.display()))?;
        files.push(path);
        anyhow::Ok(())
    };
    let reader = reader();
    let html = fill(&judged.rendered.html, &reader);
    let to_look_at = judged.pictures.iter().fold(html.clone(), |html, (_, picture)| {
        html.replace(&format!("{SAMPLE_URL}/m/{}", picture.name), &format!("pictures/{}", picture.name))
    });
    put(out.join("issue.html"), to_look_at.as_bytes())?;
    put(out.join("issue.txt"), filled(&judged.rendered.text, &reader).as_bytes())?;
    put(out.join("issue.eml"), &message(&judged.rendered, &reader, clock.now())?)?;
    for (_, picture) in &judged.pictures {
        put(folder.join(&picture.name), &picture.bytes)?;
    }
    let is_blocked = blocked(&judged.findings);
    Ok(Written { files, hash: judged.rendered.hash.clone(), html_bytes: html.len(), is_blocked })
}

/// The file's text.
///
/// # Errors
/// Those of [`judge`].
pub fn read(file: &Path) -> anyhow::Result<String> {
    let bytes = match std::fs::read(file) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(Problem::NotFound(format!("there is no file {}", file.display())).into());
        }
        read => read.with_context(|| format!("{} can't be read", file.display()))?,
    };
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let line = error.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count() + 1;
        let why = format!("{}:{line}: this is not UTF-8; nothing was done. Save the file as UTF-8", file.display());
        Problem::Invalid(why).into()
    })
}

/// The pictures beside the file, and those that can't be used, with the reason.
fn beside_file(folder: &Path, issue: &Issue) -> (Vec<(String, Picture)>, Vec<Broken>) {
    let (mut pictures, mut broken) = (Vec::new(), Vec::new());
    for (reference, _) in references(issue).into_iter().filter(|(reference, _)| !is_address(reference)) {
        match beside::read(folder, &reference) {
            Ok(picture) => pictures.push((reference, picture)),
            Err(why) => broken.push((reference, why.to_string())),
        }
    }
    (pictures, broken)
}

/// Where each picture is served; those with an address of their own are left where they are.
fn shown(issue: &Issue, pictures: &[(String, Picture)], base: &str) -> Pictures {
    let elsewhere = references(issue).into_iter().filter(|(reference, _)| is_address(reference));
    let elsewhere = elsewhere.map(|(url, _)| (url.clone(), Shown { url, ..Shown::default() }));
    let here = pictures.iter().map(|(reference, picture)| {
        let url = format!("{base}/{}", picture.name);
        let shown = Shown { url, width: picture.width, height: picture.height, bytes: picture.bytes.len() };
        (reference.clone(), shown)
    });
    elsewhere.chain(here).collect()
}

/// The newsletter that stands in where there is none.
fn masthead() -> Masthead {
    Masthead {
        name: "The Sample".to_owned(),
        slug: slug("The Sample"),
        tagline: "A newsletter that stands in for yours".to_owned(),
        language: "en".to_owned(),
        zone: "UTC".to_owned(),
        from_name: "The Sample".to_owned(),
        from_address: "sample@news.example".to_owned(),
        reply_to: None,
        postal_address: "1 Sample Street, Anytown".to_owned(),
        accent: "#A5301F".to_owned(),
        accent_dark: "#F2937C".to_owned(),
        logo: None,
        list_id: "sample.news.example".to_owned(),
        public_url: SAMPLE_URL.to_owned(),
    }
}

/// The reader who gets it.
fn reader() -> Reader {
    let page = |name: &str| format!("{SAMPLE_URL}/r/sample/{name}");
    Reader {
        name: String::new(),
        email: "reader@news.example".to_owned(),
        web_copy: page("web"),
        unsubscribe: page("leave"),
        preferences: page("preferences"),
        pause: page("pause"),
    }
}

fn filled(template: &Template, reader: &Reader) -> String {
    let value = |piece: &Piece| match piece {
        Piece::Fixed(text) => text.clone(),
        Piece::Slot(field) => reader.value(field).to_owned(),
    };
    template.pieces.iter().map(value).collect()
}

fn message(rendered: &Rendered, reader: &Reader, now: Millis) -> anyhow::Result<Vec<u8>> {
    let sending = Sending { issue: IssueId(1), at: now, subject_prefix: "", signed: false };
    let prepared = prepare(rendered, &masthead(), sending)?;
    let mut message = Vec::new();
    let personal = Personal { reader, message_id: "sample@news.example", leave_address: "u+sample@news.example" };
    compose(&prepared, personal, &mut message)?;
    Ok(message)
}

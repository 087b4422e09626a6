//! The message that an issue's readers share: encoded once, with gaps on line boundaries for what is theirs.

use super::dkim::BodyHash;
use super::encode::{quoted, unstructured};
use super::headers::{self, Unmailable};
use super::newsletter::Masthead;
use super::rendered::{Piece, Rendered, Template};
use super::tree::Field;
use crate::values::clock::Millis;
use crate::values::ids::IssueId;

/// Cannot occur in quoted-printable, where `=` is followed by hexadecimal digits or the end of a line; so it cannot
/// occur in a part (RFC 2046 §5.1.1).
const BOUNDARY: &str = "=_broadsheet_part";

/// What the sending says, beside the issue itself.
#[derive(Clone, Copy, Debug)]
pub struct Sending<'a> {
    pub issue: IssueId,
    /// The message's Date, fixed before the first attempt.
    pub at: Millis,
    /// Before the subject: `"[Test] "` on a test mail.
    pub subject_prefix: &'a str,
    /// Whether the message will be signed: one-click unsubscribe is promised only under a signature (RFC 8058 §4).
    pub signed: bool,
}

/// A message, prepared: runs of finished bytes, and the gaps between them.
#[derive(Clone, Debug)]
pub struct Prepared {
    pub(super) head: Vec<Part>,
    pub(super) body: Vec<Part>,
    /// The subject, where it has gaps.
    pub(super) subject: Template,
    pub(super) subject_prefix: String,
    pub(super) signed: bool,
    pub(super) at: Millis,
    /// Octets of all finished runs.
    pub(super) fixed_octets: usize,
    /// The hash of the part of the body that all readers share, begun.
    pub(super) common: BodyHash,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Fixed(Vec<u8>),
    To,
    Subject,
    MessageId,
    Unsubscribe,
    /// A field in the text part.
    Text(Field),
    /// A field in the HTML part.
    Html(Field),
}

impl Prepared {
    /// Octets of the message without what is the reader's: nearly its size.
    #[must_use]
    pub fn octets(&self) -> usize {
        self.fixed_octets
    }

    /// The instant in the message's Date.
    #[must_use]
    pub fn at(&self) -> Millis {
        self.at
    }

    /// Octets of the body up to its first gap, which are the same for every reader.
    pub(super) fn common_octets(&self) -> usize {
        common(&self.body).len()
    }
}

/// Encodes a rendered issue once for all its readers.
///
/// # Errors
/// [`Unmailable`], if the newsletter's own addresses cannot stand in a header.
pub fn prepare(rendered: &Rendered, masthead: &Masthead, sending: Sending<'_>) -> Result<Prepared, Unmailable> {
    let mut run = Vec::new();
    headers::sender(masthead, &mut run)?;
    let mut head = vec![Part::Fixed(std::mem::take(&mut run)), Part::To];
    let gaps = rendered.subject.pieces.iter().any(|piece| matches!(piece, Piece::Slot(_)));
    if gaps {
        head.push(Part::Subject);
    } else {
        let subject: String = rendered.subject.pieces.iter().map(fixed_text).collect();
        unstructured("Subject", &format!("{}{subject}", sending.subject_prefix), &mut run);
    }
    headers::field("Date", &headers::date(sending.at, &masthead.zone), &mut run);
    head.extend([Part::Fixed(std::mem::take(&mut run)), Part::MessageId]);
    headers::list(masthead, sending.issue, &mut run)?;
    head.extend([Part::Fixed(std::mem::take(&mut run)), Part::Unsubscribe]);
    headers::field("Precedence", "bulk", &mut run);
    headers::field("X-Auto-Response-Suppress", "OOF, AutoReply", &mut run);
    run.extend_from_slice(mime_head().as_bytes());
    head.push(Part::Fixed(run));
    let body = alternatives(&rendered.text, &rendered.html);
    let fixed_octets =
        head.iter().chain(&body).map(|part| if let Part::Fixed(run) = part { run.len() } else { 0 }).sum();
    let mut hash = BodyHash::default();
    // What `quoted` writes is in its relaxed canonical form already.
    hash.update_canonical(common(&body));
    Ok(Prepared {
        head,
        body,
        common: hash,
        subject: rendered.subject.clone(),
        subject_prefix: sending.subject_prefix.to_owned(),
        signed: sending.signed,
        at: sending.at,
        fixed_octets,
    })
}

/// The last headers, and the empty line after them.
pub(super) fn mime_head() -> String {
    format!("MIME-Version: 1.0\r\nContent-Type: multipart/alternative;\r\n boundary=\"{BOUNDARY}\"\r\n\r\n")
}

fn common(body: &[Part]) -> &[u8] {
    match body.first() {
        Some(Part::Fixed(run)) => run,
        _ => &[],
    }
}

fn fixed_text(piece: &Piece) -> &str {
    match piece {
        Piece::Fixed(text) => text,
        Piece::Slot(_) => "",
    }
}

/// The body: text first, HTML last, as readers prefer the last that they can show (RFC 2046 §5.1.4).
pub(super) fn alternatives(text: &Template, html: &Template) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut run = Vec::new();
    for (kind, template) in [("plain", text), ("html", html)] {
        let open = format!(
            "--{BOUNDARY}\r\nContent-Type: text/{kind}; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
        );
        run.extend_from_slice(open.as_bytes());
        for piece in &template.pieces {
            match piece {
                Piece::Fixed(text) => quoted(text, &mut run),
                Piece::Slot(field) => {
                    parts.push(Part::Fixed(std::mem::take(&mut run)));
                    let slot = if kind == "plain" { Part::Text } else { Part::Html };
                    parts.push(slot(field.clone()));
                }
            }
        }
        run.extend_from_slice(b"\r\n");
    }
    run.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
    parts.push(Part::Fixed(run));
    parts
}

//! Rendering: from the tree to everything that is the same for every reader. Pure and deterministic: the same issue
//! gives the same hash on every machine.

use aws_lc_rs::digest::{Context, SHA256};
use jiff::civil::Date;

use super::mjml::{self, RenderError};
use super::newsletter::Masthead;
use super::pictures::Pictures;
use super::rendered::{Piece, Rendered, Template};
use super::slots::Slots;
use super::tree::{Inline, Issue};
use super::{text, web};

/// Renders an issue: the mail's HTML, its text twin, the archive's article, the subject, and the hash over them.
/// `date` is the day on the folio line.
///
/// # Errors
/// [`RenderError`], for faults of ours in the templates; no text that was parsed can cause one.
pub fn render(issue: &Issue, masthead: &Masthead, date: Date, pictures: &Pictures) -> Result<Rendered, RenderError> {
    let mut rendered = Rendered {
        subject: subject(&issue.subject),
        html: mjml::html(issue, masthead, date, pictures)?,
        text: text::text(issue, masthead, date),
        web: web::article(issue, masthead, date, pictures),
        hash: String::new(),
    };
    rendered.hash = hash(&rendered);
    Ok(rendered)
}

/// The subject as a line of text with gaps: no markup, no line breaks.
fn subject(inlines: &[Inline]) -> Template {
    let mut slots = Slots::default();
    let line = mjml::with_tokens(inlines, &mut slots);
    slots.cut(&line.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// SHA-256 in hex over every part and every gap, each with its length before it, so that nothing can move from one
/// part to the next unnoticed.
#[must_use]
pub fn hash(rendered: &Rendered) -> String {
    let mut context = Context::new(&SHA256);
    for template in [&rendered.subject, &rendered.html, &rendered.text] {
        count(&mut context, template.pieces.len());
        for piece in &template.pieces {
            match piece {
                Piece::Fixed(text) => part(&mut context, "text", text),
                Piece::Slot(field) => part(&mut context, "gap", &format!("{field:?}")),
            }
        }
    }
    part(&mut context, "web", &rendered.web);
    context.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn part(context: &mut Context, kind: &str, text: &str) {
    context.update(kind.as_bytes());
    count(context, text.len());
    context.update(text.as_bytes());
}

fn count(context: &mut Context, number: usize) {
    context.update(&(number as u64).to_be_bytes());
}

#[cfg(test)]
mod tests;

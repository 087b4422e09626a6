//! A reader's message: the shared runs copied, the gaps filled. No template, no encoding of anything that is shared.

use super::dkim::Signer;
use super::encode::{mailbox, quoted, unstructured};
use super::headers::{self, Unmailable};
use super::html::{escape, one_line};
use super::message::{Part, Prepared};
use super::rendered::{Piece, Reader, Template};
use super::tree::Field;

/// Room for what is the reader's, so that a buffer grows once.
const PERSONAL_OCTETS: usize = 4_096;

/// Whose message it is.
#[derive(Clone, Copy, Debug)]
pub struct Personal<'a> {
    pub reader: &'a Reader,
    /// Without brackets.
    pub message_id: &'a str,
    /// The address that leaves by mail.
    pub leave_address: &'a str,
}

/// Writes a reader's whole message, unsigned, into `out`, which is emptied first and may be used again and again.
/// Returns where its body begins.
///
/// # Errors
/// [`Unmailable`], if the reader's address or links cannot stand in a header; `out` then holds nothing useful.
pub fn compose(prepared: &Prepared, personal: Personal<'_>, out: &mut Vec<u8>) -> Result<usize, Unmailable> {
    out.clear();
    out.reserve(prepared.octets() + PERSONAL_OCTETS);
    for part in &prepared.head {
        write_part(prepared, personal, part, out)?;
    }
    let body_at = out.len();
    for part in &prepared.body {
        write_part(prepared, personal, part, out)?;
    }
    Ok(body_at)
}

/// The same, signed.
///
/// # Errors
/// Those of [`compose`].
pub fn compose_signed(
    prepared: &Prepared,
    personal: Personal<'_>,
    signer: &Signer,
    out: &mut Vec<u8>,
) -> Result<(), Unmailable> {
    let body_at = compose(prepared, personal, out)?;
    let mut hash = prepared.common.clone();
    hash.update_canonical(&out[body_at + prepared.common_octets()..]);
    signer.sign_hashed(out, body_at, hash, prepared.at);
    Ok(())
}

fn write_part(prepared: &Prepared, personal: Personal<'_>, part: &Part, out: &mut Vec<u8>) -> Result<(), Unmailable> {
    match part {
        Part::Fixed(run) => out.extend_from_slice(run),
        Part::To => {
            let address = headers::ascii_address(&personal.reader.email)?;
            out.extend_from_slice(b"To: ");
            mailbox(&personal.reader.name, &address, "To: ".len(), out);
            out.extend_from_slice(b"\r\n");
        }
        Part::Subject => {
            let subject = format!("{}{}", prepared.subject_prefix, fill_line(&prepared.subject, personal.reader));
            unstructured("Subject", &subject, out);
        }
        Part::MessageId => headers::field("Message-ID", &headers::message_id(personal.message_id)?, out),
        Part::Unsubscribe => unsubscribe(prepared, personal, out)?,
        Part::Text(field) => quoted(&one_line(personal.reader.value(field)), out),
        Part::Html(field) => html_value(personal.reader, field, out),
    }
    Ok(())
}

fn html_value(reader: &Reader, field: &Field, out: &mut Vec<u8>) {
    quoted(&escape(&one_line(reader.value(field))), out);
}

/// The way out, https first and mailto behind it: Gmail and Yahoo press the first, Outlook.com takes only the second
/// (RFC 8058 §3.1, RFC 2369 §3.2).
fn unsubscribe(prepared: &Prepared, personal: Personal<'_>, out: &mut Vec<u8>) -> Result<(), Unmailable> {
    let link = headers::bracketed(&personal.reader.unsubscribe)?;
    let by_mail = headers::bracketed(&format!("mailto:{}?subject=unsubscribe", personal.leave_address))?;
    out.extend_from_slice(b"List-Unsubscribe: ");
    out.extend_from_slice(link.as_bytes());
    out.extend_from_slice(b",\r\n ");
    out.extend_from_slice(by_mail.as_bytes());
    out.extend_from_slice(b"\r\n");
    if prepared.signed && headers::one_click_possible(&personal.reader.unsubscribe) {
        headers::field("List-Unsubscribe-Post", "List-Unsubscribe=One-Click", out);
    }
    Ok(())
}

/// A line of text for one reader.
#[must_use]
pub fn fill_line(template: &Template, reader: &Reader) -> String {
    let value = |piece: &Piece| match piece {
        Piece::Fixed(text) => text.clone(),
        Piece::Slot(field) => one_line(reader.value(field)).into_owned(),
    };
    template.pieces.iter().map(value).collect()
}

#[cfg(test)]
mod tests;

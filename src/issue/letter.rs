//! The house's own letters to one person: the confirmation of a sign-up, notices to editors. They are mail that a
//! program wrote (RFC 3834: `Auto-Submitted`), they are no bulk mail (no List-Unsubscribe-Post), and nothing is sold in
//! them.

use askama::Template as _;

use super::colour::Colour;
use super::encode::{mailbox, unstructured};
use super::headers::{self, Unmailable};
use super::message::{Part, alternatives, mime_head};
use super::mjml::{self, Plate, RenderError, to_html};
use super::newsletter::Masthead;
use super::pictures::Pictures;
use super::rendered::{Piece, Template};
use super::text;
use super::theme::Theme;
use super::words::{self, LetterWords, letter_words};
use crate::values::clock::Millis;

/// The desk's blue pencil, light and dark: editors' mail is not in the newsletter's ink.
const PENCIL: Colour = Colour([0x1C, 0x45, 0xB8]);
const PENCIL_DARK: Colour = Colour([0x9D, 0xB6, 0xFF]);

/// A letter's content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    pub subject: String,
    pub html: String,
    pub text: String,
}

/// What a confirmation says. Nothing of it was chosen by whoever filled in the form.
#[derive(Clone, Copy, Debug)]
pub struct Confirmation<'a> {
    pub masthead: &'a Masthead,
    pub confirm_url: &'a str,
    /// "This was not me."
    pub not_me_url: &'a str,
    pub asked_at: Millis,
    pub expires_at: Millis,
}

/// What an editor is told.
#[derive(Clone, Debug, Default)]
pub struct Notice {
    /// A statement: "No issue is ready for Sunday at nine". It is the subject too.
    pub headline: String,
    pub paragraphs: Vec<String>,
    /// Name and value: the evidence.
    pub facts: Vec<(String, String)>,
    /// The one thing to do: what the button says, and where it leads.
    pub action: Option<(String, String)>,
    /// Below the button.
    pub after: Vec<String>,
}

/// Whom a letter goes to, and when it was written.
#[derive(Clone, Copy, Debug)]
pub struct Addressee<'a> {
    pub address: &'a str,
    /// Empty where a stranger might have chosen it.
    pub name: &'a str,
    /// Without brackets.
    pub message_id: &'a str,
    pub at: Millis,
}

#[derive(askama::Template)]
#[template(path = "email/confirm.mjml", escape = "html")]
struct ConfirmMail<'a> {
    theme: &'a Theme,
    title: &'a str,
    preview: &'a str,
    plate: Plate,
    words: &'static LetterWords,
    asked: &'a str,
    works_until: &'a str,
    confirm_url: &'a str,
    not_me_url: &'a str,
    why: &'a str,
    imprint: &'a [String],
}

#[derive(askama::Template)]
#[template(path = "email/confirm.txt", escape = "none")]
struct ConfirmText<'a> {
    line: String,
    name: String,
    words: &'static LetterWords,
    underline: String,
    underline_two: String,
    asked: &'a str,
    works_until: &'a str,
    confirm_url: &'a str,
    not_me_url: &'a str,
    why: &'a str,
    imprint: &'a [String],
}

#[derive(askama::Template)]
#[template(path = "email/notice.mjml", escape = "html")]
struct NoticeMail<'a> {
    theme: &'a Theme,
    title: &'a str,
    preview: &'a str,
    newsletter: &'a str,
    notice: &'a Notice,
    why: &'a str,
}

#[derive(askama::Template)]
#[template(path = "email/notice.txt", escape = "none")]
struct NoticeText<'a> {
    line: String,
    newsletter: &'a str,
    underline: String,
    notice: &'a Notice,
    why: &'a str,
}

/// The letter that asks whether an address is right, in the newsletter's language and look.
///
/// # Errors
/// [`RenderError`], for faults of ours in the templates.
pub fn confirm_letter(confirmation: &Confirmation<'_>) -> Result<Letter, RenderError> {
    let Confirmation { masthead, confirm_url, not_me_url, asked_at, expires_at } = *confirmation;
    let theme = Theme::new(masthead, &masthead.language);
    let words = letter_words(&theme.language);
    let filled = |words: &str, when: Millis| {
        let when = moment(&theme.language, when, &masthead.zone);
        let words = words.replace("{when}", &when).replace("{host}", mjml::host(&masthead.public_url));
        words.replace("{name}", &masthead.name)
    };
    let subject = filled(words.subject, asked_at);
    let (asked, why) = (filled(words.somebody_asked, asked_at), filled(words.why, asked_at));
    let (works_until, imprint) = (filled(words.works_until, expires_at), mjml::imprint(masthead));
    let mail = ConfirmMail {
        theme: &theme,
        title: &subject,
        preview: words.preview,
        plate: mjml::plate(masthead, &Pictures::default()),
        words,
        asked: &asked,
        works_until: &works_until,
        confirm_url,
        not_me_url,
        why: &why,
        imprint: &imprint,
    };
    let twin = ConfirmText {
        line: text::double_line(),
        name: masthead.name.to_uppercase(),
        words,
        underline: text::underline(words.is_this_right, '='),
        underline_two: text::underline(words.not_you, '-'),
        asked: &asked,
        works_until: &works_until,
        confirm_url,
        not_me_url,
        why: &why,
        imprint: &imprint,
    };
    let (html, text) = (to_html(&mail.render()?)?, text::wrapped(&twin.render()?));
    Ok(Letter { subject, html, text })
}

/// A notice to an editor of a newsletter, in English, as the desk is.
///
/// # Errors
/// [`RenderError`], for faults of ours in the templates.
pub fn notice_letter(notice: &Notice, masthead: &Masthead) -> Result<Letter, RenderError> {
    let theme = Theme::in_colours(PENCIL, PENCIL_DARK, "en");
    let why = format!("You get this because you are an editor of {}.", masthead.name);
    let title = format!("{} · Broadsheet", notice.headline);
    let preview = notice.paragraphs.first().map(String::as_str).unwrap_or_default();
    let newsletter = &masthead.name;
    let mail = NoticeMail { theme: &theme, title: &title, preview, newsletter, notice, why: &why };
    let underline = text::underline(&notice.headline, '=');
    let twin = NoticeText { line: text::double_line(), newsletter, underline, notice, why: &why };
    let subject = format!("{}: {}", masthead.name, notice.headline);
    Ok(Letter { subject, html: to_html(&mail.render()?)?, text: text::wrapped(&twin.render()?) })
}

/// The letter's whole message, unsigned; [`Signer::sign`](super::dkim::Signer::sign) signs it.
///
/// # Errors
/// [`Unmailable`], if an address cannot stand in a header.
pub fn letter_message(letter: &Letter, masthead: &Masthead, to: Addressee<'_>) -> Result<Vec<u8>, Unmailable> {
    let mut out = Vec::with_capacity(2 * (letter.html.len() + letter.text.len()));
    headers::sender(masthead, &mut out)?;
    let address = headers::ascii_address(to.address)?;
    out.extend_from_slice(b"To: ");
    mailbox(to.name, &address, "To: ".len(), &mut out);
    out.extend_from_slice(b"\r\n");
    unstructured("Subject", &letter.subject, &mut out);
    headers::field("Date", &headers::date(to.at, &masthead.zone), &mut out);
    headers::field("Message-ID", &headers::message_id(to.message_id)?, &mut out);
    headers::field("Auto-Submitted", "auto-generated", &mut out);
    headers::field("X-Auto-Response-Suppress", "All", &mut out);
    out.extend_from_slice(mime_head().as_bytes());
    for part in alternatives(&fixed(&letter.text), &fixed(&letter.html)) {
        if let Part::Fixed(run) = part {
            out.extend_from_slice(&run);
        }
    }
    Ok(out)
}

fn fixed(text: &str) -> Template {
    Template { pieces: vec![Piece::Fixed(text.to_owned())] }
}

/// "Tuesday 1 December 2026, 09:00 (Europe/Oslo)": never without its zone.
fn moment(language: &str, at: Millis, zone: &str) -> String {
    let timestamp = at.timestamp();
    let here = timestamp.to_zoned_datetime(crate::values::zone::find(zone).unwrap_or(jiff::tz::TimeZone::UTC));
    let name = here.time_zone().iana_name().unwrap_or("UTC").to_owned();
    format!("{}, {} ({name})", words::day(language, here.date()).whole(), here.strftime("%H:%M"))
}

#[cfg(test)]
mod tests;

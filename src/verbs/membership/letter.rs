//! The one letter that a sign-up causes. It carries nothing that whoever filled in the form could choose: no name, no
//! words of theirs (I25 of the bad-input table), so that nobody can send their own text through us.

use super::guard::LINK_MS;
use crate::audience::form::LANGUAGES;
use crate::issue::envelope;
use crate::issue::letter::{Addressee, Confirmation, confirm_letter, letter_message};
use crate::store::letter::{LetterKind, NewLetter};
use crate::store::newsletter::Newsletter;
use crate::values::address::Address;
use crate::values::ids::{IssueId, SubscriberId};
use crate::values::token::Purpose;
use crate::verbs::app::App;
use crate::verbs::deliver::return_domain;

/// The letter that asks for confirmation, complete but for its signature; in `language` if we have words in it, else in
/// the newsletter's.
///
/// # Errors
/// When it cannot be built: a fault of the templates, or of the newsletter's own addresses.
pub(super) fn confirmation(
    app: &App,
    newsletter: &Newsletter,
    id: SubscriberId,
    address: &Address,
    language: &str,
) -> anyhow::Result<NewLetter> {
    let now = app.clock.now();
    // Long enough for a holiday's first days, short enough for a found mail to be worthless.
    let expires = now.plus(LINK_MS);
    let mut masthead = newsletter.masthead(&app.config.public_url);
    // One of the languages we have words in, so still nothing of what was typed.
    if let Some((known, _)) = LANGUAGES.iter().find(|(known, _)| *known == language) {
        masthead.language = (*known).to_owned();
    }
    let token = app.keys.seal(Purpose::Confirm, [newsletter.id.0, id.0, expires.0]);
    let confirm_url = format!("{}/c/{token}", masthead.public_url);
    let letter = confirm_letter(&Confirmation {
        masthead: &masthead,
        confirm_url: &confirm_url,
        // The page has both buttons; a link that did it at once would be pressed by scanners.
        not_me_url: &confirm_url,
        asked_at: now,
        expires_at: expires,
    })?;
    let domain = return_domain(app, newsletter.sender_domain());
    let unique = app.keys.fingerprint(&format!("confirmation {} {} {}", newsletter.id, id, now.0));
    let message_id = format!("confirm.{unique}@{}", newsletter.sender_domain());
    let to = Addressee { address: address.as_str(), name: "", message_id: &message_id, at: now };
    Ok(NewLetter {
        kind: LetterKind::Confirm,
        newsletter_id: newsletter.id,
        subscriber_id: Some(id),
        address: address.as_str().to_owned(),
        return_path: envelope::return_path(&app.keys, IssueId(0), id, &domain),
        message: letter_message(&letter, &masthead, to)?,
    })
}

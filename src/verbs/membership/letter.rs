//! The one letter that a sign-up causes. It carries nothing that whoever filled in the form could choose: no name, no
//! words of theirs (I25 of the bad-input table), so that nobody can send their own text through us.

use lettre::message::Mailbox;
use lettre::message::header::{ContentTransferEncoding, ContentType};

use crate::store::letter::{LetterKind, NewLetter};
use crate::store::newsletter::Newsletter;
use crate::values::address::Address;
use crate::values::clock::Millis;
use crate::values::ids::SubscriberId;
use crate::values::token::Purpose;
use crate::verbs::app::App;

/// How long the button works: long enough for a holiday's first days, short enough for a found mail to be worthless.
const CONFIRM_MS: i64 = 7 * Millis::DAY;

/// The letter that asks for confirmation.
///
/// # Errors
/// When it cannot be built.
pub(super) async fn confirmation(
    app: &App,
    newsletter: &Newsletter,
    id: SubscriberId,
    address: &Address,
) -> anyhow::Result<NewLetter> {
    let expires = app.clock.now().plus(CONFIRM_MS);
    let token = app.keys.seal(Purpose::Confirm, [newsletter.id.0, id.0, expires.0]);
    let link = format!("{}/c/{token}", app.config.public_url.trim_end_matches('/'));
    let from = Mailbox::new(Some(newsletter.from_name.clone()), newsletter.from_address.parse()?);
    let text = format!(
        "Please confirm that you want {name}:\r\n\r\n{link}\r\n\r\n\
         If you did not ask for it, do nothing, and nothing will be sent.\r\n\r\n{postal}\r\n",
        name = newsletter.name,
        postal = newsletter.postal_address,
    );
    let message = lettre::Message::builder()
        .from(from)
        .to(Mailbox::new(None, address.as_str().parse()?))
        .subject(format!("Confirm your subscription to {}", newsletter.name))
        .header(ContentType::TEXT_PLAIN)
        .header(ContentTransferEncoding::QuotedPrintable)
        .body(text)?;
    Ok(NewLetter {
        kind: LetterKind::Confirm,
        newsletter_id: newsletter.id,
        subscriber_id: Some(id),
        address: address.as_str().to_owned(),
        return_path: newsletter.from_address.clone(),
        message: message.formatted(),
    })
}

//! Who holds a personal link: the token opened, and the rows behind it as far as they still exist.

use crate::store::newsletter::{self, Newsletter};
use crate::store::subscriber::{self, Subscriber};
use crate::store::subscription::{self, Subscription};
use crate::store::{Tx, issue};
use crate::values::ids::{IssueId, NewsletterId, SubscriberId};
use crate::values::token::{BadToken, Payload, Purpose};
use crate::verbs::app::App;
use crate::verbs::doubt::{self, Evidence};

/// Letters that mail programs and people glue to the end of a link; one of them is dropped.
const GLUED: [char; 4] = ['.', ',', '>', ')'];

/// What a reader's token names. Rows may be gone (erased, newsletter deleted); the token still opens, since a link
/// for leaving works for ever.
#[derive(Clone, Debug)]
pub struct Seat {
    pub newsletter_id: NewsletterId,
    pub subscriber_id: SubscriberId,
    /// The issue in whose mail the link stood.
    pub issue_id: Option<IssueId>,
    pub newsletter: Option<Newsletter>,
    pub subscriber: Option<Subscriber>,
    pub subscription: Option<Subscription>,
}

/// Opens a reader's token and looks up whom it names.
///
/// # Errors
/// When the database cannot be read. A token that is none of ours is `Ok(Err(BadToken))`.
pub async fn seat(app: &App, token: &str) -> anyhow::Result<Result<Seat, BadToken>> {
    let payload = match open(app, Purpose::Reader, token) {
        Ok(payload) => payload,
        Err(bad) => return Ok(Err(bad)),
    };
    let mut tx = app.store.read().await?;
    Ok(Ok(look_up(&mut tx, payload).await?))
}

/// Opens a token of `purpose`; a letter glued to its end is dropped once.
pub(super) fn open(app: &App, purpose: Purpose, token: &str) -> Result<Payload, BadToken> {
    app.keys.open(purpose, token.strip_suffix(GLUED).unwrap_or(token))
}

pub(super) async fn look_up(tx: &mut Tx, [newsletter, subscriber, issue]: Payload) -> anyhow::Result<Seat> {
    let (newsletter_id, subscriber_id) = (NewsletterId(newsletter), SubscriberId(subscriber));
    let issue_id = match issue {
        0 => None,
        id => issue::by_id(tx, IssueId(id)).await?.map(|row| row.id),
    };
    Ok(Seat {
        newsletter_id,
        subscriber_id,
        issue_id,
        newsletter: newsletter::by_id(tx, newsletter_id).await?,
        subscriber: subscriber::by_id(tx, subscriber_id).await?,
        subscription: subscription::by_ids(tx, newsletter_id, subscriber_id).await?,
    })
}

/// The reader holds the link of a mail and pressed a button behind it, so that mail has arrived, should anybody doubt
/// it. Not for those who only look: scanners do.
pub(super) async fn arrived(tx: &mut Tx, seat: &Seat) -> anyhow::Result<()> {
    if let Some(issue) = seat.issue_id {
        doubt::proven_in(tx, issue, seat.subscriber_id, &Evidence::Reader).await?;
    }
    Ok(())
}

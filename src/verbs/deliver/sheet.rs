//! An issue ready to be written out for any of its readers: frozen rendering, frozen sender, keys. Made once an issue.
//! Whoever edits the newsletter while its mail leaves changes the next issue: every try is the same bytes, from the
//! same sender, under the same Message-ID.

use std::sync::Arc;

use anyhow::Context as _;

use super::job::Outgoing;
use crate::audience::recipient::Recipient;
use crate::issue::compose::{Personal, compose, compose_signed};
use crate::issue::dkim::Signer;
use crate::issue::envelope;
use crate::issue::message::{Prepared, Sending, prepare};
use crate::issue::newsletter::Masthead;
use crate::issue::rendered::{Reader, Rendered};
use crate::schedule::hours::night::Night;
use crate::store::issue::Leaving;
use crate::store::{newsletter, rendering};
use crate::values::ids::{IssueId, NewsletterId, SubscriberId};
use crate::values::token::{Keyring, Purpose};
use crate::verbs::app::App;
use crate::verbs::signing;

/// Everything that a reader's message needs and that is the same for all.
pub(in crate::verbs) struct Sheet {
    pub issue: IssueId,
    pub newsletter: NewsletterId,
    /// The quiet hours it goes out with.
    pub night: Option<Night>,
    prepared: Prepared,
    /// `None` in benchmarks that measure what a signature costs.
    signer: Option<Arc<Signer>>,
    keys: Keyring,
    public_url: String,
    sender_domain: String,
    return_domain: String,
}

impl Sheet {
    /// The sheet of a published issue.
    ///
    /// # Errors
    /// When the store cannot, nothing was frozen, or the newsletter's own addresses cannot stand in a header.
    pub(super) async fn of(app: &App, leaving: &Leaving) -> anyhow::Result<Self> {
        let mut tx = app.store.read().await?;
        let frozen = rendering::by_issue(&mut tx, leaving.id).await?.context("the issue has no frozen rendering")?;
        let row = newsletter::by_id(&mut tx, leaving.newsletter_id).await?.context("the newsletter is gone")?;
        drop(tx);
        let masthead = frozen.masthead.unwrap_or_else(|| row.masthead(&app.config.public_url));
        let sending = Sending { issue: leaving.id, at: frozen.message_at, subject_prefix: "", signed: true };
        let night = frozen.night;
        Ok(Self { night, ..Self::new(app, row.id, &masthead, &frozen.rendered, sending).await? })
    }

    /// The sheet of a rendering that goes out under a masthead.
    ///
    /// # Errors
    /// As [`Sheet::of`].
    pub(in crate::verbs) async fn new(
        app: &App,
        newsletter: NewsletterId,
        masthead: &Masthead,
        rendered: &Rendered,
        sending: Sending<'_>,
    ) -> anyhow::Result<Self> {
        let (issue, sender_domain) = (sending.issue, masthead.sender_domain().to_owned());
        let signer = match app.config.bench.unsigned {
            true => None,
            false => Some(Arc::new(signing::signer(app, &sender_domain).await?)),
        };
        let prepared = prepare(rendered, masthead, sending)?;
        Ok(Self {
            issue,
            newsletter,
            night: None,
            prepared,
            signer,
            keys: app.keys.clone(),
            public_url: app.config.public_url.clone(),
            return_domain: return_domain(app, &sender_domain),
            sender_domain,
        })
    }

    /// A recipient's whole message, signed, with its envelope.
    ///
    /// # Errors
    /// When the reader's address cannot stand in a header.
    pub(super) fn outgoing(&self, recipient: &Recipient, buffer: Vec<u8>) -> anyhow::Result<Outgoing> {
        self.write_into(buffer, recipient.subscriber(), recipient.name(), recipient.address())
    }

    /// The same for an address that is nobody's subscription: a test mail, whose links lead to nobody's data.
    ///
    /// # Errors
    /// As [`Sheet::outgoing`].
    pub(in crate::verbs) fn write(
        &self,
        subscriber: SubscriberId,
        name: &str,
        address: &str,
    ) -> anyhow::Result<Outgoing> {
        self.write_into(Vec::new(), subscriber, name, address)
    }

    fn write_into(
        &self,
        mut message: Vec<u8>,
        subscriber: SubscriberId,
        name: &str,
        address: &str,
    ) -> anyhow::Result<Outgoing> {
        let token = self.keys.seal(Purpose::Reader, [self.newsletter.0, subscriber.0, self.issue.0]);
        let link = |page: &str| format!("{}/r/{token}/{page}", self.public_url);
        let reader = Reader {
            name: name.to_owned(),
            email: address.to_owned(),
            web_copy: link("web"),
            unsubscribe: link("unsubscribe"),
            preferences: link("preferences"),
            pause: link("pause"),
        };
        let message_id = envelope::message_id(&self.keys, self.issue, subscriber, &self.sender_domain);
        let leave_address = envelope::leave_address(&token, &self.return_domain);
        let personal = Personal { reader: &reader, message_id: &message_id, leave_address: &leave_address };
        match &self.signer {
            Some(signer) => compose_signed(&self.prepared, personal, signer, &mut message)?,
            None => drop(compose(&self.prepared, personal, &mut message)?),
        }
        let mail_from = envelope::return_path(&self.keys, self.issue, subscriber, &self.return_domain);
        Ok(Outgoing { mail_from, rcpt_to: address.to_owned(), message })
    }
}

/// Where bounces come back to: as configured, or `bounce.` and the sender's domain.
#[must_use]
pub fn return_domain(app: &App, sender_domain: &str) -> String {
    if app.config.return_domain.is_empty() {
        format!("bounce.{sender_domain}")
    } else {
        app.config.return_domain.clone()
    }
}

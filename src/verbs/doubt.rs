//! In doubt: a mail that was on the wire when nobody could hear the answer any more. What is known of each, what people
//! decide, and what decides itself.
//!
//! A mail is in doubt because the process died or was cut off while it was on the wire, or because the connection ended
//! before the relay's last answer. It is held: sending it again might make two, leaving it might make none. The relay's
//! log knows, by the Message-ID. Whoever answers by a link of that very mail has it, and a bounce that comes back for
//! it shows that the relay took it. Looking proves nothing: scanners look, and no GET changes anything here.

use serde_json::json;

use crate::delivery::state::DeliveryState;
use crate::issue::envelope;
use crate::store::delivery::doubt::{self, DoubtRow, PROVEN, Proof};
use crate::store::event::{self, About};
use crate::store::issue::{self, IssueRow, IssueState};
use crate::store::{Tx, newsletter, rendering};
use crate::values::address::Address;
use crate::values::clock::Millis;
use crate::values::ids::{AccountId, IssueId, SubscriberId, epoch_at};
use crate::verbs::app::App;
use crate::verbs::deliver::INFLIGHT_LEASE_MS;
use crate::verbs::problem::Problem;
use crate::verbs::publish::{known, tell};
use crate::verbs::refusal::Refusal;

/// Why nobody knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// The process died, or was taken for dead, while the mail was on the wire.
    Interrupted,
    /// The connection ended, or what came was no answer, after the last byte.
    NoAnswer,
}

impl Why {
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Interrupted => "the machine stopped while it was on the wire",
            Self::NoAnswer => "the relay gave no clear answer after the last byte",
        }
    }
}

/// Everything that is known of one mail in doubt.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Doubt {
    pub subscriber: SubscriberId,
    pub address: String,
    pub why: Why,
    /// What was heard instead of an answer.
    pub heard: Option<String>,
    /// The bytes may have left between these two.
    pub from: Millis,
    pub until: Millis,
    /// The relay's name, and `host:port`.
    pub relay: Option<String>,
    pub relay_address: Option<String>,
    /// The machine that sent it, while its process still lives.
    pub machine: Option<String>,
    /// Without brackets: what the relay's log knows it by.
    pub message_id: String,
    pub attempts: i64,
}

/// A page of an issue's mails in doubt after a reader: ask again with the last one's id until it comes back empty.
///
/// # Errors
/// [`Refusal::NoSuchIssue`], or the store cannot.
pub async fn page(app: &App, issue: IssueId, after: Option<SubscriberId>, limit: i64) -> anyhow::Result<Vec<Doubt>> {
    let mut tx = app.store.read().await?;
    let row = issue::by_id(&mut tx, issue).await?.ok_or(Refusal::NoSuchIssue)?;
    let domain = sender_domain(app, &mut tx, &row).await?;
    let rows = doubt::page(&mut tx, issue, after.unwrap_or(SubscriberId(0)), limit).await?;
    Ok(rows.into_iter().map(|row| known_of(app, issue, row, &domain)).collect())
}

/// Of the sender that the issue went out under, whoever it is now.
async fn sender_domain(app: &App, tx: &mut Tx, row: &IssueRow) -> anyhow::Result<String> {
    if let Some(masthead) = rendering::masthead(tx, row.id).await? {
        return Ok(masthead.sender_domain().to_owned());
    }
    let newsletter = newsletter::by_id(tx, row.newsletter_id).await?;
    Ok(newsletter.map(|row| row.masthead(&app.config.public_url).sender_domain().to_owned()).unwrap_or_default())
}

fn known_of(app: &App, issue: IssueId, row: DoubtRow, domain: &str) -> Doubt {
    let claimed_at = epoch_at(row.epoch);
    let settled = Millis(row.settled_at.unwrap_or(row.next_at));
    // The mark set its lease; whoever took it back left it as it was.
    let (why, from, heard) = match row.reason.as_deref() {
        Some("interrupted") => (Why::Interrupted, Millis(row.next_at).plus(-INFLIGHT_LEASE_MS), None),
        _ => (Why::NoAnswer, settled, row.reply_text),
    };
    let sat_there = row.node_started_at.is_some_and(|at| at <= claimed_at.0);
    Doubt {
        message_id: envelope::message_id(&app.keys, issue, row.subscriber_id, domain),
        subscriber: row.subscriber_id,
        address: row.address,
        why,
        heard,
        from: from.min(settled),
        until: settled,
        relay: row.relay,
        relay_address: row.relay_host.zip(row.relay_port).map(|(host, port)| format!("{host}:{port}")),
        machine: row.node_host.filter(|_| sat_there),
        attempts: row.attempts,
    }
}

/// Those of `addresses` whose mail is in doubt.
///
/// # Errors
/// [`Problem::NotFound`] where one is not; then nothing was changed.
pub async fn find(app: &App, issue: IssueId, addresses: &[Address]) -> anyhow::Result<Vec<SubscriberId>> {
    let mut tx = app.store.read().await?;
    let mut who = Vec::with_capacity(addresses.len());
    for address in addresses {
        let found = doubt::by_address(&mut tx, issue, address.as_str()).await?;
        who.push(found.ok_or_else(|| {
            Problem::NotFound(format!("no mail to {address} is in doubt in this issue; nothing was changed"))
        })?);
    }
    Ok(who)
}

/// Who decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct By {
    pub account: Option<AccountId>,
    pub name: String,
}

/// Sends once more what is in doubt, by somebody's word: for these readers, or (`None`) for all. Gives how many.
///
/// # Errors
/// [`Refusal`], or the store cannot.
pub async fn resend(app: &App, issue: IssueId, only: Option<&[SubscriberId]>, by: &By) -> anyhow::Result<u64> {
    let mut tx = app.store.write().await?;
    let row = known(&mut tx, issue).await?;
    if !matches!(row.state, IssueState::Sending | IssueState::Paused | IssueState::Sent) {
        return Err(Refusal::State { state: row.state, wanted: "sent again" }.into());
    }
    let who = doubt::resend(&mut tx, issue, only).await?;
    if !who.is_empty() {
        issue::move_to(&mut tx, issue, &[IssueState::Sent], IssueState::Sending, "").await?;
    }
    keep(&mut tx, "resent", &row, &who, by).await?;
    tx.commit().await?;
    tell(app, issue);
    Ok(who.len() as u64)
}

/// Takes what is in doubt for sent, by somebody's word (the relay's log knows it): for these readers, or (`None`) for
/// all. Gives how many.
///
/// # Errors
/// [`Refusal`], or the store cannot.
pub async fn mark_sent(app: &App, issue: IssueId, only: Option<&[SubscriberId]>, by: &By) -> anyhow::Result<u64> {
    let mut tx = app.store.write().await?;
    let row = known(&mut tx, issue).await?;
    let who = doubt::mark_sent(&mut tx, issue, only).await?;
    keep(&mut tx, "marked_sent", &row, &who, by).await?;
    tx.commit().await?;
    tell(app, issue);
    Ok(who.len() as u64)
}

/// A line for the issue, and one for each reader.
async fn keep(tx: &mut Tx, what: &str, row: &IssueRow, who: &[SubscriberId], by: &By) -> anyhow::Result<()> {
    if who.is_empty() {
        return Ok(());
    }
    let about =
        About { newsletter: Some(row.newsletter_id), issue: Some(row.id), account: by.account, subscriber: None };
    event::insert(tx, &format!("issue.{what}"), about, &json!({ "readers": who.len(), "by": by.name })).await?;
    event::insert_for_each(tx, &format!("delivery.{what}"), about, who, &json!({ "by": by.name })).await?;
    Ok(())
}

/// How a doubt ends by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// The reader did something that takes the link of this very mail and a button: left, paused, set a preference.
    Reader,
    /// A bounce came back for this very mail: the relay had taken it, and could not deliver it.
    Bounce { reason: String, code: Option<i64>, text: String },
}

/// Ends the doubt about one mail, if there is one; says whether there was. What is known already stays as it is.
///
/// # Errors
/// When the store cannot.
pub async fn proven(app: &App, issue: IssueId, subscriber: SubscriberId, how: &Evidence) -> anyhow::Result<bool> {
    let mut tx = app.store.write().await?;
    let proven = proven_in(&mut tx, issue, subscriber, how).await?;
    tx.commit().await?;
    if proven {
        tell(app, issue);
    }
    Ok(proven)
}

/// The same inside somebody's transaction, which they commit.
///
/// # Errors
/// When the store cannot.
pub(super) async fn proven_in(
    tx: &mut Tx,
    issue: IssueId,
    subscriber: SubscriberId,
    how: &Evidence,
) -> anyhow::Result<bool> {
    let (proof, word) = match how {
        Evidence::Reader => (Proof { to: DeliveryState::Sent, reason: PROVEN, code: None, text: None }, "reader"),
        Evidence::Bounce { reason, code, text } => {
            (Proof { to: DeliveryState::Failed, reason, code: *code, text: Some(text) }, "bounce")
        }
    };
    if !doubt::prove(tx, issue, subscriber, proof).await? {
        return Ok(false);
    }
    let newsletter = issue::by_id(tx, issue).await?.map(|row| row.newsletter_id);
    let about = About { newsletter, issue: Some(issue), subscriber: Some(subscriber), account: None };
    event::insert(tx, "delivery.proven", about, &json!({ "how": word })).await?;
    Ok(true)
}

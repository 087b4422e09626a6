//! Test mails: an issue as it would go out, to colleagues. They lie in the out-tray like every letter, so their replies
//! are on their rows; no reader's delivery is touched.

use std::time::Duration;

use tokio::time::Instant;

use super::app::App;
use super::deliver::sheet::Sheet;
use super::editing::rendering;
use super::problem::Problem;
use super::refusal::Refusal;
use crate::delivery::state::DeliveryState;
use crate::issue::message::Sending;
use crate::store::letter::{self, LetterKind, NewLetter};
use crate::store::{allowance, event};
use crate::values::address::Address;
use crate::values::clock::Millis;
use crate::values::ids::{IssueId, LetterId, SubscriberId};

/// Addresses of one test: colleagues, not a list.
pub const ADDRESSES_MAX: usize = 10;
/// Test mails of one newsletter in an hour: a test is no way to send an issue around the ledger.
const TESTS_PER_HOUR: i64 = 60;
/// What stands before the subject.
const PREFIX: &str = "[Test] ";

/// Writes the issue as it stands to each address. Findings do not stop a test; a missing relay does.
///
/// # Errors
/// [`Refusal`] if there is no such issue or no relay, [`Problem`] for too many addresses; then nothing is written.
pub async fn send_test(app: &App, issue: IssueId, to: &[Address]) -> anyhow::Result<Vec<LetterId>> {
    if to.is_empty() || to.len() > ADDRESSES_MAX {
        let why = format!("a test goes to 1 to {ADDRESSES_MAX} addresses; nothing was sent");
        return Err(Problem::Invalid(why).into());
    }
    let ready = rendering::for_sending(app, issue).await?.ok_or(Refusal::NoSuchIssue)?;
    if ready.newsletter.relay_id.is_none() && app.outlet.needs_relay() {
        return Err(Refusal::NoRelay.into());
    }
    let now = app.clock.now();
    let masthead = ready.newsletter.masthead(&app.config.public_url);
    let sending = Sending { issue, at: now, subject_prefix: PREFIX, signed: true };
    let sheet = Sheet::new(app, ready.newsletter.id, &masthead, &ready.rendered, sending).await?;
    let mut tx = app.store.write().await?;
    let mut letters = Vec::with_capacity(to.len());
    for address in to {
        let bucket = format!("tests of {}", ready.newsletter.id);
        if allowance::count(&mut tx, &bucket, Millis::HOUR).await? > TESTS_PER_HOUR {
            let why = format!("{TESTS_PER_HOUR} test mails an hour are enough; nothing was sent. Wait a little");
            return Err(Problem::Refused(why).into());
        }
        // Nobody's id, and another each time: two tests with one Message-ID would be shown as one.
        let outgoing = sheet.write(SubscriberId::new(tx.now), "", address.as_str())?;
        let letter = NewLetter {
            kind: LetterKind::Test,
            newsletter_id: ready.newsletter.id,
            subscriber_id: None,
            address: outgoing.rcpt_to,
            return_path: outgoing.mail_from,
            message: unsigned(outgoing.message),
        };
        letters.push(letter::insert(&mut tx, &letter).await?);
    }
    let about = event::About { newsletter: Some(ready.newsletter.id), issue: Some(issue), ..event::About::default() };
    event::insert(&mut tx, "issue.tested", about, &serde_json::json!({ "mails": to.len() })).await?;
    tx.commit().await?;
    app.wake.notify_waiters();
    Ok(letters)
}

/// Between two looks at the letters.
const LOOK: Duration = Duration::from_millis(200);

/// What became of a test mail.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Answered {
    pub address: String,
    pub state: DeliveryState,
    /// What the relay said: the end of it, or why it is tried again.
    pub code: Option<i64>,
    pub reply: String,
}

impl Answered {
    /// Nothing more will be heard of it.
    #[must_use]
    pub fn is_over(&self) -> bool {
        !matches!(self.state, DeliveryState::Pending | DeliveryState::Claimed | DeliveryState::Inflight)
    }
}

/// Waits until all of these letters have an answer, but no longer than `patience`; gives how they stand then.
/// Somebody else sends them: a running `serve`.
///
/// # Errors
/// When the store cannot.
pub async fn answers(app: &App, letters: &[LetterId], patience: Duration) -> anyhow::Result<Vec<Answered>> {
    let deadline = Instant::now() + patience;
    loop {
        let mut tx = app.store.read().await?;
        let mut seen = Vec::with_capacity(letters.len());
        for id in letters {
            let Some(row) = letter::by_id(&mut tx, *id).await? else { continue };
            let state = row.state.parse().unwrap_or(DeliveryState::Pending);
            let reply = row.reply_text.or(row.reason).unwrap_or_default();
            seen.push(Answered { address: row.address, state, code: row.reply_code, reply });
        }
        drop(tx);
        let heard = seen.iter().all(|letter| letter.is_over() || !letter.reply.is_empty());
        if heard || Instant::now() >= deadline {
            return Ok(seen);
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// A letter is signed when it leaves, so the signature that a sheet puts first is taken off again.
pub(super) fn unsigned(message: Vec<u8>) -> Vec<u8> {
    if !message.starts_with(b"DKIM-Signature:") {
        return message;
    }
    let ends = message.windows(3).position(|three| three.starts_with(b"\r\n") && !matches!(three[2], b' ' | b'\t'));
    ends.map_or(message.clone(), |at| message[at + 2..].to_vec())
}

#[cfg(test)]
mod tests {
    use super::unsigned;

    #[test]
    fn the_signature_comes_off_and_nothing_else() {
        let signed = b"DKIM-Signature: v=1; a=rsa-sha256;\r\n b=abc\r\n\tdef\r\nFrom: a@b.example\r\n\r\nHello.\r\n";
        assert_eq!(unsigned(signed.to_vec()), b"From: a@b.example\r\n\r\nHello.\r\n");
        assert_eq!(unsigned(b"From: x\r\n\r\n".to_vec()), b"From: x\r\n\r\n");
    }
}

//! What editors are told by mail: nothing is ready for a slot, a slot was missed, an issue is held, sign-ups spike. The letters lie in
//! the out-tray of the same transaction that writes the thing down, so they are written once and leave by themselves.

use super::app::App;
use super::deliver::return_domain;
use crate::issue::envelope;
use crate::issue::letter::{Addressee, Notice, letter_message, notice_letter};
use crate::schedule::{Firing, Schedule, wall, zone};
use crate::store::letter::{LetterKind, NewLetter};
use crate::store::newsletter::Newsletter;
use crate::store::{Tx, account, letter};
use crate::values::clock::Millis;
use crate::values::ids::{IssueId, LetterId, SubscriberId};

/// Slots that follow, shown so that the editor sees what comes next.
const NEXT_SHOWN: usize = 2;

/// Nothing is ready for a slot that comes soon.
pub(super) fn nothing_ready(app: &App, newsletter: &Newsletter, firing: Firing, now: Millis) -> Notice {
    let hours = (firing.at.since(now) + Millis::HOUR - 1) / Millis::HOUR;
    Notice {
        headline: format!("no issue is ready for {}", day(firing)),
        paragraphs: vec![format!(
            "The slot comes in {hours} hours. If no issue is ready by then, nothing is sent and the slot counts as missed."
        )],
        facts: facts(newsletter, firing),
        action: Some(("Write or choose an issue".into(), desk(app))),
        after: vec!["An issue that you mark ready takes the slot.".into()],
    }
}

/// A slot passed without an issue.
pub(super) fn missed(app: &App, newsletter: &Newsletter, firing: Firing) -> Notice {
    Notice {
        headline: format!("the slot of {} was missed", day(firing)),
        paragraphs: vec!["No issue was ready, so nothing was sent.".into()],
        facts: facts(newsletter, firing),
        action: Some(("Open the desk".into(), desk(app))),
        after: vec!["An issue may still be sent by hand, or marked ready for the next slot.".into()],
    }
}

/// An issue that was to go out did not, and a person must decide.
pub(super) fn held(app: &App, subject: &str, reason: &str) -> Notice {
    Notice {
        headline: format!("\"{subject}\" is held"),
        paragraphs: vec![format!("It was to go out, and nothing was sent: {reason}.")],
        facts: Vec::new(),
        action: Some(("Open the desk".into(), desk(app))),
        after: vec!["Nothing more happens until somebody sends it or gives it another time.".into()],
    }
}

/// Far more sign-ups than a newsletter ever has.
pub(super) fn spike(app: &App, newsletter: &Newsletter, asked: i64, usual: i64) -> Notice {
    Notice {
        headline: format!("{asked} sign-ups in an hour"),
        paragraphs: vec![
            "Far more people than usual are filling in your forms, or a robot is. Each sign-up now does a little work \
             before a confirmation leaves; whoever has no script waits some seconds. No address gets more than three \
             mails a day."
                .into(),
        ],
        facts: vec![
            ("This hour".into(), asked.to_string()),
            ("A usual hour".into(), format!("{}.{:02}", usual / 100, usual % 100)),
        ],
        action: Some(("Look at the forms".into(), format!("{}/n/{}/forms", desk(app), newsletter.slug))),
        after: vec!["It ends by itself two hours after the last such hour.".into()],
    }
}

fn day(firing: Firing) -> String {
    firing.wall.strftime("%A %-d %B, %H:%M").to_string()
}

fn desk(app: &App) -> String {
    format!("{}/desk", app.config.public_url)
}

fn facts(newsletter: &Newsletter, firing: Firing) -> Vec<(String, String)> {
    let Ok(tz) = zone::find(&newsletter.zone) else { return Vec::new() };
    let mut facts = vec![("Slot".to_owned(), wall::say(firing.at, &tz))];
    if let Some(schedule) = newsletter.slot.as_ref().and_then(|slot| slot.parse::<Schedule>().ok()) {
        facts.push(("Rule".into(), schedule.words()));
        let next = schedule.next(&tz, firing.at, NEXT_SHOWN);
        facts.extend(next.iter().map(|firing| ("After it".to_owned(), wall::say(firing.at, &tz))));
    }
    facts
}

/// Writes the notice to everybody who has an account. A newsletter without a relay has no way to: its editors find
/// the same in the desk.
///
/// # Errors
/// When the letter cannot be built, or the store cannot.
pub(super) async fn tell(app: &App, tx: &mut Tx, newsletter: &Newsletter, notice: &Notice) -> anyhow::Result<()> {
    if newsletter.relay_id.is_none() && app.outlet.needs_relay() {
        return Ok(());
    }
    let masthead = newsletter.masthead(&app.config.public_url);
    let rendered = notice_letter(notice, &masthead)?;
    let domain = return_domain(app, newsletter.sender_domain());
    for editor in account::all(tx).await? {
        let unique = LetterId::new(tx.now);
        let message_id = format!("notice.{unique}@{}", newsletter.sender_domain());
        let to = Addressee { address: &editor.email, name: &editor.name, message_id: &message_id, at: tx.now };
        let written = NewLetter {
            kind: LetterKind::Notice,
            newsletter_id: newsletter.id,
            subscriber_id: None,
            address: editor.email.clone(),
            return_path: envelope::return_path(&app.keys, IssueId(0), SubscriberId(0), &domain),
            message: letter_message(&rendered, &masthead, to)?,
        };
        letter::insert(tx, &written).await?;
    }
    Ok(())
}

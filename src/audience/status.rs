//! What a subscription is, and what an event makes of it: one table, total and pure.

use std::fmt;
use std::str::FromStr;

/// Where a subscriber stands with one newsletter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Signed up, not yet confirmed: gets the confirmation and nothing else.
    Pending,
    /// Gets every issue (unless paused, which is a date on the row and not a status).
    Active,
    /// Left. Only a new consent brings them back.
    Unsubscribed,
    /// Their server said for good that the mailbox does not exist.
    Bounced,
    /// They reported a mail as spam. Nobody comes back from here by a form, an import or a bounce.
    Complained,
}

/// What can happen to a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// The form was sent in; a confirmation is asked for.
    SignedUp,
    /// The button of the confirmation was pressed.
    Confirmed,
    /// The confirmation's button "this was not me" was pressed.
    Disowned,
    /// Imported with a stated consent. Never brings back who has left.
    Imported,
    /// Put on by an editor, one by one, with a stated consent. Never brings back who has left.
    Added,
    /// Left by link, one-click, mail or an editor's hand.
    Left,
    /// "Undo" within the page that confirmed the leaving: the consent before it holds on.
    Undone,
    /// A hard bounce came in.
    Bounced,
    /// A spam complaint came in.
    Complained,
}

impl Status {
    pub const ALL: [Self; 5] = [Self::Pending, Self::Active, Self::Unsubscribed, Self::Bounced, Self::Complained];

    /// The status after `event`; the same one where the event changes nothing.
    #[must_use]
    pub fn after(self, event: Event) -> Self {
        match (self, event) {
            // A complaint is for ever: whoever pressed "spam" once must never wonder why we are back.
            (Self::Complained, _) | (_, Event::Complained) => Self::Complained,
            // A form may be filled in by anybody, so it makes nobody active and takes nothing from who is.
            (Self::Active, Event::SignedUp) => Self::Active,
            (_, Event::SignedUp) => Self::Pending,
            // Only who was asked can answer; an old link must not undo a later leaving.
            (Self::Pending, Event::Confirmed | Event::Imported | Event::Added) => Self::Active,
            (Self::Pending, Event::Disowned | Event::Left) => Self::Unsubscribed,
            (Self::Active, Event::Left) => Self::Unsubscribed,
            (Self::Unsubscribed, Event::Undone) => Self::Active,
            (Self::Pending | Self::Active, Event::Bounced) => Self::Bounced,
            (same, _) => same,
        }
    }

    /// The status of a subscription that begins with `event`; `None` where none begins.
    #[must_use]
    pub fn first(event: Event) -> Option<Self> {
        match event {
            Event::SignedUp => Some(Self::Pending),
            Event::Imported | Event::Added => Some(Self::Active),
            _ => None,
        }
    }

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Active => "active",
            Self::Unsubscribed => "unsubscribed",
            Self::Bounced => "bounced",
            Self::Complained => "complained",
        }
    }
}

/// The database holds a status that this program does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a subscription is pending, active, unsubscribed, bounced or complained")]
pub struct NotAStatus;

impl FromStr for Status {
    type Err = NotAStatus;

    fn from_str(text: &str) -> Result<Self, NotAStatus> {
        Self::ALL.into_iter().find(|status| status.as_str() == text).ok_or(NotAStatus)
    }
}

impl TryFrom<String> for Status {
    type Error = NotAStatus;

    fn try_from(text: String) -> Result<Self, NotAStatus> {
        text.parse()
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::{Event, Status};
    use proptest::prelude::{Strategy, prop_assert, prop_assert_eq, proptest};
    use proptest::sample::select;

    const EVENTS: [Event; 9] = [
        Event::SignedUp,
        Event::Confirmed,
        Event::Disowned,
        Event::Imported,
        Event::Added,
        Event::Left,
        Event::Undone,
        Event::Bounced,
        Event::Complained,
    ];

    fn statuses() -> impl Strategy<Value = Status> {
        select(Status::ALL.as_slice())
    }

    proptest! {
        #[test]
        fn nothing_brings_back_who_complained(events in proptest::collection::vec(select(EVENTS.as_slice()), 0..20)) {
            let end = events.iter().fold(Status::Complained, |status, event| status.after(*event));
            prop_assert_eq!(end, Status::Complained);
        }

        #[test]
        fn every_event_is_idempotent(status in statuses(), event in select(EVENTS.as_slice())) {
            prop_assert_eq!(status.after(event).after(event), status.after(event));
        }

        #[test]
        fn only_consent_makes_active(status in statuses(), event in select(EVENTS.as_slice())) {
            if status != Status::Active && status.after(event) == Status::Active {
                let consent = matches!(event, Event::Confirmed | Event::Imported | Event::Added | Event::Undone);
                prop_assert!(consent, "{:?} made {:?} active", event, status);
            }
        }

        #[test]
        fn an_import_brings_back_nobody_who_is_gone(status in statuses()) {
            if matches!(status, Status::Unsubscribed | Status::Bounced | Status::Complained) {
                prop_assert_eq!(status.after(Event::Imported), status);
                prop_assert_eq!(status.after(Event::Added), status);
                prop_assert_eq!(status.after(Event::Confirmed), status);
            }
        }
    }

    #[test]
    fn a_status_comes_back_from_its_word() {
        assert!(Status::ALL.into_iter().all(|status| status.as_str().parse() == Ok(status)));
        assert!("paused".parse::<Status>().is_err());
    }
}

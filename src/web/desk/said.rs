//! What a form did, told on the page it leads to: a word in the address (`?said=scheduled`), looked up here. So a
//! reload changes nothing, and nobody can put words of their own on the page.

use serde::Deserialize;

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Said {
    said: String,
}

/// A sentence in its ink.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) kind: &'static str,
    pub(super) icon: &'static str,
    pub(super) words: &'static str,
}

const GOOD: (&str, &str) = ("good", "check");
const WARN: (&str, &str) = ("warn", "warn");

const SENTENCES: [(&str, (&str, &str), &str); 27] = [
    ("saved", GOOD, "Saved."),
    ("theme", GOOD, "The desk looks as you chose."),
    ("password", GOOD, "The password is changed. Every other browser has been signed out."),
    ("signed-out", GOOD, "Every other browser has been signed out."),
    ("session", GOOD, "That browser has been signed out."),
    ("scheduled", GOOD, "Scheduled. Nothing leaves before that time, and until then it can be taken back."),
    ("ready", GOOD, "Ready: it takes the next slot. Until then it can be taken back."),
    ("published", GOOD, "On its way. Until the hold is over it can be pulled back, and nobody has got anything."),
    ("draft", GOOD, "Taken back: it is a draft again, and nothing was sent."),
    ("paused", WARN, "Paused. What was on the wire has finished; the rest waits until you resume."),
    ("resumed", GOOD, "Going on."),
    ("cancelled", WARN, "Cancelled. Whoever had not got it will not get it."),
    ("resent", GOOD, "Sent again. A reader who had got it already may have it twice."),
    ("marked-sent", GOOD, "Marked as sent. Those readers are not mailed again."),
    ("too-late", WARN, "That came too late or too early: the issue is in another state by now. Nothing was changed."),
    ("test", GOOD, "The test is on its way; its reply appears here."),
    ("added", GOOD, "Added."),
    ("tested", GOOD, "The test is on its way."),
    ("unsubscribed", GOOD, "Unsubscribed. What was queued for this reader will not be sent."),
    ("imported", GOOD, "Imported."),
    ("newsletter", GOOD, "The newsletter is made."),
    ("relay", GOOD, "The relay is saved, and tried at once if mail waits."),
    ("slot", GOOD, "The slot is saved."),
    ("released", GOOD, "Mail leaves again."),
    ("picture", GOOD, "The picture is stored. Its line stands at the end of the text."),
    ("none", WARN, "There was nothing to do."),
    ("deleted", GOOD, "Deleted."),
];

impl Said {
    pub(super) fn told(&self) -> Option<Told> {
        let known = SENTENCES.iter().find(|(code, ..)| *code == self.said);
        known.map(|(_, (kind, icon), words)| Told { kind, icon, words })
    }
}

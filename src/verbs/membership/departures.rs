//! Who left by an issue, counted: by which way, and why. Nobody is named; the history of each reader has the rest.

use std::collections::BTreeMap;

use serde_json::Value;

use super::leaving::LeaveReason;
use crate::store::event;
use crate::values::ids::IssueId;
use crate::verbs::app::App;

/// Events looked through: more than leave any issue.
const EVENTS_MAX: i64 = 100_000;
/// Answers in own words that are shown, newest first.
const WORDS_MAX: usize = 200;
const KINDS: &str = ",subscription.left,subscription.undone,subscription.reason,";

/// What became of an issue's links for leaving.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Departures {
    /// Readers who left by it and did not take it back.
    pub left: i64,
    /// By which way: "one_click", "page", "page_all", "mail", "editor".
    pub ways: BTreeMap<String, i64>,
    /// Left and took it back.
    pub undone: i64,
    /// Why, of those who said: reason and how many, in the order of the form.
    pub reasons: Vec<(LeaveReason, i64)>,
    /// In their own words, newest first.
    pub words: Vec<String>,
}

/// Counts who left by an issue.
///
/// # Errors
/// When the database cannot be read.
pub async fn departures(app: &App, issue: IssueId) -> anyhow::Result<Departures> {
    let mut tx = app.store.read().await?;
    let events = event::of_kinds(&mut tx, issue, KINDS, EVENTS_MAX).await?;
    Ok(count(&events))
}

fn count(events: &[(String, String)]) -> Departures {
    let mut found = Departures::default();
    let mut reasons = [0_i64; LeaveReason::ALL.len()];
    for (kind, detail) in events {
        let detail: Value = serde_json::from_str(detail).unwrap_or_default();
        let how = || detail.get("how").and_then(Value::as_str).unwrap_or("page").to_owned();
        match kind.as_str() {
            "subscription.left" => *found.ways.entry(how()).or_default() += 1,
            "subscription.undone" => {
                *found.ways.entry(how()).or_default() -= 1;
                found.undone += 1;
            }
            _ => {
                let reason = detail.get("reason").cloned().and_then(|word| serde_json::from_value(word).ok());
                let place = LeaveReason::ALL.iter().position(|known| Some(*known) == reason);
                reasons[place.unwrap_or(LeaveReason::ALL.len() - 1)] += 1;
                let words = detail.get("words").and_then(Value::as_str).unwrap_or_default();
                if !words.is_empty() && found.words.len() < WORDS_MAX {
                    found.words.push(words.to_owned());
                }
            }
        }
    }
    found.ways.retain(|_, many| *many > 0);
    found.left = found.ways.values().sum();
    found.reasons = LeaveReason::ALL.into_iter().zip(reasons).filter(|(_, many)| *many > 0).collect();
    found
}

#[cfg(test)]
mod tests {
    use super::{LeaveReason, count};

    #[test]
    fn what_was_taken_back_does_not_count() {
        let events = [
            ("subscription.left", r#"{"how":"page"}"#),
            ("subscription.left", r#"{"how":"one_click"}"#),
            ("subscription.undone", r#"{"how":"page"}"#),
            ("subscription.reason", r#"{"reason":"often","words":""}"#),
            ("subscription.reason", r#"{"reason":"other","words":"Too long"}"#),
        ];
        let found = count(&events.map(|(kind, detail)| (kind.to_owned(), detail.to_owned())));
        assert_eq!((found.left, found.undone), (1, 1));
        assert_eq!(found.ways.into_iter().collect::<Vec<_>>(), [("one_click".to_owned(), 1)]);
        assert_eq!(found.reasons, [(LeaveReason::Often, 1), (LeaveReason::Other, 1)]);
        assert_eq!(found.words, ["Too long"]);
    }
}

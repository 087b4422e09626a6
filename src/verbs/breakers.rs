//! Issues that pause themselves: what every try's end says, counted an issue, and the pause when it is too much.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::delivery::breaker::{Breaker, Event};
use crate::delivery::step::End;
use crate::values::ids::IssueId;
use crate::verbs::app::App;
use crate::verbs::publish;
use crate::verbs::refusal::Refusal;

/// Issues watched at once, in this process; beyond it all begin anew.
const ISSUES_MAX: usize = 1_000;
/// Letters of an answer that are told with the pause; the rest is on the page.
const ANSWER_LETTERS_MAX: usize = 300;

/// The breakers of the issues that go out from this process. Each node counts what it sends; shares are the same on
/// all of them, only the least numbers are a node's own.
#[derive(Debug, Default)]
pub struct Breakers(Mutex<HashMap<IssueId, Breaker>>);

impl Breakers {
    /// Counts the end of a try. The answer, when it comes, is why the issue is to be paused; it then begins anew.
    pub fn saw(&self, issue: IssueId, end: &End) -> Option<String> {
        let event = Event::of(end)?;
        let mut issues = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if issues.len() >= ISSUES_MAX && !issues.contains_key(&issue) {
            issues.clear();
        }
        let pause = issues.entry(issue).or_default().saw(event)?;
        issues.remove(&issue);
        let code = end.said.code.map(|code| format!("{code} ")).unwrap_or_default();
        let text = end.said.text.as_deref().unwrap_or_default();
        let answer: String = format!("{code}{text}").chars().take(ANSWER_LETTERS_MAX).collect();
        Some(pause.told(&answer))
    }

    /// Somebody has seen the numbers and says: go on. They do not count again.
    pub fn forget(&self, issue: IssueId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&issue);
    }
}

/// Pauses these issues for these reasons.
pub async fn pause(app: &App, issues: Vec<(IssueId, String)>) {
    for (issue, why) in issues {
        tracing::warn!(issue = issue.0, "an issue is paused by itself; the reason is on its page");
        match publish::pause(app, issue, &why).await {
            // Paused or cancelled meanwhile: just as well.
            Err(error) if error.is::<Refusal>() => {}
            Err(error) => tracing::error!("an issue that should pause could not be paused: {error:#}"),
            Ok(()) => {}
        }
    }
}

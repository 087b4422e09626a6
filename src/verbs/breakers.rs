//! Issues that pause themselves: what every try's end says, counted an issue, and the pause when it is too much.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::delivery::breaker::{self, Breaker, Event, Tally};
use crate::delivery::step::End;
use crate::store;
use crate::store::breaker::Summed;
use crate::values::ids::IssueId;
use crate::verbs::app::App;
use crate::verbs::publish;
use crate::verbs::refusal::Refusal;

/// Issues watched at once, in this process; beyond it all begin anew.
const ISSUES_MAX: usize = 1_000;
/// Letters of an answer that are told with the pause; the rest is on the page.
const ANSWER_LETTERS_MAX: usize = 300;

/// The breakers of the issues that go out from this process.
#[derive(Debug, Default)]
pub struct Breakers(Mutex<HashMap<IssueId, Breaker>>);

impl Breakers {
    /// Counts the end of a try. The answer, when it comes, is why the issue is to be paused; it then begins anew.
    pub fn saw(&self, issue: IssueId, end: &End) -> Option<String> {
        let event = Event::of(end)?;
        let mut issues = self.issues();
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

    fn issues(&self) -> MutexGuard<'_, HashMap<IssueId, Breaker>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn news(&self) -> Vec<(IssueId, Tally)> {
        let mut issues = self.issues();
        issues
            .iter_mut()
            .map(|(issue, breaker)| (*issue, breaker.news()))
            .filter(|(_, news)| !news.is_empty())
            .collect()
    }

    fn put_back(&self, news: Vec<(IssueId, Tally)>) {
        let mut issues = self.issues();
        for (issue, seen) in news {
            issues.entry(issue).or_default().take_back(seen);
        }
    }

    /// Whatever has no sum is over, or somebody let it go on: it begins anew here as well.
    fn learn(&self, sums: &[Summed]) {
        let mut issues = self.issues();
        issues.retain(|issue, breaker| match sums.iter().find(|sum| sum.issue_id == *issue) {
            Some(sum) => {
                breaker.learn(sum.tally);
                true
            }
            None => breaker.has_news(),
        });
    }

    /// Somebody has seen the numbers and says: go on. They do not count again.
    pub fn forget(&self, issue: IssueId) {
        self.issues().remove(&issue);
    }
}

/// Tells the database what this process saw, learns what all have seen, and pauses what readers complain of. Call it
/// every second or two.
///
/// # Errors
/// When the store cannot; what was seen is told the next time.
pub async fn share(app: &App) -> anyhow::Result<()> {
    let news = app.breakers.news();
    if !news.is_empty()
        && let Err(error) = tell(app, &news).await
    {
        app.breakers.put_back(news);
        return Err(error);
    }
    let mut tx = app.store.read().await?;
    let sums = store::breaker::sending(&mut tx).await?;
    drop(tx);
    app.breakers.learn(&sums);
    let too_much = sums.iter().filter_map(|sum| {
        let why = breaker::complained(sum.complaints, sum.tally.sent)?;
        Some((sum.issue_id, why.told("")))
    });
    pause(app, too_much.collect()).await;
    Ok(())
}

async fn tell(app: &App, news: &[(IssueId, Tally)]) -> anyhow::Result<()> {
    let mut tx = app.store.write().await?;
    for (issue, seen) in news {
        store::breaker::add(&mut tx, *issue, *seen).await?;
    }
    Ok(tx.commit().await?)
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

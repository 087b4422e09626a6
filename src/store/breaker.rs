//! What became of each issue's tries, summed over all processes: what circuit breakers go by.

use super::Tx;
use crate::delivery::breaker::Tally;
use crate::values::ids::IssueId;

const ADD: &str = "INSERT INTO breaker (issue_id, began_at, answers, sent, hard, content, ours, sender, same) \
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (issue_id) DO UPDATE SET \
    answers = breaker.answers + excluded.answers, sent = breaker.sent + excluded.sent, \
    hard = breaker.hard + excluded.hard, content = breaker.content + excluded.content, \
    ours = breaker.ours + excluded.ours, sender = breaker.sender + excluded.sender, \
    same = breaker.same + excluded.same";

/// Adds what one process has seen.
///
/// # Errors
/// When the store cannot.
pub async fn add(tx: &mut Tx, issue: IssueId, seen: Tally) -> Result<(), sqlx::Error> {
    let now = tx.now.0;
    let Tally { answers, sent, hard, content, ours, sender, same } = seen;
    execute!(tx, ADD, issue, now, answers, sent, hard, content, ours, sender, same).map(drop)
}

/// The sum of an issue that is going out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summed {
    pub issue_id: IssueId,
    pub tally: Tally,
    /// Readers who called it spam since it began or went on.
    pub complaints: i64,
}

const SENDING: &str = "SELECT b.issue_id, b.answers, b.sent, b.hard, b.content, b.ours, b.sender, b.same, \
    (SELECT COUNT(*) FROM subscription x WHERE x.newsletter_id = i.newsletter_id AND x.status = 'complained' \
     AND x.left_issue_id = i.id AND x.left_at >= b.began_at) AS complaints \
    FROM breaker b JOIN issue i ON i.id = b.issue_id WHERE i.state = 'sending'";

/// Of all issues that are going out.
///
/// # Errors
/// When the store cannot.
pub async fn sending(tx: &mut Tx) -> Result<Vec<Summed>, sqlx::Error> {
    type Row = (IssueId, i64, i64, i64, i64, i64, i64, i64, i64);
    let rows: Vec<Row> = sql!(tx, fetch_all, SENDING)?;
    let summed = |(issue_id, answers, sent, hard, content, ours, sender, same, complaints): Row| Summed {
        issue_id,
        tally: Tally { answers, sent, hard, content, ours, sender, same },
        complaints,
    };
    Ok(rows.into_iter().map(summed).collect())
}

const FORGET: &str = "DELETE FROM breaker WHERE issue_id = $1";

/// Somebody has seen the numbers and says: go on.
///
/// # Errors
/// When the store cannot.
pub async fn forget(tx: &mut Tx, issue: IssueId) -> Result<(), sqlx::Error> {
    execute!(tx, FORGET, issue).map(drop)
}

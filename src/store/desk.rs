//! What pages of the desk read across tables.

use crate::store::Tx;
use crate::values::ids::IssueId;

/// An issue that is being sent.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Running {
    pub id: IssueId,
    pub newsletter: String,
    pub number: Option<i64>,
    pub state: String,
    pub audience: i64,
    pub unfinished: i64,
}

const ON_THE_WIRE: &str = "SELECT issue.id, newsletter.name AS newsletter, issue.number, issue.state, issue.audience, \
    (SELECT COUNT(*) FROM delivery WHERE delivery.issue_id = issue.id \
        AND delivery.state IN ('pending', 'claimed', 'inflight')) AS unfinished \
    FROM issue JOIN newsletter ON newsletter.id = issue.newsletter_id WHERE issue.state IN ('sending', 'paused') \
    ORDER BY issue.published_at DESC, issue.id DESC LIMIT 1";

/// The issue that went onto the wire last and is still there.
///
/// # Errors
/// When the database cannot be read.
pub async fn on_the_wire(tx: &mut Tx) -> Result<Option<Running>, sqlx::Error> {
    sql!(tx, fetch_optional, ON_THE_WIRE)
}

//! Invented rows by the million, for the benches.

use super::Tx;
use crate::values::ids::NewsletterId;

const SUBSCRIBERS: &str = "WITH RECURSIVE n (i) AS (SELECT CAST(1 AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i < $1) \
    INSERT INTO subscriber (id, address, address_key, name, created_at) \
    SELECT i, 'reader' || i || '@readers.example', 'reader' || i || '@readers.example', 'Reader ' || i, $2 FROM n \
    WHERE i > 0";
const SUBSCRIPTIONS: &str = "INSERT INTO subscription (newsletter_id, subscriber_id, status, consent_text, \
    consent_source, consent_at, confirmed_at) SELECT $1, id, 'active', 'yes', 'bench', $2, $2 FROM subscriber";

/// Active readers 1 to `many` of a newsletter, in a database that has none.
///
/// # Errors
/// When the store cannot.
pub async fn readers(tx: &mut Tx, newsletter: NewsletterId, many: i64) -> Result<(), sqlx::Error> {
    let now = tx.now.0;
    execute!(tx, SUBSCRIBERS, many, now)?;
    execute!(tx, SUBSCRIPTIONS, newsletter, now).map(drop)
}

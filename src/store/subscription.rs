//! Subscriptions: subscriber × newsletter, with status and proof of consent.

use super::Tx;
use super::many::{ROWS_MAX, places};
use super::subscriber::like;
use crate::audience::status::Status;
use crate::values::ids::{EventId, IssueId, NewsletterId, SubscriberId};

/// A subscription, every column.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow, serde::Serialize)]
pub struct Subscription {
    pub newsletter_id: NewsletterId,
    pub subscriber_id: SubscriberId,
    #[sqlx(try_from = "String")]
    pub status: Status,
    /// The exact words agreed to.
    pub consent_text: String,
    /// Where consent was given: a form's address, an import's words, an editor's name.
    pub consent_source: String,
    pub consent_ip: String,
    /// Unix milliseconds, like every `_at` and `_until`.
    pub consent_at: i64,
    pub confirmed_at: Option<i64>,
    pub paused_until: Option<i64>,
    pub left_at: Option<i64>,
    pub left_how: Option<String>,
    pub left_issue_id: Option<IssueId>,
}

/// What was agreed to, where, and from which machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consent {
    pub text: String,
    pub source: String,
    pub ip: String,
}

const BY_IDS: &str = "SELECT * FROM subscription WHERE newsletter_id = $1 AND subscriber_id = $2";

/// # Errors
/// When the database cannot be read.
pub async fn by_ids(
    tx: &mut Tx,
    newsletter: NewsletterId,
    subscriber: SubscriberId,
) -> Result<Option<Subscription>, sqlx::Error> {
    sql!(tx, fetch_optional, BY_IDS, newsletter, subscriber)
}

const OF: &str = "SELECT * FROM subscription WHERE subscriber_id = $1 ORDER BY newsletter_id";

/// Every subscription of a person.
///
/// # Errors
/// When the database cannot be read.
pub async fn of(tx: &mut Tx, subscriber: SubscriberId) -> Result<Vec<Subscription>, sqlx::Error> {
    sql!(tx, fetch_all, OF, subscriber)
}

// A new consent begins the subscription anew: what was said about the old one is in the history.
const BEGIN: &str = "INSERT INTO subscription (newsletter_id, subscriber_id, status, consent_text, consent_source, \
    consent_ip, consent_at, confirmed_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) \
    ON CONFLICT (newsletter_id, subscriber_id) DO UPDATE SET status = excluded.status, \
    consent_text = excluded.consent_text, consent_source = excluded.consent_source, consent_ip = excluded.consent_ip, \
    consent_at = excluded.consent_at, confirmed_at = excluded.confirmed_at, paused_until = NULL, left_at = NULL, \
    left_how = NULL, left_issue_id = NULL";

/// Writes a subscription that begins (again) with this consent. An active one counts as confirmed now.
///
/// # Errors
/// When the database cannot be written.
pub async fn begin(
    tx: &mut Tx,
    newsletter: NewsletterId,
    subscriber: SubscriberId,
    status: Status,
    consent: &Consent,
) -> Result<(), sqlx::Error> {
    let now = tx.now.0;
    let confirmed = (status == Status::Active).then_some(now);
    let Consent { text, source, ip } = consent;
    execute!(tx, BEGIN, newsletter, subscriber, status.as_str(), text, source, ip, now, confirmed)?;
    Ok(())
}

const CONFIRM: &str = "UPDATE subscription SET status = 'active', confirmed_at = $3 \
    WHERE newsletter_id = $1 AND subscriber_id = $2 AND status = 'pending'";

/// Makes a pending subscription active; `false` if it is not pending.
///
/// # Errors
/// When the database cannot be written.
pub async fn confirm(tx: &mut Tx, newsletter: NewsletterId, subscriber: SubscriberId) -> Result<bool, sqlx::Error> {
    let now = tx.now.0;
    execute!(tx, CONFIRM, newsletter, subscriber, now).map(|rows| rows == 1)
}

const END: &str = "UPDATE subscription SET status = $3, left_at = $4, left_how = $5, left_issue_id = $6, \
    paused_until = NULL WHERE newsletter_id = $1 AND subscriber_id = $2 AND status <> $3";

/// Ends a subscription as `status` (unsubscribed, bounced, complained), by whatever way `how` names.
///
/// # Errors
/// When the database cannot be written.
pub async fn end(
    tx: &mut Tx,
    newsletter: NewsletterId,
    subscriber: SubscriberId,
    status: Status,
    how: &str,
    issue: Option<IssueId>,
) -> Result<bool, sqlx::Error> {
    let now = tx.now.0;
    execute!(tx, END, newsletter, subscriber, status.as_str(), now, how, issue).map(|rows| rows == 1)
}

const UNDO: &str = "UPDATE subscription SET status = 'active', left_at = NULL, left_how = NULL, left_issue_id = NULL \
    WHERE newsletter_id = $1 AND subscriber_id = $2 AND status = 'unsubscribed' AND confirmed_at IS NOT NULL \
    AND left_at >= $3";

/// Takes a leaving back if it is not older than `since`; the consent before it holds on. Only where there was one.
///
/// # Errors
/// When the database cannot be written.
pub async fn undo(
    tx: &mut Tx,
    newsletter: NewsletterId,
    subscriber: SubscriberId,
    since: i64,
) -> Result<bool, sqlx::Error> {
    execute!(tx, UNDO, newsletter, subscriber, since).map(|rows| rows == 1)
}

const PAUSE: &str = "UPDATE subscription SET paused_until = $3 \
    WHERE newsletter_id = $1 AND subscriber_id = $2 AND status = 'active'";

/// Pauses an active subscription until an instant, or ends the pause; `false` if it is not active.
///
/// # Errors
/// When the database cannot be written.
pub async fn pause(
    tx: &mut Tx,
    newsletter: NewsletterId,
    subscriber: SubscriberId,
    until: Option<i64>,
) -> Result<bool, sqlx::Error> {
    execute!(tx, PAUSE, newsletter, subscriber, until).map(|rows| rows == 1)
}

const COUNTS: &str = "SELECT status, COUNT(*) FROM subscription WHERE newsletter_id = $1 GROUP BY status";

/// How many subscriptions a newsletter has in each status; statuses without any are left out.
///
/// # Errors
/// When the database cannot be read.
pub async fn counts(tx: &mut Tx, newsletter: NewsletterId) -> Result<Vec<(Status, i64)>, sqlx::Error> {
    let rows: Vec<(String, i64)> = sql!(tx, fetch_all, COUNTS, newsletter)?;
    Ok(rows.into_iter().filter_map(|(status, count)| Some((status.parse().ok()?, count))).collect())
}

/// A reader of one newsletter, as lists and exports show them.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow, serde::Serialize)]
pub struct Reader {
    pub id: SubscriberId,
    pub address: String,
    pub name: String,
    #[sqlx(try_from = "String")]
    pub status: Status,
    pub consent_source: String,
    pub consent_at: i64,
    pub confirmed_at: Option<i64>,
    pub paused_until: Option<i64>,
    pub left_at: Option<i64>,
    pub left_how: Option<String>,
}

/// Columns and join of [`Reader`].
macro_rules! reader {
    ($rest:literal) => {
        concat!(
            "SELECT s.id, s.address, s.name, n.status, n.consent_source, n.consent_at, n.confirmed_at, \
             n.paused_until, n.left_at, n.left_how FROM subscription n JOIN subscriber s ON s.id = n.subscriber_id ",
            $rest
        )
    };
}

const AFTER: &str = reader!("WHERE n.newsletter_id = $1 AND n.subscriber_id > $2 ORDER BY n.subscriber_id LIMIT $3");

/// The readers after `after` in the order of their ids: a page of an export, without a long transaction.
///
/// # Errors
/// When the database cannot be read.
pub async fn after(
    tx: &mut Tx,
    newsletter: NewsletterId,
    after: SubscriberId,
    limit: i64,
) -> Result<Vec<Reader>, sqlx::Error> {
    sql!(tx, fetch_all, AFTER, newsletter, after, limit)
}

const BEFORE: &str = reader!(
    "WHERE n.newsletter_id = $1 AND ($2 = '' OR n.status = $2) AND n.subscriber_id < $3 \
     AND ($4 = '%%' OR s.address_key LIKE $4 ESCAPE '\\' OR LOWER(s.name) LIKE $4 ESCAPE '\\') \
     ORDER BY n.subscriber_id DESC LIMIT $5"
);

/// A page of readers, newest first: of one status or of all, whose address or name contains `words`, before an id.
///
/// # Errors
/// When the database cannot be read.
pub async fn before(
    tx: &mut Tx,
    newsletter: NewsletterId,
    status: Option<Status>,
    words: &str,
    before: Option<SubscriberId>,
    limit: i64,
) -> Result<Vec<Reader>, sqlx::Error> {
    let (status, before) = (status.map_or("", Status::as_str), before.unwrap_or(SubscriberId(i64::MAX)));
    sql!(tx, fetch_all, BEFORE, newsletter, status, before, like(words), limit)
}

/// What is known of many addresses at once: `(key, id, status here)`; unknown ones are left out.
///
/// # Errors
/// When the database cannot be read.
pub async fn known(
    tx: &mut Tx,
    newsletter: NewsletterId,
    keys: &[String],
) -> Result<Vec<(String, SubscriberId, Option<Status>)>, sqlx::Error> {
    let mut known = Vec::with_capacity(keys.len());
    for some in keys.chunks(ROWS_MAX) {
        let text = format!(
            "SELECT s.address_key, s.id, n.status FROM subscriber s \
             LEFT JOIN subscription n ON n.newsletter_id = $1 AND n.subscriber_id = s.id WHERE s.address_key IN {}",
            places(1, some.len(), 2)
        );
        let rows: Result<Vec<(String, SubscriberId, Option<String>)>, sqlx::Error> =
            sql_many!(tx, text, [newsletter], some, |key| [key]);
        let typed = |status: Option<String>| status.and_then(|word| word.parse().ok());
        known.extend(rows?.into_iter().map(|(key, id, status)| (key, id, typed(status))));
    }
    Ok(known)
}

/// Makes many subscriptions active with one consent, each subscriber once. Whoever left, bounced or complained
/// meanwhile stays out: only pending ones are changed. Gives the ids that became active.
///
/// # Errors
/// When the database cannot be written.
pub async fn activate_many(
    tx: &mut Tx,
    newsletter: NewsletterId,
    subscribers: &[SubscriberId],
    consent: &Consent,
) -> Result<Vec<SubscriberId>, sqlx::Error> {
    let Consent { text: words, source, ip } = consent;
    let (now, mut active) = (tx.now.0, Vec::with_capacity(subscribers.len()));
    for some in subscribers.chunks(ROWS_MAX) {
        let text = format!(
            "INSERT INTO subscription (newsletter_id, subscriber_id, status, consent_text, consent_source, \
             consent_ip, consent_at, confirmed_at) SELECT $1, v.id, 'active', $2, $3, $4, $5, $6 FROM subscriber v \
             WHERE v.id IN {} ON CONFLICT (newsletter_id, subscriber_id) DO UPDATE SET status = 'active', \
             consent_text = excluded.consent_text, consent_source = excluded.consent_source, \
             consent_ip = excluded.consent_ip, consent_at = excluded.consent_at, \
             confirmed_at = excluded.confirmed_at WHERE subscription.status = 'pending' RETURNING subscriber_id",
            places(1, some.len(), 7)
        );
        let rows: Result<Vec<(SubscriberId,)>, sqlx::Error> =
            sql_many!(tx, text, [newsletter, words, source, ip, now, now], some, |id| [*id]);
        active.extend(rows?.into_iter().map(|(id,)| id));
    }
    Ok(active)
}

const TURNED: &str = "SELECT DISTINCT x.newsletter_id, x.subscriber_id, (x.status = 'active' \
    AND (x.paused_until IS NULL OR x.paused_until <= $2) AND p.address_key IS NULL) AS wanted \
    FROM event e JOIN subscription x ON x.subscriber_id = e.subscriber_id \
    JOIN subscriber s ON s.id = e.subscriber_id LEFT JOIN suppression p ON p.address_key = s.address_key \
    WHERE e.id > $1 AND e.kind IN ('subscription.left', 'subscription.disowned', 'subscription.paused', \
    'subscription.resumed', 'subscription.undone', 'subscription.confirmed', 'subscription.added', \
    'subscriber.suppressed', 'subscriber.unsuppressed', 'delivery.bounced')";

/// Who has left or come back since an event, by whichever process, and whether they may be mailed now.
///
/// # Errors
/// When the store cannot.
pub async fn turned(tx: &mut Tx, since: EventId) -> Result<Vec<(NewsletterId, SubscriberId, bool)>, sqlx::Error> {
    let now = tx.now.0;
    sql!(tx, fetch_all, TURNED, since, now)
}

//! Wishes: what a reader chose and answered. Topics, how often, language, answers to the newsletter's fields.

use std::collections::BTreeMap;

use super::Tx;
use crate::values::ids::{NewsletterId, SubscriberId};

/// What a reader of one newsletter chose; empty where nothing was.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Wish {
    /// Answers by the key of their field.
    pub answers: BTreeMap<String, String>,
    /// Keys; none is every topic.
    pub topics: Vec<String>,
    /// each, monthly.
    pub frequency: String,
    /// BCP 47; empty: the newsletter's.
    pub language: String,
}

const ANSWERS: &str = "SELECT field, value FROM answer WHERE newsletter_id = $1 AND subscriber_id = $2";
const TOPICS: &str = "SELECT topic FROM topic_choice WHERE newsletter_id = $1 AND subscriber_id = $2 ORDER BY topic";
const REST: &str = "SELECT COALESCE(x.frequency, 'each'), s.language FROM subscriber s LEFT JOIN subscription x \
    ON x.subscriber_id = s.id AND x.newsletter_id = $1 WHERE s.id = $2";

/// What a reader chose.
///
/// # Errors
/// When the store cannot.
pub async fn of(tx: &mut Tx, newsletter: NewsletterId, subscriber: SubscriberId) -> Result<Wish, sqlx::Error> {
    let answers: Vec<(String, String)> = sql!(tx, fetch_all, ANSWERS, newsletter, subscriber)?;
    let topics: Vec<(String,)> = sql!(tx, fetch_all, TOPICS, newsletter, subscriber)?;
    let rest: Option<(String, String)> = sql!(tx, fetch_optional, REST, newsletter, subscriber)?;
    let (frequency, language) = rest.unwrap_or_default();
    let topics = topics.into_iter().map(|(topic,)| topic).collect();
    Ok(Wish { answers: answers.into_iter().collect(), topics, frequency, language })
}

const ANSWER: &str = "INSERT INTO answer (newsletter_id, subscriber_id, field, value) VALUES ($1, $2, $3, $4) \
    ON CONFLICT (newsletter_id, subscriber_id, field) DO UPDATE SET value = excluded.value";
const NO_ANSWER: &str = "DELETE FROM answer WHERE newsletter_id = $1 AND subscriber_id = $2 AND field = $3";

/// Writes an answer; an empty one takes it away.
///
/// # Errors
/// When the store cannot.
pub async fn set_answer(
    tx: &mut Tx,
    newsletter: NewsletterId,
    subscriber: SubscriberId,
    field: &str,
    value: &str,
) -> Result<(), sqlx::Error> {
    if value.is_empty() {
        return execute!(tx, NO_ANSWER, newsletter, subscriber, field).map(drop);
    }
    execute!(tx, ANSWER, newsletter, subscriber, field, value).map(drop)
}

const NO_TOPICS: &str = "DELETE FROM topic_choice WHERE newsletter_id = $1 AND subscriber_id = $2";
const TOPIC: &str = "INSERT INTO topic_choice (newsletter_id, subscriber_id, topic) VALUES ($1, $2, $3) \
    ON CONFLICT (newsletter_id, subscriber_id, topic) DO NOTHING";

/// Writes the topics that somebody chose, in place of those before.
///
/// # Errors
/// When the store cannot.
pub async fn set_topics(
    tx: &mut Tx,
    newsletter: NewsletterId,
    subscriber: SubscriberId,
    topics: &[String],
) -> Result<(), sqlx::Error> {
    execute!(tx, NO_TOPICS, newsletter, subscriber)?;
    for topic in topics {
        execute!(tx, TOPIC, newsletter, subscriber, topic)?;
    }
    Ok(())
}

const FREQUENCY: &str = "UPDATE subscription SET frequency = $3 WHERE newsletter_id = $1 AND subscriber_id = $2 \
    AND frequency <> $3";

/// Writes how often somebody wants mail (each, monthly); `false` if it was that already.
///
/// # Errors
/// When the store cannot.
pub async fn set_frequency(
    tx: &mut Tx,
    newsletter: NewsletterId,
    subscriber: SubscriberId,
    frequency: &str,
) -> Result<bool, sqlx::Error> {
    execute!(tx, FREQUENCY, newsletter, subscriber, frequency).map(|rows| rows == 1)
}

const LANGUAGE: &str = "UPDATE subscriber SET language = $2 WHERE id = $1 AND language <> $2";

/// Writes the language somebody wants; `false` if it was that already.
///
/// # Errors
/// When the store cannot.
pub async fn set_language(tx: &mut Tx, subscriber: SubscriberId, language: &str) -> Result<bool, sqlx::Error> {
    execute!(tx, LANGUAGE, subscriber, language).map(|rows| rows == 1)
}

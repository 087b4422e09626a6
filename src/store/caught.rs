//! Mails in the catcher: what the demo sent, kept to be looked at.

use crate::store::Tx;
use crate::values::ids::CaughtId;

/// Stands before each part of [`Caught::words`], so that a search for a sender finds it in the sender only. A control
/// character that nobody's mail has; [`searchable`] drops it from what mails say.
const MARK: char = '\u{1e}';
/// Letters of a mail's text that a search looks through: an issue of 60 KB of prose fits.
const SEARCHED_LETTERS_MAX: usize = 64 * 1024;
/// Patterns in one search.
pub const PATTERNS_MAX: usize = 6;

/// A mail as it is written down.
pub struct Caught {
    pub id: CaughtId,
    pub mail_from: String,
    /// Envelope receivers, one a line.
    pub rcpt_to: String,
    pub from_header: String,
    pub to_header: String,
    pub subject: String,
    /// Without the angle brackets.
    pub message_id: String,
    pub snippet: String,
    /// From [`searchable`].
    pub words: String,
    pub raw: Vec<u8>,
}

/// A mail as lists show it.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Line {
    pub id: CaughtId,
    /// Unix milliseconds.
    pub at: i64,
    pub from_header: String,
    pub to_header: String,
    pub subject: String,
    pub message_id: String,
    pub snippet: String,
    pub size: i64,
    pub is_read: bool,
}

/// A whole mail.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Whole {
    pub id: CaughtId,
    /// Unix milliseconds.
    pub at: i64,
    pub mail_from: String,
    pub rcpt_to: String,
    pub raw: Vec<u8>,
}

/// How many there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, sqlx::FromRow)]
pub struct Count {
    pub total: i64,
    pub unread: i64,
}

/// What a search asks for: every pattern, and the mails read, unread or both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    patterns: [String; PATTERNS_MAX],
    read: bool,
    unread: bool,
}

impl Default for Query {
    fn default() -> Self {
        Self { patterns: std::array::from_fn(|_| "%".to_owned()), read: true, unread: true }
    }
}

impl Query {
    /// Reads what people type: words, "quoted words", `from:`, `to:`, `subject:`, `is:read`, `is:unread`. Words beyond
    /// the sixth are taken as one phrase with it.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut query = Self::default();
        let mut patterns = Vec::new();
        for term in terms(&text.to_lowercase()) {
            match term.split_once(':') {
                Some(("is", "read")) => query.unread = false,
                Some(("is", "unread")) => query.read = false,
                Some((part @ ("from" | "to" | "subject"), word)) => {
                    patterns.push(format!("%{MARK}{part} %{}%{MARK}{}%", escaped(word), after(part)));
                }
                _ => patterns.push(format!("%{}%", escaped(&term))),
            }
        }
        for (place, pattern) in patterns.into_iter().enumerate() {
            match query.patterns.get_mut(place) {
                Some(kept) => *kept = pattern,
                None => query.patterns[PATTERNS_MAX - 1].push_str(pattern.trim_start_matches('%')),
            }
        }
        query
    }
}

/// The part that follows `part` in [`searchable`].
fn after(part: &str) -> &'static str {
    match part {
        "from" => "to ",
        "to" => "subject ",
        _ => "text ",
    }
}

fn escaped(word: &str) -> String {
    let mut safe = String::with_capacity(word.len());
    for letter in word.chars().filter(|letter| *letter != MARK) {
        if matches!(letter, '%' | '_' | '\\') {
            safe.push('\\');
        }
        safe.push(letter);
    }
    safe
}

/// Words, and phrases in quotes; a quote that is not closed goes to the end.
fn terms(text: &str) -> Vec<String> {
    let (mut terms, mut term, mut quoted) = (Vec::new(), String::new(), false);
    for letter in text.chars() {
        match letter {
            '"' => quoted = !quoted,
            space if space.is_whitespace() && !quoted => terms.push(std::mem::take(&mut term)),
            other => term.push(other),
        }
    }
    terms.push(term);
    terms.retain(|term| !term.is_empty());
    terms
}

/// What [`Query`] looks through.
#[must_use]
pub fn searchable(from: &str, to: &str, subject: &str, text: &str) -> String {
    let mut words = String::new();
    for (name, part) in [("from", from), ("to", to), ("subject", subject), ("text", text)] {
        words.push(MARK);
        words.push_str(name);
        words.push(' ');
        // Postgres takes no NUL in a text.
        words.extend(part.chars().filter(|c| *c != MARK && *c != '\0').take(SEARCHED_LETTERS_MAX));
    }
    words.to_lowercase()
}

const INSERT: &str = "INSERT INTO caught (id, at, mail_from, rcpt_to, from_header, to_header, subject, message_id, \
    snippet, size, is_read, words, raw) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, FALSE, $11, $12)";

/// # Errors
/// When the database cannot be written.
pub async fn insert(tx: &mut Tx, mail: &Caught) -> Result<(), sqlx::Error> {
    let size = i64::try_from(mail.raw.len()).unwrap_or(i64::MAX);
    let at = tx.now.0;
    execute!(
        tx,
        INSERT,
        mail.id,
        at,
        &mail.mail_from,
        &mail.rcpt_to,
        &mail.from_header,
        &mail.to_header,
        &mail.subject,
        &mail.message_id,
        &mail.snippet,
        size,
        &mail.words,
        &mail.raw
    )
    .map(|_| ())
}

const DROP_OLDEST: &str = "DELETE FROM caught WHERE id <= (SELECT id FROM caught ORDER BY id DESC LIMIT 1 OFFSET $1)";

/// Drops the oldest mails beyond the newest `kept`.
///
/// # Errors
/// When the database cannot be written.
pub async fn drop_oldest(tx: &mut Tx, kept: i64) -> Result<u64, sqlx::Error> {
    execute!(tx, DROP_OLDEST, kept)
}

const LINES: &str = "SELECT id, at, from_header, to_header, subject, message_id, snippet, size, is_read FROM caught \
    WHERE words LIKE $1 ESCAPE '\\' AND words LIKE $2 ESCAPE '\\' AND words LIKE $3 ESCAPE '\\' \
    AND words LIKE $4 ESCAPE '\\' AND words LIKE $5 ESCAPE '\\' AND words LIKE $6 ESCAPE '\\' \
    AND (is_read = $7 OR is_read <> $8) ORDER BY id DESC LIMIT $9 OFFSET $10";

/// Mails that `query` finds, newest first.
///
/// # Errors
/// When the database cannot be read.
pub async fn lines(tx: &mut Tx, query: &Query, limit: i64, start: i64) -> Result<Vec<Line>, sqlx::Error> {
    let [a, b, c, d, e, f] = &query.patterns;
    let (read, unread) = (query.read, query.unread);
    sql!(tx, fetch_all, LINES, a, b, c, d, e, f, read, unread, limit, start)
}

const COUNT: &str = "SELECT COUNT(*) AS total, \
    CAST(COALESCE(SUM(CASE WHEN is_read THEN 0 ELSE 1 END), 0) AS BIGINT) AS unread FROM caught \
    WHERE words LIKE $1 ESCAPE '\\' AND words LIKE $2 ESCAPE '\\' AND words LIKE $3 ESCAPE '\\' \
    AND words LIKE $4 ESCAPE '\\' AND words LIKE $5 ESCAPE '\\' AND words LIKE $6 ESCAPE '\\' \
    AND (is_read = $7 OR is_read <> $8)";

/// How many mails `query` finds.
///
/// # Errors
/// When the database cannot be read.
pub async fn count(tx: &mut Tx, query: &Query) -> Result<Count, sqlx::Error> {
    let [a, b, c, d, e, f] = &query.patterns;
    let (read, unread) = (query.read, query.unread);
    sql!(tx, fetch_one, COUNT, a, b, c, d, e, f, read, unread)
}

const COUNT_ALL: &str = "SELECT COUNT(*) AS total, \
    CAST(COALESCE(SUM(CASE WHEN is_read THEN 0 ELSE 1 END), 0) AS BIGINT) AS unread FROM caught";

/// How many mails there are, without looking at their words.
///
/// # Errors
/// When the database cannot be read.
pub async fn count_all(tx: &mut Tx) -> Result<Count, sqlx::Error> {
    sql!(tx, fetch_one, COUNT_ALL)
}

const WHOLE: &str = "SELECT id, at, mail_from, rcpt_to, raw FROM caught WHERE id = $1";

/// # Errors
/// When the database cannot be read.
pub async fn by_id(tx: &mut Tx, id: CaughtId) -> Result<Option<Whole>, sqlx::Error> {
    sql!(tx, fetch_optional, WHOLE, id)
}

const LATEST: &str = "SELECT id, at, mail_from, rcpt_to, raw FROM caught ORDER BY id DESC LIMIT 1";

/// # Errors
/// When the database cannot be read.
pub async fn latest(tx: &mut Tx) -> Result<Option<Whole>, sqlx::Error> {
    sql!(tx, fetch_optional, LATEST)
}

const SET_READ: &str = "UPDATE caught SET is_read = $2 WHERE id = $1 AND is_read <> $2";

/// # Errors
/// When the database cannot be written.
pub async fn set_read(tx: &mut Tx, id: CaughtId, read: bool) -> Result<u64, sqlx::Error> {
    execute!(tx, SET_READ, id, read)
}

const DELETE: &str = "DELETE FROM caught WHERE id = $1";

/// # Errors
/// When the database cannot be written.
pub async fn delete(tx: &mut Tx, id: CaughtId) -> Result<u64, sqlx::Error> {
    execute!(tx, DELETE, id)
}

const DELETE_ALL: &str = "DELETE FROM caught";

/// # Errors
/// When the database cannot be written.
pub async fn delete_all(tx: &mut Tx) -> Result<u64, sqlx::Error> {
    execute!(tx, DELETE_ALL)
}

#[cfg(test)]
mod tests {
    use super::{Caught, Query, count, count_all, drop_oldest, insert, lines, searchable};
    use crate::store::Store;
    use crate::values::clock::{Clock, Millis};
    use crate::values::ids::CaughtId;

    fn mail(now: Millis, to: &str, subject: &str, text: &str) -> Caught {
        let from = "The Tidewater Brief <brief@tidewater.example>";
        Caught {
            id: CaughtId::new(now),
            mail_from: "b@tidewater.example".into(),
            rcpt_to: to.into(),
            from_header: from.into(),
            to_header: to.into(),
            subject: subject.into(),
            message_id: "a@b.example".into(),
            snippet: String::new(),
            words: searchable(from, to, subject, text),
            raw: b"Subject: x\r\n\r\nx".to_vec(),
        }
    }

    #[tokio::test]
    async fn a_search_finds_words_where_they_were_asked_for() {
        let folder = std::env::temp_dir().join(format!("broadsheet-caught-{}", CaughtId::new(Millis(1))));
        std::fs::create_dir_all(&folder).expect("is writable");
        let clock = Clock::fixed(Millis(1_795_000_000_000));
        let store = Store::open(&folder.join("t.db").display().to_string(), clock).await.expect("opens");
        store.migrate().await.expect("migrates");
        let mut tx = store.write().await.expect("begins");
        let now = tx.now;
        let mails = [
            mail(now, "Ann <ann@reader.example>", "The harbour that learned to wait", "Patience, 100 % of it."),
            mail(now, "李小龙 <li@reader.example>", "Confirm: Ann asked", "Bitte BESTÄTIGEN"),
        ];
        for mail in &mails {
            insert(&mut tx, mail).await.expect("is written");
        }
        for (text, found) in [
            ("", 2),
            ("harbour", 1),
            ("HARBOUR wait", 1),
            ("ann", 2),
            ("to:ann", 1),
            ("from:ann", 0),
            ("subject:ann", 1),
            ("bestätigen", 1),
            ("李小龙", 1),
            ("\"to wait\"", 1),
            ("\"wait to\"", 0),
            ("100 %", 1),
            ("1_0", 0),
            ("is:unread", 2),
            ("is:read", 0),
            ("the harbour that learned to wait patience 100", 1),
        ] {
            let query = Query::parse(text);
            assert_eq!(lines(&mut tx, &query, 10, 0).await.expect("reads").len(), found, "{text}");
            let unread = count(&mut tx, &query).await.expect("reads").total;
            assert_eq!(unread, i64::try_from(found).expect("is small"), "{text}");
        }
        assert_eq!(drop_oldest(&mut tx, 1).await.expect("drops"), 1);
        assert_eq!(count_all(&mut tx).await.expect("counts").total, 1);
        tx.commit().await.expect("commits");
    }
}

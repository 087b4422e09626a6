//! Many rows in one statement: `VALUES ($1, $2), ($3, $4), …` with binds, which is the same text on both engines.
//! One statement a row would be ten times slower; arrays (Postgres) and `json_each` (SQLite) would fork.

use std::fmt::Write as _;

/// Rows of one statement: an import's whole batch. Both engines take 32,766 binds, which is 32 columns of this.
pub(crate) const ROWS_MAX: usize = 1_000;

/// "($2, $3), ($4, $5)": `rows` groups of `columns` places, counting from `first`.
#[must_use]
pub(crate) fn places(rows: usize, columns: usize, first: usize) -> String {
    let mut text = String::with_capacity(rows * columns * 7);
    for row in 0..rows {
        text.push_str(if row == 0 { "(" } else { "), (" });
        for column in 0..columns {
            let comma = if column == 0 { "" } else { ", " };
            let _ = write!(text, "{comma}${}", first + row * columns + column);
        }
    }
    text.push(')');
    text
}

/// The statement with `?` for every `$n`, which must stand in the order of their numbers, each once.
///
/// Differs because SQLite keeps named places in a list and walks it for every one that is bound: a thousand rows of
/// seven columns would cost 25 million steps, places without a name none.
#[must_use]
pub(crate) fn nameless(text: &str) -> String {
    let (mut out, mut rest, mut seen) = (String::with_capacity(text.len()), text, 0_usize);
    while let Some(at) = rest.find('$') {
        let digits = rest[at + 1..].bytes().take_while(u8::is_ascii_digit).count();
        seen += 1;
        debug_assert_eq!(rest[at + 1..=at + digits].parse(), Ok(seen), "places stand in order, each once: {text}");
        out.push_str(&rest[..at]);
        out.push('?');
        rest = &rest[at + 1 + digits..];
    }
    out.push_str(rest);
    out
}

/// Runs a statement made with [`places`] and gives the rows it changed:
/// `execute_many!(tx, text, [head, …], rows, |row| [row.a, row.b])`.
macro_rules! execute_many {
    ($tx:expr, $text:expr, [$($head:expr),*], $rows:expr, |$row:pat_param| [$($arg:expr),* $(,)?]) => {
        match &mut $tx.inner {
            $crate::store::sql::Inner::Sqlite(tx) => {
                let mut query = ::sqlx::query(::sqlx::AssertSqlSafe($crate::store::many::nameless(&$text)))$(.bind($head))*;
                for $row in $rows { query = query$(.bind($arg))*; }
                query.execute(&mut **tx).await.map(|done| done.rows_affected())
            }
            $crate::store::sql::Inner::Postgres(tx) => {
                let mut query = ::sqlx::query(::sqlx::AssertSqlSafe($text))$(.bind($head))*;
                for $row in $rows { query = query$(.bind($arg))*; }
                let patience = tx.patience;
                let answer = ::tokio::time::timeout(patience, query.execute(&mut **tx)).await;
                tx.heard(answer).map(|done| done.rows_affected())
            }
        }
    };
}

/// Like `execute_many!`, and fetches all rows that the statement gives.
macro_rules! sql_many {
    ($tx:expr, $text:expr, [$($head:expr),*], $rows:expr, |$row:pat_param| [$($arg:expr),* $(,)?]) => {
        match &mut $tx.inner {
            $crate::store::sql::Inner::Sqlite(tx) => {
                let mut query = ::sqlx::query_as(::sqlx::AssertSqlSafe($crate::store::many::nameless(&$text)))$(.bind($head))*;
                for $row in $rows { query = query$(.bind($arg))*; }
                query.fetch_all(&mut **tx).await
            }
            $crate::store::sql::Inner::Postgres(tx) => {
                let mut query = ::sqlx::query_as(::sqlx::AssertSqlSafe($text))$(.bind($head))*;
                for $row in $rows { query = query$(.bind($arg))*; }
                let patience = tx.patience;
                let answer = ::tokio::time::timeout(patience, query.fetch_all(&mut **tx)).await;
                tx.heard(answer)
            }
        }
    };
}

#[cfg(test)]
mod tests {
    #[test]
    fn places_count_on_from_the_first() {
        assert_eq!(super::places(2, 3, 2), "($2, $3, $4), ($5, $6, $7)");
        assert_eq!(super::places(1, 1, 1), "($1)");
    }

    #[test]
    fn sqlite_gets_places_without_a_name() {
        let text = format!("SELECT $1, $2 WHERE x IN {} AND y", super::places(1, 10, 3));
        assert_eq!(super::nameless(&text), "SELECT ?, ? WHERE x IN (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) AND y");
    }

    #[test]
    #[should_panic(expected = "each once")]
    fn a_place_that_stands_twice_is_told_in_tests() {
        let _ = super::nameless("SELECT $1, $1");
    }
}

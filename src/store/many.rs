//! Many rows in one statement: `VALUES ($1, $2), ($3, $4), …` with binds, which is the same text on both engines.
//! One statement a row would be ten times slower; arrays (Postgres) and `json_each` (SQLite) would fork.

use std::fmt::Write as _;

/// Rows of one statement. Beyond some hundreds of binds SQLite's own bookkeeping of names (`$1` is one) costs more than
/// the statement saves, since it looks each of them up in a list.
pub(crate) const ROWS_MAX: usize = 100;

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

/// Runs a statement made with [`places`] and gives the rows it changed:
/// `execute_many!(tx, text, [head, …], rows, |row| [row.a, row.b])`.
macro_rules! execute_many {
    ($tx:expr, $text:expr, [$($head:expr),*], $rows:expr, |$row:pat_param| [$($arg:expr),* $(,)?]) => {
        match &mut $tx.inner {
            $crate::store::sql::Inner::Sqlite(tx) => {
                let mut query = ::sqlx::query(::sqlx::AssertSqlSafe($text))$(.bind($head))*;
                for $row in $rows { query = query$(.bind($arg))*; }
                query.execute(&mut **tx).await.map(|done| done.rows_affected())
            }
            $crate::store::sql::Inner::Postgres(tx) => {
                let mut query = ::sqlx::query(::sqlx::AssertSqlSafe($text))$(.bind($head))*;
                for $row in $rows { query = query$(.bind($arg))*; }
                query.execute(&mut **tx).await.map(|done| done.rows_affected())
            }
        }
    };
}

/// Like `execute_many!`, and fetches all rows that the statement gives.
macro_rules! sql_many {
    ($tx:expr, $text:expr, [$($head:expr),*], $rows:expr, |$row:pat_param| [$($arg:expr),* $(,)?]) => {
        match &mut $tx.inner {
            $crate::store::sql::Inner::Sqlite(tx) => {
                let mut query = ::sqlx::query_as(::sqlx::AssertSqlSafe($text))$(.bind($head))*;
                for $row in $rows { query = query$(.bind($arg))*; }
                query.fetch_all(&mut **tx).await
            }
            $crate::store::sql::Inner::Postgres(tx) => {
                let mut query = ::sqlx::query_as(::sqlx::AssertSqlSafe($text))$(.bind($head))*;
                for $row in $rows { query = query$(.bind($arg))*; }
                query.fetch_all(&mut **tx).await
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
}

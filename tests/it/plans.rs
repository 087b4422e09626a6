//! What the engines mean to do with the ledger's statements: on a big table, none that runs for every group of mails
//! may walk an issue, or the cost of a mail would grow with the audience.

use broadsheet::store::delivery::{self, claim, doubt, freeze, hours, settle};
use broadsheet::store::{self, issue};
use broadsheet::values::ids::{IssueId, NewsletterId};
use broadsheet::verbs::publish::Published;
use sqlx::{AssertSqlSafe, PgPool, SqlitePool};

use crate::app::{Engine, TestApp, engines};

const READERS: i64 = 50_000;
/// Ids for the statements that take a list.
const LIST: &str = "'[101,102,103]'";

/// A statement and what stands for `$1`, `$2`, …
struct Hot(&'static str, String, Vec<String>);

impl Hot {
    fn filled(&self) -> String {
        // From the last, so that $1 does not eat the head of $10.
        let numbered = self.2.iter().enumerate().rev();
        numbered.fold(self.1.clone(), |text, (n, value)| text.replace(&format!("${}", n + 1), value))
    }
}

fn hot(engine: Engine, issue: IssueId, newsletter: NewsletterId) -> Vec<Hot> {
    let fork = usize::from(engine == Engine::Postgres);
    let (i, n, now) = (issue.0.to_string(), newsletter.0.to_string(), "1795942800000");
    let make = |name, text: &str, binds: &[&str]| {
        Hot(name, text.to_owned(), binds.iter().map(|bind| (*bind).to_owned()).collect())
    };
    let end = [&i, "101", "7", "'sent'", "1", now, now, "'after-dot'", "250", "'2.0.0 Ok'", "NULL"];
    let ends = |rows: usize| std::iter::repeat_n(end, rows).flatten().collect::<Vec<&str>>();
    vec![
        make("any due", claim::ANY_DUE, &[&i, now]),
        make("due", claim::DUE[fork], &[&i, &n, now, "512"]),
        make("take", claim::TAKE[fork], &[&i, "7", now, "9", LIST]),
        make("skip", claim::SKIP[fork], &[&i, "'left'", now, LIST]),
        make("mark", claim::MARK[fork], &[&i, "7", now, now, LIST]),
        make("release", claim::RELEASE[fork], &[&i, "7", now, LIST]),
        make("left over", claim::LEFT_OVER, &[]),
        make("unclaim", claim::UNCLAIM, &[now, now]),
        make("doubt", claim::DOUBT, &[now, now]),
        make("settle one", &settle::settle_text(1), &ends(1)),
        make("settle many", &settle::settle_text(64), &ends(64)),
        make("freeze a piece", freeze::FREEZE, &[&i, &n, now, now, now, "101", "25101"]),
        make("thaw a piece", freeze::THAW, &[&i, "101", "25101"]),
        make("put off to the morning", hours::PUT_OFF, &[&i, now, now, "100"]),
        make("zones", hours::ZONES_OF[fork], &[LIST]),
        make("cancel", settle::CANCEL[fork], &[&i, now, "100"]),
        make("resend", doubt::RESEND[fork], &[&i, now, LIST]),
        make("resend all", doubt::RESEND_ALL, &[&i, now]),
        make("mark as sent", doubt::MARK[fork], &[&i, now, LIST]),
        make("mark all as sent", doubt::MARK_ALL, &[&i, now]),
        make("in doubt", doubt::PAGE, &[&i, "101", "100"]),
        make("prove", doubt::PROVE, &[&i, "101", "'sent'", now, "'x'", "NULL", "NULL"]),
        make("prove by leaving", doubt::PROVE_BY_LEAVING, &[now]),
        make("page", delivery::PAGE, &[&i, "101", "'failed'", "100"]),
        make("one", delivery::ONE, &[&i, "101"]),
        make("by subscriber", delivery::BY_SUBSCRIBER, &["101", "100"]),
        make("problems", delivery::PROBLEMS, &[&i, "100"]),
        make("attempts", delivery::ATTEMPTS, &[&i, "101"]),
    ]
}

/// Three issues to everybody; of the last nine tenths are sent, some claimed, few failed.
async fn big_ledger(app: &TestApp) -> (IssueId, NewsletterId) {
    let newsletter = app.newsletter("smtp://127.0.0.1:2525").await;
    let mut tx = app.store.write().await.expect("writes");
    store::bench::readers(&mut tx, newsletter, READERS).await.expect("fills");
    tx.commit().await.expect("commits");
    let mut last = IssueId(0);
    for _ in 0..3 {
        last = app.draft(newsletter).await;
        let published = app.publish(last, 0).await.expect("can be published");
        assert!(matches!(published, Published::Now { audience: READERS, .. }));
    }
    let mut tx = app.store.write().await.expect("writes");
    let listed = issue::list(&mut tx, Some(newsletter), &[issue::IssueState::Sending], 10).await.expect("lists");
    assert_eq!(listed.len(), 3);
    tx.commit().await.expect("commits");
    (last, newsletter)
}

const SPREAD: &str = "UPDATE delivery SET state = CASE WHEN subscriber_id % 1000 = 0 THEN 'failed' \
    WHEN subscriber_id % 50 = 1 THEN 'claimed' WHEN subscriber_id % 10 = 2 THEN 'pending' ELSE 'sent' END, epoch = 7";

#[tokio::test]
async fn no_hot_statement_walks_an_issue() {
    for engine in engines() {
        let app = TestApp::on(engine).await;
        let (issue, newsletter) = big_ledger(&app).await;
        match engine {
            Engine::Sqlite => sqlite(&app, hot(engine, issue, newsletter)).await,
            Engine::Postgres => postgres(&app, hot(engine, issue, newsletter)).await,
        }
    }
}

async fn sqlite(app: &TestApp, hot: Vec<Hot>) {
    let url = app.folder.join("broadsheet.db").display().to_string();
    let pool = SqlitePool::connect(&url).await.expect("opens");
    sqlx::query(SPREAD).execute(&pool).await.expect("fills");
    for analysed in [false, true] {
        if analysed {
            sqlx::query("ANALYZE").execute(&pool).await.expect("analyses");
        }
        for statement in &hot {
            let text = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {}", statement.filled()));
            let plan: Vec<(i64, i64, i64, String)> = sqlx::query_as(text).fetch_all(&pool).await.expect(statement.0);
            let steps: Vec<String> = plan.into_iter().map(|(_, _, _, step)| step).collect();
            let walks = steps.iter().any(|step| {
                let table = step.strip_prefix("SCAN ").and_then(|rest| rest.split(' ').next());
                let big = ["d", "delivery", "a", "attempt", "x", "subscription", "s", "subscriber", "p", "suppression"];
                table.is_some_and(|table| big.contains(&table)) || step.contains("delivery (issue_id=?)")
            });
            // The page and the count of what is touched go along the key and stop early, at their limit.
            assert!(!walks, "{} walks (analysed: {analysed}): {steps:#?}", statement.0);
        }
    }
}

async fn postgres(app: &TestApp, hot: Vec<Hot>) {
    let mut tx = app.store.write().await.expect("writes");
    let broadsheet::store::sql::Inner::Postgres(inner) = &mut tx.inner else { unreachable!("the engine is Postgres") };
    let (schema,): (String,) =
        sqlx::query_as("SELECT current_schema()::text").fetch_one(&mut **inner).await.expect("tells");
    drop(tx);
    let url = std::env::var("TEST_POSTGRES_URL").expect("is set because the engine is Postgres");
    let mark = if url.contains('?') { '&' } else { '?' };
    let pool = PgPool::connect(&format!("{url}{mark}options[search_path]={schema}")).await.expect("connects");
    sqlx::query(SPREAD).execute(&pool).await.expect("fills");
    for table in ["delivery", "attempt", "subscriber", "subscription", "suppression", "issue"] {
        sqlx::query(AssertSqlSafe(format!("VACUUM ANALYZE {table}"))).execute(&pool).await.expect("analyses");
    }
    for statement in &hot {
        let text = AssertSqlSafe(format!("EXPLAIN {}", statement.filled()));
        let plan: Vec<(String,)> = sqlx::query_as(text).fetch_all(&pool).await.expect(statement.0);
        let steps: Vec<String> = plan.into_iter().map(|(step,)| step).collect();
        let walks = steps.iter().any(|step| {
            ["delivery", "subscriber", "subscription"]
                .iter()
                .any(|table| step.contains(&format!("Seq Scan on {table}")))
        });
        assert!(!walks, "{} walks: {steps:#?}", statement.0);
    }
}

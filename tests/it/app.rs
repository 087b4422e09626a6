//! A house for a test: its own database, its own folder, a clock that stands still, and a postbox for a relay.

use std::path::PathBuf;

use broadsheet::audience::status::Status;
use broadsheet::config::Config;
use broadsheet::delivery::counts::Counts;
use broadsheet::issue::rendered::{Piece, Rendered, Template};
use broadsheet::issue::tree::Field;
use broadsheet::store::delivery::DeliveryRow;
use broadsheet::store::issue::{IssueRow, IssueText};
use broadsheet::store::subscription::Consent;
use broadsheet::store::{self, Store};
use broadsheet::values::address::Address;
use broadsheet::values::clock::{Clock, Millis};
use broadsheet::values::ids::{EventId, IssueId, NewsletterId, SubscriberId};
use broadsheet::values::token::Keyring;
use broadsheet::verbs::app::App;
use broadsheet::verbs::newsletters::{self, Wanted};
use broadsheet::verbs::publish::{self, Published};

/// Sunday 29 November 2026, 09:00 UTC.
pub(crate) const NOW: Millis = Millis(1_795_942_800_000);

/// An issue that the checks let pass.
const SOURCE: &str = "---\nsubject: Low tide\npreheader: What the sea left behind\n---\n\nGood morning.\n\n\
    ## A boat on the sand\n\nIt was there at dawn, and nobody had heard it come.\n";

/// Which database a test runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Engine {
    Sqlite,
    Postgres,
}

/// Both engines, or SQLite alone with a loud line where the environment names no Postgres.
pub(crate) fn engines() -> Vec<Engine> {
    if std::env::var("TEST_POSTGRES_URL").is_ok() {
        return vec![Engine::Sqlite, Engine::Postgres];
    }
    println!("SKIPPED ON POSTGRES: TEST_POSTGRES_URL is not set; scripts/test sets it");
    vec![Engine::Sqlite]
}

/// An [`App`] of its own in a folder of its own; both are gone when it is dropped.
pub(crate) struct TestApp {
    pub(crate) app: App,
    pub(crate) folder: PathBuf,
}

impl std::ops::Deref for TestApp {
    type Target = App;

    fn deref(&self) -> &App {
        &self.app
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        self.app.stop.cancel();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl TestApp {
    /// On SQLite, at [`NOW`].
    pub(crate) async fn new() -> Self {
        Self::on(Engine::Sqlite).await
    }

    /// On that engine, at [`NOW`].
    pub(crate) async fn on(engine: Engine) -> Self {
        Self::at(engine, Clock::fixed(NOW)).await
    }

    /// On that engine, with that clock.
    pub(crate) async fn at(engine: Engine, clock: Clock) -> Self {
        let name = format!("broadsheet_test_{}", EventId::new(NOW));
        Self::inside(engine, clock, std::env::temp_dir().join(name)).await
    }

    /// On that engine, with that clock, in that folder.
    pub(crate) async fn inside(engine: Engine, clock: Clock, folder: PathBuf) -> Self {
        Self::set_up(engine, clock, folder, |_| {}).await
    }

    /// The same, with some settings of its own.
    pub(crate) async fn set_up(engine: Engine, clock: Clock, folder: PathBuf, set: impl FnOnce(&mut Config)) -> Self {
        std::fs::create_dir_all(&folder).expect("a temporary folder");
        let url = match engine {
            Engine::Sqlite => folder.join("broadsheet.db").display().to_string(),
            Engine::Postgres => schema(&format!("broadsheet_test_{}", EventId::new(NOW))).await,
        };
        Self::opened_with(&url, clock, folder, set).await
    }

    /// On the database at `url`, with that clock, in that folder.
    pub(crate) async fn opened(url: &str, clock: Clock, folder: PathBuf) -> Self {
        Self::opened_with(url, clock, folder, |_| {}).await
    }

    async fn opened_with(url: &str, clock: Clock, folder: PathBuf, set: impl FnOnce(&mut Config)) -> Self {
        // As the program does at its start, so that a test's own HTTP client finds it too.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let store = Store::open(url, clock.clone()).await.expect("opens");
        store.migrate().await.expect("migrates");
        let mut config = Config {
            data: folder.clone(),
            database: if store.is_sqlite() { String::new() } else { url.to_owned() },
            public_url: "http://127.0.0.1:8080".into(),
            helo: "news.example".into(),
            return_domain: "bounce.example".into(),
            ..Config::default()
        };
        set(&mut config);
        let keys = Keyring::new(vec![("k1".into(), [7; 32])]);
        let app = App::new(config, store, clock, keys);
        lend_dkim_key(&app).await;
        Self { app, folder }
    }

    /// A newsletter whose relay is `url`.
    pub(crate) async fn newsletter(&self, url: &str) -> NewsletterId {
        let wanted = Wanted {
            name: "The Tidewater Brief".into(),
            slug: "tidewater".into(),
            from: "Ines <brief@tidewater.example>".into(),
            postal_address: "Quay House, Port Ellery".into(),
            zone: "Europe/Lisbon".into(),
            relay: Some(url.parse().expect("is a relay's address")),
            ..Wanted::default()
        };
        newsletters::create(&self.app, wanted).await.expect("can be made").id
    }

    /// Active readers `reader0@readers.example` and so on.
    pub(crate) async fn readers(&self, newsletter: NewsletterId, many: usize) -> Vec<SubscriberId> {
        let mut tx = self.store.write().await.expect("writes");
        let mut readers = Vec::with_capacity(many);
        let consent = Consent { text: "yes".into(), source: "test".into(), ip: String::new() };
        for n in 0..many {
            let address = Address::parse(&format!("reader{n}@readers.example")).expect("an address");
            let id = SubscriberId::new(tx.now);
            let id = store::subscriber::keep(&mut tx, id, &address, &format!("Reader {n}")).await.expect("kept");
            store::subscription::begin(&mut tx, newsletter, id, Status::Active, &consent).await.expect("begun");
            readers.push(id);
        }
        tx.commit().await.expect("commits");
        readers
    }

    /// A draft with a short text.
    pub(crate) async fn draft(&self, newsletter: NewsletterId) -> IssueId {
        let mut tx = self.store.write().await.expect("writes");
        let slug = format!("issue-{}", EventId::new(NOW));
        let text = IssueText { slug, subject: "Low tide".into(), source: SOURCE.into(), ..IssueText::default() };
        let id = store::issue::insert(&mut tx, newsletter, &text).await.expect("kept");
        tx.commit().await.expect("commits");
        id
    }

    /// Freezes a draft with a small rendering.
    pub(crate) async fn publish(&self, issue: IssueId, hold_ms: i64) -> anyhow::Result<Published> {
        publish::freeze(&self.app, issue, 1, &rendered(), hold_ms).await
    }

    pub(crate) async fn issue(&self, id: IssueId) -> IssueRow {
        let mut tx = self.store.read().await.expect("reads");
        store::issue::by_id(&mut tx, id).await.expect("reads").expect("is there")
    }

    /// Counted from the rows, and checked to add up.
    pub(crate) async fn counts(&self, issue: IssueId) -> Counts {
        let mut tx = self.store.read().await.expect("reads");
        let counts = store::delivery::counts(&mut tx, issue).await.expect("counts");
        assert!(counts.adds_up(), "{counts:?}");
        counts
    }

    pub(crate) async fn delivery(&self, issue: IssueId, subscriber: SubscriberId) -> DeliveryRow {
        let mut tx = self.store.read().await.expect("reads");
        store::delivery::one(&mut tx, issue, subscriber).await.expect("reads").expect("is there")
    }
}

/// A rendering as small as can be that has every kind of gap.
pub(crate) fn rendered() -> Rendered {
    let fixed = |text: &str| Piece::Fixed(text.into());
    let name = || Piece::Slot(Field::Name { default: "reader".into() });
    let subject = Template { pieces: vec![fixed("Low tide")] };
    let html = vec![fixed("<p>Hello "), name(), fixed("</p><a href=\""), Piece::Slot(Field::Unsubscribe), fixed("\">")];
    let text = vec![fixed("Hello "), name(), fixed("\n"), Piece::Slot(Field::Unsubscribe), fixed("\n")];
    Rendered {
        subject,
        html: Template { pieces: html },
        text: Template { pieces: text },
        web: "<p>Hello reader</p>".into(),
        hash: "0".repeat(64),
    }
}

/// Making a key takes a debug build seconds; one is made for all tests.
async fn lend_dkim_key(app: &App) {
    use std::sync::LazyLock;
    static KEY: LazyLock<String> = LazyLock::new(|| broadsheet::issue::dkim::new_rsa_key().expect("a key can be made"));
    let mut tx = app.store.write().await.expect("writes");
    store::secret::insert(&mut tx, "dkim", "tidewater.example", "bs1", &KEY).await.expect("kept");
    tx.commit().await.expect("commits");
}

/// A schema of its own on the test server; gives the URL that leads into it.
async fn schema(name: &str) -> String {
    let url = std::env::var("TEST_POSTGRES_URL").expect("is set because the engine is Postgres");
    let pool = sqlx::PgPool::connect(&url).await.expect("the test server answers");
    let text = sqlx::AssertSqlSafe(format!("CREATE SCHEMA {name}"));
    sqlx::query(text).execute(&pool).await.expect("a schema can be made");
    pool.close().await;
    let mark = if url.contains('?') { '&' } else { '?' };
    format!("{url}{mark}options[search_path]={name}")
}

//! The desk from outside: a browser's requests against a real server, mail at a real relay.

use broadsheet::store::issue::IssueState;
use broadsheet::values::clock::Millis;
use broadsheet::values::ids::{IssueId, NewsletterId};
use broadsheet::verbs::accounts::{self, NewAccount, Role};
use broadsheet::verbs::deliver;
use reqwest::header::{CONTENT_TYPE, COOKIE, HeaderMap, LOCATION, SET_COOKIE};
use sqlx::Connection as _;

use crate::app::{Engine, TestApp};
use crate::postbox::{Act, Postbox, Script};

const PASSWORD: &str = "the tide is out";
const TEXT: &str = "---\nsubject: The last pilot boat\npreheader: Five stories from the water's edge, none of them \
    long, all of them about what moves when the water does.\n---\n\nGood morning, {{ name | default(\"reader\") }}.\n\n\
    ## A boat retires\n\nFor sixty-one years she met every ship at the bar.\n\nSource: \
    [Merrow Harbour Gazette](https://gazette.example/resolute)\n\n---\n\nUntil Sunday.\n";

/// What a browser keeps and sees.
struct Browser {
    client: reqwest::Client,
    base: String,
    cookie: String,
}

struct Page {
    status: u16,
    headers: HeaderMap,
    body: String,
}

impl Page {
    fn location(&self) -> &str {
        self.headers.get(LOCATION).and_then(|to| to.to_str().ok()).unwrap_or_default()
    }
}

impl Browser {
    /// Opens the desk of `app` on a port of the system's choosing.
    async fn of(app: &TestApp) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let base = format!("http://{}", listener.local_addr().expect("an address"));
        tokio::spawn(broadsheet::web::serve(app.app.clone(), listener));
        // Whoever was first has installed it; the same for all.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().expect("a client");
        Self { client, base, cookie: String::new() }
    }

    fn another(&self) -> Self {
        Self { client: self.client.clone(), base: self.base.clone(), cookie: String::new() }
    }

    async fn send(&mut self, request: reqwest::RequestBuilder) -> Page {
        let answer = request.header(COOKIE, self.cookie.as_str()).send().await.expect("an answer");
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        if let Some(cookie) = headers.get(SET_COOKIE).and_then(|cookie| cookie.to_str().ok()) {
            self.cookie = cookie.split(';').next().unwrap_or_default().to_owned();
        }
        Page { status, headers, body: answer.text().await.expect("text") }
    }

    async fn get(&mut self, path: &str) -> Page {
        let request = self.client.get(format!("{}{path}", self.base));
        self.send(request).await
    }

    async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Page {
        let body: String = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = self.client.post(format!("{}{path}", self.base));
        self.send(request.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(body)).await
    }

    /// A form with files: fields, then `(field, file name, bytes)`.
    async fn upload(&mut self, path: &str, fields: &[(&str, &str)], files: &[(&str, &str, &[u8])]) -> Page {
        let mut body = Vec::new();
        for (name, value) in fields {
            body.extend_from_slice(
                format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n").as_bytes(),
            );
        }
        for (name, file, bytes) in files {
            let head = format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"{file}\"\r\n\r\n");
            body.extend_from_slice(head.as_bytes());
            body.extend_from_slice(bytes);
            body.extend_from_slice(b"\r\n");
        }
        body.extend_from_slice(b"--b--\r\n");
        let request = self.client.post(format!("{}{path}", self.base));
        self.send(request.header(CONTENT_TYPE, "multipart/form-data; boundary=b").body(body)).await
    }

    async fn sign_in(&mut self) -> Page {
        self.post("/desk/signin", &[("email", "ines@tidewater.example"), ("password", PASSWORD)]).await
    }
}

async fn account(app: &TestApp) {
    let new =
        NewAccount { email: "Ines@Tidewater.example".into(), name: "Ines Corrado".into(), password: PASSWORD.into() };
    accounts::create_account(&app.app, new, Role::Owner).await.expect("an account");
}

/// A signed-in browser, a newsletter and its readers.
async fn desk(app: &TestApp, relay: &str, readers: usize) -> (Browser, NewsletterId) {
    account(app).await;
    let newsletter = app.newsletter(relay).await;
    app.readers(newsletter, readers).await;
    let mut browser = Browser::of(app).await;
    assert_eq!(browser.sign_in().await.status, 303);
    (browser, newsletter)
}

/// An issue with `text`, made through the desk.
async fn written(browser: &mut Browser, text: &str) -> IssueId {
    let made = browser.upload("/desk/n/tidewater/issues/upload", &[], &[("files", "issue.md", text.as_bytes())]).await;
    assert_eq!(made.status, 303, "{}", made.body);
    made.location().rsplit('/').next().expect("an id").parse().expect("an id")
}

async fn the_door_opens_with_the_password_and_tells_strangers_nothing(engine: Engine) {
    let app = TestApp::on(engine).await;
    account(&app).await;
    let mut browser = Browser::of(&app).await;
    let shut = browser.get("/desk").await;
    assert_eq!((shut.status, shut.location()), (303, "/desk/signin?next=%2Fdesk%2F"));
    let wrong = [("email", "ines@tidewater.example"), ("password", "the tide is in")];
    let nobody = [("email", "nobody@tidewater.example"), ("password", "the tide is in")];
    let (wrong, nobody) = (browser.post("/desk/signin", &wrong).await, browser.post("/desk/signin", &nobody).await);
    assert_eq!((wrong.status, nobody.status), (422, 422));
    assert_eq!(wrong.body.replace("ines@", "nobody@"), nobody.body);
    let open = browser.sign_in().await;
    let cookie = open.headers[SET_COOKIE].to_str().expect("text");
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"), "{cookie}");
    assert_eq!(browser.get("/desk").await.location(), "/desk/new");
    for _ in 0..8 {
        browser.post("/desk/signin", &[("email", "ines@tidewater.example"), ("password", "guess")]).await;
    }
    assert_eq!(browser.sign_in().await.status, 429);
}

async fn a_session_that_was_ended_elsewhere_is_over(engine: Engine) {
    let app = TestApp::on(engine).await;
    let (mut here, _) = desk(&app, "smtp://127.0.0.1:2525", 1).await;
    let mut there = here.another();
    there.sign_in().await;
    assert_eq!(there.get("/desk/account").await.status, 200);
    assert_eq!(here.post("/desk/account/signout-elsewhere", &[]).await.status, 303);
    assert_eq!(there.get("/desk/account").await.status, 303);
    assert_eq!(here.get("/desk/account").await.status, 200);
    app.clock.advance(Millis::HOUR);
    assert_eq!(here.get("/desk/account").await.status, 200, "seen again after an hour");
    here.post("/desk/signout", &[]).await;
    assert_eq!(here.get("/desk/account").await.status, 303);
}

async fn of_two_who_press_the_set_up_link_at_once_one_gets_the_account(engine: Engine) {
    let app = TestApp::on(engine).await;
    let link = accounts::setup_link(&app.app).await.expect("writes").expect("there is no account");
    let path = link.path().to_owned();
    let mut one = Browser::of(&app).await;
    let mut two = one.another();
    assert_eq!(one.get(&path).await.status, 200);
    let first = [("email", "a@tidewater.example"), ("name", "A"), ("password", PASSWORD)];
    let second = [("email", "b@tidewater.example"), ("name", "B"), ("password", PASSWORD)];
    let (a, b) = tokio::join!(one.post(&path, &first), two.post(&path, &second));
    let mut statuses = [a.status, b.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [303, 404]);
    assert_eq!(one.another().get(&path).await.status, 404);
    assert!(accounts::setup_link(&app.app).await.expect("reads").is_none());
}

async fn a_form_sent_from_another_site_is_refused(engine: Engine) {
    let app = TestApp::on(engine).await;
    let (mut browser, _) = desk(&app, "smtp://127.0.0.1:2525", 1).await;
    for (name, value) in [("Sec-Fetch-Site", "cross-site"), ("Origin", "https://evil.example")] {
        let request = browser.client.post(format!("{}/desk/account/theme", browser.base)).header(name, value);
        let answer =
            browser.send(request.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body("theme=dark")).await;
        assert_eq!(answer.status, 403, "{name}");
        assert!(answer.body.contains("Nothing was changed"), "{}", answer.body);
    }
    let request =
        browser.client.post(format!("{}/desk/account/theme", browser.base)).header("Sec-Fetch-Site", "same-origin");
    let request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body("theme=dark");
    assert_eq!(browser.send(request).await.status, 303);
    assert!(browser.get("/desk/account").await.body.contains("data-theme=\"dark\""));
}

async fn every_page_answers_empty_and_full_and_looking_changes_nothing(engine: Engine) {
    let app = TestApp::on(engine).await;
    let (mut browser, _) = desk(&app, "smtp://127.0.0.1:2525", 0).await;
    let general = [
        "",
        "/issues",
        "/issues/upload",
        "/readers",
        "/readers/add",
        "/readers/import",
        "/deliverability",
        "/settings",
        "/find?q=boat",
    ];
    for path in general {
        let page = browser.get(&format!("/desk/n/tidewater{path}")).await;
        assert_eq!(page.status, 200, "empty {path}");
        assert!(page.headers["content-security-policy"].to_str().expect("text").contains("script-src 'self'"));
        assert!(!page.body.contains("style=") && !page.body.contains("<script>"), "inline in {path}");
    }
    app.readers(
        broadsheet::store::newsletter::by_slug(&mut app.store.read().await.expect("reads"), "tidewater")
            .await
            .expect("reads")
            .expect("is there")
            .id,
        60,
    )
    .await;
    let issue = written(&mut browser, TEXT).await;
    // SQLite counts its commits; the same handlers run on Postgres.
    let file = app.folder.join("broadsheet.db").display().to_string();
    let mut watching = match engine {
        Engine::Sqlite => Some(sqlx::SqliteConnection::connect(&file).await.expect("opens")),
        Engine::Postgres => None,
    };
    let before = commits(watching.as_mut()).await;
    let of_issue =
        ["", "/mail", "/mail?view=text", "/mail?view=dark", "/test", "/review", "/review?when=now", "?line=3"];
    let pages = general.iter().map(|path| format!("/desk/n/tidewater{path}"));
    let pages = pages.chain(of_issue.iter().map(|path| format!("/desk/issue/{issue}{path}")));
    for path in pages.chain(["/desk/new".to_owned(), "/desk/account".to_owned(), "/livez".into(), "/readyz".into()]) {
        assert_eq!(browser.get(&path).await.status, 200, "{path}");
    }
    assert_eq!(before, commits(watching.as_mut()).await, "a GET wrote to the database");
    assert_eq!(browser.get("/desk/n/nowhere").await.status, 404);
    assert_eq!(browser.get(&format!("/desk/issue/{}", IssueId(7))).await.status, 404);
}

async fn who_saves_second_sees_both_texts_and_loses_neither(engine: Engine) {
    let app = TestApp::on(engine).await;
    let (mut browser, _) = desk(&app, "smtp://127.0.0.1:2525", 1).await;
    let issue = written(&mut browser, TEXT).await;
    let path = format!("/desk/issue/{issue}");
    let first = TEXT.replace("sixty-one", "sixty-two");
    let kept = browser.upload(&path, &[("text", &first.replace('\n', "\r\n")), ("revision", "1")], &[]).await;
    assert_eq!(kept.status, 303, "{}", kept.body);
    assert_eq!(app.issue(issue).await.source, first);
    let second = TEXT.replace("sixty-one", "sixty-three");
    let both = browser.upload(&path, &[("text", &second), ("revision", "1")], &[]).await;
    assert_eq!(both.status, 409);
    assert!(both.body.contains("sixty-two") && both.body.contains("sixty-three"));
    assert!(both.body.contains("name=\"revision\" value=\"2\""));
    assert_eq!(app.issue(issue).await.source, first);
    let knowingly = browser.upload(&path, &[("text", &second), ("revision", "2"), ("then", "review")], &[]).await;
    assert_eq!(knowingly.location(), format!("{path}/review"));
    assert_eq!(app.issue(issue).await.source, second);
}

async fn a_blocked_issue_shows_why_and_has_no_button(engine: Engine) {
    let app = TestApp::on(engine).await;
    let (mut browser, _) = desk(&app, "smtp://127.0.0.1:2525", 3).await;
    let issue = written(&mut browser, &TEXT.replace("she met", "she TK met")).await;
    let review = browser.get(&format!("/desk/issue/{issue}/review?when=now")).await;
    assert!(review.body.contains("Mend what blocks it first") && !review.body.contains("Send this issue now</button>"));
    let forced = browser.post(&format!("/desk/issue/{issue}/send"), &[("when", "now")]).await;
    assert_eq!(forced.status, 422);
    assert!(forced.body.contains("Nothing was sent or scheduled"));
    assert_eq!(app.issue(issue).await.state, IssueState::Draft);
}

async fn an_issue_goes_from_the_review_to_the_report(engine: Engine) {
    let postbox = Postbox::start(Script::new()).await;
    let app = TestApp::on(engine).await;
    let (mut browser, _) = desk(&app, &format!("smtp://127.0.0.1:{}", postbox.port()), 5).await;
    let issue = written(&mut browser, TEXT).await;
    let path = format!("/desk/issue/{issue}");
    let wall = [("when", "at"), ("wall", "2026-12-06T09:00"), ("zone", "America/Vancouver")];
    let review = browser.get(&format!("{path}/review?when=at&wall=2026-12-06T09:00&zone=America/Vancouver")).await;
    assert!(review.body.contains("5 readers"), "{}", review.body);
    assert!(review.body.contains("on Sun 6 Dec 2026 09:00 America/Vancouver (UTC−7)"), "{}", review.body);
    let planned = browser.post(&format!("{path}/send"), &wall).await;
    assert_eq!(planned.location(), format!("{path}/review?said=scheduled"), "{}", planned.body);
    assert_eq!(app.issue(issue).await.state, IssueState::Scheduled);
    assert_eq!(browser.post(&format!("{path}/take-back"), &[]).await.status, 303);
    let sent = browser.post(&format!("{path}/send"), &[("when", "now")]).await;
    assert_eq!(sent.location(), format!("{path}/sending?said=published"), "{}", sent.body);
    let held = browser.get(&format!("{path}/sending")).await;
    assert!(held.body.contains("Pull it back") && held.body.contains("about to leave"), "{}", held.body);
    assert_eq!(browser.post(&format!("{path}/undo"), &[]).await.location(), format!("{path}/review?said=draft"));
    browser.post(&format!("{path}/send"), &[("when", "now")]).await;
    app.clock.advance(61_000);
    let paused = browser.post(&format!("{path}/pause"), &[]).await;
    assert_eq!(paused.status, 303);
    assert!(browser.get(&format!("{path}/sending")).await.body.contains("Paused by Ines Corrado"));
    browser.post(&format!("{path}/resume"), &[]).await;
    deliver::drain(&app.app).await.expect("drains");
    postbox.wait_for(5).await;
    let report = browser.get(&format!("{path}/report")).await;
    assert!(report.body.contains("5 of 5 were taken"), "{}", report.body);
    let csv = browser.get(&format!("{path}/deliveries.csv")).await.body;
    assert_eq!(csv.lines().count(), 6);
    assert!(csv.contains("reader0@readers.example,sent,1,250"), "{csv}");
    let live = browser.get(&format!("{path}/watch")).await;
    assert!(live.body.contains("event: done"), "{}", live.body);
}

async fn a_list_is_shown_before_it_is_taken(engine: Engine) {
    let app = TestApp::on(engine).await;
    let (mut browser, newsletter) = desk(&app, "smtp://127.0.0.1:2525", 2).await;
    let list = b"email,name\nreader0@readers.example,R\nnew@readers.example,N\nnew@readers.example,N\nbo@@quay,B\n";
    let dry = browser.upload("/desk/n/tidewater/readers/import", &[], &[("file", "fair.csv", list)]).await;
    assert!(dry.body.contains("1 + 1 + 0 + 0 + 1 + 1 = 4"), "{}", dry.body);
    let id = dry
        .body
        .split("name=\"upload\" value=\"")
        .nth(1)
        .and_then(|rest| rest.split('"').next())
        .expect("an id")
        .to_owned();
    let count = async || {
        let mut tx = app.store.read().await.expect("reads");
        let counts = broadsheet::store::subscription::counts(&mut tx, newsletter).await.expect("reads");
        counts.iter().map(|(_, many)| *many).sum::<i64>()
    };
    assert_eq!(count().await, 2);
    let silent = browser.post("/desk/n/tidewater/readers/import/confirm", &[("upload", &id)]).await;
    assert_eq!((silent.status, count().await), (422, 2));
    let done =
        browser.post("/desk/n/tidewater/readers/import/confirm", &[("upload", &id), ("consent", "spring fair")]).await;
    assert_eq!((done.status, count().await), (200, 3));
    let again =
        browser.post("/desk/n/tidewater/readers/import/confirm", &[("upload", &id), ("consent", "spring fair")]).await;
    assert_eq!((again.status, count().await), (409, 3));
}

async fn commits(watching: Option<&mut sqlx::SqliteConnection>) -> Option<i64> {
    sqlx::query_scalar("PRAGMA data_version").fetch_one(watching?).await.ok()
}

/// Tells each story on every engine there is.
macro_rules! on_every_engine {
    ($($story:ident),+ $(,)?) => {
        mod on_every_engine {
            $(#[tokio::test]
            async fn $story() {
                for engine in crate::app::engines() {
                    super::$story(engine).await;
                }
            })+
        }
    };
}

async fn mails_in_doubt_are_decided_on_their_page(engine: Engine) {
    let postbox = Postbox::start(Script::new().on_some(".", 0, 3, Act::Close)).await;
    let app = TestApp::on(engine).await;
    let (mut browser, _) = desk(&app, &format!("smtp://127.0.0.1:{}", postbox.port()), 5).await;
    let issue = written(&mut browser, TEXT).await;
    let path = format!("/desk/issue/{issue}");
    browser.post(&format!("{path}/send"), &[("when", "now")]).await;
    app.clock.advance(61_000);
    let going = browser.get(&format!("{path}/sending")).await.body;
    assert!(going.contains("At most 5 readers are in doubt if the machine that sends dies now"), "{going}");
    assert!(going.contains("Takes mail") && going.contains("connections"), "{going}");
    for _ in 0..5 {
        // A site rests after each that is in doubt.
        deliver::drain(&app.app).await.expect("drains");
        app.clock.advance(Millis::HOUR);
    }
    assert!(browser.get(&format!("{path}/sending")).await.body.contains("3 mails are in doubt"));
    let page = browser.get(&format!("{path}/doubt")).await;
    assert!(page.status == 200 && page.body.contains("no clear answer after the last byte"), "{}", page.body);
    let rows = broadsheet::verbs::doubt::page(&app.app, issue, None, 10).await.expect("reads");
    assert!(rows.iter().all(|row| page.body.contains(&row.message_id)), "{}", page.body);
    let post = format!("{path}/doubt");
    let nobody = browser.post(&post, &[("act", "resend")]).await;
    assert_eq!(nobody.location(), format!("{path}/doubt?said=none"));
    let (one, two) = (rows[0].subscriber.to_string(), rows[1].subscriber.to_string());
    let some = [("who", one.as_str()), ("who", two.as_str()), ("act", "mark-sent")];
    assert_eq!(browser.post(&post, &some).await.location(), format!("{path}/doubt?said=marked-sent"));
    assert_eq!(app.counts(issue).await.in_doubt, 1);
    let story = browser.get(&format!("/desk/n/tidewater/readers/{one}")).await.body;
    assert!(story.contains("marked as sent") && story.contains("Ines Corrado"), "{story}");
    assert_eq!(browser.post(&post, &[("act", "resend-all")]).await.location(), format!("{path}/doubt?said=resent"));
    deliver::drain(&app.app).await.expect("drains");
    assert_eq!(app.counts(issue).await.sent, 5);
    assert!(browser.get(&post).await.body.contains("Nothing of this issue is in doubt"));
}

on_every_engine! {
    mails_in_doubt_are_decided_on_their_page,
    the_door_opens_with_the_password_and_tells_strangers_nothing,
    a_session_that_was_ended_elsewhere_is_over,
    of_two_who_press_the_set_up_link_at_once_one_gets_the_account,
    a_form_sent_from_another_site_is_refused,
    every_page_answers_empty_and_full_and_looking_changes_nothing,
    who_saves_second_sees_both_texts_and_loses_neither,
    a_blocked_issue_shows_why_and_has_no_button,
    an_issue_goes_from_the_review_to_the_report,
    a_list_is_shown_before_it_is_taken,
}

#[tokio::test]
async fn forms_welcome_and_proof_are_made_on_the_desk() {
    let app = TestApp::new().await;
    let (mut browser, newsletter) = desk(&app, "smtp://127.0.0.1:9", 1).await;
    let room = "/desk/n/tidewater";
    let said = browser.post(&format!("{room}/forms/fields"), &[("lines", "boat = Your boat : ship")]).await;
    assert!(
        said.status == 422 && said.body.contains("is no type of a field") && said.body.contains("Nothing was saved")
    );
    let said = browser.post(&format!("{room}/forms/fields"), &[("lines", "boat = Your boat")]).await;
    assert_eq!((said.status, said.location()), (303, "/desk/n/tidewater/forms?said=saved"));
    let fields = [("slug", "sailors"), ("title", "For sailors"), ("challenge", "auto"), ("open", "yes")];
    let wrong: Vec<_> = fields.into_iter().chain([("single_reason", "so")]).collect();
    let said = browser.post(&format!("{room}/forms/new"), &wrong).await;
    assert!(
        said.status == 422 && said.body.contains("in a sentence why") && said.body.contains("value=\"For sailors\"")
    );
    let good: Vec<_> = fields.into_iter().chain([("asks", "boat"), ("asks", "name")]).collect();
    let said = browser.post(&format!("{room}/forms/new"), &good).await;
    assert_eq!(said.location(), "/desk/n/tidewater/forms/sailors?said=saved");
    let page = browser.get(&format!("{room}/forms/sailors")).await;
    assert!(page.body.contains("value=\"boat\" checked") && page.body.contains("Version 1"), "{}", page.body);
    assert!(browser.get("/tidewater/form/sailors").await.body.contains("Your boat"));

    let mail = "---\nsubject: Good that you are here\n---\n\nHello.\n";
    let fields = [("source", mail), ("hours", "72"), ("on", "yes")];
    let said = browser.post(&format!("{room}/welcome/new"), &fields).await;
    let address = said.location().split('?').next().unwrap_or_default().to_owned();
    assert!(said.status == 303 && browser.get(&address).await.body.contains("value=\"72\""), "{address}");
    assert!(browser.get(&format!("{room}/forms")).await.body.contains("Good that you are here"));
    let said = browser.post(&format!("{address}/test"), &[("address", "ines@tidewater.example")]).await;
    assert_eq!(said.status, 303);
    assert_eq!(browser.post(&format!("{address}/remove"), &[]).await.status, 303);
    assert_eq!(browser.post(&format!("{room}/forms/sailors/remove"), &[]).await.status, 303);
    assert_eq!(browser.get("/tidewater/form/sailors").await.status, 404);

    let mut tx = app.store.read().await.expect("reads");
    let reader =
        broadsheet::store::subscription::after(&mut tx, newsletter, broadsheet::values::ids::SubscriberId(0), 1);
    let reader = reader.await.expect("reads").remove(0).id;
    drop(tx);
    let page = browser.get(&format!("{room}/readers/{reader}/proof")).await;
    assert!(page.status == 200 && page.body.contains("As the subscription has it"), "{}", page.body);
    let mut stranger = browser.another();
    for path in ["/forms", "/forms/main", "/welcome/new"] {
        assert_eq!(stranger.get(&format!("{room}{path}")).await.status, 303, "{path}");
    }
}

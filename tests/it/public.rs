//! The readers' pages, from outside: forms filled in, mails read at the postbox, buttons pressed.

use std::net::SocketAddr;

use broadsheet::audience::status::Status;
use broadsheet::store;
use broadsheet::store::subscription::Subscription;
use broadsheet::values::address::Address;
use broadsheet::values::clock::Millis;
use broadsheet::values::ids::{IssueId, NewsletterId, SubscriberId};
use broadsheet::values::token::Purpose;
use broadsheet::verbs::deliver;
use broadsheet::verbs::membership::{NewReader, add_reader};
use broadsheet::web;
use reqwest::{Client, Response, StatusCode, redirect};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::app::{TestApp, engines};
use crate::postbox::{Postbox, Script};

/// A newsletter with its pages served and its mail going to a postbox.
pub(crate) struct Site {
    pub(crate) app: TestApp,
    pub(crate) postbox: Postbox,
    pub(crate) newsletter: NewsletterId,
    pub(crate) address: SocketAddr,
    pub(crate) client: Client,
}

impl Site {
    pub(crate) async fn new() -> Self {
        Self::of(TestApp::new().await).await
    }

    pub(crate) async fn of(app: TestApp) -> Self {
        // Whoever is second finds the same provider installed.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let postbox = Postbox::start(Script::new()).await;
        let newsletter = app.newsletter(&format!("smtp://127.0.0.1:{}", postbox.port())).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        tokio::spawn(web::serve(app.app.clone(), listener));
        let client = Client::builder().redirect(redirect::Policy::none()).build().expect("a client");
        Self { app, postbox, newsletter, address, client }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) async fn get(&self, path: &str) -> Response {
        self.client.get(self.url(path)).send().await.expect("an answer")
    }

    /// As a browser sends a form from one of our own pages.
    pub(crate) async fn post(&self, path: &str, form: &str) -> Response {
        let request = self.client.post(self.url(path)).header("content-type", "application/x-www-form-urlencoded");
        request.header("sec-fetch-site", "same-origin").body(form.to_owned()).send().await.expect("an answer")
    }

    pub(crate) async fn sign_up(&self, address: &str) -> Response {
        self.post("/tidewater/subscribe", &format!("email={}", address.replace('+', "%2B"))).await
    }

    pub(crate) async fn reader(&self, address: &str) -> SubscriberId {
        let mut tx = self.app.store.read().await.expect("reads");
        let address = Address::parse(address).expect("an address");
        store::subscriber::by_address(&mut tx, &address).await.expect("reads").expect("is known").id
    }

    pub(crate) async fn subscription(&self, id: SubscriberId) -> Subscription {
        let mut tx = self.app.store.read().await.expect("reads");
        store::subscription::by_ids(&mut tx, self.newsletter, id).await.expect("reads").expect("is subscribed")
    }

    pub(crate) async fn status(&self, id: SubscriberId) -> Status {
        self.subscription(id).await.status
    }

    pub(crate) async fn events(&self, id: SubscriberId) -> Vec<String> {
        let mut tx = self.app.store.read().await.expect("reads");
        let events = store::event::by_subscriber(&mut tx, id, 100).await.expect("reads");
        events.into_iter().rev().map(|event| event.kind).collect()
    }

    pub(crate) async fn active(&self, address: &str) -> SubscriberId {
        let new = NewReader {
            newsletter: self.newsletter,
            address: Address::parse(address).expect("an address"),
            name: "Ann".into(),
            consent: "said so at the fair".into(),
            by: "a test".into(),
            account: None,
        };
        add_reader(&self.app, new).await.expect("can be added");
        self.reader(address).await
    }

    pub(crate) fn link(&self, id: SubscriberId, page: &str) -> String {
        format!("/r/{}/{page}", self.app.keys.seal(Purpose::Reader, [self.newsletter.0, id.0, 0]))
    }

    /// Path of the link in the newest letter that the postbox got.
    pub(crate) async fn link_in_the_mail(&self, mails: usize) -> String {
        deliver::drain(&self.app).await.expect("drains");
        let mails = self.postbox.wait_for(mails).await;
        let mail = String::from_utf8_lossy(&mails[mails.len() - 1].bytes).replace("=\r\n", "");
        let at =
            mail.find("http://127.0.0.1:8080/c/").expect("the letter has its link") + "http://127.0.0.1:8080".len();
        mail[at..].chars().take_while(|letter| letter.is_ascii_alphanumeric() || "/._-".contains(*letter)).collect()
    }
}

/// A client of its own kind: writes these bytes, gives everything that comes back.
pub(crate) async fn raw(address: SocketAddr, bytes: &str) -> String {
    let mut tcp = TcpStream::connect(address).await.expect("it listens");
    tcp.write_all(bytes.as_bytes()).await.expect("it reads");
    let mut answer = String::new();
    tcp.read_to_string(&mut answer).await.expect("it answers and closes");
    answer
}

pub(crate) async fn text(response: Response) -> String {
    response.text().await.expect("a body")
}

#[tokio::test]
async fn a_reader_joins_by_a_mail_and_leaves_by_a_click() {
    for engine in engines() {
        let site = Site::of(TestApp::on(engine).await).await;
        let page = text(site.get("/tidewater").await).await;
        assert!(page.contains("The Tidewater Brief") && page.contains("name=\"website\""));
        assert_eq!(site.sign_up("ann@readers.example").await.status(), StatusCode::OK);
        let ann = site.reader("ann@readers.example").await;
        let row = site.subscription(ann).await;
        assert_eq!((row.status, row.confirmed_at, row.consent_ip.as_str()), (Status::Pending, None, "127.0.0.0/24"));
        assert!(page.contains(&row.consent_text) && row.consent_source.ends_with("/tidewater"), "{row:?}");

        let link = site.link_in_the_mail(1).await;
        for _ in 0..100 {
            assert_eq!(site.get(&link).await.status(), StatusCode::OK);
        }
        site.client.head(site.url(&link)).send().await.expect("an answer");
        assert_eq!(site.status(ann).await, Status::Pending, "looking confirms nothing");
        let said = text(site.post(&link, "").await).await;
        assert!(said.contains("You are in"), "{said}");
        assert_eq!(site.status(ann).await, Status::Active);
        assert_eq!(site.post(&link, "").await.status(), StatusCode::OK, "twice is as once");

        let leave = site.link(ann, "unsubscribe");
        let answer = site.client.post(site.url(&leave)).body("List-Unsubscribe=One-Click").send().await.expect("one");
        assert_eq!((answer.status(), answer.content_length()), (StatusCode::OK, Some(0)));
        assert_eq!(site.status(ann).await, Status::Unsubscribed);
        let events = ["subscription.signed_up", "subscription.confirmed", "subscription.left"];
        assert_eq!(site.events(ann).await, events);
    }
}

#[tokio::test]
async fn one_click_works_for_every_client_that_the_rfc_allows() {
    let site = Site::new().await;
    let multipart = "--b\r\nContent-Disposition: form-data; name=\"List-Unsubscribe\"\r\n\r\nOne-Click\r\n--b--\r\n";
    let urlencoded = "application/x-www-form-urlencoded";
    let bodies = [
        (urlencoded, "List-Unsubscribe=One-Click"),
        ("application/x-www-form-urlencoded; charset=UTF-8", "List-Unsubscribe=One-Click"),
        ("multipart/form-data; boundary=b", multipart),
        (urlencoded, ""),
        ("text/plain", "whatever"),
    ];
    for (at, (kind, body)) in bodies.into_iter().enumerate() {
        for chunked in [false, true] {
            let id = site.active(&format!("r{at}{chunked}@readers.example")).await;
            let head = format!("POST {} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n", site.link(id, "unsubscribe"));
            let request = match chunked {
                false => format!("{head}Content-Type: {kind}\r\nContent-Length: {}\r\n\r\n{body}", body.len()),
                true if body.is_empty() => format!("{head}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
                true => format!(
                    "{head}Content-Type: {kind}\r\nTransfer-Encoding: chunked\r\nOrigin: https://mail.example\r\n\
                     Sec-Fetch-Site: cross-site\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n",
                    body.len()
                ),
            };
            for _ in 0..2 {
                let answer = raw(site.address, &request).await.to_lowercase();
                assert!(answer.starts_with("http/1.1 200"), "{kind} {chunked}: {answer}");
                assert!(!answer.contains("\r\nlocation:") && !answer.contains("\r\nset-cookie:"), "{answer}");
            }
            assert_eq!(site.status(id).await, Status::Unsubscribed);
            assert_eq!(site.events(id).await, ["subscription.added", "subscription.left"], "one event for two presses");
        }
    }
}

#[tokio::test]
async fn looking_never_changes_anything() {
    let site = Site::new().await;
    let ann = site.active("ann@readers.example").await;
    for page in ["leave", "unsubscribe", "preferences", "pause", "web"] {
        for _ in 0..25 {
            for method in ["GET", "HEAD", "OPTIONS"] {
                let method = method.parse().expect("a method");
                site.client.request(method, site.url(&site.link(ann, page))).send().await.expect("an answer");
            }
        }
    }
    let row = site.subscription(ann).await;
    assert_eq!((row.status, row.paused_until), (Status::Active, None));
    assert_eq!(site.events(ann).await, ["subscription.added"]);
    let page = text(site.get(&site.link(ann, "leave")).await).await;
    assert!(page.contains("an\u{2026}\u{2060}@readers.example") || page.contains("a\u{2026}\u{2060}@"), "{page}");
    assert!(!page.contains("ann@readers.example"));
}

#[tokio::test]
async fn a_token_that_was_altered_or_made_for_something_else_is_nobodys() {
    let site = Site::new().await;
    let ann = site.active("ann@readers.example").await;
    let payload = [site.newsletter.0, ann.0, 0];
    let good = site.app.keys.seal(Purpose::Reader, payload);
    let mut bad = vec![
        good[..good.len() - 1].to_owned(),
        good.to_uppercase(),
        format!("{good}="),
        format!("k9{}", &good[2..]),
        good.replace('.', ""),
        site.app.keys.seal(Purpose::Confirm, payload),
        site.app.keys.seal(Purpose::Return, payload),
        ann.to_string(),
        "..%2f..%2fetc".into(),
    ];
    for at in [3, 10, 30, good.len() - 2] {
        let mut flipped = good.clone().into_bytes();
        flipped[at] = if flipped[at] == b'A' { b'B' } else { b'A' };
        bad.push(String::from_utf8(flipped).expect("ASCII"));
    }
    let unknown = text(site.get("/r/nothing/leave").await).await;
    for token in bad {
        let answer = site.post(&format!("/r/{token}/unsubscribe"), "List-Unsubscribe=One-Click").await;
        assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{token}");
        let page = site.get(&format!("/r/{token}/leave")).await;
        assert_eq!(text(page).await, unknown, "{token}: one page for all that is wrong");
    }
    assert_eq!(site.status(ann).await, Status::Active);
    let glued = site.post(&format!("/r/{good}./leave"), "").await;
    assert_eq!(
        (glued.status(), site.status(ann).await),
        (StatusCode::OK, Status::Unsubscribed),
        "a full stop is glued"
    );
}

#[tokio::test]
async fn a_link_for_leaving_works_when_everything_it_named_is_gone() {
    let site = Site::new().await;
    let keys = &site.app.keys;
    for payload in [[site.newsletter.0, 77, 0], [5, 77, 9], [site.newsletter.0, 77, IssueId(3).0]] {
        let token = keys.seal(Purpose::Reader, payload);
        let answer = site.post(&format!("/r/{token}/unsubscribe"), "List-Unsubscribe=One-Click").await;
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(site.get(&format!("/r/{token}/leave")).await.status(), StatusCode::OK);
    }
}

#[tokio::test]
async fn the_answer_is_the_same_whatever_is_known_of_the_address() {
    let site = Site::new().await;
    site.active("active@readers.example").await;
    let left = site.active("left@readers.example").await;
    site.post(&site.link(left, "leave"), "").await;
    let mut tx = site.app.store.write().await.expect("writes");
    let reason = store::suppression::Reason::Complaint;
    store::suppression::insert(&mut tx, "suppressed@readers.example", reason, "test").await.expect("kept");
    tx.commit().await.expect("commits");
    let mut pages = Vec::new();
    for who in ["unknown", "active", "left", "suppressed"] {
        let address = format!("{who}@readers.example");
        let answer = site.sign_up(&address).await;
        assert_eq!(answer.status(), StatusCode::OK);
        pages.push(text(answer).await.replace(&address, "X"));
    }
    assert!(pages.iter().all(|page| *page == pages[0]));
    deliver::drain(&site.app).await.expect("drains");
    let mut got: Vec<String> = site.postbox.mails().into_iter().flat_map(|mail| mail.rcpt_to).collect();
    got.sort();
    assert_eq!(got, ["active@readers.example", "left@readers.example", "unknown@readers.example"]);
    assert_eq!(site.status(left).await, Status::Pending, "who left needs a new confirmation");
}

#[tokio::test]
async fn nobody_can_be_bombed_with_confirmations() {
    let site = Site::new().await;
    for round in 0..40_i64 {
        // Aliases of one mailbox count as one.
        let alias = format!("v.ic.tim+{round}@gmail.com");
        assert_eq!(site.sign_up(&alias).await.status(), StatusCode::OK);
        site.app.clock.advance(11 * Millis::MINUTE);
    }
    let mut tx = site.app.store.read().await.expect("reads");
    let mut letters = 0;
    for round in 0..40 {
        let address = Address::parse(&format!("v.ic.tim+{round}@gmail.com")).expect("an address");
        if let Some(row) = store::subscriber::by_address(&mut tx, &address).await.expect("reads") {
            letters += store::letter::by_subscriber(&mut tx, row.id, 9).await.expect("reads").len();
        }
    }
    assert_eq!(letters, 3);
    drop(tx);
    let twice = "bo@readers.example";
    site.sign_up(twice).await;
    site.sign_up(twice).await;
    let bo = site.reader(twice).await;
    let mut tx = site.app.store.read().await.expect("reads");
    assert_eq!(store::letter::by_subscriber(&mut tx, bo, 9).await.expect("reads").len(), 1, "ten minutes apart");
}

#[tokio::test]
async fn robots_get_the_same_page_and_no_mail() {
    let site = Site::new().await;
    let fast = site.app.keys.seal(Purpose::Form, [site.newsletter.0, site.app.clock.now().0, 0]);
    let forms = [
        "email=trap@readers.example&website=http://spam.example".to_owned(),
        format!("email=fast@readers.example&shown={fast}"),
        "email=forged@readers.example&shown=k1.nonsense".to_owned(),
    ];
    for form in forms {
        let answer = site.post("/tidewater/subscribe", &form).await;
        assert_eq!(answer.status(), StatusCode::OK);
        assert!(text(answer).await.contains("Now look in your mail"));
    }
    site.app.clock.advance(Millis::MINUTE);
    let form = format!("email=slow@readers.example&shown={fast}");
    site.post("/tidewater/subscribe", &form).await;
    deliver::drain(&site.app).await.expect("drains");
    let got: Vec<String> = site.postbox.mails().into_iter().flat_map(|mail| mail.rcpt_to).collect();
    assert_eq!(got, ["slow@readers.example"]);
}

#[tokio::test]
async fn a_network_that_asks_too_often_is_told_to_wait() {
    let site = Site::new().await;
    let mut last = StatusCode::OK;
    for n in 0..41 {
        last = site.sign_up(&format!("n{n}@readers.example")).await.status();
    }
    assert_eq!(last, StatusCode::TOO_MANY_REQUESTS);
    site.app.clock.advance(Millis::HOUR);
    assert_eq!(site.sign_up("later@readers.example").await.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_wrong_address_is_kept_and_explained() {
    let site = Site::new().await;
    let answer = site.sign_up("maren@post").await;
    assert_eq!(answer.status(), StatusCode::UNPROCESSABLE_ENTITY);
    let page = text(answer).await;
    assert!(page.contains("Something is missing after “post”") && page.contains("value=\"maren@post\""), "{page}");
    let evil = text(site.sign_up("\"><script>alert(1)</script>@x.org").await).await;
    assert!(!evil.contains("<script"));
}

#[tokio::test]
async fn the_form_on_another_site_is_taken_and_other_forms_are_not() {
    let site = Site::new().await;
    let ann = site.active("ann@readers.example").await;
    let elsewhere = |path: String, form: &'static str| {
        let request = site.client.post(site.url(&path)).header("origin", "https://other.example");
        let request = request.header("sec-fetch-site", "cross-site").header("referer", "https://other.example/join");
        request.header("content-type", "application/x-www-form-urlencoded").body(form).send()
    };
    let taken = elsewhere("/tidewater/subscribe".into(), "email=bo@readers.example").await.expect("an answer");
    assert_eq!(taken.status(), StatusCode::OK);
    let bo = site.reader("bo@readers.example").await;
    assert_eq!(site.subscription(bo).await.consent_source, "https://other.example/join");
    for page in ["leave", "pause", "name", "undo", "reason"] {
        let refused = elsewhere(site.link(ann, page), "name=Evil&months=1").await.expect("an answer");
        assert_eq!(refused.status(), StatusCode::FORBIDDEN, "{page}");
    }
    assert_eq!(site.status(ann).await, Status::Active);
}

#[tokio::test]
async fn a_confirmation_runs_out_and_offers_a_new_one() {
    let site = Site::new().await;
    site.sign_up("ann@readers.example").await;
    let ann = site.reader("ann@readers.example").await;
    let link = site.link_in_the_mail(1).await;
    site.app.clock.advance(8 * Millis::DAY);
    let answer = site.post(&link, "").await;
    assert_eq!(answer.status(), StatusCode::GONE);
    assert!(text(answer).await.contains("/tidewater/subscribe"));
    assert_eq!(site.status(ann).await, Status::Pending);
    site.sign_up("ann@readers.example").await;
    let fresh = site.link_in_the_mail(2).await;
    assert_eq!(site.post(&fresh, "").await.status(), StatusCode::OK);
    assert_eq!(site.status(ann).await, Status::Active);
    site.post(&site.link(ann, "leave"), "").await;
    assert_eq!(site.post(&fresh, "").await.status(), StatusCode::GONE, "an old link brings nobody back");
    assert_eq!(site.status(ann).await, Status::Unsubscribed);
}

#[tokio::test]
async fn this_was_not_me_keeps_an_address_out() {
    let site = Site::new().await;
    site.sign_up("ann@readers.example").await;
    let ann = site.reader("ann@readers.example").await;
    let link = site.link_in_the_mail(1).await;
    let said = text(site.post(&format!("{link}/not-me"), "").await).await;
    assert!(said.contains("Nobody can enter your address again"), "{said}");
    assert_eq!(site.post(&link, "").await.status(), StatusCode::GONE);
    site.app.clock.advance(Millis::DAY);
    site.sign_up("ann@readers.example").await;
    deliver::drain(&site.app).await.expect("drains");
    assert_eq!((site.postbox.mails().len(), site.status(ann).await), (1, Status::Unsubscribed));
    // A stranger signs up an active reader, who presses the button: nothing is lost.
    let bo = site.active("bo@readers.example").await;
    site.sign_up("bo@readers.example").await;
    let link = site.link_in_the_mail(2).await;
    assert!(text(site.get(&link).await).await.contains("You are in"));
    let said = text(site.post(&format!("{link}/not-me"), "").await).await;
    assert!(said.contains("Nothing was changed") && site.status(bo).await == Status::Active, "{said}");
}

#[tokio::test]
async fn leaving_can_be_undone_for_a_day() {
    let site = Site::new().await;
    let ann = site.active("ann@readers.example").await;
    let left = text(site.post(&site.link(ann, "leave"), "").await).await;
    assert!(left.contains("You have left") && left.contains("/undo"));
    assert!(text(site.post(&site.link(ann, "reason"), "reason=often&words=sorry").await).await.contains("Thank you"));
    assert_eq!(site.post(&site.link(ann, "undo"), "").await.status(), StatusCode::OK);
    assert_eq!(site.status(ann).await, Status::Active);
    site.post(&site.link(ann, "leave"), "").await;
    site.app.clock.advance(2 * Millis::DAY);
    assert_eq!(site.post(&site.link(ann, "undo"), "").await.status(), StatusCode::CONFLICT);
    assert_eq!(site.status(ann).await, Status::Unsubscribed);
    assert!(site.events(ann).await.iter().all(|kind| kind != "subscription.reason"), "the answer is kept without them");
}

#[tokio::test]
async fn preferences_save_a_name_and_a_pause() {
    let site = Site::new().await;
    let ann = site.active("ann@readers.example").await;
    let page = text(site.post(&site.link(ann, "name"), "name=%3Cb%3EAnn%0D%0ALee").await).await;
    assert!(page.contains("Saved.") && page.contains("&#60;b&#62;Ann Lee"), "{page}");
    let page = text(site.post(&site.link(ann, "pause"), "months=2").await).await;
    assert!(page.contains("Paused until 29 January 2027"), "{page}");
    assert!(site.subscription(ann).await.paused_until.is_some());
    let page = text(site.post(&site.link(ann, "resume"), "").await).await;
    assert!(page.contains("The pause is over") && site.subscription(ann).await.paused_until.is_none());
}

#[tokio::test]
async fn sent_issues_are_in_the_archive_and_the_feed() {
    let site = Site::new().await;
    let id = site.active("ann@readers.example").await;
    let issue = site.app.draft(site.newsletter).await;
    assert!(text(site.get("/tidewater/archive").await).await.contains("No issue has been sent yet"));
    site.app.publish(issue, 60_000).await.expect("can be published");
    let slug = site.app.issue(issue).await.slug;
    let path = format!("/tidewater/archive/{slug}");
    assert_eq!(site.get(&path).await.status(), StatusCode::NOT_FOUND, "not before its undo hold is over");
    site.app.clock.advance(Millis::HOUR);
    let page = text(site.get(&path).await).await;
    assert!(page.contains("<p>Hello reader</p>") && page.contains("Low tide"), "{page}");
    let token = site.app.keys.seal(Purpose::Reader, [site.newsletter.0, id.0, issue.0]);
    let copy = site.get(&format!("/r/{token}/web")).await;
    assert_eq!(copy.headers()["location"], path.as_str());
    let list = text(site.get("/tidewater/archive?q=SAND").await).await;
    assert!(list.contains("Low tide"));
    assert!(text(site.get("/tidewater/archive?q=%25").await).await.contains("No issue has these words"));
    let answer = site.get("/tidewater/feed.xml").await;
    let feed = feed_rs::parser::parse(text(answer).await.as_bytes()).expect("an independent reader reads it");
    assert_eq!(feed.entries.len(), 1);
    assert_eq!(feed.entries[0].title.as_ref().map(|title| title.content.as_str()), Some("Low tide"));
}

#[tokio::test]
async fn pages_carry_strict_headers_and_no_cookies() {
    let site = Site::new().await;
    let ann = site.active("ann@readers.example").await;
    let mut tx = site.app.store.write().await.expect("writes");
    store::media::insert(&mut tx, "abc.png", "image/png", (1, 1), b"png").await.expect("kept");
    tx.commit().await.expect("commits");
    for path in ["/tidewater", "/tidewater/archive", "/tidewater/embed", &site.link(ann, "leave"), "/nowhere"] {
        let answer = site.get(path).await;
        let headers = answer.headers().clone();
        let policy = headers["content-security-policy"].to_str().expect("ASCII");
        assert!(policy.starts_with("default-src 'none'; style-src 'self'") && !policy.contains("unsafe"), "{policy}");
        assert!(headers.get("set-cookie").is_none());
        assert_eq!(headers["x-content-type-options"], "nosniff");
        let page = text(answer).await;
        assert!(!page.contains("<script") && !page.contains(" style=") && !page.contains("<style"), "{path}");
    }
    let personal = site.get(&site.link(ann, "leave")).await;
    assert_eq!(personal.headers()["cache-control"], "private, no-store");
    assert_eq!(personal.headers()["referrer-policy"], "no-referrer");
    let picture = site.get("/m/abc.png").await;
    assert_eq!(picture.headers()["cache-control"], "public, max-age=31536000, immutable");
    assert_eq!(picture.headers()["content-security-policy"], "default-src 'none'; sandbox");
    let page = text(site.get("/tidewater").await).await;
    let at = page.find("/tidewater/theme-").expect("a theme");
    let theme = site.get(&page[at..at + page[at..].find('"').expect("an end")]).await;
    assert_eq!(theme.headers()["cache-control"], "public, max-age=31536000, immutable");
    assert!(text(theme).await.contains("--accent:"));
    assert_eq!(site.get("/").await.headers()["location"], "/tidewater");
}

#[tokio::test]
async fn a_zone_is_learnt_from_the_form_and_changed_by_its_reader() {
    for engine in engines() {
        let site = Site::of(TestApp::on(engine).await).await;
        let plain = site.get("/tidewater").await.text().await.expect("a page");
        assert!(!plain.contains("data-zone"), "nobody is asked for what is not used");
        let mut tx = site.app.store.read().await.expect("reads");
        let mut paper = store::newsletter::by_id(&mut tx, site.newsletter).await.expect("reads").expect("is there");
        drop(tx);
        paper.hours = "local 09:00".into();
        broadsheet::verbs::newsletters::save(&site.app, paper).await.expect("is saved");
        let asking = site.get("/tidewater").await;
        let policy = asking.headers()["content-security-policy"].to_str().expect("text").to_owned();
        assert!(policy.contains("script-src 'self'; "), "{policy}");
        assert!(asking.text().await.expect("a page").contains("data-zone"));
        for (address, typed, kept) in [
            ("kiri@post.example", "pacific%2Fauckland", "Pacific/Auckland"),
            ("lost@post.example", "Nowhere%2FLand", ""),
            ("quiet@post.example", "", ""),
        ] {
            let answer = site.post("/tidewater/subscribe", &format!("email={address}&zone={typed}")).await;
            assert_eq!(answer.status(), StatusCode::OK, "{engine:?}");
            assert_eq!(zone_of(&site, address).await, kept, "{engine:?}");
        }
        let id = site.reader("kiri@post.example").await;
        for (typed, kept) in [("Asia%2FTokyo", "Asia/Tokyo"), ("Asia%2FTokio", "Asia/Tokyo"), ("", "")] {
            site.post(&site.link(id, "zone"), &format!("zone={typed}")).await;
            assert_eq!(zone_of(&site, "kiri@post.example").await, kept, "{engine:?}: {typed}");
        }
    }
}

async fn zone_of(site: &Site, address: &str) -> String {
    let id = site.reader(address).await;
    let mut tx = site.app.store.read().await.expect("reads");
    store::subscriber::by_id(&mut tx, id).await.expect("reads").expect("is known").zone
}

//! The catcher from outside: mail goes in by SMTP, comes out by its pages and its API, and leaves by its button.

use std::path::PathBuf;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use broadsheet::config::Config;
use broadsheet::store::Store;
use broadsheet::values::clock::{Clock, Millis};
use broadsheet::values::ids::CaughtId;
use broadsheet::values::token::{Keyring, Purpose};
use broadsheet::verbs::app::App;
use broadsheet::verbs::catcher::Catcher;
use broadsheet::verbs::outlet::Outlet;
use broadsheet::web;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tower::ServiceExt as _;

struct House {
    app: App,
    folder: PathBuf,
}

impl House {
    async fn open() -> Self {
        let folder = std::env::temp_dir().join(format!("broadsheet-catcher-{}", CaughtId::new(Millis(0))));
        std::fs::create_dir_all(&folder).expect("a temporary folder");
        let store = Store::open(&folder.join("t.db").display().to_string(), Clock::System).await.expect("opens");
        store.migrate().await.expect("migrates");
        let web = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let listen = web.local_addr().expect("an address").to_string();
        let config = Config { public_url: format!("http://{listen}"), listen, demo: true, ..Config::default() };
        let keys = Keyring::new(vec![("k1".into(), [7; 32])]);
        let catcher = Catcher::bind().await.expect("binds");
        let outlet = Outlet::CatcherOnly(catcher.address());
        let app = App::with_outlet(config, store, Clock::System, keys, outlet);
        tokio::spawn(catcher.run(app.store.clone(), app.stop.clone()));
        tokio::spawn(web::serve(app.clone(), web));
        Self { app, folder }
    }

    /// One connection that hands in `mails`, each answered before the next.
    async fn deliver(&self, mails: &[(String, String)]) {
        let address = self.app.outlet.catcher().expect("has a catcher");
        let (read, mut write) = TcpStream::connect(address).await.expect("connects").into_split();
        let mut lines = BufReader::new(read).lines();
        let mut expect = async |code: &str| loop {
            let line = lines.next_line().await.expect("reads").expect("goes on");
            if line.as_bytes().get(3) != Some(&b'-') {
                assert!(line.starts_with(code), "{line}");
                break;
            }
        };
        expect("220").await;
        write.write_all(b"EHLO test.example\r\n").await.expect("writes");
        expect("250").await;
        for (to, mail) in mails {
            for (command, code) in [
                ("MAIL FROM:<bounce@tidewater.example>\r\n".to_owned(), "250"),
                (format!("RCPT TO:<{to}>\r\n"), "250"),
                ("DATA\r\n".to_owned(), "354"),
                (format!("{mail}\r\n.\r\n"), "250"),
            ] {
                write.write_all(command.as_bytes()).await.expect("writes");
                expect(code).await;
            }
        }
    }

    async fn ask(&self, method: &str, path: &str, body: &str) -> (StatusCode, String) {
        let request = Request::builder().method(method).uri(path).header("host", "localhost");
        let request = request.body(Body::from(body.to_owned())).expect("is a request");
        let answer = web::router(self.app.clone()).oneshot(request).await.expect("answers");
        let status = answer.status();
        let bytes = axum::body::to_bytes(answer.into_body(), 10_000_000).await.expect("is read");
        (status, String::from_utf8_lossy(&bytes).into_owned())
    }

    async fn json(&self, path: &str) -> Value {
        let (status, body) = self.ask("GET", &format!("/catcher/api/v1/{path}"), "").await;
        assert_eq!(status, StatusCode::OK, "{path}: {body}");
        serde_json::from_str(&body).expect("is JSON")
    }

    async fn end(self) {
        self.app.stop.cancel();
        self.app.store.close().await;
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn mail(to: &str, subject: &str, extra: &str) -> (String, String) {
    let mail = format!(
        "From: The Tidewater Brief <brief@tidewater.example>\r\nTo: Reader <{to}>\r\nSubject: {subject}\r\n\
         Message-ID: <{to}>\r\nDate: Tue, 24 Nov 2026 09:00:00 +0000\r\n{extra}MIME-Version: 1.0\r\n\
         Content-Type: multipart/alternative; boundary=x\r\n\r\n--x\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n\
         Words for {to}\r\n--x\r\nContent-Type: text/html; charset=utf-8\r\n\r\n\
         <html><head><title>x</title></head><body><p>Words</p></body></html>\r\n--x--"
    );
    (to.to_owned(), mail)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_in_by_smtp_comes_out_by_the_api_that_test_clients_know() {
    let house = House::open().await;
    let mails: Vec<_> = (0..120).map(|n| mail(&format!("r{n}@reader.example"), &format!("Issue {n}"), "")).collect();
    let (some, rest) = mails.split_at(60);
    tokio::join!(house.deliver(some), house.deliver(rest));

    let page = house.json("messages?limit=7&start=3").await;
    assert_eq!((&page["total"], &page["unread"], &page["count"]), (&120.into(), &120.into(), &7.into()));
    assert_eq!(page["messages"].as_array().expect("a list").len(), 7);
    assert_eq!(page["messages"][0]["From"]["Address"], "brief@tidewater.example");
    assert_eq!(house.json("messages").await["count"], 50);

    let found = house.json("search?query=to:r31@reader.example").await;
    assert_eq!((&found["messages_count"], &found["total"]), (&1.into(), &120.into()));
    let id = found["messages"][0]["ID"].as_str().expect("an id").to_owned();
    let whole = house.json(&format!("message/{id}")).await;
    assert_eq!(whole["Text"].as_str().expect("text").trim(), "Words for r31@reader.example");
    assert!(whole["HTML"].as_str().expect("html").contains("<p>Words</p>"));
    assert_eq!(whole["ReturnPath"], "bounce@tidewater.example");
    assert_eq!(house.json("messages").await["unread"], 119);
    assert_eq!(house.json(&format!("message/{id}/headers")).await["Subject"][0], "Issue 31");
    let (_, raw) = house.ask("GET", &format!("/catcher/api/v1/message/{id}/raw"), "").await;
    assert!(raw.starts_with("From: The Tidewater Brief") && raw.ends_with("--x--\r\n"), "{raw}");

    let (status, _) = house.ask("GET", "/catcher/api/v1/message/0000000000000", "").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let (status, body) = house.ask("DELETE", "/catcher/api/v1/messages", &format!(r#"{{"IDs":["{id}"]}}"#)).await;
    assert_eq!((status, body.as_str()), (StatusCode::OK, "ok"));
    assert_eq!(house.json("info").await["Messages"], 119);
    house.ask("DELETE", "/catcher/api/v1/messages", "").await;
    assert_eq!(house.json("messages").await["total"], 0);
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_side_of_a_mail_is_a_page() {
    let house = House::open().await;
    house.deliver(&[mail("ann@reader.example", "<b>Bold</b> & new", "")]).await;
    let id = house.json("messages").await["messages"][0]["ID"].as_str().expect("an id").to_owned();
    for (path, wanted) in [
        ("/catcher".to_owned(), "&#60;b&#62;Bold"),
        ("/catcher?q=to:ann".to_owned(), "ann@reader.example"),
        ("/catcher?q=nobody".to_owned(), "No mail has all of these words"),
        (format!("/catcher/{id}"), "<iframe"),
        (format!("/catcher/{id}?view=phone"), "caught-phone"),
        (format!("/catcher/{id}?view=text"), "Words for ann"),
        (format!("/catcher/{id}?view=source"), "boundary=x"),
        (format!("/catcher/{id}?view=headers"), "Message-ID"),
        (format!("/catcher/{id}/html"), "<base target=\"_blank\">"),
    ] {
        let (status, body) = house.ask("GET", &path, "").await;
        assert_eq!(status, StatusCode::OK, "{path}");
        assert!(body.contains(wanted), "{path}: {body}");
        assert!(!body.contains("<b>Bold</b>"), "{path}: a subject is text");
    }
    assert_eq!(house.json("messages").await["unread"], 1, "looking at a page changes nothing");
    house.ask("POST", &format!("/catcher/{id}/read"), "").await;
    assert_eq!(house.json("search?query=is:unread").await["messages_count"], 0);
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_button_asks_nobody_but_us() {
    let house = House::open().await;
    let token = house.app.keys.seal(Purpose::Reader, [1, 2, 3]);
    let one_click = |base: &str| {
        format!(
            "List-Unsubscribe: <{base}/r/{token}/unsubscribe>\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"
        )
    };
    let ours = one_click(&house.app.config.public_url);
    let others = one_click("http://192.0.2.1");
    house.deliver(&[mail("a@reader.example", "Ours", &ours), mail("b@reader.example", "Others", &others)]).await;
    for (subject, wanted) in
        [("Ours", "The one-click address answered"), ("Others", "is not ours, so it was not called")]
    {
        let found = house.json(&format!("search?query=subject:{subject}")).await;
        let id = found["messages"][0]["ID"].as_str().expect("an id").to_owned();
        let (status, body) = house.ask("POST", &format!("/catcher/{id}/one-click"), "").await;
        assert_eq!(status, StatusCode::OK);
        assert!(body.contains(wanted), "{subject}: {body}");
    }
    house.end().await;
}

//! A disk that fills up: nothing acknowledged is lost, nobody gets a mail twice, and space is all that it takes to go
//! on. The disk is a small tmpfs, so the test needs root and says so where it isn't.

use std::path::{Path, PathBuf};
use std::process::Command;

use broadsheet::values::clock::Clock;
use broadsheet::values::ids::EventId;
use broadsheet::verbs::{deliver, publish};
use broadsheet::web;
use reqwest::StatusCode;
use tokio::net::TcpListener;

use crate::app::{Engine, NOW, TestApp};
use crate::postbox::{Postbox, Script};

/// Small enough to be filled at once, large enough for the schema, its indexes and a write-ahead log.
const DISK_MEGABYTES: u32 = 8;
/// Enough to be still sending when the disk is full.
const READERS: usize = 600;

/// A disk of its own, unmounted when dropped.
struct Disk(PathBuf);

impl Disk {
    fn mount() -> Option<Self> {
        let folder = std::env::temp_dir().join(format!("broadsheet_disk_{}", EventId::new(NOW)));
        std::fs::create_dir_all(&folder).ok()?;
        let size = format!("size={DISK_MEGABYTES}m");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(&folder).status();
        if mounted.is_ok_and(|status| status.success()) {
            return Some(Self(folder));
        }
        println!("SKIPPED: only root can mount the small disk that this test fills");
        None
    }

    /// Takes all space that is left.
    fn fill(&self) -> PathBuf {
        use std::io::Write as _;
        let ballast = self.0.join("ballast");
        let mut file = std::fs::File::create(&ballast).expect("can be made");
        for piece in [64 * 1024, 4096, 512, 1] {
            while file.write_all(&vec![0; piece]).is_ok() {}
        }
        ballast
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
        let _ = std::fs::remove_dir(&self.0);
    }
}

async fn house(folder: &Path) -> TestApp {
    TestApp::inside(Engine::Sqlite, Clock::fixed(NOW), folder.join("house")).await
}

#[tokio::test]
async fn a_full_disk_refuses_what_it_cannot_keep_and_keeps_what_it_said_it_had() {
    let Some(disk) = Disk::mount() else { return };
    let (app, postbox) = (house(&disk.0).await, Postbox::start(Script::new()).await);
    app.newsletter(&format!("smtp://127.0.0.1:{}", postbox.port())).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let url = format!("http://{}/tidewater/subscribe", listener.local_addr().expect("it is bound"));
    tokio::spawn(web::serve(app.app.clone(), listener));
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let client = reqwest::Client::new();
    let sign_up = async |n: usize| {
        let form = client.post(&url).header("content-type", "application/x-www-form-urlencoded");
        form.body(format!("email=reader{n}%40readers.example")).send().await.expect("an answer")
    };
    let ballast = disk.fill();
    let mut kept = 0;
    let refused = loop {
        let answer = sign_up(kept).await;
        if answer.status() != StatusCode::OK {
            break answer;
        }
        kept += 1;
    };
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(refused.headers().contains_key("retry-after"));
    assert!(refused.text().await.expect("a page").contains("nothing was kept"));
    std::fs::remove_file(ballast).expect("is there");
    assert_eq!(sign_up(kept).await.status(), StatusCode::OK, "with space it works again, without a restart");
    deliver::drain(&app).await.expect("drains");
    let written = postbox.wait_for(kept + 1).await;
    assert_eq!(written.len(), kept + 1, "whoever was told to look into the mail got one, and nobody else");
}

#[tokio::test]
async fn sending_waits_for_space_and_goes_on_by_itself() {
    let Some(disk) = Disk::mount() else { return };
    let (app, postbox) = (house(&disk.0).await, Postbox::start(Script::new()).await);
    let newsletter = app.newsletter(&format!("smtp://127.0.0.1:{}", postbox.port())).await;
    app.readers(newsletter, READERS).await;
    let issue = app.draft(newsletter).await;
    app.publish(issue, 0).await.expect("can be published");
    let engine = tokio::spawn(deliver::run(app.app.clone()));
    postbox.wait_for(1).await;
    let ballast = disk.fill();
    // Whatever writes is refused sooner or later: the log has some space left inside.
    while publish::pause(&app, issue, "").await.is_ok() && publish::resume(&app, issue).await.is_ok() {}
    assert!(postbox.mails().len() < READERS, "the disk was full before everybody had it");
    std::fs::remove_file(ballast).expect("is there");
    publish::resume(&app, issue).await.expect("with space it works again");
    postbox.wait_for(READERS).await;
    app.stop.cancel();
    engine.await.expect("runs").expect("ends");
    let counts = app.counts(issue).await;
    assert_eq!((counts.sent, counts.in_doubt, counts.unfinished()), (READERS as i64, 0, 0));
    let mut got: Vec<String> = postbox.mails().into_iter().flat_map(|mail| mail.rcpt_to).collect();
    got.sort();
    got.dedup();
    assert_eq!((got.len(), postbox.mails().len()), (READERS, READERS), "everybody once");
}

#[tokio::test]
async fn while_another_program_locks_the_database_nobody_is_told_yes_and_afterwards_all_goes_on() {
    let (app, postbox) = (TestApp::at(Engine::Sqlite, Clock::System).await, Postbox::start(Script::new()).await);
    let newsletter = app.newsletter(&format!("smtp://127.0.0.1:{}", postbox.port())).await;
    app.readers(newsletter, READERS).await;
    let issue = app.draft(newsletter).await;
    app.publish(issue, 0).await.expect("can be published");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let url = format!("http://{}/tidewater/subscribe", listener.local_addr().expect("it is bound"));
    tokio::spawn(web::serve(app.app.clone(), listener));
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let client = reqwest::Client::new();
    let sign_up = async |n: usize| {
        let form = client.post(&url).header("content-type", "application/x-www-form-urlencoded");
        form.body(format!("email=new{n}%40readers.example")).send().await.expect("an answer").status()
    };
    let engine = tokio::spawn(deliver::run(app.app.clone()));
    postbox.wait_for(5).await;
    let path = app.folder.join("broadsheet.db").display().to_string();
    let other = broadsheet::store::Store::open(&path, Clock::System).await.expect("opens");
    let lock = other.write().await.expect("locks");
    let told = sign_up(0).await;
    drop(lock);
    assert_eq!(told, StatusCode::SERVICE_UNAVAILABLE, "it was told something while nothing could be kept");
    assert_eq!(sign_up(1).await, StatusCode::OK, "and afterwards it works at once");
    // Everybody of the issue, and the letter to whoever signed up.
    postbox.wait_for(READERS + 1).await;
    app.stop.cancel();
    engine.await.expect("runs").expect("ends");
    let counts = app.counts(issue).await;
    assert_eq!((counts.sent, counts.in_doubt), (READERS as i64, 0), "{counts:?}");
    assert_eq!(postbox.mails().len(), READERS + 1, "everybody once");
}

#[tokio::test]
async fn a_clock_that_is_set_back_and_forth_sends_nothing_twice_and_loses_nobody() {
    use broadsheet::values::clock::Millis;
    for engine in crate::app::engines() {
        let script = Script::new().on_some(".", 10, 30, crate::postbox::Act::say("451 4.3.0 Try again later"));
        let (app, postbox) = (TestApp::on(engine).await, Postbox::start(script).await);
        let newsletter = app.newsletter(&format!("smtp://127.0.0.1:{}", postbox.port())).await;
        app.readers(newsletter, READERS).await;
        let issue = app.draft(newsletter).await;
        app.publish(issue, 0).await.expect("can be published");
        for step in [0, -2 * Millis::HOUR, 4 * Millis::HOUR, -Millis::HOUR, -Millis::MINUTE, 12 * Millis::HOUR] {
            app.clock.advance(step);
            deliver::drain(&app).await.expect("drains");
        }
        let counts = app.counts(issue).await;
        assert_eq!(
            (counts.sent, counts.in_doubt, counts.unfinished()),
            (READERS as i64, 0, 0),
            "{engine:?} {counts:?}"
        );
        assert_eq!(postbox.mails().len(), READERS, "{engine:?}: everybody once");
    }
}

/// An ext4 in a file on a small tmpfs. When the tmpfs is full, the ext4 thinks that it has space, and its disk answers
/// a sync with an I/O error, as a dying one does.
struct DyingDisk {
    below: PathBuf,
    above: PathBuf,
}

fn ran(program: &str, arguments: &[&str]) -> bool {
    Command::new(program).args(arguments).output().is_ok_and(|done| done.status.success())
}

impl DyingDisk {
    fn mount() -> Option<Self> {
        let name = std::env::temp_dir().join(format!("broadsheet_dying_{}", EventId::new(NOW)));
        let disk = Self { below: name.join("below"), above: name.join("above") };
        std::fs::create_dir_all(&disk.below).ok()?;
        std::fs::create_dir_all(&disk.above).ok()?;
        let (below, image) = (disk.below.display().to_string(), disk.image());
        let made = ran("mount", &["-t", "tmpfs", "-o", "size=12m", "tmpfs", &below])
            && ran("truncate", &["-s", "200M", &image])
            && ran("mkfs.ext4", &["-q", "-F", &image])
            && disk.mount_above();
        if !made {
            println!("SKIPPED: only root can mount a disk on a loop device and let it die");
        }
        made.then_some(disk)
    }

    fn image(&self) -> String {
        self.below.join("image").display().to_string()
    }

    fn mount_above(&self) -> bool {
        ran("mount", &["-o", "loop,errors=continue", &self.image(), &self.above.display().to_string()])
    }

    fn die(&self) {
        use std::io::Write as _;
        let mut file = std::fs::File::create(self.below.join("ballast")).expect("can be made");
        for piece in [64 * 1024, 4096, 1] {
            while file.write_all(&vec![0; piece]).is_ok() {}
        }
    }

    /// Works again, with what is on it and nothing that was only in memory.
    fn revive(&self) -> bool {
        ran("umount", &[&self.above.display().to_string()])
            && std::fs::remove_file(self.below.join("ballast")).is_ok()
            && self.mount_above()
    }
}

impl Drop for DyingDisk {
    fn drop(&mut self) {
        for folder in [&self.above, &self.below] {
            ran("umount", &["-l", &folder.display().to_string()]);
        }
        let _ = std::fs::remove_dir_all(self.below.parent().unwrap_or(&self.below));
    }
}

#[tokio::test]
async fn a_disk_that_dies_keeps_what_it_said_it_had() {
    const KEPT_BEFORE: usize = 20;
    const TRIES_MAX: usize = 2_000;
    let Some(disk) = DyingDisk::mount() else { return };
    let app = house(&disk.above).await;
    app.newsletter("smtp://127.0.0.1:9").await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let url = format!("http://{}/tidewater/subscribe", listener.local_addr().expect("it is bound"));
    let door = tokio::spawn(web::serve(app.app.clone(), listener));
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let client = reqwest::Client::new();
    let (mut kept, mut refused) = (0, None);
    while kept < TRIES_MAX && refused.is_none() {
        if kept == KEPT_BEFORE {
            disk.die();
        }
        let network = format!("10.{}.{}.9", kept / 250, kept % 250);
        let form = client.post(&url).header("content-type", "application/x-www-form-urlencoded");
        let form = form.header("x-forwarded-for", network).body(format!("email=reader{kept}%40readers.example"));
        match form.send().await.expect("an answer").status() {
            StatusCode::OK => kept += 1,
            other => refused = Some(other),
        }
    }
    assert_eq!(refused, Some(StatusCode::SERVICE_UNAVAILABLE), "after {kept} that were kept");
    app.stop.cancel();
    door.await.expect("runs").expect("ends");
    app.store.close().await;
    assert!(disk.revive(), "the disk comes back");
    let path = disk.above.join("house/broadsheet.db").display().to_string();
    let store = broadsheet::store::Store::open(&path, Clock::fixed(NOW)).await.expect("opens");
    let mut tx = store.read().await.expect("reads");
    for n in 0..kept {
        let address = format!("reader{n}@readers.example");
        let address = broadsheet::values::address::Address::parse(&address).expect("an address");
        let found = broadsheet::store::subscriber::by_address(&mut tx, &address).await.expect("reads");
        assert!(found.is_some(), "reader {n} of {kept} was told yes and is lost");
    }
    drop(tx);
    let mut tx = store.write().await.expect("writes again");
    broadsheet::store::setting::set(&mut tx, "after", "all").await.expect("writes");
    tx.commit().await.expect("commits");
    store.close().await;
}

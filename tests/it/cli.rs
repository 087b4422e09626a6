//! The command line as a shell script meets it: the real binary, its output and its exit codes.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;

use crate::postbox::{Act, Postbox, Script};

/// A folder of one test's own, removed with it.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("broadsheet-cli-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::SeqCst));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, text).expect("a file");
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// What a command printed and how it ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

fn command(folder: &Folder, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_broadsheet"));
    let ours = std::env::vars().map(|(name, _)| name).filter(|name| name.starts_with("BROADSHEET_"));
    for name in ours {
        command.env_remove(name);
    }
    command.arg("--data").arg(folder.path().join("data")).args(args).stdin(Stdio::null());
    command
}

fn ended(output: Output) -> Ran {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    Ran { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
}

pub(crate) fn run(folder: &Folder, args: &[&str]) -> Ran {
    ended(command(folder, args).output().expect("the binary runs"))
}

/// Runs a command that must succeed.
pub(crate) fn ok(folder: &Folder, args: &[&str]) -> Ran {
    let ran = run(folder, args);
    assert_eq!(ran.code, 0, "{args:?}: {ran:?}");
    ran
}

/// A `serve` on a port of the system's choosing; ended with its test.
pub(crate) struct Serving {
    child: Child,
    pub(crate) address: String,
    pub(crate) said: Vec<String>,
    _more: BufReader<std::process::ChildStdout>,
}

impl Serving {
    pub(crate) fn start(folder: &Folder) -> Self {
        let mut serve = command(folder, &["serve", "--listen", "127.0.0.1:0"]);
        let mut child = serve.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("the binary runs");
        let mut lines = BufReader::new(child.stdout.take().expect("is piped"));
        let mut said = Vec::new();
        while !said.last().is_some_and(|line: &String| line.contains("/desk")) {
            let mut line = String::new();
            assert_ne!(lines.read_line(&mut line).expect("a line"), 0, "serve ended: {said:?}");
            said.push(line);
        }
        let address =
            said[0].split_whitespace().find(|word| word.starts_with("http://")).expect("an address").to_owned();
        Self { child, address, said, _more: lines }
    }

    /// As a service manager stops it.
    pub(crate) fn terminate(mut self) -> Option<i32> {
        let pid = self.child.id().to_string();
        Command::new("kill").args(["-TERM", &pid]).status().expect("kill runs");
        self.child.wait().expect("it ends").code()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn create_newsletter(folder: &Folder, relay: &str) -> Ran {
    ok(
        folder,
        &[
            "newsletter",
            "create",
            "The Tidewater Brief",
            "--slug",
            "tidewater",
            "--from",
            "Ines <brief@tidewater.example>",
            "--postal-address",
            "Quay House, Port Ellery",
            "--zone",
            "Europe/Lisbon",
            "--relay",
            relay,
        ],
    )
}

#[test]
fn a_newsletter_is_made_listed_and_shown_with_its_next_five_slots() {
    let folder = Folder::new();
    let made = create_newsletter(&folder, "smtp://me:s3cret@127.0.0.1:2525");
    assert!(!made.out.contains("s3cret"), "{made:?}");
    let set =
        ok(&folder, &["newsletter", "set", "tidewater", "--slot", "30 9 * * 1", "--zone", "europe/berlin", "--json"]);
    let shown = set.json();
    assert_eq!(shown["slot"], "0 30 9 * * MON");
    assert_eq!(shown["list_id"], "tidewater.list-id.tidewater.example");
    let next = shown["next_slots"].as_array().expect("a list");
    assert_eq!(next.len(), 5);
    assert!(next.iter().all(|slot| {
        slot.as_str().is_some_and(|slot| slot.starts_with("Mon ") && slot.contains("09:30 Europe/Berlin (UTC+"))
    }));
    assert!(ok(&folder, &["newsletter", "list"]).out.contains("every Monday at 09:30"));
}

#[test]
fn everything_that_is_wrong_with_a_newsletter_is_said_at_once() {
    let folder = Folder::new();
    let args = [
        "newsletter",
        "create",
        "X",
        "--from",
        "x@gmail.com",
        "--postal-address",
        " ",
        "--zone",
        "Europe/Lisboa",
        "--slot",
        "0 9 31 2 *",
        "--relay",
        "smtp://mail.example:25?tls=none",
    ];
    let ran = run(&folder, &args);
    assert_eq!(ran.code, 2, "{ran:?}");
    for word in ["DMARC", "postal address", "Europe/Lisbon", "never happens", "in the clear", "was not made"] {
        assert!(ran.err.contains(word), "{word}: {}", ran.err);
    }
    assert!(ok(&folder, &["newsletter", "list"]).out.contains("no newsletter yet"));
}

#[test]
fn readers_go_in_and_out_as_lists() {
    let folder = Folder::new();
    create_newsletter(&folder, "smtp://127.0.0.1:2525");
    let csv = folder.write("readers.csv", "email,name\nann@reader.example,Ann\nbob@reader.example,Bob\nnobody,\n");
    let import =
        ["subscriber", "import", &csv.to_string_lossy(), "--newsletter", "tidewater", "--consent", "the spring fair"]
            .map(str::to_owned);
    let import = |more: &[&str]| {
        let args: Vec<&str> = import.iter().map(String::as_str).chain(more.iter().copied()).collect();
        run(&folder, &args)
    };
    let unasked = import(&[]);
    assert_eq!(unasked.code, 2, "{unasked:?}");
    assert!(unasked.err.contains("--yes") && unasked.err.contains("line 4"));
    assert_eq!(import(&["--dry-run", "--json"]).json()["new"], 2);
    assert_eq!(import(&["--yes", "--json"]).json()["new"], 2);
    assert_eq!(import(&["--yes", "--json"]).json()["already_active"], 2);
    assert_eq!(ok(&folder, &["subscriber", "export", "--newsletter", "tidewater"]).out.lines().count(), 3);
    ok(&folder, &["subscriber", "unsubscribe", "ann@reader.example", "--newsletter", "tidewater"]);
    let story = ok(&folder, &["subscriber", "find", "ann@reader.example"]).out;
    assert!(story.contains("unsubscribed"), "{story}");
    let again = run(
        &folder,
        &["subscriber", "add", "ann@reader.example", "--newsletter", "tidewater", "--consent", "by phone"],
    );
    assert_eq!(again.code, 5, "{again:?}");
    assert_eq!(run(&folder, &["subscriber", "find", "zebra"]).code, 4);
}

#[test]
fn each_way_to_fail_has_its_exit_code() {
    let folder = Folder::new();
    create_newsletter(&folder, "smtp://127.0.0.1:2525");
    for (args, code) in [
        (vec!["issue", "status", "0123456789abc"], 4),
        (vec!["issue", "status", "31"], 2),
        (vec!["newsletter", "show", "other"], 4),
        (vec!["newsletter", "set", "tidewater", "--slot", "*/5 * * * *"], 2),
        (vec!["isue"], 2),
        (vec!["--config", "/nowhere.toml", "newsletter", "list"], 3),
        (vec!["admin", "create", "--email", "ines@tidewater.example", "--name", "Ines", "--password-file", "-"], 2),
    ] {
        let ran = run(&folder, &args);
        assert_eq!(ran.code, code, "{args:?}: {ran:?}");
        assert!(!ran.err.is_empty() && ran.out.is_empty(), "{args:?}: {ran:?}");
    }
}

#[test]
fn the_configuration_is_written_checked_and_shown_with_its_origins() {
    let folder = Folder::new();
    ok(&folder, &["config", "init"]);
    assert_eq!(run(&folder, &["config", "init"]).code, 5);
    ok(&folder, &["config", "check"]);
    let file = folder.path().join("data/broadsheet.toml");
    std::fs::write(&file, "hold_seconds = 5\ndatabase = \"postgres://me:pw@db.example/x\"\n").expect("a file");
    let shown = ok(&folder, &["config", "show", "--origin"]);
    assert!(shown.out.contains("broadsheet.toml:1") && shown.out.contains("flag --data"), "{}", shown.out);
    assert!(!shown.out.contains("pw@"), "{}", shown.out);
    std::fs::write(&file, "hold_second = 5\n").expect("a file");
    let wrong = run(&folder, &["config", "check"]);
    assert_eq!(wrong.code, 3);
    assert!(
        wrong.err.contains("broadsheet.toml:1:1") && wrong.err.contains("did you mean hold_seconds?"),
        "{}",
        wrong.err
    );
}

#[test]
fn one_folder_is_served_once_while_other_commands_go_on() {
    let folder = Folder::new();
    let serving = Serving::start(&folder);
    assert!(serving.said.iter().any(|line| line.contains("/desk/setup/")), "{:?}", serving.said);
    let second = run(&folder, &["serve", "--listen", "127.0.0.1:0"]);
    assert_eq!(second.code, 1);
    assert!(second.err.contains("already serving"), "{}", second.err);
    create_newsletter(&folder, "smtp://127.0.0.1:2525");
    assert!(ok(&folder, &["newsletter", "list"]).out.contains("tidewater"));
    assert_eq!(serving.terminate(), Some(0));
    let again = Serving::start(&folder);
    assert_eq!(again.terminate(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_mail_is_answered_with_what_the_relay_said_or_where_it_will_stand() {
    let refusal = Act::say("550 5.7.1 Not from here");
    let postbox = Postbox::start(Script::new().on("RCPT TO:<COLIN", refusal)).await;
    let folder = Folder::new();
    create_newsletter(&folder, &format!("smtp://127.0.0.1:{}", postbox.port()));
    let file = folder
        .write("issue.md", "---\nsubject: Low tide\npreheader: What it left\n---\n\n## A boat\n\nIt was there.\n");
    let file = file.display().to_string();
    let added = ok(&folder, &["issue", "add", &file, "--newsletter", "tidewater", "--json"]).json();
    let id = added["id"].as_str().expect("an id").to_owned();
    let test = ["issue", "test", &id, "--to", "ann@readers.example"];

    let waits = ok(&folder, &[&test[..], &["--no-wait"]].concat());
    assert!(waits.out.contains("ann@readers.example: waits"), "{waits:?}");
    assert!(waits.err.contains("start one if none runs") && waits.err.contains(&format!("/desk/issue/{id}/test")));

    let serving = Serving::start(&folder);
    let taken = ok(&folder, &test);
    assert!(taken.out.contains("ann@readers.example: taken by the relay: 250 "), "{taken:?}");
    let both = run(&folder, &[&test[..], &["--to", "colin@readers.example", "--json"]].concat());
    assert_eq!(both.code, 1, "{both:?}");
    let answers = both.json()["answers"].clone();
    assert_eq!((&answers[0]["state"], &answers[1]["state"]), (&"sent".into(), &"failed".into()), "{answers}");
    assert!(answers[1]["reply"].as_str().is_some_and(|reply| reply.contains("Not from here")), "{answers}");
    assert_eq!(serving.terminate(), Some(0));
}

#[test]
fn a_port_that_is_taken_is_told_at_once() {
    let (one, other) = (Folder::new(), Folder::new());
    let serving = Serving::start(&one);
    let address = serving.address.trim_start_matches("http://").to_owned();
    let ran = run(&other, &["serve", "--listen", &address]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.err.contains("cannot be listened on") && ran.err.contains("--listen"), "{}", ran.err);
}

#[test]
fn a_database_of_a_newer_version_is_left_alone() {
    let folder = Folder::new();
    ok(&folder, &["migrate", "up"]);
    let database = folder.path().join("data/broadsheet.db");
    let newer = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (9999, 'newer', TRUE, x'00', 0)";
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        use sqlx::ConnectOptions as _;
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&database);
        let mut connection = options.connect().await.expect("opens");
        sqlx::query(newer).execute(&mut connection).await.expect("is written");
    });
    let ran = run(&folder, &["newsletter", "list"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.err.contains("newer") && ran.err.contains("Nothing was changed"), "{}", ran.err);
}

#[test]
fn completions_and_manual_pages_are_printed() {
    let folder = Folder::new();
    assert!(ok(&folder, &["completions", "bash"]).out.contains("broadsheet"));
    assert!(ok(&folder, &["man"]).out.contains(".TH broadsheet"));
    ok(&folder, &["man", "--out", &folder.path().join("man").to_string_lossy()]);
    assert!(folder.path().join("man/broadsheet-newsletter-create.1").is_file());
}

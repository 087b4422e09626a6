//! Mails of ours, verified by other people's programs (`tests/verify_mail.py`: Python's email, dkimpy).

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use broadsheet::issue::compose::{Personal, compose_signed};
use broadsheet::issue::dkim::{Signer, new_rsa_key};
use broadsheet::issue::letter::{Addressee, Confirmation, Notice, confirm_letter, letter_message, notice_letter};
use broadsheet::issue::message::{Sending, prepare};
use broadsheet::issue::newsletter::Masthead;
use broadsheet::issue::parse::parse;
use broadsheet::issue::pictures::{Picture, Pictures, references};
use broadsheet::issue::render::render;
use broadsheet::issue::rendered::Reader;
use broadsheet::values::clock::Millis;
use broadsheet::values::ids::IssueId;

const AT: Millis = Millis(1_795_510_800_000);

fn masthead(language: &str) -> Masthead {
    Masthead {
        name: "Der Gezeitenbote “Küste”".to_owned(),
        slug: "tidewater".to_owned(),
        tagline: "Harbours, ships and coasts".to_owned(),
        language: language.to_owned(),
        zone: "Europe/Lisbon".to_owned(),
        from_name: "Gezeitenbote: Küste & Meer".to_owned(),
        from_address: "brief@tidewater.example".to_owned(),
        reply_to: Some("editor@tidewater.example".to_owned()),
        postal_address: "Quay House\n4 Customs Lane\nPort Ellery".to_owned(),
        accent: "#A5301F".to_owned(),
        accent_dark: "#F2937C".to_owned(),
        logo: None,
        list_id: "tidewater.list.tidewater.example".to_owned(),
        public_url: "https://news.tidewater.example".to_owned(),
    }
}

fn reader(name: &str) -> Reader {
    let link = |page: &str| format!("https://news.tidewater.example/r/k1.abc_DEF-123/{page}?a=1&b=2");
    Reader {
        name: name.to_owned(),
        email: "ann@example.com".to_owned(),
        web_copy: link("web"),
        unsubscribe: link("unsubscribe"),
        preferences: link("preferences"),
        pause: link("pause"),
    }
}

/// Every issue of the demo and of the tests' corpus.
fn sources() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = ["demo", "tests/issues"].map(|folder| std::fs::read_dir(root.join(folder)).expect("a folder"));
    let paths = files.into_iter().flatten().map(|entry| entry.expect("an entry").path());
    paths.filter(|path| path.extension().is_some_and(|ending| ending == "md")).collect()
}

fn pictures(issue: &broadsheet::issue::tree::Issue) -> Pictures {
    let picture = |name: String| {
        (name, Picture { url: "https://news.tidewater.example/m/x.png".to_owned(), width: 1200, height: 675, bytes: 1 })
    };
    references(issue).into_iter().map(|(name, _)| picture(name)).collect()
}

/// Writes every issue for three readers; gives the paths.
fn issues(folder: &Path, signer: &Signer) -> Vec<PathBuf> {
    let mut written = Vec::new();
    for source in sources() {
        let issue = parse(&String::from_utf8_lossy(&std::fs::read(&source).expect("a file"))).issue;
        let masthead = masthead("en");
        let rendered = render(&issue, &masthead, jiff::civil::date(2026, 11, 24), &pictures(&issue)).expect("rendered");
        let sending = Sending { issue: IssueId(31), at: AT, subject_prefix: "", signed: true };
        let prepared = prepare(&rendered, &masthead, sending).expect("prepared");
        for (number, name) in ["", "Zoë \"Z\" <script>", "x\r\nBcc: evil@example.com"].into_iter().enumerate() {
            let reader = reader(name);
            let personal = Personal {
                reader: &reader,
                message_id: "a.b.c@tidewater.example",
                leave_address: "u+k1.abc@bounce.tidewater.example",
            };
            let mut message = Vec::new();
            compose_signed(&prepared, personal, signer, &mut message).expect("composed");
            let stem = source.file_stem().expect("a name").to_string_lossy().into_owned();
            written.push(folder.join(format!("{stem}-{number}.eml")));
            std::fs::write(written.last().expect("just pushed"), message).expect("written");
        }
    }
    written
}

fn letters(folder: &Path, signer: &Signer) -> Vec<PathBuf> {
    let notice = Notice { headline: "No issue is ready for Sunday".to_owned(), ..Notice::default() };
    let mut written = Vec::new();
    for language in ["en", "de", "fr", "es", "pt", "it", "nl", "zh", "zh-Hant", "ja", "ar"] {
        let masthead = masthead(language);
        let url = "https://news.tidewater.example/c/k1.abc";
        let confirmation =
            Confirmation { masthead: &masthead, confirm_url: url, not_me_url: url, asked_at: AT, expires_at: AT };
        let letters = [confirm_letter(&confirmation), notice_letter(&notice, &masthead)];
        for (number, letter) in letters.into_iter().enumerate() {
            let to = Addressee { address: "ann@example.com", name: "", message_id: "l@tidewater.example", at: AT };
            let mut message = letter_message(&letter.expect("rendered"), &masthead, to).expect("a message");
            signer.sign(&mut message, AT);
            written.push(folder.join(format!("letter-{language}-{number}.eml")));
            std::fs::write(written.last().expect("just pushed"), message).expect("written");
        }
    }
    written
}

fn verify(dns: &Path, options: &[&str], mails: &[PathBuf]) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/verify_mail.py");
    let output =
        Command::new("python3").arg(script).arg("--dns").arg(dns).args(options).args(mails).output().expect("python3");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains(&format!("{} of {0} mails are sound", mails.len())), "{said}");
}

#[test]
fn strangers_programs_find_every_mail_sound() {
    let has_dkimpy = Command::new("python3").args(["-c", "import dkim"]).output().is_ok_and(|run| run.status.success());
    if !has_dkimpy {
        assert!(std::env::var_os("CI").is_none(), "dkimpy is missing: pip install dkimpy");
        eprintln!("not verified: dkimpy is missing (pip install dkimpy)");
        return;
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("verified");
    std::fs::create_dir_all(&folder).expect("a folder");
    let signer = Signer::new("tidewater.example", "bs1", &new_rsa_key().expect("a key")).expect("a signer");
    let mut record = String::new();
    let _ = writeln!(record, "{} {}", signer.dns_name(), signer.dns_strings());
    let dns = folder.join("dns.txt");
    std::fs::write(&dns, record).expect("written");
    verify(&dns, &[], &issues(&folder, &signer));
    verify(&dns, &["--letter"], &letters(&folder, &signer));
}

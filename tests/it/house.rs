//! The rules of the house, held by reading its own source: bands, lengths, one clock, one place for SQL, quiet logs.
//! Each failure names file and line, what is wrong, and the rule.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Code of one file, tests excluded.
const FILE_LINES_MAX: usize = 500;
/// The same with its tests.
const FILE_LINES_WITH_TESTS_MAX: usize = 700;
/// A function fits a screen.
const FUNCTION_LINES_MAX: usize = 70;

const WAYS: [&str; 4] = ["issue", "audience", "delivery", "schedule"];
const HANDS: [&str; 5] = ["store", "smtp", "media", "fetch", "config"];
const DOORS: [&str; 2] = ["web", "cli"];

/// A source file: its path under the repository, and its lines.
struct Source {
    path: String,
    lines: Vec<String>,
    /// The line at which the tests begin.
    tests_at: usize,
}

impl Source {
    fn read(path: &Path) -> Self {
        let text = std::fs::read_to_string(path).expect("our own source can be read");
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let path = path.strip_prefix(root).expect("is below the root").to_string_lossy().replace('\\', "/");
        let is_test =
            |window: &[String]| window[0].trim() == "#[cfg(test)]" && window[1].trim_start().starts_with("mod ");
        let tests_at = lines.windows(2).position(is_test).unwrap_or(lines.len());
        let only_tests = path.ends_with("/tests.rs") || path.ends_with("/fixtures.rs") || path.contains("/tests/");
        Self { tests_at: if only_tests { 0 } else { tests_at }, path, lines }
    }

    /// Lines of code with their numbers: no tests, no comments.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let is_code = |(_, line): &(usize, &str)| !line.trim_start().starts_with("//");
        self.lines[..self.tests_at].iter().enumerate().map(|(at, line)| (at + 1, line.as_str())).filter(is_code)
    }

    /// The part of the house that a file belongs to: "store" of `src/store/x.rs` and `src/store.rs`.
    fn part(&self) -> &str {
        let below = self.path.strip_prefix("src/").unwrap_or(&self.path);
        below.split(['/', '.']).next().unwrap_or_default()
    }

    fn is(&self, path: &str) -> bool {
        self.path == path
    }
}

fn files_below(folder: &str, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(folder) else { continue };
        for path in entries.flatten().map(|entry| entry.path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|known| known == extension) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn sources() -> Vec<Source> {
    files_below("src", "rs").iter().map(|path| Source::read(path)).collect()
}

/// Fails with every line that `wrong` gives a reason for.
fn hold(rule: &str, wrong: impl Fn(&Source, usize, &str) -> Option<String>) {
    let mut told = String::new();
    for source in sources() {
        for (at, line) in source.code() {
            if let Some(why) = wrong(&source, at, line) {
                let _ = writeln!(told, "{}:{at}: {why}", source.path);
            }
        }
    }
    assert!(told.is_empty(), "{rule}\n{told}");
}

/// Whether `from` may import `to`.
fn may_import(from: &str, to: &str) -> bool {
    let band = |part: &str| match part {
        "values" => 0,
        part if WAYS.contains(&part) => 1,
        part if HANDS.contains(&part) => 2,
        "verbs" => 3,
        part if DOORS.contains(&part) => 4,
        _ => 5,
    };
    let strangers = (HANDS.contains(&from) || DOORS.contains(&from)) && band(from) == band(to);
    from == to || (band(to) <= band(from) && !strangers)
}

/// The parts that the paths of a line name: `crate::store::x`, `crate::{store, values::y}`.
fn imports(line: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    for after in line.split("crate::").skip(1) {
        let mut names = vec![after];
        if let Some(list) = after.strip_prefix('{') {
            let mut depth = 0;
            names = list
                .split(|letter| {
                    depth += i32::from(letter == '{') - i32::from(letter == '}');
                    letter == ',' && depth == 0
                })
                .collect();
        }
        for name in names {
            let name = name.trim_start();
            let end = name.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_').unwrap_or(name.len());
            parts.push(&name[..end]);
        }
    }
    parts.retain(|part| part.chars().next().is_some_and(|letter| letter.is_ascii_lowercase()));
    parts
}

#[test]
fn each_band_imports_only_what_stands_above_it() {
    hold(
        "Bands: values < issue, audience, delivery, schedule < store, smtp, media, fetch, config < verbs < web, cli",
        {
            |source, _, line| {
                let from = source.part();
                if matches!(from, "lib" | "main") {
                    return None;
                }
                // The commands that serve hand the web's server its listener.
                let starts_web =
                    |to: &&str| *to == "web" && (source.is("src/cli/serve.rs") || source.is("src/cli/demo.rs"));
                let known = |part: &&str| *part == "values" || *part == "verbs" || all_parts().contains(part);
                let bad =
                    imports(line).into_iter().filter(known).find(|to| !may_import(from, to) && !starts_web(to))?;
                Some(format!("{from} must not know {bad}"))
            }
        },
    );
}

fn all_parts() -> Vec<&'static str> {
    WAYS.iter().chain(&HANDS).chain(&DOORS).copied().collect()
}

#[test]
fn values_and_ways_are_pure() {
    const IMPURE: [&str; 9] = [
        "tokio::",
        "sqlx",
        "std::fs",
        "TcpStream",
        "TcpListener",
        "UdpSocket",
        "reqwest",
        "Instant::now",
        "std::process",
    ];
    hold("Values and ways decide; they do no I/O", |source, _, line| {
        let pure = source.part() == "values" || WAYS.contains(&source.part());
        if !pure || source.is("src/values/ids.rs") {
            return None;
        }
        IMPURE.iter().find(|word| line.contains(**word)).map(|word| format!("{word} is not pure"))
    });
}

#[test]
fn sql_is_spoken_in_the_store_only() {
    hold("sqlx is named under src/store/ only (and in values/ids.rs, for the ids in rows)", |source, _, line| {
        let may = source.part() == "store" || source.is("src/values/ids.rs");
        (!may && line.contains("sqlx")).then(|| "sqlx is named".to_owned())
    });
}

#[test]
fn one_file_reads_the_clock() {
    const CLOCKS: [&str; 5] = ["SystemTime::now", "Timestamp::now", "ZonedDateTime::now", "Utc::now", "Local::now"];
    hold(
        "values/clock.rs is the one file that reads the clock; everybody else is handed a Clock",
        |source, _, line| {
            let bad = CLOCKS.iter().find(|clock| line.contains(**clock))?;
            (!source.is("src/values/clock.rs")).then(|| format!("{bad} is read"))
        },
    );
}

#[test]
fn nothing_is_left_undone_and_nothing_panics_without_a_reason() {
    const UNDONE: [&str; 8] = ["TODO", "FIXME", "XXX", "todo!(", "unimplemented!(", "dbg!(", ".unwrap()", "unsafe "];
    /// Words of a reason: fewer are a name and not a reason.
    const REASON_WORDS_MIN: usize = 3;
    hold("No unwrap, no TODO; expect says why it holds", |source, _, line| {
        // The lists of what an editor must not leave behind in an issue are about just these words.
        let about_issues = source.part() == "issue" && line.contains('"');
        if let Some(bad) = UNDONE.iter().find(|bad| line.contains(**bad)).filter(|_| !about_issues) {
            return Some(format!("{bad} is left"));
        }
        let reason = line.split(".expect(\"").nth(1)?.split('"').next()?;
        (reason.split_whitespace().count() < REASON_WORDS_MIN).then(|| format!("“{reason}” is no reason"))
    });
}

#[test]
fn no_readers_address_gets_into_a_log() {
    const MACROS: [&str; 6] = ["trace!(", "debug!(", "info!(", "warn!(", "error!(", "span!("];
    const ADDRESSES: [&str; 6] =
        ["address.as_str()", "email", ".rcpt_to", "subscriber.address", "row.address", "reader.address"];
    let mut told = String::new();
    for source in sources() {
        let code: Vec<(usize, &str)> = source.code().collect();
        for (place, (at, line)) in code.iter().enumerate() {
            if !line.contains("tracing::") || !MACROS.iter().any(|name| line.contains(name)) {
                continue;
            }
            let until = |text: &&(usize, &str)| !text.1.trim_end().ends_with(';');
            let rest = code[place..].iter().take_while(until).count();
            let call: String = code[place..=(place + rest).min(code.len() - 1)].iter().map(|(_, line)| *line).collect();
            if let Some(bad) = ADDRESSES.iter().find(|address| call.contains(**address)) {
                let _ = writeln!(told, "{}:{at}: {bad} is logged", source.path);
            }
        }
    }
    assert!(told.is_empty(), "A reader's address in a log line is a leak; log the id\n{told}");
}

#[test]
fn files_and_functions_fit_their_lengths() {
    let mut told = String::new();
    for source in sources() {
        if source.tests_at > FILE_LINES_MAX {
            let _ = writeln!(told, "{}: {} lines of code, at most {FILE_LINES_MAX}", source.path, source.tests_at);
        }
        if source.lines.len() > FILE_LINES_WITH_TESTS_MAX {
            let _ = writeln!(
                told,
                "{}: {} lines with tests, at most {FILE_LINES_WITH_TESTS_MAX}",
                source.path,
                source.lines.len()
            );
        }
        for (at, lines) in functions(&source.lines[..source.tests_at]) {
            if lines > FUNCTION_LINES_MAX {
                let _ =
                    writeln!(told, "{}:{at}: a function of {lines} lines, at most {FUNCTION_LINES_MAX}", source.path);
            }
        }
        if source.tests_at > 0 && !source.lines.first().is_some_and(|line| line.starts_with("//!")) {
            let _ = writeln!(told, "{}: a file begins with what it is for (`//!`)", source.path);
        }
    }
    assert!(told.is_empty(), "Files under 500 lines, functions under 70, split by meaning\n{told}");
}

/// First line and length of every function; the source is formatted, so one ends at the brace below its beginning.
fn functions(lines: &[String]) -> Vec<(usize, usize)> {
    let begins = |line: &str| {
        let line = line.trim_start();
        let line = line.strip_prefix("pub").map_or(line, |rest| rest.trim_start_matches(|c| c != ' ').trim_start());
        let line = ["const ", "async "].iter().fold(line, |line, word| line.strip_prefix(word).unwrap_or(line));
        line.starts_with("fn ")
    };
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate().filter(|(_, line)| begins(line)) {
        let indent = &line[..line.len() - line.trim_start().len()];
        let ends = |line: &String| {
            *line == format!("{indent}}}") || (line.ends_with(';') && line.starts_with(&format!("{indent})")))
        };
        let on_one_line = line.ends_with('}') || line.ends_with(';');
        let length = if on_one_line { 1 } else { lines[at..].iter().position(ends).map_or(1, |end| end + 1) };
        found.push((at + 1, length));
    }
    found
}

#[test]
fn pages_have_no_inline_styles_and_no_inline_scripts() {
    let mut told = String::new();
    for folder in ["templates/desk", "templates/public", "templates/catcher", "templates"] {
        for path in files_below(folder, "html").iter().filter(|path| !path.to_string_lossy().contains("/email/")) {
            let source = Source::read(path);
            for (at, line) in source.lines.iter().enumerate() {
                let lower = line.to_lowercase();
                let inline_script =
                    lower.contains("<script>") || (lower.contains("<script ") && !lower.contains(" src="));
                let handler = [" onclick=", " onsubmit=", " onload=", " onchange=", " oninput=", "javascript:"];
                if lower.contains(" style=")
                    || lower.contains("<style")
                    || inline_script
                    || handler.iter().any(|bad| lower.contains(bad))
                {
                    let _ = writeln!(told, "{}:{}: {}", source.path, at + 1, line.trim());
                }
            }
        }
    }
    assert!(told.is_empty(), "The policy of our pages lets no inline style or script run\n{told}");
}

#[test]
fn the_rules_see_what_they_look_for() {
    assert_eq!(imports("use crate::store::{self, Tx};"), ["store"]);
    assert_eq!(imports("use crate::{store::x, values::{y, z}, web};"), ["store", "values", "web"]);
    assert_eq!(imports("    crate::web::assets::base(); $crate::store::sql"), ["web", "store"]);
    assert!(may_import("verbs", "store") && may_import("store", "issue") && may_import("issue", "delivery"));
    assert!(!may_import("store", "smtp") && !may_import("verbs", "web") && !may_import("web", "cli"));
    assert!(!may_import("values", "issue") && !may_import("issue", "store"));
    let lines = [
        "fn a() { 1 }",
        "    pub(super) async fn b(",
        "        x: u8,",
        "    ) {",
        "        1",
        "    }",
        "    fn c();",
    ];
    assert_eq!(functions(&lines.map(str::to_owned)), [(1, 1), (2, 5), (7, 1)]);
}

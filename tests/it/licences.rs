//! Whose code is in the binary, and under which licences: `LICENCES.md` is written from the manifest, and a licence
//! that is not on the list below fails. `scripts/licences` rewrites the file.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// Licences that code under AGPL-3.0-or-later may be linked with.
const FINE: [&str; 17] = [
    "0BSD",
    "AGPL-3.0-or-later",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MIT-0",
    "MPL-2.0",
    "Unicode-3.0",
    "Unicode-DFS-2016",
    "Unlicense",
    "Zlib",
];

/// What Cargo does not know of: files of others that we ship.
const SHIPPED: &str = "\n## Files\n\n| what | licence | where |\n|---|---|---|\n\
    | htmx | 0BSD | `assets/vendor/htmx-4.0.1/` |\n\
    | Newsreader, cut down to the letters we use | OFL-1.1 | `assets/*/fonts/` |\n";

/// Whether an SPDX expression can be met with [`FINE`]: one side of every OR, both of every AND.
fn is_fine(expression: &str) -> bool {
    let expression = expression.trim();
    for (word, all) in [(" OR ", false), (" AND ", true)] {
        let parts = split_outside(expression, word);
        if parts.len() > 1 {
            return if all { parts.into_iter().all(is_fine) } else { parts.into_iter().any(is_fine) };
        }
    }
    match expression.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')) {
        Some(inner) => is_fine(inner),
        None => FINE.contains(&expression),
    }
}

/// Splits at `word`, but not within brackets.
fn split_outside<'a>(expression: &'a str, word: &str) -> Vec<&'a str> {
    let (mut parts, mut depth, mut from) = (Vec::new(), 0, 0);
    for (at, letter) in expression.char_indices() {
        depth += i32::from(letter == '(') - i32::from(letter == ')');
        if depth == 0 && at >= from && expression[at..].starts_with(word) {
            parts.push(&expression[from..at]);
            from = at + word.len();
        }
    }
    parts.push(&expression[from..]);
    parts
}

/// `(name, version, licence, where)` of every crate that the build uses on Linux.
fn crates() -> Vec<[String; 4]> {
    let mut command = Command::new(std::env::var("CARGO").unwrap_or_else(|_| "cargo".into()));
    command.args(["metadata", "--format-version", "1", "--locked"]);
    command.args(["--filter-platform", "x86_64-unknown-linux-gnu"]).current_dir(env!("CARGO_MANIFEST_DIR"));
    let output = command.output().expect("cargo runs, since it runs this test");
    let told: Value = serde_json::from_slice(&output.stdout).expect("cargo prints JSON");
    let used: Vec<&Value> =
        told["resolve"]["nodes"].as_array().expect("nodes").iter().map(|node| &node["id"]).collect();
    let text = |package: &Value, key: &str| package[key].as_str().unwrap_or_default().to_owned();
    let packages = told["packages"].as_array().expect("packages").iter();
    let mut found: Vec<[String; 4]> = packages
        .filter(|package| used.contains(&&package["id"]) && package["name"] != "broadsheet")
        .map(|package| {
            let licence = text(package, "license").replace(" / ", "/").replace('/', " OR ");
            [text(package, "name"), text(package, "version"), licence, text(package, "repository")]
        })
        .collect();
    found.sort();
    found
}

#[test]
fn every_licence_is_one_that_we_may_ship() {
    let bad: Vec<_> = crates().into_iter().filter(|[_, _, licence, _]| !is_fine(licence)).collect();
    assert!(bad.is_empty(), "not on the list of licences: {bad:#?}");
}

#[test]
fn the_list_of_licences_is_of_this_lock_file() {
    let mut page = String::from(
        "# Licences\n\nBroadsheet is AGPL-3.0-or-later. These are in it, or are used to build and test it; written by \
         `scripts/licences`.\n\n## Crates\n\n| crate | version | licence | where |\n|---|---|---|---|\n",
    );
    for [name, version, licence, place] in crates() {
        let _ = writeln!(page, "| {name} | {version} | {licence} | {place} |");
    }
    page.push_str(SHIPPED);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("LICENCES.md");
    if std::env::var_os("REWRITE").is_some() {
        std::fs::write(&path, &page).expect("the list can be written");
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == page, "LICENCES.md is not of this Cargo.lock; run scripts/licences");
}

#[test]
fn licences_are_read_as_spdx_means_them() {
    for (expression, fine) in [
        ("MIT", true),
        ("GPL-3.0-only", false),
        ("GPL-3.0-only OR MIT", true),
        ("MIT AND GPL-3.0-only", false),
        ("(MIT OR GPL-2.0-only) AND Unicode-3.0", true),
        ("Apache-2.0 WITH LLVM-exception OR GPL-2.0-only", true),
        ("", false),
    ] {
        assert_eq!(is_fine(expression), fine, "{expression}");
    }
}

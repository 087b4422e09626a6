//! When the issue leaves, as its front matter says it: `hours:` with keys of its own, or in one line.

use std::str::FromStr;

use super::{Reading, Value, place};
use crate::issue::finding::Finding;
use crate::issue::tree::Place;
use crate::schedule::hours::{Wish, Wishes};

const HOURS_KEYS: [&str; 4] = ["local", "passed", "spread", "quiet"];
const INSTEAD: &str = "write hours: { local: 09:00, spread: 3h, quiet: 22:00-07:00 }, or what of it you want";

impl Reading<'_> {
    pub(super) fn hours(&mut self, value: Value, at: Place, before: usize) -> Wishes {
        match value {
            Value::Null => Wishes::default(),
            Value::Text(text) => self.hours_read(text.parse(), at).unwrap_or_default(),
            Value::Map(entries) => {
                let mut wishes = Wishes::default();
                for (key, value) in entries {
                    let (key_at, at) = (place(&key, before), place(&value, before));
                    if !HOURS_KEYS.contains(&key.value.as_str()) {
                        self.unknown_key(&key.value, &HOURS_KEYS, key_at);
                        continue;
                    }
                    let Some(text) = self.text_value(&key.value, value.value, at) else { continue };
                    match key.value.as_str() {
                        "local" => wishes.local = self.wish(&text, at),
                        "spread" => wishes.spread = self.wish(&text, at),
                        "quiet" => wishes.quiet = self.wish(&text, at),
                        _ => wishes.passed = self.hours_read(text.parse(), at),
                    }
                }
                wishes
            }
            Value::Number(_) | Value::Other(_) => {
                let what = "“hours” must say when the issue leaves";
                self.findings.push(Finding::blocks("hours", at, what, INSTEAD));
                Wishes::default()
            }
        }
    }

    fn wish<T: FromStr<Err = String>>(&mut self, text: &str, at: Place) -> Wish<T> {
        self.hours_read(Wish::read(text), at).unwrap_or_default()
    }

    /// Nothing of what cannot be read holds; the finding keeps it from being sent.
    fn hours_read<T>(&mut self, read: Result<T, String>, at: Place) -> Option<T> {
        match read {
            Ok(value) => Some(value),
            Err(why) => {
                let (what, instead) = why.split_once("; ").unwrap_or((&why, INSTEAD));
                self.findings.push(Finding::blocks("hours", at, what, instead));
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::issue::parse::parse;

    fn read(hours: &str) -> (String, Vec<(usize, String, String)>) {
        let source = format!("---\nsubject: Low tide\n{hours}\n---\n\n## A boat\n\nIt was there at dawn.\n");
        let parsed = parse(&source);
        let bad =
            parsed.findings.iter().filter(|finding| ["hours", "unknown-key", "wrong-type"].contains(&finding.code));
        let bad = bad.map(|finding| (finding.at.line, finding.what.clone(), finding.instead.clone()));
        (parsed.issue.hours.to_string(), bad.collect())
    }

    #[test]
    fn hours_are_read_with_keys_or_in_a_line() {
        let all = "local 09:00, passed skip, spread 3h, quiet 22:00-07:00";
        for text in [
            "hours:\n  local: 09:00\n  passed: skip\n  spread: 3h\n  quiet: 22:00-07:00".to_owned(),
            "hours: { quiet: \"22:00-07:00\", local: \"9:00\", spread: 180m, passed: skip }".to_owned(),
            format!("hours: {all}"),
        ] {
            assert_eq!(read(&text), (all.to_owned(), vec![]), "{text}");
        }
        assert_eq!(read("hours:\n  quiet: off"), ("quiet off".to_owned(), vec![]));
        assert_eq!(read("hours:"), (String::new(), vec![]));
    }

    #[test]
    fn what_cannot_be_read_is_named_at_its_line() {
        for (text, line, what) in [
            ("hours:\n  local: 9 o'clock", 4, "is no time of day"),
            ("hours:\n  local: 09:00\n  quiet: 22-7", 5, "is no span of a day"),
            ("hours:\n  quiet: 01:00-01:00", 4, "begin and end at once"),
            ("hours:\n  spread: 30d", 4, "is no span to spread over"),
            ("hours:\n  passed: later", 4, "is not known"),
            ("hours:\n  night: 22:00-07:00", 4, "there is no key “night”"),
            ("hours: sometime", 3, "is not known here"),
            ("hours: 9", 3, "must say when"),
            ("hours: [1, 2]", 3, "must say when"),
            ("hours:\n  local: true", 4, "must be text"),
        ] {
            let (_, bad) = read(text);
            assert!(
                matches!(&bad[..], [(at, said, instead)] if *at == line && said.contains(what)
                && !instead.is_empty()),
                "{text}: {bad:?}"
            );
        }
    }
}

//! The words by which a mail is known for what it is, from `marks.txt`.

use std::sync::LazyLock;

use aho_corasick::AhoCorasick;

/// A bit for every mark of the file that a text has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Marks(u32);

/// In the order of the bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    SubjectBounce,
    SubjectDelay,
    SubjectDone,
    SubjectAuto,
    SubjectChallenge,
    FromDaemon,
    BodyBounce,
    BodyDelay,
    BodyFinal,
    BodyDone,
    BodyChallenge,
    SubjectUnsubscribe,
    BodyAway,
}

const NAMES: &[&str] = &[
    "subject-bounce",
    "subject-delay",
    "subject-done",
    "subject-auto",
    "subject-challenge",
    "from-daemon",
    "body-bounce",
    "body-delay",
    "body-final",
    "body-done",
    "body-challenge",
    "subject-unsubscribe",
    "body-away",
];

struct Words {
    finder: AhoCorasick,
    bits: Vec<u32>,
}

static WORDS: LazyLock<Words> = LazyLock::new(|| {
    let mut words = Vec::new();
    let mut bits = Vec::new();
    for line in include_str!("marks.txt").lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        let (name, list) = line.split_once(": ").expect("a mark is a name and its words");
        let bit = NAMES.iter().position(|known| *known == name).expect("the name is one of ours");
        for word in list.split(" | ") {
            words.push(word);
            bits.push(1 << bit);
        }
    }
    Words { finder: AhoCorasick::new(words).expect("a few hundred words fit"), bits }
});

impl Marks {
    /// The marks of `text`, which is in lower case.
    pub(super) fn of(text: &str) -> Self {
        let words = &*WORDS;
        let set =
            words.finder.find_overlapping_iter(text).fold(0, |set, hit| set | words.bits[hit.pattern().as_usize()]);
        Self(set)
    }

    /// The marks of a header's value; `^` in a word is its beginning.
    pub(super) fn of_header(value: &str) -> Self {
        let mut text = String::with_capacity(value.len() + 1);
        text.push('^');
        text.push_str(&value.trim().to_lowercase().replace('\u{2019}', "'"));
        Self::of(&text)
    }

    pub(super) fn has(self, mark: Mark) -> bool {
        self.0 & (1 << mark as u32) != 0
    }
}

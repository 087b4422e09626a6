//! Subject and preheader: what stands in the list of mails.

use unicode_width::UnicodeWidthStr as _;

use super::About;
use crate::issue::finding::Finding;
use crate::issue::tree::{Issue, plain};
use crate::issue::words;

/// Cells of a subject that are seen on a computer; phones show about 40.
const SUBJECT_CELLS_MAX: usize = 70;
/// Beyond this the rest of a preheader is seen nowhere.
const PREHEADER_CELLS_MAX: usize = 140;
/// Below this, programs fill the line with the mail's first words.
const PREHEADER_CELLS_MIN: usize = 30;
/// Letters above which capitals are a shout and not an abbreviation.
const SHOUT_LETTERS_MIN: usize = 8;
/// How answers and forwarded mails begin, in the languages of mail programs.
const ANSWERS: [&str; 13] =
    ["re:", "fw:", "fwd:", "aw:", "wg:", "tr:", "rv:", "sv:", "vs:", "antw:", "odp:", "回复:", "转发:"];

pub(super) fn check(issue: &Issue, about: &About<'_>, findings: &mut Vec<Finding>) {
    let at = issue.subject_at;
    let subject = plain(&issue.subject);
    let subject = subject.trim();
    let mut warn = |code, what: String, instead: &str| findings.push(Finding::warns(code, at, what, instead));
    if subject.width() > SUBJECT_CELLS_MAX {
        let letters = subject.chars().count();
        let what = format!("the subject has {letters} letters; about {SUBJECT_CELLS_MAX} are seen, on a phone 40");
        warn("subject-long", what, "say what matters first, and shorten it");
    }
    let lower = subject.to_lowercase().replace('：', ":");
    if let Some(answer) = ANSWERS.into_iter().find(|answer| lower.starts_with(answer)) {
        let what = format!("the subject begins with “{answer}”, as if it were an answer");
        warn("subject-answer", what, "leave it out; filters and readers take it for a trick");
    }
    let cased: Vec<char> = subject.chars().filter(|l| l.is_uppercase() || l.is_lowercase()).collect();
    if cased.len() >= SHOUT_LETTERS_MIN && cased.iter().all(|letter| letter.is_uppercase()) {
        warn("subject-shouts", "the subject is all capitals".to_owned(), "write it in small letters");
    }
    if subject.contains("!!") || subject.contains("$$") {
        warn("subject-shouts", "the subject shouts".to_owned(), "one sign is enough");
    }
    preheader(issue, subject, findings);
    direction(issue, about, subject, findings);
}

fn preheader(issue: &Issue, subject: &str, findings: &mut Vec<Finding>) {
    let preheader = plain(&issue.preheader);
    let cells = preheader.trim().width();
    let (code, what) = match cells {
        _ if subject.is_empty() => return,
        0 => ("no-preheader", "there is no preheader, the line shown beside the subject".to_owned()),
        _ if preheader.trim() == subject => {
            ("preheader-repeats", "the preheader says the same as the subject".to_owned())
        }
        cells if cells < PREHEADER_CELLS_MIN => {
            ("preheader-short", format!("the preheader is short ({cells} letters); programs add the first words"))
        }
        cells if cells > PREHEADER_CELLS_MAX => {
            ("preheader-long", format!("the preheader has {cells} letters; the end is seen nowhere"))
        }
        _ => return,
    };
    let instead = "write “preheader: …” with 70 to 110 letters that go on where the subject ends";
    findings.push(Finding::warns(code, issue.subject_at, what, instead));
}

/// Text from right to left in a mail that is laid out from left to right.
fn direction(issue: &Issue, about: &About<'_>, subject: &str, findings: &mut Vec<Finding>) {
    let language = issue.language.as_deref().unwrap_or(about.language);
    let headlines = issue.stories.iter().map(|story| plain(&story.headline));
    let text: String = headlines.chain([subject.to_owned()]).collect();
    let is_rtl = |letter: &char| matches!(u32::from(*letter), 0x590..=0x8FF | 0xFB1D..=0xFDFF | 0xFE70..=0xFEFC);
    let rtl = text.chars().filter(is_rtl).count();
    let ltr = text.chars().filter(|letter| letter.is_alphabetic() && !is_rtl(letter)).count();
    if rtl > ltr && words::direction(language) == "ltr" {
        findings.push(Finding::warns(
            "direction",
            issue.subject_at,
            "the text runs from right to left, the mail's language does not",
            "write the language in the front matter: “language: ar”",
        ));
    }
}

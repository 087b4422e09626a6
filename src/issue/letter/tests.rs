use mail_parser::MessageParser;

use super::{Addressee, Confirmation, Letter, Notice, confirm_letter, letter_message, notice_letter};
use crate::issue::fixtures;
use crate::issue::newsletter::Masthead;
use crate::values::clock::Millis;

const AT: Millis = Millis(1_795_510_800_000);

fn confirmation(language: &str) -> Letter {
    let masthead = Masthead { language: language.to_owned(), ..fixtures::masthead() };
    let confirmation = Confirmation {
        masthead: &masthead,
        confirm_url: "https://tidewater.example/c/k1.TOKEN",
        not_me_url: "https://tidewater.example/c/k1.TOKEN/not-me?a=1&b=2",
        asked_at: AT,
        expires_at: AT.plus(7 * Millis::DAY),
    };
    confirm_letter(&confirmation).expect("rendered")
}

fn notice() -> Letter {
    let notice = Notice {
        headline: "No issue is ready for Sunday at nine".to_owned(),
        paragraphs: vec![
            "The slot is on Sunday 29 November at 09:00 (Europe/Oslo). Nothing will be sent then.".to_owned(),
        ],
        facts: vec![("Readers who wait".to_owned(), "12,480".to_owned())],
        action: Some((
            "Make an issue ready".to_owned(),
            "https://desk.tidewater.example/n/tidewater/issues".to_owned(),
        )),
        after: vec!["If none is ready by then, the slot is recorded as missed.".to_owned()],
    };
    notice_letter(&notice, &fixtures::masthead()).expect("rendered")
}

fn golden(name: &str, letter: &Letter) {
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!(format!("{name}.html"), letter.html);
        insta::assert_snapshot!(format!("{name}.txt"), letter.text);
    });
    assert!(
        letter.text.lines().all(|line| unicode_width::UnicodeWidthStr::width(line) <= 72 || line.starts_with("https"))
    );
    assert!(!letter.html.contains("\\u{") && !letter.html.contains('{') || letter.html.contains("<style"), "{name}");
    assert!(!letter.text.contains('{'), "{name}");
}

#[test]
fn confirmations_are_as_they_were() {
    golden("confirm", &confirmation("en"));
    golden("confirm-ar", &confirmation("ar"));
}

#[test]
fn notices_are_as_they_were() {
    golden("notice", &notice());
}

#[test]
fn every_language_fills_all_of_its_words() {
    for language in ["de", "fr", "es", "pt", "it", "nl", "zh", "zh-Hant", "ja", "sv"] {
        let letter = confirmation(language);
        assert!(letter.subject.contains("The Tidewater Brief"), "{language}");
        assert!(!format!("{}{}", letter.text, letter.subject).contains(['{', '}']), "{language}");
        assert!(letter.text.contains("09:00") || letter.text.contains("10:00"), "{language}");
    }
}

#[test]
fn a_letter_is_a_programs_mail_and_no_lists() {
    for letter in [confirmation("ja"), notice()] {
        let to = Addressee { address: "ann@example.com", name: "", message_id: "l.x@tidewater.example", at: AT };
        let message = letter_message(&letter, &fixtures::masthead(), to).expect("a message");
        assert!(message.iter().all(|byte| matches!(byte, b'\r' | b'\n' | b' '..=b'~')));
        let text = String::from_utf8(message.clone()).expect("ASCII");
        assert!(text.contains("\r\nAuto-Submitted: auto-generated\r\n"));
        assert!(!text.contains("List-Unsubscribe") && !text.contains("Precedence"));
        let parsed = MessageParser::default().parse(&message).expect("a message");
        assert_eq!(parsed.subject(), Some(letter.subject.as_str()));
        assert_eq!(parsed.body_html(0).map(|html| html.replace("\r\n", "\n")), Some(letter.html));
        assert_eq!(parsed.body_text(0).map(|text| text.replace("\r\n", "\n")), Some(letter.text));
    }
}

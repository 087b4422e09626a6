//! The words of the readers' pages, by language. `{name}` is the newsletter, `{address}` a shortened address; other
//! braces are named where they are used. A newsletter in a language that is not here gets the English pages, with
//! the issues themselves in their own language and direction.

mod ar;
mod de;
mod en;
mod es;
mod fr;
mod ja;
pub(super) mod joining;
mod staying;

pub(super) use staying::{Staying, staying};

use crate::values::address::BadAddress;

/// Everything the pages say of themselves.
pub(super) struct Words {
    /// BCP 47, of these words.
    pub(super) language: &'static str,
    pub(super) skip: &'static str,
    pub(super) latest: &'static str,
    pub(super) archive: &'static str,
    pub(super) subscribe: &'static str,
    pub(super) feed: &'static str,
    pub(super) write_to_editor: &'static str,
    // Sign-up
    pub(super) signup_title: &'static str,
    pub(super) signup_lead: &'static str,
    pub(super) your_address: &'static str,
    pub(super) leave_empty: &'static str,
    pub(super) agree_after: &'static str,
    /// Four pairs of a fact and a sentence about it.
    pub(super) facts: [(&'static str, &'static str); 4],
    pub(super) latest_issue: &'static str,
    /// `{number}`
    pub(super) read_before: &'static str,
    pub(super) recent: &'static str,
    pub(super) wrong_missing: &'static str,
    pub(super) wrong_shape: &'static str,
    /// `{part}` is what stands after the @.
    pub(super) wrong_dotless: &'static str,
    pub(super) wrong_domain: &'static str,
    pub(super) wrong_long: &'static str,
    pub(super) wrong_several: &'static str,
    pub(super) wrong_unsupported: &'static str,
    pub(super) wrong_invisible: &'static str,
    pub(super) too_many_title: &'static str,
    pub(super) too_many: &'static str,
    // Embedding
    pub(super) embed_title: &'static str,
    pub(super) embed_lead: &'static str,
    pub(super) embed_looks: &'static str,
    pub(super) embed_paste: &'static str,
    pub(super) embed_html: &'static str,
    pub(super) embed_note: &'static str,
    pub(super) embed_read_latest: &'static str,
    // Check your mail
    pub(super) check_title: &'static str,
    pub(super) check_lead: &'static str,
    pub(super) from: &'static str,
    pub(super) subject: &'static str,
    pub(super) here_in: &'static str,
    pub(super) a_minute: &'static str,
    pub(super) check_days: &'static str,
    pub(super) nothing_there: &'static str,
    pub(super) nothing_there_text: &'static str,
    pub(super) send_again: &'static str,
    pub(super) address_wrong: &'static str,
    pub(super) enter_another: &'static str,
    // Confirm
    pub(super) confirm_title: &'static str,
    pub(super) confirm_heading: &'static str,
    pub(super) confirm_lead: &'static str,
    pub(super) confirm_button: &'static str,
    pub(super) not_you: &'static str,
    pub(super) not_you_text: &'static str,
    pub(super) not_me: &'static str,
    pub(super) disowned_title: &'static str,
    pub(super) disowned_lead: &'static str,
    pub(super) unchanged_title: &'static str,
    pub(super) unchanged_lead: &'static str,
    pub(super) in_title: &'static str,
    pub(super) in_lead: &'static str,
    pub(super) in_lead_latest: &'static str,
    /// `{number}`
    pub(super) read_number: &'static str,
    pub(super) arrives: &'static str,
    /// `{sender}`
    pub(super) arrives_text: &'static str,
    pub(super) expired_title: &'static str,
    pub(super) expired_lead: &'static str,
    pub(super) over_lead: &'static str,
    pub(super) new_link: &'static str,
    pub(super) expired_note: &'static str,
    // Leave
    pub(super) leave_title: &'static str,
    pub(super) leave_heading: &'static str,
    pub(super) leave_lead: &'static str,
    pub(super) leave: &'static str,
    pub(super) leave_text: &'static str,
    pub(super) leave_now: &'static str,
    pub(super) a_pause: &'static str,
    pub(super) pause_text: &'static str,
    pub(super) how_long: &'static str,
    pub(super) months: [&'static str; 3],
    pub(super) pause: &'static str,
    pub(super) left_title: &'static str,
    pub(super) left_heading: &'static str,
    pub(super) left_lead: &'static str,
    pub(super) left_gone: &'static str,
    pub(super) undo: &'static str,
    pub(super) why: &'static str,
    pub(super) why_note: &'static str,
    /// Too often, not as expected, no time, never subscribed.
    pub(super) reasons: [&'static str; 4],
    pub(super) own_words: &'static str,
    pub(super) send: &'static str,
    pub(super) thanks_title: &'static str,
    pub(super) thanks_lead: &'static str,
    pub(super) back_title: &'static str,
    pub(super) back_lead: &'static str,
    pub(super) no_undo_title: &'static str,
    pub(super) no_undo_lead: &'static str,
    // Preferences
    pub(super) preferences: &'static str,
    pub(super) goes_to: &'static str,
    /// `{date}`
    pub(super) since: &'static str,
    pub(super) not_subscribed: &'static str,
    pub(super) name_heading: &'static str,
    pub(super) zone_goes_along: &'static str,
    pub(super) zone_heading: &'static str,
    pub(super) zone_text: &'static str,
    pub(super) zone: &'static str,
    /// `{zone}` in these three.
    pub(super) zone_is: &'static str,
    pub(super) zone_none: &'static str,
    pub(super) zone_device: &'static str,
    pub(super) zone_unknown: &'static str,
    pub(super) name_note: &'static str,
    pub(super) name: &'static str,
    pub(super) save: &'static str,
    pub(super) saved: &'static str,
    /// `{date}`
    pub(super) paused_until: &'static str,
    pub(super) resume: &'static str,
    pub(super) resumed: &'static str,
    pub(super) leave_here: &'static str,
    // Archive
    /// `{count}`
    pub(super) archive_note: &'static str,
    pub(super) search: &'static str,
    /// `{count}`
    pub(super) search_label: &'static str,
    pub(super) years: &'static str,
    pub(super) nothing_found: &'static str,
    pub(super) no_issues: &'static str,
    pub(super) other_issues: &'static str,
    pub(super) all_issues: &'static str,
    pub(super) next_by_mail: &'static str,
    // Lost
    pub(super) lost_title: &'static str,
    pub(super) lost_lead: &'static str,
    pub(super) search_archive: &'static str,
}

/// The words for a BCP 47 language; English for those that are not here.
pub(super) fn words(language: &str) -> &'static Words {
    match language.split(['-', '_']).next().unwrap_or_default().to_ascii_lowercase().as_str() {
        "de" => &de::WORDS,
        "fr" => &fr::WORDS,
        "es" => &es::WORDS,
        "ja" => &ja::WORDS,
        "ar" => &ar::WORDS,
        _ => &en::WORDS,
    }
}

impl Words {
    /// What to write beside the field for an address that is none. `typed` is what was typed.
    pub(super) fn wrong(&self, bad: BadAddress, typed: &str) -> String {
        let text = match bad {
            BadAddress::Missing => self.wrong_missing,
            BadAddress::Dotless => self.wrong_dotless,
            BadAddress::Domain | BadAddress::Literal => self.wrong_domain,
            BadAddress::LocalTooLong | BadAddress::TooLong | BadAddress::Huge => self.wrong_long,
            BadAddress::Several | BadAddress::Named | BadAddress::Comment => self.wrong_several,
            BadAddress::Quoted | BadAddress::Smtputf8 => self.wrong_unsupported,
            BadAddress::ControlChar | BadAddress::Invisible => self.wrong_invisible,
            BadAddress::Shape | BadAddress::Local => self.wrong_shape,
        };
        put(text, "part", typed.rsplit_once('@').map_or("", |(_, part)| part.trim()))
    }
}

/// `text` with `{what}` replaced.
pub(super) fn put(text: &str, what: &str, with: &str) -> String {
    text.replace(&format!("{{{what}}}"), with)
}

/// `text` around `{what}`, which the page sets in another type.
pub(super) fn around(text: &'static str, what: &str) -> (&'static str, &'static str) {
    text.split_once(&format!("{{{what}}}")).unwrap_or((text, ""))
}

#[cfg(test)]
mod tests {
    use super::{around, put, words};

    #[test]
    fn languages_find_their_words() {
        for (asked, got) in [("en", "en"), ("de-AT", "de"), ("FR", "fr"), ("ar-EG", "ar"), ("pt", "en"), ("", "en")] {
            assert_eq!(words(asked).language, got);
        }
    }

    #[test]
    fn places_are_the_same_in_every_language() {
        for language in ["en", "de", "fr", "es", "ja", "ar"] {
            let w = words(language);
            for text in [w.check_lead, w.confirm_lead, w.leave_lead, w.left_lead, w.goes_to] {
                assert_eq!(text.matches("{address}").count(), 1, "{language}: {text}");
            }
            for text in [w.read_before, w.read_number] {
                assert_eq!(text.matches("{number}").count(), 1, "{language}: {text}");
            }
            assert!([w.zone_is, w.zone_none, w.zone_device].iter().all(|text| text.matches("{zone}").count() == 1));
            assert!(w.since.contains("{date}") && w.paused_until.contains("{date}"));
            assert!(w.arrives_text.contains("{sender}") && w.wrong_dotless.contains("{part}"));
        }
    }

    #[test]
    fn braces_are_filled() {
        assert_eq!(put("Read {number} now", "number", "No. 3"), "Read No. 3 now");
        assert_eq!(around("to {address}.", "address"), ("to ", "."));
    }
}

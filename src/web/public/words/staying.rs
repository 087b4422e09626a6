//! The words of staying and leaving: preferences, a reader's own data, rating, friends. `{address}` is a shortened
//! address, `{name}` the newsletter; other braces are named where they are used.

mod ar;
mod de;
mod en;
mod fr;

/// What these pages say of themselves.
pub(in crate::web::public) struct Staying {
    // Leaving
    pub(in crate::web::public) leave_all: &'static str,
    pub(in crate::web::public) leave_all_text: &'static str,
    pub(in crate::web::public) leave_all_now: &'static str,
    pub(in crate::web::public) left_all: &'static str,
    pub(in crate::web::public) back_all: &'static str,
    // Fewer mails
    pub(in crate::web::public) fewer: &'static str,
    pub(in crate::web::public) monthly: &'static str,
    pub(in crate::web::public) monthly_text: &'static str,
    pub(in crate::web::public) monthly_now: &'static str,
    pub(in crate::web::public) monthly_set: &'static str,
    // What you get
    pub(in crate::web::public) what: &'static str,
    pub(in crate::web::public) what_note: &'static str,
    pub(in crate::web::public) topics: &'static str,
    pub(in crate::web::public) often: &'static str,
    pub(in crate::web::public) each: &'static str,
    pub(in crate::web::public) until_day: &'static str,
    pub(in crate::web::public) day_wrong: &'static str,
    // Your own data
    pub(in crate::web::public) own: &'static str,
    pub(in crate::web::public) own_note: &'static str,
    pub(in crate::web::public) own_text: &'static str,
    pub(in crate::web::public) own_button: &'static str,
    pub(in crate::web::public) sent: &'static str,
    /// `{address}`
    pub(in crate::web::public) sent_lead: &'static str,
    pub(in crate::web::public) run_out: &'static str,
    pub(in crate::web::public) run_out_lead: &'static str,
    /// `{time}`
    pub(in crate::web::public) works_until: &'static str,
    pub(in crate::web::public) you: &'static str,
    pub(in crate::web::public) language: &'static str,
    pub(in crate::web::public) language_same: &'static str,
    pub(in crate::web::public) yes: &'static str,
    pub(in crate::web::public) no: &'static str,
    pub(in crate::web::public) not_said: &'static str,
    /// `{field}`
    pub(in crate::web::public) field_wrong: &'static str,
    // Another address
    pub(in crate::web::public) address: &'static str,
    pub(in crate::web::public) address_note: &'static str,
    pub(in crate::web::public) address_new: &'static str,
    pub(in crate::web::public) address_button: &'static str,
    pub(in crate::web::public) address_sent: &'static str,
    pub(in crate::web::public) change: &'static str,
    /// `{address}`, `{name}`
    pub(in crate::web::public) change_lead: &'static str,
    pub(in crate::web::public) change_button: &'static str,
    pub(in crate::web::public) changed: &'static str,
    pub(in crate::web::public) changed_lead: &'static str,
    pub(in crate::web::public) change_over: &'static str,
    pub(in crate::web::public) change_over_lead: &'static str,
    pub(in crate::web::public) change_taken: &'static str,
    // What we hold
    pub(in crate::web::public) hold: &'static str,
    pub(in crate::web::public) hold_note: &'static str,
    pub(in crate::web::public) hold_page: &'static str,
    pub(in crate::web::public) hold_file: &'static str,
    pub(in crate::web::public) erase: &'static str,
    pub(in crate::web::public) erase_note: &'static str,
    pub(in crate::web::public) erase_sure: &'static str,
    pub(in crate::web::public) erase_button: &'static str,
    pub(in crate::web::public) erase_not: &'static str,
    pub(in crate::web::public) erased: &'static str,
    pub(in crate::web::public) erased_lead: &'static str,
    // Rating
    pub(in crate::web::public) more: &'static str,
    pub(in crate::web::public) less: &'static str,
    /// `{issue}`
    pub(in crate::web::public) rate_lead: &'static str,
    pub(in crate::web::public) rated: &'static str,
    pub(in crate::web::public) rated_lead: &'static str,
    // Friends
    pub(in crate::web::public) friends: &'static str,
    pub(in crate::web::public) friends_note: &'static str,
    pub(in crate::web::public) friends_link: &'static str,
    /// `{count}`
    pub(in crate::web::public) friends_count: &'static str,
    pub(in crate::web::public) friends_none: &'static str,
    pub(in crate::web::public) friends_reached: &'static str,
    pub(in crate::web::public) friends_friend: &'static str,
}

/// The words for a BCP 47 language; English for those that are not here.
pub(in crate::web::public) fn staying(language: &str) -> &'static Staying {
    match language.split(['-', '_']).next().unwrap_or_default().to_ascii_lowercase().as_str() {
        "ar" => &ar::WORDS,
        "de" => &de::WORDS,
        "fr" => &fr::WORDS,
        _ => &en::WORDS,
    }
}

#[cfg(test)]
mod tests {
    use super::staying;

    #[test]
    fn places_are_the_same_in_every_language() {
        for language in ["en", "de", "fr", "ar"] {
            let s = staying(language);
            for (text, place) in [
                (s.sent_lead, "{address}"),
                (s.change_lead, "{address}"),
                (s.change_lead, "{name}"),
                (s.works_until, "{time}"),
                (s.rate_lead, "{issue}"),
                (s.friends_count, "{count}"),
                (s.field_wrong, "{field}"),
            ] {
                assert_eq!(text.matches(place).count(), 1, "{language}: {text}");
            }
        }
    }
}

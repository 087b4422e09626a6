//! The words of leaving everything at once.

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

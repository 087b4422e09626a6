//! English.

use super::Staying;

pub(super) const WORDS: Staying = Staying {
    leave_all: "Leave everything",
    leave_all_text: "No more mails from any of our newsletters.",
    leave_all_now: "Leave all of them",
    left_all: "You have left all our newsletters.",
    back_all: "As if nothing had happened: everything you had comes to you again.",
};

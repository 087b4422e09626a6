//! German.

use super::Staying;

pub(super) const WORDS: Staying = Staying {
    leave_all: "Alles abbestellen",
    leave_all_text: "Keine E-Mails mehr von irgendeinem unserer Newsletter.",
    leave_all_now: "Alle abbestellen",
    left_all: "Sie haben alle unsere Newsletter abbestellt.",
    back_all: "Als wäre nichts gewesen: Alles, was Sie hatten, kommt wieder zu Ihnen.",
};

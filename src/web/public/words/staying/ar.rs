//! Arabic.

use super::Staying;

pub(super) const WORDS: Staying = Staying {
    leave_all: "ترك كل شيء",
    leave_all_text: "لا رسائل بعد اليوم من أي من نشراتنا.",
    leave_all_now: "ترك جميع النشرات",
    left_all: "لقد تركت جميع نشراتنا.",
    back_all: "كأن شيئًا لم يكن: يعود إليك كل ما كان يصلك.",
};

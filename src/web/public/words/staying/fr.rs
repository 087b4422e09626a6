//! French.

use super::Staying;

pub(super) const WORDS: Staying = Staying {
    leave_all: "Tout quitter",
    leave_all_text: "Plus aucun message d’aucune de nos lettres.",
    leave_all_now: "Quitter toutes les lettres",
    left_all: "Vous avez quitté toutes nos lettres.",
    back_all: "Comme si de rien n’était\u{a0}: tout ce que vous receviez vous parvient de nouveau.",
};

//! The fixed words of a mail, by language: what the mail, its text twin and the web page say of themselves. Whatever
//! an editor writes is the editor's; this is the rest. Languages that are not here get the English words, in their own
//! direction of writing.

mod letters;

use jiff::civil::{Date, Weekday};

pub use letters::{LetterWords, letter_words};

/// The words around an issue.
#[derive(Debug, PartialEq, Eq)]
pub struct Words {
    /// Before an issue's number: "No. 31". With its no-break space, where the language has one.
    pub number: &'static str,
    /// After the number, for languages that close what they opened ("第31期").
    pub number_end: &'static str,
    pub in_this_issue: &'static str,
    pub picture: &'static str,
    pub credit: &'static str,
    pub footnotes: &'static str,
    /// What is read out for a task list's ticked box, and for an empty one.
    pub done: &'static str,
    pub not_done: &'static str,
    pub read_on_web: &'static str,
    pub preferences: &'static str,
    pub pause: &'static str,
    pub leave: &'static str,
    /// Why the reader gets this, with `{name}` and `{host}`.
    pub why: &'static str,
    pub no_tracking: &'static str,
    /// The name of the `#` beside a headline.
    pub link_to_story: &'static str,
    pub back_to_text: &'static str,
    /// From Sunday, as in "Tuesday 24 November 2026".
    weekdays: [&'static str; 7],
    months: [&'static str; 12],
}

/// A date in pieces: on narrow screens only the middle is shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Day {
    /// Weekday with its separator, where it goes first.
    pub before: String,
    pub date: String,
    pub after: String,
}

impl Day {
    /// The whole date in one line.
    #[must_use]
    pub fn whole(&self) -> String {
        format!("{}{}{}", self.before, self.date, self.after)
    }
}

/// The words for a BCP 47 language; English for those that are not here.
#[must_use]
pub fn words(language: &str) -> &'static Words {
    match table(language) {
        "de" => &GERMAN,
        "fr" => &FRENCH,
        "es" => &SPANISH,
        "pt" => &PORTUGUESE,
        "it" => &ITALIAN,
        "nl" => &DUTCH,
        "zh" => &CHINESE,
        "zh-hant" => &CHINESE_TRADITIONAL,
        "ja" => &JAPANESE,
        "ar" => &ARABIC,
        _ => &ENGLISH,
    }
}

/// Which of our tables a language is served from; "" is English, asked for or not.
fn table(language: &str) -> &'static str {
    let tag = language.to_ascii_lowercase().replace('_', "-");
    let mut parts = tag.split('-');
    let first = parts.next().unwrap_or_default();
    if first == "zh" {
        let traditional = parts.any(|part| matches!(part, "hant" | "tw" | "hk" | "mo"));
        return if traditional { "zh-hant" } else { "zh" };
    }
    ["de", "fr", "es", "pt", "it", "nl", "ja", "ar"].into_iter().find(|known| *known == first).unwrap_or_default()
}

/// "rtl" or "ltr", by the language's script or, without one, by the language.
#[must_use]
pub fn direction(language: &str) -> &'static str {
    let tag = language.to_ascii_lowercase().replace('_', "-");
    let mut parts = tag.split('-');
    let first = parts.next().unwrap_or_default();
    let right_to_left = match parts.find(|part| part.len() == 4 && part.bytes().all(|b| b.is_ascii_alphabetic())) {
        Some(script) => matches!(script, "arab" | "hebr" | "thaa" | "syrc" | "nkoo" | "adlm" | "rohg"),
        None => matches!(first, "ar" | "he" | "iw" | "fa" | "ur" | "ps" | "sd" | "ug" | "yi" | "dv" | "ckb" | "syr"),
    };
    if right_to_left { "rtl" } else { "ltr" }
}

/// Whether the letters of this language are joined or square: such are never tracked or slanted.
#[must_use]
pub fn upright(language: &str) -> bool {
    let tag = language.to_ascii_lowercase();
    direction(&tag) == "rtl" || matches!(tag.split('-').next(), Some("zh" | "ja" | "ko"))
}

/// An issue's number as the folio line shows it: "No. 31".
#[must_use]
pub fn number(language: &str, number: i64) -> String {
    let words = words(language);
    format!("{}{number}{}", words.number, words.number_end)
}

/// A date as the folio line shows it.
#[must_use]
pub fn day(language: &str, date: Date) -> Day {
    let words = words(language);
    let weekday = words.weekdays[weekday_index(date.weekday())];
    let month = words.months[usize::try_from(date.month() - 1).unwrap_or(0).min(11)];
    let (year, number) = (date.year(), date.day());
    match table(language) {
        "de" => lead(format!("{weekday}, "), format!("{number}. {month} {year}")),
        "fr" if number == 1 => lead(format!("{weekday} "), format!("1er {month} {year}")),
        "es" | "pt" => lead(format!("{weekday}, "), format!("{number} de {month} de {year}")),
        "zh" | "zh-hant" | "ja" => {
            let date = format!("{year}年{}月{number}日", date.month());
            Day { before: String::new(), date, after: format!(" {weekday}") }
        }
        _ => lead(format!("{weekday} "), format!("{number} {month} {year}")),
    }
}

fn lead(before: String, date: String) -> Day {
    Day { before, date, after: String::new() }
}

fn weekday_index(weekday: Weekday) -> usize {
    usize::try_from(weekday.to_sunday_zero_offset()).unwrap_or(0).min(6)
}

static ENGLISH: Words = Words {
    number: "No.\u{a0}",
    number_end: "",
    in_this_issue: "In this issue",
    picture: "Picture",
    credit: "Credit:",
    footnotes: "Notes",
    done: "Done:",
    not_done: "To do:",
    read_on_web: "Read on the web",
    preferences: "Your preferences",
    pause: "Pause for a while",
    leave: "Leave with one click",
    why: "You get this because you subscribed to {name} at {host}.",
    no_tracking: "We do not track who opens this mail or what you read in it.",
    link_to_story: "Link to this story",
    back_to_text: "Back to the text",
    weekdays: ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"],
    months: [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ],
};

static GERMAN: Words = Words {
    number: "Nr.\u{a0}",
    number_end: "",
    in_this_issue: "In dieser Ausgabe",
    picture: "Bild",
    credit: "Bild:",
    footnotes: "Anmerkungen",
    done: "Erledigt:",
    not_done: "Offen:",
    read_on_web: "Im Web lesen",
    preferences: "Ihre Einstellungen",
    pause: "Eine Weile pausieren",
    leave: "Mit einem Klick abbestellen",
    why: "Sie erhalten diese E-Mail, weil Sie {name} auf {host} abonniert haben.",
    no_tracking: "Wir verfolgen nicht, wer diese E-Mail öffnet oder was darin gelesen wird.",
    link_to_story: "Link zu diesem Beitrag",
    back_to_text: "Zurück zum Text",
    weekdays: ["Sonntag", "Montag", "Dienstag", "Mittwoch", "Donnerstag", "Freitag", "Samstag"],
    months: [
        "Januar",
        "Februar",
        "März",
        "April",
        "Mai",
        "Juni",
        "Juli",
        "August",
        "September",
        "Oktober",
        "November",
        "Dezember",
    ],
};

static FRENCH: Words = Words {
    number: "Nº\u{a0}",
    number_end: "",
    in_this_issue: "Dans ce numéro",
    picture: "Image",
    credit: "Crédit\u{a0}:",
    footnotes: "Notes",
    done: "Fait\u{a0}:",
    not_done: "À faire\u{a0}:",
    read_on_web: "Lire sur le web",
    preferences: "Vos préférences",
    pause: "Faire une pause",
    leave: "Se désabonner en un clic",
    why: "Vous recevez ce message parce que vous êtes abonné à {name} sur {host}.",
    no_tracking: "Nous ne suivons ni qui ouvre ce message ni ce que vous y lisez.",
    link_to_story: "Lien vers cet article",
    back_to_text: "Retour au texte",
    weekdays: ["dimanche", "lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi"],
    months: [
        "janvier",
        "février",
        "mars",
        "avril",
        "mai",
        "juin",
        "juillet",
        "août",
        "septembre",
        "octobre",
        "novembre",
        "décembre",
    ],
};

static SPANISH: Words = Words {
    number: "N.º\u{a0}",
    number_end: "",
    in_this_issue: "En este número",
    picture: "Imagen",
    credit: "Crédito:",
    footnotes: "Notas",
    done: "Hecho:",
    not_done: "Pendiente:",
    read_on_web: "Leer en la web",
    preferences: "Sus preferencias",
    pause: "Hacer una pausa",
    leave: "Darse de baja con un clic",
    why: "Recibe este correo porque se suscribió a {name} en {host}.",
    no_tracking: "No registramos quién abre este correo ni qué lee en él.",
    link_to_story: "Enlace a este artículo",
    back_to_text: "Volver al texto",
    weekdays: ["domingo", "lunes", "martes", "miércoles", "jueves", "viernes", "sábado"],
    months: [
        "enero",
        "febrero",
        "marzo",
        "abril",
        "mayo",
        "junio",
        "julio",
        "agosto",
        "septiembre",
        "octubre",
        "noviembre",
        "diciembre",
    ],
};

static PORTUGUESE: Words = Words {
    number: "N.º\u{a0}",
    number_end: "",
    in_this_issue: "Nesta edição",
    picture: "Imagem",
    credit: "Crédito:",
    footnotes: "Notas",
    done: "Feito:",
    not_done: "Por fazer:",
    read_on_web: "Ler na web",
    preferences: "As suas preferências",
    pause: "Fazer uma pausa",
    leave: "Cancelar com um clique",
    why: "Recebe esta mensagem porque subscreveu {name} em {host}.",
    no_tracking: "Não registamos quem abre esta mensagem nem o que lê nela.",
    link_to_story: "Ligação para este artigo",
    back_to_text: "Voltar ao texto",
    weekdays: ["domingo", "segunda-feira", "terça-feira", "quarta-feira", "quinta-feira", "sexta-feira", "sábado"],
    months: [
        "janeiro",
        "fevereiro",
        "março",
        "abril",
        "maio",
        "junho",
        "julho",
        "agosto",
        "setembro",
        "outubro",
        "novembro",
        "dezembro",
    ],
};

static ITALIAN: Words = Words {
    number: "N.\u{a0}",
    number_end: "",
    in_this_issue: "In questo numero",
    picture: "Immagine",
    credit: "Foto:",
    footnotes: "Note",
    done: "Fatto:",
    not_done: "Da fare:",
    read_on_web: "Leggi sul web",
    preferences: "Le tue preferenze",
    pause: "Fai una pausa",
    leave: "Disiscriviti con un clic",
    why: "Ricevi questo messaggio perché ti sei iscritto a {name} su {host}.",
    no_tracking: "Non registriamo chi apre questo messaggio né che cosa vi legge.",
    link_to_story: "Collegamento a questo articolo",
    back_to_text: "Torna al testo",
    weekdays: ["domenica", "lunedì", "martedì", "mercoledì", "giovedì", "venerdì", "sabato"],
    months: [
        "gennaio",
        "febbraio",
        "marzo",
        "aprile",
        "maggio",
        "giugno",
        "luglio",
        "agosto",
        "settembre",
        "ottobre",
        "novembre",
        "dicembre",
    ],
};

static DUTCH: Words = Words {
    number: "Nr.\u{a0}",
    number_end: "",
    in_this_issue: "In dit nummer",
    picture: "Beeld",
    credit: "Beeld:",
    footnotes: "Noten",
    done: "Klaar:",
    not_done: "Te doen:",
    read_on_web: "Lees op het web",
    preferences: "Uw voorkeuren",
    pause: "Even pauzeren",
    leave: "Afmelden met één klik",
    why: "U ontvangt dit omdat u zich op {host} op {name} hebt geabonneerd.",
    no_tracking: "Wij houden niet bij wie deze mail opent of wat u erin leest.",
    link_to_story: "Link naar dit artikel",
    back_to_text: "Terug naar de tekst",
    weekdays: ["zondag", "maandag", "dinsdag", "woensdag", "donderdag", "vrijdag", "zaterdag"],
    months: [
        "januari",
        "februari",
        "maart",
        "april",
        "mei",
        "juni",
        "juli",
        "augustus",
        "september",
        "oktober",
        "november",
        "december",
    ],
};

static CHINESE: Words = Words {
    number: "第",
    number_end: "期",
    in_this_issue: "本期内容",
    picture: "图片",
    credit: "图片来源：",
    footnotes: "注释",
    done: "已完成：",
    not_done: "待办：",
    read_on_web: "在网页上阅读",
    preferences: "您的偏好设置",
    pause: "暂停一段时间",
    leave: "一键退订",
    why: "您收到此邮件，是因为您在 {host} 订阅了《{name}》。",
    no_tracking: "我们不会追踪谁打开了此邮件，也不会追踪您阅读了哪些内容。",
    link_to_story: "本文链接",
    back_to_text: "返回正文",
    weekdays: ["星期日", "星期一", "星期二", "星期三", "星期四", "星期五", "星期六"],
    months: ["1月", "2月", "3月", "4月", "5月", "6月", "7月", "8月", "9月", "10月", "11月", "12月"],
};

static CHINESE_TRADITIONAL: Words = Words {
    number: "第",
    number_end: "期",
    in_this_issue: "本期內容",
    picture: "圖片",
    credit: "圖片來源：",
    footnotes: "註釋",
    done: "已完成：",
    not_done: "待辦：",
    read_on_web: "在網頁上閱讀",
    preferences: "您的偏好設定",
    pause: "暫停一段時間",
    leave: "一鍵退訂",
    why: "您收到此郵件，是因為您在 {host} 訂閱了《{name}》。",
    no_tracking: "我們不會追蹤誰開啟了此郵件，也不會追蹤您閱讀了哪些內容。",
    link_to_story: "本文連結",
    back_to_text: "返回正文",
    weekdays: ["星期日", "星期一", "星期二", "星期三", "星期四", "星期五", "星期六"],
    months: ["1月", "2月", "3月", "4月", "5月", "6月", "7月", "8月", "9月", "10月", "11月", "12月"],
};

static JAPANESE: Words = Words {
    number: "第",
    number_end: "号",
    in_this_issue: "今号の内容",
    picture: "画像",
    credit: "画像提供：",
    footnotes: "注",
    done: "済：",
    not_done: "未：",
    read_on_web: "ウェブで読む",
    preferences: "配信設定",
    pause: "しばらく休止する",
    leave: "ワンクリックで配信停止",
    why: "このメールは、{host} で {name} を購読された方にお送りしています。",
    no_tracking: "このメールの開封や閲覧内容は記録していません。",
    link_to_story: "この記事へのリンク",
    back_to_text: "本文に戻る",
    weekdays: ["日曜日", "月曜日", "火曜日", "水曜日", "木曜日", "金曜日", "土曜日"],
    months: ["1月", "2月", "3月", "4月", "5月", "6月", "7月", "8月", "9月", "10月", "11月", "12月"],
};

static ARABIC: Words = Words {
    number: "العدد\u{a0}",
    number_end: "",
    in_this_issue: "في هذا العدد",
    picture: "صورة",
    credit: "تصوير:",
    footnotes: "الحواشي",
    done: "تم:",
    not_done: "لم يتم:",
    read_on_web: "اقرأ على الويب",
    preferences: "تفضيلاتك",
    pause: "توقّف مؤقتًا",
    leave: "ألغِ الاشتراك بنقرة واحدة",
    why: "تصلك هذه الرسالة لأنك اشتركت في {name} على {host}.",
    no_tracking: "لا نتتبّع من يفتح هذه الرسالة ولا ما تقرؤه فيها.",
    link_to_story: "رابط هذا الخبر",
    back_to_text: "العودة إلى النص",
    weekdays: ["الأحد", "الاثنين", "الثلاثاء", "الأربعاء", "الخميس", "الجمعة", "السبت"],
    months: [
        "يناير",
        "فبراير",
        "مارس",
        "أبريل",
        "مايو",
        "يونيو",
        "يوليو",
        "أغسطس",
        "سبتمبر",
        "أكتوبر",
        "نوفمبر",
        "ديسمبر",
    ],
};

#[cfg(test)]
mod tests {
    use super::{day, direction, number, words};
    use jiff::civil::date;

    #[test]
    fn dates_and_numbers_are_written_as_the_language_writes_them() {
        let tuesday = date(2026, 11, 24);
        for (language, expected) in [
            ("en", "Tuesday 24 November 2026"),
            ("en-GB", "Tuesday 24 November 2026"),
            ("de-AT", "Dienstag, 24. November 2026"),
            ("fr", "mardi 24 novembre 2026"),
            ("es", "martes, 24 de noviembre de 2026"),
            ("pt-BR", "terça-feira, 24 de novembro de 2026"),
            ("it", "martedì 24 novembre 2026"),
            ("nl", "dinsdag 24 november 2026"),
            ("zh", "2026年11月24日 星期二"),
            ("ja", "2026年11月24日 火曜日"),
            ("ar", "الثلاثاء 24 نوفمبر 2026"),
            ("sv", "Tuesday 24 November 2026"),
        ] {
            assert_eq!(day(language, tuesday).whole(), expected, "{language}");
        }
        assert_eq!(day("fr", date(2026, 12, 1)).whole(), "mardi 1er décembre 2026");
        assert_eq!(number("zh-Hans", 31), "第31期");
    }

    #[test]
    fn direction_follows_the_script_before_the_language() {
        for (language, expected) in
            [("ar", "rtl"), ("he-IL", "rtl"), ("az-Arab", "rtl"), ("ur-Latn", "ltr"), ("en", "ltr"), ("", "ltr")]
        {
            assert_eq!(direction(language), expected, "{language}");
        }
        assert_eq!(words("zh-TW").leave, "一鍵退訂");
    }
}

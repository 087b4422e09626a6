//! Whose picture it is: credits at the end of captions, in the forms people write.

/// Words before a credit that are enough by themselves, wherever they stand.
const CREDIT_WORDS: [&str; 9] = [
    "photo credit",
    "photo credits",
    "image credit",
    "picture credit",
    "credit",
    "credits",
    "crédit",
    "crédito",
    "credito",
];
/// Words before a credit that also occur in sentences: at the beginning of one only.
const PICTURE_WORDS: [&str; 31] = [
    "photo",
    "photos",
    "photo by",
    "photograph",
    "photograph by",
    "photographs",
    "photographer",
    "photography",
    "picture",
    "picture by",
    "image",
    "image by",
    "images",
    "illustration",
    "illustration by",
    "graphic",
    "drawing",
    "map",
    "foto",
    "fotos",
    "fotografie",
    "fotografía",
    "bild",
    "imagen",
    "imagem",
    "immagine",
    "фото",
    "图片",
    "图源",
    "写真",
    "صورة",
];

/// A credit as it is shown: with `word` ("Credit:") before it, unless it says itself what it is ("Photo: Ann").
#[must_use]
pub fn line(credit: &str, word: &str) -> String {
    let has_label = find(credit).is_some_and(|found| found.begins == 0 && found.credit == credit.trim());
    if has_label { credit.to_owned() } else { format!("{word} {credit}") }
}

/// A credit at the end of a caption.
#[derive(Debug, PartialEq, Eq)]
pub struct Credit {
    /// Letters of the caption before it.
    pub begins: usize,
    /// Whose picture it is. "Photo: Ann" stays so; "Credit: Ann" is "Ann".
    pub credit: String,
}

/// The credit that a caption ends with.
#[must_use]
pub fn find(caption: &str) -> Option<Credit> {
    let colons = caption.char_indices().filter(|(_, letter)| matches!(letter, ':' | '：')).map(|(at, _)| at);
    // The last label wins: a caption may say "Image: the harbour. Credit: Ann".
    let labelled = colons.collect::<Vec<_>>().into_iter().rev().find_map(|colon| credit_at(caption, colon));
    labelled.or_else(|| credit_by(caption))
}

/// "Photo by Ann", at the beginning of a sentence or in parentheses.
fn credit_by(caption: &str) -> Option<Credit> {
    let by = caption.rfind(" by ")?;
    let (start, _) = label_start(&caption[..by + " by".len()]).filter(|(start, _)| *start < by)?;
    let before = caption[..start].trim_end();
    let is_opened = before.ends_with(['(', '[']);
    let is_sentence = before.is_empty() || before.ends_with(['.', '!', '?', '”', '"', '|', '–', '—', '·']);
    let credit = caption[start..].trim();
    if !(is_opened || is_sentence) || credit.len() <= caption[start..by].len() + " by ".len() {
        return None;
    }
    let credit = if is_opened { credit.trim_end_matches(['.', ' ']).trim_end_matches([')', ']']) } else { credit };
    let cut = before.trim_end_matches(['(', '[']).trim_end().trim_end_matches(['|', '–', '—', '·']).trim_end();
    Some(Credit { begins: cut.chars().count(), credit: credit.to_owned() })
}

fn credit_at(caption: &str, colon: usize) -> Option<Credit> {
    let colon_width = caption[colon..].chars().next().map_or(1, char::len_utf8);
    let name = caption[colon + colon_width..].trim();
    let head = caption[..colon].trim_end();
    let (start, is_sure) = label_start(head)?;
    let before = head[..start].trim_end();
    let is_opened = before.ends_with(['(', '[', '（', '【']);
    let is_capital = head[start..].starts_with(|letter: char| letter.is_uppercase() || !letter.is_lowercase());
    let is_after_stop = before.is_empty() || !before.ends_with(char::is_alphanumeric);
    if name.is_empty() || !(is_sure || is_capital || is_after_stop) {
        return None;
    }
    let name =
        if is_opened { name.trim_end_matches(['.', ' ']).trim_end_matches([')', ']', '）', '】']) } else { name };
    let cut = if is_opened { before.trim_end_matches(['(', '[', '（', '【']) } else { before };
    let cut = cut.trim_end().trim_end_matches(['/', '|', '–', '—', '-', '·', '•', ',', ';']).trim_end();
    let label = head[start..].trim();
    let is_credit = ["credit", "credits"].contains(&label.to_lowercase().as_str());
    let colon = if caption[colon..].starts_with('：') { "：" } else { ": " };
    let credit = if is_credit { name.trim().to_owned() } else { format!("{label}{colon}{}", name.trim()) };
    Some(Credit { begins: cut.chars().count(), credit })
}

/// Where the label at the end of `head` begins, and whether it can mean nothing else.
fn label_start(head: &str) -> Option<(usize, bool)> {
    let words = CREDIT_WORDS.iter().map(|word| (*word, true)).chain(PICTURE_WORDS.iter().map(|word| (*word, false)));
    let fits = |word: &str| {
        let letters = word.chars().count();
        let start = head.char_indices().rev().nth(letters - 1)?.0;
        let is_whole = !head[..start].ends_with(char::is_alphanumeric) || !word.is_ascii();
        (head[start..].to_lowercase() == word && is_whole).then_some(start)
    };
    words
        .filter_map(|(word, is_sure)| fits(word).map(|start| (start, is_sure)))
        .min_by_key(|(start, is_sure)| (*start, !is_sure))
}

#[cfg(test)]
mod tests {
    use super::{find, line};

    #[test]
    fn credits_are_found_at_the_end_of_captions() {
        for (caption, rest, name) in [
            ("Three ships. Credit: Ines Marlow", "Three ships.", "Ines Marlow"),
            ("Three ships (Credit: Ines Marlow)", "Three ships", "Ines Marlow"),
            ("Three ships. (CREDIT: Ines Marlow).", "Three ships.", "Ines Marlow"),
            ("Three ships credit: Ines", "Three ships", "Ines"),
            ("Three ships. Photo: Ines", "Three ships.", "Photo: Ines"),
            ("Three ships | Image: Ines", "Three ships", "Image: Ines"),
            ("photo: Ines", "", "photo: Ines"),
            ("Photo credit: Ines / AP", "", "Photo credit: Ines / AP"),
            ("Drei Schiffe. Foto: Ines", "Drei Schiffe.", "Foto: Ines"),
            ("Trois navires. Crédit : Inès", "Trois navires.", "Crédit: Inès"),
            ("Three ships. Photo by Ines on Unsplash", "Three ships.", "Photo by Ines on Unsplash"),
            ("Three ships (photo by Ines)", "Three ships", "photo by Ines"),
            ("三艘船。图片：张三", "三艘船。", "图片：张三"),
            ("Image: the harbour. Credit: Ann", "Image: the harbour.", "Ann"),
        ] {
            let found = find(caption).unwrap();
            let before: String = caption.chars().take(found.begins).collect();
            assert_eq!((before.as_str(), found.credit.as_str()), (rest, name), "{caption}");
        }
        for caption in [
            "A harbour",
            "A photo by the sea",
            "Stand by me",
            "She said in the photo: never again",
            "At 12:30",
            "Credit:",
            "Two things: this, that",
        ] {
            assert_eq!(find(caption), None, "{caption}");
        }
    }

    #[test]
    fn a_credit_that_says_what_it_is_gets_no_second_word() {
        assert_eq!(line("Ines Marlow", "Credit:"), "Credit: Ines Marlow");
        assert_eq!(line("Photo: Ines Marlow", "Credit:"), "Photo: Ines Marlow");
        assert_eq!(line("photo by Ines", "Credit:"), "photo by Ines");
    }
}

//! The emoji that a headline begins with, as whole grapheme clusters: flags, skin tones, ZWJ families, keycaps.

use unicode_segmentation::UnicodeSegmentation as _;

const VARIATION_EMOJI: char = '\u{fe0f}';
const VARIATION_TEXT: char = '\u{fe0e}';
const KEYCAP: char = '\u{20e3}';

/// Whether a grapheme cluster is shown as an emoji.
pub(super) fn is_emoji(cluster: &str) -> bool {
    let Some(first) = cluster.chars().next() else { return false };
    if cluster.contains(VARIATION_TEXT) {
        return false;
    }
    let pictographic = matches!(
        u32::from(first),
        0x1F000..=0x1FAFF | 0x2600..=0x27BF | 0x231A..=0x231B | 0x23E9..=0x23FA | 0x2B05..=0x2B07 | 0x2B1B..=0x2B1C
            | 0x2B50 | 0x2B55 | 0x25FD..=0x25FE | 0x3030 | 0x303D | 0x3297 | 0x3299
    );
    pictographic || cluster.contains(VARIATION_EMOJI) || cluster.contains(KEYCAP)
}

/// The emoji at the beginning of a text, and what follows after the space. Several in a row belong together.
pub(super) fn cut(text: &str) -> Option<(&str, &str)> {
    let text = text.trim_start();
    let mut end = 0;
    for (at, cluster) in text.grapheme_indices(true) {
        if is_emoji(cluster) {
            end = at + cluster.len();
        } else if !cluster.trim().is_empty() || end == 0 {
            break;
        }
    }
    (end > 0).then(|| (&text[..end], text[end..].trim_start()))
}

#[cfg(test)]
mod tests {
    use super::cut;

    #[test]
    fn leading_emoji_are_cut_whole() {
        for (headline, emoji, rest) in [
            ("🛍️ Shops", "🛍️", "Shops"),
            ("🇬🇧 Britain", "🇬🇧", "Britain"),
            ("🇬🇧🇫🇷 Both", "🇬🇧🇫🇷", "Both"),
            ("🏴󠁧󠁢󠁳󠁣󠁴󠁿 Scotland", "🏴󠁧󠁢󠁳󠁣󠁴󠁿", "Scotland"),
            ("👩🏽‍🔬 Ear", "👩🏽‍🔬", "Ear"),
            ("1️⃣ First", "1️⃣", "First"),
            ("🏳️‍🌈 Pride", "🏳️‍🌈", "Pride"),
            ("☀ Sun", "☀", "Sun"),
            ("🚢Ships", "🚢", "Ships"),
            ("🎉 🎂 Two", "🎉 🎂", "Two"),
            ("中🚢", "", ""),
            ("42 things", "", ""),
            ("© 2026", "", ""),
        ] {
            assert_eq!(cut(headline).unwrap_or_default(), (emoji, rest), "{headline}");
        }
    }
}

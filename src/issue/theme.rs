//! The default theme in numbers: what of the look depends on newsletter, language and script. Everything else of it
//! stands in `templates/email`.

use super::colour::{ACCENT, ACCENT_DARK, Colour, PAPER, PAPER_DARK};
use super::newsletter::Masthead;
use super::words::{self, Words};

/// Captions, folio, footer: soft ink, contrast 8.0 on paper.
pub(super) const SOFT: &str = "#474C52";
pub(super) const RULE: &str = "#D8D5CA";
pub(super) const SHADE: &str = "#EEECE4";
pub(super) const INK: &str = "#15181B";
pub(super) const MONO: &str = "Menlo,Consolas,monospace";

/// A newsletter's theme in one language.
#[derive(Clone, Debug)]
pub struct Theme {
    pub accent: Colour,
    pub accent_dark: Colour,
    /// The word on a button in accent, light and dark theme.
    pub on_accent: Colour,
    pub on_accent_dark: Colour,
    pub serif: &'static str,
    pub sans: &'static str,
    pub language: String,
    /// "ltr" or "rtl".
    pub direction: &'static str,
    /// "left" or "right": where lines begin, and where they end.
    pub start: &'static str,
    pub end: &'static str,
    /// Joined and square scripts are never slanted or tracked.
    pub upright: bool,
    pub words: &'static Words,
}

impl Theme {
    /// The theme of a newsletter for a text in `language`. An accent that could not be read on paper is replaced by
    /// the nearest shade that can; one that is not a colour by the house's red.
    #[must_use]
    pub fn new(masthead: &Masthead, language: &str) -> Self {
        let accent = Colour::parse(&masthead.accent).unwrap_or(ACCENT).legible_on(PAPER);
        let accent_dark = Colour::parse(&masthead.accent_dark).unwrap_or(ACCENT_DARK).legible_on(PAPER_DARK);
        Self::in_colours(accent, accent_dark, language)
    }

    /// The theme in these colours, as they are.
    #[must_use]
    pub fn in_colours(accent: Colour, accent_dark: Colour, language: &str) -> Self {
        let direction = words::direction(language);
        let (start, end) = if direction == "rtl" { ("right", "left") } else { ("left", "right") };
        let (serif, sans) = fonts(language);
        Self {
            accent,
            accent_dark,
            on_accent: accent.words_on(),
            on_accent_dark: PAPER_DARK,
            serif,
            sans,
            language: tag(language),
            direction,
            start,
            end,
            upright: words::upright(language),
            words: words::words(language),
        }
    }

    #[must_use]
    pub fn right_to_left(&self) -> bool {
        self.direction == "rtl"
    }

    /// `;letter-spacing:…`, where letters may be moved.
    #[must_use]
    pub fn tracking(&self, px: &str) -> String {
        if self.upright { String::new() } else { format!(";letter-spacing:{px}") }
    }

    /// `;font-style:italic`, where letters may be slanted.
    #[must_use]
    pub fn italic(&self) -> &'static str {
        if self.upright { "" } else { ";font-style:italic" }
    }

    /// How alt text looks where pictures are off: a caption, not damage.
    #[must_use]
    pub fn alt_style(&self) -> String {
        let (slant, family) = if self.upright { ("normal", self.serif) } else { ("italic", "Georgia,serif") };
        format!("background-color:{SHADE};color:{SOFT};font:{slant} 16px/24px {family};text-align:center")
    }
}

/// A language tag that may stand in an attribute: letters, digits, hyphens; English where there is none.
fn tag(language: &str) -> String {
    let tag: String = language.chars().filter(|letter| letter.is_ascii_alphanumeric() || *letter == '-').collect();
    if tag.is_empty() { "en".to_owned() } else { tag }
}

/// Serif for what is read, sans for what is looked at. Georgia comes first, for the Latin words of every language.
fn fonts(language: &str) -> (&'static str, &'static str) {
    let tag = language.to_ascii_lowercase();
    match tag.split('-').next().unwrap_or_default() {
        "ar" | "fa" | "ur" | "ps" | "sd" | "ug" | "ckb" => (
            "Georgia,'Geeza Pro','Noto Naskh Arabic','Times New Roman',serif",
            "Helvetica,'Geeza Pro','Segoe UI',Tahoma,Arial,sans-serif",
        ),
        "he" | "yi" | "iw" => {
            ("Georgia,'Times New Roman','Noto Serif Hebrew',serif", "Helvetica,Arial,'Noto Sans Hebrew',sans-serif")
        }
        "zh" if tag.contains("hant") || tag.contains("tw") || tag.contains("hk") => (
            "Georgia,'Songti TC',PMingLiU,'Noto Serif CJK TC',serif",
            "Helvetica,Arial,'PingFang TC','Microsoft JhengHei',sans-serif",
        ),
        "zh" => (
            "Georgia,'Songti SC',SimSun,'Noto Serif CJK SC',serif",
            "Helvetica,Arial,'PingFang SC','Microsoft YaHei',sans-serif",
        ),
        "ja" => (
            "Georgia,'Hiragino Mincho ProN','Yu Mincho','Noto Serif CJK JP',serif",
            "Helvetica,Arial,'Hiragino Sans','Yu Gothic',Meiryo,sans-serif",
        ),
        "ko" => ("Georgia,AppleMyungjo,Batang,'Noto Serif CJK KR',serif", "Helvetica,Arial,'Malgun Gothic',sans-serif"),
        _ => ("Georgia,'Times New Roman',serif", "Helvetica,Arial,sans-serif"),
    }
}

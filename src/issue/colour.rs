//! Colours of a theme: reading, contrast (WCAG 2.2 §1.4.3), and the nearest shade that can be read.

use std::fmt;

/// The theme's neutrals. Contrast on paper in brackets.
pub const PAPER: Colour = Colour([0xF7, 0xF6, 0xF1]);
pub const PAPER_DARK: Colour = Colour([0x13, 0x15, 0x18]);
/// Ink (16.5).
pub const INK: Colour = Colour([0x15, 0x18, 0x1B]);
pub const WHITE: Colour = Colour([0xFF, 0xFF, 0xFF]);
/// The rubricator's red, which a newsletter has until it chooses its own (6.4 and 8.0).
pub const ACCENT: Colour = Colour([0xA5, 0x30, 0x1F]);
pub const ACCENT_DARK: Colour = Colour([0xF2, 0x93, 0x7C]);

/// Least contrast of text on its ground (WCAG AA).
pub const CONTRAST_MIN: f64 = 4.5;
/// Steps between a colour and black or white that are tried for a legible shade.
const SHADES: u16 = 64;

/// An opaque colour. Shows itself as `#RRGGBB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Colour(pub [u8; 3]);

impl Colour {
    /// Reads `#RRGGBB` or `#RGB`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let hex = text.trim().strip_prefix('#')?;
        let wide: String = match hex.len() {
            3 => hex.chars().flat_map(|digit| [digit, digit]).collect(),
            6 => hex.to_owned(),
            _ => return None,
        };
        let number = u32::from_str_radix(&wide, 16).ok().filter(|_| wide.bytes().all(|b| b.is_ascii_hexdigit()))?;
        let [_, red, green, blue] = number.to_be_bytes();
        Some(Self([red, green, blue]))
    }

    /// Relative luminance, 0 to 1.
    fn luminance(self) -> f64 {
        let [red, green, blue] = self.0.map(|part| {
            let part = f64::from(part) / 255.0;
            if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
        });
        0.0722f64.mul_add(blue, 0.2126f64.mul_add(red, 0.7152 * green))
    }

    /// Contrast with another colour, 1 to 21.
    #[must_use]
    pub fn contrast(self, other: Self) -> f64 {
        let (one, two) = (self.luminance(), other.luminance());
        (one.max(two) + 0.05) / (one.min(two) + 0.05)
    }

    /// This colour, or the nearest shade of it (towards black on a light ground, towards white on a dark one) that
    /// can be read on `ground`.
    #[must_use]
    pub fn legible_on(self, ground: Self) -> Self {
        let end: u8 = if ground.luminance() > 0.5 { 0 } else { 255 };
        let shade = |step: u16| {
            Self(self.0.map(|part| {
                let (from, to) = (i32::from(part), i32::from(end));
                u8::try_from(from + (to - from) * i32::from(step) / i32::from(SHADES)).unwrap_or(end)
            }))
        };
        (0..=SHADES).map(shade).find(|shade| shade.contrast(ground) >= CONTRAST_MIN).unwrap_or(Self([end; 3]))
    }

    /// The ink for words on this ground: white, or ink where white cannot be read.
    #[must_use]
    pub fn words_on(self) -> Self {
        if self.contrast(WHITE) >= CONTRAST_MIN { WHITE } else { INK }
    }
}

impl fmt::Display for Colour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [red, green, blue] = self.0;
        write!(f, "#{red:02X}{green:02X}{blue:02X}")
    }
}

#[cfg(test)]
mod tests {
    use super::{ACCENT, ACCENT_DARK, CONTRAST_MIN, Colour, INK, PAPER, PAPER_DARK};

    #[test]
    fn the_house_colours_are_as_legible_as_the_drawing_says() {
        for (colour, ground, expected) in [(INK, PAPER, 16.5), (ACCENT, PAPER, 6.4), (ACCENT_DARK, PAPER_DARK, 8.0)] {
            assert!((colour.contrast(ground) - expected).abs() < 0.1, "{colour} on {ground}");
        }
    }

    #[test]
    fn any_accent_becomes_legible_in_both_themes() {
        for text in ["#FFFF00", "#00FFFF", "#fff", "#000", "#1C45B8", "#808080"] {
            let colour = Colour::parse(text).expect("a colour");
            assert!(colour.legible_on(PAPER).contrast(PAPER) >= CONTRAST_MIN, "{text}");
            assert!(colour.legible_on(PAPER_DARK).contrast(PAPER_DARK) >= CONTRAST_MIN, "{text}");
        }
        assert_eq!(ACCENT.legible_on(PAPER), ACCENT);
    }

    #[test]
    fn what_is_not_a_colour_is_none() {
        for text in ["", "red", "#12", "#GGGGGG", "#+12345", "#12345é", "url(x)"] {
            assert_eq!(Colour::parse(text), None, "{text}");
        }
    }
}

//! Colours, as far as a newsletter's accent needs them: `#RRGGBB`, and whether words in it can be read.

use std::fmt;
use std::str::FromStr;

/// An sRGB colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Colour([u8; 3]);

/// WCAG 2.2, 1.4.3: text of normal size.
pub const CONTRAST_MIN: f64 = 4.5;

impl Colour {
    #[must_use]
    pub const fn new(rgb: [u8; 3]) -> Self {
        Self(rgb)
    }

    /// WCAG's contrast, from 1 to 21.
    #[must_use]
    pub fn contrast(self, other: Self) -> f64 {
        let (one, two) = (self.luminance(), other.luminance());
        (one.max(two) + 0.05) / (one.min(two) + 0.05)
    }

    fn luminance(self) -> f64 {
        let linear = |part: u8| {
            let part = f64::from(part) / 255.0;
            if part <= 0.040_45 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
        };
        let [red, green, blue] = self.0.map(linear);
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }

    /// The nearest shade of this colour that can be read on `paper`: itself, or mixed with white or black, whichever
    /// is farther from the paper.
    #[must_use]
    pub fn readable_on(self, paper: Self) -> Self {
        let end = if paper.luminance() > 0.5 { 0 } else { 255 };
        let mixed = |percent: u32| Self(self.0.map(|part| mix(part, end, percent)));
        (0..=100).map(mixed).find(|shade| shade.contrast(paper) >= CONTRAST_MIN).unwrap_or(Self([end; 3]))
    }
}

fn mix(part: u8, end: u8, percent: u32) -> u8 {
    let sum = u32::from(part) * (100 - percent) + u32::from(end) * percent;
    u8::try_from(sum / 100).unwrap_or(end)
}

impl FromStr for Colour {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("\"{text}\" is not a colour; write it as #A5301F");
        let digits =
            text.strip_prefix('#').filter(|digits| digits.len() == 6 && digits.is_ascii()).ok_or_else(wrong)?;
        let number = u32::from_str_radix(digits, 16).map_err(|_| wrong())?;
        let [_, red, green, blue] = number.to_be_bytes();
        Ok(Self([red, green, blue]))
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
    use super::{CONTRAST_MIN, Colour};

    #[test]
    fn contrast_is_that_of_wcag() {
        let (black, white) = (Colour::new([0; 3]), Colour::new([255; 3]));
        assert!((black.contrast(white) - 21.0).abs() < 0.001);
        let grey: Colour = "#767676".parse().expect("a colour");
        assert!((grey.contrast(white) - 4.54).abs() < 0.01);
    }

    #[test]
    fn a_pale_accent_is_answered_with_a_shade_that_can_be_read() {
        let (pale, white): (Colour, Colour) = ("#FFD0C0".parse().expect("a colour"), Colour::new([255; 3]));
        let shade = pale.readable_on(white);
        assert!(shade.contrast(white) >= CONTRAST_MIN && shade != pale);
        assert_eq!(shade.readable_on(white), shade);
        assert_eq!(shade.to_string().parse(), Ok(shade));
        for text in ["", "A5301F", "#A53", "#A5301G", "#€€", "red"] {
            assert!(text.parse::<Colour>().is_err(), "{text}");
        }
    }
}

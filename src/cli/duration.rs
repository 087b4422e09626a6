//! Durations as people type them: `0s`, `90s`, `5m`, `2h`.

use crate::values::clock::Millis;

/// Milliseconds of a duration; a bare number is seconds.
///
/// # Errors
/// What to write instead.
pub fn parse(text: &str) -> Result<i64, String> {
    let wrong = || format!("\"{text}\" is not a duration; write it as 0s, 90s, 5m or 2h");
    let digits = text.len() - text.trim_start_matches(|letter: char| letter.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let unit = match unit {
        "" | "s" => Millis::SECOND,
        "ms" => 1,
        "m" | "min" => Millis::MINUTE,
        "h" => Millis::HOUR,
        "d" => Millis::DAY,
        _ => return Err(wrong()),
    };
    number.parse::<i64>().ok().and_then(|number| number.checked_mul(unit)).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn durations_are_read_and_nonsense_is_not() {
        let read: Vec<_> = ["0s", "90", "5m", "2h", "250ms"].iter().map(|text| parse(text)).collect();
        assert_eq!(read, [Ok(0), Ok(90_000), Ok(300_000), Ok(7_200_000), Ok(250)]);
        for text in ["", "s", "-5s", "1.5h", "5 m", "soon", "99999999999999999999s", "9999999999999999d"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}

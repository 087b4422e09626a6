//! Zones by their IANA names, from the database that is built into this program: the one on the machine may be
//! years old, and an issue would go out an hour off.

use std::sync::LazyLock;

use jiff::tz::{TimeZone, TimeZoneDatabase};

/// Built once: it keeps every zone that was asked for.
static ZONES: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

/// A zone name that the database does not have, and what may have been meant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct UnknownZone {
    pub name: String,
    pub suggestions: Vec<String>,
}

impl std::fmt::Display for UnknownZone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "there is no time zone \"{}\"; ", self.name)?;
        match self.suggestions.as_slice() {
            [] => f.write_str("write its IANA name, such as Europe/Lisbon or America/Vancouver"),
            some => write!(f, "did you mean {}?", some.join(" or ")),
        }
    }
}

/// Suggestions shown for a name that is not known.
const SUGGESTIONS_MAX: usize = 3;
/// How much alike two names must be (Jaro-Winkler) to be suggested; found by trying: below, cities of other
/// continents appear.
const LIKENESS_MIN: f64 = 0.88;

/// The zone of that IANA name, in any case of letters.
///
/// # Errors
/// [`UnknownZone`] with up to three names that look like it.
pub fn find(name: &str) -> Result<TimeZone, UnknownZone> {
    let name = name.trim();
    ZONES.get(name).map_err(|_| UnknownZone { name: name.into(), suggestions: like(name) })
}

/// The name as the database writes it: "Europe/Lisbon" for "europe/lisbon".
#[must_use]
pub fn name_of(zone: &TimeZone) -> &str {
    zone.iana_name().unwrap_or("UTC")
}

/// Every zone that a person would choose, sorted: for a list on a page.
#[must_use]
pub fn names() -> Vec<String> {
    let wanted = |name: &String| name == "UTC" || (name.contains('/') && !name.starts_with("Etc/"));
    let mut names: Vec<String> = ZONES.available().map(|name| name.to_string()).filter(wanted).collect();
    names.sort();
    names
}

fn like(name: &str) -> Vec<String> {
    let asked = name.to_lowercase().replace([' ', '-'], "_");
    let likeness = |known: &String| {
        let known = known.to_lowercase();
        let city = known.rsplit('/').next().unwrap_or(&known);
        let asked_city = asked.rsplit('/').next().unwrap_or(&asked);
        strsim::jaro_winkler(&asked, &known).max(strsim::jaro_winkler(asked_city, city))
    };
    let mut scored: Vec<(f64, String)> = names().into_iter().map(|known| (likeness(&known), known)).collect();
    scored.retain(|(score, _)| *score >= LIKENESS_MIN);
    scored.sort_by(|one, other| other.0.total_cmp(&one.0).then_with(|| one.1.cmp(&other.1)));
    scored.into_iter().take(SUGGESTIONS_MAX).map(|(_, name)| name).collect()
}

#[cfg(test)]
mod tests {
    use super::{find, name_of};

    #[test]
    fn a_zone_is_found_in_any_case_and_named_as_the_database_does() {
        assert_eq!(name_of(&find("europe/lisbon").expect("known")), "Europe/Lisbon");
        assert_eq!(name_of(&find(" UTC ").expect("known")), "UTC");
    }

    #[test]
    fn a_typo_is_answered_with_what_was_meant() {
        for (typed, meant) in [
            ("Europe/Lisboa", "Europe/Lisbon"),
            ("Vancouver", "America/Vancouver"),
            ("America/Vancuver", "America/Vancouver"),
            ("america/new york", "America/New_York"),
            ("Asia/Calcuta", "Asia/Calcutta"),
        ] {
            let unknown = find(typed).expect_err(typed);
            assert!(unknown.suggestions.contains(&meant.to_owned()), "{typed}: {unknown}");
        }
        assert!(find("../etc/passwd").is_err());
        assert!(find("").is_err());
    }
}

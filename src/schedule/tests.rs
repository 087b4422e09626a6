use proptest::prelude::{prop, proptest};

use super::{Schedule, wall, zone};
use crate::values::clock::Millis;

fn at(text: &str) -> Millis {
    Millis::from(text.parse::<jiff::Timestamp>().expect("a timestamp"))
}

fn schedule(text: &str) -> Schedule {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn refusal(text: &str) -> String {
    text.parse::<Schedule>().expect_err(text).to_string()
}

/// The local times with offset of the firings in a day or so after `after`.
fn firings(text: &str, zone_name: &str, after: &str, count: usize) -> Vec<String> {
    let tz = zone::find(zone_name).expect("a zone");
    let shown = |firing: &super::Firing| {
        let at = firing.at.timestamp();
        format!("{}{}", tz.to_datetime(at).strftime("%m-%d %H:%M "), wall::offset_text(tz.to_offset(at)))
    };
    schedule(text).next(&tz, at(after), count).iter().map(shown).collect()
}

/// The table of what cron libraries get wrong, and what we do (gap: forward; overlap: the first).
#[test]
fn gaps_and_overlaps_are_resolved_once() {
    let berlin = "Europe/Berlin";
    assert_eq!(firings("30 2 * * SUN", berlin, "2027-03-22T00:00:00Z", 2), ["03-28 03:30 UTC+2", "04-04 02:30 UTC+2"]);
    assert_eq!(firings("30 2 * * SUN", berlin, "2027-10-25T00:00:00Z", 2), ["10-31 02:30 UTC+2", "11-07 02:30 UTC+1"]);
    assert_eq!(
        firings("30 1 * * *", "America/New_York", "2027-11-06T12:00:00Z", 2),
        ["11-07 01:30 UTC\u{2212}4", "11-08 01:30 UTC\u{2212}5"]
    );
    assert_eq!(
        firings("0 0 * * FRI", "Africa/Cairo", "2027-04-24T00:00:00Z", 2),
        ["04-30 01:00 UTC+3", "05-07 00:00 UTC+3"]
    );
    assert_eq!(
        firings("15 2 * * *", "Australia/Lord_Howe", "2027-10-02T00:00:00Z", 2),
        ["10-03 02:45 UTC+11", "10-04 02:15 UTC+11"]
    );
}

#[test]
fn an_hourly_schedule_has_one_firing_less_where_an_hour_is_left_out() {
    assert_eq!(
        firings("0 * * * *", "Europe/Berlin", "2027-03-28T00:00:00Z", 3),
        ["03-28 03:00 UTC+2", "03-28 04:00 UTC+2", "03-28 05:00 UTC+2"]
    );
    assert_eq!(
        firings("0 * * * *", "Europe/Berlin", "2027-10-30T23:00:00Z", 3),
        ["10-31 02:00 UTC+2", "10-31 03:00 UTC+1", "10-31 04:00 UTC+1"]
    );
}

#[test]
fn a_day_that_a_zone_left_out_is_not_sent_twice_on_the_next() {
    assert_eq!(
        firings("0 9 * * *", "Pacific/Apia", "2011-12-29T00:00:00Z", 3),
        ["12-29 09:00 UTC\u{2212}10", "12-31 09:00 UTC+14", "01-01 09:00 UTC+14"]
    );
    assert_eq!(firings("0 9 * * FRI", "Pacific/Apia", "2011-12-24T00:00:00Z", 1), ["12-31 09:00 UTC+14"]);
}

#[test]
fn weekdays_are_named_and_what_is_ambiguous_is_refused() {
    assert_eq!(schedule("30 9 * * 1").to_string(), "0 30 9 * * MON");
    assert_eq!(schedule("30 9 * * 0").to_string(), "0 30 9 * * SUN");
    assert_eq!(schedule("30 9 * * 7").to_string(), "0 30 9 * * SUN");
    assert_eq!(schedule("30 9 * * fri-mon").to_string(), "0 30 9 * * MON,FRI,SAT,SUN");
    assert_eq!(schedule("30 9 * * mon-fri/2").to_string(), "0 30 9 * * MON,WED,FRI");
    assert_eq!(schedule("0 30 9 * * wed").to_string(), "0 30 9 * * WED");
    assert_eq!(schedule("0 9 1,15 * ?").to_string(), "0 0 9 1,15 * *");
    assert!(refusal("0 30 9 * * 1").contains("write MON"));
    assert!(refusal("0 30 9 * * MON-5").contains("write FRI"));
    assert!(refusal("30 9 1 * MON").contains("both set"));
    assert!(refusal("0 30 9 1 * MON").contains("both set"));
}

#[test]
fn what_never_happens_or_happens_too_often_is_refused() {
    for text in ["0 9 31 2 *", "0 9 30 FEB *", "0 9 31 4,6,9,11 *"] {
        assert!(refusal(text).contains("never happens"), "{text}");
    }
    assert_eq!(firings("0 9 29 2 *", "UTC", "2026-11-24T00:00:00Z", 1), ["02-29 09:00 UTC"]);
    for text in ["*/30 * * * *", "0,30 9 * * *", "* 9 * * MON", "0 */30 9 * * MON", "10-20 9 * * *"] {
        assert!(refusal(text).contains("more than once an hour"), "{text}");
    }
    assert!(refusal("30 0 9 * * MON").contains("must be 0"));
}

#[test]
fn what_cron_has_no_word_for_is_offered_by_name() {
    for text in ["0 9 L * *", "0 9 * * MON#1", "0 9 * * 5L", "0 9 15W * *"] {
        assert!(refusal(text).contains("monthly first MON 09:00"), "{text}");
    }
    assert_eq!(
        firings("monthly first MON 09:00", "UTC", "2026-11-24T00:00:00Z", 3),
        ["12-07 09:00 UTC", "01-04 09:00 UTC", "02-01 09:00 UTC"]
    );
    assert_eq!(
        firings("monthly on the last fri at 18:30", "Europe/Lisbon", "2026-11-24T00:00:00Z", 2),
        ["11-27 18:30 UTC", "12-25 18:30 UTC"]
    );
    assert_eq!(schedule("every sunday at 9:00").to_string(), "weekly SUN 09:00");
    assert_eq!(schedule("weekly on thu, mon at 18:30").to_string(), "weekly MON,THU 18:30");
    assert_eq!(schedule("every day 07:15").words(), "every day at 07:15");
}

#[test]
fn a_schedule_is_said_in_words() {
    for (text, words) in [
        ("weekly SUN 09:00", "every Sunday at 09:00"),
        ("0 9 * * 1,4", "every Monday and Thursday at 09:00"),
        ("0 9 * * *", "every day at 09:00"),
        ("monthly first MON 09:00", "on the first Monday of every month at 09:00"),
        ("0 9 1 * *", "0 0 9 1 * *"),
    ] {
        assert_eq!(schedule(text).words(), words);
    }
}

#[test]
fn nonsense_is_refused_with_what_to_write() {
    for text in [
        "",
        " ",
        "weekly",
        "weekly 09:00",
        "weekly SUN",
        "weekly SUN 25:00",
        "weekly SUN 9",
        "monthly MON 09:00",
        "monthly fifth MON 09:00",
        "@weekly",
        "9:00",
        "0 9 * *",
        "0 9 * * * * *",
        "0 24 * * *",
        "61 9 * * *",
        "0 9 32 * *",
        "0 9 * 13 *",
        "0 9 * * FUN",
        "0 9 * * 8",
        "a b c d e",
        "0 9 * * MON/0",
        "0 9 * * ,",
    ] {
        let refusal = refusal(text);
        assert!(refusal.len() > 30, "{text}: {refusal}");
    }
}

const ZONES: [&str; 10] = [
    "Europe/Berlin",
    "America/New_York",
    "Africa/Cairo",
    "Australia/Lord_Howe",
    "America/Vancouver",
    "Asia/Kolkata",
    "Africa/Casablanca",
    "Pacific/Apia",
    "America/Santiago",
    "Antarctica/Troll",
];

/// Ten years, firing by firing: instants grow, every wall time of the rule is there once, and each fires within an
/// hour or two after what the clock shows.
fn ten_years(text: &str, zone_name: &str) {
    let (rule, tz) = (schedule(text), zone::find(zone_name).expect("a zone"));
    let (start, end) = (at("2026-01-01T00:00:00Z"), at("2036-01-01T00:00:00Z"));
    let fired: Vec<_> = rule.firings(&tz, start).take_while(|firing| firing.at <= end).collect();
    assert!(fired.windows(2).all(|pair| pair[0].at < pair[1].at && pair[0].wall < pair[1].wall), "{text} {zone_name}");
    let first = fired.first().expect("fires").wall;
    let last = fired.last().expect("fires").wall;
    let asked: Vec<_> = rule.walls(first).take_while(|wall| *wall <= last).collect();
    let mut walls = fired.iter().map(|firing| firing.wall).peekable();
    for wall in asked {
        if walls.next_if_eq(&wall).is_none() {
            let instant = Millis::from(tz.to_ambiguous_timestamp(wall).compatible().expect("a time"));
            assert!(fired.iter().any(|firing| firing.at == instant), "{text} {zone_name}: {wall} is lost");
        }
    }
    for firing in &fired {
        let shown = tz.to_datetime(firing.at.timestamp());
        let moved = shown.duration_since(firing.wall).as_mins();
        assert!((0..=120).contains(&moved), "{text} {zone_name}: {} shown as {shown}", firing.wall);
    }
}

#[test]
fn ten_years_in_ten_zones_show_no_double_and_no_silent_miss() {
    for zone_name in ZONES {
        for text in ["30 2 * * *", "0 0 * * FRI", "15 * * * *", "weekly SUN 02:15", "monthly last SUN 01:30"] {
            ten_years(text, zone_name);
        }
    }
}

proptest! {
    /// Wherever one begins to look, the next firing is the same: a restart changes nothing.
    #[test]
    fn the_next_firing_does_not_depend_on_where_one_begins(
        zone_index in 0..ZONES.len(), start in 1_767_225_600_i64..2_082_758_400, ahead in 0_i64..2_000_000,
        hour in 0..24, minute in 0..60, pick in prop::sample::select(vec!["*", "SUN", "MON,WED,FRI", "SAT,SUN"]),
    ) {
        let tz = zone::find(ZONES[zone_index]).expect("a zone");
        let rule = schedule(&format!("{minute} {hour} * * {pick}"));
        let later = Millis((start + ahead) * 1_000);
        let far = rule.firings(&tz, Millis(start * 1_000)).find(|firing| firing.at > later);
        assert_eq!(far, rule.firings(&tz, later).next());
    }

    #[test]
    fn whatever_is_typed_gives_an_answer_and_no_panic(text in "[-0-9*,/?LW#a-z: ]{0,30}") {
        if let Ok(rule) = text.parse::<Schedule>() {
            let again = schedule(&rule.to_string());
            assert_eq!(again.to_string(), rule.to_string());
            assert!(!rule.words().is_empty());
        }
    }
}

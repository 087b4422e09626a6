use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use proptest::prelude::{prop_assert, prop_assert_eq, proptest};

use super::forecast::forecast;
use super::plan::{PLACES, Plan, STEP, Setting, ZonePlan, earliest, first_ahead, place, plan};
use super::{Hours, Passed, Quiet, Wishes, instant};
use crate::schedule::zone;
use crate::values::clock::Millis;

fn at(text: &str) -> Millis {
    Millis::from(text.parse::<jiff::Timestamp>().expect("a timestamp"))
}

fn tz(name: &str) -> TimeZone {
    zone::find(name).expect("a zone")
}

fn wall(text: &str) -> DateTime {
    text.parse().expect("a wall time")
}

fn hours(text: &str) -> Hours {
    text.parse::<Wishes>().expect("wishes").hours()
}

fn planned(text: &str, on: &str, start: &str, house: &str, zones: &[&str]) -> Plan {
    let zones: Vec<String> = zones.iter().map(|zone| (*zone).to_owned()).collect();
    let (hours, start, house) = (hours(text), at(start), tz(house));
    plan(&Setting { hours: &hours, wall: wall(on), passed_before: start, start, house: &house }, &zones)
}

fn first(plan: &Plan, zone: &str) -> String {
    let zone = plan.zones.iter().find(|known| known.zone == zone).expect("is planned");
    zone.span().map_or_else(|| "never".to_owned(), |(first, _)| first.timestamp().to_string())
}

#[test]
fn a_wall_time_is_each_zones_own_whatever_its_clocks_do_that_morning() {
    for (zone, on, meant) in [
        ("Asia/Kathmandu", "2026-11-26T09:00", "2026-11-26T03:15:00Z"),
        ("Pacific/Apia", "2026-11-26T09:00", "2026-11-25T20:00:00Z"),
        ("Pacific/Kiritimati", "2026-11-26T09:00", "2026-11-25T19:00:00Z"),
        ("Pacific/Pago_Pago", "2026-11-26T09:00", "2026-11-26T20:00:00Z"),
        ("Pacific/Chatham", "2026-11-26T09:00", "2026-11-25T19:15:00Z"),
        // Half an hour forward at two: 02:15 does not exist, and half an hour back.
        ("Australia/Lord_Howe", "2026-10-04T02:15", "2026-10-03T15:45:00Z"),
        ("Australia/Lord_Howe", "2027-04-04T01:45", "2027-04-03T14:45:00Z"),
        // On the morning after the clocks changed, and in the hours that do not exist or come twice.
        ("Europe/Berlin", "2027-03-28T09:00", "2027-03-28T07:00:00Z"),
        ("Europe/Berlin", "2027-03-28T02:30", "2027-03-28T01:30:00Z"),
        ("Europe/Berlin", "2027-10-31T02:30", "2027-10-31T00:30:00Z"),
        ("Africa/Cairo", "2027-04-30T00:00", "2027-04-29T22:00:00Z"),
        // A day that Samoa left out: the next one, at the same hour.
        ("Pacific/Apia", "2011-12-30T09:00", "2011-12-30T19:00:00Z"),
    ] {
        let found = instant(wall(on), &tz(zone)).expect("an instant");
        assert_eq!(found.timestamp().to_string(), meant, "{on} in {zone}");
    }
}

#[test]
fn every_zone_has_its_own_hour_and_readers_without_one_the_newsletters() {
    let plan = planned(
        "local 09:00",
        "2026-11-26T09:00",
        "2026-11-25T19:00:00Z",
        "Europe/Lisbon",
        &["Pacific/Auckland", "America/New_York", "Asia/Kathmandu", "Nowhere/Land", ""],
    );
    assert_eq!(plan.zones.len(), 4, "an unknown zone goes by the newsletter's");
    assert_eq!(first(&plan, "Pacific/Auckland"), "2026-11-25T20:00:00Z");
    assert_eq!(first(&plan, "Asia/Kathmandu"), "2026-11-26T03:15:00Z");
    assert_eq!(first(&plan, "America/New_York"), "2026-11-26T14:00:00Z");
    assert_eq!(first(&plan, ""), "2026-11-26T09:00:00Z");
    assert!(plan.zones.iter().all(|zone| !zone.passed));
}

#[test]
fn whoever_hour_has_passed_gets_it_at_once_or_not_at_all() {
    let late = |passed: &str| {
        let text = format!("local 09:00, passed {passed}");
        planned(&text, "2026-11-26T09:00", "2026-11-26T08:30:00Z", "Europe/Lisbon", &["Asia/Tokyo", "America/Halifax"])
    };
    for (passed, tokyo) in [("at-once", "2026-11-26T08:30:00Z"), ("skip", "never")] {
        let plan = late(passed);
        assert_eq!(first(&plan, "Asia/Tokyo"), tokyo);
        assert_eq!(first(&plan, ""), "2026-11-26T09:00:00Z");
        assert_eq!(first(&plan, "America/Halifax"), "2026-11-26T13:00:00Z");
    }
    // A machine that wakes late has not made anybody's hour pass.
    let (hours, house) = (hours("local 09:00, passed skip"), tz("Europe/Lisbon"));
    let (given, woke) = (at("2026-11-26T00:00:00Z"), at("2026-11-26T03:00:00Z"));
    let setting =
        Setting { hours: &hours, wall: wall("2026-11-26T09:00"), passed_before: given, start: woke, house: &house };
    assert_eq!(first(&plan(&setting, &["Asia/Tokyo".to_owned()]), "Asia/Tokyo"), "2026-11-26T03:00:00Z");
}

#[test]
fn the_clock_of_a_spread_stands_still_in_quiet_hours() {
    let due = |text: &str, start: &str| {
        let plan = planned(text, "2026-11-26T09:00", start, "Europe/Lisbon", &[]);
        let stretches = &plan.zones[0].stretches;
        let text = |at: i64| Millis(at).timestamp().to_string();
        stretches.iter().map(|s| format!("{} {}", text(s.shift + s.from), text(s.shift + s.until))).collect::<Vec<_>>()
    };
    assert_eq!(due("spread 3h", "2026-11-25T12:00:00Z"), ["2026-11-25T12:00:00Z 2026-11-25T15:00:00Z"]);
    assert_eq!(
        due("spread 3h, quiet 22:00-07:00", "2026-11-25T21:00:00Z"),
        ["2026-11-25T21:00:00Z 2026-11-25T22:00:00Z", "2026-11-26T07:00:00Z 2026-11-26T09:00:00Z"]
    );
    assert_eq!(due("quiet 22:00-07:00", "2026-11-25T23:30:00Z"), ["2026-11-26T07:00:00Z 2026-11-26T07:00:00.001Z"]);
    assert_eq!(due("quiet 22:00-07:00", "2026-11-26T02:00:00Z"), ["2026-11-26T07:00:00Z 2026-11-26T07:00:00.001Z"]);
    assert_eq!(due("quiet 22:00-07:00", "2026-11-26T07:00:00Z"), ["2026-11-26T07:00:00Z 2026-11-26T07:00:00.001Z"]);
    assert_eq!(due("quiet 12:00-13:00", "2026-11-26T12:59:59Z"), ["2026-11-26T13:00:00Z 2026-11-26T13:00:00.001Z"]);
    assert_eq!(due("spread 2d, quiet 22:00-07:00", "2026-11-25T12:00:00Z").len(), 4);
}

#[test]
fn quiet_hours_are_the_readers_own_where_the_hour_is() {
    let start = "2026-11-26T10:00:00Z";
    let text = "local 09:00, quiet 22:00-07:00";
    let plan = planned(text, "2026-11-26T09:00", start, "Europe/Lisbon", &["Pacific/Auckland", "Asia/Tokyo"]);
    // Their hour has passed: at once for Tokyo, where it is seven in the evening; Auckland sleeps.
    assert_eq!(first(&plan, "Asia/Tokyo"), "2026-11-26T10:00:00Z");
    assert_eq!(first(&plan, "Pacific/Auckland"), "2026-11-26T18:00:00Z");
}

#[test]
fn quiet_hours_keep_to_the_wall_clock_when_it_changes() {
    let quiet: Quiet = "22:00-07:00".parse().expect("quiet hours");
    let berlin = tz("Europe/Berlin");
    assert_eq!(quiet.end_at(at("2027-03-27T23:00:00Z"), &berlin), Some(at("2027-03-28T05:00:00Z")));
    assert_eq!(quiet.end_at(at("2027-10-30T23:00:00Z"), &berlin), Some(at("2027-10-31T06:00:00Z")));
    assert_eq!(quiet.end_at(at("2027-10-31T06:00:00Z"), &berlin), None);
    // From 02:10 to 02:50 on the night that has no such time: nothing is quiet.
    let swallowed: Quiet = "02:10-02:50".parse().expect("quiet hours");
    assert_eq!(swallowed.end_at(at("2027-03-28T01:00:00Z"), &berlin), None);
}

#[test]
fn wishes_are_read_written_and_laid_over_each_other() {
    for text in ["", "local 09:00, passed skip, spread 3h, quiet 22:00-07:00", "local off, spread off", "spread 90m"] {
        assert_eq!(text.parse::<Wishes>().map(|wishes| wishes.to_string()), Ok(text.to_owned()));
    }
    let paper: Wishes = "local 9:00, spread 2d".parse().expect("wishes");
    let issue: Wishes = "local off, quiet 22:00-07:00".parse().expect("wishes");
    assert_eq!(issue.over(paper).to_string(), "local off, spread 48h, quiet 22:00-07:00");
    assert!(hours("local off").is_plain() && hours("passed skip").is_plain() && !hours("spread 1h").is_plain());
    assert_eq!(hours("local 09:00").passed, Passed::AtOnce);
    for wrong in ["local 25:00", "local nine", "spread 3", "spread 8d", "spread 0h", "spread -1h", "quiet 22-7"] {
        assert!(wrong.parse::<Wishes>().is_err(), "{wrong}");
    }
    for wrong in
        ["quiet 22:00-22:00", "quiet 22:00-21:00", "passed never", "hello", "local", "spread 99999999999999999h"]
    {
        assert!(wrong.parse::<Wishes>().is_err(), "{wrong}");
    }
    assert_eq!(hours("local 09:00, spread 90m, quiet 22:00-07:00").words().len(), 3);
}

#[test]
fn an_issue_is_published_for_the_zone_that_is_first() {
    let zones = ["America/New_York".to_owned(), "Asia/Tokyo".to_owned()];
    let (on, house) = (wall("2026-11-26T09:00"), tz("Europe/Lisbon"));
    let (first, zone) = earliest(on, &house, &zones).expect("a zone");
    assert_eq!((first, zone::name_of(&zone)), (at("2026-11-26T00:00:00Z"), "Asia/Tokyo"));
    assert_eq!(first_ahead(on, &house, &zones, at("2026-11-26T00:00:01Z")), Some(at("2026-11-26T09:00:00Z")));
    assert_eq!(first_ahead(on, &house, &zones, at("2026-11-26T14:00:01Z")), None);
}

#[test]
fn any_run_of_ids_falls_evenly_over_a_spread_and_not_in_its_own_order() {
    let begin = 1_795_000_000_000_i64 << 20;
    let mut places: Vec<i64> = (0..1_000).map(|id| place(begin + id, 77)).collect();
    let in_order = places.windows(2).filter(|pair| pair[0] < pair[1]).count();
    assert!((300..700).contains(&in_order), "{in_order} of 999 pairs are in the order of joining");
    places.sort_unstable();
    let widest = places.windows(2).map(|pair| pair[1] - pair[0]).max().expect("pairs");
    assert!(widest < 3 * PLACES / 1_000, "no gap is three times what it should be: {widest}");
    assert_ne!(place(begin, 1), place(begin, 2));
    // The ledger's sum stays within 64 bits on both engines.
    assert!((PLACES * STEP).checked_add(PLACES).is_some() && (7 * Millis::DAY).checked_mul(PLACES).is_some());
}

#[test]
fn a_forecast_counts_by_zone_and_adds_up() {
    let plan = planned(
        "local 09:00, spread 2h",
        "2026-11-26T09:00",
        "2026-11-26T08:30:00Z",
        "Europe/Lisbon",
        &["Asia/Tokyo", "America/Halifax"],
    );
    let readers = [("Asia/Tokyo", 312), ("America/Halifax", 1_001), ("", 500), ("Gone/Zone", 7)];
    let readers: Vec<(String, i64)> = readers.iter().map(|(zone, many)| ((*zone).to_owned(), *many)).collect();
    let seen = forecast(&plan, &readers);
    assert_eq!((seen.readers, seen.at_once, seen.skipped, seen.unknown), (1_820, 312, 0, 507));
    assert_eq!(seen.first, Some((at("2026-11-26T08:30:00Z"), "Asia/Tokyo".to_owned())));
    assert_eq!(seen.last, Some((at("2026-11-26T14:59:59.999Z"), "America/Halifax".to_owned())));
    assert_eq!(seen.bars.iter().map(|(_, many)| many).sum::<i64>(), 1_820);
    let bars: Vec<i64> = seen.bars.iter().map(|(_, many)| *many).collect();
    assert_eq!(bars, [78, 156 + 253, 78 + 254, 0, 0, 500, 501]);
}

proptest! {
    #[test]
    fn nothing_is_ever_due_in_quiet_hours_or_before_the_start(
        zone in 0_usize..400, day in 20_000_i64..25_000, minute in 0_i64..1_440, from in 0_i64..1_440,
        long in 1_i64..1_200, spread in 0_i64..2_880, places in proptest::collection::vec(0_i64..PLACES, 8),
    ) {
        let names = zone::names();
        let tz = tz(&names[zone % names.len()]);
        let time = |minute: i64| format!("{:02}:{:02}", minute / 60 % 24, minute % 60);
        let quiet: Quiet = format!("{}-{}", time(from), time(from + long)).parse().expect("quiet hours");
        let hours = Hours { local: None, passed: Passed::AtOnce, spread_ms: spread * Millis::MINUTE, quiet: Some(quiet) };
        let start = Millis(day * Millis::DAY + minute * Millis::MINUTE);
        let wall = tz.to_datetime(start.timestamp());
        let plan = plan(&Setting { hours: &hours, wall, passed_before: start, start, house: &tz }, &[]);
        let ZonePlan { stretches, .. } = &plan.zones[0];
        prop_assert_eq!(stretches.first().map(|s| s.from), Some(0));
        prop_assert_eq!(stretches.last().map(|s| s.until), Some(hours.spread_ms.max(1)));
        prop_assert!(stretches.windows(2).all(|pair| pair[0].until == pair[1].from));
        for place in places {
            let share = hours.spread_ms * place / PLACES;
            let stretch = stretches.iter().find(|s| s.from <= share && share < s.until).expect("every share has one");
            let due = Millis(stretch.shift + share);
            prop_assert!(due >= start);
            prop_assert!(quiet.end_at(due, &tz).is_none(), "{} is quiet", due.timestamp());
        }
    }
}

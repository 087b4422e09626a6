//! Files as people really have them.

use super::{BadFile, BadRow, Row, open};
use crate::values::address::BadAddress;
use proptest::prelude::{any, prop_assert, proptest};

fn rows(file: &[u8]) -> Vec<Row> {
    let mut rows = open(file).expect("the test's file is a list of readers");
    std::iter::from_fn(|| rows.next_row().expect("bytes in memory can be read")).collect()
}

/// "line address-or-reason name" of every row.
fn told(file: &[u8]) -> Vec<String> {
    let told = rows(file).into_iter().map(|row| {
        let address = row.address.map_or_else(|bad| format!("({bad})"), |address| address.as_str().to_owned());
        format!("{} {address} {}", row.line, row.name).trim_end().to_owned()
    });
    told.collect()
}

fn utf16(text: &str, big: bool, mark: bool) -> Vec<u8> {
    let units = mark.then_some(0xfeff).into_iter().chain(text.encode_utf16());
    units.flat_map(|unit: u16| if big { unit.to_be_bytes() } else { unit.to_le_bytes() }).collect()
}

#[test]
fn one_list_in_every_encoding_is_one_list() {
    let text = "email,name\nann@x.org,Ann Müller\nbo@y.org,Bo\n";
    let expected = ["2 ann@x.org Ann Müller", "3 bo@y.org Bo"];
    let latin: Vec<u8> = text.chars().map(|letter| u8::try_from(u32::from(letter)).expect("Latin-1")).collect();
    for (file, encoding) in [
        (text.as_bytes().to_vec(), "UTF-8"),
        ([b"\xef\xbb\xbf", text.as_bytes()].concat(), "UTF-8"),
        (utf16(text, false, true), "UTF-16LE"),
        (utf16(text, true, true), "UTF-16BE"),
        (utf16(text, false, false), "UTF-16LE"),
        (utf16(text, true, false), "UTF-16BE"),
        (latin, "windows-1252"),
        (text.replace('\n', "\r\n").into_bytes(), "UTF-8"),
        (text.replace('\n', "\r").into_bytes(), "UTF-8"),
        (text.replace(',', ";").into_bytes(), "UTF-8"),
        (text.replace(',', "\t").into_bytes(), "UTF-8"),
    ] {
        assert_eq!(told(&file), expected, "{encoding}");
        let mut rows = open(file.as_slice()).expect("a list of readers");
        while rows.next_row().expect("readable").is_some() {}
        assert_eq!(rows.encoding(), encoding);
    }
}

#[test]
fn columns_are_found_by_their_names_in_several_languages() {
    for (head, line, expected) in [
        ("Vorname;Nachname;E-Mail-Adresse", "Ann;Lee;a@x.org", "2 a@x.org Ann Lee"),
        ("Prénom,Nom,Courriel", "Ann,Lee,a@x.org", "2 a@x.org Ann Lee"),
        ("Adresse,Name,E-Mail", "Hafenweg 4,Ann,a@x.org", "2 a@x.org Ann"),
        ("adresse", "a@x.org", "2 a@x.org"),
        ("名前,メールアドレス", "安,a@x.org", "2 a@x.org 安"),
        ("id,First Name,Last Name,Email Address,Country", "1,Ann,Lee,a@x.org,NO", "2 a@x.org Ann Lee"),
        ("\"email\" , \"name\"", "\"a@x.org\" , \"Lee, Ann \"\"A\"\"\"", "2 a@x.org Lee, Ann \"A\""),
    ] {
        assert_eq!(told(format!("{head}\n{line}\n").as_bytes()), [expected], "{head}");
    }
    assert_eq!(told(b"a@x.org\nb@x.org\n"), ["1 a@x.org", "2 b@x.org"]);
    assert_eq!(told(b"Ann,a@x.org\nBo,b@x.org"), ["1 a@x.org Ann", "2 b@x.org Bo"]);
}

#[test]
fn a_bad_line_costs_itself_only() {
    let long = "x".repeat(70_000);
    let wide = ",".repeat(300);
    let file = format!(
        "email,name\na@x.org,A\n\"b@x.org,never closed\nc@x.org,C\n\nno address\nd@x.org,\"two\nlines\"\n\
                        {long}\nnul\0@x.org\ne@x.org{wide}\nN <f@x.org>,F\ng@x.org,'=1+1\n"
    );
    let expected = [
        "2 a@x.org A",
        "3 (a quotation mark is opened here and never closed)",
        "4 c@x.org C",
        &format!("6 ({})", BadAddress::Shape),
        "7 d@x.org two lines",
        "9 (this line is longer than 64 kB)",
        "10 (this line has a NUL byte in it)",
        "11 (this line has more than 200 columns)",
        &format!("12 ({}) F", BadAddress::Named),
        "13 g@x.org =1+1",
    ];
    assert_eq!(told(file.as_bytes()), expected);
}

#[test]
fn a_quote_closed_far_away_is_not_one() {
    let mut file = "email\n\"a@x.org\n".to_owned();
    file.extend((0..1_000).map(|n| format!("r{n}@x.org\n")));
    file.push_str("\"\n");
    let rows = rows(file.as_bytes());
    assert_eq!(rows[0].address, Err(BadRow::UnclosedQuote));
    assert_eq!(rows.iter().filter(|row| row.address.is_ok()).count(), 1_000);
}

#[test]
fn what_is_no_list_of_readers_is_refused_whole() {
    let wide = vec!["email"; 10_000].join(",");
    assert!(matches!(open(&b""[..]), Err(BadFile::Empty)));
    assert!(matches!(open(&b"\n \n"[..]), Err(BadFile::Empty)));
    assert!(matches!(open(wide.as_bytes()), Err(BadFile::TooWide(10_000))));
    assert!(matches!(open(&b"PK\x03\x04 sheet"[..]), Err(BadFile::Packed)));
    assert!(matches!(open(&b"\x1f\x8b gz"[..]), Err(BadFile::Packed)));
    assert!(matches!(open(&b"city,street\nOslo,Quay\n"[..]), Err(BadFile::NoAddresses)));
    assert!(rows(b"email,name\n").is_empty());
}

proptest! {
    #[test]
    fn whatever_bytes_come_are_read_to_their_end(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let file = [b"email,name\n".as_slice(), &bytes].concat();
        let breaks = file.iter().filter(|byte| **byte == b'\n').count() + 1;
        prop_assert!(rows(&file).len() <= breaks);
    }
}

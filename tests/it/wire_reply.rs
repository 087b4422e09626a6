//! The parser of replies against servers that are wrong: whatever comes, and however it is cut.

use broadsheet::smtp::client::{Parsed, parse};
use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop, prop_assert, prop_assert_eq, prop_oneof, proptest};

/// Lines of a reply that is long and still one.
const MANY: usize = 10_000;

/// One reply: its bytes, its code, how many lines.
fn reply() -> impl Strategy<Value = (Vec<u8>, u16, usize)> {
    let end = prop_oneof![4 => Just(&b"\r\n"[..]), 1 => Just(&b"\n"[..])];
    let text = prop::collection::vec(any::<u8>().prop_filter("is no line end", |byte| *byte != b'\n'), 0..30);
    // The codes of all lines may differ; the last one counts.
    let line = (200_u16..600, text, end).prop_map(|(code, text, end)| (code, text, end));
    prop::collection::vec(line, 1..6).prop_map(|lines| {
        let (count, mut bytes) = (lines.len(), Vec::new());
        let code = lines[count - 1].0;
        for (n, (code, text, end)) in lines.into_iter().enumerate() {
            bytes.extend(code.to_string().bytes());
            bytes.push(if n + 1 == count { b' ' } else { b'-' });
            bytes.extend(text);
            bytes.extend(end);
        }
        (bytes, code, count)
    })
}

/// Reads replies off a buffer that fills piece by piece, as the connection does.
fn read(pieces: &[&[u8]]) -> Vec<(u16, usize)> {
    let (mut buffer, mut found) = (Vec::new(), Vec::new());
    for piece in pieces {
        buffer.extend_from_slice(piece);
        while let Parsed::Whole { code, lines, used } = parse(&buffer) {
            found.push((code, lines.len()));
            buffer.drain(..used);
        }
    }
    assert!(buffer.is_empty(), "{:?} is left", String::from_utf8_lossy(&buffer));
    found
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn several_replies_in_one_packet_are_told_apart_however_the_packet_is_cut(
        replies in prop::collection::vec(reply(), 1..5)
    ) {
        let expected: Vec<(u16, usize)> = replies.iter().map(|(_, code, lines)| (*code, *lines)).collect();
        let all: Vec<u8> = replies.iter().flat_map(|(bytes, ..)| bytes.iter().copied()).collect();
        for cut in 0..=all.len() {
            let (one, two) = all.split_at(cut);
            prop_assert_eq!(read(&[one, two]), expected.clone());
        }
        let bytes: Vec<&[u8]> = all.chunks(1).collect();
        prop_assert_eq!(read(&bytes), expected);
    }

    #[test]
    fn a_wrong_line_anywhere_spoils_its_reply_and_no_other(
        good in reply(), spoilt in reply(), wrong in prop::sample::select(vec![
            &b"\r\n"[..], b"25\r\n", b"199 Too low\r\n", b"600 Too high\r\n", b"999 I94\r\n", b"25x Ok\r\n", b"250_Ok\r\n",
            b"2500 Ok\r\n", b" 250 Ok\r\n", b"\xff\xfe\xfd Ok\r\n", b"+OK POP3 ready\r\n", b"-250 Ok\r\n",
        ])
    ) {
        let (bytes, code, _) = good;
        let (mut spoilt, _, lines) = spoilt;
        // In front of a reply, and between its lines.
        spoilt.splice(..0, wrong.iter().copied());
        let all = [bytes.as_slice(), &spoilt].concat();
        let Parsed::Whole { code: got, used, .. } = parse(&all) else { panic!("the first is good") };
        prop_assert_eq!((got, used), (code, bytes.len()));
        prop_assert!(matches!(parse(&all[used..]), Parsed::Garbage(_)));
        let between = [b"250-first of more\r\n", wrong, &b"250 last\r\n"[..]].concat();
        prop_assert!(matches!(parse(&between), Parsed::Garbage(_)), "{lines}");
    }

    #[test]
    fn without_a_line_end_nothing_is_a_reply(text in prop::collection::vec(1_u8..10, 0..200), code in 200_u16..600) {
        let open = [format!("{code} ").as_bytes(), &text].concat();
        prop_assert_eq!(parse(&open), Parsed::More);
    }
}

#[test]
fn ten_thousand_lines_are_one_reply_or_too_many_bytes() {
    let short = [b"250-\n".repeat(MANY), b"550 5.1.1 No\r\n".to_vec()].concat();
    match parse(&short) {
        Parsed::Whole { code, lines, used } => {
            assert_eq!((code, lines.len(), used), (550, MANY + 1, short.len()));
        }
        other => panic!("{other:?}"),
    }
    let long = b"250-and again and again\r\n".repeat(MANY);
    assert!(matches!(parse(&long), Parsed::Garbage(why) if why.contains("longer than")));
}

#[test]
fn a_long_reply_that_dribbles_in_is_read_without_end_to_end_copies() {
    // As many looks as lines: each costs the lines so far and no copy of them.
    let mut buffer = Vec::new();
    for _ in 0..MANY / 5 {
        buffer.extend_from_slice(b"250-\r\n");
        assert_eq!(parse(&buffer), Parsed::More);
    }
    buffer.extend_from_slice(b"250 Ok\r\n");
    assert!(matches!(parse(&buffer), Parsed::Whole { code: 250, .. }));
}

//! Nothing written vanishes, and no text brings the parser down.

use std::time::Instant;

use broadsheet::issue::check::{About, check};
use broadsheet::issue::finding::{Finding, Severity};
use broadsheet::issue::newsletter::Masthead;
use broadsheet::issue::parse::{Parsed, SOURCE_BYTES_MAX, parse};
use broadsheet::issue::rendered::Piece;
use broadsheet::issue::text::text;
use broadsheet::issue::tree::Issue;
use proptest::prelude::{any, proptest};
use proptest::prop_assert;

const HEAD: &str = "---\nsubject: A subject\npreheader: A line\n---\n\n";

fn twin(issue: &Issue) -> String {
    let empty = String::new;
    let masthead = Masthead {
        name: "N".into(),
        slug: "n".into(),
        tagline: empty(),
        language: "en".into(),
        zone: "UTC".into(),
        from_name: "N".into(),
        from_address: "n@n.example".into(),
        reply_to: None,
        postal_address: "P".into(),
        accent: "#A5301F".into(),
        accent_dark: "#F2937C".into(),
        logo: None,
        list_id: "n.n.example".into(),
        public_url: "https://n.example".into(),
    };
    let template = text(issue, &masthead, jiff::civil::date(2026, 11, 24));
    let pieces = template.pieces.iter().map(|piece| match piece {
        Piece::Fixed(text) => text.clone(),
        Piece::Slot(field) => format!("{field:?}"),
    });
    pieces.collect()
}

fn body(markdown: &str) -> Parsed {
    parse(&format!("{HEAD}{markdown}"))
}

fn found<'a>(findings: &'a [Finding], code: &str) -> Option<&'a Finding> {
    findings.iter().find(|finding| finding.code == code)
}

/// Writes random Markdown of everything people use, and remembers every word and every address in it.
struct Writer<'a> {
    dice: &'a [u8],
    at: usize,
    words: Vec<String>,
}

impl Writer<'_> {
    fn roll(&mut self, sides: u8) -> u8 {
        let die = self.dice[self.at % self.dice.len()].wrapping_add((self.at / self.dice.len()) as u8 * 31);
        self.at += 1;
        die % sides
    }

    fn word(&mut self) -> String {
        let word = format!("w{}q", self.words.len());
        self.words.push(word.clone());
        word
    }

    fn url(&mut self) -> String {
        let url = format!("https://u{}.test/p_(x)?a=b", self.words.len());
        self.words.push(url.clone());
        url
    }

    fn inline(&mut self, depth: u8) -> String {
        let inner = |writer: &mut Self| {
            if depth == 0 { writer.word() } else { writer.inline(depth - 1) }
        };
        match self.roll(17) {
            0 => format!("**{}**", inner(self)),
            1 => format!("*{}*", inner(self)),
            2 => format!("~~{}~~", inner(self)),
            3 => format!("`{}`", self.word()),
            4 => format!("[{}]({})", self.word(), self.url()),
            5 => format!("<{}>", self.url()),
            6 => format!("<b>{}</b>", inner(self)),
            7 => format!("<a href=\"{}\">{}</a>", self.url(), self.word()),
            8 => format!("<span class=x>{}</span><br>", inner(self)),
            9 => format!("![{}](p.png \"{}\")", self.word(), self.word()),
            10 => format!("{}  \n{}", self.word(), self.word()),
            11 => format!("{}\n{}", self.word(), self.word()),
            12 => format!("<u>{}", inner(self)),
            13 => format!("[{}][r{}]", self.word(), self.roll(3)),
            14 => format!("Source: {}", self.word()),
            _ => format!("{} {}", self.word(), self.word()),
        }
    }

    fn line(&mut self) -> String {
        let parts: Vec<String> = (0..=self.roll(3)).map(|_| self.inline(2)).collect();
        parts.join(" ")
    }

    fn flat(&mut self) -> String {
        self.line().replace('\n', " ").replace("  ", " ")
    }

    fn block(&mut self, depth: u8) -> String {
        let nested = |writer: &mut Self| {
            let block = if depth == 0 { writer.line() } else { writer.block(depth - 1) };
            block.trim_end().to_owned()
        };
        let prefixed = |text: String, first: &str, rest: &str| {
            let lines: Vec<String> = text
                .lines()
                .enumerate()
                .map(|(index, line)| format!("{}{line}", if index == 0 { first } else { rest }))
                .collect();
            lines.join("\n")
        };
        let block = match self.roll(17) {
            0 => format!("## {}", self.flat()),
            1 => format!("### {}", self.flat()),
            2 => prefixed(nested(self), "> ", "> "),
            3 => prefixed(nested(self), "- ", "  "),
            4 => prefixed(nested(self), "1. ", "   "),
            5 => format!("- [x] {}\n- [ ] {}", self.flat(), self.flat()),
            6 => format!("| {} | {} |\n|---|--:|\n| {} | {} |", self.word(), self.word(), self.word(), self.word()),
            7 => format!("```\n{} {}\n```", self.word(), self.word()),
            8 => format!("<div>\n\n{}\n\n</div>", nested(self)),
            9 => format!("<p>{} <i>{}</i></p>", self.word(), self.word()),
            10 => format!("<ul><li>{}<li>{}</ul>", self.word(), self.word()),
            11 => "---".to_owned(),
            12 => format!("{}\n===", self.word()),
            13 => format!("![{}](a.png)\n*{}*", self.word(), self.word()),
            14 => format!("<iframe src=\"{}\"></iframe>", self.url()),
            _ => self.line(),
        };
        format!("{block}\n\n")
    }
}

proptest! {
    #[test]
    fn every_word_and_every_address_is_in_the_text_or_named_in_a_finding(
        dice in proptest::collection::vec(any::<u8>(), 8..200)
    ) {
        let mut writer = Writer { dice: &dice, at: 0, words: Vec::new() };
        let mut markdown: String = (0..12).map(|_| writer.block(2)).collect();
        for label in 0..3 {
            let url = writer.url();
            markdown.push_str(&format!("[r{label}]: {url}\n"));
        }
        let parsed = body(&markdown);
        let twin = twin(&parsed.issue);
        let said: String = parsed.findings.iter().map(|finding| format!("{} ", finding.what)).collect();
        for word in &writer.words {
            prop_assert!(twin.contains(word) || said.contains(word), "{word} is gone from\n{markdown}\n---\n{twin}");
        }
    }

    #[test]
    fn no_text_brings_the_parser_down(source in "(---\n)?(subject: [a\"{\\[]{0,4}\n)?(---\n)?(\\PC|[\n<>*_`#|{}\\[\\]()!&-]){0,200}") {
        let parsed = parse(&source);
        let about = About { source: &source, ..About::default() };
        let _ = check(&parsed.issue, &about);
        let _ = twin(&parsed.issue);
    }
}

#[test]
fn text_that_attacks_the_parser_is_read_in_good_time() {
    let attacks = [
        ("quotes in quotes", "> ".repeat(50_000) + "word"),
        ("lists in lists", (0..400).map(|depth| " ".repeat(depth * 2) + "- word\n").collect()),
        ("brackets", "[".repeat(100_000) + "word"),
        ("images", "![".repeat(50_000) + "word"),
        ("stars", "*a ".repeat(60_000) + "word"),
        ("strong in strong", "**a".repeat(20_000) + " word " + &"**".repeat(20_000)),
        ("boxes", "<div>".repeat(50_000) + "word"),
        ("bold tags", format!("x {} word", "<b>".repeat(20_000))),
        ("unknown tags", format!("x {} word", "<abc>".repeat(20_000))),
        ("fields", "{{ name }} ".repeat(80_000) + "word"),
        ("unclosed fields", "{{ ".repeat(80_000) + "\n\nword"),
        ("entities", "&amp;".repeat(100_000) + "word"),
        ("backticks", (1..800).map(|n| "`".repeat(n) + " ").collect::<String>() + "word"),
        ("footnotes", (0..3_000).map(|n| format!("[^{n}] ")).collect::<String>() + "word\n\n[^1]: x\n"),
        ("tables", format!("|{}\n|{}\n|word", "a|".repeat(20_000), "-|".repeat(20_000))),
        ("comments", "<!-- ".repeat(50_000) + "\n\nword"),
    ];
    for (name, attack) in attacks {
        let began = Instant::now();
        let parsed = body(&attack);
        let twin = twin(&parsed.issue);
        let said: String = parsed.findings.iter().map(|finding| finding.code).collect();
        assert!(twin.contains("word") || said.contains("unclosed-comment"), "{name}: {said}");
        // Far above what it takes, even on a busy machine without optimisation: this is about squares, not seconds.
        assert!(began.elapsed().as_secs() < 30, "{name} took {:?}", began.elapsed());
    }
}

#[test]
fn a_source_of_five_megabytes_is_refused_and_one_of_five_hundred_stories_is_kept_whole() {
    let long = body(&"word ".repeat(1 << 20));
    assert!(found(&long.findings, "too-long").is_some_and(|finding| finding.severity == Severity::Blocks));
    assert_eq!(long.findings.len(), 1);
    let fits = body(&"word ".repeat((SOURCE_BYTES_MAX - HEAD.len()) / 5));
    assert!(found(&fits.findings, "too-long").is_none());

    let many: String = (0..500).map(|n| format!("## Story {n}\n\nText {n}.\n\n")).collect();
    let many = body(&many);
    assert_eq!(many.issue.stories.len(), 500);
    assert!(found(&many.findings, "too-many-stories").is_some_and(|finding| finding.severity == Severity::Blocks));
}

#[test]
fn front_matter_that_is_wrong_is_said_at_its_place() {
    let cases = [
        ("", "no-subject", (1, 1)),
        ("text only", "no-front-matter", (1, 1)),
        ("---\nsubject: x\n", "unclosed-front-matter", (1, 1)),
        ("---\npreheader: x\n---\n", "no-subject", (1, 1)),
        ("---\nsubject: a: b\n---\n", "front-matter", (2, 11)),
        ("---\nsubject: {{ name }}, hello\n---\n", "front-matter", (2, 11)),
        ("---\nsubject: [a, b]\n---\n", "wrong-type", (2, 10)),
        ("---\nsubject: x\nnumber: soon\n---\n", "wrong-type", (3, 9)),
        ("---\nsubject: x\nnumber: 0\n---\n", "wrong-type", (3, 9)),
        ("---\nsubject: x\nsubjet: y\n---\n", "unknown-key", (3, 1)),
        ("---\nsubject: x\ncover:\n  image: a.png\n  atl: y\n---\n", "unknown-key", (5, 3)),
        ("---\nsubject: x\nlanguage: English\n---\n", "language", (3, 11)),
        ("---\nsubject: x\nslug: Not So\n---\n", "slug", (3, 7)),
        ("---\nsubject: \"a\\0b\"\n---\n", "nul-character", (2, 10)),
        ("---\nsubject: \"a\\rb\"\n---\n", "carriage-return", (2, 10)),
        ("---\nsubject: a\0b\n---\n", "nul-character", (2, 11)),
        ("---\nsubject: a\rb\n---\n", "carriage-return", (2, 11)),
        ("---\nsubject: {{ nme }}\n---\n", "front-matter", (2, 11)),
        ("---\nsubject: \"{{ nme }}\"\n---\n", "unknown-field", (2, 11)),
        ("---\nsubject: x\n---\n\n{{ 7*7 }}\n", "unknown-field", (5, 1)),
        ("---\nsubject: x\n---\n\nab {{ name\n", "unclosed-field", (5, 4)),
        ("---\nsubject: x\n---\n\n<!-- never ends\n", "unclosed-comment", (5, 1)),
        ("---\nsubject: x\n---\n\nä [x](javascript:alert(1))\n", "unsafe-link", (5, 3)),
        ("---\nsubject: x\n---\n\nä [x]()\n", "link-without-target", (5, 3)),
        ("---\nsubject: x\n---\n\n![x](data:image/png;base64,AA)\n", "data-picture", (5, 1)),
    ];
    for (source, code, place) in cases {
        let parsed = parse(source);
        let finding = found(&parsed.findings, code);
        let places = finding.map(|finding| (finding.at.line, finding.at.column));
        assert_eq!(
            places,
            (code != "no-subject" || source.starts_with("---")).then_some(place).or(places),
            "{source:?}: {:#?}",
            parsed.findings
        );
        if !(source.is_empty()) {
            assert!(
                finding.is_some_and(|finding| finding.severity == Severity::Blocks),
                "{source:?}: {:#?}",
                parsed.findings
            );
        }
    }
}

#[test]
fn an_unknown_key_is_answered_with_the_one_that_was_meant() {
    for (key, meant) in [("subjet", "subject"), ("title", "subject"), ("preview", "preheader"), ("lang", "language")] {
        let parsed = parse(&format!("---\nsubject: x\n{key}: y\n---\n"));
        let finding = found(&parsed.findings, "unknown-key").unwrap();
        assert!(finding.instead.contains(meant), "{key}: {}", finding.instead);
    }
}

#[test]
fn what_must_not_go_out_blocks_and_lookalikes_do_not() {
    let blocks = |markdown: &str| {
        let source = format!("{HEAD}{markdown}");
        let parsed = parse(&source);
        let about = About { source: &source, postal_address: "P", language: "en", ..About::default() };
        check(&parsed.issue, &about).iter().any(|finding| finding.severity == Severity::Blocks)
    };
    for wrong in [
        "A number: TK.",
        "TKTK",
        "XXX is the figure",
        "TODO: write",
        "FIXME",
        "Lorem ipsum dolor",
        "[insert quote here]",
        "[x](https://example.com/page)",
        "Hi *|FNAME|*",
        "Hi {% if name %}",
        "![](x.png)",
        "[x](#nowhere)",
        "[x](#)",
    ] {
        assert!(blocks(wrong), "{wrong}");
    }
    for right in [
        "TK Maxx opens",
        "`TODO` is a word",
        "```\nTODO\n```",
        "STK and TKO",
        "todo el mundo",
        "XXL",
        "Super <!-- TODO -->",
        "[x](https://tidewater.example/TODO/TK)",
        "100 %% of 5 %%",
        "an example.com of its kind",
        "[link](https://a.test)",
        "![](x.png)".replace("![]", "![x]").as_str(),
    ] {
        assert!(!blocks(right), "{right}");
    }
}

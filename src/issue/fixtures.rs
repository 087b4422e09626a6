//! Issues for the tests of this band, made by hand.

use super::newsletter::Masthead;
use super::pictures::{Picture, Pictures};
use super::rendered::Reader;
use super::tree::{Align, Block, Field, Figure, Href, Inline, Issue, Item, Link, List, Source, Story, Table};

pub(super) fn masthead() -> Masthead {
    Masthead {
        name: "The Tidewater Brief".to_owned(),
        slug: "tidewater".to_owned(),
        tagline: "Harbours, ships and coasts, every Tuesday".to_owned(),
        language: "en".to_owned(),
        zone: "Europe/Oslo".to_owned(),
        from_name: "The Tidewater Brief".to_owned(),
        from_address: "brief@tidewater.example".to_owned(),
        reply_to: Some("maren@tidewater.example".to_owned()),
        postal_address: "Quay House, 4 Customs Lane, Port Ellery PE1 2TW".to_owned(),
        accent: "#A5301F".to_owned(),
        accent_dark: "#F2937C".to_owned(),
        logo: None,
        list_id: "tidewater.list.tidewater.example".to_owned(),
        public_url: "https://tidewater.example".to_owned(),
    }
}

pub(super) fn reader() -> Reader {
    Reader {
        name: "Ann O’Neil".to_owned(),
        email: "ann@example.com".to_owned(),
        web_copy: "https://tidewater.example/r/k1.TOKEN/web".to_owned(),
        unsubscribe: "https://tidewater.example/r/k1.TOKEN/leave".to_owned(),
        preferences: "https://tidewater.example/r/k1.TOKEN/preferences".to_owned(),
        pause: "https://tidewater.example/r/k1.TOKEN/pause".to_owned(),
    }
}

pub(super) fn pictures() -> Pictures {
    let mut pictures = Pictures::default();
    for (name, width, height) in [("cover.jpg", 1200, 750), ("shop.png", 1200, 675), ("small.png", 240, 120)] {
        let url = format!("https://tidewater.example/m/{name}");
        pictures.insert(name, Picture { url, width, height, bytes: 90_000 });
    }
    pictures
}

pub(super) fn text(words: &str) -> Inline {
    Inline::Text(words.to_owned())
}

pub(super) fn paragraph(words: &str) -> Block {
    Block::Paragraph(vec![text(words)])
}

pub(super) fn link(words: &str, url: &str) -> Inline {
    Inline::Link(Link { href: Href::Url(url.to_owned()), text: vec![text(words)], ..Link::default() })
}

pub(super) fn figure(image: &str, caption: &str) -> Figure {
    Figure {
        image: image.to_owned(),
        alt: Some(format!("What {image} shows, \"quoted\" & <odd>")),
        caption: vec![text(caption)],
        credit: Some("Ines Marlow".to_owned()),
        ..Figure::default()
    }
}

pub(super) fn source(words: &str, note: &str) -> Block {
    let text = vec![link(words, "https://abc.example/a?b=1&c=2"), text(note)];
    Block::Source(Source { label: "Source:".to_owned(), text, ..Source::default() })
}

pub(super) fn story(anchor: &str, emoji: Option<&str>, headline: &str, blocks: Vec<Block>) -> Story {
    Story {
        anchor: anchor.to_owned(),
        emoji: emoji.map(str::to_owned),
        headline: vec![text(headline)],
        blocks,
        ..Story::default()
    }
}

pub(super) fn name_field() -> Inline {
    Inline::Field(Field::Name { default: "reader".to_owned() })
}

/// A real brief: cover, greeting, five stories, closing.
pub(super) fn brief() -> Issue {
    let body = "At 6.40 on Monday the ferry left her slip without a sound, and the people of Hareide, who have set \
        their kettles by her engine since 1974, were late for work. She is the last of the county’s ferries to change.";
    let stories = [("ferry", "🇳🇴"), ("seagrass", "👩🏽‍🔬"), ("knots", "🚢"), ("chart", "🗺️"), ("light", "💡")];
    let stories = stories.map(|(anchor, emoji)| {
        let blocks = vec![
            Block::Figure(figure("shop.png", "The Lysvik on her first run.")),
            paragraph(body),
            Block::Paragraph(vec![
                text("Between them the two leave "),
                link("a margin", "https://a.example/m"),
                text("."),
            ]),
            source("Fjord County Ferries", " (in Norwegian)"),
        ];
        story(anchor, Some(emoji), &format!("The last {anchor} goes quiet"), blocks)
    });
    Issue {
        subject: vec![text("The harbour that learned to wait")],
        preheader: vec![text("Ships that slow down on purpose, "), name_field(), text(", and a meadow mapped by ear.")],
        number: Some(31),
        cover: Some(figure("cover.jpg", "Three ships, no hurry.")),
        intro: vec![
            Block::Paragraph(vec![text("Good morning, "), name_field(), text(",")]),
            paragraph("For as long as there have been ports, ships have raced to them and then sat outside."),
        ],
        stories: stories.to_vec(),
        closing: vec![
            Block::Heading { level: 3, text: vec![text("Until next Tuesday")] },
            paragraph("That is the tide for this week."),
        ],
        ..Issue::default()
    }
}

/// Everything that Markdown can hold, in one story and without a cover.
pub(super) fn everything() -> Issue {
    let item = |task: Option<bool>, blocks: Vec<Block>| Item { task, blocks };
    let nested = Block::List(List { start: Some(3), items: vec![item(None, vec![paragraph("three")])] });
    let cells = |row: [&str; 4]| row.map(|cell| vec![text(cell)]).to_vec();
    let quote = vec![
        paragraph("“A healthy meadow at midday sounds like rain.”"),
        Block::Paragraph(vec![text("— Dr Osei, "), link("Saltmarsh", "https://salt.example/")]),
    ];
    let blocks = vec![
        Block::Paragraph(vec![
            Inline::Strong(vec![text("Bold")]),
            Inline::Emphasis(vec![text("slanted")]),
            Inline::Strike(vec![text("gone")]),
            Inline::Superscript(vec![text("2")]),
            Inline::Code("a < b && c".to_owned()),
            Inline::Footnote(1),
            Inline::Break,
            Inline::Image(figure("small.png", "")),
        ]),
        Block::Heading { level: 5, text: vec![text("A sub-heading & more")] },
        Block::List(List { start: None, items: vec![item(None, vec![paragraph("one"), nested]), item(None, vec![])] }),
        Block::List(List {
            start: None,
            items: vec![item(Some(true), vec![paragraph("done")]), item(Some(false), vec![paragraph("open")])],
        }),
        Block::Quote(quote),
        Block::Code { language: "sh".to_owned(), text: "if a <  b; then\n\n  echo \"</td><td>\"\nfi\n".to_owned() },
        Block::Paragraph(vec![Inline::Strong(vec![text("One voyage, three speeds")])]),
        Block::Table(Table {
            align: vec![Align::Start; 4],
            head: cells(["Speed", "Days", "Fuel, tonnes", "Remark"]),
            rows: vec![cells(["18 knots", "5.6", "612", "fast"]), cells(["15 knots", "6.7", "441", "slow"])],
        }),
        Block::Rule,
        Block::Figure(Figure {
            link: Some("https://shop.example/?a=1&b=2".to_owned()),
            ..figure("shop.png", "Linked.")
        }),
        Block::Figure(figure("missing.png", "Not there.")),
        source("ABC News", ""),
    ];
    let own = Link { href: Href::Own(Field::Unsubscribe), text: vec![text("leave here")], ..Link::default() };
    Issue {
        subject: vec![text("<b>Odd</b> & \"quoted\" "), name_field()],
        intro: vec![Block::Paragraph(vec![text("You are "), Inline::Field(Field::Email), text(".")])],
        stories: vec![story("all", None, "Everything <at> once & more", blocks)],
        closing: vec![Block::Paragraph(vec![text("You may "), Inline::Link(own), text(".")])],
        footnotes: vec![vec![Block::Paragraph(vec![text("A note with "), link("a link", "https://n.example/")])]],
        ..Issue::default()
    }
}

/// Right to left.
pub(super) fn arabic() -> Issue {
    let blocks = vec![
        paragraph("غادرت العبّارة رصيفها في صمت، وتأخر الناس عن أعمالهم."),
        Block::List(List { start: None, items: vec![Item { task: None, blocks: vec![paragraph("بندٌ أول")] }] }),
        Block::Quote(vec![paragraph("«المرج السليم عند الظهيرة كالمطر.»"), paragraph("— أمارة أوسي")]),
    ];
    Issue {
        subject: vec![text("الميناء الذي تعلّم الانتظار")],
        preheader: vec![text("سفن تُبطئ عن قصد.")],
        number: Some(31),
        language: Some("ar".to_owned()),
        cover: Some(figure("cover.jpg", "ثلاث سفن.")),
        intro: vec![Block::Paragraph(vec![text("صباح الخير "), name_field()])],
        stories: vec![
            story("ferry", Some("🇳🇴"), "آخر عبّارة تهدأ", blocks),
            story("light", None, "من يحرس منارة؟", vec![paragraph("كل سفينة تعرف مكانها.")]),
        ],
        ..Issue::default()
    }
}

/// A headline that does not end, a story without anything in it, many columns.
pub(super) fn long_headline() -> Issue {
    let cells = |word: &str| (0..7).map(|at| vec![text(&format!("{word} {at}"))]).collect::<Vec<_>>();
    let table =
        Table { align: vec![Align::Start; 7], head: cells("Column"), rows: vec![cells("cell"), cells("wordy cell")] };
    let headline = "Why the harbour that learned to wait is now teaching a whole coast, its ferries, its pilots and one \
        very old lighthouse the same thing, and what that costs";
    Issue {
        subject: vec![text(headline)],
        number: Some(1_204),
        stories: vec![
            story("one", Some("🇬🇧"), headline, vec![Block::Table(table)]),
            story("two", None, "Donaudampfschifffahrtsgesellschaftskapitänsmützenabzeichenverordnung", vec![]),
            story(
                "three",
                Some("🖥️"),
                "A link of many letters",
                vec![Block::Paragraph(vec![link(
                    "https://a.example/a-very-long-address-without-any-place-to-break-it-at-all-even-here",
                    "https://a.example/",
                )])],
            ),
        ],
        ..Issue::default()
    }
}

/// One story: no contents.
pub(super) fn german() -> Issue {
    Issue {
        subject: vec![text("Der Hafen, der warten lernte")],
        language: Some("de".to_owned()),
        cover: Some(Figure { credit: None, caption: vec![], ..figure("cover.jpg", "") }),
        intro: vec![Block::Paragraph(vec![text("Guten Morgen, "), name_field(), text(",")])],
        stories: vec![story("faehre", Some("⛴️"), "Die letzte Fähre", vec![paragraph("Sie fuhr lautlos.")])],
        ..Issue::default()
    }
}

/// Square letters, no spaces.
pub(super) fn japanese() -> Issue {
    let quote =
        Block::Quote(vec![paragraph("「昼の健やかな藻場は、雨音のように聞こえる。」"), paragraph("— 大瀬博士")]);
    let blocks = vec![
        Block::Paragraph(vec![text("月曜の朝、船は"), Inline::Emphasis(vec![text("静かに")]), text("岸を離れた。")]),
        quote,
    ];
    Issue {
        subject: vec![text("待つことを覚えた港")],
        number: Some(31),
        language: Some("ja".to_owned()),
        stories: vec![
            story("one", Some("🇯🇵"), "最後のディーゼル船", blocks),
            story("two", None, "海図の描き直し", vec![paragraph("二百年ぶりに改められた。")]),
        ],
        ..Issue::default()
    }
}

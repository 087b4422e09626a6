use super::render;
use crate::issue::fixtures;
use crate::issue::html::fill;
use crate::issue::newsletter::Masthead;
use crate::issue::parse::parse;
use crate::issue::pictures::{Picture, references};
use crate::issue::tree::Issue;

/// Gmail cuts a mail's HTML after this many bytes.
const CLIP_BYTES: usize = 102_400;

fn golden(name: &str, issue: &Issue) {
    golden_of(name, issue, &fixtures::masthead());
}

fn golden_of(name: &str, issue: &Issue, masthead: &Masthead) {
    let date = jiff::civil::date(2026, 11, 24);
    let rendered = render(issue, masthead, date, &fixtures::pictures()).expect("rendered");
    let html = fill(&rendered.html, &fixtures::reader());
    assert!(html.len() < CLIP_BYTES, "{}", html.len());
    assert_sound(&html);
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!(format!("{name}.html"), html);
        insta::assert_snapshot!(format!("{name}.web"), rendered.web);
    });
    let again = render(issue, masthead, date, &fixtures::pictures()).expect("rendered");
    assert_eq!(rendered, again);
    assert_eq!(rendered.hash.len(), 64);
}

/// H-03, H-04, H-06, and what `look` asks of every mail.
fn assert_sound(html: &str) {
    assert!(
        !html.contains('\u{FDD0}') && !html.contains("\\u{") && !html.contains("<!-- "),
        "nothing of ours is left over"
    );
    assert!(html.contains("<title>") && html.contains("<!--[if mso") && html.contains("<main>"));
    assert!(!html.contains("src=\"data:") && !html.contains("<script") && !html.contains("<form"));
    for (at, _) in html.match_indices("<img") {
        let tag = &html[at..at + html[at..].find('>').expect("an end")];
        assert!(tag.contains(" alt=\"") && tag.contains(" width=\""), "{tag}");
    }
    for (at, _) in html.match_indices("<table") {
        let tag = &html[at..at + html[at..].find('>').expect("an end")];
        assert!(tag.contains("role=\"presentation\"") || tag.contains("class=\"tab\""), "{tag}");
    }
    for block in html.split("<style").skip(1) {
        let block = block.split("</style>").next().unwrap_or_default();
        assert!(block.len() < 8_192, "Gmail drops a style block that is too large: {}", block.len());
    }
    let headings = html.match_indices("<h").filter_map(|(at, _)| html[at + 2..].chars().next()?.to_digit(10));
    let mut last = 0;
    for level in headings {
        assert!(level <= last + 1, "a heading of level {level} after one of {last}");
        last = level;
    }
}

#[test]
fn a_brief_of_five_stories_is_as_it_was() {
    golden("brief", &fixtures::brief());
}

#[test]
fn everything_markdown_can_hold_is_as_it_was() {
    golden("everything", &fixtures::everything());
}

#[test]
fn an_arabic_issue_is_as_it_was() {
    golden("arabic", &fixtures::arabic());
}

#[test]
fn a_long_headline_another_accent_and_a_logo_are_as_they_were() {
    let masthead = Masthead {
        accent: "#FFD500".to_owned(),
        accent_dark: "#102030".to_owned(),
        logo: Some("shop.png".to_owned()),
        ..fixtures::masthead()
    };
    golden_of("accent", &fixtures::long_headline(), &masthead);
}

#[test]
fn a_german_issue_of_one_story_is_as_it_was() {
    golden("german", &fixtures::german());
}

#[test]
fn a_japanese_issue_is_as_it_was() {
    golden("japanese", &fixtures::japanese());
}

/// The demo's newest issue, from its Markdown: what the drawing shows, made by the house.
#[test]
fn the_drawings_issue_stays_well_under_its_size() {
    let parsed = parse(include_str!("../../../demo/31.md"));
    let picture = |name: &str| {
        let url = format!("https://tidewater.example/m/{}", name.rsplit('/').next().unwrap_or(name));
        let (width, height) = if name.contains("cover") { (1200, 750) } else { (1200, 675) };
        (name.to_owned(), Picture { url, width, height, bytes: 90_000 })
    };
    let pictures = references(&parsed.issue).iter().map(|(name, _)| picture(name)).collect();
    let date = jiff::civil::date(2026, 11, 24);
    let rendered = render(&parsed.issue, &fixtures::masthead(), date, &pictures).expect("rendered");
    let html = fill(&rendered.html, &fixtures::reader());
    assert_sound(&html);
    assert!(html.len() < 45_000, "{}", html.len());
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!("tidewater-31.html", html);
        insta::assert_snapshot!("tidewater-31.web", rendered.web);
    });
}

#[test]
fn another_word_another_hash() {
    let date = jiff::civil::date(2026, 11, 24);
    let render =
        |issue: &Issue| render(issue, &fixtures::masthead(), date, &fixtures::pictures()).expect("rendered").hash;
    let mut other = fixtures::brief();
    other.closing.pop();
    assert_ne!(render(&fixtures::brief()), render(&other));
}

//! The archive as an Atom feed (RFC 4287): whole issues, so that nobody needs to give an address to read.

use atom_syndication::{Content, Entry, Feed, FixedDateTime, Generator, Link, Person, Text};
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse as _, Response};

use super::frame::Frame;
use super::lost_in;
use crate::store::newsletter::Newsletter;
use crate::values::clock::Millis;
use crate::verbs::app::App;
use crate::verbs::archive::{self as verb, Card};
use crate::web::error::WebError;

/// Issues in the feed: readers of feeds keep what they have seen.
const ENTRIES_MAX: i64 = 20;

pub(super) async fn show(State(app): State<App>, Path(slug): Path<String>) -> Result<Response, WebError> {
    let Some(newsletter) = verb::newsletter(&app, &slug).await? else { return lost_in(&app) };
    let f = Frame::of(&app, &newsletter);
    let mut entries = Vec::new();
    let cards = verb::cards(&app, &newsletter, ENTRIES_MAX).await?;
    let updated = cards.first().map_or(Millis(newsletter.created_at), |card| card.published);
    for card in cards {
        if let Some(page) = verb::page(&app, &newsletter, &card.slug).await? {
            entries.push(entry(&f, &newsletter, card, page.article));
        }
    }
    let feed = Feed {
        title: Text::plain(newsletter.name.clone()),
        id: format!("urn:broadsheet:newsletter:{}", newsletter.id),
        updated: at(updated),
        subtitle: (!newsletter.tagline.is_empty()).then(|| Text::plain(newsletter.tagline.clone())),
        authors: vec![author(&newsletter)],
        generator: Some(Generator { value: "Broadsheet".into(), ..Generator::default() }),
        links: vec![
            link("self", format!("{}/feed.xml", f.absolute()), "application/atom+xml"),
            link("alternate", f.absolute(), "text/html"),
        ],
        lang: Some(newsletter.language.clone()),
        entries,
        ..Feed::default()
    };
    let kind = [(header::CONTENT_TYPE, "application/atom+xml; charset=utf-8"), (header::CACHE_CONTROL, "max-age=300")];
    Ok((kind, feed.to_string()).into_response())
}

fn entry(f: &Frame, newsletter: &Newsletter, card: Card, article: String) -> Entry {
    let href = format!("{}/archive/{}", f.absolute(), card.slug);
    let content = Content {
        content_type: Some("html".into()),
        lang: Some(card.language),
        base: Some(href.clone()),
        value: Some(article),
        ..Content::default()
    };
    Entry {
        title: Text::plain(card.subject),
        // Of the issue, not of its address, which may change.
        id: format!("urn:broadsheet:issue:{}", card.id),
        published: Some(at(card.published)),
        updated: at(card.published),
        authors: vec![author(newsletter)],
        links: vec![link("alternate", href, "text/html")],
        summary: (!card.preheader.is_empty()).then(|| Text::plain(card.preheader)),
        content: Some(content),
        ..Entry::default()
    }
}

fn author(newsletter: &Newsletter) -> Person {
    Person { name: newsletter.from_name.clone(), ..Person::default() }
}

fn link(rel: &str, href: String, kind: &str) -> Link {
    Link { rel: rel.into(), href, mime_type: Some(kind.into()), ..Link::default() }
}

fn at(at: Millis) -> FixedDateTime {
    at.timestamp().to_string().parse().unwrap_or_default()
}

//! The archive: every issue sent, and each of them to read.

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse as _, Redirect, Response};

use super::card::Card;
use super::frame::Frame;
use super::signup::form_token;
use super::words::put;
use super::{lost_in, no_such_token, nothing_here};
use crate::verbs::app::App;
use crate::verbs::archive as verb;
use crate::verbs::membership::seat;
use crate::web::error::WebError;

/// Letters of a search that are looked at.
const QUERY_LETTERS_MAX: usize = 100;

#[derive(Template)]
#[template(path = "public/archive.html")]
struct List {
    f: Frame,
    query: String,
    search_label: String,
    /// Issues in the archive, whatever was searched for.
    all: usize,
    /// Newest first, by year.
    years: Vec<(i16, Vec<Card>)>,
}

#[derive(Template)]
#[template(path = "public/issue.html")]
struct Issue {
    f: Frame,
    card: Card,
    article: String,
    previous: Option<Card>,
    next: Option<Card>,
    wrong: Option<String>,
    typed: String,
    shown: String,
}

#[derive(serde::Deserialize)]
pub(super) struct Search {
    #[serde(default)]
    q: String,
}

pub(super) async fn list(
    State(app): State<App>,
    Path(slug): Path<String>,
    Query(Search { q }): Query<Search>,
) -> Result<Response, WebError> {
    let Some(newsletter) = verb::newsletter(&app, &slug).await? else { return lost_in(&app) };
    let f = Frame::load(&app, &newsletter, "archive").await?;
    let query: String = q.trim().chars().take(QUERY_LETTERS_MAX).collect();
    let (all, cards) = verb::search(&app, &newsletter, &query).await?;
    let mut years: Vec<(i16, Vec<Card>)> = Vec::new();
    for card in cards.into_iter().map(|card| Card::new(&f, card, &newsletter.zone)) {
        match years.last_mut() {
            Some((year, cards)) if *year == card.year => cards.push(card),
            _ => years.push((card.year, vec![card])),
        }
    }
    let page = List { search_label: put(f.w.search_label, "count", &all.to_string()), f, query, all, years };
    page.f.answer(&page)
}

pub(super) async fn issue(
    State(app): State<App>,
    Path((slug, issue)): Path<(String, String)>,
) -> Result<Response, WebError> {
    let Some(newsletter) = verb::newsletter(&app, &slug).await? else { return lost_in(&app) };
    let mut f = Frame::load(&app, &newsletter, "").await?;
    let Some(page) = verb::page(&app, &newsletter, &issue).await? else { return nothing_here(f) };
    let card = |card: verb::Card| Card::new(&f, card, &newsletter.zone);
    let (previous, next, card) = (page.previous.map(card), page.next.map(card), card(page.card));
    if f.latest.as_ref().is_some_and(|latest| latest.url == card.url) {
        f.here = "latest";
    }
    let shown = form_token(&app, &newsletter);
    let page = Issue { f, card, article: page.article, previous, next, wrong: None, typed: String::new(), shown };
    page.f.answer(&page)
}

/// The web copy of the mail that the link stood in. The public page: nothing in it is personal, and the token stays
/// out of what the reader copies from the address line.
pub(super) async fn web_copy(State(app): State<App>, Path(token): Path<String>) -> Result<Response, WebError> {
    let seat = match seat(&app, &token).await? {
        Ok(seat) => seat,
        Err(bad) => return no_such_token(&app, bad),
    };
    let Some(newsletter) = &seat.newsletter else { return lost_in(&app) };
    let archive = format!("{}/archive", Frame::of(&app, newsletter).home());
    let slug = match seat.issue_id {
        Some(id) => verb::slug_of(&app, newsletter, id).await?,
        None => None,
    };
    let to = slug.map_or(archive.clone(), |slug| format!("{archive}/{slug}"));
    Ok(Redirect::to(&to).into_response())
}

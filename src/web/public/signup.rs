//! Signing up: the page of each form, the form to paste, and what comes after it.

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use axum_extra::extract::Form as Pairs;

use super::asking::{Asking, Typed, guessed_language};
use super::card::Card;
use super::frame::Frame;
use super::words::put;
use super::{Said, lost_in};
use crate::audience::csv::tidy_name;
use crate::audience::form::{Answers, Questions};
use crate::issue::words::day;
use crate::store::form::{Form, MAIN};
use crate::store::newsletter::Newsletter;
use crate::store::wish::Wish;
use crate::values::address::Address;
use crate::values::token::Purpose;
use crate::verbs::app::{App, to_the_end};
use crate::verbs::archive as verb;
use crate::verbs::membership::{self, Challenge, SLOW_SECONDS, SignUp, SignedUp};
use crate::web::error::WebError;
use crate::web::visitor::Visitor;

/// Issues beside the form: the front page, and a row below it.
const ISSUES_SHOWN: i64 = 4;
/// Letters of the address of the page that a pasted form stood on, kept as proof of consent.
const PAGE_LETTERS_MAX: usize = 300;
/// Fields of one form that are looked at: all of ours, every topic, and some of somebody's own.
const PAIRS_MAX: usize = 100;

#[derive(Template)]
#[template(path = "public/signup.html")]
struct Page {
    f: Frame,
    title: String,
    lead: String,
    cadence: String,
    front: Option<Card>,
    show_headlines: bool,
    recent: Vec<Card>,
    ask: Asking,
    is_main: bool,
}

#[derive(Template)]
#[template(path = "public/embed.html")]
struct Embed {
    f: Frame,
    form: String,
    json: String,
}

#[derive(Template)]
#[template(path = "public/embed_form.html")]
struct EmbedForm<'a> {
    f: &'a Frame,
    ask: &'a Asking,
}

#[derive(Template)]
#[template(path = "public/check_your_mail.html")]
struct CheckYourMail {
    f: Frame,
    address: String,
    /// What the form held, to be sent again.
    pairs: Vec<(String, String)>,
    shown: String,
}

#[derive(Template)]
#[template(path = "public/work.html")]
struct Work {
    f: Frame,
    email: String,
    pairs: Vec<(String, String)>,
    challenge: Challenge,
    wait: String,
}

#[derive(serde::Deserialize)]
pub(super) struct Which {
    #[serde(default)]
    pub(super) form: String,
}

/// The fields of a filled-in form that are ours and no answers.
const OWN: [&str; 5] = ["form", "website", "shown", "challenge", "work"];

pub(super) fn said<'a>(pairs: &'a [(String, String)], key: &str) -> &'a str {
    pairs.iter().find(|(name, _)| name == key).map_or("", |(_, value)| value.as_str())
}

/// The newsletter and its open form of that name.
pub(super) async fn way_in(app: &App, slug: &str, form: &str) -> anyhow::Result<Option<(Newsletter, Form)>> {
    let Some(newsletter) = verb::newsletter(app, slug).await? else { return Ok(None) };
    let name = if form.is_empty() { MAIN } else { form };
    Ok(membership::find_form(app, newsletter.id, name).await?.map(|form| (newsletter, form)))
}

pub(super) async fn show(
    State(app): State<App>,
    Path(slug): Path<String>,
    headers: HeaderMap,
) -> Result<Response, WebError> {
    show_form(&app, &slug, MAIN, &headers).await
}

pub(super) async fn show_other(
    State(app): State<App>,
    Path((slug, form)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, WebError> {
    show_form(&app, &slug, &form, &headers).await
}

async fn show_form(app: &App, slug: &str, form: &str, headers: &HeaderMap) -> Result<Response, WebError> {
    let Some((newsletter, form)) = way_in(app, slug, form).await? else { return lost_in(app) };
    if !form.is_open {
        return closed(app, &newsletter).await;
    }
    let page = signup_page(app, &newsletter, &form, Typed::default(), headers).await?;
    page.f.answer(&page)
}

async fn closed(app: &App, newsletter: &Newsletter) -> Result<Response, WebError> {
    let f = Frame::load(app, newsletter, "signup").await?;
    let (title, lead) = (f.j().closed_title, f.j().closed_lead);
    Said::new(f, title, lead).answer_with(StatusCode::NOT_FOUND)
}

pub(super) async fn submit(
    State(app): State<App>,
    Path(slug): Path<String>,
    Visitor(ip): Visitor,
    headers: HeaderMap,
    Pairs(mut pairs): Pairs<Vec<(String, String)>>,
) -> Result<Response, WebError> {
    pairs.truncate(PAIRS_MAX);
    let Some((newsletter, form)) = way_in(&app, &slug, said(&pairs, "form")).await? else { return lost_in(&app) };
    if !form.is_open {
        return closed(&app, &newsletter).await;
    }
    let asked = membership::questions(&app, &form).await?;
    let (address, answers) = (Address::parse(said(&pairs, "email")), asked.read(&pairs));
    let (Ok(address), Ok(answers)) = (&address, &answers) else {
        let words = super::words::words(&newsletter.language);
        let wrong = address.err().map(|bad| words.wrong(bad, said(&pairs, "email")));
        let answers = answers.err().unwrap_or_default();
        let typed = Typed { pairs: &pairs, address: wrong.as_deref(), answers: &answers };
        let page = signup_page(&app, &newsletter, &form, typed, &headers).await?;
        return page.f.answer_with(StatusCode::UNPROCESSABLE_ENTITY, &page);
    };
    let page = page_of(&app, &headers, &newsletter, &form);
    let filled = filled(&newsletter, &form, address, answers, &pairs);
    let (app2, form) = (app.clone(), SignUp { ip, page, ..filled });
    let signed_up = to_the_end(async move { membership::sign_up(&app2, form).await }).await?;
    after(&app, &newsletter, signed_up, &address.shown(), pairs).await
}

/// The sign-up that a form's fields are; where it came from is still to be said.
pub(super) fn filled(
    newsletter: &Newsletter,
    form: &Form,
    address: &Address,
    answers: &Answers,
    pairs: &[(String, String)],
) -> SignUp {
    let own = |key: &str| Some(said(pairs, key).to_owned()).filter(|value| !value.is_empty());
    let wish = Wish {
        answers: answers.fields.iter().cloned().collect(),
        topics: answers.topics.clone(),
        frequency: answers.frequency.clone(),
        language: answers.language.clone(),
    };
    SignUp {
        newsletter: newsletter.clone(),
        form: form.clone(),
        address: address.clone(),
        typed: said(pairs, "email").to_owned(),
        name: tidy_name(&answers.name),
        wish,
        ip: std::net::Ipv4Addr::UNSPECIFIED.into(),
        page: String::new(),
        trap: said(pairs, "website").to_owned(),
        zone: answers.zone.clone(),
        shown: own("shown"),
        challenge: own("challenge"),
        work: said(pairs, "work").to_owned(),
    }
}

async fn after(
    app: &App,
    newsletter: &Newsletter,
    signed_up: SignedUp,
    address: &str,
    mut pairs: Vec<(String, String)>,
) -> Result<Response, WebError> {
    let mut f = Frame::load(app, newsletter, "").await?;
    match signed_up {
        SignedUp::LookInYourMail => {
            pairs.retain(|(key, _)| !OWN.contains(&key.as_str()) || key == "form");
            let page = CheckYourMail { f, address: address.to_owned(), pairs, shown: form_token(app, newsletter) };
            page.f.answer(&page)
        }
        SignedUp::In => {
            let (title, lead) = (f.j().in_title, put(f.j().in_lead, "address", address));
            Said::new(f, title, &lead).answer()
        }
        SignedUp::Work(challenge) => {
            pairs.retain(|(key, _)| key != "challenge" && key != "work" && key != "email");
            f.scripts = true;
            let wait = put(f.j().work_wait, "seconds", &SLOW_SECONDS.to_string());
            let page = Work { f, email: address.to_owned(), pairs, challenge, wait };
            page.f.answer(&page)
        }
        SignedUp::TooMany => {
            let (title, text) = (f.w.too_many_title, f.w.too_many);
            Said::new(f, title, text).answer_with(StatusCode::TOO_MANY_REQUESTS)
        }
    }
}

async fn signup_page(
    app: &App,
    newsletter: &Newsletter,
    form: &Form,
    typed: Typed<'_>,
    headers: &HeaderMap,
) -> anyhow::Result<Page> {
    let mut f = Frame::of(app, newsletter);
    f.take_consent(form);
    let cards = verb::cards(app, newsletter, ISSUES_SHOWN).await?;
    let mut cards: Vec<Card> = cards.into_iter().map(|card| Card::new(&f, card, &newsletter.zone)).collect();
    let front = (!cards.is_empty()).then(|| cards.remove(0));
    f.latest.clone_from(&front);
    f.here = "signup";
    let asked = membership::questions(app, form).await?;
    let mut ask = Asking::new(&f, form, &asked, typed, &guessed_language(headers, &newsletter.language));
    ask.shown = form_token(app, newsletter);
    ask.challenge = membership::challenge_now(app, newsletter, form).await?;
    f.scripts = ask.scripts();
    Ok(Page {
        title: if form.title.is_empty() { f.put(f.w.signup_title) } else { form.title.clone() },
        lead: if form.lead.is_empty() { f.put(f.w.signup_lead) } else { form.lead.clone() },
        cadence: cadence(app, &f, newsletter, form),
        f,
        front,
        show_headlines: true,
        recent: cards,
        ask,
        is_main: form.is_main(),
    })
}

/// How often it comes, as the editor says it, and the day of the next issue.
fn cadence(app: &App, f: &Frame, newsletter: &Newsletter, form: &Form) -> String {
    let zone = crate::values::zone::find(&newsletter.zone).unwrap_or(jiff::tz::TimeZone::UTC);
    let next = membership::next_issue(newsletter, app.clock.now()).map(|at| {
        let date = zone.to_datetime(at.timestamp()).date();
        put(f.j().next_issue, "date", &day(f.w.language, date).whole())
    });
    let said = Some(form.cadence.trim_end_matches('.')).filter(|said| !said.is_empty()).map(|said| format!("{said}."));
    said.into_iter().chain(next).collect::<Vec<_>>().join(" ")
}

pub(super) async fn embed(
    State(app): State<App>,
    Path(slug): Path<String>,
    Query(which): Query<Which>,
    headers: HeaderMap,
) -> Result<Response, WebError> {
    let Some((newsletter, form)) = way_in(&app, &slug, &which.form).await? else { return lost_in(&app) };
    let mut f = Frame::load(&app, &newsletter, "").await?;
    f.take_consent(&form);
    let asked = membership::questions(&app, &form).await?;
    // A pasted page is the same for all its visitors, and a list of every zone is longer than the page it is pasted into.
    let asked = Questions { zone: false, ..asked };
    let ask = Asking::new(&f, &form, &asked, Typed::default(), &guessed_language(&headers, &newsletter.language));
    let html = EmbedForm { f: &f, ask: &ask }.render()?;
    let query = if form.is_main() { String::new() } else { format!("?form={}", form.slug) };
    let json = format!("{}/subscribe.json{query}", f.absolute());
    let page = Embed { f, form: html, json };
    page.f.answer(&page)
}

/// When this form was shown, sealed, so that robots can be told from people by their haste.
pub(super) fn form_token(app: &App, newsletter: &Newsletter) -> String {
    app.keys.seal(Purpose::Form, [newsletter.id.0, app.clock.now().0, 0])
}

/// The page that the form stood on: what the browser says of itself, else our own page.
pub(super) fn page_of(app: &App, headers: &HeaderMap, newsletter: &Newsletter, form: &Form) -> String {
    let said = |name| headers.get(name).and_then(|value: &header::HeaderValue| value.to_str().ok());
    let theirs = said(header::REFERER).or_else(|| said(header::ORIGIN)).filter(|url| url.starts_with("http"));
    let ours = Frame::of(app, newsletter).absolute();
    let ours = if form.is_main() { ours } else { format!("{ours}/form/{}", form.slug) };
    theirs.map_or(ours, |url| url.chars().take(PAGE_LETTERS_MAX).collect())
}

#[cfg(test)]
mod tests {
    use crate::web::public::words::words;

    #[test]
    fn a_wrong_address_is_answered_with_what_is_missing() {
        let said = words("en").wrong(crate::values::address::BadAddress::Dotless, "maren@post");
        assert_eq!(said, "Something is missing after “post”, perhaps .org or .com.");
    }
}

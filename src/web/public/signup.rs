//! Signing up: the page, the form, the form to paste, and what comes after it.

use askama::Template;
use axum::extract::{Form, Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;

use super::card::Card;
use super::frame::Frame;
use super::{Said, lost_in};
use crate::audience::csv::tidy_name;
use crate::store::newsletter::Newsletter;
use crate::values::address::{Address, BadAddress};
use crate::values::token::Purpose;
use crate::verbs::app::{App, to_the_end};
use crate::verbs::archive as verb;
use crate::verbs::membership::{SignUp, SignedUp, sign_up};
use crate::web::error::WebError;
use crate::web::visitor::Visitor;

/// Issues beside the form: the front page, and a row below it.
const ISSUES_SHOWN: i64 = 4;
/// Letters of the address of the page that a pasted form stood on, kept as proof of consent.
const FORM_URL_LETTERS_MAX: usize = 300;

#[derive(Template)]
#[template(path = "public/signup.html")]
struct Page {
    f: Frame,
    front: Option<Card>,
    show_headlines: bool,
    recent: Vec<Card>,
    wrong: Option<String>,
    typed: String,
    shown: String,
}

#[derive(Template)]
#[template(path = "public/embed.html")]
struct Embed {
    f: Frame,
    form: String,
}

#[derive(Template)]
#[template(path = "public/embed_form.html")]
struct EmbedForm<'a> {
    f: &'a Frame,
}

#[derive(Template)]
#[template(path = "public/check_your_mail.html")]
struct CheckYourMail {
    f: Frame,
    address: String,
    shown: String,
}

/// What the form holds. Fields that we don't know are somebody's own and are ignored.
#[derive(serde::Deserialize)]
#[serde(default)]
#[derive(Default)]
pub(super) struct Filled {
    email: String,
    name: String,
    /// The field that people don't see.
    website: String,
    /// What the browser says; empty without a script.
    zone: String,
    shown: Option<String>,
}

pub(super) async fn show(State(app): State<App>, Path(slug): Path<String>) -> Result<Response, WebError> {
    let Some(newsletter) = verb::newsletter(&app, &slug).await? else { return lost_in(&app) };
    let page = signup_page(&app, &newsletter).await?;
    page.f.answer(&page)
}

pub(super) async fn submit(
    State(app): State<App>,
    Path(slug): Path<String>,
    Visitor(ip): Visitor,
    headers: HeaderMap,
    Form(filled): Form<Filled>,
) -> Result<Response, WebError> {
    let Some(newsletter) = verb::newsletter(&app, &slug).await? else { return lost_in(&app) };
    let address = match Address::parse(&filled.email) {
        Ok(address) => address,
        Err(bad) => return mend(&app, &newsletter, bad, &filled.email).await,
    };
    let form = SignUp {
        address: address.clone(),
        name: tidy_name(&filled.name),
        ip,
        form_url: form_url(&app, &headers, &newsletter),
        trap: filled.website,
        zone: filled.zone,
        shown: filled.shown,
        newsletter: newsletter.clone(),
    };
    let app2 = app.clone();
    let said = to_the_end(async move { sign_up(&app2, form).await }).await?;
    let f = Frame::load(&app, &newsletter, "").await?;
    match said {
        SignedUp::LookInYourMail => {
            let shown = form_token(&app, &newsletter);
            let page = CheckYourMail { f, address: address.shown(), shown };
            page.f.answer(&page)
        }
        SignedUp::TooMany => {
            let (title, text) = (f.w.too_many_title, f.w.too_many);
            Said::new(f, title, text).answer_with(StatusCode::TOO_MANY_REQUESTS)
        }
    }
}

/// The page again, with what was typed and what is wrong with it.
async fn mend(app: &App, newsletter: &Newsletter, bad: BadAddress, typed: &str) -> Result<Response, WebError> {
    let mut page = signup_page(app, newsletter).await?;
    page.wrong = Some(page.f.w.wrong(bad, typed));
    page.typed = typed.chars().take(300).collect();
    page.f.answer_with(StatusCode::UNPROCESSABLE_ENTITY, &page)
}

async fn signup_page(app: &App, newsletter: &Newsletter) -> anyhow::Result<Page> {
    let mut f = Frame::of(app, newsletter);
    let cards = verb::cards(app, newsletter, ISSUES_SHOWN).await?;
    let mut cards: Vec<Card> = cards.into_iter().map(|card| Card::new(&f, card, &newsletter.zone)).collect();
    let front = (!cards.is_empty()).then(|| cards.remove(0));
    f.latest.clone_from(&front);
    f.here = "signup";
    let shown = form_token(app, newsletter);
    Ok(Page { f, front, show_headlines: true, recent: cards, wrong: None, typed: String::new(), shown })
}

pub(super) async fn embed(State(app): State<App>, Path(slug): Path<String>) -> Result<Response, WebError> {
    let Some(newsletter) = verb::newsletter(&app, &slug).await? else { return lost_in(&app) };
    let f = Frame::load(&app, &newsletter, "").await?;
    let form = EmbedForm { f: &f }.render()?;
    let page = Embed { f, form };
    page.f.answer(&page)
}

/// When this form was shown, sealed, so that robots can be told from people by their haste.
pub(super) fn form_token(app: &App, newsletter: &Newsletter) -> String {
    app.keys.seal(Purpose::Form, [newsletter.id.0, app.clock.now().0, 0])
}

/// Where the form stood: what the browser says of itself, else our own page.
fn form_url(app: &App, headers: &HeaderMap, newsletter: &Newsletter) -> String {
    let said = |name| headers.get(name).and_then(|value: &header::HeaderValue| value.to_str().ok());
    let theirs = said(header::REFERER).or_else(|| said(header::ORIGIN)).filter(|url| url.starts_with("http"));
    let ours = Frame::of(app, newsletter).absolute();
    theirs.map_or(ours, |url| url.chars().take(FORM_URL_LETTERS_MAX).collect())
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

//! Making a newsletter: the few things without which nothing can be sent.

use askama::Template;
use axum::extract::{Form, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;

use super::frame::{Frame, Here};
use super::session::SignedIn;
use crate::schedule::zone;
use crate::verbs::app::{App, to_the_end};
use crate::verbs::newsletters::{self, Wanted};
use crate::verbs::problem::Problem;
use crate::web::error::{WebError, page, page_with, sentence};
use crate::web::see_other;

#[derive(Template)]
#[template(path = "desk/new.html")]
struct NewPage {
    frame: Frame,
    form: NewForm,
    zones: Vec<String>,
    errors: Vec<String>,
    is_first: bool,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct NewForm {
    name: String,
    slug: String,
    from_name: String,
    from_address: String,
    postal_address: String,
    language: String,
    zone: String,
    relay: String,
}

impl NewForm {
    fn wanted(&self) -> Result<Wanted, String> {
        let relay = match self.relay.trim() {
            "" => None,
            text => Some(text.parse()?),
        };
        let name = if self.from_name.trim().is_empty() { &self.name } else { &self.from_name };
        let name = name.trim().replace(['"', '\\'], "");
        Ok(Wanted {
            name: self.name.clone(),
            slug: self.slug.clone(),
            from: format!("\"{name}\" <{}>", self.from_address.trim()),
            postal_address: self.postal_address.clone(),
            language: self.language.clone(),
            zone: self.zone.clone(),
            relay,
            ..Wanted::default()
        })
    }
}

async fn new_page(app: &App, who: &SignedIn, form: NewForm, errors: Vec<String>) -> anyhow::Result<NewPage> {
    let frame = Frame::load(app, who, None, Here::Settings, "A new newsletter").await?;
    Ok(NewPage { is_first: frame.papers.is_empty(), frame, form, zones: zone::names(), errors })
}

pub(super) async fn show(State(app): State<App>, who: SignedIn) -> Result<Response, WebError> {
    let form = NewForm { language: "en".into(), ..NewForm::default() };
    page(&new_page(&app, &who, form, Vec::new()).await?)
}

pub(super) async fn make(
    State(app): State<App>,
    who: SignedIn,
    Form(form): Form<NewForm>,
) -> Result<Response, WebError> {
    let wanted = match form.wanted() {
        Ok(wanted) => wanted,
        Err(why) => return refused(&app, &who, form, &why).await,
    };
    let on = app.clone();
    match to_the_end(async move { newsletters::create(&on, wanted).await }).await {
        Ok(made) => Ok(see_other(&format!("/desk/n/{}?said=newsletter", made.slug))),
        Err(error) => match Problem::of(&error) {
            Some(problem) => refused(&app, &who, form, &problem.to_string()).await,
            None => Err(error.into()),
        },
    }
}

async fn refused(app: &App, who: &SignedIn, form: NewForm, why: &str) -> Result<Response, WebError> {
    let errors = why.lines().map(sentence).collect();
    page_with(StatusCode::UNPROCESSABLE_ENTITY, &new_page(app, who, form, errors).await?)
}

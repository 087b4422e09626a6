//! The door of the desk: signing in and out, and the one-time page that makes the first account.

use askama::Template;
use axum::extract::{Form, Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum_extra::extract::CookieJar;
use serde::Deserialize;

use super::session::{self, SignedIn};
use crate::store::newsletter;
use crate::verbs::accounts::{self, AccountRefused, NewAccount, SignIn};
use crate::verbs::app::App;
use crate::web::error::{WebError, page, page_with};
use crate::web::see_other;
use crate::web::visitor::Visitor;

#[derive(Template, Default)]
#[template(path = "desk/signin.html")]
struct SignInPage {
    name: String,
    email: String,
    next: String,
    error: &'static str,
}

#[derive(Template, Default)]
#[template(path = "desk/setup.html")]
struct SetUpPage {
    token: String,
    email: String,
    name: String,
    error: String,
    chars_min: usize,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct SignInForm {
    email: String,
    password: String,
    stay: Option<String>,
    next: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct SetUpForm {
    email: String,
    name: String,
    password: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Next {
    next: String,
}

/// The name over the door: the only newsletter's, or ours.
async fn door_name(app: &App) -> Result<String, WebError> {
    let papers = newsletter::all(&mut app.store.read().await?).await?;
    Ok(match papers.as_slice() {
        [only] => only.name.clone(),
        _ => "Broadsheet".to_owned(),
    })
}

pub(super) async fn show_sign_in(
    State(app): State<App>,
    signed_in: Option<SignedIn>,
    Query(Next { next }): Query<Next>,
) -> Result<Response, WebError> {
    if signed_in.is_some() {
        return Ok(see_other(inside(&next)));
    }
    page(&SignInPage { name: door_name(&app).await?, next, ..SignInPage::default() })
}

pub(super) async fn sign_in(
    State(app): State<App>,
    visitor: Visitor,
    headers: HeaderMap,
    jar: CookieJar,
    Form(form): Form<SignInForm>,
) -> Result<Response, WebError> {
    let place = session::place(visitor, &headers);
    let stay = form.stay.is_some();
    let (status, error) = match accounts::sign_in(&app, &form.email, &form.password, stay, place).await? {
        SignIn::In(token) => {
            let jar = jar.add(session::cookie(&app, &headers, token, stay));
            return Ok((jar, see_other(inside(&form.next))).into_response());
        }
        SignIn::Wrong => (StatusCode::UNPROCESSABLE_ENTITY, "Address and password do not fit together. Try again."),
        SignIn::TooMany => (StatusCode::TOO_MANY_REQUESTS, "That was tried too often. Wait a minute, then try again."),
    };
    let name = door_name(&app).await?;
    page_with(status, &SignInPage { name, email: form.email, next: form.next, error })
}

pub(super) async fn sign_out(
    State(app): State<App>,
    signed_in: SignedIn,
    headers: HeaderMap,
    jar: CookieJar,
) -> Result<Response, WebError> {
    accounts::sign_out(&app, signed_in.session).await?;
    Ok((jar.add(session::no_cookie(&app, &headers)), see_other("/desk/signin")).into_response())
}

pub(super) async fn show_set_up(State(app): State<App>, Path(token): Path<String>) -> Result<Response, WebError> {
    if !accounts::setup_link_is_good(&app, &token).await? {
        return Err(WebError::NotFound);
    }
    page(&SetUpPage { token, chars_min: accounts::PASSWORD_CHARS_MIN, ..SetUpPage::default() })
}

pub(super) async fn set_up(
    State(app): State<App>,
    Path(token): Path<String>,
    visitor: Visitor,
    headers: HeaderMap,
    jar: CookieJar,
    Form(form): Form<SetUpForm>,
) -> Result<Response, WebError> {
    let new = NewAccount { email: form.email.clone(), name: form.name.clone(), password: form.password };
    match accounts::set_up(&app, &token, new, session::place(visitor, &headers)).await {
        Ok(session) => {
            Ok((jar.add(session::cookie(&app, &headers, session, false)), see_other("/desk")).into_response())
        }
        Err(AccountRefused::Ours(error)) => Err(error.into()),
        Err(AccountRefused::Link) => Err(WebError::NotFound),
        Err(refused) => {
            let chars_min = accounts::PASSWORD_CHARS_MIN;
            let again = SetUpPage { token, email: form.email, name: form.name, error: refused.to_string(), chars_min };
            page_with(StatusCode::UNPROCESSABLE_ENTITY, &again)
        }
    }
}

/// A path of the desk to go on to; anything else would let a link to our sign-in page lead to a stranger's site.
fn inside(next: &str) -> &str {
    let plain = !next.contains("//") && !next.contains('\\') && next.chars().all(|letter| !letter.is_control());
    if plain && (next == "/desk" || next.starts_with("/desk/")) { next } else { "/desk" }
}

#[cfg(test)]
mod tests {
    use super::inside;

    #[test]
    fn after_signing_in_one_stays_in_the_house() {
        for (next, wanted) in [
            ("/desk/issue/0123456789abc?line=3", "/desk/issue/0123456789abc?line=3"),
            ("//evil.example", "/desk"),
            ("/desk//evil.example", "/desk"),
            ("https://evil.example/desk/", "/desk"),
            ("/deskevil", "/desk"),
            ("", "/desk"),
        ] {
            assert_eq!(inside(next), wanted, "{next}");
        }
    }
}

//! One's own account: how the desk looks, the password, where one is signed in.

use askama::Template;
use axum::extract::{Form, Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;

use super::frame::{Frame, Here};
use super::said::Said;
use super::session::SignedIn;
use super::words::When;
use crate::store::account::Session;
use crate::values::clock::Millis;
use crate::verbs::accounts::{self, AccountRefused};
use crate::verbs::app::App;
use crate::web::error::{WebError, page, page_with};
use crate::web::see_other;

#[derive(Template)]
#[template(path = "desk/account.html")]
struct AccountPage {
    frame: Frame,
    email: String,
    role: String,
    sessions: Vec<SessionRow>,
    chars_min: usize,
    error: String,
}

struct SessionRow {
    id: String,
    agent: String,
    ip: String,
    seen: String,
    since: String,
    is_this: bool,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct ThemeForm {
    theme: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct PasswordForm {
    old: String,
    new: String,
}

pub(super) async fn show(
    State(app): State<App>,
    who: SignedIn,
    Query(said): Query<Said>,
) -> Result<Response, WebError> {
    page(&account_page(&app, &who, &said, String::new()).await?)
}

async fn account_page(app: &App, who: &SignedIn, said: &Said, error: String) -> anyhow::Result<AccountPage> {
    let frame = Frame::load(app, who, None, Here::Settings, "Your account").await?.telling(said);
    let now = app.clock.now();
    let sessions = accounts::sessions(app, who.account.id).await?;
    Ok(AccountPage {
        frame,
        email: who.account.email.clone(),
        role: who.account.role.clone(),
        sessions: sessions.into_iter().map(|session| row(session, &who.session, now)).collect(),
        chars_min: accounts::PASSWORD_CHARS_MIN,
        error,
    })
}

fn row(session: Session, this: &str, now: Millis) -> SessionRow {
    SessionRow {
        is_this: session.token_hash == this,
        seen: super::words::from_now(Millis(session.last_seen_at), now.plus(1)),
        since: When::new(Millis(session.created_at), "UTC").date,
        agent: browser(&session.agent),
        ip: session.ip,
        id: session.token_hash,
    }
}

/// "Firefox on Linux", of a browser's long name; the name itself where that is not known.
fn browser(agent: &str) -> String {
    let first = |known: &[(&str, &'static str)]| known.iter().find(|(mark, _)| agent.contains(mark)).map(|(_, it)| *it);
    let program = first(&[
        ("Firefox/", "Firefox"),
        ("Edg/", "Edge"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
        ("curl/", "curl"),
    ]);
    let system = first(&[
        ("Android", "Android"),
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Windows", "Windows"),
        ("Mac OS X", "Mac"),
        ("Linux", "Linux"),
    ]);
    match (program, system) {
        (Some(program), Some(system)) => format!("{program} on {system}"),
        (Some(program), None) => program.to_owned(),
        _ if agent.is_empty() => "A browser without a name".to_owned(),
        _ => agent.chars().take(60).collect(),
    }
}

pub(super) async fn theme(
    State(app): State<App>,
    who: SignedIn,
    Form(form): Form<ThemeForm>,
) -> Result<Response, WebError> {
    accounts::set_theme(&app, who.account.id, &form.theme).await?;
    Ok(see_other("/desk/account?said=theme"))
}

pub(super) async fn password(
    State(app): State<App>,
    who: SignedIn,
    Form(form): Form<PasswordForm>,
) -> Result<Response, WebError> {
    if app.config.demo {
        return Err(WebError::Refused("In the demo everybody is the same editor, who has no password.".into()));
    }
    match accounts::change_password(&app, &who.account, &form.old, &form.new, who.session.clone()).await {
        Ok(()) => Ok(see_other("/desk/account?said=password")),
        Err(AccountRefused::Ours(error)) => Err(error.into()),
        Err(refused) => {
            let again = account_page(&app, &who, &Said::default(), refused.to_string()).await?;
            page_with(StatusCode::UNPROCESSABLE_ENTITY, &again)
        }
    }
}

pub(super) async fn sign_out_elsewhere(State(app): State<App>, who: SignedIn) -> Result<Response, WebError> {
    accounts::sign_out_elsewhere(&app, who.account.id, who.session).await?;
    Ok(see_other("/desk/account?said=signed-out"))
}

pub(super) async fn end_session(
    State(app): State<App>,
    who: SignedIn,
    Path(session): Path<String>,
) -> Result<Response, WebError> {
    let own = accounts::sessions(&app, who.account.id).await?;
    if !own.iter().any(|known| known.token_hash == session) {
        return Err(WebError::NotFound);
    }
    accounts::sign_out(&app, session).await?;
    Ok(see_other("/desk/account?said=session"))
}

#[cfg(test)]
mod tests {
    use super::browser;

    #[test]
    fn a_browser_is_named_as_people_name_it() {
        let firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:146.0) Gecko/20100101 Firefox/146.0";
        let edge = "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/145.0 Safari/537.36 Edg/145.0";
        assert_eq!(browser(firefox), "Firefox on Linux");
        assert_eq!(browser(edge), "Edge on Windows");
        assert_eq!(browser("curl/8.14"), "curl");
        assert_eq!(browser(""), "A browser without a name");
    }
}

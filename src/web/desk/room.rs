//! Where in the desk a request stands: a newsletter's rooms (`/desk/n/SLUG/…`) and an issue's (`/desk/issue/ID/…`),
//! with whoever is signed in. A handler that has one need not look anything up.

use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};

use super::frame::{Frame, Here};
use super::session::SignedIn;
use crate::store::issue::{self, IssueRow};
use crate::store::newsletter::{self, Newsletter};
use crate::values::ids::IssueId;
use crate::verbs::app::App;
use crate::web::error::WebError;

/// A newsletter's rooms.
pub(super) struct Room {
    pub(super) who: SignedIn,
    pub(super) paper: Newsletter,
}

/// An issue's rooms.
pub(super) struct Edition {
    pub(super) who: SignedIn,
    pub(super) paper: Newsletter,
    pub(super) issue: IssueRow,
}

impl Room {
    pub(super) async fn frame(&self, app: &App, here: Here, title: impl Into<String>) -> anyhow::Result<Frame> {
        Frame::load(app, &self.who, Some(&self.paper), here, title).await
    }

    /// The address of one of this newsletter's pages: `at("/readers")`.
    pub(super) fn at(&self, rest: &str) -> String {
        format!("/desk/n/{}{rest}", self.paper.slug)
    }
}

impl Edition {
    pub(super) async fn frame(&self, app: &App, title: impl Into<String>) -> anyhow::Result<Frame> {
        Frame::load(app, &self.who, Some(&self.paper), Here::Issues, title).await
    }

    /// The address of one of this issue's pages: `at("/review")`.
    pub(super) fn at(&self, rest: &str) -> String {
        format!("/desk/issue/{}{rest}", self.issue.id)
    }
}

impl FromRequestParts<App> for Room {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Response> {
        let who = <SignedIn as FromRequestParts<App>>::from_request_parts(parts, app).await?;
        let slug = parameter(parts, app, "slug").await?;
        match newsletter_of(app, &slug).await {
            Ok(Some(paper)) => Ok(Self { who, paper }),
            Ok(None) => Err(WebError::NotFound.into_response()),
            Err(error) => Err(WebError::from(error).into_response()),
        }
    }
}

impl FromRequestParts<App> for Edition {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Response> {
        let who = <SignedIn as FromRequestParts<App>>::from_request_parts(parts, app).await?;
        let id = parameter(parts, app, "issue").await?;
        let Ok(id) = id.parse() else { return Err(WebError::NotFound.into_response()) };
        match issue_of(app, id).await {
            Ok(Some((paper, issue))) => Ok(Self { who, paper, issue }),
            Ok(None) => Err(WebError::NotFound.into_response()),
            Err(error) => Err(WebError::from(error).into_response()),
        }
    }
}

async fn parameter(parts: &mut Parts, app: &App, name: &str) -> Result<String, Response> {
    let parameters = RawPathParams::from_request_parts(parts, app).await.map_err(IntoResponse::into_response)?;
    Ok(parameters.iter().find(|(known, _)| *known == name).map(|(_, value)| value.to_owned()).unwrap_or_default())
}

async fn newsletter_of(app: &App, slug: &str) -> anyhow::Result<Option<Newsletter>> {
    Ok(newsletter::by_slug(&mut app.store.read().await?, slug).await?)
}

async fn issue_of(app: &App, id: IssueId) -> anyhow::Result<Option<(Newsletter, IssueRow)>> {
    let mut tx = app.store.read().await?;
    let Some(issue) = issue::by_id(&mut tx, id).await? else { return Ok(None) };
    Ok(newsletter::by_id(&mut tx, issue.newsletter_id).await?.map(|paper| (paper, issue)))
}

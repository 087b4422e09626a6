//! A test mail to colleagues, with the replies of their servers.

use askama::Template;
use axum::extract::{Form, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;

use super::frame::Frame;
use super::room::Edition;
use super::said::Said;
use super::state::{State as Ink, issue_name, reply, subject};
use super::words::When;
use crate::delivery::state::DeliveryState;
use crate::store::desk;
use crate::values::address::Address;
use crate::values::clock::Millis;
use crate::verbs::app::{App, to_the_end};
use crate::verbs::problem::Problem;
use crate::verbs::refusal::Refusal;
use crate::verbs::test_mail::{self, ADDRESSES_MAX};
use crate::web::error::{WebError, page, page_with, sentence};
use crate::web::see_other;

/// Tests shown with what became of them.
const TESTS_SHOWN: i64 = 10;

#[derive(Template)]
#[template(path = "desk/test.html")]
struct TestPage {
    frame: Frame,
    at: String,
    name: String,
    subject: String,
    to: String,
    error: String,
    most: usize,
    tests: Vec<Test>,
    waits: bool,
}

struct Test {
    state: Ink,
    address: String,
    reply: String,
    when: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct To {
    to: String,
}

pub(super) async fn show(
    State(app): State<App>,
    edition: Edition,
    Query(said): Query<Said>,
) -> Result<Response, WebError> {
    let to = edition.who.account.email.clone();
    page(&test_page(&app, &edition, &said, to, String::new()).await?)
}

async fn test_page(app: &App, edition: &Edition, said: &Said, to: String, error: String) -> anyhow::Result<TestPage> {
    let name = issue_name(&edition.issue);
    let frame = edition.frame(app, format!("Test {}", name.to_lowercase())).await?.telling(said);
    let mut tx = app.store.read().await?;
    let now = tx.now;
    let tests: Vec<Test> = desk::tests(&mut tx, edition.paper.id, TESTS_SHOWN)
        .await?
        .into_iter()
        .map(|row| test(row, &edition.paper.zone, now))
        .collect();
    let waits = tests.iter().any(|test| matches!(test.state.kind, "idle" | "live"));
    let (at, subject) = (edition.at(""), subject(&edition.issue));
    Ok(TestPage { frame, at, name, subject, to, error, most: ADDRESSES_MAX, tests, waits })
}

fn test(row: desk::TestRow, zone: &str, now: Millis) -> Test {
    let state = row.state.parse().unwrap_or(DeliveryState::Pending);
    Test {
        state: Ink::of_delivery(state, Millis(row.next_at), zone, now),
        reply: reply(row.reply_code, row.reply_text.as_deref().unwrap_or_default()),
        when: When::near(Millis(row.settled_at.unwrap_or(row.created_at)), now, zone),
        address: row.address,
    }
}

pub(super) async fn send(State(app): State<App>, edition: Edition, Form(form): Form<To>) -> Result<Response, WebError> {
    let addresses: Result<Vec<Address>, _> =
        form.to.split([',', ';', ' ', '\n']).map(str::trim).filter(|one| !one.is_empty()).map(Address::parse).collect();
    let addresses = match addresses {
        Ok(addresses) => addresses,
        Err(why) => return refused(&app, &edition, form.to, &why.to_string()).await,
    };
    let (on, id) = (app.clone(), edition.issue.id);
    match to_the_end(async move { test_mail::send_test(&on, id, &addresses).await }).await {
        Ok(_) => Ok(see_other(&edition.at("/test?said=test"))),
        Err(error) => match (Problem::of(&error), error.downcast_ref::<Refusal>()) {
            (Some(why), _) => refused(&app, &edition, form.to, &why.to_string()).await,
            (_, Some(why)) => refused(&app, &edition, form.to, &why.to_string()).await,
            _ => Err(error.into()),
        },
    }
}

async fn refused(app: &App, edition: &Edition, to: String, why: &str) -> Result<Response, WebError> {
    page_with(StatusCode::UNPROCESSABLE_ENTITY, &test_page(app, edition, &Said::default(), to, sentence(why)).await?)
}

//! Mails in doubt: what is known of each, what to do, and who says it.

use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;
use axum_extra::extract::Form;
use serde::Deserialize;

use super::frame::Frame;
use super::room::Edition;
use super::said::Said;
use super::state::{issue_name, subject};
use super::words::{When, count};
use crate::store::issue::IssueState;
use crate::values::clock::Millis;
use crate::values::ids::SubscriberId;
use crate::verbs::app::{App, to_the_end};
use crate::verbs::doubt::{self, By, Doubt, Why};
use crate::verbs::progress;
use crate::web::error::{WebError, capital, page};
use crate::web::see_other;

/// Mails on one page: more than a crash leaves behind by the default limit.
const ROWS_SHOWN: i64 = 100;

#[derive(Template)]
#[template(path = "desk/doubt.html")]
struct DoubtPage {
    frame: Frame,
    at: String,
    name: String,
    subject: String,
    many: String,
    is_none: bool,
    can_resend: bool,
    rows: Vec<Row>,
    next: Option<String>,
}

struct Row {
    id: String,
    address: String,
    href: String,
    why: String,
    heard: String,
    when: String,
    relay: String,
    machine: String,
    message_id: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct From {
    after: String,
}

pub(super) async fn show(
    State(app): State<App>,
    edition: Edition,
    Query(from): Query<From>,
    Query(said): Query<Said>,
) -> Result<Response, WebError> {
    if edition.issue.state.is_editable() {
        return Ok(see_other(&edition.at("/review")));
    }
    let name = issue_name(&edition.issue);
    let frame = edition.frame(&app, format!("In doubt: {}", name.to_lowercase())).await?.telling(&said);
    page(&doubts(&app, frame, &edition, from.after.parse().ok()).await?)
}

async fn doubts(app: &App, frame: Frame, edition: &Edition, after: Option<SubscriberId>) -> anyhow::Result<DoubtPage> {
    let id = edition.issue.id;
    let counts = progress::counts(app, id).await?;
    let mut rows = doubt::page(app, id, after, ROWS_SHOWN + 1).await?;
    let is_more = rows.len() as i64 > ROWS_SHOWN;
    rows.truncate(usize::try_from(ROWS_SHOWN)?);
    let next = rows.last().filter(|_| is_more).map(|last| edition.at(&format!("/doubt?after={}", last.subscriber)));
    let now = app.clock.now();
    Ok(DoubtPage {
        frame,
        at: edition.at(""),
        name: issue_name(&edition.issue),
        subject: subject(&edition.issue),
        many: count(counts.in_doubt, "mail is", "mails are"),
        is_none: counts.in_doubt == 0,
        can_resend: edition.issue.state != IssueState::Cancelled,
        rows: rows.into_iter().map(|doubt| row(edition, doubt, now)).collect(),
        next,
    })
}

fn row(edition: &Edition, doubt: Doubt, now: Millis) -> Row {
    let zone = edition.paper.zone.as_str();
    let (from, until) = (When::near(doubt.from, now, zone), When::near(doubt.until, now, zone));
    Row {
        id: doubt.subscriber.to_string(),
        href: format!("/desk/n/{}/readers/{}", edition.paper.slug, doubt.subscriber),
        address: doubt.address,
        why: capital(doubt.why.words()),
        heard: doubt.heard.unwrap_or_default(),
        when: if from == until || doubt.why == Why::NoAnswer { until } else { format!("{from} to {until}") },
        relay: match (doubt.relay, doubt.relay_address) {
            (Some(name), Some(place)) if name != place => format!("{name}, {place}"),
            (Some(name), _) => name,
            (None, _) => "a relay that is gone".into(),
        },
        machine: doubt.machine.unwrap_or_default(),
        message_id: doubt.message_id,
    }
}

#[derive(Deserialize)]
pub(super) struct Decision {
    #[serde(default)]
    who: Vec<SubscriberId>,
    act: Act,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Act {
    Resend,
    ResendAll,
    MarkSent,
    MarkAllSent,
}

pub(super) async fn decide(
    State(app): State<App>,
    edition: Edition,
    Form(form): Form<Decision>,
) -> Result<Response, WebError> {
    let (id, account) = (edition.issue.id, &edition.who.account);
    let by = By { account: Some(account.id), name: account.name.clone() };
    let said = to_the_end(async move {
        let some = Some(form.who.as_slice());
        let (many, said) = match form.act {
            Act::Resend => (doubt::resend(&app, id, some, &by).await?, "resent"),
            Act::ResendAll => (doubt::resend(&app, id, None, &by).await?, "resent"),
            Act::MarkSent => (doubt::mark_sent(&app, id, some, &by).await?, "marked-sent"),
            Act::MarkAllSent => (doubt::mark_sent(&app, id, None, &by).await?, "marked-sent"),
        };
        anyhow::Ok(if many == 0 { "none" } else { said })
    })
    .await?;
    Ok(see_other(&edition.at(&format!("/doubt?said={said}"))))
}

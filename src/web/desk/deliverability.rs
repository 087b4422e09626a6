//! What to write into the DNS so that mail arrives: the rows to paste, made from the real keys and names. They are
//! not asked for here; that the rows are there is for the domain's owner to see.

use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;

use super::frame::{Frame, Here};
use super::room::Room;
use super::said::Said;
use crate::store::secret;
use crate::verbs::app::{App, to_the_end};
use crate::verbs::{deliver, signing};
use crate::web::error::{WebError, page};
use crate::web::see_other;

#[derive(Template)]
#[template(path = "desk/deliverability.html")]
struct DnsPage {
    frame: Frame,
    domain: String,
    rows: Vec<Row>,
    has_key: bool,
}

struct Row {
    what: &'static str,
    why: String,
    kind: &'static str,
    name: String,
    value: String,
}

pub(super) async fn show(State(app): State<App>, room: Room, Query(said): Query<Said>) -> Result<Response, WebError> {
    let frame = room.frame(&app, Here::Deliverability, "Deliverability").await?.telling(&said);
    let domain = room.paper.sender_domain().to_owned();
    let kept = secret::of_purpose(&mut app.store.read().await?, "dkim", &domain).await?;
    let has_key = !kept.is_empty();
    let rows = if has_key { rows(&app, &domain, &room.paper.from_address).await? } else { Vec::new() };
    page(&DnsPage { frame, domain, rows, has_key })
}

/// Makes the signing key, where there is none yet.
pub(super) async fn make_key(State(app): State<App>, room: Room) -> Result<Response, WebError> {
    let domain = room.paper.sender_domain().to_owned();
    to_the_end(async move { signing::signer(&app, &domain).await.map(drop) }).await?;
    Ok(see_other(&room.at("/deliverability")))
}

async fn rows(app: &App, domain: &str, from: &str) -> anyhow::Result<Vec<Row>> {
    let signer = signing::signer(app, domain).await?;
    let bounce = deliver::return_domain(app, domain);
    let spf = |name: &str, why: String| Row {
        what: "SPF",
        why,
        kind: "TXT",
        name: name.to_owned(),
        value: "v=spf1 include:YOUR-RELAY -all".to_owned(),
    };
    Ok(vec![
        Row {
            what: "DKIM",
            why: "Our signature. Paste the value as one; some hosts want it in the pieces of a zone file.".into(),
            kind: "TXT",
            name: signer.dns_name(),
            value: signer.dns_text(),
        },
        spf(&bounce, format!("Who may send for {bounce}, the return path. Put the name your relay tells you in place of YOUR-RELAY.")),
        Row {
            what: "DMARC",
            why: "What receivers do with mail that only says it is yours. Begin with none, watch the reports, then quarantine.".into(),
            kind: "TXT",
            name: format!("_dmarc.{domain}"),
            value: format!("v=DMARC1; p=none; rua=mailto:{from}"),
        },
        Row {
            what: "Return path",
            why: "Where bounces come home: the mail server that takes mail for this name, often your relay’s.".into(),
            kind: "MX",
            name: bounce,
            value: "10 YOUR-RELAY".to_owned(),
        },
    ])
}

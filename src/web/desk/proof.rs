//! Proof of a reader's consent, for paper: every line that was kept, and whether it is as it was written.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;

use super::frame::{Frame, Here};
use super::room::Room;
use super::words::When;
use crate::values::clock::Millis;
use crate::values::ids::SubscriberId;
use crate::verbs::app::App;
use crate::verbs::membership::{self, Proven};
use crate::web::error::{WebError, page};

#[derive(Template)]
#[template(path = "desk/proof.html")]
struct ProofPage {
    frame: Frame,
    id: String,
    address: String,
    standfirst: String,
    printed: String,
    lines: Vec<Line>,
    /// What the subscription itself says, where no line was kept.
    older: Vec<(&'static str, String)>,
}

/// One line, as name and value.
struct Line {
    what: String,
    at: String,
    intact: bool,
    facts: Vec<(&'static str, String)>,
}

pub(super) async fn show(
    State(app): State<App>,
    room: Room,
    Path((_, id)): Path<(String, String)>,
) -> Result<Response, WebError> {
    let id: SubscriberId = id.parse().map_err(|_| WebError::NotFound)?;
    let proof = membership::proof(&app, room.paper.id, id).await?.ok_or(WebError::NotFound)?;
    let frame = room.frame(&app, Here::Readers, format!("Proof of consent, {}", proof.subscriber.address)).await?;
    let at = |millis: i64| moment(millis, &room.paper.zone);
    let older = proof.subscription.iter().filter(|_| proof.lines.is_empty()).flat_map(|row| {
        [
            ("Agreed to", format!("“{}”", row.consent_text)),
            ("Where", row.consent_source.clone()),
            ("When", at(row.consent_at)),
            ("Confirmed", row.confirmed_at.map_or("not yet".into(), at)),
        ]
    });
    let stands = proof.subscription.as_ref().map_or("nothing", |row| row.status.as_str());
    page(&ProofPage {
        id: id.to_string(),
        address: proof.subscriber.address.clone(),
        standfirst: format!("To {}. The subscription stands as {stands}.", proof.newsletter.name),
        printed: at(app.clock.now().0),
        older: older.collect(),
        lines: proof.lines.iter().map(|line| said(line, &room.paper.zone)).collect(),
        frame,
    })
}

fn moment(millis: i64, zone: &str) -> String {
    let when = When::new(Millis(millis), zone);
    format!("{} {} ({})", when.full, when.place, when.offset)
}

fn said(line: &Proven, zone: &str) -> Line {
    let row = &line.row;
    let what = match row.act.as_str() {
        "asked" => "Filled in the form",
        "written" => "A mail asked for confirmation",
        "confirmed" => "Pressed the button in that mail’s page",
        "single" => "Filled in the form; no confirmation was asked for",
        "disowned" => "Pressed “this was not me”",
        other => other,
    };
    let form = if row.form.is_empty() { String::new() } else { format!("{}, version {}", row.form, row.version) };
    let wording = if row.wording.is_empty() { String::new() } else { format!("“{}”", row.wording) };
    let mut facts = vec![
        ("Address", row.address.clone()),
        ("Wording", wording),
        ("Form", form),
        ("Page", row.page.clone()),
        ("Network", row.network.clone()),
        ("Reason", row.reason.clone()),
        ("SHA-256 of the mail", row.letter_hash.clone()),
    ];
    if let Some(letter) = &line.letter {
        let at = letter.settled_at.map(|at| moment(at, zone)).unwrap_or_default();
        facts.push(("Became", format!("{} {at}", letter.state)));
        let code = letter.reply_code.map(|code| code.to_string()).unwrap_or_default();
        facts.push(("The server said", format!("{code} {}", letter.reply_text.as_deref().unwrap_or_default())));
    }
    facts.retain(|(_, value)| !value.trim().is_empty());
    Line { what: what.to_owned(), at: moment(row.at, zone), intact: line.intact, facts }
}

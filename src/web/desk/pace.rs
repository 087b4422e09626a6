//! How fast each of a newsletter's relays may be used, what share each has, and whether its sender is warmed up.

use axum::extract::State;
use axum::response::Response;
use axum_extra::extract::Form;
use serde::Deserialize;

use super::room::Room;
use super::settings;
use crate::store::newsletter::Newsletter;
use crate::store::relay::{self, Relay};
use crate::verbs::app::{App, to_the_end};
use crate::verbs::problem::Problem;
use crate::verbs::relays::{self, Change};
use crate::verbs::{pace, warm_up};
use crate::web::error::WebError;
use crate::web::see_other;

/// One relay's limits as they are typed: empty for none.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct PaceForm {
    pub(super) relay: String,
    pub(super) weight: String,
    pub(super) connections: String,
    pub(super) each: String,
    pub(super) per_second: String,
    pub(super) per_minute: String,
    pub(super) per_hour: String,
    pub(super) per_day: String,
    pub(super) in_doubt: String,
    pub(super) per_site: bool,
    /// What was used, in a sentence.
    #[serde(skip)]
    pub(super) used: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct WarmUpForm {
    on: bool,
}

impl PaceForm {
    fn of(relay: &Relay, weight: i64, (hour, day): (u32, u32)) -> Self {
        let typed = |many: Option<i64>| many.map(|many| many.to_string()).unwrap_or_default();
        let used = match (relay.per_hour, relay.per_day) {
            (None, None) => String::new(),
            (Some(_), None) => format!("{hour} used in the last hour."),
            (None, Some(_)) => format!("{day} used in the last 24 hours."),
            (Some(_), Some(_)) => format!("{hour} used in the last hour, {day} in the last 24 hours."),
        };
        Self {
            relay: relay.name.clone(),
            weight: weight.to_string(),
            connections: if relay.connections_max == 0 { "auto".into() } else { relay.connections_max.to_string() },
            each: typed(relay.messages_per_connection),
            per_second: typed(relay.per_second),
            per_minute: typed(relay.per_minute),
            per_hour: typed(relay.per_hour),
            per_day: typed(relay.per_day),
            in_doubt: relay.in_doubt_max.to_string(),
            per_site: relay.per_site,
            used,
        }
    }

    fn change(&self) -> Result<Change, String> {
        let number = |what: &str, text: &str| {
            let wrong = || format!("{what} is a number, or empty for no limit; nothing was changed");
            text.trim().parse::<i64>().map_err(|_| wrong())
        };
        let limit = |what: &str, text: &str| {
            Ok::<_, String>(Some(if text.trim().is_empty() { None } else { Some(number(what, text)?) }))
        };
        let connections = if self.connections.trim() == "auto" { 0 } else { number("Connections", &self.connections)? };
        Ok(Change {
            connections: Some(connections),
            messages_per_connection: limit("Messages in one connection", &self.each)?,
            per_second: limit("The limit a second", &self.per_second)?,
            per_minute: limit("The limit a minute", &self.per_minute)?,
            per_hour: limit("The limit an hour", &self.per_hour)?,
            per_day: limit("The limit a day", &self.per_day)?,
            in_doubt_max: Some(number("What may be in doubt", &self.in_doubt)?),
            per_site: Some(self.per_site),
            ..Change::default()
        })
    }
}

/// Every relay of a newsletter, in its order.
pub(super) async fn forms(app: &App, paper: &Newsletter) -> anyhow::Result<Vec<PaceForm>> {
    let mut tx = app.store.read().await?;
    let mut forms = Vec::new();
    for part in relay::parts(&mut tx).await?.into_iter().filter(|part| part.newsletter_id == paper.id) {
        let Some(row) = relay::by_id(&mut tx, part.relay_id).await? else { continue };
        let used = pace::used(&mut tx, row.id).await?;
        forms.push(PaceForm::of(&row, part.weight, used));
    }
    Ok(forms)
}

/// Saves one relay's limits and its share.
pub(super) async fn save(State(app): State<App>, room: Room, Form(form): Form<PaceForm>) -> Result<Response, WebError> {
    let change = match (form.change(), form.weight.trim().parse::<i64>()) {
        (Err(why), _) => return settings::pace_refused(&app, room, form, why).await,
        (Ok(_), Err(_)) => {
            let why = "the share is a number, 0 for a spare; nothing was changed".to_owned();
            return settings::pace_refused(&app, room, form, why).await;
        }
        (Ok(change), Ok(weight)) => (change, weight),
    };
    let (on, paper, name) = (app.clone(), room.paper.clone(), form.relay.clone());
    let saved = to_the_end(async move { write(&on, &paper, &name, change).await }).await;
    match saved {
        Ok(()) => Ok(see_other(&room.at("/settings?said=saved#pace"))),
        Err(error) => match Problem::of(&error) {
            Some(Problem::Invalid(why) | Problem::Refused(why)) => {
                settings::pace_refused(&app, room, form, why.clone()).await
            }
            _ => Err(error.into()),
        },
    }
}

async fn write(app: &App, paper: &Newsletter, name: &str, (change, weight): (Change, i64)) -> anyhow::Result<()> {
    let mut parts = Vec::new();
    for form in forms(app, paper).await? {
        let share = if form.relay == name { weight } else { form.weight.parse().unwrap_or(1) };
        parts.push((form.relay, share));
    }
    if !parts.iter().any(|(known, _)| known == name) {
        return Err(Problem::NotFound(format!("this newsletter does not use the relay \"{name}\"")).into());
    }
    relays::set(app, name, change).await?;
    relays::share(app, paper.id, &parts).await.map(drop)
}

/// Begins or ends the warm-up of the sender's domain.
pub(super) async fn warm(
    State(app): State<App>,
    room: Room,
    Form(form): Form<WarmUpForm>,
) -> Result<Response, WebError> {
    let (on, id) = (app.clone(), room.paper.id);
    to_the_end(async move { warm_up::switch(&on, id, form.on).await }).await?;
    Ok(see_other(&room.at("/settings?said=saved#pace")))
}

#[cfg(test)]
mod tests {
    use super::PaceForm;

    #[test]
    fn an_empty_limit_is_none_and_nonsense_is_told() {
        let form = PaceForm {
            connections: "auto".into(),
            in_doubt: "64".into(),
            per_hour: "500".into(),
            ..PaceForm::default()
        };
        let change = form.change().expect("can be read");
        assert_eq!((change.connections, change.per_hour, change.per_day), (Some(0), Some(Some(500)), Some(None)));
        let why = PaceForm { per_day: "many".into(), ..form }.change().expect_err("is no number");
        assert!(why.contains("limit a day"), "{why}");
    }
}

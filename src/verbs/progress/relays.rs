//! The relays of a newsletter as an issue's sending finds them now: which rests and why, how fast each may go.

use crate::delivery::pace::gate::Troubled;
use crate::store::Tx;
use crate::store::newsletter::Newsletter;
use crate::store::relay::{self, Relay};
use crate::values::clock::Millis;
use crate::verbs::app::App;
use crate::verbs::{deliver, pace};

/// Receiving sites shown for one relay: those in trouble, and no more than a screen of them.
const SITES_SHOWN: usize = 20;

/// A relay, and what holds it back.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Standing {
    pub name: String,
    /// Of the newsletter's mail; 0 is a spare for when all others rest.
    pub weight: i64,
    /// It takes no mail before then, and why: a fault of ours, or it asked for a pause.
    pub rests_until: Option<Millis>,
    pub why: Option<String>,
    /// Connections that may be open now, of so many at most.
    pub connections: u32,
    pub connections_max: u32,
    /// Messages a minute that it is held to because it asked for less.
    pub slowed_to_per_minute: Option<u32>,
    pub per_second: Option<i64>,
    pub per_minute: Option<i64>,
    pub per_hour: Option<i64>,
    pub per_day: Option<i64>,
    pub used_in_hour: u32,
    pub used_in_day: u32,
    /// Readers in doubt at most if the machine that sends dies at this moment.
    pub in_doubt_max: i64,
    /// Receiving sites behind it that are slower than they would be, as this process sees them.
    pub sites: Vec<Site>,
}

/// A receiving site in trouble.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Site {
    pub site: String,
    pub rests_until: Option<Millis>,
    pub per_minute: Option<u32>,
    /// Messages on the wire to it, and how many of them have waited long for an answer.
    pub on_the_wire: usize,
    pub silent: usize,
}

/// Every relay of a newsletter, in its order.
pub(super) async fn of(app: &App, tx: &mut Tx, newsletter: &Newsletter) -> anyhow::Result<Vec<Standing>> {
    let mut standings = Vec::new();
    for part in relay::parts(tx).await?.into_iter().filter(|part| part.newsletter_id == newsletter.id) {
        if let Some(row) = relay::by_id(tx, part.relay_id).await? {
            standings.push(standing(app, tx, row, part.weight).await?);
        }
    }
    Ok(standings)
}

async fn standing(app: &App, tx: &mut Tx, row: Relay, weight: i64) -> anyhow::Result<Standing> {
    let now = tx.now;
    let adapt = pace::read_adapt(tx, row.id).await?;
    let (used_in_hour, used_in_day) = pace::used(tx, row.id).await?;
    let most = row.connections_most();
    let asked = adapt.rest_until(now);
    let paused = row.paused_until.map(Millis).filter(|until| *until > now);
    let why = match (paused, asked, used_up(&row, used_in_hour, used_in_day)) {
        (Some(_), ..) => row.paused_reason.clone(),
        (None, Some(_), _) => Some("it asked for less mail".to_owned()),
        (None, None, Some(limit)) => Some(limit.to_owned()),
        (None, None, None) if adapt.is_slowed(most, now) => {
            Some("it asked for less mail; it climbs back by itself".into())
        }
        (None, None, None) => None,
    };
    Ok(Standing {
        weight,
        rests_until: paused.max(asked),
        why,
        connections: if paused.is_some() { 0 } else { adapt.connections(most, now) },
        connections_max: most,
        slowed_to_per_minute: adapt.per_minute(now),
        per_second: row.per_second,
        per_minute: row.per_minute,
        per_hour: row.per_hour,
        per_day: row.per_day,
        used_in_hour,
        used_in_day,
        in_doubt_max: in_doubt_max(&row),
        sites: app.troubles.of(Some(row.id)).into_iter().take(SITES_SHOWN).map(site).collect(),
        name: row.name,
    })
}

/// Connections times what each may have marked and unanswered, and never more than the relay's bound.
fn in_doubt_max(row: &Relay) -> i64 {
    let most = i64::from(row.connections_most()).max(1);
    let each = (row.in_doubt_max / most).max(1).min(i64::from(deliver::MARKED_MAX));
    (most * each).min(row.in_doubt_max)
}

fn used_up(row: &Relay, in_hour: u32, in_day: u32) -> Option<&'static str> {
    let is_up = |limit: Option<i64>, used: u32| limit.is_some_and(|limit| i64::from(used) >= limit);
    if is_up(row.per_day, in_day) {
        return Some("its limit of 24 hours is used up");
    }
    is_up(row.per_hour, in_hour).then_some("its limit of an hour is used up")
}

fn site(troubled: Troubled) -> Site {
    Site {
        site: troubled.site.as_str().to_owned(),
        rests_until: troubled.rest_until,
        per_minute: troubled.per_minute,
        on_the_wire: troubled.in_air,
        silent: troubled.slow,
    }
}

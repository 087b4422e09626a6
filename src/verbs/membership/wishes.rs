//! What readers can set for themselves besides leaving: a pause, and the name they are greeted by.

use jiff::ToSpan as _;
use serde_json::json;

use super::joining::about;
use super::seat::{Seat, arrived, look_up, open};
use crate::audience::csv::tidy_name;
use crate::store::{event, subscriber, subscription};
use crate::values::clock::Millis;
use crate::values::ids::SubscriberId;
use crate::values::token::{BadToken, Purpose};
use crate::values::zone::{self, UnknownZone};
use crate::verbs::app::App;

/// Longest pause, in months. Whoever wants to be away for longer wants to leave.
const PAUSE_MONTHS_MAX: i8 = 3;

/// Pauses for one to three months (by the calendar of the newsletter's zone); gives the seat with the pause on it.
///
/// # Errors
/// When the database cannot be written. A token that is none of ours is `Ok(Err(BadToken))`.
pub async fn pause(app: &App, token: &str, months: i8) -> anyhow::Result<Result<Seat, BadToken>> {
    set_pause(app, token, Some(months.clamp(1, PAUSE_MONTHS_MAX))).await
}

/// Ends a pause.
///
/// # Errors
/// When the database cannot be written. A token that is none of ours is `Ok(Err(BadToken))`.
pub async fn resume(app: &App, token: &str) -> anyhow::Result<Result<Seat, BadToken>> {
    set_pause(app, token, None).await
}

async fn set_pause(app: &App, token: &str, months: Option<i8>) -> anyhow::Result<Result<Seat, BadToken>> {
    let payload = match open(app, Purpose::Reader, token) {
        Ok(payload) => payload,
        Err(bad) => return Ok(Err(bad)),
    };
    let mut tx = app.store.write().await?;
    let mut seat = look_up(&mut tx, payload).await?;
    let zone = seat.newsletter.as_ref().map_or("UTC", |newsletter| &newsletter.zone);
    let until = months.map(|months| months_after(tx.now, months, zone).0);
    let (newsletter, id) = (seat.newsletter_id, seat.subscriber_id);
    if subscription::pause(&mut tx, newsletter, id, until).await? {
        let kind = if until.is_some() { "subscription.paused" } else { "subscription.resumed" };
        event::insert(&mut tx, kind, about(&seat), &json!({"until": until})).await?;
    }
    arrived(&mut tx, &seat).await?;
    seat.subscription = subscription::by_ids(&mut tx, newsletter, id).await?;
    tx.commit().await?;
    Ok(Ok(seat))
}

fn months_after(now: Millis, months: i8, zone: &str) -> Millis {
    let zone = crate::values::zone::find(zone).unwrap_or(jiff::tz::TimeZone::UTC);
    let later = now.timestamp().to_zoned_datetime(zone).checked_add(months.months());
    later.map_or_else(|_| now.plus(i64::from(months) * 30 * Millis::DAY), |later| later.timestamp().into())
}

/// Writes the name a reader wants to be greeted by; empty is none.
///
/// # Errors
/// When the database cannot be written. A token that is none of ours is `Ok(Err(BadToken))`.
pub async fn set_name(app: &App, token: &str, name: &str) -> anyhow::Result<Result<Seat, BadToken>> {
    let payload = match open(app, Purpose::Reader, token) {
        Ok(payload) => payload,
        Err(bad) => return Ok(Err(bad)),
    };
    let mut tx = app.store.write().await?;
    if subscriber::set_name(&mut tx, SubscriberId(payload[1]), &tidy_name(name)).await? {
        let seat = look_up(&mut tx, payload).await?;
        event::insert(&mut tx, "subscriber.named", about(&seat), &json!({"by": "reader"})).await?;
    }
    let seat = look_up(&mut tx, payload).await?;
    arrived(&mut tx, &seat).await?;
    tx.commit().await?;
    Ok(Ok(seat))
}

/// Writes the zone a reader lives in; empty is none. The inner error is a zone that there is not.
///
/// # Errors
/// When the database cannot be written. A token that is none of ours is `Ok(Err(BadToken))`.
pub async fn set_zone(
    app: &App,
    token: &str,
    zone: &str,
) -> anyhow::Result<Result<(Seat, Option<UnknownZone>), BadToken>> {
    let payload = match open(app, Purpose::Reader, token) {
        Ok(payload) => payload,
        Err(bad) => return Ok(Err(bad)),
    };
    let mut tx = app.store.write().await?;
    let unknown = match written(zone) {
        Ok(zone) => {
            if subscriber::set_zone(&mut tx, SubscriberId(payload[1]), &zone).await? {
                let seat = look_up(&mut tx, payload).await?;
                event::insert(&mut tx, "subscriber.zone", about(&seat), &json!({"by": "reader", "zone": zone})).await?;
            }
            None
        }
        Err(unknown) => Some(unknown),
    };
    let seat = look_up(&mut tx, payload).await?;
    arrived(&mut tx, &seat).await?;
    tx.commit().await?;
    Ok(Ok((seat, unknown)))
}

/// Writes the zone of a person, who told an editor; empty is none. Gives it as it is kept.
///
/// # Errors
/// [`UnknownZone`], or when the database cannot be written.
pub async fn set_zone_by_editor(app: &App, person: SubscriberId, zone: &str) -> anyhow::Result<String> {
    let zone = written(zone)?;
    let mut tx = app.store.write().await?;
    if subscriber::set_zone(&mut tx, person, &zone).await? {
        let about = event::About { subscriber: Some(person), ..event::About::default() };
        event::insert(&mut tx, "subscriber.zone", about, &json!({"by": "editor", "zone": zone})).await?;
    }
    tx.commit().await?;
    Ok(zone)
}

/// As the database of zones writes it; nothing stays nothing.
fn written(zone: &str) -> Result<String, UnknownZone> {
    if zone.trim().is_empty() {
        return Ok(String::new());
    }
    zone::find(zone).map(|known| zone::name_of(&known).to_owned())
}

#[cfg(test)]
mod tests {
    use super::{Millis, months_after};

    #[test]
    fn a_month_is_one_of_the_calendar() {
        let now: jiff::Timestamp = "2026-01-31T09:00:00Z".parse().expect("a time");
        let later = months_after(Millis::from(now), 1, "Europe/Lisbon").timestamp().to_string();
        assert_eq!(later, "2026-02-28T09:00:00Z");
    }
}

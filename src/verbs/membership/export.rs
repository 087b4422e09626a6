//! A list of readers, out: a stream of CSV, a page of rows at a time, each from its own short snapshot, so that a slow
//! taker holds no transaction open.

use futures_util::stream::{self, Stream};
use jiff::Timestamp;

use crate::audience::export::row;
use crate::audience::status::Status;
use crate::store::subscription::{self, Reader};
use crate::values::clock::Millis;
use crate::values::ids::{NewsletterId, SubscriberId};
use crate::verbs::app::App;

/// Readers of one page.
const PAGE_ROWS: i64 = 1_000;
const HEAD: [&str; 9] =
    ["email", "name", "status", "consent_source", "consent_at", "confirmed_at", "paused_until", "left_at", "left_how"];

/// The readers of a newsletter as CSV, of one status or of all, in the order they came.
pub fn export(
    app: &App,
    newsletter: NewsletterId,
    status: Option<Status>,
) -> impl Stream<Item = anyhow::Result<String>> + Send + use<> {
    let app = app.clone();
    // Before the first page, the names of the columns; after the last, nothing.
    stream::try_unfold(Some(None), move |from: Option<Option<SubscriberId>>| {
        let app = app.clone();
        async move {
            let Some(from) = from else { return Ok(None) };
            let head = if from.is_none() { row(&HEAD) } else { String::new() };
            let mut tx = app.store.read().await?;
            let page = subscription::after(&mut tx, newsletter, from.unwrap_or(SubscriberId(0)), PAGE_ROWS).await?;
            let wanted = page.iter().filter(|reader| status.is_none_or(|status| reader.status == status));
            let text = wanted.fold(head, |text, reader| text + &line(reader));
            let more = if page.len() as i64 == PAGE_ROWS { page.last().map(|reader| Some(reader.id)) } else { None };
            Ok(Some((text, more)))
        }
    })
}

fn line(reader: &Reader) -> String {
    let day = |at: Option<i64>| at.map(|at| at_second(Millis(at))).unwrap_or_default();
    row(&[
        &reader.address,
        &reader.name,
        reader.status.as_str(),
        &reader.consent_source,
        &day(Some(reader.consent_at)),
        &day(reader.confirmed_at),
        &day(reader.paused_until),
        &day(reader.left_at),
        reader.left_how.as_deref().unwrap_or_default(),
    ])
}

/// "2026-11-24T09:00:00Z".
fn at_second(at: Millis) -> String {
    Timestamp::from_second(at.0.div_euclid(Millis::SECOND)).unwrap_or_default().to_string()
}

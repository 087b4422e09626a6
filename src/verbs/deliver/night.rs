//! Quiet hours at the claim: no message is begun for a reader whose night it is; it is put off to the morning.

use std::collections::HashMap;

use crate::schedule::hours::night::{Night, Span};
use crate::store::Tx;
use crate::store::delivery::claim::Claimed;
use crate::store::delivery::hours;
use crate::values::clock::Millis;
use crate::values::ids::{IssueId, SubscriberId};

/// What is said of a copy that waits for the morning.
pub(super) const WHY: &str = "it is quiet hours for this reader";

/// Where it is night for everybody, what is due is put off, a piece at a time; gives how many, or `None` by day.
pub(super) async fn put_off(tx: &mut Tx, issue: IssueId, night: Option<&Night>) -> anyhow::Result<Option<usize>> {
    let Some(until) = night.and_then(|night| night.end_for_all(tx.now)) else { return Ok(None) };
    let many = hours::put_off_due(tx, issue, until).await?;
    Ok(Some(usize::try_from(many).unwrap_or(usize::MAX)))
}

/// The nights of readers that were claimed together.
pub(super) struct Nights {
    now: Millis,
    zones: HashMap<SubscriberId, String>,
    /// By zone, as the readers' rows name it: a claim's readers live in few.
    spans: HashMap<String, Option<Span>>,
    night: Option<Night>,
}

impl Nights {
    pub(super) async fn of(tx: &mut Tx, night: Option<&Night>, claimed: &[Claimed]) -> anyhow::Result<Self> {
        let own = night.is_some_and(|night| night.own);
        let zones = match own {
            true => hours::zones_of(tx, claimed.iter().map(|reader| reader.recipient.subscriber())).await?,
            false => Vec::new(),
        };
        Ok(Self { now: tx.now, zones: zones.into_iter().collect(), spans: HashMap::new(), night: night.cloned() })
    }

    /// The night that a reader is in or that comes next.
    pub(super) fn span(&mut self, reader: SubscriberId) -> Option<Span> {
        let night = self.night.as_ref()?;
        let zone = self.zones.get(&reader).map_or("", String::as_str);
        if let Some(span) = self.spans.get(zone) {
            return *span;
        }
        let span = night.span(zone, self.now);
        self.spans.insert(zone.to_owned(), span);
        span
    }
}

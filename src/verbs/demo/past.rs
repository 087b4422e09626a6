//! The weeks before the demo begins: readers join, five issues go out, some readers leave, a few addresses turn out
//! not to exist. Told to the same tables in the same words as if it had happened, each at its time.

use std::collections::BTreeMap;

use anyhow::Context as _;
use jiff::tz::TimeZone;
use serde_json::json;

use super::content::Manuscript;
use super::people::person;
use crate::audience::status::Status;
use crate::issue::parse::parse;
use crate::issue::pictures::{Picture as Shown, Pictures};
use crate::issue::render::render;
use crate::issue::rendered::Rendered;
use crate::issue::tree::{Issue, plain};
use crate::media::Picture;
use crate::store::event::{self, About};
use crate::store::issue::{self, IssueText};
use crate::store::newsletter::Newsletter;
use crate::store::subscriber::{self, NewSubscriber};
use crate::store::subscription::{self, Consent};
use crate::store::suppression::{self, Reason};
use crate::store::{Tx, delivery, media, past, rendering};
use crate::values::address::Address;
use crate::values::clock::Millis;
use crate::values::ids::{IssueId, SubscriberId};

/// Rows of one statement, well below what both engines bind.
const CHUNK: usize = 500;
/// Readers who left, after one of the old issues each.
const LEFT: usize = 30;
/// Readers whose address was refused for good, and who pressed "this is spam".
const BOUNCED: usize = 8;
const COMPLAINED: usize = 4;
/// Readers who signed up and have not confirmed yet.
const PENDING: usize = 20;
/// Of a hundred active readers, so many were there before the oldest issue; the others came in between.
const EARLY_PERCENT: usize = 70;

/// Tells the past of `newsletter`, up to `tx.now`, with `active` readers at its end.
pub(super) struct Past<'a> {
    pub(super) tx: &'a mut Tx,
    pub(super) newsletter: &'a Newsletter,
    pub(super) public_url: &'a str,
    pub(super) pictures: &'a BTreeMap<String, Picture>,
    /// Number of the next invented person.
    next: usize,
    now: Millis,
}

impl<'a> Past<'a> {
    pub(super) fn new(
        tx: &'a mut Tx,
        newsletter: &'a Newsletter,
        public_url: &'a str,
        pictures: &'a BTreeMap<String, Picture>,
    ) -> Self {
        let now = tx.now;
        Self { tx, newsletter, public_url, pictures, next: 0, now }
    }

    /// Tells it. `old` are the issues that went out, the oldest first.
    pub(super) async fn tell(mut self, old: &[Manuscript], active: usize, zone: &TimeZone) -> anyhow::Result<()> {
        let times = tuesdays(self.now, zone, old.len())?;
        let first = times.first().copied().unwrap_or(self.now);
        let early = active * EARLY_PERCENT / 100;
        self.at(first.plus(-30 * Millis::DAY));
        self.imported(early).await?;
        let mut leaving = self.imported(LEFT).await?.into_iter();
        let mut refused = self.imported(BOUNCED).await?.into_iter();
        let mut complaining = self.imported(COMPLAINED).await?.into_iter();
        for (place, (manuscript, at)) in old.iter().zip(&times).enumerate() {
            self.at(at.plus(-3 * Millis::DAY));
            self.signed_up(share(active - early, place, old.len())).await?;
            let gone: Vec<_> = refused.by_ref().take(share(BOUNCED, place, old.len())).collect();
            let issue = self.went_out(manuscript, *at, &gone).await?;
            for id in leaving.by_ref().take(share(LEFT, place, old.len())) {
                self.at(self.tx.now.plus(17 * Millis::MINUTE));
                self.left(id, issue).await?;
            }
            for id in complaining.by_ref().take(share(COMPLAINED, place, old.len())) {
                self.complained(id, issue).await?;
            }
        }
        self.pending().await?;
        self.at(self.now);
        Ok(())
    }

    /// From here on it is then.
    fn at(&mut self, then: Millis) {
        self.tx.now = then;
    }

    /// The next `count` invented people, kept.
    async fn people(&mut self, count: usize) -> anyhow::Result<Vec<SubscriberId>> {
        let mut ids = Vec::with_capacity(count);
        let from = self.next;
        self.next += count;
        for chunk in (from..from + count).collect::<Vec<_>>().chunks(CHUNK) {
            let new: Vec<NewSubscriber> =
                chunk.iter().map(|n| new_subscriber(*n, self.tx.now)).collect::<Result<_, _>>()?;
            let kept = subscriber::keep_many(self.tx, &new).await?;
            ids.extend(kept.into_iter().map(|(_, id)| id));
        }
        Ok(ids)
    }

    async fn imported(&mut self, count: usize) -> anyhow::Result<Vec<SubscriberId>> {
        let consent = Consent {
            text: "Signed the list on the stall at the spring fair".into(),
            source: "spring-fair.csv".into(),
            ip: String::new(),
        };
        self.active(count, &consent, "subscription.imported").await
    }

    async fn signed_up(&mut self, count: usize) -> anyhow::Result<Vec<SubscriberId>> {
        let consent = self.form_consent();
        self.active(count, &consent, "subscription.confirmed").await
    }

    fn form_consent(&self) -> Consent {
        Consent {
            text: self.newsletter.consent_text.clone(),
            source: format!("{}/{}", self.public_url, self.newsletter.slug),
            // RFC 5737: a network for examples.
            ip: "192.0.2.17".into(),
        }
    }

    async fn active(&mut self, count: usize, consent: &Consent, kind: &str) -> anyhow::Result<Vec<SubscriberId>> {
        let ids = self.people(count).await?;
        let detail = json!({"consent": consent.text, "source": consent.source});
        for chunk in ids.chunks(CHUNK) {
            subscription::activate_many(self.tx, self.newsletter.id, chunk, consent).await?;
            event::insert_many(self.tx, kind, self.newsletter.id, None, chunk, &detail).await?;
        }
        Ok(ids)
    }

    async fn pending(&mut self) -> anyhow::Result<()> {
        let consent = self.form_consent();
        for n in 0..PENDING {
            let ago = i64::try_from(PENDING - n)?;
            self.at(self.now.plus(-5 * Millis::HOUR * ago));
            for id in self.people(1).await? {
                subscription::begin(self.tx, self.newsletter.id, id, Status::Pending, &consent).await?;
                let detail = json!({"consent": consent.text, "form": consent.source, "ip": consent.ip});
                event::insert(self.tx, "subscription.signed_up", self.about(id, None), &detail).await?;
            }
        }
        Ok(())
    }

    fn about(&self, subscriber: SubscriberId, issue: Option<IssueId>) -> About {
        About { newsletter: Some(self.newsletter.id), subscriber: Some(subscriber), issue, account: None }
    }

    /// An issue was written, published and delivered, but for those who are `gone`.
    async fn went_out(&mut self, text: &Manuscript, at: Millis, gone: &[SubscriberId]) -> anyhow::Result<IssueId> {
        self.at(at.plus(-5 * Millis::HOUR));
        let parsed = parse(&text.source).issue;
        let id = keep(self.tx, self.newsletter, text, &parsed, self.pictures).await?;
        self.at(at);
        let rendered = self.rendered(&parsed, at)?;
        issue::publish(self.tx, id, 1).await?;
        let masthead = self.newsletter.masthead(self.public_url);
        rendering::insert(self.tx, id, &rendered, &masthead, at).await?;
        let audience = delivery::freeze::freeze(self.tx, id, self.newsletter.id, at).await?;
        let about = About { newsletter: Some(self.newsletter.id), issue: Some(id), ..About::default() };
        event::insert(self.tx, "issue.published", about, &json!({"audience": audience, "hash": rendered.hash})).await?;
        for subscriber in gone {
            self.bounced(*subscriber, id, at).await?;
        }
        past::sent(self.tx, id, at).await?;
        self.at(at.plus(2 * Millis::MINUTE));
        issue::finish(self.tx, id).await?;
        Ok(id)
    }

    fn rendered(&self, parsed: &Issue, at: Millis) -> anyhow::Result<Rendered> {
        let zone = crate::schedule::zone::find(&self.newsletter.zone)?;
        let shown = |(reference, picture): (&String, &Picture)| {
            let url = format!("{}/m/{}", self.public_url, picture.name);
            let (width, height) = (picture.width, picture.height);
            (reference.clone(), Shown { url, width, height, bytes: picture.bytes.len() })
        };
        let pictures: Pictures = self.pictures.iter().map(shown).collect();
        let date = zone.to_datetime(at.timestamp()).date();
        Ok(render(parsed, &self.newsletter.masthead(self.public_url), date, &pictures)?)
    }

    async fn bounced(&mut self, id: SubscriberId, issue: IssueId, at: Millis) -> anyhow::Result<()> {
        const REPLY: &str = "5.1.1 No such mailbox here";
        past::refused(self.tx, issue, id, at, REPLY).await?;
        subscription::end(self.tx, self.newsletter.id, id, Status::Bounced, "hard bounce", Some(issue)).await?;
        self.suppressed(id, Reason::Bounce, &format!("550 {REPLY}")).await
    }

    async fn complained(&mut self, id: SubscriberId, issue: IssueId) -> anyhow::Result<()> {
        subscription::end(self.tx, self.newsletter.id, id, Status::Complained, "complaint", Some(issue)).await?;
        let about = self.about(id, Some(issue));
        event::insert(self.tx, "subscription.left", about, &json!({"how": "complaint"})).await?;
        self.suppressed(id, Reason::Complaint, "a report from the reader's mail site").await
    }

    async fn suppressed(&mut self, id: SubscriberId, reason: Reason, source: &str) -> anyhow::Result<()> {
        let subscriber = subscriber::by_id(self.tx, id).await?.context("a reader of the demo is gone")?;
        suppression::insert(self.tx, &subscriber.address_key, reason, source).await?;
        Ok(())
    }

    async fn left(&mut self, id: SubscriberId, issue: IssueId) -> anyhow::Result<()> {
        let how = if id.0 % 3 == 0 { "page" } else { "one_click" };
        subscription::end(self.tx, self.newsletter.id, id, Status::Unsubscribed, how, Some(issue)).await?;
        event::insert(self.tx, "subscription.left", self.about(id, Some(issue)), &json!({"how": how})).await?;
        Ok(())
    }
}

/// Keeps an issue as a draft, with its pictures.
pub(super) async fn keep(
    tx: &mut Tx,
    newsletter: &Newsletter,
    text: &Manuscript,
    parsed: &Issue,
    pictures: &BTreeMap<String, Picture>,
) -> anyhow::Result<IssueId> {
    let words = IssueText {
        number: parsed.number,
        slug: parsed.slug.clone().context("an issue of the demo has no slug")?,
        subject: plain(&parsed.subject),
        preheader: plain(&parsed.preheader),
        source: text.source.clone(),
    };
    let id = issue::insert(tx, newsletter.id, &words).await?;
    for reference in &text.pictures {
        let picture = pictures.get(reference).context("a picture of the demo is missing")?;
        let size = (i64::from(picture.width), i64::from(picture.height));
        media::insert(tx, &picture.name, picture.content_type, size, &picture.bytes).await?;
        media::name_in_issue(tx, id, reference, &picture.name).await?;
    }
    Ok(id)
}

fn new_subscriber(n: usize, now: Millis) -> anyhow::Result<NewSubscriber> {
    let person = person(n);
    let address = Address::parse(&person.address).with_context(|| format!("invented reader {n}"))?;
    let (address, key) = (address.as_str().to_owned(), address.key());
    Ok(NewSubscriber { id: SubscriberId::new(now), address, key, name: person.name, zone: String::new() })
}

/// The part of `whole` that falls on `place` of `places`, so that all parts add up.
fn share(whole: usize, place: usize, places: usize) -> usize {
    whole * (place + 1) / places - whole * place / places
}

/// The last `count` Tuesdays at nine before today, the oldest first.
fn tuesdays(now: Millis, zone: &TimeZone, count: usize) -> anyhow::Result<Vec<Millis>> {
    let today = zone.to_datetime(now.timestamp()).date();
    let mut day = today.nth_weekday(-1, jiff::civil::Weekday::Tuesday)?;
    let mut times = Vec::new();
    for _ in 0..count {
        let at = zone.to_ambiguous_timestamp(day.at(9, 0, 0, 0)).compatible()?;
        times.push(Millis::from(at));
        day = day.nth_weekday(-1, jiff::civil::Weekday::Tuesday)?;
    }
    times.reverse();
    Ok(times)
}

#[cfg(test)]
mod tests {
    use super::{share, tuesdays};
    use crate::values::clock::Millis;
    use jiff::tz::TimeZone;

    #[test]
    fn shares_add_up() {
        for whole in [0, 1, 4, 8, 30, 151] {
            assert_eq!((0..5).map(|place| share(whole, place, 5)).sum::<usize>(), whole);
        }
    }

    #[test]
    fn the_old_issues_went_out_on_tuesdays_at_nine() {
        let now = Millis("2026-11-24T22:00:00Z".parse::<jiff::Timestamp>().expect("is a time").as_millisecond());
        let zone = TimeZone::get("Europe/Lisbon").expect("is known");
        let days: Vec<String> = tuesdays(now, &zone, 5)
            .expect("are days")
            .iter()
            .map(|at| zone.to_datetime(at.timestamp()).strftime("%a %-d %b %H:%M").to_string())
            .collect();
        assert_eq!(
            days,
            ["Tue 20 Oct 09:00", "Tue 27 Oct 09:00", "Tue 3 Nov 09:00", "Tue 10 Nov 09:00", "Tue 17 Nov 09:00"]
        );
    }
}

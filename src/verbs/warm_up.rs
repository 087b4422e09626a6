//! Warm-up of a sender's domain: the plan before an issue is sent, its days when it is published, and a day of rest
//! where a receiver asks for less. The ramp itself is `delivery::pace::ramp`.

use std::collections::BTreeMap;

use anyhow::Context as _;

use super::app::App;
use super::pace;
use crate::delivery::pace::ramp::{self, Day, Dealer, Want};
use crate::delivery::pace::sites::{SiteKey, Sites};
use crate::store::newsletter::{self, Newsletter};
use crate::store::warm_up::{self, SiteDay};
use crate::store::{Tx, event};
use crate::values::clock::Millis;
use crate::values::ids::{IssueId, NewsletterId, SubscriberId};

/// Readers put off with one statement.
const POSTPONED_AT_ONCE: usize = 1_000;

/// On how many days an issue goes out, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    pub readers: u64,
    /// The sender's domain, if it is being warmed up.
    pub domain: Option<String>,
    /// Messages a day that the relays' limits allow, if they do not allow any number.
    pub limit: Option<u64>,
    pub days: Vec<Day>,
}

/// Begins or ends the warm-up of a newsletter's sender domain. What is under way keeps its days.
///
/// # Errors
/// When the store cannot, or the newsletter is gone.
pub async fn switch(app: &App, newsletter: NewsletterId, on: bool) -> anyhow::Result<()> {
    let mut tx = app.store.write().await?;
    let row = newsletter::by_id(&mut tx, newsletter).await?.context("the newsletter is gone")?;
    let domain = row.sender_domain().to_ascii_lowercase();
    let changed = if on { warm_up::start(&mut tx, &domain).await? } else { warm_up::stop(&mut tx, &domain).await? };
    if changed {
        let about = event::About { newsletter: Some(newsletter), ..event::About::default() };
        event::insert(&mut tx, "warm-up", about, &serde_json::json!({ "domain": domain, "on": on })).await?;
    }
    Ok(tx.commit().await?)
}

/// Whether a newsletter's sender domain is being warmed up.
///
/// # Errors
/// When the store cannot.
pub async fn is_on(tx: &mut Tx, newsletter: &Newsletter) -> anyhow::Result<bool> {
    Ok(warm_up::since(tx, &newsletter.sender_domain().to_ascii_lowercase()).await?.is_some())
}

/// How an issue of this newsletter would go out if it were sent now.
///
/// # Errors
/// When the store cannot.
pub async fn plan(tx: &mut Tx, sites: &Sites, newsletter: &Newsletter) -> anyhow::Result<Plan> {
    let is_on = is_on(tx, newsletter).await?;
    let room = pace::room(tx, newsletter.id).await?;
    let mut by_site: BTreeMap<SiteKey, u64> = BTreeMap::new();
    for (domain, readers) in warm_up::readers_by_domain(tx, newsletter.id).await? {
        *by_site.entry(sites.site_of(&domain, &[])).or_default() += u64::try_from(readers).unwrap_or(0);
    }
    let domain = newsletter.sender_domain().to_ascii_lowercase();
    let past = if is_on { warm_up::days(tx, &domain).await? } else { Vec::new() };
    let today = day_of(tx.now);
    let wants: Vec<Want> =
        by_site.into_iter().map(|(site, readers)| want(site, readers, is_on.then_some(&past), today)).collect();
    let readers = wants.iter().map(|want| want.readers).sum();
    Ok(Plan { readers, domain: is_on.then_some(domain), limit: room.last().copied(), days: ramp::plan(&wants, &room) })
}

/// The same, where a warm-up or limits of relays may spread it over days; `None` where nothing does.
///
/// # Errors
/// When the store cannot.
pub async fn plan_if_limited(tx: &mut Tx, sites: &Sites, newsletter: &Newsletter) -> anyhow::Result<Option<Plan>> {
    if !is_on(tx, newsletter).await? && pace::room(tx, newsletter.id).await?.is_empty() {
        return Ok(None);
    }
    plan(tx, sites, newsletter).await.map(Some)
}

/// Spreads an issue that was frozen in this transaction over the days of its sender's warm-up, if that goes on.
///
/// # Errors
/// When the store cannot.
pub(super) async fn spread(tx: &mut Tx, app: &App, issue: IssueId, newsletter: &Newsletter) -> anyhow::Result<()> {
    if !is_on(tx, newsletter).await? {
        return Ok(());
    }
    let sites = sites(app);
    let domain = newsletter.sender_domain().to_ascii_lowercase();
    let frozen = warm_up::frozen(tx, issue, newsletter.id).await?;
    let mut by_site: BTreeMap<SiteKey, u64> = BTreeMap::new();
    for (_, address, _) in &frozen {
        *by_site.entry(site_of(&sites, address)).or_default() += 1;
    }
    let past = warm_up::days(tx, &domain).await?;
    let first = frozen.iter().map(|(_, _, due)| day_of(Millis(*due))).min().unwrap_or(day_of(tx.now));
    let wants: Vec<Want> = by_site.into_iter().map(|(site, readers)| want(site, readers, Some(&past), first)).collect();
    let mut dealer = Dealer::new(&ramp::plan(&wants, &[]));
    let mut later: BTreeMap<u32, Vec<SubscriberId>> = BTreeMap::new();
    let mut planned: BTreeMap<(SiteKey, i64), i64> = BTreeMap::new();
    for (reader, address, due) in frozen {
        let site = site_of(&sites, &address);
        let day = dealer.day(&site);
        if day > 0 {
            later.entry(day).or_default().push(reader);
        }
        *planned.entry((site, day_of(Millis(due)) + i64::from(day))).or_default() += 1;
    }
    for (day, readers) in later {
        for some in readers.chunks(POSTPONED_AT_ONCE) {
            warm_up::postpone(tx, issue, i64::from(day) * Millis::DAY, some).await?;
        }
    }
    for ((site, day), many) in planned {
        warm_up::add(tx, &domain, site.as_str(), day, many).await?;
    }
    Ok(())
}

/// Takes an issue out of the days again, before it is thawed.
///
/// # Errors
/// When the store cannot.
pub(super) async fn undo(tx: &mut Tx, app: &App, issue: IssueId, newsletter: NewsletterId) -> anyhow::Result<()> {
    let Some(row) = newsletter::by_id(tx, newsletter).await? else { return Ok(()) };
    if !is_on(tx, &row).await? {
        return Ok(());
    }
    let (sites, domain) = (sites(app), row.sender_domain().to_ascii_lowercase());
    let mut planned: BTreeMap<(SiteKey, i64), i64> = BTreeMap::new();
    for (_, address, due) in warm_up::frozen(tx, issue, newsletter).await? {
        *planned.entry((site_of(&sites, &address), day_of(Millis(due)))).or_default() -= 1;
    }
    for ((site, day), many) in planned {
        warm_up::add(tx, &domain, site.as_str(), day, many).await?;
    }
    Ok(())
}

/// A receiver asked for less of a sender that is being warmed up: its next day is no larger than today's, and what was
/// planned from tomorrow on comes a day later. Once a day.
///
/// # Errors
/// When the store cannot.
pub(super) async fn hold_a_day(app: &App, newsletter: NewsletterId, site: &SiteKey) -> anyhow::Result<()> {
    let mut tx = app.store.write().await?;
    let Some(row) = newsletter::by_id(&mut tx, newsletter).await? else { return Ok(()) };
    let (sites, domain, today) = (sites(app), row.sender_domain().to_ascii_lowercase(), day_of(tx.now));
    if !is_on(&mut tx, &row).await? || !warm_up::hold(&mut tx, &domain, site.as_str(), today).await? {
        return Ok(());
    }
    for (issue, newsletter) in warm_up::going_out(&mut tx, &domain).await? {
        let mut moved: BTreeMap<i64, Vec<SubscriberId>> = BTreeMap::new();
        for (reader, address, due) in warm_up::frozen(&mut tx, issue, newsletter).await? {
            let day = day_of(Millis(due));
            if day > today && site_of(&sites, &address) == *site {
                moved.entry(day).or_default().push(reader);
            }
        }
        for (day, readers) in moved {
            for some in readers.chunks(POSTPONED_AT_ONCE) {
                warm_up::postpone(&mut tx, issue, Millis::DAY, some).await?;
            }
            let many = i64::try_from(readers.len()).unwrap_or(0);
            warm_up::add(&mut tx, &domain, site.as_str(), day, -many).await?;
            warm_up::add(&mut tx, &domain, site.as_str(), day + 1, many).await?;
        }
    }
    tx.commit().await?;
    tracing::warn!(domain, site = site.as_str(), "a receiver asked for less; the warm-up holds there for a day");
    Ok(())
}

/// What is known of a site, and what an issue wants of it from the day `first` on. `past`: the domain's days, if it is
/// being warmed up.
fn want(site: SiteKey, readers: u64, past: Option<&Vec<SiteDay>>, first: i64) -> Want {
    let days: Vec<&SiteDay> =
        past.map(|days| days.iter().filter(|day| day.site == site.as_str()).collect()).unwrap_or_default();
    let many = |day: &SiteDay| u64::try_from(day.many).unwrap_or(0);
    let most = past.map(|_| days.iter().filter(|day| day.day < first).map(|day| many(day)).max().unwrap_or(0));
    let last = days.iter().map(|day| day.day).max().unwrap_or(first);
    let taken = (first..=last).map(|at| days.iter().find(|day| day.day == at).map_or(0, |day| many(day))).collect();
    let held = days.iter().filter(|day| day.held && day.day + 1 >= first).map(|day| day.day + 2 - first).max();
    Want { site, readers, most, taken, held: held.and_then(|held| u32::try_from(held).ok()).unwrap_or(0) }
}

/// Days since 1970, in UTC: receivers keep their own days, and nobody says which.
fn day_of(at: Millis) -> i64 {
    at.0.div_euclid(Millis::DAY)
}

fn site_of(sites: &Sites, address: &str) -> SiteKey {
    sites.site_of(address.rsplit_once('@').map_or("", |(_, domain)| domain), &[])
}

/// The table in force; a broken file of the operator's is told where it is read for sending, and holds nothing up.
fn sites(app: &App) -> Sites {
    pace::read_sites(app).unwrap_or_default()
}

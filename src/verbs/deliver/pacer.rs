//! A relay's pace, as its connections ask for it: how many of them may be open, whether a message may leave now, and
//! whether its receiving site is to have it. Connections ask in memory; what must be read or written for the answer a
//! keeper does beside them.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::delivery::pace::adapt::{Adapt, Event, Slow};
use crate::delivery::pace::finder::{Finder, WATCH_MS};
use crate::delivery::pace::gate::{Admit, Ended, Gate, Troubled};
use crate::delivery::pace::meter::{AHEAD_MS, LATE_MS, Limits};
use crate::delivery::pace::sites::{SiteKey, Sites};
use crate::store::relay::Relay;
use crate::store::{node, relay};
use crate::values::clock::Millis;
use crate::values::ids::RelayId;
use crate::verbs::app::App;
use crate::verbs::pace;

/// How often settings are read again: a changed limit counts within so long.
const REFRESH: Duration = Duration::from_millis(700);
/// How often a site's spacing is looked at, where sites have one.
const SITE_TICK: Duration = Duration::from_millis(20);
/// Messages taken at once where only hours and days are limited.
const TAKEN_AT_ONCE: u32 = 128;
/// A wait longer than this is not waited out: what is claimed is given back.
const LONG_WAIT_MS: i64 = 5 * Millis::SECOND;
/// Domains whose site is remembered.
const DOMAINS_MAX: usize = 50_000;
/// How soon a full wire is looked at again; each answer makes room.
const FULL_MS: i64 = 5;

pub(super) struct Pacer {
    app: App,
    relay: Option<RelayId>,
    state: Mutex<State>,
    /// Rung when more may leave than a moment ago.
    changed: Notify,
    /// Rung when what was taken ahead is used up.
    hungry: Notify,
}

struct State {
    limits: Limits,
    most: u32,
    in_doubt_max: usize,
    per_connection: Option<u32>,
    /// This node's part of the connections: how many nodes send, and which of them it is.
    node: (u32, u32),
    adapt: Adapt,
    /// `adapt` has changed since it was written down.
    news: bool,
    /// `None`: the number of connections is given.
    finder: Option<Finder>,
    watch: (Millis, u64),
    moments: VecDeque<Millis>,
    counted_at: Millis,
    /// The limits say wait.
    wait_until: Millis,
    on_wire: usize,
    gate: Gate,
    per_site: bool,
    sites: Sites,
    sites_text: String,
    domains: HashMap<String, SiteKey>,
}

impl Pacer {
    pub(super) fn new(app: App, row: Option<&Relay>, most: usize) -> Self {
        let most = u32::try_from(most).unwrap_or(1).max(1);
        let finder = row.filter(|row| row.connections_max == 0).map(|_| Finder::new(most, false));
        let now = app.clock.now();
        let state = State {
            limits: row.map(Relay::limits).unwrap_or_default(),
            most,
            in_doubt_max: row.map_or(relay::IN_DOUBT_DEFAULT, |row| row.in_doubt_max).unsigned_abs() as usize,
            per_connection: per_connection(row),
            node: (1, 0),
            adapt: Adapt::default(),
            news: false,
            finder,
            watch: (now, 0),
            moments: VecDeque::new(),
            counted_at: now,
            wait_until: Millis(0),
            on_wire: 0,
            gate: Gate::default(),
            per_site: row.is_some_and(|row| row.per_site),
            sites: Sites::default(),
            sites_text: String::new(),
            domains: HashMap::new(),
        };
        let relay = row.map(|row| row.id);
        Self { app, relay, state: Mutex::new(state), changed: Notify::new(), hungry: Notify::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Millis {
        self.app.clock.now()
    }

    /// Connections that there are tasks for: what the settings allow at most.
    pub(super) fn most(&self) -> usize {
        self.state().most as usize
    }

    /// Messages that one connection may have marked and unanswered.
    pub(super) fn window(&self) -> usize {
        let state = self.state();
        (state.in_doubt_max / (state.most as usize).max(1)).max(1)
    }

    /// Whether the connection with that number, from 0, may be open now.
    pub(super) fn has_seat(&self, seat: usize) -> bool {
        seat < self.state().seats(self.now()) as usize
    }

    /// Messages after which a connection is made anew.
    pub(super) fn per_connection(&self) -> Option<u32> {
        let state = self.state();
        let few = state.adapt.per_connection(state.per_connection.unwrap_or(u32::MAX));
        (few < u32::MAX).then_some(few)
    }

    /// When the next message may leave; `None`: now.
    pub(super) fn opens_at(&self) -> Option<Millis> {
        let now = self.now();
        let mut state = self.state();
        if state.on_wire >= state.in_doubt_max.min((state.most * super::MARKED_MAX) as usize) {
            return Some(now.plus(FULL_MS));
        }
        if state.limits(now).is_none() {
            return None;
        }
        while state.moments.front().is_some_and(|at| now.since(*at) > AHEAD_MS + LATE_MS) {
            state.moments.pop_front();
        }
        match state.moments.front() {
            Some(at) if *at <= now => None,
            Some(at) => Some(*at),
            None => {
                self.hungry.notify_one();
                Some(state.wait_until.max(now.plus(FULL_MS)))
            }
        }
    }

    /// Until when nothing may leave, if that is so long that what is claimed should not wait for it.
    pub(super) fn long_wait(&self) -> Option<Millis> {
        let now = self.now();
        let state = self.state();
        let rests = state.adapt.rest_until(now);
        let waits =
            (!state.limits(now).is_none() && state.wait_until.since(now) > LONG_WAIT_MS).then_some(state.wait_until);
        rests.max(waits)
    }

    /// Waits until more may leave, but no longer than `until`.
    pub(super) async fn changed(&self, until: Millis) {
        let long = u64::try_from(until.since(self.now()).clamp(1, Millis::SECOND)).unwrap_or(1);
        tokio::select! {
            () = self.changed.notified() => {}
            () = tokio::time::sleep(Duration::from_millis(long)) => {}
        }
    }

    /// The receiving site of an address.
    pub(super) fn site_of(&self, to: &str) -> SiteKey {
        self.state().site_of(to)
    }

    /// Until when a receiving site takes nothing at all.
    pub(super) fn shut_until(&self, to: &str) -> Option<Millis> {
        let now = self.now();
        let mut state = self.state();
        let site = state.site_of(to);
        state.gate.shut_until(&site, now)
    }

    /// Asks for a message whose turn it is; on [`Admit::Go`] it is on the wire until [`Pacer::off_wire`].
    pub(super) fn ask(&self, to: &str) -> Admit {
        let now = self.now();
        let mut state = self.state();
        let site = state.site_of(to);
        let bounds = state.per_site.then(|| state.sites.rule(&site).bounds().part(state.node));
        let seats = state.seats(now).max(1);
        let admit = state.gate.ask(&site, seats, bounds.as_ref(), now);
        if admit == Admit::Go {
            state.moments.pop_front();
            state.on_wire += 1;
            state.watch.1 += 1;
        }
        admit
    }

    /// How long a site's answer about a recipient is waited for, where it has not answered yet.
    pub(super) fn patience(&self, site: &SiteKey) -> Option<Duration> {
        let ms = self.state().gate.patience_ms(site)?;
        Some(Duration::from_millis(u64::try_from(ms).unwrap_or(0)))
    }

    /// A message has left the wire again, and what that says of its site.
    pub(super) fn off_wire(&self, site: &SiteKey, begun: Millis, ended: Ended) {
        let now = self.now();
        let mut state = self.state();
        state.on_wire = state.on_wire.saturating_sub(1);
        let most = u32::try_from(state.in_doubt_max).unwrap_or(1);
        state.gate.ended(site, begun, ended, most, now);
        if ended == Ended::Answered && state.adapt.is_slowed(state.most, now) {
            let most = state.most;
            state.adapt = state.adapt.clone().after(Event::Taken { begun }, most, now);
            state.news = true;
        }
    }

    /// The relay asks us to be slower, or (`site`) one receiver does.
    pub(super) fn slow(&self, slow: Slow, site: Option<&SiteKey>, begun: Millis) {
        let now = self.now();
        let mut state = self.state();
        let Some(site) = site else {
            let most = state.most;
            state.adapt = state.adapt.clone().after(Event::Slow { slow, begun }, most, now);
            state.news = true;
            drop(state);
            return self.hungry.notify_one();
        };
        let bounds = state.per_site.then(|| state.sites.rule(site).bounds().part(state.node));
        state.gate.slow(site, slow, begun, bounds.as_ref(), now);
    }

    /// The relay refused one connection while others were open.
    pub(super) fn too_many(&self) {
        let mut state = self.state();
        let open = u32::try_from(state.on_wire).unwrap_or(1);
        if let Some(finder) = state.finder.as_mut().filter(|_| open > 0) {
            finder.refused(open);
        }
    }

    /// Receiving sites that are slower than they would be.
    fn troubled(&self) -> Vec<Troubled> {
        let now = self.now();
        self.state().gate.troubled(now)
    }

    /// Reads settings and takes from the limits, until the line ends; then what was taken and not used goes back.
    pub(super) async fn keep(&self, over: CancellationToken, unblock: impl Fn()) {
        self.load().await;
        let mut read_at = tokio::time::Instant::now();
        while !over.is_cancelled() {
            let tick = if self.state().per_site { SITE_TICK } else { REFRESH };
            tokio::select! {
                () = over.cancelled() => {}
                () = self.hungry.notified() => {}
                () = tokio::time::sleep(tick) => {}
            }
            if read_at.elapsed() >= REFRESH {
                read_at = tokio::time::Instant::now();
                if let Err(error) = self.refresh().await {
                    tracing::warn!("a relay's pace cannot be read or written: {error:#}");
                }
                self.app.troubles.keep(self.relay, self.troubled());
            }
            if let Err(error) = self.fill().await {
                tracing::warn!("nothing can be taken from a relay's limits, its mail waits: {error:#}");
            }
            unblock();
        }
        self.app.troubles.keep(self.relay, Vec::new());
        if let Err(error) = self.end().await {
            tracing::warn!("what was taken from a relay's limits and not used is lost: {error:#}");
        }
    }

    /// What is known from before.
    async fn load(&self) {
        let Some(id) = self.relay else { return };
        let Ok(mut tx) = self.app.store.read().await else { return };
        let adapt = pace::read_adapt(&mut tx, id).await.unwrap_or_default();
        let behind = pace::sites_behind(&mut tx, id).await.unwrap_or_default();
        let mut state = self.state();
        state.adapt = adapt;
        if state.per_site && !behind.is_empty() {
            state.gate = Gate::of(&behind);
        }
    }

    async fn refresh(&self) -> anyhow::Result<()> {
        let Some(id) = self.relay else { return Ok(()) };
        let mut tx = self.app.store.read().await?;
        let Some(row) = relay::by_id(&mut tx, id).await? else { return Ok(()) };
        let written = pace::read_adapt(&mut tx, id).await?;
        let nodes = if tx.is_sqlite() { Vec::new() } else { node::all(&mut tx).await? };
        tx.commit().await?;
        self.read_sites();
        let (adapt, kept) = {
            let now = self.now();
            let mut state = self.state();
            state.follow(&row);
            let sending: Vec<_> =
                nodes.iter().filter(|node| node.roles.contains("send") || node.roles.contains("all")).collect();
            let place = sending.iter().position(|node| Some(node.id) == self.app.node.id()).unwrap_or(0);
            state.node = (u32::try_from(sending.len()).unwrap_or(1).max(1), u32::try_from(place).unwrap_or(0));
            state.watch(now);
            let adapt = std::mem::take(&mut state.news).then(|| state.adapt.clone());
            if adapt.is_none() && state.adapt != written {
                // Another node was told to be slower, or a person said "try again now".
                state.adapt = written;
            }
            (adapt, state.per_site.then(|| state.gate.kept(now)))
        };
        self.changed.notify_waiters();
        if let Some(adapt) = adapt {
            pace::write_adapt(&self.app, id, adapt).await?;
        }
        if let Some(kept) = kept.filter(|kept| kept != "{}") {
            pace::write_sites(&self.app, id, &kept).await?;
        }
        Ok(())
    }

    /// The operator's table, read again when it has changed. A broken one changes nothing.
    fn read_sites(&self) {
        let Ok(text) = pace::sites_text(&self.app) else { return };
        let mut state = self.state();
        if state.sites_text == text {
            return;
        }
        match Sites::with(&text) {
            Ok(sites) => (state.sites, state.domains) = (sites, HashMap::new()),
            Err(why) => tracing::error!("{} is not used, the table before it is: {why}", pace::SITES_FILE),
        }
        state.sites_text = text;
    }

    /// Takes ahead what the connections will soon ask for.
    async fn fill(&self) -> anyhow::Result<()> {
        let now = self.now();
        let (limits, wanted) = {
            let state = self.state();
            let limits = state.limits(now);
            if limits.is_none() || !state.moments.is_empty() || state.wait_until > now {
                return Ok(());
            }
            (limits, limits.per_second.unwrap_or(TAKEN_AT_ONCE).min(TAKEN_AT_ONCE))
        };
        let Some(id) = self.relay else { return Ok(()) };
        let granted = pace::take(&self.app, id, &limits, wanted).await?;
        let mut state = self.state();
        match granted {
            Ok(grant) => (state.moments, state.counted_at) = (grant.moments.into(), grant.counted_at),
            Err(wait) => state.wait_until = wait.until,
        }
        drop(state);
        self.changed.notify_waiters();
        Ok(())
    }

    async fn end(&self) -> anyhow::Result<()> {
        let Some(id) = self.relay else { return Ok(()) };
        let (unused, counted_at, adapt) = {
            let mut state = self.state();
            let unused = std::mem::take(&mut state.moments).len();
            let adapt = std::mem::take(&mut state.news).then(|| state.adapt.clone());
            (u32::try_from(unused).unwrap_or(0), state.counted_at, adapt)
        };
        if unused > 0 {
            pace::give_back(&self.app, id, unused, counted_at).await?;
        }
        if let Some(adapt) = adapt {
            pace::write_adapt(&self.app, id, adapt).await?;
        }
        Ok(())
    }
}

impl State {
    /// Limits as they hold now: those of the settings, and what the relay asked for.
    fn limits(&self, now: Millis) -> Limits {
        self.limits.and(&Limits { per_minute: self.adapt.per_minute(now), ..Limits::default() })
    }

    /// Connections that this node may have open.
    fn seats(&self, now: Millis) -> u32 {
        let found = self.finder.as_ref().map_or(self.most, Finder::connections);
        let all = self.adapt.connections(found, now);
        let (nodes, place) = self.node;
        all / nodes + u32::from(place < all % nodes)
    }

    fn site_of(&mut self, to: &str) -> SiteKey {
        let domain = to.rsplit_once('@').map_or("", |(_, domain)| domain);
        if let Some(site) = self.domains.get(domain) {
            return site.clone();
        }
        if self.domains.len() >= DOMAINS_MAX {
            self.domains.clear();
        }
        let site = self.sites.site_of(domain, &[]);
        self.domains.insert(domain.to_owned(), site.clone());
        site
    }

    fn follow(&mut self, row: &Relay) {
        if self.limits != row.limits() {
            (self.limits, self.wait_until) = (row.limits(), Millis(0));
            self.moments.clear();
        }
        self.per_connection = per_connection(Some(row));
        self.per_site = row.per_site;
        self.in_doubt_max = usize::try_from(row.in_doubt_max).unwrap_or(1);
        let most = row.connections_most();
        let finds = row.connections_max == 0;
        if most != self.most || finds != self.finder.is_some() {
            self.most = most;
            self.finder = finds.then(|| Finder::new(most, false));
        }
    }

    /// One watch of the search for the best number of connections, if the wire was never idle meanwhile.
    fn watch(&mut self, now: Millis) {
        let (began, messages) = self.watch;
        let long = now.since(began);
        if long < WATCH_MS {
            return;
        }
        self.watch = (now, 0);
        let busy = self.on_wire >= self.seats(now) as usize && !self.adapt.is_slowed(self.most, now);
        if let Some(finder) = self.finder.as_mut().filter(|_| busy && messages > 0) {
            finder.watched(messages, long);
        }
    }
}

fn per_connection(row: Option<&Relay>) -> Option<u32> {
    row.and_then(|row| row.messages_per_connection).and_then(|many| u32::try_from(many).ok())
}

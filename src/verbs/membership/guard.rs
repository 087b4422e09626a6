//! What keeps robots from using a form as a cannon (list bombing: in 2016 nine people got 81,000 confirmations).
//!
//! Three sieves, all of them the same for the page, the pasted form and JSON. Who fills in the hidden field, or is too
//! fast, is a robot, and sees the page that everybody sees. Then counts, kept in the database over restarts: by
//! network, receiving domain, newsletter and house, each with a soft limit, above which a sign-up must do work first
//! ([`Gate::Work`]), and a hard one. Last, each mailbox gets so many letters and no more, however many ask.

use std::net::IpAddr;

use aws_lc_rs::digest;

use super::joining::SignUp;
use crate::store::form::Form;
use crate::store::newsletter::Newsletter;
use crate::store::spike::{self, Spike};
use crate::store::{Tx, allowance};
use crate::values::address::Address;
use crate::values::clock::Millis;
use crate::values::ids::NewsletterId;
use crate::values::token::Purpose;
use crate::verbs::app::App;
use crate::verbs::notices;

/// Letters that one mailbox gets by sign-ups in any span of a day, over all newsletters.
const LETTERS_A_DAY_MAX: u8 = 3;
/// Letters of one newsletter to one mailbox while a link lasts: the first, and three that are sent again.
const LETTERS_A_LINK_MAX: u8 = 4;
/// How long a link lasts; letters are counted over that span.
pub(super) const LINK_MS: i64 = 7 * Millis::DAY;
/// Between two letters of one newsletter to one mailbox.
const LETTER_GAP_MS: i64 = 10 * Millis::MINUTE;

/// Sign-ups in an hour from one network (/24, /64): a family joins without more, a class does a little work, a robot
/// is told to wait.
const NETWORK_SOFT: i64 = 12;
const NETWORK_MAX: i64 = 40;
/// The same where work was done for each, twice as many.
const NETWORK_WORKED_MAX: i64 = 2 * NETWORK_MAX;
/// From one provider's range (/16, /48): single networks are had by the hundred.
const RANGE_MAX: i64 = 1_000;
/// To mailboxes of one domain: a company's whole staff, and a great provider's share of a good launch.
const DOMAIN_SOFT: i64 = 100;
const DOMAIN_MAX: i64 = 3_000;
/// Of one newsletter: far above a good launch, far below what hurts a relay.
const NEWSLETTER_MAX: i64 = 5_000;
/// Of the whole house.
const HOUSE_MAX: i64 = 20_000;
/// Windows of two days and shorter are kept this long, and no bucket of a link's span is older.
const ALLOWANCE_KEPT_MS: i64 = LINK_MS + Millis::DAY;

/// People need longer than this to fill in a form, robots don't.
const FILL_IN_MS_MIN: i64 = 800;

/// A spike is ten times a usual hour of the week before, and no fewer than this, so that a small newsletter's good day
/// is none.
const SPIKE_TIMES: i64 = 10;
const SPIKE_MIN: i64 = 30;
/// How long work is asked for after the last hour that was a spike.
const SPIKE_MS: i64 = 2 * Millis::HOUR;

/// Leading zero bits of the digest: a quarter of a second on a phone, and twice that for each bit more.
const BITS_MIN: i64 = 16;
const BITS_MAX: i64 = 20;
/// How long a challenge can be answered: a page may stand open a while.
const CHALLENGE_MS: i64 = Millis::HOUR;
/// Without a script, waiting is the work.
pub const SLOW_SECONDS: i64 = 20;
/// And there is not much of it: for those few people from one network, and for all of one newsletter, in an hour.
const SLOW_NETWORK_MAX: i64 = 5;
const SLOW_NEWSLETTER_MAX: i64 = 200;

/// Work that a sign-up is to do: find a text so that the SHA-256 of `token:address:text` begins with `bits` zeros.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Challenge {
    pub token: String,
    pub bits: i64,
}

/// Whether a sign-up may go on.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Gate {
    Open,
    /// Work first, or a wait.
    Work(Challenge),
    /// Too many; nothing is written.
    Closed,
}

/// Who fills in what people do not see, is faster than they are, or forges the form's time.
pub(super) fn is_robot(app: &App, form: &SignUp) -> bool {
    let Some(shown) = &form.shown else { return !form.trap.is_empty() };
    let fast = match app.keys.open(Purpose::Form, shown) {
        Ok([newsletter, at, _]) => {
            newsletter != form.newsletter.id.0 || app.clock.now().since(Millis(at)) < FILL_IN_MS_MIN
        }
        Err(_) => true,
    };
    fast || !form.trap.is_empty()
}

/// The work that a form asks for before anything was typed, if it does now.
///
/// # Errors
/// When the database cannot be read.
pub async fn challenge_now(app: &App, newsletter: &Newsletter, form: &Form) -> anyhow::Result<Option<Challenge>> {
    let mut tx = app.store.read().await?;
    let spike = spike::now(&mut tx, newsletter.id).await?;
    let asked = form.challenge == "always" || (form.challenge == "auto" && spike.is_some());
    Ok(asked.then(|| challenge(app, newsletter.id, tx.now, spike.as_ref())))
}

/// The spike of a newsletter, if there is one now.
///
/// # Errors
/// When the database cannot be read.
pub async fn spike_now(app: &App, newsletter: NewsletterId) -> anyhow::Result<Option<Spike>> {
    Ok(spike::now(&mut app.store.read().await?, newsletter).await?)
}

fn challenge(app: &App, newsletter: NewsletterId, now: Millis, spike: Option<&Spike>) -> Challenge {
    // Each doubling over what makes a spike is a bit more.
    let over = spike.map_or(1, |spike| spike.asked / spike_from(spike.usual).max(1)).max(1);
    let bits = (BITS_MIN + i64::from(over.ilog2())).min(BITS_MAX);
    Challenge { token: app.keys.seal(Purpose::Work, [newsletter.0, now.0, bits]), bits }
}

/// Sign-ups in an hour from which it is a spike; `usual` is a usual hour's, times a hundred.
fn spike_from(usual: i64) -> i64 {
    (usual * SPIKE_TIMES / 100).max(SPIKE_MIN)
}

/// Counts a sign-up everywhere and says whether it may go on. Says nothing about the address.
pub(super) async fn pass(app: &App, tx: &mut Tx, form: &SignUp) -> anyhow::Result<Gate> {
    let newsletter = form.newsletter.id;
    let spike = look_for_spike(app, tx, &form.newsletter).await?;
    let network = count(app, tx, &format!("sign-ups from {}", network_of(form.ip))).await?;
    let range = count(app, tx, &format!("sign-ups from {}", range_of(form.ip))).await?;
    let domain = count(app, tx, &format!("sign-ups to {}", form.address.domain())).await?;
    let here = count(app, tx, &format!("sign-ups of {newsletter}")).await?;
    let house = count(app, tx, "sign-ups").await?;
    if house == 1 {
        allowance::sweep(tx, ALLOWANCE_KEPT_MS).await?;
    }
    let worked = worked(app, tx, form).await?;
    let from_network = if worked { NETWORK_WORKED_MAX } else { NETWORK_MAX };
    let over = network > from_network || range > RANGE_MAX || domain > DOMAIN_MAX;
    if over || here > NEWSLETTER_MAX || house > HOUSE_MAX {
        return Ok(Gate::Closed);
    }
    let asks = match form.form.challenge.as_str() {
        "always" => true,
        "off" => false,
        _ => spike.is_some() || network > NETWORK_SOFT || domain > DOMAIN_SOFT,
    };
    Ok(if asks && !worked { Gate::Work(challenge(app, newsletter, tx.now, spike.as_ref())) } else { Gate::Open })
}

async fn count(app: &App, tx: &mut Tx, what: &str) -> anyhow::Result<i64> {
    Ok(allowance::count(tx, &app.keys.fingerprint(what), Millis::HOUR).await?)
}

/// Counts the sign-up into its hour. A spike begins, or goes on; of a new one the editors are told.
async fn look_for_spike(app: &App, tx: &mut Tx, newsletter: &Newsletter) -> anyhow::Result<Option<Spike>> {
    let (asked, usual) = spike::count(tx, newsletter.id).await?;
    if asked > spike_from(usual) {
        let until = tx.now.plus(SPIKE_MS);
        if spike::keep(tx, newsletter.id, until, asked, usual).await? {
            notices::tell(app, tx, newsletter, &notices::spike(app, newsletter, asked, usual)).await?;
        }
    }
    Ok(spike::now(tx, newsletter.id).await?)
}

/// Whether the work was done, or waited for.
async fn worked(app: &App, tx: &mut Tx, form: &SignUp) -> anyhow::Result<bool> {
    let Some(token) = &form.challenge else { return Ok(false) };
    let Ok([newsletter, at, bits]) = app.keys.open(Purpose::Work, token) else { return Ok(false) };
    let age = tx.now.since(Millis(at));
    if newsletter != form.newsletter.id.0 || !(0..CHALLENGE_MS).contains(&age) {
        return Ok(false);
    }
    if !form.work.is_empty() {
        return Ok(zeros(token, &form.typed, &form.work) >= bits);
    }
    let waited = age >= SLOW_SECONDS * Millis::SECOND;
    Ok(waited
        && count(app, tx, &format!("slow sign-ups from {}", network_of(form.ip))).await? <= SLOW_NETWORK_MAX
        && count(app, tx, &format!("slow sign-ups of {newsletter}")).await? <= SLOW_NEWSLETTER_MAX)
}

/// Zero bits that the digest of a piece of work begins with.
fn zeros(token: &str, typed: &str, work: &str) -> i64 {
    let digest = digest::digest(&digest::SHA256, format!("{token}:{}:{work}", typed.trim()).as_bytes());
    let whole = digest.as_ref().iter().take_while(|byte| **byte == 0).count();
    let rest = digest.as_ref().get(whole).map_or(0, |byte| byte.leading_zeros());
    i64::try_from(whole).unwrap_or(0) * 8 + i64::from(rest)
}

/// Whether this mailbox, in whatever spelling, may get another letter of a sign-up now.
pub(super) async fn may_write(app: &App, tx: &mut Tx, newsletter: NewsletterId, to: &Address) -> anyhow::Result<bool> {
    let mailbox = to.base_key();
    let gap = app.keys.fingerprint(&format!("letters of {newsletter} to {mailbox}"));
    let link = app.keys.fingerprint(&format!("letters of {newsletter} to {mailbox} while a link lasts"));
    let day = app.keys.fingerprint(&format!("letters to {mailbox}"));
    Ok(allowance::slot(tx, &gap, 1, LETTER_GAP_MS).await?
        && allowance::slot(tx, &day, LETTERS_A_DAY_MAX, Millis::DAY).await?
        && allowance::slot(tx, &link, LETTERS_A_LINK_MAX, LINK_MS).await?)
}

/// The network that limits count and proofs name: a home's or a provider's, since single addresses are had by the
/// million, and a whole one is more than a proof needs.
#[must_use]
pub fn network_of(ip: IpAddr) -> String {
    match ip.to_canonical() {
        IpAddr::V4(ip) => {
            let [a, b, c, _] = ip.octets();
            format!("{a}.{b}.{c}.0/24")
        }
        IpAddr::V6(ip) => {
            let [a, b, c, d, ..] = ip.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
    }
}

/// The wider range that a network lies in.
fn range_of(ip: IpAddr) -> String {
    match ip.to_canonical() {
        IpAddr::V4(ip) => {
            let [a, b, ..] = ip.octets();
            format!("{a}.{b}.0.0/16")
        }
        IpAddr::V6(ip) => {
            let [a, b, c, ..] = ip.segments();
            format!("{a:x}:{b:x}:{c:x}::/48")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{network_of, range_of, spike_from, zeros};

    #[test]
    fn limits_count_networks() {
        for (ip, network, range) in [
            ("192.0.2.77", "192.0.2.0/24", "192.0.0.0/16"),
            ("::ffff:192.0.2.77", "192.0.2.0/24", "192.0.0.0/16"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64", "2001:db8:1::/48"),
        ] {
            let ip = ip.parse().expect("an address");
            assert_eq!((network_of(ip).as_str(), range_of(ip).as_str()), (network, range));
        }
    }

    #[test]
    fn a_spike_is_ten_usual_hours_and_never_a_handful() {
        for (usual, from) in [(0, 30), (100, 30), (1_000, 100), (50_000, 5_000)] {
            assert_eq!(spike_from(usual), from);
        }
    }

    #[test]
    fn work_can_be_done_and_is_for_one_address() {
        let done = (0..100_000).map(|n| n.to_string()).find(|work| zeros("token", "ann@readers.example", work) >= 10);
        let work = done.expect("one in a thousand fits");
        assert!(zeros("token", " ann@readers.example ", &work) >= 10);
        assert!(zeros("token", "bo@readers.example", &work) < 10);
    }
}

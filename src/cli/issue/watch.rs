//! How sending is getting on: counts, pace, what rests, and waiting for the end.

use std::io::IsTerminal as _;
use std::time::Duration;

use super::{Global, StatusArgs, known};
use crate::cli::{exit, print};
use crate::store::delivery::Problem;
use crate::store::issue::IssueState;
use crate::values::clock::Millis;
use crate::values::ids::IssueId;
use crate::verbs::app::App;
use crate::verbs::progress::{self, Progress, RelayStanding};
use crate::verbs::refusal::Refusal;

/// Problems shown: what fits under the numbers.
const PROBLEMS_SHOWN: i64 = 10;
/// Between the two looks that show a pace.
const MEASURED_OVER: Duration = Duration::from_secs(1);
/// Between two looks while waiting: often enough to feel live, seldom enough to cost nothing.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Without a terminal, a line after this many looks.
const LOOKS_PER_LINE: u32 = 20;

pub(super) async fn status(global: &Global, app: &App, args: &StatusArgs) -> anyhow::Result<()> {
    let progress = if args.wait { wait(app, args.id).await? } else { measured(app, args.id).await? };
    let problems = progress::problems(app, args.id, PROBLEMS_SHOWN).await?;
    if global.json {
        return print::json(&Seen { progress: &progress, problems: &problems });
    }
    let issue = known(app, args.id).await?;
    let lines = described(&issue.subject, &progress);
    let lines = lines.into_iter().chain(progress.relays.iter().flat_map(relay)).chain(ways_on(args.id, &progress));
    lines.chain(last(&problems)).try_for_each(|line| print::line(&line))
}

#[derive(serde::Serialize)]
struct Seen<'a> {
    #[serde(flatten)]
    progress: &'a Progress,
    problems: &'a [Problem],
}

/// Twice while it is sent: a pace shows between two looks.
async fn measured(app: &App, id: IssueId) -> anyhow::Result<Progress> {
    let first = look(app, id).await?;
    let held = first.hold_until.is_some_and(|until| until > app.clock.now());
    if first.state != IssueState::Sending || held || first.freezing || first.left() == 0 {
        return Ok(first);
    }
    tokio::time::sleep(MEASURED_OVER).await;
    look(app, id).await
}

async fn look(app: &App, id: IssueId) -> anyhow::Result<Progress> {
    Ok(progress::status(app, id).await?.ok_or(Refusal::NoSuchIssue)?)
}

fn described(subject: &str, progress: &Progress) -> Vec<String> {
    let counts = &progress.counts;
    let mut lines = vec![format!("\"{subject}\" is {}", progress.state.as_str())];
    lines.extend(Some(format!("  {}", progress.state_reason)).filter(|line| !line.trim().is_empty()));
    for (what, count) in [
        ("audience", counts.audience),
        ("pending", counts.pending),
        ("claimed", counts.claimed),
        ("in flight", counts.inflight),
        ("sent", counts.sent),
        ("failed", counts.failed),
        ("skipped", counts.skipped),
        ("in doubt", counts.in_doubt),
    ] {
        lines.push(format!("  {what:<10}{count:>9}"));
    }
    if progress.freezing {
        lines.push("  the list of readers is being written; nothing leaves before it is whole".into());
    }
    if let Some(until) = progress.quiet_until.filter(|_| progress.state == IssueState::Sending) {
        lines.push(format!("  it is quiet hours; nothing is begun before {}", time(until)));
    }
    if let Some(next) = progress.waiting_next {
        lines.push(format!("  {} wait for their hour; the next at {}", progress.waiting, time(next)));
    }
    if let Some(next) = progress.deferred_next {
        lines.push(format!("  {} are tried again later; the next at {}", progress.deferred, time(next)));
    }
    if let Some(pace) = progress.per_minute.filter(|_| progress.state == IssueState::Sending) {
        let about = progress.done_about.map(|at| format!("; done about {}", time(at))).unwrap_or_default();
        lines.push(format!("  {pace:.0} a minute now{about}"));
    }
    lines
}

fn time(at: Millis) -> String {
    at.timestamp().strftime("%a %-d %b %Y %H:%M:%S UTC").to_string()
}

/// A relay in a line, and one for each receiving site in trouble behind it.
fn relay(relay: &RelayStanding) -> Vec<String> {
    let state = match (relay.rests_until, relay.connections) {
        (Some(until), _) => format!("rests until {}", time(until)),
        (None, some) if some < relay.connections_max => {
            format!("takes mail, {some} of {} connections", relay.connections_max)
        }
        (None, _) => format!("takes mail, up to {} connections", relay.connections_max),
    };
    let slowed = relay.slowed_to_per_minute.map(|many| format!(", {many} a minute"));
    let why = relay.why.as_ref().map(|why| format!(": {why}"));
    let mut lines =
        vec![format!("  relay {}: {state}{}{}", relay.name, slowed.unwrap_or_default(), why.unwrap_or_default())];
    let span = |limit: Option<i64>, used: u32, span: &str| limit.map(|limit| format!("{used} of {limit} in {span}"));
    let used =
        [span(relay.per_hour, relay.used_in_hour, "an hour"), span(relay.per_day, relay.used_in_day, "24 hours")];
    let used: Vec<String> = used.into_iter().flatten().collect();
    lines.extend(Some(format!("    used {}", used.join(", "))).filter(|_| !used.is_empty()));
    lines.extend(relay.sites.iter().map(|site| match site.rests_until {
        Some(until) => format!("    {} rests until {}", site.site, time(until)),
        None => format!("    {} is slow: {} on the wire, {} silent", site.site, site.on_the_wire, site.silent),
    }));
    lines
}

/// What may come, and what waits for a word.
fn ways_on(id: IssueId, progress: &Progress) -> Vec<String> {
    let mut lines = Vec::new();
    if progress.in_doubt_at_most > 0 && progress.state == IssueState::Sending {
        let many = progress.in_doubt_at_most;
        lines.push(format!("  at most {many} readers are in doubt if the machine that sends dies now"));
    }
    if progress.counts.in_doubt > 0 {
        lines.push(format!("  what is in doubt waits for your word: broadsheet issue doubt list {id}"));
    }
    lines
}

fn last(problems: &[Problem]) -> Vec<String> {
    let line = |problem: &Problem| {
        let code = problem.reply_code.map(|code| format!("{code} ")).unwrap_or_default();
        let at = Millis(problem.at).timestamp().strftime("%d %b %H:%M:%S UTC").to_string();
        format!("  {at}  {}  {}: {code}{}", problem.address, problem.outcome, problem.reply_text)
    };
    let head = Some("last problems:".to_owned()).filter(|_| !problems.is_empty());
    head.into_iter().chain(problems.iter().map(line)).collect()
}

/// Shows progress until nothing is left to send. Somebody else sends: a running `serve`.
///
/// # Errors
/// When there is no such issue, or it was not sent to the end.
pub(super) async fn wait(app: &App, id: IssueId) -> anyhow::Result<Progress> {
    let bar = print::bar(0);
    let mut looks = tokio::time::interval(LOOK_EVERY);
    let mut count = 0_u32;
    let seen = loop {
        looks.tick().await;
        let seen = look(app, id).await?;
        let settled = seen.counts.total() - seen.counts.unfinished();
        bar.set_length(u64::try_from(seen.counts.audience)?);
        bar.set_position(u64::try_from(settled)?);
        bar.set_message(note_on(&seen));
        if !std::io::stderr().is_terminal() && count.is_multiple_of(LOOKS_PER_LINE) {
            print::note(&format!("{settled} of {} {}", seen.counts.audience, note_on(&seen)));
        }
        count = count.wrapping_add(1);
        if !matches!(seen.state, IssueState::Sending | IssueState::Paused | IssueState::Scheduled | IssueState::Ready) {
            break seen;
        }
    };
    bar.finish_and_clear();
    match seen.state {
        IssueState::Sent => Ok(seen),
        other => {
            print::note(&format!("The issue is {} now, so there is nothing to wait for.", other.as_str()));
            Err(exit::Silent(exit::FAILED).into())
        }
    }
}

fn note_on(seen: &Progress) -> String {
    match (&seen.relay_paused_reason, seen.counts.failed) {
        (Some(why), _) => format!("the relay takes no mail now: {why}"),
        (None, 0) => seen.state.as_str().to_owned(),
        (None, failed) => format!("{}, {failed} failed", seen.state.as_str()),
    }
}

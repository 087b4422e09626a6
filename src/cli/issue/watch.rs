//! How sending is getting on: counts, every copy, and waiting for the end.

use std::io::IsTerminal as _;
use std::time::Duration;

use super::{DeliveriesArgs, Global, StatusArgs, known};
use crate::audience::export;
use crate::cli::{exit, print};
use crate::schedule::wall;
use crate::store::delivery::DeliveryRow;
use crate::store::issue::IssueState;
use crate::values::clock::Millis;
use crate::values::ids::IssueId;
use crate::verbs::app::App;
use crate::verbs::progress::{self, Progress};
use crate::verbs::refusal::Refusal;

/// Rows read at once for a list of deliveries.
const PAGE_ROWS: i64 = 1_000;
/// Between two looks while waiting: often enough to feel live, seldom enough to cost nothing.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Without a terminal, a line after this many looks.
const LOOKS_PER_LINE: u32 = 20;

pub(super) async fn status(global: &Global, app: &App, args: &StatusArgs) -> anyhow::Result<()> {
    let progress = if args.wait { wait(app, args.id).await? } else { look(app, args.id).await? };
    if global.json {
        return print::json(&progress);
    }
    let issue = known(app, args.id).await?;
    for line in described(&issue.subject, &progress) {
        print::line(&line)?;
    }
    Ok(())
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
    if let Some(next) = progress.waiting_next {
        let when = wall::say(next, &jiff::tz::TimeZone::UTC);
        lines.push(format!("  {} wait for their hour; the next at {when}", progress.waiting));
    }
    lines.extend(progress.relay_paused_reason.as_ref().map(|why| format!("  the relay takes no mail now: {why}")));
    lines
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

pub(super) async fn deliveries(global: &Global, app: &App, args: &DeliveriesArgs) -> anyhow::Result<()> {
    known(app, args.id).await?;
    if args.csv {
        print::line(HEADS.join(",").as_str())?;
    }
    let (mut after, mut all) = (None, Vec::new());
    loop {
        let page = progress::deliveries(app, args.id, after, args.state, PAGE_ROWS).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.subscriber_id);
        match args.csv {
            true => page.iter().try_for_each(|row| print::line(&csv_line(row)))?,
            false => all.extend(page),
        }
    }
    match (args.csv, global.json) {
        (true, _) => Ok(()),
        (false, true) => print::json(&all),
        (false, false) => print::table(&HEADS, all.iter().map(|row| cells(row).to_vec())),
    }
}

const HEADS: [&str; 8] = ["address", "state", "attempts", "reply", "stage", "reason", "first_at", "settled_at"];

fn csv_line(row: &DeliveryRow) -> String {
    let cells = cells(row);
    export::row(&cells.each_ref().map(String::as_str)).trim_end().to_owned()
}

fn cells(row: &DeliveryRow) -> [String; 8] {
    let time = |at: Option<i64>| at.map(|at| Millis(at).timestamp().to_string()).unwrap_or_default();
    let reply = [row.reply_code.map(|code| code.to_string()), row.reply_text.clone()];
    [
        row.address.clone(),
        row.state.as_str().to_owned(),
        row.attempts.to_string(),
        reply.into_iter().flatten().collect::<Vec<_>>().join(" "),
        row.stage.clone().unwrap_or_default(),
        row.reason.clone().unwrap_or_default(),
        time(row.first_at),
        time(row.settled_at),
    ]
}

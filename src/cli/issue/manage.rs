//! Times and changes of state: the verbs of `verbs::publish`.

use anyhow::Context as _;
use jiff::tz::TimeZone;
use serde_json::json;

use super::{Global, ListArgs, ScheduleArgs, known};
use crate::cli::hours::HoursArgs;
use crate::cli::print;
use crate::schedule::hours::forecast::Forecast;
use crate::schedule::hours::{Hours, Wishes};
use crate::schedule::{Schedule, wall, zone};
use crate::store::issue::{IssueRow, IssueState};
use crate::store::newsletter::Newsletter;
use crate::store::{self};
use crate::values::clock::Millis;
use crate::values::ids::IssueId;
use crate::verbs::app::App;
use crate::verbs::problem::Problem;
use crate::verbs::{hours, newsletters, publish};

pub(super) async fn schedule(global: &Global, app: &App, args: ScheduleArgs) -> anyhow::Result<()> {
    let issue = known(app, args.id).await?;
    let newsletter = newsletter_of(app, &issue).await?;
    let Some(at) = &args.at else {
        if !args.dry_run {
            hours::set(app, issue.id, wished(&args.hours, &issue, &newsletter)?.0).await?;
        }
        return next_slot(global, app, &issue, &newsletter, args.dry_run).await;
    };
    let (wishes, hours) = wished(&args.hours, &issue, &newsletter)?;
    if let (Some(_), Some(zone)) = (hours.local, &args.zone) {
        return Err(Problem::Invalid(format!(
            "this issue goes out at each reader's own hour, so --zone {zone} says nothing; leave it out, or add --local \
             off. Nothing was scheduled"
        ))
        .into());
    }
    hours::agree(wishes.local, at).map_err(Problem::Invalid)?;
    let mut tx = app.store.read().await?;
    let zone = args.zone.as_deref().unwrap_or(&newsletter.zone);
    let moment = hours::moment(&mut tx, &newsletter, &hours, at, zone).await?;
    let begin = hours::Begin { wall: Some(moment.wall), passed_before: moment.at, start: moment.at };
    let (_, forecast) = hours::outlook(&mut tx, &newsletter, &hours, begin).await?;
    tx.commit().await?;
    if !args.dry_run {
        let text = moment.wall.strftime("%Y-%m-%dT%H:%M").to_string();
        publish::schedule(app, issue.id, moment.at, &text, &moment.zone).await?;
        hours::set(app, issue.id, wishes).await?;
    }
    if let Some(note) = &moment.note {
        print::note(note);
    }
    let when = wall::say(moment.at, &zone::find(&moment.zone)?);
    if global.json {
        return print::json(&json!({
            "id": issue.id, "at": moment.at, "when": when, "note": moment.note, "dry_run": args.dry_run,
            "hours": wishes.to_string(), "forecast": forecast
        }));
    }
    let done = if args.dry_run { "Would be scheduled" } else { "Scheduled" };
    let goes = match hours.local {
        Some(_) => format!("at {} of each reader's own zone", moment.wall.strftime("%H:%M on %a %-d %b %Y")),
        None => format!("on {when}"),
    };
    print::line(&format!("{done}: \"{}\" of {} goes out {goes}.", issue.subject, newsletter.name))?;
    say_hours(&hours, forecast.as_ref(), &newsletter)
}

/// What an issue will say of its hours, and what holds for it then.
pub(super) fn wished(args: &HoursArgs, issue: &IssueRow, newsletter: &Newsletter) -> anyhow::Result<(Wishes, Hours)> {
    let wishes = args.wishes().map_err(Problem::Invalid)?.over(issue.hours.parse().unwrap_or_default());
    Ok((wishes, Wishes::effective(&wishes.to_string(), &newsletter.hours)))
}

/// The hours in words, and what they come to.
pub(super) fn say_hours(hours: &Hours, forecast: Option<&Forecast>, newsletter: &Newsletter) -> anyhow::Result<()> {
    let Some(forecast) = forecast else { return Ok(()) };
    for words in hours.words() {
        print::line(&format!("  {words}"))?;
    }
    print::line(&format!("  {} readers: {}", forecast.readers, forecast.sentence(&newsletter.zone)))
}

async fn next_slot(
    global: &Global,
    app: &App,
    issue: &IssueRow,
    newsletter: &Newsletter,
    dry_run: bool,
) -> anyhow::Result<()> {
    let slot = newsletter.slot.as_ref().ok_or_else(|| {
        Problem::Refused(format!(
            "{} has no weekly slot, so nothing was changed; give it one: broadsheet newsletter set {} --slot \"weekly SUN 09:00\"",
            newsletter.name, newsletter.slug
        ))
    })?;
    let (schedule, tz) = (slot.parse::<Schedule>()?, zone::find(&newsletter.zone)?);
    if !dry_run {
        publish::mark_ready(app, issue.id).await?;
    }
    let next = schedule.next(&tz, app.clock.now(), 1);
    let when = next.first().map(|firing| wall::say(firing.at, &tz)).context("the slot never comes")?;
    if global.json {
        return print::json(&json!({ "id": issue.id, "state": "ready", "next_slot": when, "dry_run": dry_run }));
    }
    print::line(&format!("\"{}\" is ready; the next slot of {} is {when}.", issue.subject, newsletter.name))
}

pub(super) async fn unschedule(global: &Global, app: &App, id: IssueId) -> anyhow::Result<()> {
    match known(app, id).await?.state {
        IssueState::Ready => publish::unmark_ready(app, id).await?,
        _ => publish::unschedule(app, id).await?,
    }
    done(global, app, id, "is a draft again; it will not go out by itself").await
}

pub(super) async fn pause(global: &Global, app: &App, id: IssueId, why: &str) -> anyhow::Result<()> {
    publish::pause(app, id, why).await?;
    done(global, app, id, "is paused; nothing more leaves until it is resumed").await
}

pub(super) async fn resume(global: &Global, app: &App, id: IssueId) -> anyhow::Result<()> {
    publish::resume(app, id).await?;
    done(global, app, id, "goes on").await
}

pub(super) async fn undo(global: &Global, app: &App, id: IssueId) -> anyhow::Result<()> {
    publish::undo(app, id).await?;
    done(global, app, id, "is a draft again; nobody was sent anything").await
}

pub(super) async fn cancel(global: &Global, app: &App, id: IssueId, yes: bool) -> anyhow::Result<()> {
    let issue = known(app, id).await?;
    print::confirm(&format!("Everybody who has not got \"{}\" yet will never get it.", issue.subject), yes)?;
    let skipped = publish::cancel(app, id).await?;
    done(global, app, id, &format!("is cancelled; {skipped} readers were skipped")).await
}

async fn done(global: &Global, app: &App, id: IssueId, what: &str) -> anyhow::Result<()> {
    let issue = known(app, id).await?;
    if global.json {
        return print::json(&json!({ "id": id, "state": issue.state }));
    }
    print::line(&format!("\"{}\" {what}.", issue.subject))
}

pub(super) async fn list(global: &Global, app: &App, args: ListArgs) -> anyhow::Result<()> {
    let mut tx = app.store.read().await?;
    let newsletter = match &args.newsletter {
        Some(slug) => Some(newsletters::find(&mut tx, slug).await?.id),
        None => None,
    };
    let rows = store::issue::list(&mut tx, newsletter, &args.state, args.limit).await?;
    tx.commit().await?;
    if global.json {
        return print::json(&rows);
    }
    if rows.is_empty() {
        return print::line("There is no such issue.");
    }
    let row = |issue: &IssueRow| {
        let number = issue.number.map(|number| number.to_string()).unwrap_or_default();
        let readers = if issue.audience > 0 { issue.audience.to_string() } else { String::new() };
        vec![issue.id.to_string(), number, issue.subject.clone(), issue.state.as_str().into(), when(issue), readers]
    };
    print::table(&["id", "no.", "subject", "state", "when", "readers"], rows.iter().map(row))
}

/// When it goes out or went out.
fn when(issue: &IssueRow) -> String {
    let zone = issue.scheduled_zone.as_deref().and_then(|zone| zone::find(zone).ok()).unwrap_or(TimeZone::UTC);
    let at = issue.published_at.or(issue.scheduled_at);
    at.map(|at| wall::say(Millis(at), &zone)).unwrap_or_default()
}

pub(super) async fn newsletter_of(app: &App, issue: &IssueRow) -> anyhow::Result<Newsletter> {
    let mut tx = app.store.read().await?;
    store::newsletter::by_id(&mut tx, issue.newsletter_id).await?.context("the issue's newsletter is gone")
}

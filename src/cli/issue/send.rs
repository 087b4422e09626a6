//! `issue add`, `test`, `send`: from a file to the readers.

use std::path::Path;
use std::time::Duration;

use serde_json::json;

use super::manage::{newsletter_of, say_hours, wished};
use super::{Global, SendArgs, TestArgs, known, watch};
use crate::cli::{exit, issue_file, print};
use crate::delivery::state::DeliveryState;
use crate::schedule::{wall, zone};
use crate::store::newsletter::Newsletter;
use crate::values::address::Address;
use crate::values::clock::Millis;
use crate::verbs::app::App;
use crate::verbs::editing;
use crate::verbs::hours::{self, Begin};
use crate::verbs::newsletters;
use crate::verbs::problem::Problem;
use crate::verbs::publish::{self, Published};
use crate::verbs::test_mail::{self, Answered};

/// How long a test's answer is waited for: a relay that is well answers within a second.
const ANSWER_WAITED_FOR: Duration = Duration::from_secs(15);

pub(super) async fn add(global: &Global, app: &App, file: &Path, newsletter: &str) -> anyhow::Result<()> {
    let source = issue_file::read(file)?;
    let mut tx = app.store.read().await?;
    let newsletter = newsletters::find(&mut tx, newsletter).await?;
    tx.commit().await?;
    let added = editing::add_issue(app, newsletter.id, &source, Some(file.parent().unwrap_or(Path::new("")))).await?;
    if global.json {
        return print::json(&added);
    }
    if !added.findings.is_empty() {
        print::note(issue_file::listing::listing(file, &source, &added.findings, false).trim_end());
    }
    print::line(&format!("Kept \"{}\" as a draft of {}: {}", added.subject, newsletter.name, added.id))
}

pub(super) async fn test(global: &Global, app: &App, args: TestArgs) -> anyhow::Result<()> {
    let parse = |text: &String| {
        Address::parse(text).map_err(|why| Problem::Invalid(format!("\"{text}\": {why}; nothing was sent")))
    };
    let to: Vec<Address> = args.to.iter().map(parse).collect::<Result<_, _>>()?;
    let letters = test_mail::send_test(app, args.id, &to).await?;
    let patience = if args.no_wait { Duration::ZERO } else { ANSWER_WAITED_FOR };
    let answers = test_mail::answers(app, &letters, patience).await?;
    if global.json {
        print::json(&json!({ "id": args.id, "letters": letters, "answers": answers }))?;
    } else {
        answers.iter().try_for_each(|answer| print::line(&answered(answer)))?;
        if answers.iter().any(|answer| !answer.is_over()) {
            print::note(&format!(
                "What waits is sent by a running `broadsheet serve`; start one if none runs. Its answer then stands at \
                 {}/desk/issue/{}/test",
                app.config.public_url, args.id
            ));
        }
    }
    let refused = answers.iter().any(|answer| answer.is_over() && answer.state != DeliveryState::Sent);
    if refused { Err(exit::Silent(exit::FAILED).into()) } else { Ok(()) }
}

fn answered(answer: &Answered) -> String {
    let code = answer.code.map(|code| format!("{code} ")).unwrap_or_default();
    let (address, reply) = (&answer.address, format!("{code}{}", answer.reply));
    match answer.state {
        DeliveryState::Sent => format!("{address}: taken by the relay: {reply}"),
        DeliveryState::InDoubt => format!("{address}: nobody knows whether the relay took it: {reply}"),
        _ if answer.is_over() => format!("{address}: refused: {reply}"),
        _ if answer.reply.is_empty() => format!("{address}: waits"),
        _ => format!("{address}: is tried again later: {reply}"),
    }
}

pub(super) async fn send(global: &Global, app: &App, args: SendArgs) -> anyhow::Result<()> {
    let issue = known(app, args.id).await?;
    let newsletter = newsletter_of(app, &issue).await?;
    if issue.state.is_editable() {
        publish::checked(app, args.id).await?;
    }
    let mut tx = app.store.read().await?;
    let (wishes, hours) = wished(&args.hours, &issue, &newsletter)?;
    let hold = args.hold.unwrap_or(i64::try_from(app.config.hold_seconds)? * Millis::SECOND);
    let begin = Begin { wall: None, passed_before: tx.now, start: tx.now.plus(hold) };
    let (readers, forecast) = hours::outlook(&mut tx, &newsletter, &hours, begin).await?;
    tx.commit().await?;
    let sentence = format!("Send \"{}\" to {readers} readers of {} now.", issue.subject, newsletter.name);
    if !global.json {
        say_hours(&hours, forecast.as_ref(), &newsletter)?;
    }
    if args.dry_run {
        return told(
            global,
            &json!({ "id": issue.id, "audience": readers, "dry_run": true, "forecast": forecast }),
            &format!("Would be done: {sentence}"),
        );
    }
    print::confirm(&sentence, args.yes)?;
    if issue.state.is_editable() {
        hours::set(app, args.id, wishes).await?;
    }
    let published = publish::send(app, args.id, hold).await?;
    say(global, &issue.subject, &newsletter, published, &args)?;
    if args.wait {
        watch::wait(app, args.id).await?;
    }
    Ok(())
}

fn told(global: &Global, value: &serde_json::Value, text: &str) -> anyhow::Result<()> {
    if global.json { print::json(value) } else { print::line(text) }
}

fn say(
    global: &Global,
    subject: &str,
    newsletter: &Newsletter,
    published: Published,
    args: &SendArgs,
) -> anyhow::Result<()> {
    let id = args.id;
    match published {
        Published::Already => told(
            global,
            &json!({ "id": id, "published": "already" }),
            &format!("\"{subject}\" was sent already; nobody gets it twice."),
        ),
        Published::Now { audience, hold_until } => {
            let when = wall::say(hold_until, &zone::find(&newsletter.zone)?);
            let text = format!(
                "\"{subject}\" goes to {audience} readers, the first mail not before {when}. A running `broadsheet serve` \
                 sends them; until then it can be undone: broadsheet issue undo {id}"
            );
            told(
                global,
                &json!({ "id": id, "published": "now", "audience": audience, "hold_until": hold_until }),
                &text,
            )
        }
    }
}

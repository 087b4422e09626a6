//! `form list`, `show`, `add`, `set`, `remove`, `fields`, `topics`, `proof`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::json;

use super::{Global, print};
use crate::audience::form::{Field, Topic};
use crate::config::load::read_small;
use crate::store::form::{self, Form};
use crate::store::newsletter::Newsletter;
use crate::store::subscriber;
use crate::values::address::Address;
use crate::values::clock::Millis;
use crate::verbs::app::App;
use crate::verbs::membership::{self, FormChange, Proof};
use crate::verbs::newsletters;
use crate::verbs::problem::Problem;

#[derive(Debug, Subcommand)]
pub enum FormCommand {
    /// List the forms of a newsletter
    List { newsletter: String },
    /// Show a form: its addresses, its words, what it asks
    Show { newsletter: String, form: String },
    /// Make a form
    Add(FormArgs),
    /// Change a form; every newsletter has one called "main"
    Set(FormArgs),
    /// Remove a form; what readers agreed to by it is kept
    Remove { newsletter: String, form: String },
    /// Show or write what the newsletter can ask its readers
    Fields(LinesArgs),
    /// Show or write the topics that readers can choose
    Topics(LinesArgs),
    /// Print the proof of a reader's consent
    Proof { newsletter: String, address: String },
}

#[derive(Debug, Args)]
pub struct FormArgs {
    pub newsletter: String,
    /// What it is called in addresses: /NEWSLETTER/form/FORM
    pub form: String,
    /// Its headline; empty for the usual one
    #[arg(long)]
    pub title: Option<String>,
    /// The sentence under it
    #[arg(long)]
    pub lead: Option<String>,
    /// How often it comes: "Every Sunday at nine, five stories"
    #[arg(long)]
    pub cadence: Option<String>,
    /// What readers agree to; empty for the newsletter's own sentence
    #[arg(long)]
    pub consent: Option<String>,
    /// What it asks, by commas: name, topics, frequency, language, zone, and fields of the newsletter
    #[arg(long, value_delimiter = ',', value_name = "WHAT")]
    pub asks: Option<Vec<String>>,
    /// Ask for no confirmation, for this reason, which is kept with each reader as proof; "none" to ask again
    #[arg(long, value_name = "REASON")]
    pub single_opt_in: Option<String>,
    /// Origins whose scripts may use the JSON address, by commas: `https://club.example`; "none" for none
    #[arg(long, value_delimiter = ',', value_name = "ORIGIN")]
    pub origins: Option<Vec<String>>,
    /// When a sign-up must do work first: auto (while sign-ups spike), always, off
    #[arg(long, value_name = "WHEN")]
    pub challenge: Option<String>,
    /// Whether it takes sign-ups (true, false)
    #[arg(long, value_name = "BOOL")]
    pub open: Option<bool>,
}

#[derive(Debug, Args)]
pub struct LinesArgs {
    pub newsletter: String,
    /// In place of all there are: "boat! = Your boat : choice : sail | motor" (! must be answered; text, choice, date,
    /// number, yes/no); for topics "harbours = Harbours and trade"
    #[arg(long = "set", value_name = "LINE")]
    pub lines: Vec<String>,
    /// The same from a file, one a line
    #[arg(long, value_name = "FILE", conflicts_with = "lines")]
    pub file: Option<PathBuf>,
}

impl LinesArgs {
    fn text(&self) -> anyhow::Result<Option<String>> {
        match &self.file {
            Some(path) => Ok(Some(read_small(path).map_err(Problem::Invalid)?)),
            None => Ok((!self.lines.is_empty()).then(|| self.lines.join("\n"))),
        }
    }
}

/// # Errors
/// When a value is wrong, or the database cannot be used.
pub async fn run(global: &Global, command: FormCommand) -> anyhow::Result<()> {
    let app = global.open().await?;
    match command {
        FormCommand::List { newsletter } => list(global, &app, &newsletter).await,
        FormCommand::Show { newsletter, form } => show(global, &app, &newsletter, &form).await,
        FormCommand::Add(args) => save(global, &app, args, true).await,
        FormCommand::Set(args) => save(global, &app, args, false).await,
        FormCommand::Remove { newsletter, form } => {
            let paper = find(&app, &newsletter).await?;
            membership::remove_form(&app, paper.id, &form, None).await?;
            print::note(&format!("The form \"{form}\" is gone. Pages that it was pasted into lead nowhere now."));
            Ok(())
        }
        FormCommand::Fields(args) => fields(global, &app, &args).await,
        FormCommand::Topics(args) => topics(global, &app, &args).await,
        FormCommand::Proof { newsletter, address } => proof(global, &app, &newsletter, &address).await,
    }
}

async fn find(app: &App, slug: &str) -> anyhow::Result<Newsletter> {
    let mut tx = app.store.read().await?;
    let found = newsletters::find(&mut tx, slug).await?;
    tx.commit().await?;
    Ok(found)
}

async fn list(global: &Global, app: &App, newsletter: &str) -> anyhow::Result<()> {
    let paper = find(app, newsletter).await?;
    let forms = form::of(&mut app.store.read().await?, paper.id).await?;
    if global.json {
        return print::json(&forms);
    }
    let row = |form: &Form| {
        let confirms = if form.single_reason.is_empty() { "by mail" } else { "single opt-in" };
        let open = if form.is_open { "open" } else { "closed" };
        let path = path(&paper, form);
        vec![
            form.slug.clone(),
            open.into(),
            confirms.into(),
            form.challenge.clone(),
            form.asks.replace(',', ", "),
            path,
        ]
    };
    print::table(&["form", "", "confirmed", "challenge", "asks", "page"], forms.iter().map(row))
}

fn path(paper: &Newsletter, form: &Form) -> String {
    if form.is_main() { format!("/{}", paper.slug) } else { format!("/{}/form/{}", paper.slug, form.slug) }
}

async fn show(global: &Global, app: &App, newsletter: &str, slug: &str) -> anyhow::Result<()> {
    let paper = find(app, newsletter).await?;
    let Some(form) = membership::find_form(app, paper.id, slug).await? else {
        return Err(Problem::NotFound(format!("{} has no form \"{slug}\"", paper.name)).into());
    };
    let (base, home) = (app.config.public_url.trim_end_matches('/'), &paper.slug);
    let query = if form.is_main() { String::new() } else { format!("?form={}", form.slug) };
    let page = format!("{base}{}", path(&paper, &form));
    let (embed, api) = (format!("{base}/{home}/embed{query}"), format!("{base}/{home}/subscribe.json{query}"));
    if global.json {
        return print::json(&json!({"form": form, "page": page, "embed": embed, "json": api}));
    }
    let or = |text: &str, other: &str| if text.is_empty() { other.to_owned() } else { text.to_owned() };
    for line in [
        format!("{} of {}, version {}", form.slug, paper.name, form.version),
        format!("  page       {page}"),
        format!("  to paste   {embed}"),
        format!("  json       {api}"),
        format!("  headline   {}", or(&form.title, "the usual one")),
        format!("  comes      {}", or(&form.cadence, "by the slot")),
        format!("  asks       {}", or(&form.asks.replace(',', ", "), "the address alone")),
        format!("  consent    {}", or(&form.consent_text, &paper.consent_text)),
        format!("  confirmed  {}", or(&form.single_reason, "by mail")),
        format!("  origins    {}", or(&form.origins.replace('\n', ", "), "none")),
        format!("  challenge  {}", form.challenge),
        format!("  {}", if form.is_open { "open" } else { "closed: it takes no sign-ups" }),
    ] {
        print::line(&line)?;
    }
    Ok(())
}

async fn save(global: &Global, app: &App, args: FormArgs, new: bool) -> anyhow::Result<()> {
    let paper = find(app, &args.newsletter).await?;
    let not_none = |value: String| if value == "none" { String::new() } else { value };
    let filled =
        |list: Vec<String>| list.into_iter().map(|one| not_none(one.trim().to_owned())).filter(|one| !one.is_empty());
    let change = FormChange {
        title: args.title,
        lead: args.lead,
        cadence: args.cadence,
        consent_text: args.consent,
        asks: args.asks.map(|asks| filled(asks).collect()),
        single_reason: args.single_opt_in.map(not_none),
        origins: args.origins.map(|origins| filled(origins).collect()),
        challenge: args.challenge,
        is_open: args.open,
    };
    membership::save_form(app, paper.id, &args.form, change, new, None).await?;
    show(global, app, &args.newsletter, &args.form).await
}

async fn fields(global: &Global, app: &App, args: &LinesArgs) -> anyhow::Result<()> {
    let paper = find(app, &args.newsletter).await?;
    let fields: Vec<Field> = match args.text()? {
        Some(text) => membership::set_fields(app, paper.id, &text).await?,
        None => form::fields(&mut app.store.read().await?, paper.id).await?,
    };
    if global.json {
        return print::json(&fields);
    }
    fields.iter().try_for_each(|field| print::line(&field.to_string()))
}

async fn topics(global: &Global, app: &App, args: &LinesArgs) -> anyhow::Result<()> {
    let paper = find(app, &args.newsletter).await?;
    let topics: Vec<Topic> = match args.text()? {
        Some(text) => membership::set_topics(app, paper.id, &text).await?,
        None => form::topics(&mut app.store.read().await?, paper.id).await?,
    };
    if global.json {
        return print::json(&topics);
    }
    topics.iter().try_for_each(|topic| print::line(&topic.to_string()))
}

async fn proof(global: &Global, app: &App, newsletter: &str, address: &str) -> anyhow::Result<()> {
    let paper = find(app, newsletter).await?;
    let address = Address::parse(address).map_err(|bad| Problem::Invalid(bad.to_string()))?;
    let nobody = || Problem::NotFound(format!("{} is not known here", address.as_str()));
    let person = subscriber::by_address(&mut app.store.read().await?, &address).await?.ok_or_else(nobody)?;
    let proof = membership::proof(app, paper.id, person.id).await?.ok_or_else(nobody)?;
    if global.json {
        return print::json(&proof);
    }
    written(&proof).iter().try_for_each(|line| print::line(line))
}

/// The proof in lines, for paper.
fn written(proof: &Proof) -> Vec<String> {
    let at = |millis: i64| Millis(millis).timestamp().to_string();
    let mut lines = vec![
        format!("Proof of consent of {} to {}", proof.subscriber.address, proof.newsletter.name),
        format!("  stands as  {}", proof.subscription.as_ref().map_or("nothing", |row| row.status.as_str())),
    ];
    if proof.lines.is_empty() {
        lines.extend(proof.subscription.iter().flat_map(|row| {
            [
                "  No line was kept: this reader came before lines were, by import, or by an editor's hand.".to_owned(),
                format!("  agreed     \"{}\"", row.consent_text),
                format!("  where      {}", row.consent_source),
                format!("  at         {}", at(row.consent_at)),
            ]
        }));
    }
    for line in &proof.lines {
        let row = &line.row;
        lines.push(String::new());
        lines.push(format!("{}  {}", at(row.at), row.act));
        let mut said = |what: &str, text: &str| {
            if !text.is_empty() {
                lines.push(format!("  {what:<10} {text}"));
            }
        };
        said("address", &row.address);
        said("wording", &row.wording);
        said(
            "form",
            &if row.form.is_empty() { String::new() } else { format!("{}, version {}", row.form, row.version) },
        );
        said("page", &row.page);
        said("network", &row.network);
        said("reason", &row.reason);
        said("letter", &row.letter_hash);
        if let Some(letter) = &line.letter {
            let reply = format!(
                "{} {}",
                letter.reply_code.unwrap_or_default(),
                letter.reply_text.as_deref().unwrap_or_default()
            );
            said("became", &format!("{}: {}", letter.state, reply.trim()));
        }
        said(
            "seal",
            if line.intact { "fits: the line is as it was written" } else { "does NOT fit: the line was changed" },
        );
    }
    lines
}

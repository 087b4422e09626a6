//! `bench render`, `prepare`, `compose`, `sign`: how long the inner steps take on this machine. Medians of many runs,
//! nothing is written.

use std::fmt::Write as _;
use std::time::Instant;

use clap::Args;
use jiff::civil::Date;

use super::figures::Spread;
use crate::issue::compose::{Personal, compose, compose_signed};
use crate::issue::dkim::{Signer, new_rsa_key};
use crate::issue::message::{Prepared, Sending, prepare};
use crate::issue::newsletter::Masthead;
use crate::issue::parse::parse;
use crate::issue::pictures::{Picture, Pictures, references};
use crate::issue::render::render;
use crate::issue::rendered::{Reader, Rendered};
use crate::values::clock::Millis;
use crate::values::ids::IssueId;

/// Runs whose median is shown; odd, so that there is a middle one.
const RUNS: usize = 501;
/// The instant and the day of the benchmark's issue: nothing may depend on the clock.
const AT: Millis = Millis(1_795_510_800_000);
const STORIES: usize = 5;

#[derive(Args, Debug)]
pub struct MessageArgs {
    /// One JSON object
    #[arg(long)]
    pub json: bool,
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Markdown to tree, MJML, HTML, text and web page: once an issue.
    Render,
    /// Encoding a rendering for all readers: once an issue.
    Prepare,
    /// One reader's message out of the prepared one.
    Compose,
    /// The same with its DKIM signature.
    Sign,
}

#[derive(serde::Serialize)]
struct Measured {
    step: &'static str,
    octets: usize,
    microseconds: Spread,
    /// On one core.
    a_second: f64,
}

/// Measures and prints.
///
/// # Errors
/// When the benchmark's own issue cannot be rendered: a fault of ours.
pub fn run(step: Step, args: &MessageArgs) -> anyhow::Result<()> {
    let source = source();
    let (masthead, rendered) = (masthead(), rendered(&source)?);
    let sending = Sending { issue: IssueId(31), at: AT, subject_prefix: "", signed: true };
    let prepared = prepare(&rendered, &masthead, sending)?;
    let (name, microseconds) = match step {
        Step::Render => ("render", spread(|| self::rendered(&source).ok())),
        Step::Prepare => ("prepare", spread(|| prepare(&rendered, &masthead, sending).is_ok())),
        Step::Compose => ("compose", composing(&prepared)),
        Step::Sign => ("sign", signing(&prepared, &Signer::new("tidewater.example", "bs1", &new_rsa_key()?)?)),
    };
    let measured =
        Measured { step: name, octets: prepared.octets(), microseconds, a_second: 1e6 / microseconds.median };
    if args.json {
        println!("{}", serde_json::to_string(&measured)?);
    } else {
        println!("message of {} octets without the reader's own", measured.octets);
        println!("{name}: {microseconds} µs, {:.0} a second on one core", measured.a_second);
    }
    Ok(())
}

fn composing(prepared: &Prepared) -> Spread {
    let (reader, mut out) = (reader(), Vec::new());
    spread(|| compose(prepared, personal(&reader), &mut out).is_ok())
}

fn signing(prepared: &Prepared, signer: &Signer) -> Spread {
    let (reader, mut out) = (reader(), Vec::new());
    spread(|| compose_signed(prepared, personal(&reader), signer, &mut out).is_ok())
}

/// Microseconds of `work`, after a few runs that warm the caches.
fn spread<T>(mut work: impl FnMut() -> T) -> Spread {
    for _ in 0..RUNS / 10 {
        std::hint::black_box(work());
    }
    let times = (0..RUNS).map(|_| {
        let start = Instant::now();
        std::hint::black_box(work());
        start.elapsed().as_secs_f64() * 1e6
    });
    Spread::of(times.collect())
}

fn rendered(source: &str) -> anyhow::Result<Rendered> {
    let issue = parse(source).issue;
    let picture = |name: &str| {
        let url = format!("https://tidewater.example/m/{name}");
        (name.to_owned(), Picture { url, width: 1_200, height: 675, bytes: 90_000 })
    };
    let pictures: Pictures = references(&issue).iter().map(|(name, _)| picture(name)).collect();
    Ok(render(&issue, &masthead(), Date::constant(2026, 11, 24), &pictures)?)
}

/// A brief of the usual size: five stories, each with picture, two paragraphs and a source.
fn source() -> String {
    let mut source = String::from(
        "---\nsubject: The harbour that learned to wait\npreheader: Ships that slow down on purpose.\nnumber: 31\n\
         cover: { image: cover.png, alt: A lighthouse at dusk, credit: Ines Marlow }\n---\n\n\
         Good morning, {{ name | default(\"reader\") }},\n\nFor as long as there have been ports, ships have raced to them.\n\n",
    );
    let words = "She is the last of the county’s ferries to change to batteries. The crossing takes eleven minutes; the \
        charging arm on the far side needs nine. Between them the two leave [a margin](https://ferries.example/margin). ";
    for story in 0..STORIES {
        let _ = write!(
            source,
            "## 🚢 Story number {story} goes quiet\n\n![A white ferry](ferry{story}.png \"On her first run. Credit: Ines\")\n\n\
             {}\n\n{}\n\nSource: [Fjord County Ferries](https://ferries.example/{story}) (in Norwegian)\n\n",
            words.repeat(3),
            words.repeat(2),
        );
    }
    source.push_str("---\n\nThat is the tide for this week. If something was wrong, reply to this mail.\n");
    source
}

fn masthead() -> Masthead {
    Masthead {
        name: "The Tidewater Brief".to_owned(),
        slug: "tidewater".to_owned(),
        tagline: "Harbours, ships and coasts, every Tuesday".to_owned(),
        language: "en".to_owned(),
        zone: "Europe/Lisbon".to_owned(),
        from_name: "The Tidewater Brief".to_owned(),
        from_address: "brief@tidewater.example".to_owned(),
        reply_to: None,
        postal_address: "Quay House, 4 Customs Lane, Port Ellery".to_owned(),
        accent: "#A5301F".to_owned(),
        accent_dark: "#F2937C".to_owned(),
        logo: None,
        list_id: "tidewater.list.tidewater.example".to_owned(),
        public_url: "https://tidewater.example".to_owned(),
    }
}

fn reader() -> Reader {
    let link = |page: &str| format!("https://tidewater.example/r/k1.{}/{page}", "x".repeat(54));
    Reader {
        name: "Zoë Müller".to_owned(),
        email: "zoe@example.com".to_owned(),
        web_copy: link("web"),
        unsubscribe: link("unsubscribe"),
        preferences: link("preferences"),
        pause: link("pause"),
    }
}

fn personal(reader: &Reader) -> Personal<'_> {
    Personal { reader, message_id: "a.b.c@tidewater.example", leave_address: "u+k1.x@bounce.tidewater.example" }
}

//! `bench import`: a list of plain rows through the product's own import, checks and all.

use std::io::{Cursor, Read};

use clap::Args;

use super::figures::{self, Watch};
use super::house::House;
use crate::verbs::membership::{Import, import};

/// Import readers from a list: reading, checking, writing, history
#[derive(Clone, Debug, Args)]
pub struct ImportArgs {
    #[arg(long, default_value_t = 1_000_000)]
    pub readers: u64,
    #[arg(long)]
    pub json: bool,
}

#[derive(serde::Serialize)]
struct Imported {
    readers: usize,
    seconds: f64,
    cpu_seconds: f64,
    memory_most_kib: u64,
}

/// # Errors
/// When the store cannot.
pub async fn run(args: &ImportArgs) -> anyhow::Result<()> {
    let bench = House::open(0, "smtp://127.0.0.1:25", |_| {}).await?;
    let what = Import {
        newsletter: bench.newsletter,
        consent: "They ticked the box.".into(),
        source: "bench.csv".into(),
        account: None,
        dry_run: false,
    };
    let watch = Watch::start()?;
    let report = import(&bench.app, what, List { next: 0, last: args.readers, line: Cursor::default() }).await??;
    let took = watch.stop()?;
    let imported = Imported {
        readers: report.new,
        seconds: took.wall.as_secs_f64(),
        cpu_seconds: took.cpu.as_secs_f64(),
        memory_most_kib: figures::memory_most_kib()?,
    };
    if args.json {
        println!("{}", serde_json::to_string(&imported)?);
    } else {
        println!(
            "import of {} readers: {:.1} s, CPU {:.1} s; memory {} KiB at most",
            imported.readers, imported.seconds, imported.cpu_seconds, imported.memory_most_kib
        );
    }
    Ok(())
}

/// A list that is made while it is read, so that it takes no memory of its own.
struct List {
    next: u64,
    last: u64,
    line: Cursor<Vec<u8>>,
}

impl Read for List {
    fn read(&mut self, room: &mut [u8]) -> std::io::Result<usize> {
        let got = self.line.read(room)?;
        if got > 0 || self.next > self.last {
            return Ok(got);
        }
        let n = self.next;
        self.next += 1;
        let line = if n == 0 { "email,name\n".into() } else { format!("reader{n}@readers.example,Reader {n}\n") };
        self.line = Cursor::new(line.into_bytes());
        self.line.read(room)
    }
}

//! A house for benchmarks: a database in a folder of its own, a newsletter, readers, issues to publish.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::config::Config;
use crate::issue::rendered::{Piece, Rendered, Template};
use crate::issue::tree::Field;
use crate::store;
use crate::store::issue::IssueText;
use crate::values::clock::Clock;
use crate::values::ids::{AttemptId, IssueId, NewsletterId};
use crate::verbs::app::App;
use crate::verbs::newsletters::{self, Wanted};
use crate::verbs::{publish, start};

/// A house in a folder of its own, removed at the end.
pub(super) struct House {
    pub(super) app: App,
    pub(super) newsletter: NewsletterId,
    folder: PathBuf,
}

impl Drop for House {
    fn drop(&mut self) {
        // What stays behind is in the system's folder for such things.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl House {
    /// One with so many active readers, whose newsletter goes to `relay` (a URL).
    pub(super) async fn open(readers: i64, relay: &str, adjust: impl FnOnce(&mut Config)) -> anyhow::Result<Self> {
        let clock = Clock::System;
        let folder = std::env::temp_dir().join(format!("broadsheet-bench-{}", AttemptId::new(clock.now())));
        let mut config = Config {
            data: folder.clone(),
            public_url: "https://news.example".into(),
            helo: "news.example".into(),
            ..Config::default()
        };
        adjust(&mut config);
        let app = start::open(config, clock).await?;
        let wanted = Wanted {
            name: "The Tidewater Brief".into(),
            slug: "tidewater".into(),
            from: "Ines <brief@tidewater.example>".into(),
            postal_address: "Quay House, Port Ellery".into(),
            zone: "Europe/Lisbon".into(),
            relay: Some(relay.parse().map_err(anyhow::Error::msg)?),
            ..Wanted::default()
        };
        let newsletter = newsletters::create(&app, wanted).await?.id;
        let mut tx = app.store.write().await?;
        store::bench::readers(&mut tx, newsletter, readers).await?;
        tx.commit().await?;
        Ok(Self { app, newsletter, folder })
    }

    /// Publishes an issue of about `size` bytes; gives it and how long that took.
    pub(super) async fn publish(&self, size: usize) -> anyhow::Result<(IssueId, Duration)> {
        let mut tx = self.app.store.write().await?;
        let slug = format!("issue-{}", AttemptId::new(tx.now));
        let text = IssueText { slug, subject: "Low tide".into(), source: "Bench.".into(), ..IssueText::default() };
        let issue = store::issue::insert(&mut tx, self.newsletter, &text).await?;
        tx.commit().await?;
        let began = Instant::now();
        publish::freeze(&self.app, issue, 1, &rendered(size), 0).await?;
        Ok((issue, began.elapsed()))
    }
}

/// Text of about so many bytes, with gaps where an issue has them.
fn rendered(size: usize) -> Rendered {
    let line = "The tide was low this week, and what it left behind is worth a look: a boat, a bell, a letter.\n";
    let body = line.repeat(size / line.len() / 2);
    let template = |open: &str, body: &str| Template {
        pieces: vec![
            Piece::Fixed(format!("{open}{body}")),
            Piece::Slot(Field::Name { default: "reader".into() }),
            Piece::Fixed("\n".into()),
            Piece::Slot(Field::Unsubscribe),
            Piece::Fixed("\n".into()),
        ],
    };
    Rendered {
        subject: Template { pieces: vec![Piece::Fixed("Low tide".into())] },
        html: template("<p>", &body),
        text: template("", &body),
        web: String::new(),
        hash: "bench".into(),
    }
}

//! An issue as the pages list it: dates and addresses made.

use super::frame::Frame;
use super::words::put;
use crate::issue::words::{day, direction, number};
use crate::verbs::archive;

#[derive(Clone, Debug)]
pub(super) struct Card {
    /// Path of its page.
    pub(super) url: String,
    /// "No. 31", or nothing.
    pub(super) number: String,
    pub(super) subject: String,
    pub(super) preheader: String,
    pub(super) language: String,
    pub(super) dir: &'static str,
    /// "2026-11-24".
    pub(super) iso: String,
    /// "24 November 2026".
    pub(super) date: String,
    /// "24 November", below its year.
    pub(super) short: String,
    /// "Tuesday 24 November 2026".
    pub(super) day: String,
    pub(super) year: i16,
    pub(super) cover: Option<Cover>,
    pub(super) headlines: Vec<(String, String)>,
}

#[derive(Clone, Debug)]
pub(super) struct Cover {
    /// Path.
    pub(super) url: String,
    pub(super) width: i64,
    pub(super) height: i64,
    pub(super) alt: String,
}

impl Card {
    pub(super) fn new(f: &Frame, card: archive::Card, zone: &str) -> Self {
        let zone = crate::values::zone::find(zone).unwrap_or(jiff::tz::TimeZone::UTC);
        let date = card.published.timestamp().to_zoned_datetime(zone).date();
        let words = day(f.w.language, date);
        let short = words.date.replace(&format!(" {}", date.year()), "").replace(&format!("{}年", date.year()), "");
        let cover = card.cover.map(|cover| Cover {
            url: format!("{}/m/{}", f.root, cover.name),
            width: cover.width,
            height: cover.height,
            alt: cover.alt,
        });
        Self {
            url: format!("{}/archive/{}", f.home(), card.slug),
            number: card.number.map(|n| number(f.w.language, n)).unwrap_or_default(),
            subject: card.subject,
            preheader: card.preheader,
            dir: direction(&card.language),
            language: card.language,
            iso: date.to_string(),
            day: words.whole(),
            date: words.date,
            short,
            year: date.year(),
            cover,
            headlines: card.headlines,
        }
    }

    /// `text` with the issue's number in it, or its subject where it has none.
    pub(super) fn with_number(&self, text: &str) -> String {
        put(text, "number", if self.number.is_empty() { &self.subject } else { &self.number })
    }
}

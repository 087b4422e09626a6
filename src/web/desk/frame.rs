//! What stands around every page: nameplate, what is on the wire, sections, the newsletter's clock, who is signed in.

use super::said::{Said, Told};
use super::session::SignedIn;
use super::words::{When, percent};
use crate::delivery::counts::Counts;
use crate::store::newsletter::Newsletter;
use crate::store::{desk, newsletter};
use crate::verbs::app::App;

/// The section a page belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Here {
    Home,
    Issues,
    Readers,
    Deliverability,
    Settings,
}

impl Here {
    /// For templates, which know sections by their words.
    pub(super) fn is(self, word: &str) -> bool {
        let own = match self {
            Self::Home => "home",
            Self::Issues => "issues",
            Self::Readers => "readers",
            Self::Deliverability => "deliverability",
            Self::Settings => "settings",
        };
        own == word
    }
}

/// One newsletter in the nameplate's list.
pub(super) struct Paper {
    pub(super) name: String,
    pub(super) slug: String,
}

/// An issue that is being sent, whichever newsletter's.
pub(super) struct Wire {
    pub(super) href: String,
    pub(super) word: &'static str,
    pub(super) what: String,
    pub(super) percent: String,
    pub(super) done: i64,
    pub(super) all: i64,
}

pub(super) struct Frame {
    pub(super) title: String,
    pub(super) here: Here,
    pub(super) theme: String,
    pub(super) name: String,
    pub(super) slug: String,
    pub(super) papers: Vec<Paper>,
    pub(super) wire: Option<Wire>,
    pub(super) who: String,
    pub(super) initials: String,
    pub(super) now: When,
    pub(super) demo: bool,
    /// What the last form did.
    pub(super) told: Option<Told>,
}

impl Frame {
    /// Reads what the frame shows. A page that belongs to no newsletter shows the first one's frame.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub(super) async fn load(
        app: &App,
        who: &SignedIn,
        paper: Option<&Newsletter>,
        here: Here,
        title: impl Into<String>,
    ) -> anyhow::Result<Self> {
        let mut tx = app.store.read().await?;
        let papers = newsletter::all(&mut tx).await?;
        let wire = desk::on_the_wire(&mut tx).await?.map(|(running, counts)| wire(running, counts));
        let paper = paper.or(papers.first()).cloned();
        let paper = paper.as_ref();
        let zone = paper.map_or("UTC", |paper| paper.zone.as_str());
        Ok(Self {
            title: title.into(),
            here,
            theme: who.account.theme.clone(),
            name: paper.map_or("Broadsheet".to_owned(), |paper| paper.name.clone()),
            slug: paper.map(|paper| paper.slug.clone()).unwrap_or_default(),
            papers: papers.iter().map(|paper| Paper { name: paper.name.clone(), slug: paper.slug.clone() }).collect(),
            wire,
            who: who.account.name.clone(),
            initials: initials(&who.account.name),
            now: When::new(tx.now, zone),
            demo: app.config.demo,
            told: None,
        })
    }

    /// Shows what the form that led here did.
    pub(super) fn telling(mut self, said: &Said) -> Self {
        self.told = said.told();
        self
    }
}

fn wire(running: desk::Running, counts: Counts) -> Wire {
    let done = counts.sent;
    Wire {
        href: format!("/desk/issue/{}/sending", running.id),
        word: if running.state == "paused" { "Paused" } else { "Sending" },
        what: running.number.map_or(running.newsletter.clone(), |number| format!("{} {number}", running.newsletter)),
        percent: percent(done, counts.audience),
        done,
        all: counts.audience.max(1),
    }
}

/// First letters of the first and the last name.
fn initials(name: &str) -> String {
    let mut words = name.split_whitespace().filter_map(|word| word.chars().next());
    let (first, last) = (words.next(), words.next_back());
    first.into_iter().chain(last).flat_map(char::to_uppercase).collect()
}

#[cfg(test)]
mod tests {
    use super::initials;

    #[test]
    fn initials_are_of_first_and_last_name() {
        for (name, wanted) in [("Ines Corrado", "IC"), ("ruth", "R"), ("Ana Maria Sá", "AS"), ("", "")] {
            assert_eq!(initials(name), wanted);
        }
    }
}

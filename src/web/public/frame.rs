//! What stands around every page: nameplate, folio line, colophon; and where things are.

use url::Url;

use super::card::Card;
use super::words::joining::{Joining, joining};
use super::words::{Staying, Words, around, put, staying, words};
use crate::issue::words::direction;
use crate::schedule::hours::Wishes;
use crate::store::form::{Form, MAIN};
use crate::store::newsletter::Newsletter;
use crate::verbs::app::App;
use crate::verbs::membership::Seat;
use crate::verbs::{archive, membership};
use crate::web::assets;

/// The frame of a page. `slug` is empty on pages that belong to no newsletter.
#[derive(Clone)]
pub(super) struct Frame {
    pub(super) w: &'static Words,
    /// The words of staying and leaving.
    pub(super) s: &'static Staying,
    pub(super) name: String,
    pub(super) slug: String,
    pub(super) tagline: String,
    pub(super) postal: String,
    pub(super) consent: String,
    pub(super) from_address: String,
    /// Whom "write to the editor" writes to.
    pub(super) editor: String,
    /// The newest issue, for the folio line.
    pub(super) latest: Option<Card>,
    /// Which page of the folio line this is.
    pub(super) here: &'static str,
    /// The path below which we are served, without a slash at the end: mostly empty.
    pub(super) root: String,
    /// Scheme, host and port of the public URL.
    pub(super) origin: String,
    /// Issues go out at each reader's own hour, so the form asks the browser for its zone.
    pub(super) asks_zone: bool,
    /// The page has a script of ours besides that.
    pub(super) scripts: bool,
    language: String,
    zone: String,
    accents: (String, String),
}

impl Frame {
    pub(super) fn of(app: &App, newsletter: &Newsletter) -> Self {
        let (origin, root) = public_url(app);
        let n = newsletter.clone();
        Self {
            w: words(&n.language),
            s: staying(words(&n.language).language),
            editor: n.reply_to.unwrap_or_else(|| n.from_address.clone()),
            name: n.name,
            slug: n.slug,
            tagline: n.tagline,
            postal: n.postal_address,
            consent: n.consent_text,
            from_address: n.from_address,
            latest: None,
            here: "",
            asks_zone: Wishes::effective("", &n.hours).local.is_some(),
            scripts: false,
            root,
            origin,
            language: n.language,
            zone: n.zone,
            accents: (n.accent, n.accent_dark),
        }
    }

    /// The frame with its folio line, as page `here` of it.
    pub(super) async fn load(app: &App, newsletter: &Newsletter, here: &'static str) -> anyhow::Result<Self> {
        let mut frame = Self::of(app, newsletter);
        if let Some(form) = membership::find_form(app, newsletter.id, MAIN).await? {
            frame.take_consent(&form);
        }
        let newest = archive::cards(app, newsletter, 1).await?.pop();
        frame.latest = newest.map(|card| Card::new(&frame, card, &newsletter.zone));
        frame.here = here;
        Ok(frame)
    }

    /// The same in the language that its reader has chosen.
    pub(super) fn of_reader(mut self, seat: &Seat) -> Self {
        let chosen = seat.subscriber.as_ref().map_or("", |person| person.language.as_str());
        if !chosen.is_empty() {
            self.w = words(chosen);
            self.s = staying(self.w.language);
        }
        self
    }

    /// A frame that belongs to no newsletter.
    pub(super) fn bare(app: &App) -> Self {
        let (origin, root) = public_url(app);
        let name = Url::parse(&origin).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default();
        Self {
            w: words("en"),
            s: staying("en"),
            name,
            slug: String::new(),
            tagline: String::new(),
            postal: String::new(),
            consent: String::new(),
            from_address: String::new(),
            editor: String::new(),
            latest: None,
            here: "",
            asks_zone: false,
            scripts: false,
            root,
            origin,
            language: "en".into(),
            zone: String::new(),
            accents: Default::default(),
        }
    }

    /// Shows what a form's readers agree to, where it has words of its own.
    pub(super) fn take_consent(&mut self, form: &Form) {
        if !form.consent_text.is_empty() {
            self.consent.clone_from(&form.consent_text);
        }
    }

    /// The words around questions.
    pub(super) fn j(&self) -> &'static Joining {
        joining(self.w.language)
    }

    /// The language of what the editor wrote.
    pub(super) fn language(&self) -> &str {
        &self.language
    }

    /// `text` with the newsletter's zone in it.
    pub(super) fn put_zone(&self, text: &str) -> String {
        put(text, "zone", &self.zone)
    }

    pub(super) fn dir(&self) -> &'static str {
        direction(self.w.language)
    }

    /// The newsletter's language, where the page's words are in another.
    pub(super) fn own_language(&self) -> Option<&str> {
        let primary = |tag: &str| tag.split(['-', '_']).next().unwrap_or_default().to_ascii_lowercase();
        (!self.slug.is_empty() && primary(&self.language) != self.w.language).then_some(self.language.as_str())
    }

    /// Path of the newsletter's first page, or of the site's.
    pub(super) fn home(&self) -> String {
        format!("{}/{}", self.root, self.slug)
    }

    /// The same with its host.
    pub(super) fn absolute(&self) -> String {
        format!("{}{}", self.origin, self.home())
    }

    /// Path of somebody's personal pages.
    pub(super) fn personal(&self, token: &str) -> String {
        format!("{}/r/{token}", self.root)
    }

    #[expect(clippy::unused_self, reason = "templates can only call methods")]
    pub(super) fn assets(&self) -> &'static str {
        assets::base()
    }

    pub(super) fn theme(&self) -> Option<String> {
        (!self.slug.is_empty()).then(|| format!("{}/theme-{}.css", self.home(), self.theme_hash()))
    }

    pub(super) fn icon(&self) -> String {
        if self.slug.is_empty() {
            return format!("{}/public/icon.svg", assets::base());
        }
        format!("/{}/icon-{}.svg", self.slug, self.theme_hash())
    }

    /// Changes when the theme does, so that its files can be kept for ever.
    fn theme_hash(&self) -> String {
        let plain = |accent: &str| accent.trim_start_matches('#').to_ascii_lowercase();
        format!("{}-{}", plain(&self.accents.0), plain(&self.accents.1))
    }

    /// `text` with the newsletter's name in it.
    pub(super) fn put(&self, text: &str) -> String {
        put(text, "name", &self.name)
    }

    #[expect(clippy::unused_self, reason = "templates can only call methods")]
    pub(super) fn around_address(&self, text: &'static str) -> (&'static str, &'static str) {
        around(text, "address")
    }

    #[expect(clippy::unused_self, reason = "templates can only call methods")]
    pub(super) fn around_sender(&self, text: &'static str) -> (&'static str, &'static str) {
        around(text, "sender")
    }

    /// Content Security Policy of the pages. Pictures of issues carry the public URL, which is another origin where
    /// the page is looked at by another name (a tunnel, an address in the local network). Scripts run only where there
    /// is one: the lines that ask the browser for its zone, and the work while sign-ups spike.
    pub(super) fn policy(&self) -> String {
        let scripts = if self.asks_zone || self.scripts { "script-src 'self'; " } else { "" };
        format!(
            "default-src 'none'; {scripts}style-src 'self'; img-src 'self' {}; font-src 'self'; form-action 'self'; \
             base-uri 'none'; frame-ancestors 'none'",
            self.origin
        )
    }
}

/// Origin and path of the public URL.
fn public_url(app: &App) -> (String, String) {
    let whole = app.config.public_url.trim_end_matches('/');
    match Url::parse(whole) {
        Ok(url) => (url.origin().ascii_serialization(), url.path().trim_end_matches('/').to_owned()),
        Err(_) => (whole.to_owned(), String::new()),
    }
}

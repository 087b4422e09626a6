//! Pictures of issues, and the two files that carry a newsletter's colours.

use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse as _, Response};

use super::{lost_in, nothing_here};
use crate::issue::colour::{ACCENT, ACCENT_DARK, Colour, PAPER, PAPER_DARK, WHITE};
use crate::store::newsletter::Newsletter;
use crate::verbs::app::App;
use crate::verbs::archive as verb;
use crate::web::error::WebError;
use crate::web::public::frame::Frame;

/// What stands at these addresses never changes: their names carry the hash of it.
const FOR_EVER: &str = "public, max-age=31536000, immutable";
/// A picture opened by itself may do nothing at all, whatever bytes got in.
const PICTURE_POLICY: &str = "default-src 'none'; sandbox";

pub(super) async fn picture(State(app): State<App>, Path(name): Path<String>) -> Result<Response, WebError> {
    let Some(media) = verb::picture(&app, &name).await? else { return lost_in(&app) };
    let headers = [
        (header::CONTENT_TYPE, media.content_type.as_str()),
        (header::CACHE_CONTROL, FOR_EVER),
        (header::CONTENT_SECURITY_POLICY, PICTURE_POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        // Mail programs and feed readers on other sites show it.
        (header::HeaderName::from_static("cross-origin-resource-policy"), "cross-origin"),
    ];
    Ok((headers, media.bytes.clone()).into_response())
}

pub(super) async fn of_theme(
    State(app): State<App>,
    Path((slug, file)): Path<(String, String)>,
) -> Result<Response, WebError> {
    let Some(newsletter) = verb::newsletter(&app, &slug).await? else { return lost_in(&app) };
    let (kind, text) = match file.split_once('-') {
        Some(("theme", rest)) if rest.ends_with(".css") => ("text/css; charset=utf-8", theme(&newsletter)),
        Some(("icon", rest)) if rest.ends_with(".svg") => ("image/svg+xml", icon(&newsletter)),
        _ => return nothing_here(Frame::of(&app, &newsletter)),
    };
    let current = Frame::of(&app, &newsletter).theme().is_some_and(|theme| same_hash(&theme, &file));
    let keep = if current { FOR_EVER } else { "no-cache" };
    Ok(([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, keep)], text).into_response())
}

/// Whether `file` carries the hash that the theme has now.
fn same_hash(theme: &str, file: &str) -> bool {
    let hash =
        |name: &str| name.rsplit('/').next().and_then(|name| name.split_once('-')).map(|(_, rest)| rest.to_owned());
    let bare = |name: String| name.trim_end_matches(".css").trim_end_matches(".svg").to_owned();
    hash(theme).map(bare) == hash(file).map(bare)
}

/// The accent in its four uses, light and dark: itself, deeper for hovering, a wash behind words, and words on it.
/// Made from colours that were read, so that nothing else can get in.
fn theme(newsletter: &Newsletter) -> String {
    let light = uses(&newsletter.accent, ACCENT, PAPER, Colour([0; 3]));
    let dark = uses(&newsletter.accent_dark, ACCENT_DARK, PAPER_DARK, WHITE);
    format!("@layer tokens {{ :root {{ {light} }} @media (prefers-color-scheme: dark) {{ :root {{ {dark} }} }} }}\n")
}

fn uses(accent: &str, default: Colour, paper: Colour, far: Colour) -> String {
    let accent = Colour::parse(accent).unwrap_or(default).legible_on(paper);
    let (deep, wash) = (between(accent, far, 25), between(accent, paper, 88));
    format!("--accent: {accent}; --accent-deep: {deep}; --accent-wash: {wash}; --on-accent: {};", accent.words_on())
}

/// A colour on the way from one to another, in hundredths.
fn between(from: Colour, to: Colour, hundredths: u32) -> Colour {
    let part = |at: usize| {
        let sum = u32::from(from.0[at]) * (100 - hundredths) + u32::from(to.0[at]) * hundredths;
        u8::try_from(sum / 100).unwrap_or(u8::MAX)
    };
    Colour([part(0), part(1), part(2)])
}

/// The page's icon in the newsletter's accent.
fn icon(newsletter: &Newsletter) -> String {
    let accent = Colour::parse(&newsletter.accent).unwrap_or(ACCENT);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 32 32\"><rect width=\"32\" height=\"32\" rx=\"3\" \
         fill=\"{accent}\"/><path d=\"M6 7h20v2.5H6zM6 11h20v1H6zM6 15h9v10H6zM17.5 15H26v1.5h-8.5zM17.5 18.5H26V20h-8.5\
         zM17.5 22H26v1.5h-8.5z\" fill=\"{}\"/></svg>\n",
        accent.words_on()
    )
}

#[cfg(test)]
mod tests {
    use super::{ACCENT, Colour, PAPER, between, same_hash, uses};

    #[test]
    fn an_accent_becomes_four_colours_and_nothing_else() {
        let four = uses("#1C45B8", ACCENT, PAPER, Colour([0; 3]));
        assert_eq!(four, "--accent: #1C45B8; --accent-deep: #15338A; --accent-wash: #DCE0EA; --on-accent: #FFFFFF;");
        assert!(uses("red;}body{", ACCENT, PAPER, Colour([0; 3])).starts_with("--accent: #A5301F;"));
        assert_eq!(between(Colour([0, 100, 200]), Colour([100, 0, 200]), 50), Colour([50, 50, 200]));
    }

    #[test]
    fn only_the_newest_theme_may_be_kept() {
        assert!(same_hash("/t/theme-a5301f-f2937c.css", "theme-a5301f-f2937c.css"));
        assert!(same_hash("/t/theme-a5301f-f2937c.css", "icon-a5301f-f2937c.svg"));
        assert!(!same_hash("/t/theme-a5301f-f2937c.css", "theme-1c45b8-8fabff.css"));
    }
}

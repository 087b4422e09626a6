//! Style sheets, icons, fonts and scripts, embedded in the binary. Their address carries a hash of all of them, so that
//! a browser may keep them for ever and a new version is asked for at once.

use std::fmt::Write as _;
use std::sync::LazyLock;

use aws_lc_rs::digest;
use axum::Router;
use axum::extract::Path;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use rust_embed::RustEmbed;

use super::error::WebError;
use crate::verbs::app::App;

#[derive(RustEmbed)]
#[folder = "$CARGO_MANIFEST_DIR/assets"]
struct Assets;

/// Bytes of the hash that stand in an address: enough that two versions never share one.
const HASH_BYTES: usize = 8;
const FOR_EVER: &str = "public, max-age=31536000, immutable";

static BASE: LazyLock<String> = LazyLock::new(|| {
    let mut names: Vec<_> = Assets::iter().collect();
    names.sort();
    let mut context = digest::Context::new(&digest::SHA256);
    for file in names.iter().filter_map(|name| Assets::get(name)) {
        context.update(&file.metadata.sha256_hash());
    }
    let mut base = String::from("/static/");
    for byte in &context.finish().as_ref()[..HASH_BYTES] {
        // Writing into a String cannot fail.
        let _ = write!(base, "{byte:02x}");
    }
    base
});

/// Where the assets are served: `/static/HASH`. A file's address is this, a slash, and its path under `assets/`.
#[must_use]
pub fn base() -> &'static str {
    &BASE
}

pub(super) fn router() -> Router<App> {
    Router::new().route("/static/{hash}/{*path}", get(file)).route(
        "/favicon.ico",
        get(|| async { axum::response::Redirect::permanent(&format!("{}/desk/favicon.svg", base())) }),
    )
}

async fn file(Path((hash, path)): Path<(String, String)>) -> Response {
    let Some(file) = Assets::get(&path) else { return WebError::NotFound.into_response() };
    // A page of the previous version asks with its old hash: it gets what we have, but may not keep it.
    let keep = if base().ends_with(&hash) { FOR_EVER } else { "no-cache" };
    let kind = file.metadata.mimetype().to_owned();
    ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, keep.to_owned())], file.data).into_response()
}

#[cfg(test)]
mod tests {
    use super::Assets;

    #[test]
    fn what_others_wrote_is_what_the_list_says() {
        let list = Assets::get("vendor/vendor.lock").expect("the list is shipped");
        let list = String::from_utf8(list.data.into_owned()).expect("the list is text");
        let mut listed: Vec<String> = vec!["vendor/vendor.lock".into()];
        for line in list.lines().filter(|line| line.starts_with("  ")) {
            let (name, wanted) = line.trim().split_once(' ').expect("file and hash");
            let file = Assets::get(&format!("vendor/{name}")).unwrap_or_else(|| panic!("{name} is missing"));
            let hash: String = file.metadata.sha256_hash().iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(hash, wanted, "{name}");
            listed.push(format!("vendor/{name}"));
        }
        for name in Assets::iter().filter(|name| name.starts_with("vendor/")) {
            assert!(listed.iter().any(|known| known == name.as_ref()), "{name} is not in the list");
        }
    }
}

//! The desk: where editors write, check, schedule and watch. One handler a thing; views hold words ready to print.

mod account;
mod beginning;
mod chart;
mod deliverability;
mod door;
mod doubt;
mod editor;
mod find;
mod forms;
mod frame;
mod home;
mod hours;
mod import;
mod issues;
mod lead;
mod nodes;
mod pace;
mod pacing;
mod preview;
mod proof;
mod reader;
mod readers;
mod report;
mod review;
mod room;
mod said;
mod sending;
mod session;
mod settings;
mod state;
mod testing;
mod uploading;
mod welcome;
mod words;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderValue, header};
use axum::routing::{get, post};
use tower_http::set_header::SetResponseHeaderLayer;

use crate::verbs::app::App;

/// The desk's policy: our own files only, no inline script or style, never inside another site's frame. Pictures of an
/// issue may lie elsewhere until the issue is added, so https pictures are let in.
pub(super) const CSP: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' https:; \
    font-src 'self'; connect-src 'self'; frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

pub(super) fn router() -> Router<App> {
    let policy = HeaderValue::from_static(CSP);
    Router::new()
        .route("/", get(home::enter))
        .route("/new", get(beginning::show).post(beginning::make))
        .route("/n/{slug}", get(home::show))
        .route("/n/{slug}/settings", get(settings::show))
        .route("/n/{slug}/settings/identity", post(settings::identity))
        .route("/n/{slug}/settings/look", post(settings::look))
        .route("/n/{slug}/settings/slot", post(settings::slot))
        .route("/n/{slug}/settings/hours", post(settings::hours))
        .route("/n/{slug}/settings/relay", post(settings::relay))
        .route("/n/{slug}/settings/relay/try", post(settings::try_relay))
        .route("/n/{slug}/settings/pace", post(pace::save))
        .route("/n/{slug}/settings/warm-up", post(pace::warm))
        .route("/n/{slug}/settings/release", post(settings::release))
        .route("/n/{slug}/deliverability", get(deliverability::show))
        .route("/n/{slug}/deliverability/key", post(deliverability::make_key))
        .route("/n/{slug}/find", get(find::show))
        .route("/n/{slug}/issues", get(issues::show))
        .route("/n/{slug}/issues/new", post(editor::begin))
        .route(
            "/n/{slug}/issues/upload",
            get(uploading::show).post(uploading::take).layer(DefaultBodyLimit::max(uploading::FILES_BYTES_MAX)),
        )
        .route("/n/{slug}/readers", get(readers::show))
        .route("/n/{slug}/readers.csv", get(readers::export))
        .route("/n/{slug}/readers/add", get(readers::show_add).post(readers::add))
        .route(
            "/n/{slug}/readers/import",
            get(import::show).post(import::upload).layer(DefaultBodyLimit::max(import::FILE_BYTES_MAX)),
        )
        .route("/n/{slug}/readers/import/confirm", post(import::confirm))
        .route("/n/{slug}/readers/{reader}", get(reader::show))
        .route("/n/{slug}/readers/{reader}/proof", get(proof::show))
        .route("/n/{slug}/readers/{reader}/unsubscribe", post(reader::unsubscribe))
        .route("/signin", get(door::show_sign_in).post(door::sign_in))
        .route("/signout", post(door::sign_out))
        .route("/setup/{token}", get(door::show_set_up).post(door::set_up))
        .route("/account", get(account::show))
        .route("/account/theme", post(account::theme))
        .route("/account/password", post(account::password))
        .route("/account/signout-elsewhere", post(account::sign_out_elsewhere))
        .route("/account/sessions/{session}/end", post(account::end_session))
        .merge(joining_router())
        .merge(issue_router())
        .layer(SetResponseHeaderLayer::if_not_present(header::CONTENT_SECURITY_POLICY, policy))
        .layer(SetResponseHeaderLayer::if_not_present(header::CACHE_CONTROL, HeaderValue::from_static("no-store")))
}

/// The ways in of a newsletter, and what new readers get.
fn joining_router() -> Router<App> {
    Router::new()
        .route("/n/{slug}/forms", get(forms::show))
        .route("/n/{slug}/forms/new", get(forms::show_new).post(forms::make))
        .route("/n/{slug}/forms/fields", post(forms::save_fields))
        .route("/n/{slug}/forms/topics", post(forms::save_topics))
        .route("/n/{slug}/forms/{form}", get(forms::show_one).post(forms::change))
        .route("/n/{slug}/forms/{form}/remove", post(forms::remove))
        .route("/n/{slug}/welcome/new", get(welcome::show_new).post(welcome::make))
        .route("/n/{slug}/welcome/{id}", get(welcome::show).post(welcome::change))
        .route("/n/{slug}/welcome/{id}/remove", post(welcome::remove))
        .route("/n/{slug}/welcome/{id}/test", post(welcome::test))
}

/// The rooms of one issue.
fn issue_router() -> Router<App> {
    Router::new()
        .route(
            "/issue/{issue}",
            get(editor::show).post(editor::save).layer(DefaultBodyLimit::max(editor::FORM_BYTES_MAX)),
        )
        .route("/issue/{issue}/mail", get(preview::show))
        .route("/issue/{issue}/test", get(testing::show).post(testing::send))
        .route("/issue/{issue}/review", get(review::show))
        .route("/issue/{issue}/send", post(review::agree))
        .route("/issue/{issue}/take-back", post(review::take_back))
        .route("/issue/{issue}/sending", get(sending::show))
        .route("/issue/{issue}/watch", get(sending::watch))
        .route("/issue/{issue}/pause", post(sending::pause))
        .route("/issue/{issue}/resume", post(sending::resume))
        .route("/issue/{issue}/cancel", get(sending::ask_cancel).post(sending::cancel))
        .route("/issue/{issue}/undo", post(sending::undo))
        .route("/issue/{issue}/doubt", get(doubt::show).post(doubt::decide))
        .route("/issue/{issue}/report", get(report::show))
        .route("/issue/{issue}/deliveries.csv", get(report::csv))
}

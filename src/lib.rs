//! Broadsheet: newsletters written as stories, checked, sent once to every reader, left with one click.
//!
//! This page is the map. It says where things are, what must never happen, and walks two ways through the house.
//!
//! # Two ways
//!
//! ```text
//! the issue's way
//! Markdown ─parse▶ Issue ─check▶ findings ─render▶ Rendered{html, text, web, hash}   pure, once per issue
//!   ─publish▶ frozen Rendered + one delivery per reader                               25,000 a transaction
//!   ─claim (lease)▶ ─compose▶ message ─SMTP▶ Reply ─classify▶ Outcome ─settle▶ ledger ─▶ what the editor sees
//!
//! the reader's way
//! form ─▶ pending ─confirm▶ active ─unsubscribe │ hard bounce │ complaint▶ gone, for good
//!                              └ pause
//! ```
//!
//! # The bands
//!
//! Each may import only what stands above it; `tests/it/house.rs` walks `src/` and holds them to it.
//!
//! ```text
//! values      address, ids, clock, tokens              no I/O; everyone may use them
//! ways        issue/      Markdown to bytes            pure
//!             audience/   who gets it                  pure
//!             delivery/   from reply to outcome; pace  pure
//!             schedule/   wall times, zones, slots     pure
//! hands       store/ smtp/ media fetch config          I/O, strangers to each other
//! verbs       publish, deliver, membership, …          the only place where hands meet
//! doors       web/ cli/                                parse, one verb, one page
//! ```
//!
//! # The ledger
//!
//! ```text
//! pending ─claim, lease─▶ claimed ─commit just before the final dot─▶ inflight ─2xx▶ sent
//!    ▲                      │ left, suppressed, paused: skipped          │ 4xx ▶ pending (next_at)   5xx ▶ failed
//!    │                      │ cannot be rendered ×3: failed              └ no clear answer, or crash ▶ in_doubt
//!    └── any failure before the dot, or the lease ran out: safe to retry ┘
//! ```
//!
//! # Never
//!
//! - A mail to somebody who is not an active, unsuppressed subscriber: a `Recipient` cannot be made otherwise.
//! - A second mail to the same reader of the same issue, outside the in-doubt window; that window is bounded by what
//!   a relay may have unanswered (connections × window, 64 unless set), written in the ledger, and shown.
//! - A transaction held across the network; a delivery outcome that lives only in a log.
//! - A fault of ours (connect, TLS, AUTH, MAIL FROM) charged to a reader.
//! - A GET that changes state; an unsubscribe that needs a login; a page that tells a stranger who is subscribed.
//! - A reader's address in a log line, an address in a URL.
//! - Two renderings of one issue: preview, test mail, sending and archive show one hash.
//!
//! # Publishing an issue
//!
//! 1. `cli::issue` or `web::desk` calls [`verbs::publish`]; a schedule does it through [`verbs::scheduling`].
//! 2. `verbs::editing` renders: [`issue::parse`] → [`issue::check`] → [`issue::render`]. A blocking finding ends it here.
//! 3. The rendering is kept, the issue becomes `sending`, and one `delivery` row is made for every active, unsuppressed
//!    reader: the first 25,000 in that transaction, the others piece by piece. The last gives the issue its
//!    `hold_until`: nothing leaves before, and until then it can be undone.
//! 4. [`verbs::deliver`] claims rows under a lease of this node ([`verbs::nodes`]), checks consent again, splices and
//!    signs each reader's message ahead of the wire, marks the rows `inflight` in a group's commit, and only then lets
//!    [`smtp`] write the bytes, as fast as [`delivery::pace`] allows.
//! 5. [`delivery::outcome`] turns the reply into an outcome; one writer settles it on the row. When no row is
//!    unfinished, the issue is `sent`.
//!
//! # Joining
//!
//! 1. `web::public` draws a form as a page, as HTML to paste, and as JSON; all three hand a `SignUp` to
//!    [`verbs::membership`].
//! 2. Its guards count by network, domain, newsletter and house, ask for work while sign-ups spike, and let one mailbox
//!    get three letters a day at most. What they say depends on how often was asked, never on who is known.
//! 3. One transaction writes the subscription, its answers, a sealed line of consent, and the letter that asks.
//! 4. The button of that letter's page makes the reader active, adds a line, and begins the welcome (docs/joining.md).
//!
//! # Unsubscribing
//!
//! 1. A mail program POSTs `List-Unsubscribe=One-Click` to `/r/TOKEN/unsubscribe` ([`web::public`]), or a reader presses
//!    the button of the page that a GET of that address shows.
//! 2. [`values::token`] opens the token: newsletter and subscriber, nothing that a stranger could guess or alter.
//! 3. [`verbs::membership`] changes the subscription and writes the event, in one transaction.
//! 4. Deliveries that wait for this reader are skipped: the claim asks for consent, the mark asks again.
//! 5. The answer is 200, without cookies or redirects; pressing twice is the same as pressing once.

pub mod values;

pub mod audience;
pub mod delivery;
pub mod issue;
pub mod schedule;

#[macro_use]
pub mod store;
pub mod config;
pub mod fetch;
pub mod media;
pub mod smtp;

pub mod verbs;

pub mod cli;
pub mod web;

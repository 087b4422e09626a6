//! Membership: everything that happens between a person and a newsletter. Signing up, confirming, leaving, pausing;
//! what editors do for readers; lists in and out; one person's whole history.
//!
//! Every change is one transaction that also writes the event. What a page may say of an address to a stranger is
//! decided here and not by the pages: [`sign_up`] answers the same whatever is known of it. Not here: hard bounces
//! and complaints (they come in as reports), the page around any of this.

mod departures;
mod editor;
mod export;
mod forms;
mod guard;
mod history;
mod import;
mod joining;
mod leaving;
mod letter;
mod proof;
mod seat;
mod welcome;
mod wishes;

pub use departures::{Departures, departures};
pub use editor::{Added, NewReader, add_reader, lift_suppression, suppress, unsubscribe_by_editor};
pub use export::export;
pub use forms::{FormChange, find_form, next_issue, questions, remove_form, save_form, set_fields, set_topics};
pub use guard::{Challenge, SLOW_SECONDS, challenge_now, network_of, spike_now};
pub use history::{Entry, Found, History, find, history};
pub use import::{Import, Refused, import};
pub use joining::{Confirmed, SignUp, SignedUp, confirm, confirming, sign_up, this_was_not_me};
pub use leaving::{How, LeaveReason, set_leave_reason, undo_unsubscribe, unsubscribe, unsubscribe_from_all};
pub use proof::{Proof, Proven, proof};
pub use seat::{Seat, seat};
pub use welcome::{Step, remove_welcome, save_welcome, steps, test_welcome, write_due};
pub use wishes::{pause, resume, set_name, set_zone, set_zone_by_editor};

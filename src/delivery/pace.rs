//! How fast mail leaves, and which of it next. Pure: the clock is handed in, what must survive a restart is a value
//! that can be written down.
//!
//! - [`meter`]: limits by second, minute, hour and day, of a relay or a receiving site.
//! - [`adapt`]: slower when a receiver asks for it, faster again step by step.
//! - [`finder`]: how many connections a relay is best used with.
//! - [`gate`]: one receiving site in trouble does not hold up the others.
//! - [`share`]: issues that go out together get their parts of a relay.
//! - [`choice`]: which of a newsletter's relays carries the next message.
//! - [`ramp`]: warm-up of a sender's domain, and the days an issue takes.
//! - [`sites`]: what is known of the large receivers.

pub mod adapt;
pub mod choice;
pub mod finder;
pub mod gate;
pub mod meter;
pub mod ramp;
pub mod share;
pub mod sites;

//! What becomes of a message: from reply to outcome, when to try again, how fast, counts. Pure.

pub mod breaker;
pub mod counts;
pub mod outcome;
pub mod pace;
pub mod reply;
pub mod retry;
pub mod state;
pub mod step;

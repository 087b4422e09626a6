//! What a person asked for and cannot have, and can put right. Doors turn it into a page or an exit code; every
//! other error is ours.

/// Each text says what happened, what did not happen, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The thing that was named is not there.
    #[error("{0}")]
    NotFound(String),
    /// What was written cannot be used; one line for each thing that is wrong.
    #[error("{0}")]
    Invalid(String),
    /// It could be done, and a check says no.
    #[error("{0}")]
    Refused(String),
}

impl Problem {
    /// The problem inside an error, if it is one.
    #[must_use]
    pub fn of(error: &anyhow::Error) -> Option<&Self> {
        error.chain().find_map(|cause| cause.downcast_ref())
    }
}

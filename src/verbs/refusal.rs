//! What a verb refuses, and why: for the editor's eyes and the command line's exit codes.

use crate::issue::finding::Finding;
use crate::store::issue::IssueState;

/// A verb said no, and nothing was changed. Doors find it by `downcast_ref` on the error they got.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Refusal {
    #[error("there is no such issue; nothing was changed")]
    NoSuchIssue,
    /// The checks found what must not go out.
    #[error("the checks block this issue: {}; nothing was sent", count(.0))]
    Blocked(Vec<Finding>),
    /// The issue is in a state in which this cannot be done.
    #[error("this issue is {}, so it cannot be {wanted}; nothing was changed", state.as_str())]
    State { state: IssueState, wanted: &'static str },
    #[error("the undo hold is over and mail is leaving; pause or cancel the rest instead")]
    TooLate,
    #[error("nobody can be mailed: no reader of this newsletter is active and unsuppressed; nothing was sent")]
    NoReaders,
    #[error("this newsletter has no relay to hand mail to; nothing was sent. Give it one in the settings")]
    NoRelay,
    #[error("somebody is saving this issue right now; nothing was sent. Look at the newest text and send again")]
    Changing,
}

fn count(findings: &[Finding]) -> String {
    match findings.len() {
        1 => "1 thing must be put right".to_owned(),
        many => format!("{many} things must be put right"),
    }
}

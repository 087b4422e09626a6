//! What an import makes of each line: exactly one class, and a report whose classes add up to the lines.

use super::status::{Event, Status};

/// Problems kept in a report with line and reason; the rest is counted. A person reads the first hundred at most.
pub const PROBLEMS_KEPT_MAX: usize = 1_000;

/// What becomes of one line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Becomes an active reader (also one who was pending: a stated consent is one).
    New,
    AlreadyActive,
    /// Left, bounced or complained here before: stays out.
    LeftBefore,
    /// The address must not be mailed at all: stays out.
    Suppressed,
    /// No address, or a broken line.
    Bad,
    /// The address stood in the file before.
    Duplicate,
}

/// The class of a good line, by what is known of its address.
#[must_use]
pub fn classify(known: Option<Status>, is_suppressed: bool) -> Class {
    match known {
        _ if is_suppressed => Class::Suppressed,
        Some(Status::Active) => Class::AlreadyActive,
        Some(status) if status.after(Event::Imported) == Status::Active => Class::New,
        Some(_) => Class::LeftBefore,
        None => Class::New,
    }
}

/// A line that an editor should look at.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Problem {
    pub line: usize,
    pub class: Class,
    pub reason: String,
}

/// What an import did, or would do.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Report {
    pub dry_run: bool,
    pub encoding: String,
    pub delimiter: String,
    pub lines: usize,
    pub new: usize,
    pub already_active: usize,
    pub left_before: usize,
    pub suppressed: usize,
    pub bad: usize,
    pub duplicate: usize,
    /// Of the new ones: mailboxes of a role ("postmaster@"), taken but worth a look.
    pub roles: usize,
    /// Lines whose zone is none; their readers are taken without it.
    pub zones_unknown: usize,
    /// The first [`PROBLEMS_KEPT_MAX`] lines that were not taken for a reason a person can mend.
    pub problems: Vec<Problem>,
}

impl Report {
    /// Counts one line.
    pub fn count(&mut self, class: Class) {
        self.lines += 1;
        *match class {
            Class::New => &mut self.new,
            Class::AlreadyActive => &mut self.already_active,
            Class::LeftBefore => &mut self.left_before,
            Class::Suppressed => &mut self.suppressed,
            Class::Bad => &mut self.bad,
            Class::Duplicate => &mut self.duplicate,
        } += 1;
    }

    /// Keeps the reason of a line for the editor.
    pub fn tell(&mut self, line: usize, class: Class, reason: impl Into<String>) {
        if self.problems.len() < PROBLEMS_KEPT_MAX {
            self.problems.push(Problem { line, class, reason: reason.into() });
        }
    }

    /// Every line is in exactly one class.
    #[must_use]
    pub fn adds_up(&self) -> bool {
        let classes = [self.new, self.already_active, self.left_before, self.suppressed, self.bad, self.duplicate];
        classes.iter().sum::<usize>() == self.lines
    }
}

#[cfg(test)]
mod tests {
    use super::{Class, Status, classify};

    #[test]
    fn who_is_gone_stays_out_and_a_suppressed_address_always_does() {
        assert_eq!(classify(None, false), Class::New);
        assert_eq!(classify(Some(Status::Pending), false), Class::New);
        assert_eq!(classify(Some(Status::Active), false), Class::AlreadyActive);
        for gone in [Status::Unsubscribed, Status::Bounced, Status::Complained] {
            assert_eq!(classify(Some(gone), false), Class::LeftBefore);
        }
        for known in Status::ALL.into_iter().map(Some).chain([None]) {
            assert_eq!(classify(known, true), Class::Suppressed);
        }
    }
}

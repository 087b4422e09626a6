//! The fields of a delivery report (RFC 3464 §2.3), one group for every recipient, however it is spaced.

use super::code::Status;
use super::found_address::of_field;

/// What a group says became of the mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Failed,
    Delayed,
    /// Delivered, relayed or expanded.
    Done,
}

/// One recipient's group.
#[derive(Clone, Debug, Default)]
pub(super) struct Group {
    pub(super) last: Option<String>,
    pub(super) original: Option<String>,
    pub(super) actual: Option<String>,
    /// A recipient is named, but not by an address: a local part, or a name of Notes or X.400.
    nameless: bool,
    pub(super) action: Option<Action>,
    pub(super) status: Option<Status>,
    /// Without its type.
    pub(super) diagnostic: Option<String>,
}

impl Group {
    fn has_address(&self) -> bool {
        self.last.is_some() || self.original.is_some() || self.actual.is_some() || self.nameless
    }

    fn take(&mut self, name: &str, value: &str) {
        match name {
            "final-recipient" => {
                self.nameless |= !value.is_empty();
                set(&mut self.last, of_field(value));
            }
            "original-recipient" => set(&mut self.original, of_field(value)),
            "x-actual-recipient" => set(&mut self.actual, of_field(value)),
            "action" => set(&mut self.action, action(value)),
            "status" => set(&mut self.status, Status::read(value)),
            "diagnostic-code" | "x-supplementary-info" => self.add_diagnostic(value),
            _ => {}
        }
    }

    fn add_diagnostic(&mut self, value: &str) {
        let text = match value.split_once(';') {
            Some((kind, rest)) if kind.len() < 20 && !kind.trim().contains(' ') => rest,
            _ => value,
        };
        let text = text.trim();
        match &mut self.diagnostic {
            Some(known) => {
                known.push(' ');
                known.push_str(text);
            }
            None if text.is_empty() => {}
            None => self.diagnostic = Some(text.to_owned()),
        }
    }

    /// What an orphaned group says belongs to the recipient before it: some programs put blank lines in between.
    fn fill_from(&mut self, orphan: Self) {
        self.action = self.action.or(orphan.action);
        self.status = self.status.or(orphan.status);
        self.diagnostic = self.diagnostic.take().or(orphan.diagnostic);
    }

    fn is_blank(&self) -> bool {
        !self.has_address() && self.action.is_none() && self.status.is_none() && self.diagnostic.is_none()
    }
}

fn set<T>(slot: &mut Option<T>, value: Option<T>) {
    if slot.is_none() {
        *slot = value;
    }
}

fn action(value: &str) -> Option<Action> {
    let word = value.trim_start().split([' ', '(', ';', '\r', '\n']).next().unwrap_or_default().to_ascii_lowercase();
    match word.as_str() {
        "failed" | "failure" | "expired" | "fail" | "bounced" | "deliverfailed" | "undeliverable" => {
            Some(Action::Failed)
        }
        "delayed" | "delay" | "deferred" => Some(Action::Delayed),
        "delivered" | "relayed" | "expanded" | "deliverable" => Some(Action::Done),
        _ => None,
    }
}

/// Names that begin a line of a report, in lower case.
const NAMES: &[&str] = &[
    "final-recipient",
    "original-recipient",
    "x-actual-recipient",
    "action",
    "status",
    "diagnostic-code",
    "remote-mta",
    "last-attempt-date",
    "final-log-id",
    "will-retry-until",
    "reporting-mta",
    "arrival-date",
    "dsn-gateway",
    "received-from-mta",
    "original-envelope-id",
    "x-supplementary-info",
];

/// The groups in `text`; other lines are passed over.
pub(super) fn groups(text: &str) -> Vec<Group> {
    let mut found: Vec<Group> = Vec::new();
    let mut group = Group::default();
    let mut field: Option<(&str, String)> = None;
    for line in text.lines() {
        let folds = line.starts_with([' ', '\t']) && !line.trim().is_empty();
        if folds && let Some((_, value)) = &mut field {
            value.push(' ');
            value.push_str(line.trim());
            continue;
        }
        let next = named(line);
        // Exchange breaks its diagnostics without a space; other fields end them.
        let is_broken_off = next.is_none() && !line.trim().is_empty() && !line.starts_with("--") && !is_field(line);
        if is_broken_off && let Some(("diagnostic-code", value)) = &mut field {
            value.push(' ');
            value.push_str(line.trim());
            continue;
        }
        if let Some((name, value)) = field.take() {
            group.take(name, &value);
        }
        let begins_another = next.as_ref().is_some_and(|(name, _)| *name == "final-recipient")
            && (group.last.is_some() || group.nameless);
        if line.trim().is_empty() || begins_another {
            end(&mut found, &mut group);
        }
        field = next.map(|(name, value)| (name, value.to_owned()));
    }
    if let Some((name, value)) = field {
        group.take(name, &value);
    }
    end(&mut found, &mut group);
    found
}

fn is_field(line: &str) -> bool {
    line.split_once(": ")
        .is_some_and(|(name, _)| name.contains('-') && name.bytes().all(|it| it.is_ascii_alphabetic() || it == b'-'))
}

fn named(line: &str) -> Option<(&'static str, &str)> {
    let (name, value) = line.split_once(':')?;
    let name = name.trim();
    NAMES.iter().find(|known| known.eq_ignore_ascii_case(name)).map(|name| (*name, value.trim()))
}

fn end(found: &mut Vec<Group>, group: &mut Group) {
    if group.is_blank() {
        return;
    }
    if group.has_address() {
        found.push(std::mem::take(group));
    } else if let Some(last) = found.last_mut().filter(|last| last.action.is_none() || last.status.is_none()) {
        last.fill_from(std::mem::take(group));
    }
    // Else the fields stay and meet their recipient further down.
}

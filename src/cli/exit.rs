//! How a command ends: 0 ok, 1 failed, 2 usage, 3 configuration, 4 not found, 5 refused by a check.

use std::process::ExitCode;

use crate::config::BadConfig;
use crate::schedule::BadSchedule;
use crate::schedule::wall::BadMoment;
use crate::schedule::zone::UnknownZone;
use crate::verbs::accounts::AccountRefused;
use crate::verbs::problem::Problem;
use crate::verbs::refusal::Refusal;

pub const FAILED: u8 = 1;
pub const USAGE: u8 = 2;
pub const CONFIG: u8 = 3;
pub const NOT_FOUND: u8 = 4;
pub const REFUSED: u8 = 5;

/// Everything was said already; only the code is left.
#[derive(Debug, thiserror::Error)]
#[error("exit code {0}")]
pub struct Silent(pub u8);

/// Says what went wrong on standard error, and gives the code for it.
#[must_use]
pub fn report(error: &anyhow::Error) -> ExitCode {
    if let Some(Silent(code)) = error.downcast_ref() {
        return ExitCode::from(*code);
    }
    let what = if code_of(error) == CONFIG { "the configuration cannot be used; nothing was started\n" } else { "" };
    eprintln!("error: {what}{error:#}");
    if let Some(Refusal::Blocked(findings)) = refusal(error) {
        for finding in findings {
            eprintln!("  {}:{}: {}: {}", finding.at.line, finding.at.column, finding.severity, finding.what);
        }
    }
    ExitCode::from(code_of(error))
}

fn refusal(error: &anyhow::Error) -> Option<&Refusal> {
    error.chain().find_map(|cause| cause.downcast_ref())
}

fn code_of(error: &anyhow::Error) -> u8 {
    let is = |found: bool, code: u8| found.then_some(code);
    let any = |check: fn(&(dyn std::error::Error + 'static)) -> bool| error.chain().any(check);
    let usage = any(|cause| cause.is::<BadMoment>() || cause.is::<BadSchedule>() || cause.is::<UnknownZone>());
    let account = any(|cause| {
        matches!(
            cause.downcast_ref(),
            Some(AccountRefused::Address(_) | AccountRefused::Name | AccountRefused::Password)
        )
    });
    Problem::of(error)
        .map(|problem| match problem {
            Problem::NotFound(_) => NOT_FOUND,
            Problem::Invalid(_) => USAGE,
            Problem::Refused(_) => REFUSED,
        })
        .or_else(|| refusal(error).map(code_of_refusal))
        .or_else(|| is(any(|cause| cause.is::<BadConfig>()), CONFIG))
        .or_else(|| is(usage || account, USAGE))
        .unwrap_or(FAILED)
}

fn code_of_refusal(refusal: &Refusal) -> u8 {
    match refusal {
        Refusal::NoSuchIssue => NOT_FOUND,
        Refusal::Blocked(_) | Refusal::NoReaders | Refusal::NoRelay => REFUSED,
        Refusal::State { .. } | Refusal::TooLate | Refusal::Changing => FAILED,
    }
}

#[cfg(test)]
mod tests {
    use super::code_of;
    use crate::config::BadConfig;
    use crate::verbs::problem::Problem;
    use crate::verbs::refusal::Refusal;

    #[test]
    fn each_kind_of_error_has_its_code() {
        let codes = [
            (anyhow::anyhow!("disk full"), 1),
            (Problem::Invalid(String::new()).into(), 2),
            (anyhow::Error::new(BadConfig::one("x")).context("more"), 3),
            (Refusal::NoSuchIssue.into(), 4),
            (anyhow::Error::new(Problem::NotFound(String::new())).context("more"), 4),
            (Refusal::NoReaders.into(), 5),
            (Refusal::TooLate.into(), 1),
        ];
        for (error, code) in codes {
            assert_eq!(code_of(&error), code, "{error:#}");
        }
    }
}

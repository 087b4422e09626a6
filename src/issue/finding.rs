//! What is wrong with an issue, or might be: at its place, with what to write instead.

use std::fmt;

use super::tree::Place;

/// Whether an issue with this finding may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Must be mended before anything is sent.
    Blocks,
    /// Worth a look; sending is up to the editor.
    Warns,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Blocks => "error",
            Self::Warns => "warning",
        })
    }
}

/// One thing found, by the parser or by a check.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Finding {
    pub severity: Severity,
    /// Stable, in kebab case: "missing-alt".
    pub code: &'static str,
    #[serde(flatten)]
    pub at: Place,
    /// What is so, as a sentence without its full stop.
    pub what: String,
    /// What to write instead, likewise. May be empty.
    pub instead: String,
}

impl Finding {
    #[must_use]
    pub fn blocks(code: &'static str, at: Place, what: impl Into<String>, instead: impl Into<String>) -> Self {
        Self { severity: Severity::Blocks, code, at, what: what.into(), instead: instead.into() }
    }

    #[must_use]
    pub fn warns(code: &'static str, at: Place, what: impl Into<String>, instead: impl Into<String>) -> Self {
        Self { severity: Severity::Warns, code, at, what: what.into(), instead: instead.into() }
    }
}

/// Whether any of these keeps the issue from being sent.
#[must_use]
pub fn blocked(findings: &[Finding]) -> bool {
    findings.iter().any(|finding| finding.severity == Severity::Blocks)
}

/// In the order of the file, at one place what blocks first, nothing twice.
#[must_use]
pub fn in_order(mut findings: Vec<Finding>) -> Vec<Finding> {
    findings.sort_by(|a, b| (a.at, a.severity, a.code, &a.what).cmp(&(b.at, b.severity, b.code, &b.what)));
    findings.dedup();
    findings
}

//! Waivers: known failures that are reported but do not count.

use super::Date;

/// A known failure that does not count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiver {
    /// A glob of check ids.
    pub check: String,
    /// The reason; never empty.
    pub reason: String,
    /// The last day on which it is in force.
    pub until: Option<Date>,
    /// Whether the check may also pass.
    pub flaky: bool,
    /// A glob of finding ids, if the waiver covers a finding of a fuzz campaign instead of a check.
    pub finding: Option<String>,
    /// The line of the file on which it starts, from 1.
    pub line: usize,
}

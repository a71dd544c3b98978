//! A known failure: it is reported and does not count.

use super::Date;

/// A failure that is known and does not count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiver {
    /// A pattern of check ids.
    pub check: String,
    /// Why; never empty.
    pub reason: String,
    /// The last day it holds.
    pub until: Option<Date>,
    /// The check may also pass.
    pub flaky: bool,
    /// It is about this finding of a campaign (a pattern of ids), and about no check.
    pub finding: Option<String>,
    /// The line of the file it begins in, from 1.
    pub line: usize,
}

//! `[[waive]]`: known failures.

use schemars::JsonSchema;
use serde::Deserialize;

use super::value::{At, Scalar, Text};
use super::{Read, line_and_column};
use crate::subject::Waiver;

/// A known failure: it is reported and does not fail the run. It is stale, and fails the run, once everything that
/// its pattern matches has passed.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct WaiveTable {
    /// A pattern of check ids, as in "oob-*".
    check: Text,
    /// Why the failure is accepted.
    reason: Text,
    /// The last day on which the waiver holds, as in "2027-03-01".
    #[schemars(with = "Option<String>")]
    until: Option<At<Scalar>>,
    /// The check may also pass.
    #[serde(default)]
    flaky: bool,
    /// The id of the only finding it covers, or a pattern of ids.
    finding: Option<String>,
}

impl At<WaiveTable> {
    pub(super) fn waiver(self, source: &str) -> Read<Waiver> {
        let table = self.value;
        for (key, text) in [("check", &table.check), ("reason", &table.reason)] {
            if text.value.trim().is_empty() {
                return Err(text.fault(format!("`{key}` is empty")));
            }
        }
        let until = table.until.map(|day| day.parse("until", str::parse));
        Ok(Waiver {
            check: table.check.value,
            reason: table.reason.value,
            until: until.transpose()?,
            flaky: table.flaky,
            finding: table.finding,
            line: line_and_column(source, self.start).0,
        })
    }
}

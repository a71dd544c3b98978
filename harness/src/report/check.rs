//! The result of a battery.

use schemars::JsonSchema;
use serde::Serialize;

use super::{Learned, RunVerdict, Since};
use crate::check::run::{MORE_TIME, VerdictCounts};
use crate::check::{Cause, Outcome, cause};

/// The result of a battery.
#[derive(Clone, Debug, Default, JsonSchema, Serialize)]
pub(crate) struct CheckReport {
    /// Number of checks for each verdict.
    pub counts: VerdictCounts,
    /// What prevents a pass besides failed checks: stale waivers, required checks without a verdict.
    pub blockers: Vec<String>,
    /// What was learned about the server before it was judged; `None` if the run ended before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rehearsal: Option<Box<Learned>>,
    /// What changed since an earlier run, where that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Box<Since>>,
    /// What several failures probably have in common.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<Cause>,
    /// The checks.
    pub outcomes: Vec<Outcome>,
}

impl CheckReport {
    /// The result of a battery with these outcomes.
    pub(crate) fn new(
        mut outcomes: Vec<Outcome>,
        blockers: Vec<String>,
        rehearsal: Option<Learned>,
    ) -> Self {
        Self {
            causes: cause::infer(&mut outcomes),
            counts: VerdictCounts::of(&outcomes),
            blockers,
            rehearsal: rehearsal.map(Box::new),
            since: None,
            outcomes,
        }
    }

    pub(super) fn verdict(&self, interrupted: bool) -> RunVerdict {
        let counts = &self.counts;
        if counts.fail > 0 || !self.blockers.is_empty() {
            RunVerdict::Fail
        } else if counts.inconclusive > 0 || counts.ran() == 0 || interrupted {
            RunVerdict::Inconclusive
        } else {
            RunVerdict::Pass
        }
    }

    /// The number of checks per verdict.
    pub(super) fn counted(&self) -> String {
        let counts = self.counts;
        let late = |outcome: &&Outcome| outcome.enable == [MORE_TIME];
        let late = self.outcomes.iter().filter(late).count();
        let parts = [
            (counts.pass, "passed"),
            (counts.fail, "failed"),
            (counts.warn, "warned"),
            (counts.inconclusive, "inconclusive"),
            (counts.waived, "waived"),
            (counts.skip - late, "skipped"),
            (late, "left out for lack of time"),
        ];
        let parts: Vec<String> = parts
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, word)| format!("{count} {word}"))
            .collect();
        match parts.is_empty() {
            true => "nothing ran".into(),
            false => parts.join(", "),
        }
    }
}

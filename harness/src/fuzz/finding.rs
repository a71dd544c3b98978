//! The findings of a campaign and its totals.

use std::path::PathBuf;

use serde::Serialize;

use super::Case;
use super::symptom::{FindingKind, Symptom};

/// How many fresh servers showed the bug again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Confirmed {
    /// Servers that showed it.
    pub seen: u32,
    /// Servers that were tried.
    pub of: u32,
}

impl std::fmt::Display for Confirmed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.seen, self.of)
    }
}

impl Serialize for Confirmed {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// One bug and the cases that trigger it.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// The kind and a hash of the symptom's key: the same bug has the same id in every campaign.
    pub id: String,
    /// What was seen.
    #[serde(flatten)]
    pub symptom: Symptom,
    /// How often it recurred. `0/5` did not recur; it is stored with all cases of its epoch.
    pub confirmed: Confirmed,
    /// Total steps of all cases.
    pub steps: usize,
    /// Total bytes of all cases.
    pub bytes: usize,
    /// The folder that contains `case.json`, `reproduce.py` and `reproduce.rs`.
    pub reproducer: Option<PathBuf>,
    /// The command that reproduces the bug.
    pub reproduce: String,
    /// Seconds from the start of the campaign to the first sighting.
    pub first_seen_s: f64,
    /// Whether minimization completed. If not, a smaller case may exist.
    pub minimal: bool,
    /// The reason of the waiver that covers this finding.
    pub waived: Option<String>,
    /// The cases, in the order in which they run on one fresh server.
    pub cases: Vec<Case>,
}

impl Finding {
    /// Whether it is a certain bug that no waiver covers.
    pub(crate) fn counts(&self) -> bool {
        let certain = self.confirmed.seen > 0 || self.symptom.kind == FindingKind::Crash;
        self.waived.is_none() && certain
    }
}

/// The result of a campaign.
#[derive(Clone, Debug, Default, Serialize)]
pub struct FuzzResult {
    /// Cases executed, without those of confirmation and minimization.
    pub executions: u64,
    /// Cases per second of fuzzing time, without confirmation and minimization.
    pub executions_per_s: f64,
    /// What guided the campaign.
    pub coverage: Coverage,
    /// The findings, the most certain first.
    pub findings: Vec<Finding>,
    /// Epochs: how often a server was started for fuzzing.
    pub restarts: u64,
    /// Cases in the corpus at the end.
    pub corpus: usize,
    /// Servers that ran in parallel.
    pub jobs: usize,
    /// Health checks: connections of a well-behaved client.
    pub canaries: u64,
    /// Remarks for the reader that are not findings.
    pub notes: Vec<String>,
}

/// What guided a campaign.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Coverage {
    /// The feedback mode: `shape` or `none`.
    pub feedback: String,
    /// Distinct observations.
    pub edges: usize,
}

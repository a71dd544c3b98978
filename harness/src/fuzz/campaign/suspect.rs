//! A symptom and the cases that may have caused it.

use crate::fuzz::Case;
use crate::fuzz::symptom::{FindingKind, Symptom};

/// A symptom of which it is not yet known which cases cause it.
pub(super) struct Suspect {
    pub(super) symptom: Symptom,
    /// Number of leading cases after which the server was still healthy.
    pub(super) good: usize,
    /// All cases of the epoch.
    pub(super) cases: Vec<Case>,
}

impl Suspect {
    /// A symptom that one case alone has shown.
    pub(super) fn alone(symptom: Symptom, case: Case) -> Self {
        Self {
            symptom,
            good: 0,
            cases: vec![case],
        }
    }

    pub(super) fn kind(&self) -> FindingKind {
        self.symptom.kind
    }
}

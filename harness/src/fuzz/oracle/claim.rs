//! A bug to look for again, and how thoroughly.

use crate::fuzz::symptom::FindingKind;

/// How thoroughly an oracle looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rigour {
    /// The full definition of the oracle.
    Full,
    /// Fewer repetitions, for hints and for the minimizer; the result is confirmed with `Full` later.
    Quick,
}

/// A bug to look for again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Claim {
    /// The oracle that decides.
    pub kind: FindingKind,
    /// The wrong reply of a conformance finding.
    pub wrong_reply: Option<Vec<u8>>,
}

impl From<FindingKind> for Claim {
    fn from(kind: FindingKind) -> Self {
        Self {
            kind,
            wrong_reply: None,
        }
    }
}

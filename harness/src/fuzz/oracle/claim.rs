//! A bug to look for again, and how thoroughly.

use serde_json::Value;

use crate::fuzz::case::unhex;
use crate::fuzz::symptom::{FindingKind, Symptom};

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

impl Claim {
    /// The bug that this symptom shows.
    pub(crate) fn of(symptom: &Symptom) -> Self {
        let hex = symptom.evidence.get("reply_hex").and_then(Value::as_str);
        Self {
            kind: symptom.kind,
            wrong_reply: hex.and_then(unhex),
        }
    }
}

impl From<FindingKind> for Claim {
    fn from(kind: FindingKind) -> Self {
        Self {
            kind,
            wrong_reply: None,
        }
    }
}

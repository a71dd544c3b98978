//! A symptom and the cases that may have caused it.

use std::time::Duration;

use crate::data::hash::fnv1a;
use crate::fuzz::Case;
use crate::fuzz::oracle::Claim;
use crate::fuzz::oracle::conformance::Breach;
use crate::fuzz::symptom::{FindingKind, Symptom};

/// A symptom of which it may not yet be known which cases cause it.
#[derive(Clone, Debug)]
pub(super) struct Suspect {
    pub(super) symptom: Symptom,
    /// What to look for again.
    pub(super) claim: Claim,
    /// Number of leading cases after which the server was still healthy.
    pub(super) good: usize,
    /// All cases of the epoch, or those that cause the symptom.
    pub(super) cases: Vec<Case>,
    /// The cases have shown it on a fresh server.
    pub(super) blamed: bool,
    /// The turn of the request, for kinds of which one is settled per turn.
    pub(super) turn: Option<String>,
    /// Time since the start of the campaign.
    pub(super) first_seen: Duration,
}

impl Suspect {
    /// A symptom that one of the cases has shown.
    pub(super) fn of(symptom: Symptom, cases: Vec<Case>, good: usize) -> Self {
        Self {
            claim: Claim::of(&symptom),
            symptom,
            good,
            cases,
            blamed: false,
            turn: None,
            first_seen: Duration::ZERO,
        }
    }

    /// A symptom that one case alone has shown.
    pub(super) fn alone(symptom: Symptom, case: Case) -> Self {
        Self::of(symptom, vec![case], 0)
    }

    /// A breach that a conformance probe showed.
    pub(super) fn breach(breach: Breach) -> Self {
        Self {
            claim: breach.claim,
            blamed: true,
            ..Self::alone(breach.symptom, breach.case)
        }
    }

    pub(super) fn kind(&self) -> FindingKind {
        self.symptom.kind
    }

    /// The id of the finding that it may become.
    pub(super) fn id(&self) -> String {
        id(&self.claim, &self.identity())
    }

    /// What tells this bug from others in all campaigns.
    pub(super) fn identity(&self) -> String {
        identity(&self.symptom, self.turn.as_deref())
    }
}

/// The id of a finding: the same bug has the same id in every campaign.
pub(in crate::fuzz) fn id(claim: &Claim, identity: &str) -> String {
    format!(
        "{}-{:08x}",
        claim.kind.name(),
        fnv1a(identity.as_bytes()) >> 32
    )
}

/// The key of the symptom, and the turn if there is one.
pub(in crate::fuzz) fn identity(symptom: &Symptom, turn: Option<&str>) -> String {
    match turn {
        Some(turn) => format!("{} at {turn}", symptom.key),
        None => symptom.key.clone(),
    }
}

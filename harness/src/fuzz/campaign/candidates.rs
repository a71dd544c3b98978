//! Runs the candidates of the minimizer.

use tokio::runtime::Runtime;

use crate::fuzz::Case;
use crate::fuzz::epoch::Epoch;
use crate::fuzz::minimize::CandidateOutcome;
use crate::fuzz::oracle::{Claim, Rigour, shows_on};
use crate::fuzz::symptom::Symptom;
use crate::fuzz::target::FuzzTarget;

/// Maximum servers that the minimization of one finding may start.
const RESTARTS_MAX: u32 = 300;
/// Maximum candidates on one server before the minimizer replaces it.
const CANDIDATES_PER_EPOCH: u32 = 50;

/// A server that a candidate left unharmed is used for the next one.
pub(super) struct Candidates<'a> {
    claim: &'a Claim,
    wanted: &'a Symptom,
    target: &'a FuzzTarget,
    runtime: &'a Runtime,
    epoch: Option<Epoch<'a>>,
    /// Candidates that ran on this server.
    used: u32,
    starts: u32,
}

impl<'a> Candidates<'a> {
    /// Runs candidates until the deadline of the target.
    pub(super) fn new(
        claim: &'a Claim,
        wanted: &'a Symptom,
        target: &'a FuzzTarget,
        runtime: &'a Runtime,
    ) -> Self {
        Self {
            claim,
            wanted,
            target,
            runtime,
            epoch: None,
            used: 0,
            starts: 0,
        }
    }

    /// Whether the cases show the same bug.
    pub(super) fn outcome(&mut self, cases: &[Case]) -> CandidateOutcome {
        if self.target.deadline.is_over() || self.starts >= RESTARTS_MAX {
            return CandidateOutcome::Stop;
        }
        let was_fresh = self.epoch.is_none() || self.used == 0;
        match self.try_once(cases) {
            None => CandidateOutcome::Stop,
            Some(false) => CandidateOutcome::Other,
            Some(true) if was_fresh => CandidateOutcome::Same,
            // Earlier candidates on this server may have contributed.
            Some(true) => match self.try_once(cases) {
                None => CandidateOutcome::Stop,
                Some(true) => CandidateOutcome::Same,
                Some(false) => CandidateOutcome::Other,
            },
        }
    }

    /// Whether the cases show the same bug. `None` if no server could be started.
    fn try_once(&mut self, cases: &[Case]) -> Option<bool> {
        if self.epoch.is_none() {
            self.epoch = Some(Epoch::start(self.target, self.runtime).ok()?);
            (self.used, self.starts) = (0, self.starts + 1);
        }
        let epoch = self.epoch.as_mut()?;
        let seen = shows_on(epoch, self.claim, cases, Rigour::Quick);
        self.used += 1;
        if seen.is_some() || self.used >= CANDIDATES_PER_EPOCH {
            self.epoch = None;
        }
        // What was cut short has shown nothing.
        if seen.is_none() && self.target.deadline.is_over() {
            return None;
        }
        let wanted = self.wanted;
        Some(seen.is_some_and(|seen| seen.kind == wanted.kind && seen.key == wanted.key))
    }
}

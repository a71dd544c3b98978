//! Tests that follow a hint: each takes a server of its own.

use std::time::Duration;

use super::Explorer;
use crate::fuzz::Case;
use crate::fuzz::campaign::suspect::Suspect;
use crate::fuzz::epoch::Epoch;
use crate::fuzz::oracle::{Rigour, complexity, divergence, starvation};
use crate::fuzz::symptom::FindingKind;

impl Explorer<'_, '_> {
    /// Whether the case gets other replies in pieces.
    pub(super) fn diverges(&mut self, case: &Case) -> Option<Suspect> {
        let case = divergence::hint(&mut self.epoch, case)?;
        let mut other = self.epoch.another()?;
        let symptom = divergence::test(&mut other, &[], &case, Rigour::Full);
        let suspect = symptom.map(|symptom| Suspect::alone(symptom, case.clone()));
        self.state.tested(FindingKind::Divergence, &case, suspect)
    }

    /// Whether the work for the case, which has cost this much, grows too fast.
    pub(super) fn grows(&mut self, case: &Case, cpu: Duration) -> Option<Suspect> {
        let target = self.epoch.target;
        let target = target.until(target.deadline.or_after(complexity::TIME_MAX));
        let mut other = Epoch::start(&target, self.epoch.runtime()).ok()?;
        let shown = complexity::grows(&mut other, case);
        let suspect = shown.map(|(symptom, grown)| Suspect::alone(symptom, grown));
        self.state.tested_cost(case, cpu, suspect)
    }

    /// Whether other clients wait while the newest case runs.
    pub(super) fn starves(&mut self) -> Option<Suspect> {
        let case = self.newest();
        let mut other = self.epoch.another()?;
        let symptom = starvation::test(&mut other, &case, Rigour::Quick)?;
        Some(Suspect::alone(symptom, case))
    }
}

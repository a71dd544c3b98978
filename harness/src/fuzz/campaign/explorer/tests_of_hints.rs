//! Tests that follow a hint: each takes a server of its own.

use std::time::Duration;

use super::Explorer;
use crate::fuzz::Case;
use crate::fuzz::campaign::clock::Weight;
use crate::fuzz::campaign::suspect::Suspect;
use crate::fuzz::epoch::Epoch;
use crate::fuzz::oracle::{Rigour, complexity, divergence, flood, starvation};
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

    /// Whether the newest case makes the server print much, or the one before it: what is printed may come late.
    pub(super) fn floods(&mut self) -> Option<Suspect> {
        let kind = FindingKind::Flood;
        let case = self.newest();
        if case.injects()
            || !flood::is_hint(&self.epoch, self.printed, &case)
            || !self.state.clock.may_test(Weight::of(kind))
            || !self.state.may_test(kind, &case)
        {
            return None;
        }
        let cases = self.cases.iter().rev().take(2).cloned();
        let suspect = self.state.clock.tests(|| {
            cases.into_iter().find_map(|case| {
                let mut other = self.epoch.another()?;
                let symptom = flood::test(&mut other, &case)?;
                Some(Suspect::alone(symptom, case))
            })
        });
        self.state.tested(kind, &case, suspect)
    }

    /// Whether other clients wait while the newest case runs.
    pub(super) fn starves(&mut self) -> Option<Suspect> {
        let case = self.newest();
        let symptom = self.state.clock.tests(|| {
            let mut other = self.epoch.another()?;
            starvation::test(&mut other, &case, Rigour::Quick)
        })?;
        Some(Suspect::alone(symptom, case))
    }
}

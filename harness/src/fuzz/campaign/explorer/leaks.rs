//! Looks for the case that leaves descriptors or threads behind.

use std::time::Duration;

use super::Explorer;
use crate::fuzz::Case;
use crate::fuzz::campaign::clock::Weight;
use crate::fuzz::campaign::suspect::Suspect;
use crate::fuzz::epoch::Epoch;
use crate::fuzz::oracle::{Rigour, leak};
use crate::fuzz::symptom::FindingKind;

/// Maximum recent cases that are tried one by one when something leaks.
const LEAK_SUSPECTS_MAX: usize = 96;
/// How often a suspect of a leak is repeated.
const LEAK_RUNS: u32 = 6;
/// Descriptors or threads that these repetitions must leave behind.
const LEAK_GROWTH_MIN: u64 = 3;
/// How long a server may take to release descriptors and threads after the last connection closed.
const RELEASE: Duration = Duration::from_millis(100);
/// The same limit between the runs of leak suspects.
const RELEASE_QUICK: Duration = Duration::from_millis(10);

impl Explorer<'_, '_> {
    /// Looks for the leaking case if there are more descriptors or threads than at the beginning although all
    /// connections are closed.
    pub(super) fn leaks(&mut self) -> Option<Suspect> {
        let (baseline, least) = (self.epoch.baseline, self.source.leaked_min);
        let more = move |epoch: &Epoch<'_>| {
            let now = epoch.vitals();
            let descriptors = now.descriptors.saturating_sub(baseline.descriptors);
            descriptors.max(now.threads.saturating_sub(baseline.threads)) >= least
        };
        if self.other.is_some()
            || self.leak_tried
            || !more(&self.epoch)
            || !self.state.clock.may_test(Weight::Grave)
            || self.epoch.until(RELEASE, |epoch| !more(epoch))
        {
            return None;
        }
        self.leak_tried = true;
        let state = self.state;
        state.clock.tests(|| {
            match self.epoch.until(leak::TIMER, |epoch| !more(epoch)) {
                // So many are usual for this server.
                true => self.source.leaked_min *= 2,
                false => return self.leaking(),
            }
            None
        })
    }

    /// Runs the last cases one by one, and follows the first that leaves something behind.
    fn leaking(&mut self) -> Option<Suspect> {
        let recent = self.cases.iter().rev().take(LEAK_SUSPECTS_MAX).cloned();
        for case in recent.collect::<Vec<Case>>() {
            if self.state.is_over() {
                return None;
            }
            let before = self.epoch.vitals();
            for _ in 0..LEAK_RUNS {
                self.epoch.run(&case).ok()?;
            }
            self.epoch.until(RELEASE_QUICK, |epoch| {
                let now = epoch.vitals();
                now.descriptors <= before.descriptors && now.threads <= before.threads
            });
            let now = self.epoch.vitals();
            if now.ended.is_some() {
                return None;
            }
            let grown = now.descriptors >= before.descriptors + LEAK_GROWTH_MIN
                || now.threads >= before.threads + LEAK_GROWTH_MIN;
            if grown
                && self.state.may_test(FindingKind::Leak, &case)
                && let Some(mut other) = self.epoch.another()
            {
                let symptom = leak::test(&mut other, &case, Rigour::Quick);
                let suspect = symptom.map(|symptom| Suspect::alone(symptom, case.clone()));
                if let Some(suspect) = self.state.tested(FindingKind::Leak, &case, suspect) {
                    return Some(suspect);
                }
            }
        }
        None
    }
}

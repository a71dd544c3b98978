//! Which places of the server's code the cases of an epoch have reached.

use super::Epoch;
use crate::fuzz::Case;
use crate::fuzz::coverage::Pace;

impl Epoch<'_> {
    /// The places that the server has reached since the last call, as far as they can be told at this pace: one load for
    /// breakpoints, if there are none.
    pub(crate) fn reached(&mut self, pace: Pace) -> Vec<u32> {
        let Some(sights) = self.sights.clone() else {
            return Vec::new();
        };
        self.marked = sights.mark();
        let looks = sights.looks();
        let reached = sights.take(pace);
        if sights.looks() != looks {
            // The CPU time of the look is none of the next case's.
            self.refresh();
        }
        reached
    }

    /// Makes these places tell their next execution too; with none, those of libraries that were loaded meanwhile.
    pub(crate) fn arm_again(&mut self, places: &[u32]) -> bool {
        let Some(sights) = self.sights.clone() else {
            return false;
        };
        let looks = sights.looks();
        let can = sights.again(places, &self.server);
        if sights.looks() != looks {
            self.refresh();
        }
        can
    }

    /// The number of looks of sources that do not look after each case, if there are any.
    pub(crate) fn looks(&self) -> Option<usize> {
        self.sights.as_ref()?.looks()
    }

    /// Why each source of coverage sees nothing, if so.
    pub(crate) fn unseen(&self) -> Vec<Option<String>> {
        let sights = self.sights.as_ref();
        sights.map_or_else(Vec::new, |sights| sights.trouble())
    }

    /// The last case up to the step during which the server reached what [`Epoch::reached`] has returned last, at the latest.
    pub(crate) fn up_to_reached(&self, case: &Case) -> Case {
        let marks = self.wire.marks();
        let first = marks.first().copied().unwrap_or_default();
        // The first one was made before the first step.
        let last = marks.iter().position(|mark| *mark >= self.marked);
        let steps = last.filter(|_| first < self.marked);
        let steps = steps.unwrap_or(case.steps.len()).min(case.steps.len());
        Case::new(case.steps[..steps].to_vec())
    }
}

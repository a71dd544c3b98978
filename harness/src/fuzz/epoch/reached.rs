//! Which blocks of a traced server the cases of an epoch have reached.

use super::Epoch;
use crate::fuzz::Case;
use crate::process::TraceState;

impl Epoch<'_> {
    /// The blocks that the server has reached since the last call: one load if there are none.
    pub(crate) fn reached(&mut self) -> Vec<u32> {
        let Some(trace) = &self.trace else {
            return Vec::new();
        };
        if trace.log().len() == self.traced {
            return Vec::new();
        }
        let reached = trace.log().since(self.traced);
        self.traced += reached.len();
        reached
    }

    /// Makes these blocks report their next execution too; with none, those of libraries that were loaded meanwhile.
    pub(crate) fn arm_again(&self, blocks: &[u32]) -> bool {
        let trace = self.trace.as_ref();
        trace.is_some_and(|trace| trace.arm_again(blocks, || self.server.wake()))
    }

    /// Whether the server is traced.
    pub(crate) fn trace_state(&self) -> Option<TraceState> {
        self.trace.as_ref().map(|trace| trace.log().state())
    }

    /// The last case up to the step during which the server reached what [`Epoch::reached`] has returned last, at the latest.
    pub(crate) fn up_to_reached(&self, case: &Case) -> Case {
        let marks = self.wire.marks();
        let last = marks.iter().position(|mark| *mark >= self.traced);
        let steps = last.map_or(case.steps.len(), |last| last + 1);
        Case::new(case.steps[..steps.min(case.steps.len())].to_vec())
    }
}

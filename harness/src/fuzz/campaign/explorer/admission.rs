//! Which cases enter the corpus.

use super::Explorer;
use crate::fuzz::Case;
use crate::fuzz::campaign::heard;

impl Explorer<'_, '_> {
    /// Adds a case to the corpus if its new observations recur when it runs again. Blocks that do not recur may need a fresh
    /// server, so the case gets one more chance there.
    pub(super) fn admit(&mut self, case: &Case, new: &[u64], blocks: Vec<u32>, was_fresh: bool) {
        let short = self.epoch.up_to_reached(case);
        if !blocks.is_empty() && short != *case && self.reaches_again(&short, &blocks) {
            self.state.keep(&short, &[], &blocks);
            if new.is_empty() {
                return;
            }
        }
        let armed = self.epoch.arm_again(&blocks);
        let Ok(run) = self.epoch.run(case) else {
            return;
        };
        if let Some(other) = &mut self.other {
            // If it cannot be run, the next case shows why.
            let _ = other.run(case);
        }
        let reached = self.epoch.reached();
        let shown = self.state.observations(case, &run);
        let stable: Vec<u64> = new
            .iter()
            .copied()
            .filter(|one| shown.contains(one))
            .collect();
        let (again, once): (Vec<u32>, Vec<u32>) = blocks
            .into_iter()
            .partition(|one| armed && reached.contains(one));
        if !stable.is_empty() || !again.is_empty() {
            let replies = run.observed.connections.iter();
            replies.for_each(|reply| self.source.generator.learn(heard::of(&reply.bytes)));
            self.state.keep(case, &stable, &again);
            if self.state.campaign.plan.cases.is_some() {
                self.state.share(&mut self.source.corpus);
            }
        }
        if !once.is_empty() {
            if let Some(known) = self.state.blocks {
                known.not_again(&once);
            }
            if !was_fresh {
                self.source.try_again(case.clone(), once);
            }
        }
    }

    /// Whether a shorter case reaches all of these blocks too.
    fn reaches_again(&mut self, case: &Case, blocks: &[u32]) -> bool {
        if !self.epoch.arm_again(blocks) || self.epoch.run(case).is_err() {
            return false;
        }
        let reached = self.epoch.reached();
        blocks.iter().all(|block| reached.contains(block))
    }
}

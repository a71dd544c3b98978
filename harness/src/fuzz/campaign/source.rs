//! The cases of one lane.

use std::collections::VecDeque;

use crate::fuzz::Case;
use crate::fuzz::generate::Generator;

/// Where a lane takes its cases from.
pub(super) struct Source {
    /// Cases of the corpus, which come first.
    pub(super) queue: VecDeque<Case>,
    /// A case to repeat instead of generating new ones.
    pub(super) only: Option<Case>,
    pub(super) generator: Generator,
    /// The lane's copy of the corpus.
    pub(super) corpus: Vec<Case>,
    /// Cases that this lane may still run.
    pub(super) budget: u64,
}

impl Source {
    /// The next case, and whether it already belongs to the corpus.
    pub(super) fn next(&mut self) -> (Case, bool) {
        if let Some(case) = self.queue.pop_front() {
            return (case, true);
        }
        let case = match &self.only {
            Some(case) => case.clone(),
            None => self.generator.next(&self.corpus).case,
        };
        (case, false)
    }
}

//! The best so far, and what has been tried.

use std::collections::HashSet;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::ops::Range;

use super::data;
use crate::fuzz::case::folded;
use crate::fuzz::{Case, Data, Step};
use crate::talk::Frame;

/// What became of a candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CandidateOutcome {
    /// It shows the same bug.
    Same,
    /// It shows no bug, or another one.
    Other,
    /// It was not run: there is no time left.
    Stop,
}

/// Whether lengths that a candidate changes are made true again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lengths {
    Repaired,
    AsTheyAre,
}

/// The way to the smallest cases.
pub(super) struct Search<'a> {
    /// The smallest cases that show the bug.
    pub best: Vec<Case>,
    /// How often something was run.
    pub tries: u32,
    /// There is no time left.
    pub stopped: bool,
    frame: &'a Frame,
    still: &'a mut dyn FnMut(&[Case]) -> CandidateOutcome,
    tried: HashSet<u64>,
}

impl<'a> Search<'a> {
    pub(crate) fn new(
        mut cases: Vec<Case>,
        frame: &'a Frame,
        still: &'a mut dyn FnMut(&[Case]) -> CandidateOutcome,
    ) -> Self {
        cases.iter_mut().for_each(Case::limit);
        Self {
            tried: HashSet::from([print(&cases)]),
            best: cases,
            tries: 0,
            stopped: false,
            frame,
            still,
        }
    }

    /// Takes the candidate if it shows the bug. What was tried before is not tried again: what showed the
    /// bug is behind us, what did not will not.
    pub(crate) fn attempt(&mut self, mut candidate: Vec<Case>) -> bool {
        if self.stopped || candidate.is_empty() {
            return false;
        }
        candidate.iter_mut().for_each(Case::limit);
        if !self.tried.insert(print(&candidate)) {
            return false;
        }
        self.tries = self.tries.saturating_add(1);
        match (self.still)(&candidate) {
            CandidateOutcome::Same => {
                self.best = candidate;
                true
            }
            CandidateOutcome::Other => false,
            CandidateOutcome::Stop => {
                self.stopped = true;
                self.tries -= 1;
                false
            }
        }
    }

    /// The same with another case in the place of one.
    pub(crate) fn attempt_case(&mut self, at: usize, case: Case) -> bool {
        let mut candidate = self.best.clone();
        match candidate.get_mut(at) {
            Some(place) => *place = case,
            None => return false,
        }
        self.attempt(candidate)
    }

    /// The same with other data in one send.
    pub(crate) fn attempt_data(&mut self, at: Place, new: Data, lengths: Lengths) -> bool {
        let Some(mut case) = self.best.get(at.case).cloned() else {
            return false;
        };
        let Some(Step::Send(send)) = case.steps.get_mut(at.step) else {
            return false;
        };
        let new = match lengths {
            Lengths::Repaired => data::repaired(self.frame, &send.data, new),
            Lengths::AsTheyAre => new,
        };
        if !send.cuts.is_empty() {
            send.cuts = data::moved_cuts(&send.data, &new, &send.cuts);
        }
        send.data = new;
        self.attempt_case(at.case, case)
    }

    /// Writes runs of equal bytes as repetitions. No candidate runs: the bytes stay the same.
    pub(crate) fn fold(&mut self) {
        for send in self.best.iter_mut().flat_map(Case::sends_mut) {
            send.data = folded(&send.data);
        }
    }

    /// The data of a send.
    pub(crate) fn data(&self, at: Place) -> Option<&Data> {
        match self.best.get(at.case)?.steps.get(at.step)? {
            Step::Send(send) => Some(&send.data),
            _ => None,
        }
    }

    /// Where sends are, the last one first: what is taken away there moves none of the others.
    pub(crate) fn sends(&self) -> Vec<Place> {
        let mut places = Vec::new();
        for (case, of) in self.best.iter().enumerate() {
            let sends = of.steps.iter().enumerate();
            let sends = sends.filter(|(_, step)| matches!(step, Step::Send(_)));
            places.extend(sends.map(|(step, _)| Place { case, step }));
        }
        places.reverse();
        places
    }

    /// Takes away chunks, from `largest` elements down to `smallest`, the last ones first. `len` tells how
    /// many elements there are now, `without` makes what is left without some of them try itself.
    pub(crate) fn drop_chunks(
        &mut self,
        sizes: Range<usize>,
        len: &dyn Fn(&Self) -> usize,
        without: &dyn Fn(&mut Self, Range<usize>) -> bool,
    ) {
        let mut size = sizes.end.min(len(self));
        while size >= sizes.start.max(1) && !self.stopped {
            let mut end = len(self);
            while end > 0 && !self.stopped {
                let begin = end.saturating_sub(size);
                without(self, begin..end);
                end = begin.min(len(self));
            }
            size /= 2;
        }
    }
}

/// Where a send is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub case: usize,
    pub step: usize,
}

/// What a candidate does on the wire: repetitions are the same as the bytes they stand for.
fn print(cases: &[Case]) -> u64 {
    let mut hasher = DefaultHasher::new();
    let mut bytes = Vec::new();
    for case in cases {
        case.steps.len().hash(&mut hasher);
        for step in &case.steps {
            std::mem::discriminant(step).hash(&mut hasher);
            match step {
                Step::Send(send) => {
                    bytes.clear();
                    send.data.write(&mut bytes);
                    bytes.hash(&mut hasher);
                    send.cuts.hash(&mut hasher);
                }
                other => other.hash(&mut hasher),
            }
        }
    }
    hasher.finish()
}

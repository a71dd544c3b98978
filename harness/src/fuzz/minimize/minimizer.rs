//! The smallest cases so far, and the candidates that were tried.

use std::collections::HashSet;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::ops::Range;

use super::data;
use crate::fuzz::case::folded;
use crate::fuzz::{Case, Data, Step};
use crate::talk::Frame;

/// The outcome of running a candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CandidateOutcome {
    /// It shows the same bug.
    Same,
    /// It shows no bug, or another one.
    Other,
    /// It was not run because the time is over.
    Stop,
}

/// Whether length fields are corrected in a candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CandidateLengths {
    Repaired,
    AsTheyAre,
}

/// The state of a minimization.
pub(super) struct Minimizer<'a> {
    /// The smallest cases so far that show the bug.
    pub best: Vec<Case>,
    /// Number of candidates that were run.
    pub tries: u32,
    /// The time is over.
    pub stopped: bool,
    frame: &'a Frame,
    run: &'a mut dyn FnMut(&[Case]) -> CandidateOutcome,
    tried: HashSet<u64>,
}

impl<'a> Minimizer<'a> {
    pub(crate) fn new(
        mut cases: Vec<Case>,
        frame: &'a Frame,
        run: &'a mut dyn FnMut(&[Case]) -> CandidateOutcome,
    ) -> Self {
        cases.iter_mut().for_each(Case::limit);
        Self {
            tried: HashSet::from([print(&cases)]),
            best: cases,
            tries: 0,
            stopped: false,
            frame,
            run,
        }
    }

    /// Runs the candidate and keeps it if it shows the bug. Candidates that were tried before are skipped.
    pub(crate) fn attempt(&mut self, mut candidate: Vec<Case>) -> bool {
        if self.stopped || candidate.is_empty() {
            return false;
        }
        candidate.iter_mut().for_each(Case::limit);
        // A case that loses its last step is dropped whole: nobody can read an empty one.
        let empty = |case: &Case| case.steps.is_empty();
        if candidate.iter().any(empty) && !self.best.iter().any(empty) {
            candidate.retain(|case| !empty(case));
        }
        if candidate.is_empty() {
            return false;
        }
        if !self.tried.insert(print(&candidate)) {
            return false;
        }
        self.tries = self.tries.saturating_add(1);
        match (self.run)(&candidate) {
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

    /// [`Minimizer::attempt`] with one case replaced.
    pub(crate) fn attempt_case(&mut self, at: usize, case: Case) -> bool {
        let mut candidate = self.best.clone();
        match candidate.get_mut(at) {
            Some(place) => *place = case,
            None => return false,
        }
        self.attempt(candidate)
    }

    /// [`Minimizer::attempt`] with the data of one send replaced.
    pub(crate) fn attempt_data(&mut self, at: Place, new: Data, lengths: CandidateLengths) -> bool {
        let Some(mut case) = self.best.get(at.case).cloned() else {
            return false;
        };
        let Some(Step::Send(send)) = case.steps.get_mut(at.step) else {
            return false;
        };
        let new = match lengths {
            CandidateLengths::Repaired => data::repaired(self.frame, &send.data, new),
            CandidateLengths::AsTheyAre => new,
        };
        if !send.cuts.is_empty() {
            send.cuts = data::moved_cuts(&send.data, &new, &send.cuts);
        }
        send.data = new;
        self.attempt_case(at.case, case)
    }

    /// Writes runs of equal bytes as repetitions. This needs no run: the bytes stay the same.
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

    /// The positions of all sends, from the last to the first: removing one does not move those that follow in the list.
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

    /// Tries to remove chunks, from the largest size to the smallest, and from the end to the beginning. `len` returns the
    /// current number of elements; `without` attempts a candidate without a range of them.
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

/// The position of a send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub case: usize,
    pub step: usize,
}

/// A hash of what a candidate does on the wire: a repetition equals the bytes it stands for.
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

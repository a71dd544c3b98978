//! The cases of one lane.

use std::collections::VecDeque;
use std::sync::Arc;

use super::closely::{Closely, Effort, Turn};
use super::pool::Pool;
use super::state::CampaignState;
use crate::fuzz::Case;
use crate::fuzz::fleet::Fleet;
use crate::fuzz::generate::{Generator, Guide};
use crate::fuzz::random::Random;

/// Maximum cases that wait for a fresh server.
const AGAIN_MAX: usize = 64;

/// Descriptors or threads above the baseline that hint at a leak, until that has turned out to be none.
const LEAKED_MIN: u64 = 12;

/// Where a lane takes its cases from.
pub(super) struct Source {
    /// Cases of the corpus, which come first.
    pub(super) queue: VecDeque<Case>,
    /// Cases that have reached places once, to be run on a fresh server.
    again: VecDeque<(Case, Vec<u32>)>,
    /// Cases of which one has reached something new.
    pub(super) closely: Closely,
    pub(super) effort: Effort,
    /// A case to repeat instead of generating new ones.
    pub(super) only: Option<Case>,
    pub(super) generator: Generator,
    /// The lane's view of the corpus.
    pub(super) corpus: Pool,
    pub(super) random: Random,
    /// What the server's code compares with what it reads, and its version.
    pub(super) hints: (usize, Arc<Vec<Vec<u8>>>),
    /// Cases that this lane may still run.
    pub(super) budget: u64,
    /// Descriptors or threads above the baseline that hint at a leak.
    pub(super) leaked_min: u64,
}

/// Where a case comes from.
pub(super) enum Origin {
    /// The corpus of an earlier campaign, or of another member of the fleet.
    Corpus { of_fleet: bool },
    /// It has reached these places once, on another server.
    Again(Vec<u32>),
    /// It has run among others of which one has reached something new.
    Closely(Turn),
    /// It was made from the case of the corpus at this position, if from one.
    Generated(Option<usize>),
}

impl Origin {
    /// Whether the case has run before, and runs again to learn what it reaches.
    pub(super) fn is_search(&self) -> bool {
        matches!(self, Self::Closely(_) | Self::Again(_))
    }
}

impl Source {
    pub(super) fn new(generator: Generator, random: Random, budget: u64) -> Self {
        Self {
            queue: VecDeque::new(),
            again: VecDeque::new(),
            closely: Closely::default(),
            effort: Effort::default(),
            only: None,
            generator,
            corpus: Pool::default(),
            random,
            hints: (0, Arc::default()),
            budget,
            leaked_min: LEAKED_MIN,
        }
    }

    /// The next case. `is_first` says whether the server is fresh.
    pub(super) fn next(&mut self, state: &CampaignState<'_>, is_fresh: bool) -> (Case, Origin) {
        if is_fresh && let Some((case, places)) = self.again.pop_front() {
            return (case, Origin::Again(places));
        }
        if let Some((case, turn)) = self.closely.next(state.coverage) {
            return (case, Origin::Closely(turn));
        }
        if let Some(case) = self.queue.pop_front() {
            return (case, Origin::Corpus { of_fleet: false });
        }
        let fleet = state
            .membership
            .as_ref()
            .map(|membership| &membership.fleet);
        if let Some(case) = fleet.and_then(Fleet::case) {
            return (case, Origin::Corpus { of_fleet: true });
        }
        if let Some(case) = &self.only {
            return (case.clone(), Origin::Generated(None));
        }
        let Some(coverage) = state.coverage else {
            let generated = self.generator.next(self.corpus.cases());
            return (generated.case, Origin::Generated(None));
        };
        state.share(&mut self.corpus);
        if coverage.version() != self.hints.0 {
            self.hints = (coverage.version(), coverage.hints());
        }
        let place = self.corpus.pick(&mut self.random);
        let guide = Guide {
            base: place.and_then(|place| self.corpus.case(place)),
            answered: place.is_some_and(|place| self.corpus.is_answered(place)),
            hints: &self.hints.1,
        };
        let generated = self.generator.guided(self.corpus.cases(), &guide);
        (generated.case, Origin::Generated(place))
    }

    /// Runs a case once more at the beginning of a life of the server. Returns false if too many wait for that.
    pub(super) fn try_again(&mut self, case: Case, places: &[u32]) -> bool {
        let is_in = |queued: &Vec<u32>| places.iter().all(|place| queued.contains(place));
        if self.again.iter().any(|(_, queued)| is_in(queued)) {
            return true;
        }
        let has_room = self.again.len() < AGAIN_MAX;
        if has_room {
            self.again.push_back((case, places.to_vec()));
        }
        has_room
    }
}

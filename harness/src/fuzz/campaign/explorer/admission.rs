//! Which cases enter the corpus.

use super::Explorer;
use crate::fuzz::campaign::heard;
use crate::fuzz::campaign::source::Origin;
use crate::fuzz::coverage::Pace;
use crate::fuzz::{Case, Step};

/// Maximum cases of which a single look is to tell whether they reach something new.
const UNSEEN_MAX: usize = 256;

/// The same case with a wait for its last reply: until then, the server may not have executed what it is to execute.
pub(super) fn patient(case: &Case) -> Case {
    let mut steps = case.steps.clone();
    if let Some(Step::Send(_)) = steps.last() {
        steps.push(Step::Receive);
    }
    let mut case = Case::new(steps);
    case.limit();
    case
}

impl Explorer<'_, '_> {
    /// Adds a case to the corpus if its new observations recur when it runs again. Places that do not recur may need a fresh
    /// server, so the case gets one more chance there.
    pub(super) fn admit(&mut self, case: &Case, new: &[u64], places: Vec<u32>, was_fresh: bool) {
        let short = self.epoch.up_to_reached(case);
        if self.keeps_short(&short, case, &places) && new.is_empty() {
            return;
        }
        // What is none of its business may still tell something about the cases before.
        let (armed, pace) = match places.is_empty() {
            true => (false, Pace::Free),
            false => (self.epoch.arm_again(&places), Pace::Due),
        };
        let Ok(run) = self.epoch.run(case) else {
            return;
        };
        if let Some(other) = &mut self.other {
            // If it cannot be run, the next case shows why.
            let _ = other.run(case);
        }
        let reached = self.epoch.reached(pace);
        if pace == Pace::Due {
            self.looked();
        }
        let short = self.epoch.up_to_reached(case);
        let shown = self.state.observations(case, &run);
        let stable: Vec<u64> = new
            .iter()
            .copied()
            .filter(|one| shown.contains(one))
            .collect();
        let (again, once): (Vec<u32>, Vec<u32>) = places
            .into_iter()
            .partition(|one| armed && reached.contains(one));
        if !stable.is_empty() || !again.is_empty() {
            let replies = run.observed.connections.iter();
            replies.for_each(|reply| self.source.generator.learn(heard::of(&reply.bytes)));
            self.keeps_short(&short, case, &again);
            self.state.keep(case, &stable, &again);
            if self.state.campaign.plan.cases.is_some() {
                self.state.share(&mut self.source.corpus);
            }
        }
        if once.is_empty() {
            return;
        }
        let patient = patient(case);
        let once = match patient == *case {
            true => once,
            false => self.once_more(&patient, once),
        };
        // What does not recur on a fresh server either depends on chance.
        let waits = !was_fresh && self.source.try_again(patient, &once);
        if !waits && let Some(coverage) = self.state.coverage {
            coverage.not_again(&once);
        }
    }

    /// Keeps the case if it reaches some of these places again now. Returns the others.
    fn once_more(&mut self, case: &Case, places: Vec<u32>) -> Vec<u32> {
        if !self.epoch.arm_again(&places) || self.epoch.run(case).is_err() {
            return places;
        }
        let reached = self.epoch.reached(Pace::Due);
        self.looked();
        let (again, once): (Vec<u32>, Vec<u32>) =
            places.into_iter().partition(|one| reached.contains(one));
        if !again.is_empty() {
            self.state.keep(case, &[], &again);
        }
        once
    }

    /// Those of these places that the newest case alone has reached. Where a source looks once for several cases, they run again
    /// if there was something new ([`Closely`](crate::fuzz::campaign::closely)).
    pub(super) fn of_case_alone(&mut self, places: Vec<u32>, origin: &Origin) -> Vec<u32> {
        let Some(looks) = self.epoch.looks() else {
            return places;
        };
        self.unseen.push(self.newest());
        if looks == self.looks && self.unseen.len() < UNSEEN_MAX {
            return places;
        }
        self.looks = looks;
        let together = std::mem::take(&mut self.unseen);
        let closely = &mut self.source.closely;
        let is_search = matches!(origin, Origin::Closely(_));
        let is_one = together.len() == 1;
        if !is_one && !places.is_empty() {
            let together = together.iter().map(patient).collect();
            match is_search {
                true => closely.split(together),
                false => closely.search(together, &places),
            }
            return Vec::new();
        }
        if is_search {
            closely.found(&places);
            let lost = closely.lost();
            if let Some(coverage) = self.state.coverage {
                coverage.not_again(&lost);
            }
        }
        places
    }

    /// How much the look after this case may cost.
    pub(super) fn pace(&self, origin: &Origin) -> Pace {
        match origin {
            Origin::Closely(turn) if !turn.is_last => Pace::Free,
            // A case that is forgotten could be the one that reaches what is seen next.
            _ if self.unseen.len() + 1 >= UNSEEN_MAX => Pace::Now,
            Origin::Generated(_)
                if self.epoch.looks().is_some() && !self.source.effort.may_search() =>
            {
                Pace::Free
            }
            _ => Pace::Due,
        }
    }

    /// Whatever was executed until now was told or does not matter.
    pub(super) fn looked(&mut self) {
        self.unseen.clear();
        self.looks = self.epoch.looks().unwrap_or_default();
    }

    /// Adds a case to the corpus if it is shorter than the other one and reaches all of these places too. Returns whether it
    /// was added.
    fn keeps_short(&mut self, short: &Case, case: &Case, places: &[u32]) -> bool {
        if places.is_empty()
            || short == case
            || !self.epoch.arm_again(places)
            || self.epoch.run(short).is_err()
        {
            return false;
        }
        let reached = self.epoch.reached(Pace::Due);
        self.looked();
        let all = places.iter().all(|place| reached.contains(place));
        if all {
            self.state.keep(short, &[], places);
        }
        all
    }
}

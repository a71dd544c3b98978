//! The corpus of a campaign: what enters it, and what each of its cases was the first to reach.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

use super::{CORPUS_MAX, CampaignState, Ledger};
use crate::fuzz::campaign::membership::store;
use crate::fuzz::campaign::pool::{Member, Pool};
use crate::fuzz::coverage::Coverage;
use crate::fuzz::kept::KeptCase;
use crate::fuzz::{Case, corpus};

impl CampaignState<'_> {
    /// Notes that these places were reached. Returns those that no case had reached before.
    fn first_to_reach(&self, places: &[u32]) -> Vec<u32> {
        let Some(coverage) = self.coverage else {
            return Vec::new();
        };
        let new = coverage.fresh(places);
        coverage.keep(&new);
        new
    }

    /// Adds a case with new observations, or that is the first to reach these places, to the corpus.
    pub(in crate::fuzz::campaign) fn keep(&self, case: &Case, shown: &[u64], places: &[u32]) {
        let places = self.first_to_reach(places);
        let mut ledger = self.ledger();
        let shown = ledger.feedback.fresh(shown);
        if places.is_empty() && shown.is_empty() {
            return;
        }
        self.add(&mut ledger, case, &shown, &places);
        drop(ledger);
        if let Err(error) = store(&self.membership, &self.campaign.plan.corpus, case) {
            self.note(&format!("the corpus cannot be kept: {error}"));
        }
    }

    /// Adds a stored case to the corpus: one of an earlier campaign whatever it shows, one of another member if that is new.
    pub(in crate::fuzz::campaign) fn take_in(
        &self,
        case: &Case,
        shown: &[u64],
        places: &[u32],
        of_fleet: bool,
    ) {
        let places = self.first_to_reach(places);
        let mut ledger = self.ledger();
        let shown = ledger.feedback.fresh(shown);
        if of_fleet && places.is_empty() && shown.is_empty() {
            return;
        }
        self.add(&mut ledger, case, &shown, &places);
    }

    fn add(&self, ledger: &mut Ledger, case: &Case, shown: &[u64], places: &[u32]) {
        ledger.feedback.keep(shown);
        // Those that reach places are worth more.
        let most = if places.is_empty() {
            CORPUS_MAX
        } else {
            CORPUS_MAX * 2
        };
        if ledger.corpus.len() < most {
            ledger.corpus.push(Member {
                case: case.clone(),
                places: places.len(),
            });
            self.members.store(ledger.corpus.len(), Ordering::Release);
        }
        let kept = KeptCase {
            bytes: case.bytes(),
            places: self
                .coverage
                .map_or_else(Default::default, |coverage: &Coverage| {
                    coverage.by_unit(places)
                }),
            replies: shown.iter().copied().collect::<BTreeSet<u64>>(),
        };
        ledger
            .kept
            .entry(corpus::named(case).0)
            .or_default()
            .add(kept);
    }

    /// Adds to a lane's view of the corpus what all lanes have found.
    pub(in crate::fuzz::campaign) fn share(&self, pool: &mut Pool) {
        if self.members.load(Ordering::Acquire) > pool.len() {
            let ledger = self.ledger();
            let new = &ledger.corpus[pool.len()..];
            new.iter().for_each(|member| pool.add(member.clone()));
        }
    }
}

//! A short pause. Rare, since it costs as much as fifty cases without one.

use super::Mutator;
use super::mutating::Mutating;
use crate::fuzz::Step;

pub(super) const ENTRY: Mutator = Mutator {
    name: "delays",
    weight: 1,
    run,
};

/// The longest pause.
const MS_MAX: usize = 20;
/// The least weight is too much: it made pauses a fifth of the time of a campaign.
const ONE_IN: usize = 8;

fn run(mutating: &mut Mutating<'_>) -> bool {
    if !mutating.random.one_in(ONE_IN) {
        return false;
    }
    let at = mutating.pick_gap();
    let ms = mutating.random.size(MS_MAX) as u32;
    mutating.case.steps.insert(at, Step::DelayMs(ms));
    true
}

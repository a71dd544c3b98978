//! Lowers the counts of repetitions.

use super::data::with_part;
use super::minimizer::{CandidateLengths, Minimizer, Place};
use crate::fuzz::DataPart;

/// Finds the smallest count of each repetition.
pub(super) fn lower(minimizer: &mut Minimizer<'_>) {
    for at in minimizer.sends() {
        let parts = minimizer.data(at).map_or(0, |data| data.parts().len());
        for part in (0..parts).rev() {
            lower_one(minimizer, at, part);
        }
    }
}

/// Folds runs of plain bytes into repetitions, then lowers all counts.
pub(super) fn lower_folded(minimizer: &mut Minimizer<'_>) {
    minimizer.fold();
    lower(minimizer);
}

fn count(minimizer: &Minimizer<'_>, at: Place, part: usize) -> Option<u32> {
    match minimizer.data(at)?.parts().get(part)? {
        DataPart::Repeat { count, .. } => Some(*count),
        DataPart::Bytes(_) => None,
    }
}

/// Tries zero and one, then bisects. The bug need not be monotonic in the count: only counts that were run are kept.
fn lower_one(minimizer: &mut Minimizer<'_>, at: Place, part: usize) {
    if count(minimizer, at, part).is_none() || set(minimizer, at, part, 0) {
        return;
    }
    set(minimizer, at, part, 1);
    let mut too_few = 0;
    while let Some(enough) = count(minimizer, at, part) {
        if enough <= too_few + 1 || minimizer.stopped {
            return;
        }
        let middle = too_few + (enough - too_few) / 2;
        if !set(minimizer, at, part, middle) {
            too_few = middle;
        }
    }
}

fn set(minimizer: &mut Minimizer<'_>, at: Place, part: usize, count: u32) -> bool {
    [CandidateLengths::Repaired, CandidateLengths::AsTheyAre]
        .into_iter()
        .any(|lengths| {
            let Some(data) = minimizer.data(at) else {
                return false;
            };
            let Some(DataPart::Repeat { unit, .. }) = data.parts().get(part) else {
                return false;
            };
            let repeat = DataPart::Repeat {
                unit: unit.clone(),
                count,
            };
            let new = with_part(data, part, repeat);
            minimizer.attempt_data(at, new, lengths)
        })
}

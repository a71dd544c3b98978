//! Lowers the counts of repetitions.

use super::data::with_part;
use super::search::{Lengths, Place, Search};
use crate::fuzz::Part;

/// Finds the smallest count of each repetition.
pub(super) fn lower(search: &mut Search<'_>) {
    for at in search.sends() {
        let parts = search.data(at).map_or(0, |data| data.parts().len());
        for part in (0..parts).rev() {
            lower_one(search, at, part);
        }
    }
}

/// Folds runs of plain bytes into repetitions, then lowers all counts.
pub(super) fn lower_folded(search: &mut Search<'_>) {
    search.fold();
    lower(search);
}

fn count(search: &Search<'_>, at: Place, part: usize) -> Option<u32> {
    match search.data(at)?.parts().get(part)? {
        Part::Repeat { count, .. } => Some(*count),
        Part::Bytes(_) => None,
    }
}

/// Tries zero and one, then bisects. The bug need not be monotonic in the count: only counts that were run are kept.
fn lower_one(search: &mut Search<'_>, at: Place, part: usize) {
    if count(search, at, part).is_none() || set(search, at, part, 0) {
        return;
    }
    set(search, at, part, 1);
    let mut too_few = 0;
    while let Some(enough) = count(search, at, part) {
        if enough <= too_few + 1 || search.stopped {
            return;
        }
        let middle = too_few + (enough - too_few) / 2;
        if !set(search, at, part, middle) {
            too_few = middle;
        }
    }
}

fn set(search: &mut Search<'_>, at: Place, part: usize, count: u32) -> bool {
    [Lengths::Repaired, Lengths::AsTheyAre]
        .into_iter()
        .any(|lengths| {
            let Some(data) = search.data(at) else {
                return false;
            };
            let Some(Part::Repeat { unit, .. }) = data.parts().get(part) else {
                return false;
            };
            let repeat = Part::Repeat {
                unit: unit.clone(),
                count,
            };
            let new = with_part(data, part, repeat);
            search.attempt_data(at, new, lengths)
        })
}

//! Removes whole cases, trailing steps and connections.

use super::events::{self, Event};
use super::search::Search;

/// Removes cases.
pub(super) fn drop_cases(search: &mut Search<'_>) {
    let without = |search: &mut Search<'_>, range: std::ops::Range<usize>| {
        let mut candidate = search.best.clone();
        candidate.drain(range.start..range.end.min(candidate.len()));
        search.attempt(candidate)
    };
    // The last case is usually the trigger.
    if let [_, .., last] = search.best.as_slice() {
        let alone = vec![last.clone()];
        search.attempt(alone);
    }
    let len = search.best.len();
    if len > 1 {
        search.drop_chunks(1..len.div_ceil(2), &|search| search.best.len(), &without);
    }
}

/// Removes steps at the end of each case, after the trigger.
pub(super) fn truncate(search: &mut Search<'_>) {
    for at in (0..search.best.len()).rev() {
        let mut cut = search.best[at].steps.len();
        while cut > 0 && !search.stopped {
            let mut case = search.best[at].clone();
            let left = case.steps.len().saturating_sub(cut);
            let fits = left < case.steps.len();
            case.steps.truncate(left);
            if !fits || !search.attempt_case(at, case) {
                cut /= 2;
            }
        }
    }
}

/// Removes connections with all their steps; if that fails, moves the steps to the previous connection.
pub(super) fn drop_connections(search: &mut Search<'_>) {
    for at in (0..search.best.len()).rev() {
        for connection in (0..search.best[at].connections()).rev() {
            let events = events::of(&search.best[at]);
            let of_it = |event: &Event| usize::from(event.0) == connection;
            let mut left = events.clone();
            left.retain(|event| !of_it(event));
            if left.is_empty() || search.attempt_case(at, events::case(&left)) || connection == 0 {
                continue;
            }
            let mut moved = events;
            moved.retain(|event| !of_it(event) || event.1.is_some());
            for event in moved.iter_mut().filter(|event| of_it(event)) {
                event.0 -= 1;
            }
            search.attempt_case(at, events::case(&moved));
        }
    }
}

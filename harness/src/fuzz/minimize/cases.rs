//! Removes whole cases, trailing steps and connections.

use super::events::{self, ConnectionEvent};
use super::minimizer::Minimizer;

/// Removes cases, those without steps first.
pub(super) fn drop_cases(minimizer: &mut Minimizer<'_>) {
    let mut full = minimizer.best.clone();
    full.retain(|case| !case.steps.is_empty());
    if full.len() < minimizer.best.len() {
        minimizer.attempt(full);
    }
    let without = |minimizer: &mut Minimizer<'_>, range: std::ops::Range<usize>| {
        let mut candidate = minimizer.best.clone();
        candidate.drain(range.start..range.end.min(candidate.len()));
        minimizer.attempt(candidate)
    };
    // The last case is usually the trigger.
    if let [_, .., last] = minimizer.best.as_slice() {
        let alone = vec![last.clone()];
        minimizer.attempt(alone);
    }
    let len = minimizer.best.len();
    if len > 1 {
        minimizer.drop_chunks(
            1..len.div_ceil(2),
            &|minimizer| minimizer.best.len(),
            &without,
        );
    }
}

/// Removes steps at the end of each case, after the trigger.
pub(super) fn truncate(minimizer: &mut Minimizer<'_>) {
    for at in (0..minimizer.best.len()).rev() {
        let mut cut = minimizer.best[at].steps.len();
        while cut > 0 && !minimizer.stopped {
            let mut case = minimizer.best[at].clone();
            // A case without steps says nothing to a reader; whole cases are dropped by another pass.
            let left = case.steps.len().saturating_sub(cut).max(1);
            let fits = left < case.steps.len();
            case.steps.truncate(left);
            if !fits || !minimizer.attempt_case(at, case) {
                cut /= 2;
            }
        }
    }
}

/// Removes connections with all their steps; if that fails, moves the steps to the previous connection.
pub(super) fn drop_connections(minimizer: &mut Minimizer<'_>) {
    for at in (0..minimizer.best.len()).rev() {
        for connection in (0..minimizer.best[at].connections()).rev() {
            let events = events::of(&minimizer.best[at]);
            let of_it = |event: &ConnectionEvent| usize::from(event.0) == connection;
            let mut left = events.clone();
            left.retain(|event| !of_it(event));
            if left.is_empty() || minimizer.attempt_case(at, events::case(&left)) || connection == 0
            {
                continue;
            }
            let mut moved = events;
            moved.retain(|event| !of_it(event) || event.1.is_some());
            for event in moved.iter_mut().filter(|event| of_it(event)) {
                event.0 -= 1;
            }
            minimizer.attempt_case(at, events::case(&moved));
        }
    }
}

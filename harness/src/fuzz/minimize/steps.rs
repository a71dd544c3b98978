//! Removes steps, and merges adjacent sends.

use super::events;
use super::search::Search;
use crate::fuzz::{Case, Step};

/// Removes steps, large groups first.
pub(super) fn drop_steps(search: &mut Search<'_>) {
    for at in (0..search.best.len()).rev() {
        let len = move |search: &Search<'_>| {
            let case = search.best.get(at);
            case.map_or(0, |case| events::of(case).len())
        };
        let without = move |search: &mut Search<'_>, range: std::ops::Range<usize>| {
            let Some(case) = search.best.get(at) else {
                return false;
            };
            let left = events::without(&events::of(case), &range);
            let case = events::case(&left);
            search.attempt_case(at, case)
        };
        let steps = len(search);
        search.drop_chunks(1..steps.div_ceil(2), &len, &without);
        merge(search, at);
    }
}

/// Merges adjacent sends: most servers cannot tell the difference, and the case is easier to read.
fn merge(search: &mut Search<'_>, at: usize) {
    let mut step = search.best[at].steps.len();
    while step > 1 {
        step -= 1;
        if let Some(case) = merged(&search.best[at], step) {
            search.attempt_case(at, case);
        }
    }
}

fn merged(case: &Case, second: usize) -> Option<Case> {
    let mut case = case.clone();
    let (Some(Step::Send(first)), Some(Step::Send(more))) =
        (case.steps.get(second - 1), case.steps.get(second))
    else {
        return None;
    };
    if !first.cuts.is_empty() || !more.cuts.is_empty() {
        return None;
    }
    let mut both = first.clone();
    let parts = more.data.parts().iter().cloned();
    parts.for_each(|part| both.data.push(part));
    case.steps.splice(second - 1..=second, [Step::Send(both)]);
    Some(case)
}

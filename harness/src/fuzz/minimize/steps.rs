//! Removes steps, and merges adjacent sends.

use super::events;
use super::minimizer::Minimizer;
use crate::fuzz::{Case, Step};

/// Removes steps, large groups first.
pub(super) fn drop_steps(minimizer: &mut Minimizer<'_>) {
    for at in (0..minimizer.best.len()).rev() {
        let len = move |minimizer: &Minimizer<'_>| {
            let case = minimizer.best.get(at);
            case.map_or(0, |case| events::of(case).len())
        };
        let without = move |minimizer: &mut Minimizer<'_>, range: std::ops::Range<usize>| {
            let Some(case) = minimizer.best.get(at) else {
                return false;
            };
            let left = events::without(&events::of(case), &range);
            let case = events::case(&left);
            minimizer.attempt_case(at, case)
        };
        let steps = len(minimizer);
        minimizer.drop_chunks(1..steps.div_ceil(2), &len, &without);
        merge(minimizer, at);
    }
}

/// Merges adjacent sends: most servers cannot tell the difference, and the case is easier to read.
fn merge(minimizer: &mut Minimizer<'_>, at: usize) {
    let mut step = minimizer.best[at].steps.len();
    while step > 1 {
        step -= 1;
        if let Some(case) = merged(&minimizer.best[at], step) {
            minimizer.attempt_case(at, case);
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

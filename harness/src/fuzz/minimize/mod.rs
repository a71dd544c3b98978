//! The smallest cases that still show the same bug. Pure: whoever calls runs the candidates.

mod bytes;
mod cases;
mod counts;
mod data;
mod events;
mod pace;
mod search;
mod steps;

#[cfg(test)]
mod tests;

pub(in crate::fuzz) use search::CandidateOutcome;

use super::Case;
use crate::talk::Frame;
use search::Search;

/// After so many rounds it ends, even if the last one still found something.
const ROUNDS_MAX: usize = 16;

/// What is left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Minimized {
    /// The cases, in their order; at least one.
    pub cases: Vec<Case>,
    /// How often candidates were run.
    pub tries: u32,
    /// Whether it came to its end: no pass finds anything more. If not, smaller cases may exist.
    pub complete: bool,
}

/// Makes the cases of a finding as small and plain as they can be.
///
/// `cases` show the bug: that is not asked again. `frame` says how requests end, so that lengths can be
/// kept true while what they count gets less. `still` runs candidates, each on a fresh server.
pub(crate) fn minimize(
    cases: Vec<Case>,
    frame: &Frame,
    still: &mut dyn FnMut(&[Case]) -> CandidateOutcome,
) -> Minimized {
    let mut search = Search::new(cases, frame, still);
    let mut complete = false;
    for _ in 0..ROUNDS_MAX {
        let before = search.best.clone();
        round(&mut search);
        if search.stopped {
            break;
        }
        if search.best == before {
            complete = true;
            break;
        }
    }
    search.fold();
    Minimized {
        cases: search.best,
        tries: search.tries,
        complete,
    }
}

/// Writes runs of equal bytes as repetitions.
fn fold(search: &mut Search<'_>) {
    search.fold();
}

/// What takes away the most with the fewest tries comes first. Each pass leaves all others to do.
fn round(search: &mut Search<'_>) {
    let passes: [fn(&mut Search<'_>); 11] = [
        cases::drop_cases,
        cases::truncate,
        cases::drop_connections,
        steps::drop_steps,
        pace::plain,
        fold,
        counts::lower,
        bytes::drop_large,
        bytes::canonical,
        counts::lower_folded,
        bytes::drop_small,
    ];
    for pass in passes {
        if search.stopped {
            return;
        }
        pass(search);
    }
}

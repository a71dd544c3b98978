//! Finds the smallest cases that still show the same bug. Pure: the caller runs the candidates.

mod bytes;
mod cases;
mod counts;
mod data;
mod events;
mod minimizer;
mod pace;
mod steps;

#[cfg(test)]
mod tests;

pub(in crate::fuzz) use minimizer::CandidateOutcome;
use minimizer::Minimizer;

use super::{Case, Step};
use crate::talk::Frame;

/// Maximum rounds, even if the last one still made progress.
const ROUNDS_MAX: usize = 16;

/// The result of a minimization.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Minimized {
    /// The cases in order; at least one.
    pub cases: Vec<Case>,
    /// Number of candidates that were run.
    pub tries: u32,
    /// Whether no pass made progress any more. If not, smaller cases may exist.
    pub complete: bool,
}

/// Makes the cases of a finding as small and plain as possible.
///
/// `cases` must show the bug; they are not run again. `frame` is the frame of requests, which is needed to correct
/// length fields. `run` runs a candidate on a fresh server.
pub(crate) fn minimize(
    cases: Vec<Case>,
    frame: &Frame,
    run: &mut dyn FnMut(&[Case]) -> CandidateOutcome,
) -> Minimized {
    let mut minimizer = Minimizer::new(cases, frame, run);
    let mut complete = false;
    for _ in 0..ROUNDS_MAX {
        let before = minimizer.best.clone();
        round(&mut minimizer);
        if minimizer.stopped {
            break;
        }
        if minimizer.best == before {
            complete = true;
            break;
        }
    }
    minimizer.fold();
    // A client that only connects and sends FIN: written out, so that a reader sees it. It does the same.
    for case in minimizer.best.iter_mut() {
        if case.steps.is_empty() {
            case.steps.push(Step::HalfClose);
        }
    }
    Minimized {
        cases: minimizer.best,
        tries: minimizer.tries,
        complete,
    }
}

/// Writes runs of equal bytes as repetitions.
fn fold(minimizer: &mut Minimizer<'_>) {
    minimizer.fold();
}

/// Runs every pass once. Passes that remove much with few candidates come first.
fn round(minimizer: &mut Minimizer<'_>) {
    let passes: [fn(&mut Minimizer<'_>); 11] = [
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
        if minimizer.stopped {
            return;
        }
        pass(minimizer);
    }
}

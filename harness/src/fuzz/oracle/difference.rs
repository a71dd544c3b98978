//! Difference: two servers reply differently to the same bytes, and each of them always the same.
//!
//! Every case runs three times on each server, each time on a fresh one. What differs between the runs on one server does
//! not count.

use super::claim::Rigour;
use super::replies::{Pattern, both_shown};
use crate::fuzz::case::Case;
use crate::fuzz::epoch::Epoch;
use crate::fuzz::symptom::{FindingKind, Symptom};
use crate::fuzz::wire::Observed;

/// Maximum bytes shown of a reply.
const SHOWN: usize = 160;

/// Whether the replies of the other server, which has run the same cases so far, hint at a difference.
pub(crate) fn is_hint(
    epoch: &mut Epoch<'_>,
    other: &mut Epoch<'_>,
    case: &Case,
    first: &Observed,
) -> bool {
    let Ok(of_other) = other.run(case) else {
        return false;
    };
    let (one, two) = (Pattern::of(first), Pattern::of(&of_other.observed));
    if !one.differs(&two) {
        return false;
    }
    // Once more on both: most of what differs differs every time.
    let (Ok(again), Ok(of_other)) = (epoch.run(case), other.run(case)) else {
        return false;
    };
    let one = one.and(&Pattern::of(&again.observed));
    let two = two.and(&Pattern::of(&of_other.observed));
    matches!((one, two), (Some(one), Some(two)) if one.differs(&two))
}

/// Maximum number of comparisons, until one is clear.
const TRIES: usize = 3;

/// A server replied once and not again, or another way: on a busy machine a reply may be late.
struct Unclear;

/// Compares the replies to the last case, after the cases before it. `epoch` has run those.
pub(crate) fn test(
    epoch: &mut Epoch<'_>,
    before: &[Case],
    case: &Case,
    rigour: Rigour,
) -> Option<Symptom> {
    let runs = match rigour {
        Rigour::Full => 3,
        Rigour::Quick => 2,
    };
    let mut first = epoch.run(case).ok().map(|run| run.observed);
    for _ in 0..TRIES {
        if let Ok(symptom) = compare(epoch, before, case, runs, first.take()) {
            return symptom;
        }
    }
    None
}

/// Compares so many replies of each server. `first` is one of the first server.
fn compare(
    epoch: &Epoch<'_>,
    before: &[Case],
    case: &Case,
    runs: usize,
    first: Option<Observed>,
) -> Result<Option<Symptom>, Unclear> {
    let Some(against) = &epoch.target.against else {
        return Ok(None);
    };
    let again = || on_fresh(epoch.another()?, before, case);
    let first = first.or_else(again).ok_or(Unclear)?;
    let mut one = Pattern::of(&first);
    let mut two: Option<(Pattern, Observed)> = None;
    for number in 0..runs {
        if number > 0 {
            let observed = again().ok_or(Unclear)?;
            one = one.and(&Pattern::of(&observed)).ok_or(Unclear)?;
        }
        let other = Epoch::start(against, epoch.runtime()).or(Err(Unclear))?;
        let observed = on_fresh(other, before, case).ok_or(Unclear)?;
        let pattern = match &two {
            None => Pattern::of(&observed),
            Some((pattern, _)) => {
                let pattern = pattern.clone().and(&Pattern::of(&observed));
                pattern.ok_or(Unclear)?
            }
        };
        if !one.differs(&pattern) {
            return Ok(None);
        }
        two = Some((pattern, observed));
    }
    Ok(two.map(|(_, second)| symptom(&first, &second)))
}

fn on_fresh(mut epoch: Epoch<'_>, before: &[Case], case: &Case) -> Option<Observed> {
    for case in before {
        epoch.run(case).ok()?;
    }
    Some(epoch.run(case).ok()?.observed)
}

fn symptom(one: &Observed, other: &Observed) -> Symptom {
    let pairs = one.connections.iter().zip(&other.connections);
    let differs = pairs
        .into_iter()
        .find(|(one, other)| one.bytes != other.bytes);
    let (here, there) = match differs {
        Some((one, other)) => both_shown(&one.bytes, &other.bytes, SHOWN),
        None => both_shown(b"", b"", SHOWN),
    };
    let title = format!("the server replies {here}, the one of --against {there}");
    Symptom::new(FindingKind::Difference, "reply", title)
        .with("reply", here)
        .with("reply_of_against", there)
}

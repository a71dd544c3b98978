//! Shows the cases of a finding to fresh servers: after minimizing, and again at the end of the run.

use std::time::{Duration, Instant};

use tokio::runtime::Runtime;

use super::blame;
use crate::fuzz::oracle::{Claim, Rigour, shows};
use crate::fuzz::symptom::{FindingKind, Symptom};
use crate::fuzz::target::FuzzTarget;
use crate::fuzz::{Case, Confirmed};

/// Number of fresh servers on which a finding is confirmed.
pub(super) const CONFIRMATIONS: u32 = 5;
/// Number of fresh servers that see it again at the end of the run, one after the other and with nothing beside them, as
/// a replay does.
pub(super) const AGAIN: u32 = 3;

/// What fresh servers showed.
pub(super) struct Looks {
    /// How many showed the bug, of those that could be asked before the deadline.
    pub(super) seen: Confirmed,
    /// What the first of them showed.
    pub(super) shown: Option<Symptom>,
    /// The time that one of them took.
    pub(super) each: Duration,
}

/// One look at a fresh server: what it showed, or `None` if there was no time for it.
type Look = Option<Option<Symptom>>;

/// Runs the cases on fresh servers, each with a folder of its own.
pub(super) fn fresh(
    claim: &Claim,
    target: &FuzzTarget,
    runtime: &Runtime,
    cases: &[Case],
) -> Looks {
    let begun = Instant::now();
    match is_timed(claim) {
        true => one_by_one(claim, target, runtime, cases, CONFIRMATIONS),
        // Most of the time is waiting, so these run in parallel.
        false => std::thread::scope(|scope| {
            let look = || look(claim, target, &crate::subject::runtime(), cases);
            let looks: Vec<_> = (0..CONFIRMATIONS).map(|_| scope.spawn(look)).collect();
            let looks = looks.into_iter().map(|look| look.join().ok().flatten());
            Looks::of(looks.collect(), begun.elapsed())
        }),
    }
}

/// Runs the cases on fresh servers, one after the other.
pub(super) fn again(
    claim: &Claim,
    target: &FuzzTarget,
    runtime: &Runtime,
    cases: &[Case],
) -> Looks {
    one_by_one(claim, target, runtime, cases, AGAIN)
}

fn one_by_one(
    claim: &Claim,
    target: &FuzzTarget,
    runtime: &Runtime,
    cases: &[Case],
    count: u32,
) -> Looks {
    let begun = Instant::now();
    let mut looks = Vec::new();
    for _ in 0..count {
        if target.deadline.is_over() {
            break;
        }
        let seen = look(claim, target, runtime, cases);
        // A time measurement may be disturbed by other processes: it is repeated once.
        looks.push(match seen {
            Some(None) if is_timed(claim) => look(claim, target, runtime, cases),
            seen => seen,
        });
    }
    let each = begun.elapsed() / count.max(1);
    Looks::of(looks, each)
}

fn look(claim: &Claim, target: &FuzzTarget, runtime: &Runtime, cases: &[Case]) -> Look {
    let seen = shows(target, runtime, claim, cases, Rigour::Full);
    let seen = seen.filter(|seen| blame::is_alike(claim.kind, seen.kind));
    (seen.is_some() || !target.deadline.is_over()).then_some(seen)
}

impl Looks {
    fn of(looks: Vec<Look>, each: Duration) -> Self {
        let asked = looks.into_iter().flatten();
        let (mut seen, mut shown) = (Confirmed::default(), None);
        for symptom in asked {
            seen.of += 1;
            seen.seen += u32::from(symptom.is_some());
            shown = shown.or(symptom);
        }
        Self { seen, shown, each }
    }
}

/// Whether the oracle measures time, which parallel servers would disturb.
pub(super) fn is_timed(claim: &Claim) -> bool {
    matches!(
        claim.kind,
        FindingKind::Starvation | FindingKind::Complexity | FindingKind::Spin
    )
}

//! Oracles: what counts as a bug, one file each. A correct server must never raise an alarm: whatever could
//! be chance, the fault of the machine, or permitted behaviour is not a symptom.
//!
//! Crash and panic are checked after every case, hang after every few. The other oracles run cases of their
//! own on a fresh server, and only after a hint; [`shows`] does this for all of them.

pub(crate) mod alarm;
mod claim;
pub(crate) mod complexity;
pub(crate) mod conformance;
pub(crate) mod crash;
pub(crate) mod divergence;
mod hang;
pub(crate) mod leak;
mod panic;
pub(crate) mod starvation;
mod text;
pub(crate) mod watch;

pub(crate) use claim::{Claim, Rigour};
use tokio::runtime::Runtime;

use super::Case;
use super::epoch::Epoch;
use super::symptom::{FindingKind, Symptom};
use super::target::FuzzTarget;

/// Runs the cases in order on a fresh server and returns the symptom of the claimed kind. `None` if there is
/// none, or if tcprove itself could not run them.
pub(crate) fn shows(
    target: &FuzzTarget,
    runtime: &Runtime,
    claim: &Claim,
    cases: &[Case],
    rigour: Rigour,
) -> Option<Symptom> {
    let mut epoch = Epoch::start(target, runtime).ok()?;
    let symptom = shows_on(&mut epoch, claim, cases, rigour);
    // Without its helpers a server may do anything.
    symptom.filter(|_| epoch.server().helper_trouble().is_none())
}

/// [`shows`] on a server that is already running.
pub(crate) fn shows_on(
    epoch: &mut Epoch<'_>,
    claim: &Claim,
    cases: &[Case],
    rigour: Rigour,
) -> Option<Symptom> {
    match claim.kind {
        FindingKind::Crash | FindingKind::Panic | FindingKind::Hang => watched(epoch, cases),
        FindingKind::Conformance if claim.wrong_reply.is_some() => {
            conformance::test(epoch, claim, cases)
        }
        // Well-behaved clients get wrong replies: only a canary can see that.
        FindingKind::Conformance => watched(epoch, cases),
        kind => {
            let (last, before) = cases.split_last()?;
            for case in before {
                epoch.run(case).ok()?;
            }
            match kind {
                FindingKind::Starvation => starvation::test(epoch, last, rigour),
                FindingKind::Leak => leak::test(epoch, last, rigour),
                FindingKind::Divergence => divergence::test(epoch, before, last, rigour),
                _ => complexity::test(epoch, last, rigour),
            }
        }
    }
}

/// Runs the cases, each followed by the looks of a campaign.
fn watched(epoch: &mut Epoch<'_>, cases: &[Case]) -> Option<Symptom> {
    for case in cases {
        epoch.run(case).ok()?;
        if let Some(symptom) = alarm::alarm(epoch) {
            return Some(symptom);
        }
    }
    watch::examine(epoch).or_else(|| watch::worker_ends(epoch))
}

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
pub(crate) mod difference;
pub(crate) mod divergence;
pub(crate) mod flood;
mod hang;
pub(crate) mod injected;
pub(crate) mod leak;
mod panic;
pub(crate) mod pipeline;
#[cfg(feature = "cli")]
pub(crate) mod recording;
mod replies;
mod scale;
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
    let target = target.filtered_for(cases);
    let mut epoch = Epoch::start(&target, runtime).ok()?;
    let symptom = shows_on(&mut epoch, claim, cases, rigour);
    // Without its helpers a server may do anything.
    symptom.filter(|_| epoch.server().helper_trouble().is_none())
}

/// What a look at a fresh server showed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Look {
    /// The symptom.
    Shown(Symptom),
    /// Nothing.
    Nothing,
    /// It was not possible: the server or a helper of it did not start, or there was no time.
    Impossible(String),
}

/// [`shows`], which also tells what was not possible.
pub(crate) fn look(target: &FuzzTarget, runtime: &Runtime, claim: &Claim, cases: &[Case]) -> Look {
    let target = target.filtered_for(cases);
    let mut epoch = match Epoch::start(&target, runtime) {
        Ok(epoch) => epoch,
        Err(error) => return Look::Impossible(error.to_string()),
    };
    if let Some(trouble) = epoch.cannot_inject() {
        return Look::Impossible(format!("no results can be injected: {trouble}"));
    }
    let symptom = shows_on(&mut epoch, claim, cases, Rigour::Full);
    match (symptom, epoch.server().helper_trouble()) {
        (_, Some(trouble)) => Look::Impossible(trouble.to_string()),
        (Some(symptom), None) => Look::Shown(symptom),
        (None, None) if target.deadline.is_over() => {
            Look::Impossible("there was no time to ask the server".into())
        }
        (None, None) => Look::Nothing,
    }
}

/// [`shows`] on a server that is already running.
pub(crate) fn shows_on(
    epoch: &mut Epoch<'_>,
    claim: &Claim,
    cases: &[Case],
    rigour: Rigour,
) -> Option<Symptom> {
    match claim.kind {
        FindingKind::Crash | FindingKind::Panic | FindingKind::Hang | FindingKind::Spin => {
            watched(epoch, cases)
        }
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
                FindingKind::Flood => flood::test(epoch, last),
                FindingKind::Difference => difference::test(epoch, before, last, rigour),
                FindingKind::Divergence => divergence::test(epoch, before, last, rigour),
                _ => complexity::test(epoch, last, rigour),
            }
        }
    }
}

/// Runs the cases, each followed by the looks of a campaign.
fn watched(epoch: &mut Epoch<'_>, cases: &[Case]) -> Option<Symptom> {
    let mut unanswered = false;
    // A case may end before the server has read it: where several make the symptom, the next one must not overtake it.
    let mut rests = cases.len() > 1;
    for case in cases {
        let run = epoch.run(case).ok()?;
        rests = rests && epoch.comes_to_rest();
        let ends = run.observed.connections.iter();
        unanswered |= ends.into_iter().any(watch::is_cut_off);
        if let Some(symptom) = alarm::alarm(epoch).or_else(|| injected::examine(epoch)) {
            return Some(injected::with_injected(epoch, symptom));
        }
    }
    watch::examine(epoch)
        .or_else(|| watch::worker_ends(epoch))
        .or_else(|| unanswered.then(|| watch::child_crashes(epoch)).flatten())
        .map(|symptom| injected::with_injected(epoch, symptom))
}

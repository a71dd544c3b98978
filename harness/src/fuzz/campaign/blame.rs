//! Finds the cases that cause a symptom: one of the last cases alone, the last eight, the whole epoch.

use tokio::runtime::Runtime;

use super::suspect::Suspect;
use crate::fuzz::Case;
use crate::fuzz::oracle::{Claim, Rigour, shows};
use crate::fuzz::symptom::{FindingKind, Symptom};
use crate::fuzz::target::FuzzTarget;

/// Maximum number of last cases that are tried alone, and the number that is tried together.
const RECENT: usize = 8;

/// The cases that show the symptom on a fresh server, and what they show. `None` if none do. Cases that show another one of the
/// kind count only if none show this one: what a server dies of may have happened a case earlier than it seems.
pub(super) fn find(
    target: &FuzzTarget,
    runtime: &Runtime,
    suspect: &Suspect,
) -> Option<(Vec<Case>, Symptom)> {
    let cases = &suspect.cases;
    let claim = Claim::from(suspect.kind());
    let alike = |symptom: &Symptom| is_alike(suspect.kind(), symptom.kind);
    let last = cases.len().saturating_sub(1);
    // Any case since the last healthy look may be the cause; the newest is the most likely one.
    let alone = (suspect.good.min(last)..=last).rev().take(RECENT);
    let recent = cases.len().saturating_sub(RECENT);
    let tries = alone.map(|at| &cases[at..=at]).chain([
        &cases[recent..],
        &cases[suspect.good.min(last)..],
        &cases[..],
    ]);
    let mut tried: Vec<(usize, usize)> = Vec::new();
    let mut other = None;
    for some in tries {
        let place = (some.as_ptr() as usize, some.len());
        if tried.contains(&place) {
            continue;
        }
        tried.push(place);
        let shown = shows(target, runtime, &claim, some, Rigour::Full).filter(alike);
        match shown.map(|symptom| (some.to_vec(), symptom)) {
            Some(same) if same.1.key == suspect.symptom.key => return Some(same),
            Some(alike) => other = other.or(Some(alike)),
            None => {}
        }
    }
    other
}

/// Whether two kinds may be the same bug: a crash is often first seen as a hang, and a panic may end in a crash.
pub(super) fn is_alike(wanted: FindingKind, seen: FindingKind) -> bool {
    let violent = |kind| {
        matches!(
            kind,
            FindingKind::Crash | FindingKind::Panic | FindingKind::Hang | FindingKind::Conformance
        )
    };
    wanted == seen || violent(wanted) && violent(seen)
}

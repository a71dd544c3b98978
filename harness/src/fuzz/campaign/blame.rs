//! Which cases did it? The case alone, the last eight, the whole epoch, then fewer of them.

use tokio::runtime::Runtime;

use super::lane::Suspect;
use crate::fuzz::ground::Ground;
use crate::fuzz::oracle::{Claim, Rigour, Symptom, shows};
use crate::fuzz::{Case, Kind};

/// Cases that are tried together when the last one alone does nothing.
const RECENT: usize = 8;

/// The cases that show it again on a fresh server, and what they show. `None`: nothing does.
pub(super) fn find(
    ground: &Ground,
    runtime: &Runtime,
    suspect: &Suspect,
) -> Option<(Vec<Case>, Symptom)> {
    let cases = &suspect.cases;
    let claim = Claim::from(suspect.kind());
    let alike = |symptom: &Symptom| is_alike(suspect.kind(), symptom.kind);
    let last = cases.len().saturating_sub(1);
    // What was seen late may have been done by any case since the last healthy look, the newest first.
    let alone = (suspect.good.min(last)..=last).rev().take(RECENT);
    let recent = cases.len().saturating_sub(RECENT);
    let tries = alone.map(|at| &cases[at..=at]).chain([
        &cases[recent..],
        &cases[suspect.good.min(last)..],
        &cases[..],
    ]);
    let mut tried: Vec<(usize, usize)> = Vec::new();
    for some in tries {
        let place = (some.as_ptr() as usize, some.len());
        if tried.contains(&place) {
            continue;
        }
        tried.push(place);
        if let Some(symptom) = shows(ground, runtime, &claim, some, Rigour::Full).filter(alike) {
            return Some((some.to_vec(), symptom));
        }
    }
    None
}

/// A crash is often seen as a hang first, and a panic may end in a crash.
pub(super) fn is_alike(wanted: Kind, seen: Kind) -> bool {
    let violent = |kind| {
        matches!(
            kind,
            Kind::Crash | Kind::Panic | Kind::Hang | Kind::Conformance
        )
    };
    wanted == seen || violent(wanted) && violent(seen)
}

//! Cuts a message into several pieces.

use super::Mutator;
use super::mutating::Mutating;
use crate::fuzz::Step;

pub(super) const ENTRY: Mutator = Mutator {
    name: "cuts",
    weight: 5,
    run,
};

/// Maximum pieces: each waits until the previous one was read.
const PIECES_MAX: usize = 3;

/// Maximum bytes of a message that is cut at every byte.
const BYTEWISE_MAX: usize = 24;

/// Maximum bytes of a message whose critical offsets are looked for.
const CRITICAL_BYTES_MAX: usize = 16 << 10;

fn run(mutating: &mut Mutating<'_>) -> bool {
    let Some(at) = mutating.pick_send() else {
        return false;
    };
    let Some(Step::Send(send)) = mutating.case.steps.get_mut(at) else {
        return false;
    };
    let len = send.data.len();
    if len < 2 {
        return false;
    }
    let random = &mut *mutating.random;
    let critical = match len <= CRITICAL_BYTES_MAX && random.one_in(2) {
        true => mutating
            .material
            .request_frame()
            .cut_points(&send.data.to_bytes()),
        false => Vec::new(),
    };
    let mut cuts: Vec<usize> = match random.pick(&critical) {
        Some(cut) => vec![*cut],
        None if len <= BYTEWISE_MAX && random.one_in(16) => (1..len).collect(),
        None => (0..random.between(1, PIECES_MAX - 1))
            .map(|_| random.between(1, len - 1))
            .collect(),
    };
    cuts.sort_unstable();
    cuts.dedup();
    let cuts: Vec<u32> = cuts
        .into_iter()
        .filter_map(|cut| u32::try_from(cut).ok())
        .collect();
    if send.cuts == cuts {
        return false;
    }
    send.cuts = cuts;
    true
}

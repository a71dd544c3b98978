//! Repeats something inside the value of a field, between a beginning and an end that parsers stumble over: what a
//! backtracking or rescanning parser needs for exponential or quadratic work.

use super::Mutator;
use super::mutating::{Mutating, pumped};
use crate::fuzz::material::{Pump, spans};
use crate::fuzz::random::Random;
use crate::fuzz::{SendStep, Step};

pub(super) const ENTRY: Mutator = Mutator {
    name: "pump",
    weight: 6,
    run,
};

/// Maximum bytes of a message with a pumped field.
const MESSAGE_BYTES_MAX: usize = 8 << 10;

/// Repetitions that suffice for exponential work, and those that headers of usual limits can hold.
const FEW: usize = 64;
const USUAL: usize = 4096;

/// Bytes that values often do not expect at their end.
const ODD_ENDS: &[&[u8]] = &[
    b"", b"", b"\0", b"\x10", b"\x7f", b"\xff", b"!", b"\"", b"=", b";", b",", b" x", b"@", b"\\",
];

fn run(mutating: &mut Mutating<'_>) -> bool {
    let Some(at) = mutating.pick_send() else {
        return false;
    };
    let Some(send) = mutating
        .send_at(at)
        .filter(|send| send.data.len() <= MESSAGE_BYTES_MAX)
    else {
        return false;
    };
    let bytes = send.data.to_bytes();
    let mut all = spans::of(&bytes);
    all.retain(|span| span.kind.is_text());
    let Some(span) = mutating.random.pick(&all) else {
        return false;
    };
    let own = &bytes[span.at.clone()];
    let pump = choose(own, mutating.random, &mutating.material.dictionary.pumps);
    let place = match mutating.random.below(3) {
        0 => span.at.end..span.at.end,
        1 => span.at.start..span.at.start,
        _ => span.at.clone(),
    };
    let most = match mutating.random.below(32) {
        0 => mutating.material.bytes_max() / pump.unit.len(),
        1..=14 => USUAL / pump.unit.len(),
        _ => FEW,
    };
    let count = mutating.random.between(2, most.max(3));
    let repairs = !mutating.random.one_in(4);
    let frame = mutating.material.request_frame();
    let data = pumped(frame, &bytes, &[place], &pump, count, repairs);
    mutating.case.steps[at] = Step::Send(SendStep::whole(data));
    mutating.touch(at);
    true
}

/// A pump of the dictionary, or one made of the value itself.
fn choose(own: &[u8], random: &mut Random, pumps: &[Pump]) -> Pump {
    let known = random.pick(pumps).filter(|_| !random.one_in(4));
    if let Some(known) = known {
        return known.clone();
    }
    let begin = random.below(own.len());
    let len = random.size(6).min(own.len() - begin);
    let unit = match &own[begin..begin + len] {
        [] => vec![random.byte()],
        unit => unit.to_vec(),
    };
    let after = random
        .pick(ODD_ENDS)
        .map(|end| end.to_vec())
        .unwrap_or_default();
    Pump {
        before: Vec::new(),
        unit,
        after,
    }
}

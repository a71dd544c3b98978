//! Sends a turn with a hostile payload and correct length fields.

use super::mutating::Mutating;
use super::{Mutator, dictionary};
use crate::fuzz::material::{BAD_UTF8, Material, OPENINGS};
use crate::fuzz::random::Random;
use crate::fuzz::{Data, SendStep, Step};

pub(super) const ENTRY: Mutator = Mutator {
    name: "payload",
    weight: 14,
    run,
};

/// Maximum bytes of most requests.
const USUAL_BYTES_MAX: usize = 2048;

/// Units of payloads of a given length.
const UNITS: &[&str] = &["a", "0", " ", "é", "€", "\0"];

fn run(mutating: &mut Mutating<'_>) -> bool {
    let turns = &mutating.material.payload_turns;
    let Some(turn) = mutating.random.pick(turns).copied() else {
        return false;
    };
    let Some(at) = mutating.pick_send() else {
        return false;
    };
    let made = match mutating.random.below(3) {
        0 => length(turn, mutating.random, mutating.material),
        _ => mixture(turn, mutating.random, mutating.material),
    };
    match (made, mutating.case.steps.get_mut(at)) {
        (Some(data), Some(Step::Send(send))) if !data.is_empty() && send.data != data => {
            *send = SendStep::whole(data);
            mutating.touch(at);
            true
        }
        _ => false,
    }
}

/// A request whose length is close to a power of two, or random.
fn length(turn: usize, random: &mut Random, material: &Material) -> Option<Data> {
    let bytes_max = match random.one_in(48) {
        true => material.bytes_max(),
        false => USUAL_BYTES_MAX,
    };
    let power = 1_usize << random.between(3, bytes_max.ilog2() as usize);
    let len = match random.below(3) {
        0 => random.between(power - 2, power + 2),
        _ => random.size(bytes_max),
    };
    let unit = random.pick(UNITS).copied().unwrap_or("a");
    material.of_length(turn, len, unit.as_bytes())
}

/// A payload of runs, dictionary words, invalid UTF-8 and random bytes.
fn mixture(turn: usize, random: &mut Random, material: &Material) -> Option<Data> {
    let mut payload = Vec::new();
    for _ in 0..random.size(6) {
        match random.below(6) {
            0 => payload.resize(payload.len() + random.size(600), b'a'),
            1 => payload.extend_from_slice(random.pick(BAD_UTF8)?),
            2 => {
                let opening = random.pick(OPENINGS)?;
                payload.extend_from_slice(&opening.repeat(random.size(32)));
            }
            3 => payload.extend((0..random.size(8)).map(|_| random.byte())),
            _ => payload.extend_from_slice(dictionary::token(random, material)),
        }
    }
    material.with_payload(turn, &payload).map(Data::from)
}

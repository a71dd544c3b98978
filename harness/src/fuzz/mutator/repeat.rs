//! Repeats a chunk, line, word or opening token: what is fast once may be slow ten thousand times.

use std::ops::Range;

use super::mutating::{Lengths, Mutating};
use super::{Mutator, dictionary};
use crate::fuzz::material::{Material, OPENINGS, text};
use crate::fuzz::random::Random;

pub(super) const ENTRY: Mutator = Mutator {
    name: "repeat",
    weight: 8,
    run,
};

/// Maximum bytes of a message in which something is repeated.
const MESSAGE_BYTES_MAX: usize = 64 << 10;

/// Maximum bytes of most repetitions, to keep cases cheap.
const USUAL_BYTES_MAX: usize = 4096;

fn run(mutating: &mut Mutating<'_>) -> bool {
    let Some(at) = mutating.pick_send() else {
        return false;
    };
    let Some(send) = mutating.send_at(at) else {
        return false;
    };
    if send.data.len() > MESSAGE_BYTES_MAX {
        return false;
    }
    let bytes = send.data.to_bytes();
    let (place, unit) = choose(&bytes, mutating.random, mutating.material);
    if unit.is_empty() {
        return false;
    }
    let usual = !mutating.random.one_in(24);
    let bytes_max = match usual {
        true => USUAL_BYTES_MAX,
        false => mutating.material.bytes_max(),
    };
    let room = bytes_max.saturating_sub(bytes.len()) / unit.len();
    let count = count(room, mutating.random);
    if count < 2 {
        return false;
    }
    mutating.put_repeat(at, place, unit, count, Lengths::MostlyTrue)
}

/// What to repeat, and the range that it replaces.
fn choose(bytes: &[u8], random: &mut Random, material: &Material) -> (Range<usize>, Vec<u8>) {
    let lines = text::lines(bytes);
    let line = random.pick(&lines).cloned().unwrap_or(0..0);
    match random.below(6) {
        0 => (line.clone(), bytes[line].to_vec()),
        1 => (line.end..line.end, text::skeleton(&bytes[line])),
        2 => {
            let begin = random.below(bytes.len());
            let len = random.size(16).min(bytes.len() - begin);
            let chunk = begin..begin + len;
            (chunk.clone(), bytes[chunk].to_vec())
        }
        3 => {
            let at = random.between(0, bytes.len());
            (at..at, dictionary::token(random, material).to_vec())
        }
        _ => {
            let opening = random.pick(OPENINGS).copied().unwrap_or_default();
            // Nested structures begin at the beginning of a message, line or word.
            let words = text::words(bytes);
            let at = match (random.below(3), random.pick(&words)) {
                (0, _) => 0,
                (1, Some(word)) => word.start,
                _ => line.start,
            };
            (at..at, opening.to_vec())
        }
    }
}

/// A power of two, one next to it, or a round number.
fn count(most: usize, random: &mut Random) -> u32 {
    let power = 1_usize << random.between(1, most.max(2).ilog2() as usize);
    let wanted = match random.below(8) {
        0 => power - 1,
        1 => power + 1,
        2 => random
            .pick(&[100, 1000, 1001, 2001, 10_000])
            .copied()
            .unwrap_or(1000),
        3 => most,
        _ => power,
    };
    u32::try_from(wanted.min(most)).unwrap_or(u32::MAX)
}

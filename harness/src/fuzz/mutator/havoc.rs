//! Flips, inserts, removes, overwrites, duplicates and copies bytes.

use super::Mutator;
use super::mutating::{Lengths, Mutating};
use crate::fuzz::random::Random;

pub(super) const ENTRY: Mutator = Mutator {
    name: "havoc",
    weight: 20,
    run,
};

/// Maximum bytes of a chunk.
const CHUNK_BYTES_MAX: usize = 64;

fn run(mutating: &mut Mutating<'_>) -> bool {
    let lengths = match mutating.random.one_in(2) {
        true => Lengths::MostlyTrue,
        false => Lengths::AsTheyAre,
    };
    mutating.edit(lengths, |bytes, random, _| {
        let mut changed = false;
        for _ in 0..1 + random.size(4) / 2 {
            changed |= change(bytes, random);
        }
        changed
    })
}

fn change(bytes: &mut Vec<u8>, random: &mut Random) -> bool {
    if bytes.is_empty() {
        bytes.push(random.byte());
        return true;
    }
    let at = random.below(bytes.len());
    let chunk = random.size(CHUNK_BYTES_MAX.min(bytes.len() - at));
    match random.below(9) {
        0 => bytes[at] ^= 1 << random.below(8),
        1 => bytes[at] = random.byte(),
        2 => bytes[at] = bytes[at].wrapping_add(random.between(1, 255) as u8),
        3 => bytes.insert(at, random.byte()),
        4 => drop(bytes.drain(at..at + chunk)),
        5 => {
            let copy = bytes[at..at + chunk].to_vec();
            bytes.splice(at..at, copy);
        }
        6 => {
            let fill = random.byte();
            bytes[at..at + chunk].fill(fill);
        }
        7 => {
            let new: Vec<u8> = (0..chunk).map(|_| random.byte()).collect();
            bytes.splice(at..at, new);
        }
        _ => {
            let other = random.below(bytes.len() - chunk + 1);
            let copy = bytes[other..other + chunk].to_vec();
            bytes[at..at + chunk].copy_from_slice(&copy);
        }
    }
    true
}

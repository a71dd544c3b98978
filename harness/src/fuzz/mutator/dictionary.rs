//! Inserts dictionary words, overwrites bytes with them, or replaces other words by them.

use super::Mutator;
use super::mutating::{Lengths, Mutating};
use crate::fuzz::material::{Material, TOKENS, text};
use crate::fuzz::random::Random;

pub(super) const ENTRY: Mutator = Mutator {
    name: "dictionary",
    weight: 16,
    run,
};

fn run(mutating: &mut Mutating<'_>) -> bool {
    mutating.edit(Lengths::MostlyTrue, |bytes, random, material| {
        let token = token(random, material);
        place(bytes, token, random);
        true
    })
}

/// A word of the talk or of `--strings`, or a built-in token.
pub(super) fn token<'a>(random: &mut Random, material: &'a Material) -> &'a [u8] {
    let own = random.one_in(2);
    match random.pick(&material.words) {
        Some(word) if own => word,
        _ => random.pick(TOKENS).copied().unwrap_or_default(),
    }
}

/// Puts `token` at a random position.
pub(super) fn place(bytes: &mut Vec<u8>, token: &[u8], random: &mut Random) {
    let words = match random.below(4) {
        0 => Vec::new(),
        _ => text::words(bytes),
    };
    match random.pick(&words) {
        Some(word) => {
            let word = word.clone();
            let range = match random.below(3) {
                0 => word.start..word.start,
                1 => word.end..word.end,
                _ => word,
            };
            bytes.splice(range, token.iter().copied());
        }
        None => {
            let at = random.between(0, bytes.len());
            let over = match random.one_in(2) {
                true => token.len().min(bytes.len() - at),
                false => 0,
            };
            bytes.splice(at..at + over, token.iter().copied());
        }
    }
}

//! Replaces decimal numbers by values around integer limits.

use super::Mutator;
use super::mutating::{Lengths, Mutating};
use crate::fuzz::material::text;
use crate::fuzz::random::Random;

pub(super) const ENTRY: Mutator = Mutator {
    name: "numbers",
    weight: 6,
    run,
};

fn run(mutating: &mut Mutating<'_>) -> bool {
    mutating.edit(Lengths::MostlyTrue, |bytes, random, _| {
        let numbers = text::numbers(bytes);
        let Some(at) = random.pick(&numbers).cloned() else {
            return false;
        };
        let written = String::from_utf8_lossy(&bytes[at.clone()]);
        let number = other(written.parse().unwrap_or(0), random);
        bytes.splice(at, number.into_bytes());
        true
    })
}

fn other(number: i128, random: &mut Random) -> String {
    let border = 1_i128
        << random
            .pick(&[7, 8, 15, 16, 31, 32, 53, 63, 64])
            .copied()
            .unwrap_or(31);
    let near = random.between(0, 4) as i128 - 2;
    match random.below(7) {
        0 => number.saturating_add(near).to_string(),
        1 => number.wrapping_neg().to_string(),
        2 => near.to_string(),
        3 => (-border + near).to_string(),
        4 => "9".repeat(random.size(64)),
        _ => (border + near).to_string(),
    }
}

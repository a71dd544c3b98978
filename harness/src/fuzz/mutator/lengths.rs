//! Puts wrong values into length fields.

use super::Mutator;
use super::mutating::{Lengths, Mutating};
use crate::fuzz::material::announced::{self, Field};
use crate::talk::Uint;

pub(super) const ENTRY: Mutator = Mutator {
    name: "lengths",
    weight: 10,
    run,
};

fn run(mutating: &mut Mutating<'_>) -> bool {
    mutating.edit(Lengths::AsTheyAre, |bytes, random, material| {
        let fields = announced::fields(material.request_frame(), bytes);
        let Some(field) = random.pick(&fields) else {
            return false;
        };
        let lies = lies(field, bytes);
        let Some(lie) = random.pick(&lies) else {
            return false;
        };
        bytes.splice(field.at.clone(), lie.iter().copied());
        true
    })
}

/// Wrong values for a length field.
pub(in crate::fuzz) fn lies(field: &Field, bytes: &[u8]) -> Vec<Vec<u8>> {
    let written = &bytes[field.at.clone()];
    let mut lies = match field.field {
        Some(uint) => binary(uint, uint.get(written)),
        None => decimal(written),
    };
    lies.retain(|lie| lie != written);
    lies
}

fn binary(uint: Uint, truth: u64) -> Vec<Vec<u8>> {
    let max = uint.max();
    let numbers = [
        0,
        1,
        2,
        4,
        truth.wrapping_sub(1),
        truth.wrapping_add(1),
        truth.wrapping_mul(2),
        // The value in the other byte order.
        truth.swap_bytes() >> (64 - 8 * uint.width),
        255,
        65_535,
        65_536,
        1 << 20,
        (1 << 31) - 1,
        1 << 31,
        max >> 1,
        (max >> 1) + 1,
        max - 4,
        max - 1,
        max,
    ];
    let mut numbers = numbers.map(|number| number & max).to_vec();
    numbers.sort_unstable();
    numbers.dedup();
    let write = |number: u64| uint.bytes(number).collect();
    numbers.into_iter().map(write).collect()
}

fn decimal(written: &[u8]) -> Vec<Vec<u8>> {
    let text = String::from_utf8_lossy(written);
    let truth: i128 = text.parse().unwrap_or(1);
    let borders = [31, 32, 63, 64].map(|bits| 1_i128 << bits);
    let around = |border: i128| [border - 1, border, border + 1];
    let beside = [-1, 1, truth].map(|step| truth.saturating_add(step));
    let near = [0, -1, 1 << 20, 512 << 20];
    let low = [-(1_i128 << 31), -(1_i128 << 31) - 1, -(1_i128 << 63)];
    let numbers = near.into_iter().chain(beside).chain(low);
    let numbers = numbers.chain(borders.into_iter().flat_map(around));
    let mut lies: Vec<Vec<u8>> = numbers
        .map(|number| number.to_string().into_bytes())
        .collect();
    let odd = [
        String::new(),
        "9".repeat(40),
        "9".repeat(400),
        format!("000000000000000000000{truth}"),
        format!("+{truth}"),
        format!("-{truth}"),
        format!(" {truth} "),
        format!("{truth}.0"),
        format!("0x{truth:x}"),
        format!("{truth}e9"),
        format!("{truth}\0"),
        "none".to_owned(),
    ];
    lies.extend(odd.map(String::into_bytes));
    lies
}

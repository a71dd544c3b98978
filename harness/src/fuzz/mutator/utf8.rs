//! Inserts invalid UTF-8, and cuts characters.

use super::Mutator;
use super::mutating::{Lengths, Mutating};
use crate::fuzz::material::BAD_UTF8;
use crate::fuzz::random::Random;

pub(super) const ENTRY: Mutator = Mutator {
    name: "utf8",
    weight: 8,
    run,
};

/// Valid characters of two, three and four bytes.
const WIDE: &[&str] = &["é", "ß", "问", "€", "😀", "\u{10ffff}", "\u{feff}"];

fn run(mutating: &mut Mutating<'_>) -> bool {
    if mutating.random.one_in(8) {
        return cut_inside(mutating);
    }
    mutating.edit(Lengths::MostlyTrue, |bytes, random, _| {
        match random.below(4) {
            0 => bad_at_a_border(bytes, random),
            1 => half_a_character(bytes, random),
            _ => bad_anywhere(bytes, random),
        }
        true
    })
}

fn bad(random: &mut Random) -> &'static [u8] {
    random.pick(BAD_UTF8).copied().unwrap_or(b"\xff")
}

fn bad_anywhere(bytes: &mut Vec<u8>, random: &mut Random) {
    let at = random.between(0, bytes.len());
    let over = random.below(2).min(bytes.len() - at);
    bytes.splice(at..at + over, bad(random).iter().copied());
}

/// At the beginning of the message, or before its line end.
fn bad_at_a_border(bytes: &mut Vec<u8>, random: &mut Random) {
    let last = bytes.iter().rposition(|byte| !b"\r\n".contains(byte));
    let at = match random.one_in(2) {
        true => 0,
        false => last.map_or(0, |at| at + 1),
    };
    bytes.splice(at..at, bad(random).iter().copied());
}

/// Inserts a truncated character, or valid ones that shift the following bytes.
fn half_a_character(bytes: &mut Vec<u8>, random: &mut Random) {
    let wide = random.pick(WIDE).copied().unwrap_or("é");
    let mut new = wide.repeat(random.size(8)).into_bytes();
    if random.one_in(2) {
        new.truncate(new.len() - random.between(1, wide.len() - 1));
    }
    let at = random.between(0, bytes.len());
    bytes.splice(at..at, new);
}

/// Inserts a valid character and cuts the send within it.
fn cut_inside(mutating: &mut Mutating<'_>) -> bool {
    let Some(at) = mutating.pick_send() else {
        return false;
    };
    let wide = mutating.random.pick(WIDE).copied().unwrap_or("é");
    let mut begin = 0;
    let changed = mutating.edit_at(at, Lengths::AsTheyAre, |bytes, random, _| {
        begin = random.between(0, bytes.len());
        bytes.splice(begin..begin, wide.bytes());
        true
    });
    let cut = begin + mutating.random.between(1, wide.len() - 1);
    if changed && let Some(send) = mutating.send_at(at) {
        send.cuts = vec![u32::try_from(cut).unwrap_or(u32::MAX)];
    }
    changed
}

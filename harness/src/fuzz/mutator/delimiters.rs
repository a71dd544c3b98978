//! Replaces, doubles and removes delimiters and line ends.

use std::ops::Range;

use memchr::memmem;

use super::Mutator;
use super::mutating::{Lengths, Mutating};
use crate::fuzz::random::Random;
use crate::talk::Frame;

pub(super) const ENTRY: Mutator = Mutator {
    name: "delimiters",
    weight: 8,
    run,
};

const LINE_ENDS: &[&[u8]] = &[
    b"\r\n",
    b"\n",
    b"\r",
    b"\n\r",
    b"\r\r\n",
    b"\r\n\r\n",
    b"\n\n",
    b"",
    b" ",
    b"\0",
    b"\x0b",
    b" \r\n",
    b"\r\n ",
    b"\r\n.\r\n",
    "\u{2028}".as_bytes(),
];

const SEPARATORS: &[u8] = b" :,;=/?&|\t\"'.<>()[]{}\0";

fn run(mutating: &mut Mutating<'_>) -> bool {
    mutating.edit(Lengths::MostlyTrue, |bytes, random, material| {
        let ends = line_ends(bytes, material.request_frame());
        let inside: Vec<usize> = (0..bytes.len())
            .filter(|at| SEPARATORS.contains(&bytes[*at]))
            .collect();
        let take_end = inside.is_empty() || random.one_in(2);
        match (random.pick(&ends), random.pick(&inside)) {
            (Some(end), _) if take_end => {
                let other = random.pick(LINE_ENDS).copied().unwrap_or_default();
                bytes.splice(end.clone(), other.iter().copied());
            }
            (_, Some(at)) => separator(bytes, *at, random),
            // The message has none.
            _ => {
                let at = random.between(0, bytes.len());
                let new = random.pick(LINE_ENDS).copied().unwrap_or_default();
                bytes.splice(at..at, new.iter().copied());
            }
        }
        true
    })
}

fn separator(bytes: &mut Vec<u8>, at: usize, random: &mut Random) {
    let new = match random.below(3) {
        0 => Vec::new(),
        1 => vec![bytes[at]; 1 + random.size(16)],
        _ => vec![random.pick(SEPARATORS).copied().unwrap_or(b' ')],
    };
    bytes.splice(at..at + 1, new);
}

/// Line ends, and the delimiter of messages if it is something else.
fn line_ends(bytes: &[u8], frame: &Frame) -> Vec<Range<usize>> {
    let mut ends: Vec<Range<usize>> = memchr::memchr_iter(b'\n', bytes)
        .map(|at| at.saturating_sub(usize::from(at > 0 && bytes[at - 1] == b'\r'))..at + 1)
        .collect();
    if let Frame::Until(delimiters) = frame {
        for delimiter in delimiters.all().iter().filter(|one| !one.ends_with(b"\n")) {
            let found = memmem::find_iter(bytes, delimiter);
            ends.extend(found.map(|at| at..at + delimiter.len()));
        }
    }
    ends
}

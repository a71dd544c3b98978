//! Removes bytes, and replaces the rest by plain ones.

use std::ops::Range;

use super::data::{changeable, changed, with_part};
use super::minimizer::{CandidateLengths, Minimizer, Place};
use crate::fuzz::DataPart;
use crate::fuzz::material::text;

/// Chunks smaller than this fraction of the data are left for [`drop_small`].
const LARGE_SHARE: usize = 8;

/// Each candidate is tried with corrected lengths first: a message with correct lengths is easier to understand.
const WAYS: [CandidateLengths; 2] = [CandidateLengths::Repaired, CandidateLengths::AsTheyAre];

/// Removes lines and large chunks of bytes.
pub(super) fn drop_large(minimizer: &mut Minimizer<'_>) {
    for_each_part(minimizer, &|minimizer, at, part| {
        for lengths in WAYS {
            drop_lines(minimizer, at, part, lengths);
            let len = bytes(minimizer, at, part).len();
            let smallest = (len / LARGE_SHARE).max(1);
            drop_bytes(minimizer, at, part, smallest..len, lengths);
        }
    });
}

/// Removes small chunks of bytes, down to single ones.
pub(super) fn drop_small(minimizer: &mut Minimizer<'_>) {
    for_each_part(minimizer, &|minimizer, at, part| {
        for lengths in WAYS {
            let largest = bytes(minimizer, at, part).len() / LARGE_SHARE;
            drop_bytes(minimizer, at, part, 1..largest.max(1), lengths);
        }
    });
}

/// Replaces bytes by `a`: all of them, then halves, and so on. Where that fails, tries `0` and a space.
pub(super) fn canonical(minimizer: &mut Minimizer<'_>) {
    for_each_part(minimizer, &|minimizer, at, part| {
        let len = bytes(minimizer, at, part).len();
        let mut ranges = Vec::from([Range { start: 0, end: len }]);
        while let Some(range) = ranges.pop() {
            if minimizer.stopped {
                return;
            }
            if !fill(minimizer, at, part, &range) && range.len() > 1 {
                let middle = range.start + range.len() / 2;
                ranges.push(middle..range.end);
                ranges.push(range.start..middle);
            }
        }
    });
}

/// Visits all parts of all sends, from the last to the first.
fn for_each_part(minimizer: &mut Minimizer<'_>, visit: &dyn Fn(&mut Minimizer<'_>, Place, usize)) {
    for at in minimizer.sends() {
        let parts = minimizer.data(at).map_or(0, |data| data.parts().len());
        for part in (0..parts).rev() {
            if minimizer.stopped {
                return;
            }
            visit(minimizer, at, part);
        }
    }
}

/// The bytes of a part; empty if the part no longer exists.
fn bytes(minimizer: &Minimizer<'_>, at: Place, part: usize) -> Vec<u8> {
    let part = minimizer.data(at).and_then(|data| data.parts().get(part));
    part.map(|part| changeable(part).to_vec())
        .unwrap_or_default()
}

/// Tries other bytes for a part.
fn set(
    minimizer: &mut Minimizer<'_>,
    at: Place,
    part: usize,
    new: Vec<u8>,
    lengths: CandidateLengths,
) -> bool {
    let Some(data) = minimizer.data(at) else {
        return false;
    };
    let Some(old) = data.parts().get(part) else {
        return false;
    };
    // A repetition of an empty unit disappears.
    let candidate = with_part(data, part, changed(old, new));
    minimizer.attempt_data(at, candidate, lengths)
}

fn drop_bytes(
    minimizer: &mut Minimizer<'_>,
    at: Place,
    part: usize,
    sizes: Range<usize>,
    lengths: CandidateLengths,
) {
    let kind = is_repeat(minimizer, at, part);
    let len = |minimizer: &Minimizer<'_>| match is_repeat(minimizer, at, part) == kind {
        true => bytes(minimizer, at, part).len(),
        false => 0,
    };
    let without = |minimizer: &mut Minimizer<'_>, range: Range<usize>| {
        let mut left = bytes(minimizer, at, part);
        if range.end > left.len() {
            return false;
        }
        left.drain(range);
        set(minimizer, at, part, left, lengths)
    };
    minimizer.drop_chunks(sizes, &len, &without);
}

fn drop_lines(minimizer: &mut Minimizer<'_>, at: Place, part: usize, lengths: CandidateLengths) {
    let len = |minimizer: &Minimizer<'_>| match text::lines(&bytes(minimizer, at, part)).len() {
        1 => 0,
        lines => lines,
    };
    let without = |minimizer: &mut Minimizer<'_>, range: Range<usize>| {
        let mut left = bytes(minimizer, at, part);
        let lines = text::lines(&left);
        let Some(lines) = lines.get(range) else {
            return false;
        };
        let (Some(first), Some(last)) = (lines.first(), lines.last()) else {
            return false;
        };
        left.drain(first.start..last.end);
        set(minimizer, at, part, left, lengths)
    };
    let lines = len(minimizer);
    minimizer.drop_chunks(1..lines, &len, &without);
}

fn is_repeat(minimizer: &Minimizer<'_>, at: Place, part: usize) -> bool {
    let part = minimizer.data(at).and_then(|data| data.parts().get(part));
    matches!(part, Some(DataPart::Repeat { .. }))
}

/// Makes the bytes of the range plain; returns whether they need no further attempt.
fn fill(minimizer: &mut Minimizer<'_>, at: Place, part: usize, range: &Range<usize>) -> bool {
    let old = bytes(minimizer, at, part);
    let Some(chunk) = old.get(range.clone()) else {
        return true;
    };
    if chunk.iter().all(|byte| *byte == b'a') {
        return true;
    }
    let mut with = |plain: &dyn Fn(u8) -> u8| {
        let mut new = old.clone();
        new[range.clone()]
            .iter_mut()
            .for_each(|byte| *byte = plain(*byte));
        new != old && set(minimizer, at, part, new, CandidateLengths::AsTheyAre)
    };
    if with(&|_| b'a') {
        return true;
    }
    let digits = chunk.iter().any(u8::is_ascii_digit);
    if digits && with(&|byte| if byte.is_ascii_digit() { b'0' } else { byte }) {
        return chunk.iter().all(u8::is_ascii_digit);
    }
    // A single byte that cannot be a letter may still be a zero or a space.
    if let [byte] = chunk
        && !b"0 ".contains(byte)
    {
        return !digits && with(&|_| b'0') || with(&|_| b' ');
    }
    false
}

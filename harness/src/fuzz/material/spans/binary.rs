//! The fields of a binary message: lengths with what they count, runs of text, and single bytes.

use std::ops::Range;

use super::{SpanKind, Spans, is_text, json};

/// Minimum bytes of a run of text.
const TEXT_MIN: usize = 3;

/// Maximum bytes of a message whose inner lengths are looked for.
const INNER_BYTES_MAX: usize = 1024;

/// How an inner length is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::fuzz) struct InnerCode {
    pub width: usize,
    pub big: bool,
}

impl InnerCode {
    const ALL: [Self; 5] = [
        Self::of(4, true),
        Self::of(4, false),
        Self::of(2, true),
        Self::of(2, false),
        Self::of(1, true),
    ];

    const fn of(width: usize, big: bool) -> Self {
        Self { width, big }
    }

    /// The number in these bytes.
    pub(in crate::fuzz) fn read(self, bytes: &[u8]) -> u64 {
        let add = |number: u64, byte: &u8| number << 8 | u64::from(*byte);
        match self.big {
            true => bytes.iter().fold(0, add),
            false => bytes.iter().rev().fold(0, add),
        }
    }

    /// The bytes of this number; higher bits are lost.
    pub(in crate::fuzz) fn write(self, number: u64) -> Vec<u8> {
        let bytes = number.to_be_bytes();
        let mut bytes = bytes[bytes.len() - self.width..].to_vec();
        if !self.big {
            bytes.reverse();
        }
        bytes
    }

    /// The highest number.
    pub(in crate::fuzz) fn max(self) -> u64 {
        (1 << (8 * self.width)) - 1
    }
}

/// An inner length: its position, the bytes that it counts, and how it is written.
pub(in crate::fuzz) type Inner = (Range<usize>, Range<usize>, InnerCode);

/// The numbers in a binary message that count the bytes after them: text, or everything up to the end. Others may count
/// too, but these are hardly ever chance.
pub(in crate::fuzz) fn inner_lengths(bytes: &[u8]) -> Vec<Inner> {
    if bytes.len() > INNER_BYTES_MAX || is_text(bytes) {
        return Vec::new();
    }
    let mut found: Vec<Inner> = Vec::new();
    for at in 0..bytes.len() {
        for code in InnerCode::ALL {
            let begin = at + code.width;
            let Some(written) = bytes.get(at..begin) else {
                continue;
            };
            let Some(end) = usize::try_from(code.read(written))
                .ok()
                .and_then(|len| begin.checked_add(len))
            else {
                continue;
            };
            let counts = end > begin + 1 && end <= bytes.len();
            let wide_enough =
                code.width > 1 || found.iter().all(|(field, _, _)| !field.contains(&at));
            if counts
                && wide_enough
                && (is_run(&bytes[begin..end]) || end == bytes.len() && code.width > 1)
            {
                found.push((at..begin, begin..end, code));
                break;
            }
        }
    }
    found
}

fn is_run(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| is_letter(*byte))
}

fn is_letter(byte: u8) -> bool {
    (b' '..=b'~').contains(&byte)
}

pub(super) fn find(bytes: &[u8], spans: &mut Spans) {
    for (field, body, _) in inner_lengths(bytes) {
        spans.add(SpanKind::Counted, field.start..body.end);
    }
    let mut begin = 0;
    for at in 0..=bytes.len() {
        if at < bytes.len() && is_letter(bytes[at]) {
            continue;
        }
        match at - begin >= TEXT_MIN {
            true => {
                spans.add(SpanKind::Text, begin..at);
                if let Some(json) = json::begin(&bytes[begin..at]) {
                    json::find(&bytes[..at], begin + json, spans);
                }
            }
            false => (begin..at).for_each(|at| spans.add(SpanKind::Tag, at..at + 1)),
        }
        if at < bytes.len() {
            spans.add(SpanKind::Tag, at..at + 1);
        }
        begin = at + 1;
    }
}

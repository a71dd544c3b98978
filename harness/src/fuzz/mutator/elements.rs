//! Adds, drops, doubles, moves and swaps the elements of a message: lines and headers, parameters, pairs of a query,
//! members of JSON, parts of a multipart message, words, and counted pieces of binary messages.

use super::Mutator;
use super::mutating::{Lengths, Mutating};
use crate::fuzz::material::Material;
use crate::fuzz::material::spans::{self, Span, SpanKind};
use crate::fuzz::random::Random;

pub(super) const ENTRY: Mutator = Mutator {
    name: "elements",
    weight: 14,
    run,
};

/// Maximum copies of an element; many more are the task of `repeat`.
const COPIES_MAX: usize = 16;

fn run(mutating: &mut Mutating<'_>) -> bool {
    mutating.edit(Lengths::MostlyTrue, |bytes, random, material| {
        let all = spans::of(bytes);
        let Some(kind) = kind(&all, random) else {
            return false;
        };
        let those: Vec<&Span> = all.iter().filter(|span| span.kind == kind).collect();
        let (Some(one), Some(other)) = (random.pick(&those), random.pick(&those)) else {
            return false;
        };
        let (one, other) = (one.at.clone(), other.at.clone());
        let own = bytes[one.clone()].to_vec();
        match random.below(6) {
            0 | 1 => {
                let new = element(kind, bytes, &own, random, material);
                let at = if random.one_in(2) { one.start } else { one.end };
                bytes.splice(at..at, new);
            }
            2 => drop(bytes.drain(one)),
            3 => {
                let copies = own.repeat(random.size(COPIES_MAX));
                bytes.splice(one.end..one.end, copies);
            }
            4 => {
                bytes.splice(other.start..other.start, own);
            }
            _ => return swap(bytes, one, other),
        }
        true
    })
}

/// A kind of elements that the message contains; each is as likely as the others.
fn kind(all: &[Span], random: &mut Random) -> Option<SpanKind> {
    let has = |kind: &SpanKind| all.iter().any(|span| span.kind == *kind);
    let kinds: Vec<SpanKind> = SpanKind::ELEMENTS.into_iter().filter(has).collect();
    random.pick(&kinds).copied()
}

fn swap(bytes: &mut Vec<u8>, one: std::ops::Range<usize>, other: std::ops::Range<usize>) -> bool {
    let (first, second) = if one.start <= other.start {
        (one, other)
    } else {
        (other, one)
    };
    if first.end > second.start {
        return false;
    }
    let swapped = [
        &bytes[second.clone()],
        &bytes[first.end..second.start],
        &bytes[first.clone()],
    ]
    .concat();
    bytes.splice(first.start..second.end, swapped);
    true
}

/// A new element, beside one like `own`.
fn element(
    kind: SpanKind,
    bytes: &[u8],
    own: &[u8],
    random: &mut Random,
    material: &Material,
) -> Vec<u8> {
    let dictionary = &material.dictionary;
    let empty = Vec::new();
    let key = random.pick(&dictionary.keys).unwrap_or(&empty);
    let key = if key.is_empty() || random.one_in(4) {
        random.pick(&dictionary.values).unwrap_or(&empty)
    } else {
        key
    };
    let value = value_of(key, random, material);
    match kind {
        SpanKind::Line => {
            let line = match random.pick(&dictionary.lines) {
                Some(line) if random.one_in(2) => line.clone(),
                _ => [key, &b": "[..], &value].concat(),
            };
            [line, line_end(own).to_vec()].concat()
        }
        SpanKind::Param => {
            let form = random
                .pick(&[&b"; "[..], b";", b", ", b","])
                .copied()
                .unwrap_or_default();
            [form, key, b"=", &value].concat()
        }
        SpanKind::Pair => [&b"&"[..], key, b"=", &value].concat(),
        SpanKind::Word => [b" ", &value[..]].concat(),
        SpanKind::JsonMember if own.starts_with(b"\"") || own.contains(&b':') => {
            [&b"\""[..], key, b"\":", &json(&value), b","].concat()
        }
        SpanKind::JsonMember => [json(&value), b",".to_vec()].concat(),
        SpanKind::Part => {
            // The delimiter of the multipart message, and a header of its own.
            let delimiter = bytes_of_first_line(own);
            let header = [key, &b": "[..], &value].concat();
            [delimiter, &header, b"\r\n\r\n", &value, b"\r\n"].concat()
        }
        _ => match random.pick(&dictionary.bytes) {
            Some(some) => some.clone(),
            None => {
                let begin = random.below(bytes.len());
                let len = random.size(8).min(bytes.len() - begin);
                bytes[begin..begin + len].to_vec()
            }
        },
    }
}

fn value_of(key: &[u8], random: &mut Random, material: &Material) -> Vec<u8> {
    let name = key.to_ascii_lowercase();
    let named: Vec<&Vec<u8>> = material.dictionary.of_name(&name).collect();
    match random.pick(&named) {
        Some(value) if !random.one_in(4) => (*value).clone(),
        _ => random
            .pick(&material.dictionary.values)
            .cloned()
            .unwrap_or_default(),
    }
}

/// The value, or its text in quotes if it is no JSON.
fn json(value: &[u8]) -> Vec<u8> {
    match serde_json::from_slice::<serde::de::IgnoredAny>(value) {
        Ok(_) => value.to_vec(),
        Err(_) => [b"\"", value, b"\""].concat(),
    }
}

fn bytes_of_first_line(part: &[u8]) -> &[u8] {
    let end = memchr::memchr(b'\n', part).map_or(part.len(), |end| end + 1);
    &part[..end]
}

fn line_end(line: &[u8]) -> &[u8] {
    let text = line
        .iter()
        .rposition(|byte| !b"\r\n".contains(byte))
        .map_or(0, |at| at + 1);
    match &line[text..] {
        [] => b"\r\n",
        end if end.starts_with(b"\r\n") => b"\r\n",
        end => &end[..1],
    }
}

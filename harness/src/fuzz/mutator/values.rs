//! Replaces the value of a field: by one that the dictionary has for its name, by any other, by that of another field of
//! the talk, or by one of another type.

use super::mutating::{Lengths, Mutating};
use super::{Mutator, dictionary};
use crate::fuzz::material::Material;
use crate::fuzz::material::spans::{self, Span, SpanKind};
use crate::fuzz::random::Random;

pub(super) const ENTRY: Mutator = Mutator {
    name: "values",
    weight: 16,
    run,
};

/// Values of other types.
const TYPES: &[&[u8]] = &[
    b"", b"0", b"1", b"-1", b"1.5", b"a", b"\"a\"", b"\"\"", b"[]", b"[1]", b"{}", b"null",
    b"true", b"a,b", b"a;b=c", b"a=b", b"(a)", b"<a>",
];

/// Values of single bytes at the borders.
const BYTES: &[u8] = &[
    0, 1, 2, 3, 4, 5, 8, 0x0f, 0x10, 0x20, 0x40, 0x7e, 0x7f, 0x80, 0x81, 0xc0, 0xfe, 0xff,
];

fn run(mutating: &mut Mutating<'_>) -> bool {
    mutating.edit(Lengths::MostlyTrue, replace)
}

/// Replaces the value of a random field; returns false if there is none.
pub(super) fn replace(bytes: &mut Vec<u8>, random: &mut Random, material: &Material) -> bool {
    let mut all = spans::of(bytes);
    all.retain(|span| span.kind.is_value());
    let Some(span) = pick(&all, random) else {
        return false;
    };
    let new = replacement(bytes, span, random, material);
    bytes.splice(span.at.clone(), new);
    true
}

/// A random field. Values with a name are worth most; of the others first the kind is chosen, then one of them, so that many
/// words do not hide a few paths.
fn pick<'a>(all: &'a [Span], random: &mut Random) -> Option<&'a Span> {
    let named: Vec<&Span> = all.iter().filter(|span| !span.name.is_empty()).collect();
    if !named.is_empty() && random.one_in(2) {
        return random.pick(&named).copied();
    }
    let mut kinds: Vec<SpanKind> = all.iter().map(|span| span.kind).collect();
    kinds.sort_unstable();
    kinds.dedup();
    let kind = *random.pick(&kinds)?;
    let those: Vec<&Span> = all.iter().filter(|span| span.kind == kind).collect();
    random.pick(&those).copied()
}

fn replacement(bytes: &[u8], span: &Span, random: &mut Random, material: &Material) -> Vec<u8> {
    let own = &bytes[span.at.clone()];
    if span.kind == SpanKind::Tag {
        return tag(own, random, material);
    }
    let words = &material.dictionary;
    let named: Vec<&Vec<u8>> = words.of_name(&span.name).collect();
    if span.kind == SpanKind::Name && !random.one_in(4) {
        return match random.pick(&words.keys) {
            Some(key) => key.clone(),
            None => own.iter().map(|byte| byte ^ 0x20).collect(),
        };
    }
    match (random.below(8), random.pick(&named)) {
        (0..=2, Some(value)) => (*value).clone(),
        (3, _) => random
            .pick(TYPES)
            .map(|value| value.to_vec())
            .unwrap_or_default(),
        (4, _) => dictionary::token(random, material).to_vec(),
        (5, _) => {
            let other = random.pick(&material.values);
            other.map(|other| other.bytes.clone()).unwrap_or_default()
        }
        _ => quoted_like(own, random.pick(&words.values).cloned().unwrap_or_default()),
    }
}

/// A value in quotes stays in quotes.
fn quoted_like(own: &[u8], value: Vec<u8>) -> Vec<u8> {
    match own {
        [b'"', .., b'"'] if !value.starts_with(b"\"") => [b"\"", &value[..], b"\""].concat(),
        _ => value,
    }
}

fn tag(own: &[u8], random: &mut Random, material: &Material) -> Vec<u8> {
    let byte = own.first().copied().unwrap_or(0);
    match random.below(8) {
        0 => vec![byte.wrapping_add(1)],
        1 => vec![byte.wrapping_sub(1)],
        2 => vec![byte ^ 1 << random.below(8)],
        3 => random
            .pick(&material.dictionary.bytes)
            .cloned()
            .unwrap_or_default(),
        _ => vec![random.pick(BYTES).copied().unwrap_or(0xff)],
    }
}

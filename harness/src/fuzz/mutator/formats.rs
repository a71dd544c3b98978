//! Inserts texts that are dangerous where they are used as a format string.

use super::Mutator;
use super::dictionary::place;
use super::mutating::{Lengths, Mutating};
use crate::fuzz::random::Random;

pub(super) const ENTRY: Mutator = Mutator {
    name: "formats",
    weight: 5,
    run,
};

const DIRECTIVES: &[&str] = &[
    "%n",
    "%s",
    "%x",
    "%p",
    "%d",
    "%hhn",
    "%1$n",
    "%999999s",
    "{0}",
    "{}",
    "{0.a}",
    "{!r}",
    "${a}",
    "${env:PATH}",
    "#{a}",
    "{{a}}",
    "<%= a %>",
    "$a",
    "$1",
    "\\1",
    "%(a)s",
];

fn run(mutating: &mut Mutating<'_>) -> bool {
    mutating.edit(Lengths::MostlyTrue, |bytes, random, _| {
        let format = format(random);
        place(bytes, format.as_bytes(), random);
        true
    })
}

fn format(random: &mut Random) -> String {
    let directive = random.pick(DIRECTIVES).copied().unwrap_or_default();
    directive.repeat(random.size(16))
}

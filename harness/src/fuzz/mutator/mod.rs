//! Mutators: random changes to cases, one kind per file. Pure: a seeded generator makes every choice.

mod closing;
mod connections;
mod cuts;
mod delays;
mod delimiters;
mod dictionary;
mod elements;
mod formats;
mod havoc;
mod hints;
mod lengths;
mod messages;
mod mutating;
mod numbers;
mod payload;
mod pump;
mod repeat;
mod turns;
mod utf8;
mod values;

pub(in crate::fuzz) use hints::{HINTED, hinted};
pub(in crate::fuzz) use lengths::lies;
pub(in crate::fuzz) use mutating::{Mutating, pumped, repeated};

/// One kind of change.
#[derive(Debug)]
pub(in crate::fuzz) struct Mutator {
    /// The name, for statistics.
    pub name: &'static str,
    /// The frequency relative to other mutators.
    pub weight: u32,
    /// Changes the case; returns false if there was nothing to change.
    pub run: fn(&mut Mutating<'_>) -> bool,
}

/// All mutators. Those that cost the server or the wire much time have a low weight.
pub(in crate::fuzz) const MUTATORS: &[&Mutator] = &[
    &havoc::ENTRY,
    &dictionary::ENTRY,
    &values::ENTRY,
    &elements::ENTRY,
    &pump::ENTRY,
    &messages::ENTRY,
    &payload::ENTRY,
    &turns::ENTRY,
    &lengths::ENTRY,
    &repeat::ENTRY,
    &utf8::ENTRY,
    &delimiters::ENTRY,
    &numbers::ENTRY,
    &formats::ENTRY,
    &closing::ENTRY,
    &cuts::ENTRY,
    &connections::ENTRY,
    &delays::ENTRY,
];

#[cfg(test)]
mod tests;

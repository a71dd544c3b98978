//! Changes to cases, one kind a file. Pure: a seeded generator makes every choice.

mod closing;
mod connections;
mod cuts;
mod delays;
mod delimiters;
mod dictionary;
mod formats;
mod havoc;
mod lengths;
mod mutating;
mod numbers;
mod payload;
mod repeat;
mod turns;
mod utf8;

pub(in crate::fuzz) use lengths::lies;
pub(in crate::fuzz) use mutating::{Mutating, repeated};

/// A kind of change.
#[derive(Debug)]
pub(in crate::fuzz) struct Mutator {
    /// Its name, for statistics.
    pub name: &'static str,
    /// How often it is taken, compared with the others.
    pub weight: u32,
    /// Changes the case; `false`: there was nothing that it could change.
    pub run: fn(&mut Mutating<'_>) -> bool,
}

/// All of them. What costs a server or the wire much time is rare.
pub(in crate::fuzz) const MUTATORS: &[&Mutator] = &[
    &havoc::ENTRY,
    &dictionary::ENTRY,
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

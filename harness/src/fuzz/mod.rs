//! Fuzzing: cases made from the talk, put to servers over the wire or in memory; every finding confirmed,
//! minimal and runnable.

pub mod case;
mod finding;
pub mod reproducer;

//! Fuzzing: cases made from the talk, put to servers over the wire or in memory; every finding confirmed,
//! minimal and runnable.

pub mod case;
mod finding;
pub mod record;
pub mod reproducer;

pub use case::{Case, CaseFile, Data, Part, Send, Step};
pub use finding::{Confirmed, Coverage, Finding, Fuzzed, Kind};

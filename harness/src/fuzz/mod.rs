//! Fuzzing: cases made from the talk, put to servers over the wire or in memory; every finding confirmed,
//! minimal and runnable.

pub mod case;
mod finding;
pub mod generate;
pub mod material;
pub mod minimize;
mod mutator;
mod seed;

pub use case::{Case, CaseFile, Data, Part, Send, Step};
pub use finding::{Confirmed, Coverage, Finding, Fuzzed, Kind};
pub use generate::{Generated, Generator};
pub use material::Material;
pub use minimize::{Minimized, Verdict, minimize};

//! Fuzzing: cases made from the talk, put to servers over the wire or in memory; every finding confirmed,
//! minimal and runnable.

pub mod campaign;
pub mod case;
pub mod corpus;
pub mod feedback;
mod finding;
pub mod generate;
pub mod ground;
pub mod invariant;
pub mod life;
pub mod log;
pub mod material;
pub mod memory;
pub mod minimize;
mod mutator;
pub mod oracle;
pub mod record;
pub mod replay;
pub mod reproducer;
mod seed;
pub mod wire;

pub use case::{Case, CaseFile, Data, Part, Send, Step};
pub use finding::{Confirmed, Coverage, Finding, Fuzzed, Kind};
pub use generate::{Generated, Generator};
pub use material::Material;

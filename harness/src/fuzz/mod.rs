//! Fuzzing: generates cases from the talk, runs them over the wire or in memory, and turns what they reveal into
//! confirmed, minimized findings with runnable reproducers.

pub mod campaign;
pub mod case;
mod code;
mod corpus;
mod coverage;
pub(crate) mod deadline;
mod epoch;
pub mod feedback;
mod finding;
mod fleet;
mod generate;
#[cfg(feature = "arbitrary")]
pub mod invariant;
mod kept;
mod log;
mod material;
pub mod memory;
mod minimize;
mod mutator;
mod oracle;
pub mod plan;
mod random;
#[cfg(feature = "cli")]
pub(crate) mod record;
#[cfg(feature = "cli")]
pub(crate) mod replay;
pub mod reproducer;
mod seed;
mod stderr;
mod symptom;
pub(crate) mod target;
pub(crate) mod wire;

pub use case::{Case, CaseFile, Data, DataPart, InjectStep, SendStep, Step};
#[cfg(test)]
pub(crate) use code::tests::sample as code_sample;
pub use code::{CodeCoverage, FileCoverage, FunctionCoverage};
#[cfg(feature = "cli")]
pub(crate) use corpus::read_file as read_case_file;
#[cfg(feature = "cli")]
pub(crate) use coverage::RUNTIME as COVERAGE_RUNTIME;
pub use finding::{
    BlockCount, BlocksAt, Confirmed, Coverage, Finding, FuzzResult, MemberRun, Rate, SourceCount,
    TimeSpent,
};
pub use kept::KeptCase;
#[cfg(feature = "cli")]
pub(crate) use kept::fewest;
pub use plan::FuzzPlan;
pub(crate) use symptom::evidence_lines;
pub use symptom::{FindingKind, Symptom};

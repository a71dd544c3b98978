//! The gate: is the candidate worse than its base by more than a budget?
//!
//! Three tiers. Under valgrind instructions and system calls are counted, which are the same in every run. In the
//! duet both servers answer at the same time, and ratios of CPU time are compared over many short sessions
//! (`rule.rs` says what counts as a regression). If time allows, the matrix puts the same loads on both servers in
//! turn and compares throughput and the 99th percentile.

pub(crate) mod baseline;
mod counted;
pub mod counters;
pub mod duet;
mod explain;
pub(crate) mod history;
mod judged;
mod matrix;
pub(crate) mod metric;
pub(crate) mod plan;
mod power;
mod result;
pub mod rule;
mod run;
pub(crate) mod same;
#[cfg(test)]
pub(crate) mod sample;
mod samples;
mod scripts;
mod servers;
mod side;
mod together;
pub(crate) mod trials;
mod weigh;

pub(crate) use counted::{against, baseline_of};
pub use metric::{Metric, Tier};
pub use plan::{DuetPlan, GatePlan, GateRequest, MatrixCell, MatrixPlan};
pub(crate) use plan::{MAX_TIME, TooShort};
pub use result::{
    BrokenServer, ControlReport, CostSource, DuetSummary, Explained, Frame, FunctionShare,
    GateCell, GateResult, MatrixSummary, SkippedTier,
};
pub use run::Gate;
pub use samples::GateSamples;
pub(crate) use servers::pad_both;
pub use side::{Pair, Side};
pub use together::MergedGate;
#[cfg(feature = "cli")]
pub(crate) use together::{GateRecord, together};

//! The gate: is the candidate worse than its base by more than a budget?
//!
//! Three tiers. Under valgrind instructions and system calls are counted, which come out the same in every
//! run. In the duet both servers answer at the same time, and ratios of CPU time are compared over many
//! short sessions (`rule.rs`: what they have to show before anybody is told that it got worse). Where there is
//! time, the matrix puts the same loads on both in turn and compares throughput and the 99th percentile.

pub mod baseline;
mod counted;
pub mod counters;
pub mod duet;
pub mod matrix;
pub mod metric;
pub mod plan;
pub mod power;
pub mod result;
pub mod rule;
mod run;
pub mod same;
pub mod trials;

pub use counted::{against, baseline_of};
pub use metric::{Metric, Tier};
pub use plan::{Asked, GatePlan, MAX_TIME, TooShort};
pub use result::{Broken, ControlReport, GateCell, GateResult, Held, Loaded, Skipped};
pub use run::Gate;

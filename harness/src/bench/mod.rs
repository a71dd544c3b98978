//! Sweeps: the same load over a grid of settings, several rounds, and which setting is best.
//!
//! The way through: `--sweep` becomes [`Dimension`]s ([`axis`]), a [`SweepPlan`] says how often and how
//! long, the [`grid`] in which order; [`Sweep`] visits the cells, a `record` keeps what each visit
//! measured, and [`recommend`](mod@recommend) compares them round by round.

pub mod axis;
pub mod csv;
pub mod curve;
pub mod grid;
mod in_force;
pub mod knob;
#[cfg(test)]
mod live_tests;
pub mod plan;
mod possible;
pub mod recommend;
mod record;
pub mod result;
pub mod sweep;
mod visit;

pub use axis::{Dimension, parse_all};
pub use knob::Knob;
pub use plan::SweepPlan;
pub use result::{Axis, Cell, Estimate, SweepResult, Verdict};
#[cfg(test)]
pub use result::{Recommendation, Setting};
pub use sweep::{Sweep, SweepError};

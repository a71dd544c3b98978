//! Sweeps: the same load over a grid of settings, in several rounds, and which setting is best.
//!
//! `--sweep` becomes [`Dimension`]s (`axis`), a [`SweepPlan`] says how many rounds and how long, and the grid in which
//! order cells are visited. [`Sweep`] visits the cells, a `CellRecord` keeps what each visit measured, and `recommend`
//! compares the values of an axis round by round.

mod axis;
pub(crate) mod csv;
mod curve;
mod figures;
mod grid;
mod in_force;
mod knob;
#[cfg(test)]
mod live_tests;
mod plan;
mod possible;
mod recommend;
mod record;
mod refusal;
mod result;
mod sweep;
mod visit;

pub use axis::Dimension;
pub use axis::parse_all;
pub use knob::Knob;
pub use plan::SweepPlan;
pub use result::AxisVerdict;
pub use result::Estimate;
#[cfg(test)]
pub use result::Recommendation;
#[cfg(test)]
pub use result::Setting;
pub use result::SweepAxis;
pub use result::SweepCell;
pub use result::SweepResult;
pub use sweep::Sweep;
pub use sweep::SweepError;

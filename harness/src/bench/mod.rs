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
mod measured;
mod plan;
mod possible;
mod recommend;
mod record;
mod refusal;
mod result;
#[cfg(test)]
pub(crate) mod sample;
mod sweep;
mod visit;

pub(crate) use axis::{Dimension, parse_all};
pub(crate) use knob::Knob;
pub(crate) use measured::Measured;
pub(crate) use plan::{BUDGET_LEAST, BUDGET_QUICK, SweepPlan};
#[cfg(test)]
pub(crate) use result::Recommendation;
#[cfg(test)]
pub(crate) use result::Setting;
pub(crate) use result::{AxisVerdict, Estimate, SweepAxis, SweepCell, SweepResult};
pub(crate) use sweep::{Sweep, SweepError};

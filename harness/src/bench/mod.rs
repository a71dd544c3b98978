//! Sweeps: the same load over a grid of settings, several rounds, and which setting is best.

pub mod result;

pub use result::{Axis, Cell, Estimate, Recommendation, Setting, SweepResult, Verdict};

//! The gate: is the candidate worse than its base by more than a budget?

pub mod power;
pub mod rule;

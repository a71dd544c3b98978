//! The plans that reports contain, for the schema of the report.

use schemars::JsonSchema;

use super::check::SweepPlan as CallSweepPlan;
use super::gate::NumberedPlan;
use crate::bench::SweepPlan;
use crate::check::CheckPlan;
use crate::fuzz::FuzzPlan;
use crate::load::LoadPlan;
use crate::report::RunPlan;

/// The plan of a run.
#[derive(JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only its schema is used")]
pub(super) enum AnyPlan {
    /// Of `check` and `run`.
    Check(RunPlan<CheckPlan>),
    /// Of `check --sweep`.
    Calls(RunPlan<CallSweepPlan>),
    /// Of `load`.
    Load(RunPlan<LoadPlan>),
    /// Of `bench`.
    Bench(RunPlan<SweepPlan>),
    /// Of `fuzz`.
    Fuzz(RunPlan<FuzzPlan>),
    /// Of `gate`.
    Gate(RunPlan<NumberedPlan<'static>>),
}

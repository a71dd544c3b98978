//! What a load run is to do; plain data, part of the plan of a run.

use serde::Serialize;

use super::Workload;

/// The plan of a load.
#[derive(Clone, Debug, Serialize)]
pub struct LoadPlan {
    /// What the server is asked.
    #[serde(flatten)]
    pub workload: Workload,
    /// The objective for which the highest rate is searched.
    pub slo: Option<String>,
    /// Whether the server is loaded beyond its capacity.
    pub overload: bool,
}

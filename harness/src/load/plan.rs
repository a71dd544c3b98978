//! The plan of a load: plain data that becomes part of the report.

use serde::Serialize;

use super::Workload;

/// The plan of a load.
#[derive(Clone, Debug, Serialize)]
pub struct LoadPlan {
    /// The requests and how they are paced.
    #[serde(flatten)]
    pub workload: Workload,
    /// The service-level objective, if the highest rate that meets it is searched for.
    pub slo: Option<String>,
    /// Whether the load explores rates beyond the server's capacity.
    pub overload: bool,
}

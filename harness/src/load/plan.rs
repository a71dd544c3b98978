//! The plan of a load: plain data that becomes part of the report.

use schemars::JsonSchema;
use serde::Serialize;

use super::Workload;

/// The plan of a load.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub struct LoadPlan {
    /// The requests and how they are paced.
    #[serde(flatten)]
    pub workload: Workload,
    /// The service-level objective, if the highest rate that meets it is searched for.
    pub slo: Option<String>,
    /// Whether the load explores rates beyond the server's capacity.
    pub overload: bool,
    /// The part of the load that this process generates, if it is divided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub part: Option<PartPlan>,
    /// When all parts start, as in RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_at: Option<String>,
}

/// Which part of a load a process generates.
#[derive(Clone, Copy, Debug, JsonSchema, Serialize)]
pub struct PartPlan {
    /// Number of the part, starting at 1; 0 if the process generates nothing and observes the server.
    pub index: usize,
    /// Number of parts; 0 in the plan of an observer.
    pub count: usize,
}

impl LoadPlan {
    /// The plan of the whole load of which this is a part. All parts have the same hash of this plan, so that they can be
    /// merged.
    #[cfg(feature = "cli")]
    #[must_use]
    pub(crate) fn whole(mut self) -> Self {
        self.part = None;
        self
    }
}

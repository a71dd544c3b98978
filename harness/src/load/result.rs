//! The result of a load: its figures and their validity. Pure.

use schemars::JsonSchema;
use serde::Serialize;

use super::metrics::{Metrics, WindowSummary, sum, window_summaries};
use super::note::Note;
use super::recorder::{Times, encoded};
use super::run::Measurement;
use super::transport::Transport;
use super::validity::Validity;
use super::workload::Workload;

/// The figures of one load, and whether they can be trusted.
#[derive(Debug, Clone, JsonSchema, Serialize)]
pub struct LoadResult {
    /// The figures.
    pub metrics: Metrics,
    /// Whether they can be trusted.
    pub validity: Validity,
    /// The figures of each window.
    pub intervals: Vec<WindowSummary>,
    /// TCP state of sampled connections.
    pub transport: Option<Transport>,
    /// Response times in nanoseconds. The JSON contains them as `HdrHistogram` V2 in base64, which can be merged.
    #[serde(serialize_with = "encoded")]
    #[schemars(with = "String")]
    pub histogram: Times,
    /// Service times, in the same form.
    #[serde(serialize_with = "encoded")]
    #[schemars(with = "String")]
    pub service_histogram: Times,
}

impl LoadResult {
    /// Whether the client was saturated and the server was not: the server may be able to do more.
    pub(crate) fn is_client_limited(&self) -> bool {
        let limited = |note: &Note| matches!(note, Note::ClientSaturated { .. });
        self.validity.notes.iter().any(limited)
    }
}

/// Computes the figures of a load and judges their validity.
pub(crate) fn summarize(workload: &Workload, measured: &Measurement) -> LoadResult {
    let metrics = Metrics::of(workload, measured);
    let intervals = window_summaries(workload, measured);
    let windows = &measured.windows;
    let response: Vec<&Times> = windows.iter().map(|window| &window.response).collect();
    let service: Vec<&Times> = windows.iter().map(|window| &window.service).collect();
    LoadResult {
        validity: Validity::judge(workload, measured, &metrics, &intervals),
        metrics,
        intervals,
        transport: Transport::of(&measured.ends),
        histogram: sum(&response),
        service_histogram: sum(&service),
    }
}

//! The result of a load: its figures, and whether they can be trusted. Pure.

use serde::Serialize;

use super::metrics::{Metrics, WindowSummary, sum, window_summaries};
use super::recorder::{Times, encoded};
use super::run::Measurement;
use super::transport::Transport;
use super::validity::Validity;
use super::workload::Workload;

/// One load, measured and judged.
#[derive(Debug, Clone, Serialize)]
pub struct LoadResult {
    /// The figures.
    pub metrics: Metrics,
    /// Whether they can be trusted.
    pub validity: Validity,
    /// How it went over time.
    pub intervals: Vec<WindowSummary>,
    /// What the kernel knows about the connections.
    pub transport: Option<Transport>,
    /// Response times in nanoseconds; in the JSON `HdrHistogram` V2 in base64, which can be merged with others.
    #[serde(serialize_with = "encoded")]
    pub histogram: Times,
    /// Service times, likewise.
    #[serde(serialize_with = "encoded")]
    pub service_histogram: Times,
}

/// Computes the figures of a load and judges them.
pub fn summarize(workload: &Workload, measured: &Measurement) -> LoadResult {
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

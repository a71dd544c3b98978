//! One visit to a cell: a short load, reduced to what the cell needs. Pure.

use super::figures::Figures;
use crate::load::recorder::{Times, times};
use crate::load::{LoadResult, Measurement, Transport};

/// Words of reasons that are the machine's, and another try may not meet.
const OF_THE_MACHINE: [&str; 5] = [
    "client-starved",
    "steal",
    "throttled",
    "send-lag",
    "not-stationary",
];

/// The result of one visit.
#[derive(Debug, Clone)]
pub struct Visit {
    pub(super) figures: Figures,
    /// Why the figures are invalid; empty if they are valid.
    pub(super) reasons: Vec<String>,
    pub(super) notes: Vec<String>,
    pub(super) transport: Option<Transport>,
    pub(super) response: Times,
}

impl Visit {
    /// From a load.
    pub fn new(measured: &Measurement, result: LoadResult) -> Self {
        let mut response = times();
        for window in &measured.windows {
            // Adding cannot fail: all histograms have the same bounds.
            let _ = response.add(&window.response);
        }
        let metrics = result.metrics;
        let limited = |note: &String| word(note) == "client-saturated";
        Self {
            figures: Figures {
                ops_per_s: metrics.ops_per_s,
                bytes_per_s: metrics.bytes_per_s,
                p50_us: metrics.response_us.p50,
                p99_us: metrics.response_us.p99,
                server_cpu_us_per_op: metrics.server_cpu_us_per_op,
                client_cpu_us_per_op: metrics.client_cpu_us_per_op,
                client_limited: result.validity.notes.iter().any(limited),
            },
            reasons: result.validity.reasons,
            notes: result.validity.notes,
            transport: result.transport,
            response,
        }
    }

    /// It is not valid, and the machine alone is to blame: another try is worth its time.
    pub fn was_disturbed(&self) -> bool {
        !self.reasons.is_empty() && self.reasons.iter().all(is_of_the_machine)
    }
}

/// The machine is to blame for it.
pub(super) fn is_of_the_machine(reason: impl AsRef<str>) -> bool {
    OF_THE_MACHINE.contains(&word(reason.as_ref()))
}

/// The stable word that a reason or note begins with.
pub(super) fn word(text: &str) -> &str {
    text.split(':').next().unwrap_or(text)
}

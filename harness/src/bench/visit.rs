//! One visit to a cell: a short load, reduced to what the cell needs. Pure.

use super::figures::Figures;
use crate::load::recorder::Times;
use crate::load::{LoadResult, Note, Reason, Transport};

/// The result of one visit.
#[derive(Debug, Clone)]
pub(crate) struct Visit {
    pub(super) figures: Figures,
    /// Why the figures are invalid; empty if they are valid.
    pub(super) reasons: Vec<Reason>,
    pub(super) notes: Vec<Note>,
    pub(super) transport: Option<Transport>,
    pub(super) response: Times,
}

impl Visit {
    /// From a load.
    pub(crate) fn new(result: LoadResult) -> Self {
        let client_limited = result.is_client_limited();
        let metrics = result.metrics;
        Self {
            figures: Figures {
                ops_per_s: metrics.ops_per_s,
                bytes_per_s: metrics.bytes_per_s,
                p50_us: metrics.response_us.p50,
                p99_us: metrics.response_us.p99,
                server_cpu_us_per_op: metrics.server_cpu_us_per_op,
                client_cpu_us_per_op: metrics.client_cpu_us_per_op,
                client_limited,
            },
            reasons: result.validity.reasons,
            notes: result.validity.notes,
            transport: result.transport,
            response: result.histogram,
        }
    }

    /// It is not valid, and for no reason that would be there again: another try is worth its time.
    pub(crate) fn was_disturbed(&self) -> bool {
        !self.reasons.is_empty() && self.reasons.iter().all(Reason::may_pass)
    }
}

//! What a session of the duet measures of each side, and how a metric is read from it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::data::exact;

/// What was measured of one side in a session.
#[derive(Debug, Clone, Copy, Default, PartialEq, JsonSchema, Serialize, Deserialize)]
pub struct SideFigures {
    /// CPU time per counted exchange, in microseconds.
    #[serde(with = "exact")]
    #[schemars(with = "exact::Written")]
    pub cpu_us: f64,
    /// Median response time, in microseconds.
    #[serde(with = "exact")]
    #[schemars(with = "exact::Written")]
    pub p50_us: f64,
    /// Resident memory at the end without file-backed pages, in bytes: a larger program has more of those.
    #[serde(with = "exact")]
    #[schemars(with = "exact::Written")]
    pub rss_bytes: f64,
    /// Time from the start of the process until the server was ready, in microseconds.
    #[serde(with = "exact")]
    #[schemars(with = "exact::Written")]
    pub start_us: f64,
    /// Open descriptors at the end, with one client.
    #[serde(with = "exact")]
    #[schemars(with = "exact::Written")]
    pub descriptors: f64,
    /// Threads at the end, with one client.
    #[serde(with = "exact")]
    #[schemars(with = "exact::Written")]
    pub threads: f64,
    /// CPU usage while nobody asks anything, in cores.
    #[serde(with = "exact")]
    #[schemars(with = "exact::Written")]
    pub idle_cores: f64,
    /// Wake-ups of all threads per second meanwhile.
    #[serde(with = "exact")]
    #[schemars(with = "exact::Written")]
    pub idle_wakeups_per_s: f64,
    /// CPU time per new connection, with the TLS handshake if there is one, in microseconds.
    #[serde(with = "exact")]
    #[schemars(with = "exact::Written")]
    pub connection_cpu_us: f64,
    /// Memory that each idle connection takes, in bytes.
    #[serde(with = "exact")]
    #[schemars(with = "exact::Written")]
    pub bytes_per_client: f64,
    /// Bytes sent and received per counted exchange.
    #[serde(with = "exact")]
    #[schemars(with = "exact::Written")]
    pub wire_bytes: f64,
}

/// How a metric is read from a session.
pub(super) struct SessionFigure {
    pub(super) read: fn(&SideFigures) -> f64,
    /// Smallest difference that counts, in the unit of the metric: of a small figure it would be many percent.
    pub(super) least: f64,
}

impl SessionFigure {
    /// ln(candidate / base), or 0 if they differ by less than counts. A figure below that counts as that much: an idle server
    /// may use nothing.
    pub(super) fn log_ratio(&self, base: &SideFigures, candidate: &SideFigures) -> f64 {
        let [base, candidate] = [base, candidate].map(self.read);
        if (candidate - base).abs() < self.least {
            0.0
        } else {
            // Not `max`, which would hide what is not a number.
            let at_least = |figure| {
                if figure < self.least {
                    self.least
                } else {
                    figure
                }
            };
            (at_least(candidate) / at_least(base)).ln()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_differences_do_not_count() {
        let figure = SessionFigure {
            read: |side| side.rss_bytes,
            least: 1e6,
        };
        let side = |rss_bytes| SideFigures {
            rss_bytes,
            ..SideFigures::default()
        };
        let ratio = |bytes: f64| figure.log_ratio(&side(2e6), &side(bytes));
        assert_eq!((ratio(2e6), ratio(2.9e6), ratio(1.1e6)), (0.0, 0.0, 0.0));
        assert!((ratio(4e6) - 2.0_f64.ln()).abs() < 1e-9);
        assert!(ratio(f64::NAN).is_nan());
        let from_nothing = figure.log_ratio(&SideFigures::default(), &side(8e6));
        assert!((from_nothing - 8.0_f64.ln()).abs() < 1e-9);
    }
}

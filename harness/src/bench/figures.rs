//! The figures of one visit, and the metrics they are reported as. Pure.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::data::{Direction, Unit};

/// The figures of one visit.
#[derive(Debug, Clone, Copy, Default, PartialEq, JsonSchema, Serialize, Deserialize)]
pub(crate) struct Figures {
    /// Replies per second.
    pub ops_per_s: f64,
    /// Bytes per second in both directions together.
    pub bytes_per_s: f64,
    /// Median response time in microseconds.
    pub p50_us: f64,
    /// 99th percentile of response times in microseconds.
    pub p99_us: f64,
    /// CPU time of the server per reply in microseconds, if it can be read.
    pub server_cpu_us_per_op: Option<f64>,
    /// CPU time of the client per reply in microseconds.
    pub client_cpu_us_per_op: f64,
    /// The client was saturated and the server was not: the server may be able to do more.
    pub client_limited: bool,
}

/// A metric of a cell.
pub(crate) struct SweepMetric {
    /// The name in JSON and CSV.
    pub name: &'static str,
    pub unit: Unit,
    pub direction: Direction,
    /// The value in a visit, if it was measured.
    pub of: fn(&Figures) -> Option<f64>,
}

/// The name of the 99th percentile, which takes more samples than the other metrics.
pub(crate) const P99: &str = "p99_us";

/// The metrics of a cell, in the order of columns.
pub(crate) const METRICS: [SweepMetric; 6] = [
    SweepMetric {
        name: "ops_per_s",
        unit: Unit::PerSecond,
        direction: Direction::HigherIsBetter,
        of: |figures| Some(figures.ops_per_s),
    },
    SweepMetric {
        name: "bytes_per_s",
        unit: Unit::BytesPerSecond,
        direction: Direction::HigherIsBetter,
        of: |figures| Some(figures.bytes_per_s),
    },
    SweepMetric {
        name: "p50_us",
        unit: Unit::Micros,
        direction: Direction::LowerIsBetter,
        of: |figures| Some(figures.p50_us),
    },
    SweepMetric {
        name: P99,
        unit: Unit::Micros,
        direction: Direction::LowerIsBetter,
        of: |figures| Some(figures.p99_us),
    },
    SweepMetric {
        name: "server_cpu_us_per_op",
        unit: Unit::Micros,
        direction: Direction::LowerIsBetter,
        of: |figures| figures.server_cpu_us_per_op,
    },
    SweepMetric {
        name: "client_cpu_us_per_op",
        unit: Unit::Micros,
        direction: Direction::LowerIsBetter,
        of: |figures| Some(figures.client_cpu_us_per_op),
    },
];

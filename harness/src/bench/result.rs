//! The result of a sweep: plain data as it is reported.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Serialize, Serializer};

use crate::data::{Direction, Unit};
use crate::load::Remark;

/// A measured sweep.
#[derive(Debug, Clone, JsonSchema, Serialize)]
pub(crate) struct SweepResult {
    /// What was varied, in the requested order.
    pub axes: Vec<SweepAxis>,
    /// Completed rounds; a cell that is merged or given up was not part of all of them.
    pub rounds: usize,
    /// Every combination of the values of all axes, including invalid and merged ones.
    pub cells: Vec<SweepCell>,
    /// Which values are best.
    pub recommendation: Recommendation,
}

/// A setting that is varied.
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize)]
pub(crate) struct SweepAxis {
    /// The name on the command line: `payload`, `client.so_rcvbuf`, `server.recv_buffer`, ...
    pub name: String,
    /// The values in the requested order; sizes in bytes.
    pub values: Vec<String>,
    /// Whether the values are sizes in bytes, which are drawn on a logarithmic scale.
    pub is_bytes: bool,
}

/// One combination of settings.
#[derive(Debug, Clone, JsonSchema, Serialize)]
pub(crate) struct SweepCell {
    /// The setting of each axis, in the order of the axes.
    #[serde(serialize_with = "as_map")]
    #[schemars(with = "BTreeMap<String, Setting>")]
    pub axes: Vec<(String, Setting)>,
    /// The metrics, by name: `ops_per_s`, `bytes_per_s`, `p50_us`, `p99_us`, `server_cpu_us_per_op`,
    /// `client_cpu_us_per_op`. A metric that could not be measured is missing.
    pub metrics: BTreeMap<&'static str, Estimate>,
    /// Whether the figures are valid.
    pub valid: bool,
    /// Why they are invalid.
    pub reasons: Vec<Remark>,
    /// What limits their meaning: a window below two segments, a saturated client, ...
    pub notes: Vec<Remark>,
    /// The index of an earlier cell that has the same settings in force: the kernel made them equal.
    pub same_as: Option<usize>,
    /// What held the data back according to the kernel, in one sentence.
    pub why: Option<String>,
    /// Response times of all rounds together: (quantile, microseconds), ascending.
    pub curve: Vec<(f64, f64)>,
}

/// The setting of one axis in one cell.
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize)]
pub(crate) struct Setting {
    /// The requested value; sizes in bytes.
    pub requested: String,
    /// The value in force, if it can be observed and may differ.
    pub effective: Option<String>,
}

/// A metric over all rounds.
#[derive(Debug, Clone, Copy, PartialEq, JsonSchema, Serialize)]
pub(crate) struct Estimate {
    /// The Hodges-Lehmann estimate over the rounds.
    pub estimate: f64,
    /// Lower end of its interval.
    pub low: f64,
    /// Upper end of its interval.
    pub high: f64,
    /// The unit of all three.
    pub unit: Unit,
    /// Which direction is better.
    #[serde(rename = "higher_is_better")]
    pub direction: Direction,
}

/// Which values are best, first as a sentence.
#[derive(Debug, Clone, Default, PartialEq, JsonSchema, Serialize)]
pub(crate) struct Recommendation {
    /// The answer in one line.
    pub headline: String,
    /// One verdict for each axis with a recommendable setting and each class of the other axes (payload size).
    pub verdicts: Vec<AxisVerdict>,
}

/// The best value of one axis, in one class.
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize)]
pub(crate) struct AxisVerdict {
    /// The axis.
    pub axis: String,
    /// The settings of the other axes for which it holds.
    #[serde(serialize_with = "as_map")]
    #[schemars(with = "BTreeMap<String, String>")]
    pub class: Vec<(String, String)>,
    /// The recommended value; `None` if no value is measurably better than the baseline.
    pub value: Option<String>,
    /// The value it is compared with: the kernel's default (0) or the smallest measured value.
    pub baseline: String,
    /// The metric that decided.
    pub metric: &'static str,
    /// Its change over the baseline in percent, if a value is recommended.
    pub change_percent: Option<crate::stats::Interval>,
    /// The verdict and its reason in words.
    pub sentence: String,
}

impl SweepCell {
    /// The requested value of an axis.
    pub(crate) fn requested(&self, axis: &str) -> Option<&str> {
        let found = self.axes.iter().find(|(name, _)| name == axis);
        found.map(|(_, setting)| setting.requested.as_str())
    }
}

fn as_map<V: Serialize, S: Serializer>(
    pairs: &[(String, V)],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(pairs.iter().map(|(name, value)| (name, value)))
}

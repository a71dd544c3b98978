//! What a sweep came to: plain data, as it is reported.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

use crate::load::Remark;

/// A sweep, measured.
#[derive(Debug, Clone, Serialize)]
pub struct SweepResult {
    /// What was varied, in the order in which it was asked for.
    pub axes: Vec<Axis>,
    /// Rounds that were gone through; a cell that is merged or given up was not in all of them.
    pub rounds: usize,
    /// Every combination of the values of all axes; invalid and merged ones included.
    pub cells: Vec<Cell>,
    /// The answer.
    pub recommendation: Recommendation,
}

/// Something that is varied.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Axis {
    /// Its name on the command line: `payload`, `client.so_rcvbuf`, `server.recv_buffer`, ...
    pub name: String,
    /// Its values as they were asked for, in that order; sizes in bytes.
    pub values: Vec<String>,
    /// Whether they are sizes in bytes, which are drawn on a logarithmic scale.
    pub is_bytes: bool,
}

/// One combination of settings.
#[derive(Debug, Clone, Serialize)]
pub struct Cell {
    /// The setting of each axis, in the order of the axes.
    #[serde(serialize_with = "as_map")]
    pub axes: Vec<(String, Setting)>,
    /// The metrics, by name: `ops_per_s`, `bytes_per_s`, `p50_us`, `p99_us`, `server_cpu_us_per_op`,
    /// `client_cpu_us_per_op`. One that cannot be had is not there.
    pub metrics: BTreeMap<&'static str, Estimate>,
    /// Whether its figures can be trusted.
    pub valid: bool,
    /// Why not.
    pub reasons: Vec<Remark>,
    /// What limits what they say: a window below two segments, a client that was the limit, ...
    pub notes: Vec<Remark>,
    /// It is the same as this other cell, place in the list: the kernel made equal settings of both.
    pub same_as: Option<usize>,
    /// What held the data back, in a sentence, as the kernel sees it.
    pub why: Option<String>,
    /// Response times of all rounds together: (quantile, microseconds), ascending.
    pub curve: Vec<(f64, f64)>,
}

/// The setting of one axis in one cell.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Setting {
    /// As it was asked for; sizes in bytes.
    pub requested: String,
    /// As it is in force, where that can be seen and may differ.
    pub effective: Option<String>,
}

/// A metric over all rounds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Estimate {
    /// The Hodges-Lehmann estimate over the rounds.
    pub estimate: f64,
    /// Lower end of its interval.
    pub low: f64,
    /// Upper end of its interval.
    pub high: f64,
    /// `1/s`, `B/s`, `us`.
    pub unit: &'static str,
    /// Whether more of it is better.
    pub higher_is_better: bool,
}

/// The answer, first as a sentence.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Recommendation {
    /// One line that answers the question.
    pub headline: String,
    /// One verdict for each axis that can be recommended on and each class of the others (payload size).
    pub verdicts: Vec<Verdict>,
}

/// The best value of one axis, in one class.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Verdict {
    /// The axis.
    pub axis: String,
    /// The settings of the other axes that it holds for.
    #[serde(serialize_with = "as_map")]
    pub class: Vec<(String, String)>,
    /// The value that is recommended; `None`: no value is measurably better than the baseline.
    pub value: Option<String>,
    /// What it is compared with: the kernel's own choice (0) or the smallest value that was measured.
    pub baseline: String,
    /// The metric that decided.
    pub metric: &'static str,
    /// Its change over the baseline in percent, where a value is recommended.
    pub change_percent: Option<crate::stats::Interval>,
    /// The verdict in words, its reason included.
    pub sentence: String,
}

impl Cell {
    /// The setting of an axis as it was asked for.
    pub fn requested(&self, axis: &str) -> Option<&str> {
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

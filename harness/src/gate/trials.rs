//! Many gates with a known answer, and how often they gave it. Pure.

use schemars::JsonSchema;
use serde::Serialize;

use super::metric::Metric;
use super::result::GateResult;
use super::rule::CellVerdict;
use crate::stats::{Interval, clopper_pearson, median, quantile};

/// One gate with a known answer.
#[derive(Debug, Clone, JsonSchema, Serialize)]
pub(crate) struct GateTrial {
    /// How much slower the candidate was made, in percent of server CPU per operation.
    pub planted_pct: f64,
    /// The verdict of the gate.
    pub verdict: CellVerdict,
    /// Whether its control failed.
    pub void: bool,
    /// The metrics that failed.
    pub failed_by: Vec<Metric>,
    /// The metrics that were inconclusive.
    pub open: Vec<Metric>,
    /// The measured change of server CPU per operation in percent.
    pub seen_pct: Option<f64>,
    /// The extra work measured by the control, in percent.
    pub control_pct: Option<f64>,
    /// CPU time of the base per operation, in microseconds.
    pub base_us: Option<f64>,
    /// Duration in seconds.
    pub seconds: f64,
}

/// All trials with the same planted change.
#[derive(Debug, Clone, JsonSchema, Serialize)]
pub(crate) struct TrialRow {
    /// The planted change in percent.
    pub planted_pct: f64,
    /// Gates.
    pub runs: usize,
    /// Gates that failed.
    pub failed: usize,
    /// Gates that passed.
    pub passed: usize,
    /// Gates that were inconclusive.
    pub inconclusive: usize,
    /// Of those, gates whose control failed.
    pub void: usize,
    /// The probability of failing with its exact 95 % interval, in percent.
    pub fails_pct: Option<Interval>,
    /// The probability of passing, likewise.
    pub passes_pct: Option<Interval>,
    /// The median of the measured changes in percent.
    pub seen_pct: Option<f64>,
    /// The spread of the measured changes between gates in percent: the standard deviation of a normal distribution
    /// with the same quartiles.
    pub spread_pct: Option<f64>,
    /// Duration of the longest gate in seconds.
    pub seconds_max: f64,
}

/// Half the interquartile range of a standard normal distribution.
const QUARTILE: f64 = 0.674_49;
/// Confidence level of the intervals.
const LEVEL: f64 = 0.95;

impl GateTrial {
    /// The outcome of one gate.
    pub(crate) fn of(planted_pct: f64, result: &GateResult, seconds: f64) -> Self {
        let cpu = result
            .cells
            .iter()
            .find(|cell| cell.metric == Metric::ServerCpu);
        let base_us = cpu.and_then(|cell| cell.base);
        let named = |takes: fn(&super::GateCell) -> bool| {
            let cells = result.cells.iter().filter(|cell| takes(cell));
            cells.map(|cell| cell.metric).collect()
        };
        Self {
            planted_pct,
            verdict: result.verdict(),
            void: result.is_void(),
            failed_by: named(super::GateCell::fails),
            open: named(super::GateCell::is_open),
            seen_pct: cpu.and_then(|cell| cell.comparison.estimate_pct),
            control_pct: result.control.as_ref().and_then(|control| control.seen_pct),
            base_us,
            seconds,
        }
    }
}

/// One row per planted change, in ascending order.
pub(crate) fn table(trials: &[GateTrial]) -> Vec<TrialRow> {
    let mut kinds: Vec<f64> = trials.iter().map(|trial| trial.planted_pct).collect();
    kinds.sort_by(f64::total_cmp);
    kinds.dedup();
    kinds
        .into_iter()
        .map(|planted| row(trials, planted))
        .collect()
}

fn row(trials: &[GateTrial], planted_pct: f64) -> TrialRow {
    let trials: Vec<&GateTrial> = trials
        .iter()
        .filter(|trial| trial.planted_pct == planted_pct)
        .collect();
    let count = |verdict| {
        trials
            .iter()
            .filter(|trial| trial.verdict == verdict)
            .count()
    };
    let (failed, passed) = (count(CellVerdict::Fail), count(CellVerdict::Pass));
    let rate = |k: usize| {
        clopper_pearson(k as u64, trials.len() as u64, LEVEL).map(|rate| Interval {
            estimate: rate.estimate * 100.0,
            low: rate.low * 100.0,
            high: rate.high * 100.0,
        })
    };
    let seen: Vec<f64> = trials.iter().filter_map(|trial| trial.seen_pct).collect();
    let quartiles = quantile(&seen, 0.75).zip(quantile(&seen, 0.25));
    TrialRow {
        planted_pct,
        runs: trials.len(),
        failed,
        passed,
        inconclusive: trials.len() - failed - passed,
        void: trials.iter().filter(|trial| trial.void).count(),
        fails_pct: rate(failed),
        passes_pct: rate(passed),
        seen_pct: median(&seen),
        spread_pct: quartiles.map(|(high, low)| (high - low) / (2.0 * QUARTILE)),
        seconds_max: trials.iter().map(|trial| trial.seconds).fold(0.0, f64::max),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trials_are_counted_by_what_was_planted() {
        let trial = |planted_pct, verdict, seen| GateTrial {
            planted_pct,
            verdict,
            void: false,
            failed_by: Vec::new(),
            open: Vec::new(),
            seen_pct: Some(seen),
            control_pct: None,
            base_us: Some(10.0),
            seconds: seen,
        };
        let trials = [
            trial(3.0, CellVerdict::Fail, 3.0),
            trial(0.0, CellVerdict::Pass, -0.5),
            trial(0.0, CellVerdict::Inconclusive, 1.5),
            trial(0.0, CellVerdict::Pass, 0.5),
        ];
        let rows = table(&trials);
        assert_eq!(rows.len(), 2);
        let (same, slower) = (&rows[0], &rows[1]);
        assert_eq!(
            (same.runs, same.failed, same.passed, same.inconclusive),
            (3, 0, 2, 1)
        );
        assert_eq!(
            (slower.runs, slower.failed, slower.seconds_max),
            (1, 1, 3.0)
        );
        assert_eq!(same.seen_pct, Some(0.5));
        // Quartiles 0 and 1.
        assert!((same.spread_pct.unwrap() - 0.5 / QUARTILE).abs() < 1e-9);
        // 0 of 3: 1 - 0.025^(1/3).
        assert!((same.fails_pct.unwrap().high - 70.76).abs() < 0.01);
    }
}

//! Many gates whose answer is known beforehand, and how often they gave it. Pure.

use serde::Serialize;

use super::metric::Metric;
use super::result::GateResult;
use super::rule::Verdict;
use crate::stats::{Interval, clopper_pearson, median, quantile};

/// One gate whose answer is known.
#[derive(Debug, Clone, Serialize)]
pub struct Trial {
    /// By how much the candidate was made slower, in percent of server CPU per operation; 0: not at all.
    pub planted_pct: f64,
    /// What the gate said.
    pub verdict: Verdict,
    /// Whether its control voided it.
    pub void: bool,
    /// The metrics by which it failed.
    pub failed_by: Vec<Metric>,
    /// The metrics that stayed open.
    pub open: Vec<Metric>,
    /// What it saw of the change of server CPU per operation, in percent.
    pub seen_pct: Option<f64>,
    /// What the control saw of what was planted there.
    pub control_pct: Option<f64>,
    /// CPU time of the base per operation, in microseconds.
    pub base_us: Option<f64>,
    /// Seconds that it took.
    pub seconds: f64,
}

/// All trials of one kind.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    /// What was planted, in percent.
    pub planted_pct: f64,
    /// Gates.
    pub runs: usize,
    /// Gates that failed.
    pub failed: usize,
    /// Gates that passed.
    pub passed: usize,
    /// Gates that could not tell.
    pub inconclusive: usize,
    /// Of those, gates whose control voided them.
    pub void: usize,
    /// The chance to fail with its exact 95 % interval, in percent.
    pub fails_pct: Option<Interval>,
    /// The chance to pass, likewise.
    pub passes_pct: Option<Interval>,
    /// The median of what was seen, in percent.
    pub seen_pct: Option<f64>,
    /// How much what is seen differs between gates: the standard deviation of normal figures with the same
    /// quartiles, in percent. It is what the rule has to live with.
    pub spread_pct: Option<f64>,
    /// The longest gate, in seconds.
    pub seconds_max: f64,
}

/// Half the distance of the quartiles of a standard normal distribution.
const QUARTILE: f64 = 0.674_49;
/// Confidence of intervals.
const LEVEL: f64 = 0.95;

impl Trial {
    /// What came of one gate.
    pub fn of(planted_pct: f64, result: &GateResult, seconds: f64) -> Self {
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
            seen_pct: cpu.and_then(|cell| cell.cell.estimate_pct),
            control_pct: result.control.as_ref().and_then(|control| control.seen_pct),
            base_us,
            seconds,
        }
    }
}

/// A row for each amount that was planted, the smallest first.
pub fn table(trials: &[Trial]) -> Vec<Row> {
    let mut kinds: Vec<f64> = trials.iter().map(|trial| trial.planted_pct).collect();
    kinds.sort_by(f64::total_cmp);
    kinds.dedup();
    kinds
        .into_iter()
        .map(|planted| row(trials, planted))
        .collect()
}

fn row(trials: &[Trial], planted_pct: f64) -> Row {
    let trials: Vec<&Trial> = trials
        .iter()
        .filter(|trial| trial.planted_pct == planted_pct)
        .collect();
    let count = |verdict| {
        trials
            .iter()
            .filter(|trial| trial.verdict == verdict)
            .count()
    };
    let (failed, passed) = (count(Verdict::Fail), count(Verdict::Pass));
    let rate = |k: usize| {
        clopper_pearson(k as u64, trials.len() as u64, LEVEL).map(|rate| Interval {
            estimate: rate.estimate * 100.0,
            low: rate.low * 100.0,
            high: rate.high * 100.0,
        })
    };
    let seen: Vec<f64> = trials.iter().filter_map(|trial| trial.seen_pct).collect();
    let quartiles = quantile(&seen, 0.75).zip(quantile(&seen, 0.25));
    Row {
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
        let trial = |planted_pct, verdict, seen| Trial {
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
            trial(3.0, Verdict::Fail, 3.0),
            trial(0.0, Verdict::Pass, -0.5),
            trial(0.0, Verdict::Inconclusive, 1.5),
            trial(0.0, Verdict::Pass, 0.5),
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

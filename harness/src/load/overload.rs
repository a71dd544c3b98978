//! What a server does when it is asked more than it can: goodput, waiting, and how it recovers.

use std::time::Duration;

use serde::Serialize;

use super::engine::EngineError;
use super::reason::Reason;
use super::slo::{Probe, closed};
use super::workload::{Arrivals, Pace, Surge, Workload};

/// Parts of the capacity that are offered.
const FACTORS: [f64; 9] = [0.2, 0.4, 0.6, 0.8, 1.0, 1.2, 1.5, 2.0, 3.0];
/// How long each is.
const STEP: Duration = Duration::from_secs(1);
const WARMUP: Duration = Duration::from_millis(200);
/// Goodput is what was asked for if it is at least this part of it.
const REACHED: f64 = 0.95;
/// Above so many times the waiting of the lightest load the knee is passed.
const WAITING: f64 = 10.0;
/// Waiting that is too short to tell anything, in microseconds.
const WAITING_LEAST_US: f64 = 5_000.0;
/// The rate before and after the surge, and in it, as parts of the capacity.
const CALM: f64 = 0.5;
const SURGE: f64 = 3.0;
/// When the surge begins, how long it is, and how long the recovery is watched.
const BEFORE: Duration = Duration::from_secs(1);
const SURGE_LENGTH: Duration = Duration::from_millis(500);
const AFTER: Duration = Duration::from_millis(4500);
/// Recovered: the median is back below so many times what it was before.
const RECOVERED: f64 = 3.0;

/// What a server does beyond its capacity.
#[derive(Debug, Clone, Default, Serialize)]
pub struct OverloadReport {
    /// Replies a second of a closed loop with several requests under way on each connection.
    pub capacity_per_s: f64,
    /// From light to far too much.
    pub steps: Vec<OverloadStep>,
    /// The highest rate offered at which nearly all of it was answered and nobody waited much longer.
    pub knee_per_s: Option<f64>,
    /// Seconds from the end of a surge until the median was as before; `None`: not while it was watched.
    pub recovery_s: Option<f64>,
    /// The least that the surge's backlog takes to be worked off.
    pub recovery_ideal_s: f64,
    /// Why some of it cannot be trusted.
    pub inconclusive: Option<String>,
}

/// One rate.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OverloadStep {
    /// Part of the capacity.
    pub factor: f64,
    /// Requests a second that were due.
    pub offered_per_s: f64,
    /// Right replies a second that came in time to be counted.
    pub goodput_per_s: f64,
    /// Median response time, unanswered requests included, in microseconds.
    pub p50_us: f64,
    /// 99th percentile of it.
    pub p99_us: f64,
    /// It is at least that: requests among them were never answered.
    pub at_least: bool,
}

/// Loads the server from 0.2 to 3 times its capacity, then once with a surge.
///
/// # Errors
/// A load could not begin.
pub fn overload(base: &Workload, probe: Probe<'_>) -> Result<OverloadReport, EngineError> {
    let capacity_per_s = probe(&closed(base))?.metrics.ops_per_s;
    let mut report = OverloadReport {
        capacity_per_s,
        ..OverloadReport::default()
    };
    for factor in FACTORS {
        let workload = at(base, capacity_per_s * factor, STEP);
        let result = probe(&workload)?;
        let spoiled = result
            .validity
            .reasons
            .iter()
            .find(|reason| Reason::is_disturbance(reason));
        if let Some(reason) = spoiled {
            report
                .inconclusive
                .get_or_insert(format!("at {factor} of the capacity: {reason}"));
        }
        let metrics = &result.metrics;
        let right = metrics.ops.saturating_sub(metrics.wrong_replies);
        report.steps.push(OverloadStep {
            factor,
            offered_per_s: capacity_per_s * factor,
            goodput_per_s: right as f64 / STEP.as_secs_f64(),
            p50_us: metrics.response_us.p50,
            p99_us: metrics.response_us.p99,
            at_least: metrics.response_us.at_least.contains(&"p99"),
        });
    }
    report.knee_per_s = knee(&report.steps);
    let best = report.steps.iter().map(|step| step.goodput_per_s);
    report.recovery_ideal_s = ideal(capacity_per_s, best.fold(capacity_per_s, f64::max));
    report.recovery_s = recovery(base, capacity_per_s, probe)?;
    Ok(report)
}

fn at(base: &Workload, rate: f64, duration: Duration) -> Workload {
    let arrivals = match base.pace {
        Pace::Open { arrivals, .. } => arrivals,
        Pace::Closed => Arrivals::Constant,
    };
    Workload {
        pace: Pace::Open {
            rate,
            rate_to: rate,
            arrivals,
        },
        duration,
        warmup: WARMUP,
        ..base.clone()
    }
}

/// The last step before the first that falls short.
fn knee(steps: &[OverloadStep]) -> Option<f64> {
    let light = steps.first()?.p99_us;
    let fine = |step: &&OverloadStep| {
        step.goodput_per_s >= REACHED * step.offered_per_s
            && step.p99_us <= (light * WAITING).max(WAITING_LEAST_US)
    };
    steps
        .iter()
        .take_while(fine)
        .last()
        .map(|step| step.offered_per_s)
}

fn recovery(base: &Workload, capacity: f64, probe: Probe<'_>) -> Result<Option<f64>, EngineError> {
    let workload = Workload {
        surge: Some(Surge {
            rate: capacity * SURGE,
            at: BEFORE,
            length: SURGE_LENGTH,
        }),
        ..at(base, capacity * CALM, BEFORE + SURGE_LENGTH + AFTER)
    };
    let result = probe(&workload)?;
    let medians: Vec<(f64, f64)> = result
        .intervals
        .iter()
        .map(|step| (step.start_s, step.p50_us))
        .collect();
    Ok(recovered(
        &medians,
        BEFORE.as_secs_f64(),
        (BEFORE + SURGE_LENGTH).as_secs_f64(),
    ))
}

/// Seconds in which the backlog of the surge can be worked off by a server that answers `best` requests a
/// second at most.
fn ideal(capacity: f64, best: f64) -> f64 {
    let backlog = SURGE_LENGTH.as_secs_f64() * (SURGE * capacity - best).max(0.0);
    backlog / (best - CALM * capacity).max(f64::MIN_POSITIVE)
}

/// Seconds from `surge_end` to the first window from which on all medians are as before the surge.
fn recovered(medians: &[(f64, f64)], surge_begin: f64, surge_end: f64) -> Option<f64> {
    let before: Vec<f64> = medians
        .iter()
        .filter(|(start, _)| *start < surge_begin * 0.9)
        .map(|(_, median)| *median)
        .collect();
    let limit = (crate::stats::median(&before)? * RECOVERED).max(1_000.0);
    let last_slow = medians.iter().rposition(|(_, median)| *median > limit);
    match last_slow {
        None => Some(0.0),
        Some(place) => medians
            .get(place + 1)
            .map(|(start, _)| (start - surge_end).max(0.0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(factor: f64, goodput: f64, p99_us: f64) -> OverloadStep {
        OverloadStep {
            factor,
            offered_per_s: factor * 1000.0,
            goodput_per_s: goodput,
            p50_us: 1.0,
            p99_us,
            at_least: false,
        }
    }

    #[test]
    fn the_knee_is_before_the_first_shortfall() {
        let short = [
            step(0.5, 500.0, 900.0),
            step(1.0, 990.0, 4e3),
            step(2.0, 1100.0, 4e3),
        ];
        assert_eq!(knee(&short), Some(1000.0));
        let waits = [
            step(0.5, 500.0, 900.0),
            step(1.0, 990.0, 4e4),
            step(2.0, 2000.0, 900.0),
        ];
        assert_eq!(knee(&waits), Some(500.0));
        assert_eq!(knee(&[step(0.5, 100.0, 900.0)]), None);
        assert_eq!(knee(&[]), None);
    }

    #[test]
    fn a_backlog_takes_as_long_as_the_server_has_to_spare() {
        // 0.5 s at 3,000 of which 1,000 are answered leave 1,000; 500 a second are to spare.
        assert_eq!(ideal(1000.0, 1000.0), 2.0);
        // A server that can do more than was thought has less to catch up with.
        assert_eq!(ideal(1000.0, 2000.0), 500.0 / 1500.0);
        assert_eq!(ideal(1000.0, 4000.0), 0.0);
    }

    #[test]
    fn recovery_is_when_it_stays_as_before() {
        let calm = |from: usize, to: usize| (from..to).map(|n| (n as f64 / 10.0, 200.0));
        let slow = |from: usize, to: usize| (from..to).map(|n| (n as f64 / 10.0, 2e5));
        let some: Vec<_> = calm(0, 10)
            .chain(slow(10, 30))
            .chain(calm(30, 60))
            .collect();
        assert_eq!(recovered(&some, 1.0, 1.5), Some(1.5));
        let never: Vec<_> = calm(0, 10).chain(slow(10, 60)).collect();
        assert_eq!(recovered(&never, 1.0, 1.5), None);
        let unmoved: Vec<_> = calm(0, 60).collect();
        assert_eq!(recovered(&unmoved, 1.0, 1.5), Some(0.0));
    }
}

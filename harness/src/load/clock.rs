//! Self-test of the measured times: compares what a load reports with what the server is known to have done.
//!
//! In the first case the server is stopped for 200 ms every 2 s, as a garbage collector or a full disk would
//! stop it, and the times of the stops are logged. In the second case the server delays its replies by a known
//! distribution and logs the actual delays. A client with coordinated omission (it waits for a reply before it
//! sends the next request, and measures from the actual send) fails the first case: its tail misses the stops.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;

use super::engine::{EngineError, now};
use super::recorder::MeasuredPeriod;
use super::run::Load;
use super::workload::{Arrivals, Loop, Workload};
use super::{Measurement, summarize};
use crate::process::Server;
use crate::subject::Interrupt;
use crate::talk::Talk;

/// Length of a stop.
const STOP: Duration = Duration::from_millis(200);
/// Time from one stop to the next.
const PERIOD: Duration = Duration::from_secs(2);
/// Requests per second while the server is being stopped.
const RATE: f64 = 2000.0;
const CONNECTIONS: usize = 10;
/// Stop periods measured. A whole number, so that the expectation does not depend on when the first stop happens.
const PERIODS: u32 = 4;
/// Maximum deviation, in percent, of a tail percentile from the one that the logged stops imply.
const TAIL_PERCENT: f64 = 0.5;
/// Maximum deviation, in percent, of the median from the median without stops.
const MEDIAN_PERCENT: f64 = 10.0;
/// Maximum deviation, in percent, of a percentile from that of the server's log of delays.
const LOG_PERCENT: f64 = 2.0;

/// A reported percentile compared with the expected one.
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize)]
pub(crate) struct ClockRow {
    /// What was done to the server.
    pub case: String,
    /// Name of the percentile, such as `p99`.
    pub percentile: &'static str,
    /// The expected value, in microseconds.
    pub expected_us: f64,
    /// The value that the load reported, in microseconds.
    pub reported_us: f64,
    /// Deviation of the reported from the expected value, in percent.
    pub off_percent: f64,
    /// Maximum deviation, in percent.
    pub allowed_percent: f64,
}

impl ClockRow {
    fn new(
        case: &str,
        percentile: &'static str,
        expected: f64,
        reported: f64,
        allowed: f64,
    ) -> Self {
        Self {
            case: case.to_owned(),
            percentile,
            expected_us: expected,
            reported_us: reported,
            off_percent: (reported / expected.max(f64::MIN_POSITIVE) - 1.0) * 100.0,
            allowed_percent: allowed,
        }
    }

    /// Whether the deviation is at most the allowed one.
    pub(crate) fn holds(&self) -> bool {
        self.off_percent.abs() <= self.allowed_percent
    }
}

/// The comparisons, and why the machine may have distorted them.
#[derive(Debug, Clone, Default, JsonSchema, Serialize)]
pub(crate) struct ClockProof {
    pub rows: Vec<ClockRow>,
    /// Reasons why the loads themselves cannot be trusted.
    pub spoiled: Vec<String>,
}

/// Loads a server three times at the same rate; during the second load the server is stopped periodically.
///
/// # Errors
/// A load could not start.
pub(crate) fn stalled(
    server: &Server,
    talk: &Talk,
    interrupt: &Interrupt,
) -> Result<ClockProof, EngineError> {
    let before = measure(server, talk, interrupt, &open(PERIOD * 2))?.0;
    let (over, log) = (AtomicBool::new(false), std::sync::Mutex::new(Vec::new()));
    let stall = std::thread::scope(|scope| {
        scope.spawn(|| stop_periodically(server, &over, &log));
        let stall = measure(server, talk, interrupt, &open(PERIOD * PERIODS));
        over.store(true, Ordering::Relaxed);
        stall
    })?;
    let after = measure(server, talk, interrupt, &open(PERIOD * 2))?.0;
    let stops = log.into_inner().unwrap_or_default();
    // Medians drift with the machine: the reference is measured before and after the load with stops.
    let median = f64::midpoint(
        before.metrics.response_us.p50,
        after.metrics.response_us.p50,
    );
    let expected = expected(stall.1.period, &stops, median);
    let reported = &stall.0.metrics.response_us;
    let case = format!(
        "stopped {} ms every {} s",
        STOP.as_millis(),
        PERIOD.as_secs()
    );
    let rows = vec![
        ClockRow::new(&case, "p50", median, reported.p50, MEDIAN_PERCENT),
        ClockRow::new(
            &case,
            "p99",
            quantile(&expected, 0.99),
            reported.p99,
            TAIL_PERCENT,
        ),
        ClockRow::new(
            &case,
            "p999",
            quantile(&expected, 0.999),
            reported.p999,
            TAIL_PERCENT,
        ),
    ];
    let results = [&before, &stall.0, &after];
    let reasons = results.iter().flat_map(|result| &result.validity.reasons);
    Ok(ClockProof {
        rows,
        spoiled: reasons.map(ToString::to_string).collect(),
    })
}

/// Loads, in a closed loop, a server that delays its replies and logs the delays. `log` is the file with one
/// line per reply, in nanoseconds; `case` names the distribution.
///
/// # Errors
/// A load could not start.
pub(crate) fn delayed(
    server: &Server,
    talk: &Talk,
    interrupt: &Interrupt,
    case: &str,
    log: &Path,
) -> Result<ClockProof, EngineError> {
    let workload = Workload {
        connections: 2 * CONNECTIONS,
        warmup: Duration::ZERO,
        duration: PERIOD,
        ..Workload::default()
    };
    let (result, _) = measure(server, talk, interrupt, &workload)?;
    let logged = fs::read_to_string(log).unwrap_or_default();
    let mut logged: Vec<f64> = logged
        .lines()
        .filter_map(|line| Some(line.parse::<f64>().ok()? / 1e3))
        .collect();
    logged.sort_by(f64::total_cmp);
    let reported = &result.metrics.response_us;
    let row =
        |name, q, reported| ClockRow::new(case, name, quantile(&logged, q), reported, LOG_PERCENT);
    let rows = vec![
        row("p50", 0.5, reported.p50),
        row("p99", 0.99, reported.p99),
        row("p999", 0.999, reported.p999),
    ];
    let reasons = result.validity.reasons.iter();
    let mut spoiled: Vec<String> = reasons.map(ToString::to_string).collect();
    if reported.count != logged.len() as u64 {
        spoiled.push(format!(
            "{} replies were reported, but the server logged {}",
            reported.count,
            logged.len()
        ));
    }
    Ok(ClockProof { rows, spoiled })
}

fn open(duration: Duration) -> Workload {
    Workload {
        connections: CONNECTIONS,
        pace: Loop::Open {
            rate: RATE,
            rate_to: RATE,
            arrivals: Arrivals::Constant,
        },
        pipeline: 1024,
        warmup: Duration::from_millis(500),
        duration,
        ..Workload::default()
    }
}

fn measure(
    server: &Server,
    talk: &Talk,
    interrupt: &Interrupt,
    workload: &Workload,
) -> Result<(super::LoadResult, Measurement), EngineError> {
    let load = Load {
        workload,
        talk,
        values: std::collections::BTreeMap::new(),
        server,
        interrupt,
        begin: None,
        sink: &|_| {},
    };
    let measured = load.run()?;
    Ok((summarize(workload, &measured), measured))
}

/// When each stop began and ended, in nanoseconds of the monotonic clock.
type Stops = std::sync::Mutex<Vec<(u64, u64)>>;

/// Stops and continues the server periodically until `over` is set, and logs when each stop began and ended.
fn stop_periodically(server: &Server, over: &AtomicBool, log: &Stops) {
    while !over.load(Ordering::Relaxed) {
        std::thread::sleep(PERIOD - STOP);
        if over.load(Ordering::Relaxed) || server.signal(libc::SIGSTOP).is_err() {
            return;
        }
        let stopped = now();
        std::thread::sleep(STOP);
        let _ = server.signal(libc::SIGCONT);
        if let Ok(mut log) = log.lock() {
            log.push((stopped, now()));
        }
    }
}

/// Expected response times of all requests of the period, in microseconds, ascending: a request due while the
/// server is stopped waits for the end of the stop and then takes the median, like every other request.
fn expected(period: MeasuredPeriod, stops: &[(u64, u64)], median_us: f64) -> Vec<f64> {
    let distance = 1e9 / RATE;
    let count = ((period.to - period.from) as f64 / distance) as usize;
    let of = |number: usize| {
        let due = period.from as f64 + number as f64 * distance;
        let stop = stops
            .iter()
            .find(|(from, to)| (*from as f64..*to as f64).contains(&due));
        stop.map_or(0.0, |(_, to)| (*to as f64 - due) / 1e3) + median_us
    };
    let mut all: Vec<f64> = (0..count).map(of).collect();
    all.sort_by(f64::total_cmp);
    all
}

/// The quantile, with the rank that the histogram uses as well.
fn quantile(ascending: &[f64], q: f64) -> f64 {
    let rank = (q * ascending.len() as f64).ceil() as usize;
    ascending.get(rank.max(1) - 1).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stops_determine_the_expected_tail() {
        let ms = |n: u64| n * 1_000_000;
        let period = MeasuredPeriod {
            from: ms(300),
            to: ms(8300),
        };
        let stops: Vec<(u64, u64)> = (0..6).map(|n| (ms(2000 * n), ms(2000 * n + 200))).collect();
        let all = expected(period, &stops, 60.0);
        assert_eq!(all.len(), 16_000);
        assert!((quantile(&all, 0.99) / 180_000.0 - 1.0).abs() < 0.005);
        assert!((quantile(&all, 0.999) / 198_000.0 - 1.0).abs() < 0.005);
        assert_eq!(quantile(&all, 0.5), 60.0);
    }

    #[test]
    fn a_row_can_fail() {
        assert!(ClockRow::new("x", "p99", 180.0, 180.8, 0.5).holds());
        assert!(!ClockRow::new("x", "p99", 180.0, 1.08, 0.5).holds());
        assert!(!ClockRow::new("x", "p50", f64::NAN, 1.0, 10.0).holds());
    }
}

//! Proof that the clock tells the truth: what a load reports beside what the server is known to have done.
//!
//! Once the server is stopped for 200 ms every 2 s, as a collector of garbage or a full disk would stop
//! it, and the moments are logged; once it holds its replies back by a known distribution and logs what
//! it really did. A client that waits for a reply before it asks again, and counts from when it asked
//! (coordinated omission), shows a median of nothing wrong and a tail that nobody has.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde::Serialize;

use super::engine::{EngineError, now};
use super::recorder::MeasuredPeriod;
use super::run::Load;
use super::workload::{Arrivals, Loop, Workload};
use super::{Measurement, summarize};
use crate::process::Server;
use crate::subject::Interrupt;
use crate::talk::Talk;

/// The stall: how long, how often, at which rate, over how many connections.
const STOP: Duration = Duration::from_millis(200);
const PERIOD: Duration = Duration::from_secs(2);
const RATE: f64 = 2000.0;
const CONNECTIONS: usize = 10;
/// Whole periods, so that the expectation does not depend on where a stop falls.
const PERIODS: u32 = 4;
/// How far a tail may be from what the logged stops imply, and the median from the unstalled one.
const TAIL_PERCENT: f64 = 0.5;
const MEDIAN_PERCENT: f64 = 10.0;
/// How far percentiles may be from those of the server's own log.
const LOG_PERCENT: f64 = 2.0;

/// One comparison.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClockRow {
    /// What was done to the server.
    pub case: String,
    /// Which percentile.
    pub percentile: &'static str,
    /// What it has to be, in microseconds.
    pub expected_us: f64,
    /// What the load reported.
    pub reported_us: f64,
    /// How far that is off, in percent.
    pub off_percent: f64,
    /// How far it may be.
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

    /// Within what is allowed.
    pub fn holds(&self) -> bool {
        self.off_percent.abs() <= self.allowed_percent
    }
}

/// A comparison, and why the machine may have spoiled it.
#[derive(Debug, Clone, Default, Serialize)]
pub struct ClockProof {
    /// The comparisons.
    pub rows: Vec<ClockRow>,
    /// Reasons for which the loads themselves are not to be trusted.
    pub spoiled: Vec<String>,
}

/// Loads a server three times at the same rate, the second time while it is stopped now and then.
///
/// # Errors
/// A load could not begin.
pub fn stalled(
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
    // A median moves with the machine: the calm one is taken on both sides of the stalled one.
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

/// Loads a server that holds its replies back and logs by how much, in a closed loop. `log` is the file
/// with a line of nanoseconds for each reply; `case` names the distribution.
///
/// # Errors
/// A load could not begin.
pub fn delayed(
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
            "{} replies were reported, {} logged",
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
        sink: &|_| {},
    };
    let measured = load.run()?;
    Ok((summarize(workload, &measured), measured))
}

/// When the server was stopped, and when it went on again.
type Stops = std::sync::Mutex<Vec<(u64, u64)>>;

/// Stops the server and lets it go on, until that is over; logs both moments of each stop.
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

/// Response times of all requests of the period in microseconds, ascending: one that is due while the
/// server is stopped waits until it goes on, any other takes the median.
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

/// The value at the same rank that a histogram's quantile has.
fn quantile(ascending: &[f64], q: f64) -> f64 {
    let rank = (q * ascending.len() as f64).ceil() as usize;
    ascending.get(rank.max(1) - 1).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_periods_have_the_tail_that_the_stops_imply() {
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

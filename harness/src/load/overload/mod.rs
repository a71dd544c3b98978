//! Behaviour of a server beyond its capacity: goodput, waiting times, and recovery from a surge.
//!
//! `explore.rs` decides what to measure next and interprets the results; this file performs the measurements.

mod explore;

use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;

use self::explore::{Exploration, recovered};
use super::engine::EngineError;
use super::reason::Reason;
use super::result::LoadResult;
use super::slo::{Probe, closed};
use super::workload::{Surge, Workload};

/// Measured period of each rate.
const STEP: Duration = Duration::from_secs(1);
const WARMUP: Duration = Duration::from_millis(200);
/// The rate before and after the surge, as a share of the capacity.
const CALM: f64 = 0.5;
/// The rate during the surge, as a multiple of the capacity.
const SURGE: f64 = 3.0;
/// Measured time before the surge.
const BEFORE: Duration = Duration::from_secs(1);
const SURGE_LENGTH: Duration = Duration::from_millis(500);
/// Measured time after the surge, in which the server may recover.
const AFTER: Duration = Duration::from_millis(4500);

/// The result of an overload run.
#[derive(Debug, Clone, Default, JsonSchema, Serialize)]
pub struct OverloadReport {
    /// Replies per second of a closed loop with several requests in flight on each connection.
    pub capacity_per_s: f64,
    /// The offered rates in ascending order, with their figures.
    pub steps: Vec<OverloadStep>,
    /// The highest offered rate of which at least 95 % was answered in time; `None` if no rate was.
    pub knee_per_s: Option<f64>,
    /// The lowest rate at and above which requests wait much longer than at the lightest load.
    pub waiting_from_per_s: Option<f64>,
    /// Seconds from the end of the surge until the median was as before; `None` if it was not within the measured
    /// period.
    pub recovery_s: Option<f64>,
    /// Minimum seconds in which the server could clear the surge's backlog.
    pub recovery_ideal_s: f64,
    /// Why some of the figures cannot be trusted.
    pub inconclusive: Option<String>,
}

/// The figures at one offered rate.
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize)]
pub struct OverloadStep {
    /// The offered rate as a multiple of the capacity.
    pub factor: f64,
    /// Offered rate, in requests per second.
    pub offered_per_s: f64,
    /// Right replies per second that arrived in the measured period.
    pub goodput_per_s: f64,
    /// Median response time, unanswered requests included, in microseconds.
    pub p50_us: f64,
    /// 99th percentile of the response time, in microseconds.
    pub p99_us: f64,
    /// Whether the 99th percentile is a lower bound, because requests at or below it got no reply.
    pub at_least: bool,
}

/// Loads the server at 0.2 to 3 times its capacity, and then once with a surge.
///
/// # Errors
/// A load could not start.
pub(crate) fn overload(base: &Workload, probe: Probe<'_>) -> Result<OverloadReport, EngineError> {
    let mut exploration = Exploration::new();
    while let Some(ask) = exploration.next() {
        let Some(result) = probe(&ask.workload(base, exploration.report.capacity_per_s))? else {
            exploration.end("interrupted, or out of time, before all rates were tried");
            break;
        };
        exploration.take(Seen::of(ask, &result));
    }
    Ok(exploration.report())
}

/// What to measure next.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Ask {
    /// A closed loop.
    Capacity,
    /// A constant rate.
    Rate(f64),
    /// A moderate rate with a surge.
    Surge,
}

impl Ask {
    fn workload(self, base: &Workload, capacity: f64) -> Workload {
        let (rate, duration, surge) = match self {
            Self::Capacity => return closed(base),
            Self::Rate(rate) => (rate, STEP, None),
            Self::Surge => {
                let surge = Surge {
                    rate: capacity * SURGE,
                    at: BEFORE,
                    length: SURGE_LENGTH,
                };
                (capacity * CALM, BEFORE + SURGE_LENGTH + AFTER, Some(surge))
            }
        };
        Workload {
            surge,
            duration,
            warmup: WARMUP,
            ..base.at_rate(rate)
        }
    }
}

/// What a measurement showed.
#[derive(Debug, Clone)]
struct Seen {
    /// Right replies per second.
    goodput_per_s: f64,
    p50_us: f64,
    p99_us: f64,
    at_least: bool,
    recovery_s: Option<f64>,
    /// What disturbed the measurement, other than the server.
    disturbed: Option<String>,
    /// How the server ended, if it did.
    died: Option<String>,
}

impl Seen {
    fn of(ask: Ask, result: &LoadResult) -> Self {
        let reasons = || result.validity.reasons.iter();
        let died = |reason: &&Reason| matches!(reason, Reason::ServerDied { .. });
        let metrics = &result.metrics;
        let right = metrics.ops.saturating_sub(metrics.wrong_replies);
        let medians: Vec<(f64, f64)> = result
            .intervals
            .iter()
            .map(|step| (step.start_s, step.p50_us))
            .collect();
        let surge_end = (BEFORE + SURGE_LENGTH).as_secs_f64();
        Self {
            goodput_per_s: match ask {
                Ask::Rate(_) => right as f64 / STEP.as_secs_f64(),
                Ask::Capacity | Ask::Surge => metrics.ops_per_s,
            },
            p50_us: metrics.response_us.p50,
            p99_us: metrics.response_us.p99,
            at_least: metrics.response_us.at_least.contains(&"p99"),
            recovery_s: recovered(&medians, BEFORE.as_secs_f64(), surge_end),
            disturbed: reasons()
                .find(|reason| reason.is_disturbance())
                .map(ToString::to_string),
            died: reasons().find(died).map(ToString::to_string),
        }
    }
}

//! What a server does when it is asked more than it can: goodput, waiting, and how it recovers.
//!
//! `explore.rs` decides what to measure next and what it means; this file measures it.

mod explore;

use super::result::LoadResult;
use std::time::Duration;

use serde::Serialize;

use self::explore::{Exploration, recovered};
use super::engine::EngineError;
use super::reason::Reason;
use super::slo::{Probe, closed};
use super::workload::{Surge, Workload};

/// How long each is.
const STEP: Duration = Duration::from_secs(1);
const WARMUP: Duration = Duration::from_millis(200);
/// The rate before and after the surge, and in it, as parts of the capacity.
const CALM: f64 = 0.5;
const SURGE: f64 = 3.0;
/// When the surge begins, how long it is, and how long the recovery is watched.
const BEFORE: Duration = Duration::from_secs(1);
const SURGE_LENGTH: Duration = Duration::from_millis(500);
const AFTER: Duration = Duration::from_millis(4500);

/// What a server does beyond its capacity.
#[derive(Debug, Clone, Default, Serialize)]
pub struct OverloadReport {
    /// Replies a second of a closed loop with several requests under way on each connection.
    pub capacity_per_s: f64,
    /// From light to far too much.
    pub steps: Vec<OverloadStep>,
    /// The highest rate that was offered and nearly all of it answered in time; `None`: not even the lightest was.
    pub knee_per_s: Option<f64>,
    /// The lowest rate from which on requests wait much longer than under the lightest load.
    pub waiting_from_per_s: Option<f64>,
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
    let mut exploration = Exploration::new();
    while let Some(ask) = exploration.next() {
        let Some(result) = probe(&ask.workload(base, exploration.report.capacity_per_s))? else {
            exploration.end("interrupted");
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
    /// A steady rate.
    Rate(f64),
    /// A calm rate with a surge in it.
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
    /// Right replies a second.
    goodput_per_s: f64,
    p50_us: f64,
    p99_us: f64,
    at_least: bool,
    recovery_s: Option<f64>,
    /// How it was disturbed from outside the server.
    disturbed: Option<String>,
    /// How the server ended.
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

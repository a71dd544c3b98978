//! Searches for the highest rate that meets a service-level objective, and reports what misses it above that rate.
//!
//! `search.rs` decides what to measure next; this file performs and judges the measurements.

mod search;
#[cfg(test)]
mod simulated;
mod votes;

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;

use self::search::Search;
use super::engine::EngineError;
use super::metrics::PERCENTILES;
use super::reason::Reason;
use super::result::LoadResult;
use super::workload::{Loop, Workload};
use crate::text::duration;

/// Maximum requests in flight per connection while the capacity is measured.
const CAPACITY_PIPELINE: usize = 16;
/// Samples beyond the percentile that a window is meant to contain; determines its length.
const SAMPLES_BEYOND: f64 = 100.0;
/// Minimum and maximum length of a window, in seconds.
const WINDOW_S: (f64, f64) = (0.5, 5.0);
/// Minimum length of a confirming window, as a share of the workload's measured period.
const CONFIRM_SHARE: f64 = 0.5;
/// Warm-up of a window. It is short: only the connections are new, the server is warm.
const WARMUP: Duration = Duration::from_millis(200);

/// A service-level objective, such as `p99<5ms`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Slo {
    /// Name of the percentile in [`super::Latency`].
    pub percentile: &'static str,
    /// The percentile as a quantile between 0 and 1.
    pub q: f64,
    /// The percentile of the response times must be below this.
    pub limit: Duration,
}

impl fmt::Display for Slo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}<{:?}", self.percentile, self.limit)
    }
}

impl FromStr for Slo {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let form = "write it as 'p99<5ms'; the percentiles are p50, p90, p99, p99.9";
        let (name, limit) = text.split_once('<').ok_or(form)?;
        let name = name.trim().replace('.', "");
        let found = PERCENTILES.iter().find(|(known, _)| *known == name);
        let (percentile, q) = found.copied().ok_or(form)?;
        let limit = duration(limit.trim_start_matches('=').trim())?;
        Ok(Self {
            percentile,
            q,
            limit,
        })
    }
}

/// The result of a search.
#[derive(Debug, Clone, Default, JsonSchema, Serialize)]
pub struct SloReport {
    /// The objective, such as `p99<5ms`.
    pub objective: String,
    /// Replies per second of a closed loop, from which the search started.
    pub capacity_per_s: f64,
    /// The answer: the highest rate, in requests per second, that met the objective in two full loads in a
    /// row. Windows at a slightly higher rate met it as well.
    pub highest_passing_per_s: Option<f64>,
    /// The rate of those windows, in requests per second.
    pub confirmed_per_s: Option<f64>,
    /// The lowest rate above the answer that missed the objective.
    pub lowest_failing_per_s: Option<f64>,
    /// How the objective was missed at the lowest failing rate.
    pub gave_way: Option<String>,
    /// Why higher rates could not be judged, if the client or the machine was the limit.
    pub our_limit: Option<String>,
    /// Why there is no answer, if there is none.
    pub inconclusive: Option<String>,
    /// Every rate that was tried, in chronological order.
    pub tried: Vec<Tried>,
}

/// The windows at one rate.
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize)]
pub struct Tried {
    /// Requests per second.
    pub rate: f64,
    /// Number of windows that met the objective.
    pub passed: usize,
    /// Number of windows that count.
    pub windows: usize,
    /// Number of windows that missed the objective but were disturbed; they do not count.
    pub disturbed: usize,
    /// Median of the percentile over the windows, in microseconds.
    pub value_us: f64,
}

/// Runs one load; `None` if the user interrupted it.
pub(crate) type Probe<'a> = &'a mut dyn FnMut(&Workload) -> Result<Option<LoadResult>, EngineError>;

/// A finished search.
#[derive(Debug)]
pub(crate) struct Found {
    pub report: SloReport,
    /// The last load: the full load at the answer, if there is an answer.
    pub last: Option<(Workload, LoadResult)>,
}

/// Searches for the highest rate that meets the objective. `base` is the workload of a full load.
///
/// # Errors
/// A load could not start.
pub(crate) fn search(slo: Slo, base: &Workload, probe: Probe<'_>) -> Result<Found, EngineError> {
    let mut search = Search::new();
    let mut last = None;
    while let Some(ask) = search.next() {
        let workload = slo.workload(ask, base);
        let Some(result) = probe(&workload)? else {
            search.interrupt();
            break;
        };
        search.take(slo.judge(ask, &result));
        last = Some((workload, result));
    }
    let report = SloReport {
        objective: slo.to_string(),
        ..search.report()
    };
    Ok(Found { report, last })
}

/// What to measure next.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Ask {
    /// A closed loop.
    Capacity,
    /// A short window at this rate.
    Window(f64),
    /// A longer window at this rate.
    Confirm(f64),
    /// A full load at this rate.
    Full(f64),
}

/// What a measurement showed.
#[derive(Debug, Clone, PartialEq)]
enum Seen {
    /// The replies per second of a closed loop.
    Capacity {
        per_s: f64,
        disturbed: Option<String>,
    },
    /// The measurement met the objective.
    Met { value_us: f64, disturbed: bool },
    /// The measurement missed the objective.
    Missed { value_us: f64, why: String },
    /// The measurement missed the objective, and something other than the server disturbed it.
    Disturbed { value_us: f64, why: String },
    /// The server ended.
    Died(String),
}

impl Slo {
    fn workload(&self, ask: Ask, base: &Workload) -> Workload {
        let (rate, duration, warmup) = match ask {
            Ask::Capacity => return closed(base),
            Ask::Window(rate) => (rate, self.window(rate), WARMUP),
            Ask::Confirm(rate) => {
                let share = base.duration.mul_f64(CONFIRM_SHARE);
                (rate, self.window(rate).max(share), WARMUP)
            }
            Ask::Full(rate) => (rate, base.duration, base.warmup),
        };
        Workload {
            duration,
            warmup,
            ..base.at_rate(rate)
        }
    }

    fn window(&self, rate: f64) -> Duration {
        let seconds = SAMPLES_BEYOND / (1.0 - self.q) / rate;
        Duration::from_secs_f64(seconds.clamp(WINDOW_S.0, WINDOW_S.1))
    }

    fn judge(&self, ask: Ask, result: &LoadResult) -> Seen {
        let reasons = &result.validity.reasons;
        let died = |reason: &&Reason| matches!(reason, Reason::ServerDied { .. });
        if let Some(reason) = reasons.iter().find(died) {
            return Seen::Died(reason.to_string());
        }
        let disturbance = reasons.iter().find(|reason| reason.is_disturbance());
        if ask == Ask::Capacity {
            return Seen::Capacity {
                per_s: result.metrics.ops_per_s,
                disturbed: disturbance.map(ToString::to_string),
            };
        }
        let response = &result.metrics.response_us;
        let value_us = response.percentile(self.percentile).unwrap_or(0.0);
        let broken = reasons.iter().find(|reason| !reason.is_disturbance());
        let met = response.count > 0
            && broken.is_none()
            && value_us < self.limit.as_secs_f64() * 1e6
            && !response.at_least.contains(&self.percentile);
        match disturbance {
            disturbance if met => Seen::Met {
                value_us,
                disturbed: disturbance.is_some(),
            },
            Some(reason) => Seen::Disturbed {
                value_us,
                why: reason.to_string(),
            },
            None => Seen::Missed {
                value_us,
                why: broken.map_or_else(|| self.shortfall(result, value_us), ToString::to_string),
            },
        }
    }

    /// A sentence about how the objective was missed.
    fn shortfall(&self, result: &LoadResult, value_us: f64) -> String {
        let cores = result.metrics.server_cores.map_or(String::new(), |cores| {
            format!("; the server used {cores:.2} cores")
        });
        let held = result.transport.as_ref().and_then(|seen| seen.why.as_ref());
        let held = held.map_or(String::new(), |why| format!("; {why}"));
        format!(
            "{} was {:.2} ms{cores}{held}",
            self.percentile,
            value_us / 1e3
        )
    }
}

/// A closed loop that measures the server's capacity. Each connection has about as many requests in flight as in an
/// open loop that the server cannot keep up with.
pub(super) fn closed(base: &Workload) -> Workload {
    Workload {
        pace: Loop::Closed,
        pipeline: base.pipeline.min(CAPACITY_PIPELINE),
        duration: Duration::from_secs(1),
        warmup: Duration::from_millis(300),
        ..base.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::recorder::times;
    use crate::load::{Metrics, Validity};

    const LIMIT: &str = "p99<5ms";

    /// The result of a load with this 99th percentile and these reasons.
    fn result(p99_ms: f64, reasons: Vec<Reason>) -> LoadResult {
        let mut metrics = Metrics {
            ops: 1000,
            ops_per_s: 2000.0,
            ..Metrics::default()
        };
        metrics.response_us.count = 1000;
        metrics.response_us.p99 = p99_ms * 1e3;
        LoadResult {
            metrics,
            validity: Validity {
                valid: reasons.is_empty(),
                reasons,
                ..Validity::default()
            },
            intervals: Vec::new(),
            transport: None,
            histogram: times(),
            service_histogram: times(),
        }
    }

    fn objective() -> Slo {
        LIMIT.parse().unwrap()
    }

    fn judged(p99_ms: f64, reasons: Vec<Reason>) -> Seen {
        objective().judge(Ask::Window(1000.0), &result(p99_ms, reasons))
    }

    fn starved() -> Reason {
        Reason::ClientStarved { share: 0.3 }
    }

    #[test]
    fn objectives_are_parsed() {
        assert_eq!(objective().percentile, "p99");
        assert_eq!("p99.9<=2s".parse::<Slo>().unwrap().percentile, "p999");
        for wrong in ["p99", "p98<5ms", "p99<5", "p99>5ms"] {
            assert!(wrong.parse::<Slo>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_disturbed_window_counts_only_if_it_meets_the_objective() {
        let met = |disturbed| Seen::Met {
            value_us: 1e3,
            disturbed,
        };
        assert_eq!(judged(1.0, vec![]), met(false));
        assert_eq!(judged(1.0, vec![starved()]), met(true));
        assert!(
            matches!(judged(50.0, vec![]), Seen::Missed { why, .. } if why.contains("50.00 ms"))
        );
        assert!(
            matches!(judged(50.0, vec![starved()]), Seen::Disturbed { why, .. } if why.contains("client-starved"))
        );
    }

    #[test]
    fn fast_replies_do_not_make_up_for_missing_ones() {
        let short = Reason::RateNotReached {
            replies_per_s: 500.0,
            due_per_s: 1000.0,
            ratio: 0.5,
        };
        assert!(
            matches!(judged(1.0, vec![short]), Seen::Missed { why, .. } if why.contains("rate-not-reached"))
        );
        let mut censored = result(1.0, vec![]);
        censored.metrics.response_us.at_least = vec!["p99"];
        let seen = objective().judge(Ask::Window(1000.0), &censored);
        assert!(matches!(seen, Seen::Missed { .. }));
        let died = Reason::ServerDied {
            after_s: 0.1,
            end: "was killed".into(),
            first: None,
        };
        assert!(matches!(judged(1.0, vec![starved(), died]), Seen::Died(_)));
    }

    #[test]
    fn an_interrupt_ends_the_search() {
        let mut loads = 0;
        let found = search(objective(), &Workload::default(), &mut |_| {
            loads += 1;
            Ok((loads < 3).then(|| result(1.0, vec![])))
        });
        let found = found.unwrap();
        assert_eq!(loads, 3);
        assert!(found.report.inconclusive.is_some() && found.last.is_some());
    }

    /// The full report is that of a load at the answer, as long as the workload demands.
    #[test]
    fn the_last_load_is_the_full_one_at_the_answer() {
        let base = Workload {
            duration: Duration::from_secs(4),
            ..Workload::default()
        };
        let found = search(objective(), &base, &mut |load| {
            let Loop::Open { rate, .. } = load.pace else {
                return Ok(Some(result(1.0, vec![])));
            };
            // A queue that grows slowly exceeds the limit in a long load only.
            let limit = if load.duration < base.duration {
                1000.0
            } else {
                700.0
            };
            Ok(Some(result(if rate <= limit { 1.0 } else { 50.0 }, vec![])))
        });
        let found = found.unwrap();
        let (workload, last) = found.last.unwrap();
        let answer = found.report.highest_passing_per_s.unwrap();
        assert!((500.0..=700.0).contains(&answer), "{:?}", found.report);
        assert!(matches!(workload.pace, Loop::Open { rate, .. } if rate == answer));
        assert_eq!(workload.duration, base.duration);
        assert_eq!(last.metrics.response_us.p99, 1e3);
        assert!(found.report.lowest_failing_per_s.unwrap() > 700.0);
        assert!(found.report.gave_way.unwrap().contains("50.00 ms"));
    }
}

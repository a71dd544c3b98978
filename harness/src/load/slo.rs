//! The highest rate that meets a service-level objective, as an interval, and what gave way above it.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::Serialize;

use super::engine::EngineError;
use super::metrics::PERCENTILES;
use super::reason::joined;
use super::result::LoadResult;
use super::workload::{Arrivals, Pace, Workload};
use crate::text::duration;

/// Windows at each rate of the search.
const SEARCH_WINDOWS: usize = 3;
/// Fresh windows that confirm the answer, and that a little more is too much.
const CONFIRM_WINDOWS: usize = 5;
/// How much more.
const ABOVE: f64 = 1.05;
/// Requests under way on a connection while the capacity is measured.
const CAPACITY_PIPELINE: usize = 16;
/// The search ends when the passing and the failing rate are so close.
const CLOSE: f64 = 1.05;
/// Steps of the search at most, and of the confirmation.
const STEPS_MAX: usize = 12;
const CONFIRMATIONS_MAX: usize = 6;
/// A window that we ourselves spoiled is repeated so often.
const REPEATS: usize = 2;
/// A percentile stands on so many samples beyond it; a window is made as long as that takes.
const SAMPLES_BEYOND: f64 = 100.0;
const WINDOW_S: (f64, f64) = (0.5, 5.0);
/// An objective, such as `p99<5ms`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Slo {
    /// The name of the percentile in [`super::Latency`].
    pub percentile: &'static str,
    /// The same as a share.
    pub q: f64,
    /// Response times have to be below this.
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

/// The answer.
#[derive(Debug, Clone, Default, Serialize)]
pub struct SloReport {
    /// The objective, as it was given.
    pub objective: String,
    /// Replies a second of a closed loop: where the search began.
    pub capacity_per_s: f64,
    /// Highest rate that met the objective in most of the confirming windows, requests a second.
    pub highest_passing_per_s: Option<f64>,
    /// Lowest rate that did not.
    pub lowest_failing_per_s: Option<f64>,
    /// What happened at the lowest failing rate.
    pub gave_way: Option<String>,
    /// Why no higher rate could be asked, if the limit is ours and not the server's.
    pub our_limit: Option<String>,
    /// Why there is no answer, if there is none.
    pub inconclusive: Option<String>,
    /// Every rate that was tried, in that order.
    pub tried: Vec<Tried>,
}

/// One rate.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Tried {
    /// Requests a second.
    pub rate: f64,
    /// Windows that met the objective.
    pub passed: usize,
    /// Of so many.
    pub windows: usize,
    /// The percentile in the middle window, in microseconds.
    pub value_us: f64,
}

/// Puts one load on the server.
pub type Probe<'a> = &'a mut dyn FnMut(&Workload) -> Result<LoadResult, EngineError>;

/// Looks for the highest rate that meets the objective.
///
/// # Errors
/// A load could not begin.
pub fn search(slo: Slo, base: &Workload, probe: Probe<'_>) -> Result<SloReport, EngineError> {
    let mut search = Search {
        slo,
        base,
        probe,
        report: SloReport::default(),
    };
    let found = search.run();
    let mut report = search.report;
    match found {
        Ok(()) => {}
        Err(Stop::Engine(error)) => return Err(error),
        Err(Stop::Ours(why)) => report.inconclusive = Some(why),
    }
    Ok(report)
}

/// Why a search ends without an answer.
enum Stop {
    Engine(EngineError),
    /// The figures could not be trusted, and the fault is not the server's.
    Ours(String),
}

struct Search<'a> {
    slo: Slo,
    base: &'a Workload,
    probe: Probe<'a>,
    report: SloReport,
}

/// What the windows of one rate said.
struct Seen {
    passes: bool,
    why: String,
}

impl Search<'_> {
    fn run(&mut self) -> Result<(), Stop> {
        let capacity = self.capacity()?;
        self.report.capacity_per_s = capacity;
        let (mut passing, mut failing) = (None, None);
        let mut rate = capacity * 0.7;
        for _ in 0..STEPS_MAX {
            match self.meets(rate, SEARCH_WINDOWS) {
                Ok(seen) if seen.passes => passing = Some(rate),
                Ok(_) => failing = Some(rate),
                // Higher than we can ask: what was met so far is an answer all the same.
                Err(Stop::Ours(why)) if passing.is_some() => {
                    self.report.our_limit = Some(why);
                    break;
                }
                Err(stop) => return Err(stop),
            }
            rate = match (passing, failing) {
                (Some(low), Some(high)) if high <= low * CLOSE => break,
                (Some(low), Some(high)) => (low * high).sqrt(),
                (Some(low), None) => low * 1.5,
                (None, Some(high)) if high < capacity / 1000.0 => break,
                (None, Some(high)) => high / 2.0,
                (None, None) => break,
            };
        }
        self.confirm(passing, failing)
    }

    /// What a closed loop reaches in a second: where the search begins, no more.
    fn capacity(&mut self) -> Result<f64, Stop> {
        let result = (self.probe)(&closed(self.base)).map_err(Stop::Engine)?;
        if result.metrics.ops == 0 {
            return Err(Stop::Ours(joined(&result.validity.reasons)));
        }
        Ok(result.metrics.ops_per_s)
    }

    /// Fresh windows at the answer, and a little above it; it gives way where they disagree.
    fn confirm(&mut self, passing: Option<f64>, failing: Option<f64>) -> Result<(), Stop> {
        self.report.lowest_failing_per_s = failing;
        let Some(mut rate) = passing else {
            return Ok(());
        };
        for _ in 0..CONFIRMATIONS_MAX {
            let here = self.meets(rate, CONFIRM_WINDOWS)?;
            if !here.passes {
                self.report.lowest_failing_per_s = Some(rate);
                self.report.gave_way = Some(here.why);
                rate /= ABOVE;
                continue;
            }
            self.report.highest_passing_per_s = Some(rate);
            if self.report.our_limit.is_some() {
                return Ok(());
            }
            let above = self.meets(rate * ABOVE, CONFIRM_WINDOWS)?;
            if !above.passes {
                self.report.lowest_failing_per_s = Some(rate * ABOVE);
                self.report.gave_way = Some(above.why);
                return Ok(());
            }
            rate *= ABOVE;
            self.report.highest_passing_per_s = Some(rate);
        }
        Ok(())
    }

    /// Whether most windows at this rate meet the objective.
    fn meets(&mut self, rate: f64, windows: usize) -> Result<Seen, Stop> {
        let (mut values, mut passed, mut why) = (Vec::new(), 0, String::new());
        for _ in 0..windows {
            let result = self.window(rate)?;
            let value = result.metrics.response_us.percentile(self.slo.percentile);
            let value = value.unwrap_or(f64::INFINITY);
            let fails = self.shortfall(&result, value);
            passed += usize::from(fails.is_none());
            values.push(value);
            why = fails.unwrap_or(why);
        }
        self.report.tried.push(Tried {
            rate,
            passed,
            windows,
            value_us: crate::stats::median(&values).unwrap_or(0.0),
        });
        let passes = 2 * passed > windows;
        if !passes {
            self.report.gave_way = Some(why.clone());
        }
        Ok(Seen { passes, why })
    }

    /// One window; repeated if it was spoiled by ourselves or the machine.
    fn window(&mut self, rate: f64) -> Result<LoadResult, Stop> {
        let arrivals = match self.base.pace {
            Pace::Open { arrivals, .. } => arrivals,
            Pace::Closed => Arrivals::Constant,
        };
        let seconds = SAMPLES_BEYOND / (1.0 - self.slo.q) / rate;
        let workload = Workload {
            pace: Pace::Open {
                rate,
                rate_to: rate,
                arrivals,
            },
            duration: Duration::from_secs_f64(seconds.clamp(WINDOW_S.0, WINDOW_S.1)),
            warmup: Duration::from_millis(200),
            ..self.base.clone()
        };
        let mut spoiled = String::new();
        for _ in 0..=REPEATS {
            let result = (self.probe)(&workload).map_err(Stop::Engine)?;
            let ours = result
                .validity
                .reasons
                .iter()
                .find(|reason| reason.is_disturbance());
            match ours {
                None => return Ok(result),
                Some(reason) => spoiled = reason.to_string(),
            }
        }
        Err(Stop::Ours(format!(
            "at {rate:.0} requests a second: {spoiled}"
        )))
    }

    /// Why a window does not meet the objective, in a sentence.
    fn shortfall(&self, result: &LoadResult, value: f64) -> Option<String> {
        if let Some(reason) = result.validity.reasons.first() {
            return Some(reason.to_string());
        }
        let limit = self.slo.limit.as_secs_f64() * 1e6;
        if value < limit {
            return None;
        }
        let cores = result.metrics.server_cores.map_or(String::new(), |cores| {
            format!("; the server used {cores:.2} cores")
        });
        let held = result.transport.as_ref().and_then(|seen| seen.why.as_ref());
        let held = held.map_or(String::new(), |why| format!("; {why}"));
        Some(format!(
            "{} was {:.2} ms{cores}{held}",
            self.slo.percentile,
            value / 1e3
        ))
    }
}

/// A closed loop that finds out what the server can do: with as much under way on each connection as an
/// open loop would have when the server falls behind.
pub(super) fn closed(base: &Workload) -> Workload {
    Workload {
        pace: Pace::Closed,
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
    use crate::load::{Metrics, Reason, Validity};

    /// A server that answers in 1 ms up to 1,000 requests a second and in 50 ms above.
    fn knee_at_1000(workload: &Workload) -> LoadResult {
        let rate = match workload.pace {
            Pace::Open { rate, .. } => rate,
            Pace::Closed => 2000.0,
        };
        let mut metrics = Metrics {
            ops: 1000,
            ops_per_s: rate,
            ..Metrics::default()
        };
        metrics.response_us.p99 = if rate <= 1000.0 { 1e3 } else { 5e4 };
        LoadResult {
            metrics,
            validity: Validity {
                valid: true,
                ..Validity::default()
            },
            intervals: Vec::new(),
            transport: None,
            histogram: times(),
            service_histogram: times(),
        }
    }

    fn objective() -> Slo {
        "p99<5ms".parse().unwrap()
    }

    #[test]
    fn objectives_are_read() {
        assert_eq!(objective().percentile, "p99");
        assert_eq!("p99.9<=2s".parse::<Slo>().unwrap().percentile, "p999");
        for wrong in ["p99", "p98<5ms", "p99<5", "p99>5ms"] {
            assert!(wrong.parse::<Slo>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_knee_is_found_from_both_sides() {
        let base = Workload::default();
        let report = search(objective(), &base, &mut |load| Ok(knee_at_1000(load))).unwrap();
        let (low, high) = (
            report.highest_passing_per_s.unwrap(),
            report.lowest_failing_per_s.unwrap(),
        );
        assert!(
            low <= 1000.0 && high > 1000.0 && high / low < 1.06,
            "{low} {high}"
        );
        assert!(report.gave_way.unwrap().contains("50.00 ms"));
        assert!(report.inconclusive.is_none());
    }

    #[test]
    fn a_client_that_was_starved_gives_no_answer() {
        let base = Workload::default();
        let mut starved = |load: &Workload| {
            let mut result = knee_at_1000(load);
            result
                .validity
                .reasons
                .push(Reason::ClientStarved { share: 0.3 });
            Ok(result)
        };
        let report = search(objective(), &base, &mut starved).unwrap();
        assert!(report.inconclusive.unwrap().contains("client-starved"));
        assert_eq!(report.highest_passing_per_s, None);
    }

    #[test]
    fn a_rate_that_we_cannot_ask_ends_the_search_and_not_the_answer() {
        let base = Workload::default();
        let mut limited = |load: &Workload| {
            let mut result = knee_at_1000(load);
            result.metrics.response_us.p99 = 1e3;
            if matches!(load.pace, Pace::Open { rate, .. } if rate > 3000.0) {
                result
                    .validity
                    .reasons
                    .push(Reason::SendLag { p99_ms: 3.0 });
            }
            Ok(result)
        };
        let report = search(objective(), &base, &mut limited).unwrap();
        assert!(report.highest_passing_per_s.unwrap() > 2000.0);
        assert!(report.our_limit.unwrap().contains("send-lag"));
        assert_eq!(
            (report.lowest_failing_per_s, report.inconclusive),
            (None, None)
        );
    }

    #[test]
    fn an_objective_that_no_rate_meets() {
        let base = Workload::default();
        let mut slow = |load: &Workload| {
            let mut result = knee_at_1000(load);
            result.metrics.response_us.p99 = 1e6;
            Ok(result)
        };
        let report = search(objective(), &base, &mut slow).unwrap();
        assert_eq!(report.highest_passing_per_s, None);
        assert!(report.lowest_failing_per_s.unwrap() < 10.0);
    }
}

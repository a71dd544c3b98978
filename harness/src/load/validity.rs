//! Judges whether the figures of a load can be trusted. Pure.

use schemars::JsonSchema;
use serde::Serialize;

use super::engine::ThreadUsage;
use super::metrics::{Metrics, WindowSummary};
use super::note::Note;
use super::parts_reason::PartsReason;
use super::reason::Reason;
use super::run::Measurement;
use super::workload::{Loop, Workload};
use crate::stats::{median, rank_sum_p};

/// Maximum share of the period in which an engine thread may be runnable but not running.
const STARVED_WALL: f64 = 0.05;
/// Maximum share of its running and waiting time that an engine thread may wait, for loads that use little CPU.
const STARVED_ACTIVE: f64 = 0.25;
/// [`STARVED_ACTIVE`] applies only if the thread waited for more than this share of the period: a few long waits in a
/// light load are no evidence.
const STARVED_LEAST: f64 = 0.01;
/// An engine thread that runs for at least this share of the period limits the rate, unless the server does.
const SATURATED: f64 = 0.97;
/// A server that uses at least this share of its cores limits the rate.
const SERVER_SATURATED: f64 = 0.85;
/// Minimum ratio of replies to due requests.
const ACHIEVED: f64 = 0.95;
/// Maximum 99th percentile of the send lag, in microseconds.
const LAG_US: f64 = 1_000.0;
/// Maximum stolen time, in percent.
const STEAL_PERCENT: f64 = 5.0;
/// Maximum factor between the rates in the first and the last third of the period.
const DRIFT: f64 = 1.15;
/// Median service times that hint at delayed ACKs, in microseconds: Linux sends them after 40 ms, and timers are late.
const DELAYED_ACK_US: std::ops::Range<f64> = 38_000.0..50_000.0;
/// A server that uses fewer cores is not what takes the time.
const IDLE_CORES: f64 = 0.2;
/// Minimum time that a request waits for a connection to be worth a note, as a share of its service time.
const WAITED: f64 = 0.1;
/// The same in microseconds: a few are spent between two readings of the clock.
const WAITED_LEAST_US: f64 = 50.0;
/// Significance level of the test that these rates differ.
const DRIFT_P: f64 = 0.01;

/// Whether the figures of a load can be trusted, and the evidence.
#[derive(Debug, Clone, Default, JsonSchema, Serialize)]
pub struct Validity {
    /// Whether the figures can be trusted: there are no `reasons`.
    pub valid: bool,
    /// Why the figures cannot be trusted.
    pub reasons: Vec<Reason>,
    /// Limits on what the figures show; they do not make them invalid.
    pub notes: Vec<Note>,
    /// Delay from the intended to the actual send, where the client caused it, in microseconds.
    pub send_lag_us: Lag,
    /// Open loop: replies received in the measured period divided by the requests due in it.
    pub achieved_ratio: Option<f64>,
    /// Connections that ended unexpectedly.
    pub connections_lost: u64,
    /// Connections that could not be opened before the load began.
    pub connections_missing: u64,
    /// Share of the period in which the busiest engine thread ran.
    pub client_busy: f64,
    /// Share of the period in which the most starved engine thread was runnable but not running.
    pub client_starved: f64,
    /// CPU time stolen by the hypervisor, in percent.
    pub steal_percent: f64,
    /// How often the control group was throttled.
    pub throttled: u64,
    /// Descriptions of the first failures.
    pub troubles: Vec<String>,
}

/// Percentiles of the send lag, in microseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, JsonSchema, Serialize)]
pub struct Lag {
    /// Median.
    pub p50: f64,
    /// 99th percentile.
    pub p99: f64,
    /// Maximum.
    pub max: f64,
}

impl Validity {
    /// Judges a load.
    pub fn judge(
        workload: &Workload,
        measured: &Measurement,
        metrics: &Metrics,
        windows: &[WindowSummary],
    ) -> Self {
        let tally = &measured.tally;
        let lag = |q| measured.lag.value_at_quantile(q) as f64 / 1e3;
        let most =
            |share: fn(&ThreadUsage) -> f64| measured.threads.iter().map(share).fold(0.0, f64::max);
        let due = tally.due + tally.unsent;
        let mut validity = Self {
            send_lag_us: Lag {
                p50: lag(0.5),
                p99: lag(0.99),
                max: measured.lag.max() as f64 / 1e3,
            },
            achieved_ratio: (workload.is_open() && due > 0)
                .then(|| metrics.ops as f64 / due as f64),
            connections_lost: tally.lost,
            connections_missing: tally.missing,
            client_busy: most(ThreadUsage::busy_share),
            client_starved: most(ThreadUsage::starved_share),
            steal_percent: measured.machine.steal_percent(),
            throttled: measured.machine.throttled,
            troubles: tally.troubles.clone(),
            ..Self::default()
        };
        validity.judge_start(measured);
        validity.judge_server(measured, metrics);
        validity.judge_pace(workload, measured, metrics);
        validity.judge_machine(measured);
        validity.reasons.extend(drift(workload, windows));
        validity.valid = validity.reasons.is_empty();
        validity
    }

    /// Adds that the load did not start when it should.
    fn judge_start(&mut self, measured: &Measurement) {
        let late_s = measured.late.as_secs_f64();
        if late_s * 1e6 > LAG_US {
            self.reasons
                .push(PartsReason::StartedLate { late_s }.into());
        }
    }

    /// Adds the reasons that the server may have caused.
    fn judge_server(&mut self, measured: &Measurement, metrics: &Metrics) {
        let tally = &measured.tally;
        let first = || self.troubles.first().cloned();
        let ours = tally.connects_lacking > 0;
        let died = measured.died.as_ref().map(|end| Reason::ServerDied {
            after_s: measured.seconds,
            end: end.clone(),
            first: first(),
        });
        let waits = tally.lost == 0 && died.is_none() && !measured.interrupted;
        let found = [
            died,
            (tally.wrong > 0).then(|| Reason::WrongReplies {
                wrong: tally.wrong,
                replies: metrics.ops,
                first: first(),
            }),
            (tally.lost > 0).then(|| Reason::ConnectionsLost {
                lost: tally.lost,
                first: first(),
            }),
            (tally.missing > 0).then(|| Reason::ConnectionsMissing {
                missing: tally.missing,
                ours,
                first: first(),
            }),
            (tally.missing == 0 && tally.connect_failures > 0).then(|| Reason::ConnectFailed {
                failed: tally.connect_failures,
                ours,
                first: first(),
            }),
            (waits && metrics.unanswered > 0).then(|| Reason::Unanswered {
                requests: metrics.unanswered,
                first: first(),
            }),
            (metrics.ops == 0).then(|| Reason::NoReplies { first: first() }),
        ];
        self.reasons.extend(found.into_iter().flatten());
    }

    /// Adds reasons why the load deviates from the workload, and a note if the client was the limit.
    fn judge_pace(&mut self, workload: &Workload, measured: &Measurement, metrics: &Metrics) {
        if let (Some(ratio), Loop::Open { rate, rate_to, .. }) =
            (self.achieved_ratio, workload.pace)
            && ratio < ACHIEVED
        {
            self.reasons.push(Reason::RateNotReached {
                replies_per_s: metrics.ops_per_s,
                due_per_s: f64::midpoint(rate, rate_to) / workload.part.count as f64,
                ratio,
            });
        }
        if self.send_lag_us.p99 > LAG_US {
            self.reasons.push(Reason::SendLag {
                p99_ms: self.send_lag_us.p99 / 1e3,
            });
        }
        let server_cores = measured.server.and(metrics.server_cores);
        let server_saturated = measured.server.is_some_and(|server| {
            let cores = server.threads.clamp(1, measured.server_cpus.max(1));
            server_cores.unwrap_or(0.0) >= SERVER_SATURATED * cores as f64
        });
        if self.client_busy >= SATURATED && !server_saturated {
            self.notes.push(Note::ClientSaturated {
                busy: self.client_busy,
                server_cores,
            });
        }
        self.notes.extend(delayed_acks(metrics, server_cores));
        self.notes.extend(one_at_a_time(workload, metrics));
    }

    /// Adds the disturbances by the machine.
    fn judge_machine(&mut self, measured: &Measurement) {
        let starved = measured.threads.iter().any(|thread| {
            let (waited, ran) = (thread.starved_share(), thread.busy_share());
            let of_active = waited / (waited + ran).max(f64::MIN_POSITIVE);
            waited > STARVED_WALL || (waited > STARVED_LEAST && of_active > STARVED_ACTIVE)
        });
        let found = [
            starved.then_some(Reason::ClientStarved {
                share: self.client_starved,
            }),
            (self.steal_percent > STEAL_PERCENT).then_some(Reason::Steal {
                percent: self.steal_percent,
            }),
            (self.throttled > 0).then_some(Reason::Throttled {
                times: self.throttled,
            }),
        ];
        self.reasons.extend(found.into_iter().flatten());
    }
}

/// Detects replies that take as long as a delayed ACK while the server has little to do.
fn delayed_acks(metrics: &Metrics, server_cores: Option<f64>) -> Option<Note> {
    let p50 = metrics.service_us.p50;
    let is_idle = server_cores.is_none_or(|cores| cores < IDLE_CORES);
    (DELAYED_ACK_US.contains(&p50) && is_idle).then_some(Note::DelayedAcks {
        p50_ms: p50 / 1e3,
        server_cores,
    })
}

/// Detects requests of an open loop that wait for a connection, since each carries one at a time.
fn one_at_a_time(workload: &Workload, metrics: &Metrics) -> Option<Note> {
    let waited = metrics.response_us.mean - metrics.service_us.mean;
    let is_notable = waited > WAITED * metrics.service_us.mean && waited > WAITED_LEAST_US;
    (workload.is_open() && workload.pipeline == 1 && is_notable).then_some(Note::OneAtATime {
        waited_ms: waited / 1e3,
        connections: workload.connections,
    })
}

/// Detects a closed loop whose rate changes: the server was still warming up, so the mean rate is meaningless.
fn drift(workload: &Workload, windows: &[WindowSummary]) -> Option<Reason> {
    if workload.is_open() || workload.ramp_connections_from.is_some() || windows.len() < 12 {
        return None;
    }
    let third = windows.len() / 3;
    let rates = |part: &[WindowSummary]| -> Vec<f64> {
        part.iter().map(|window| window.ops_per_s).collect()
    };
    let (first, last) = (
        rates(&windows[..third]),
        rates(&windows[windows.len() - third..]),
    );
    let (before_per_s, after_per_s) = (median(&first)?, median(&last)?);
    let factor = after_per_s / before_per_s.max(f64::MIN_POSITIVE);
    let drifts = !(1.0 / DRIFT..DRIFT).contains(&factor) && rank_sum_p(&first, &last) < DRIFT_P;
    drifts.then_some(Reason::NotStationary {
        before_per_s,
        after_per_s,
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::load::engine::Tally;
    use crate::load::recorder::times;
    use crate::load::{Fault, Measurement};

    /// An undisturbed second with 1,000 right replies.
    fn measured(tally: Tally) -> Measurement {
        let usage = ThreadUsage {
            cpu: Duration::from_millis(500),
            wall: Duration::from_secs(1),
            ..ThreadUsage::default()
        };
        Measurement {
            period: crate::load::recorder::MeasuredPeriod::default(),
            seconds: 1.0,
            windows: Vec::new(),
            unanswered: times(),
            lag: times(),
            tally,
            threads: vec![usage],
            ends: Vec::new(),
            server: None,
            machine: crate::load::machine::Machine::default(),
            died: None,
            interrupted: false,
            late: Duration::ZERO,
            server_cpus: 1,
        }
    }

    fn judged(measured: &Measurement) -> Validity {
        let metrics = Metrics {
            ops: 1000,
            ops_per_s: 1000.0,
            ..Metrics::default()
        };
        Validity::judge(&Workload::default(), measured, &metrics, &[])
    }

    #[test]
    fn missing_connections_are_the_fault_of_whoever_ran_out() {
        let missing = |connects_lacking| {
            let validity = judged(&measured(Tally {
                missing: 7,
                connect_failures: 9,
                connects_lacking,
                ..Tally::default()
            }));
            assert!(
                !validity.valid && validity.reasons.len() == 1,
                "{validity:?}"
            );
            (validity.reasons[0].word(), validity.reasons[0].fault())
        };
        assert_eq!(missing(0), ("connections-missing", Fault::Server));
        assert_eq!(missing(9), ("connections-missing", Fault::Client));
    }

    #[test]
    fn an_undisturbed_load_is_valid_and_a_starved_one_is_not() {
        assert!(judged(&measured(Tally::default())).valid);
        let mut starved = measured(Tally::default());
        starved.threads[0].starved = Duration::from_millis(93);
        let validity = judged(&starved);
        let expected = Reason::ClientStarved { share: 0.093 };
        assert_eq!(validity.reasons, [expected]);
    }

    #[test]
    fn a_start_later_than_agreed_is_told() {
        let mut late = measured(Tally::default());
        late.late = Duration::from_micros(900);
        assert!(judged(&late).valid);
        late.late = Duration::from_millis(250);
        let validity = judged(&late);
        let told: Vec<String> = validity.reasons.iter().map(ToString::to_string).collect();
        assert!(
            told[0].starts_with("started-late: 250.0 ms after"),
            "{told:?}"
        );
    }

    /// The notes of a load with this median and mean of the service time and this mean of the response time, in microseconds.
    fn noted(workload: &Workload, service: f64, response: f64, cores: f64) -> Vec<&'static str> {
        let mut metrics = Metrics {
            ops: 1000,
            ops_per_s: 1000.0,
            server_cores: Some(cores),
            ..Metrics::default()
        };
        metrics.service_us.p50 = service;
        metrics.service_us.mean = service;
        metrics.response_us.mean = response;
        let mut measured = measured(Tally::default());
        measured.server = Some(crate::load::ServerUse::default());
        let validity = Validity::judge(workload, &measured, &metrics, &[]);
        validity.notes.iter().map(Note::word).collect()
    }

    #[test]
    fn forty_milliseconds_of_an_idle_server_are_a_note() {
        let closed = Workload::default();
        let noted = |service, cores| noted(&closed, service, service, cores);
        assert_eq!(noted(41_200.0, 0.02), ["delayed-acks"]);
        assert!(noted(41_200.0, 0.9).is_empty(), "the server computes");
        assert!(noted(20_000.0, 0.02).is_empty());
        assert!(noted(60_000.0, 0.02).is_empty());
    }

    #[test]
    fn requests_that_wait_for_a_connection_are_a_note() {
        let open = |pipeline| Workload {
            pace: Loop::Open {
                rate: 100.0,
                rate_to: 100.0,
                arrivals: crate::load::Arrivals::Poisson,
            },
            pipeline,
            ..Workload::default()
        };
        assert_eq!(noted(&open(1), 1_000.0, 1_500.0, 0.1), ["one-at-a-time"]);
        assert!(noted(&open(1), 1_000.0, 1_020.0, 0.1).is_empty());
        assert!(noted(&open(8), 1_000.0, 1_500.0, 0.1).is_empty());
        assert!(noted(&Workload::default(), 1_000.0, 1_500.0, 0.1).is_empty());
    }

    #[test]
    fn a_busy_client_is_a_note() {
        let mut busy = measured(Tally::default());
        busy.threads[0].cpu = Duration::from_millis(980);
        let validity = judged(&busy);
        assert!(validity.valid);
        assert!(matches!(
            validity.notes[..],
            [Note::ClientSaturated {
                server_cores: None,
                ..
            }]
        ));
    }
}

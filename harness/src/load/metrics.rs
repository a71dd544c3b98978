//! The reported figures of a load, computed from what it measured. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;

use super::recorder::{Times, Window, times};
use super::run::Measurement;
use super::workload::Workload;
use crate::stats::{ValueCounts, quantile_interval};

/// Minimum samples beyond a percentile; with fewer it is listed in [`Latency::too_few`].
const SAMPLES_BEYOND: f64 = 100.0;
/// Minimum windows with samples; with fewer all percentiles are listed there.
const WINDOWS: usize = 10;
/// Confidence level of the intervals.
const LEVEL: f64 = 0.95;

/// Names of the reported percentiles, and the quantiles they stand for.
pub(crate) const PERCENTILES: [(&str, f64); 4] =
    [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p999", 0.999)];

/// The figures of one load.
#[derive(Debug, Clone, Default, JsonSchema, Serialize)]
pub struct Metrics {
    /// Seconds of the measured period; fewer than planned if it was ended early.
    pub measured_s: f64,
    /// Replies received in the measured period.
    pub ops: u64,
    /// Replies per second.
    pub ops_per_s: f64,
    /// Bytes per second, sent and received.
    pub bytes_per_s: f64,
    /// Bytes sent in the measured period.
    pub bytes_sent: u64,
    /// Bytes received in the measured period.
    pub bytes_received: u64,
    /// Response time: microseconds from the intended start of a request to the last byte of its reply.
    pub response_us: Latency,
    /// Service time: microseconds from the write of a request's last byte to the last byte of its reply.
    pub service_us: Latency,
    /// TLS handshakes, in microseconds: from the ClientHello to the end of the handshake, including the server's waiting
    /// queue. Absent without TLS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub handshake_us: Option<Latency>,
    /// CPU time of the engine threads, in microseconds per reply.
    pub client_cpu_us_per_op: f64,
    /// CPU time of the server, in microseconds per reply.
    pub server_cpu_us_per_op: Option<f64>,
    /// CPU time of the server divided by the measured time.
    pub server_cores: Option<f64>,
    /// Peak resident memory of the server, in bytes.
    pub server_rss_peak_bytes: Option<u64>,
    /// Context switches of the engine threads per reply.
    pub client_context_switches_per_op: f64,
    /// Context switches of the server's threads per reply.
    pub server_context_switches_per_op: Option<f64>,
    /// Requests that got no reply; the percentiles include them with the time they had waited.
    pub unanswered: u64,
    /// Replies that differed from what the talk expects.
    pub wrong_replies: u64,
    /// Connections opened, including the warm-up.
    pub connects: u64,
    /// Connections that were closed as planned, by churn or by the talk.
    pub planned_closes: u64,
    /// Closes that the server announced in a reply.
    pub announced_closes: u64,
}

/// Distribution of a time, in microseconds.
#[derive(Debug, Clone, Default, PartialEq, JsonSchema, Serialize)]
pub struct Latency {
    /// Number of requests, including those without a reply.
    pub count: u64,
    /// Mean.
    pub mean: f64,
    /// Median.
    pub p50: f64,
    /// 90th percentile.
    pub p90: f64,
    /// 99th percentile.
    pub p99: f64,
    /// 99.9th percentile.
    pub p999: f64,
    /// Maximum.
    pub max: f64,
    /// 95 % confidence intervals of the percentiles, by name, estimated from the variation between windows.
    pub intervals: BTreeMap<&'static str, (f64, f64)>,
    /// Percentiles that are lower bounds, because requests at or below them got no reply.
    pub at_least: Vec<&'static str>,
    /// Percentiles that rest on fewer than 100 samples beyond them, or on fewer than 10 windows.
    pub too_few: Vec<&'static str>,
}

/// The figures of one window of the measured period.
#[derive(Debug, Clone, Copy, PartialEq, JsonSchema, Serialize)]
pub struct WindowSummary {
    /// Seconds from the start of the measured period to the start of the window.
    pub start_s: f64,
    /// Replies per second.
    pub ops_per_s: f64,
    /// Median response time, in microseconds.
    pub p50_us: f64,
    /// 99th percentile of the response time.
    pub p99_us: f64,
    /// Longest response time.
    pub max_us: f64,
}

impl Latency {
    /// The percentile, the mean or the maximum by name, such as `p99`.
    pub fn percentile(&self, name: &str) -> Option<f64> {
        match name {
            "p50" => Some(self.p50),
            "p90" => Some(self.p90),
            "p99" => Some(self.p99),
            "p999" => Some(self.p999),
            "mean" => Some(self.mean),
            "max" => Some(self.max),
            _ => None,
        }
    }

    /// Computes the distribution from the times of each window and the waiting times of unanswered requests.
    pub fn of(windows: &[&Times], unanswered: &Times, seed: u64) -> Self {
        let mut all = sum(windows);
        let _ = all.add(unanswered);
        if all.is_empty() {
            return Self::default();
        }
        let mut counts: Vec<ValueCounts> = windows.iter().map(|window| counts(window)).collect();
        counts.push(self::counts(unanswered));
        let filled = windows.iter().filter(|window| !window.is_empty()).count();
        let mut latency = Self {
            count: all.len(),
            mean: all.mean() / 1e3,
            max: all.max() as f64 / 1e3,
            ..Self::default()
        };
        for (name, q) in PERCENTILES {
            let nanos = all.value_at_quantile(q);
            *latency.place(name) = middle(&all, nanos);
            if !unanswered.is_empty() && nanos >= unanswered.min() {
                latency.at_least.push(name);
            }
            if all.len() as f64 * (1.0 - q) < SAMPLES_BEYOND || filled < WINDOWS {
                latency.too_few.push(name);
            }
            if let Some((low, high)) = quantile_interval(&counts, q, LEVEL, seed) {
                let ends = (low as f64 / 1e3, high as f64 / 1e3);
                latency.intervals.insert(name, ends);
            }
        }
        latency
    }

    fn place(&mut self, name: &str) -> &mut f64 {
        match name {
            "p50" => &mut self.p50,
            "p90" => &mut self.p90,
            "p99" => &mut self.p99,
            _ => &mut self.p999,
        }
    }
}

/// The middle of the histogram bucket of `nanos`, in microseconds: on average more exact than either end.
fn middle(times: &Times, nanos: u64) -> f64 {
    times.median_equivalent(nanos).min(times.max()) as f64 / 1e3
}

fn counts(times: &Times) -> ValueCounts {
    times
        .iter_recorded()
        .map(|step| (step.value_iterated_to(), step.count_since_last_iteration()))
        .collect()
}

impl Metrics {
    pub(super) fn of(workload: &Workload, measured: &Measurement) -> Self {
        let response: Vec<&Times> = measured
            .windows
            .iter()
            .map(|window| &window.response)
            .collect();
        let service: Vec<&Times> = measured
            .windows
            .iter()
            .map(|window| &window.service)
            .collect();
        let none = times();
        let handshakes = measured.tally.handshakes.as_ref();
        Self {
            response_us: Latency::of(&response, &measured.unanswered, workload.seed),
            service_us: Latency::of(&service, &none, workload.seed),
            handshake_us: handshakes
                .map(|handshakes| Latency::of(&[handshakes], &none, workload.seed)),
            ..Self::without_times(measured)
        }
    }

    /// The figures other than times, which take much longer to compute.
    pub(super) fn without_times(measured: &Measurement) -> Self {
        let ops: u64 = measured.windows.iter().map(|window| window.ops).sum();
        let per_op = |total: f64| if ops == 0 { 0.0 } else { total / ops as f64 };
        let per_second = |total: f64| {
            if measured.seconds > 0.0 {
                total / measured.seconds
            } else {
                0.0
            }
        };
        // Durations, unlike numbers, add up to the same sum in any order.
        let client_cpu: Duration = measured.threads.iter().map(|thread| thread.cpu).sum();
        let switches: u64 = measured
            .threads
            .iter()
            .map(|thread| thread.context_switches)
            .sum();
        let server = measured.server;
        let tally = &measured.tally;
        Self {
            measured_s: measured.seconds,
            ops,
            ops_per_s: per_second(ops as f64),
            bytes_per_s: per_second((tally.bytes.0 + tally.bytes.1) as f64),
            bytes_sent: tally.bytes.0,
            bytes_received: tally.bytes.1,
            client_cpu_us_per_op: per_op(client_cpu.as_secs_f64() * 1e6),
            server_cpu_us_per_op: server.map(|server| per_op(server.cpu.as_secs_f64() * 1e6)),
            server_cores: server.map(|server| per_second(server.cpu.as_secs_f64())),
            server_rss_peak_bytes: server.map(|server| server.rss_peak_bytes),
            client_context_switches_per_op: per_op(switches as f64),
            server_context_switches_per_op: server
                .map(|server| per_op(server.context_switches as f64)),
            unanswered: measured.unanswered.len(),
            wrong_replies: tally.wrong,
            connects: tally.connects,
            planned_closes: tally.planned_closes,
            announced_closes: tally.announced_closes,
            ..Self::default()
        }
    }
}

/// Summarizes the windows of the measured period, up to its end or early end.
pub(super) fn window_summaries(workload: &Workload, measured: &Measurement) -> Vec<WindowSummary> {
    let length = workload.duration.as_secs_f64() / measured.windows.len().max(1) as f64;
    let reached = (measured.seconds / length).round() as usize;
    let step = |(place, window): (usize, &Window)| {
        let at = |q| middle(&window.response, window.response.value_at_quantile(q));
        WindowSummary {
            start_s: place as f64 * length,
            ops_per_s: window.ops as f64 / length,
            p50_us: at(0.5),
            p99_us: at(0.99),
            max_us: window.response.max() as f64 / 1e3,
        }
    };
    measured
        .windows
        .iter()
        .enumerate()
        .take(reached)
        .map(step)
        .collect()
}

/// Merges the histograms of all windows.
pub(super) fn sum(windows: &[&Times]) -> Times {
    let mut all = times();
    for window in windows {
        // Adding cannot fail: all histograms have the same bounds.
        let _ = all.add(*window);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(values: impl IntoIterator<Item = u64>) -> Times {
        let mut times = times();
        values
            .into_iter()
            .for_each(|value| times.saturating_record(value));
        times
    }

    #[test]
    fn unanswered_requests_count_in_the_percentiles() {
        let windows: Vec<Times> = (0..10)
            .map(|_| filled((1..=980).map(|n| n * 1000)))
            .collect();
        let windows: Vec<&Times> = windows.iter().collect();
        let lost = filled(std::iter::repeat_n(5_000_000_000, 200));
        let latency = Latency::of(&windows, &lost, 1);
        assert_eq!(latency.count, 10_000);
        assert_eq!(latency.at_least, ["p99", "p999"]);
        assert!((latency.p99 / 5e6 - 1.0).abs() < 1e-3 && latency.p50 < 1000.0);
        let without = Latency::of(&windows, &times(), 1);
        assert!(without.at_least.is_empty() && without.p99 < 1000.0);
    }

    #[test]
    fn percentiles_with_too_few_samples_are_marked() {
        let window = filled((1..=1000).map(|n| n * 1000));
        let ten = vec![&window; 10];
        assert_eq!(Latency::of(&ten, &times(), 1).too_few, ["p999"]);
        let two = vec![&window; 2];
        assert_eq!(Latency::of(&two, &times(), 1).too_few.len(), 4);
        assert_eq!(Latency::of(&[], &times(), 1), Latency::default());
    }
}

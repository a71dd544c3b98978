//! The metrics that a gate compares, one file for each kind. Lower is better for all of them: throughput is inverted.

mod connection_cpu;
mod connection_memory;
mod counted;
mod cpu;
mod descriptors;
mod figures;
mod idle_cpu;
mod idle_wakeups;
mod load;
mod p50;
mod rss;
mod start_time;
mod threads;
mod wire_bytes;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::figures::SessionFigure;
pub use self::figures::SideFigures;
use crate::data::Unit;

/// A metric by which base and candidate are compared.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, JsonSchema, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Metric {
    /// Instructions of the server per operation, under callgrind.
    Instructions,
    /// System calls of the server per operation, under callgrind.
    Syscalls,
    /// Memory blocks that the server allocates per operation, under DHAT.
    Allocations,
    /// CPU time of the server per operation, bursts excluded: work in less than a quarter of the 20 ms blocks of a
    /// session does not move it.
    ServerCpu,
    /// CPU time of the server per operation, bursts included.
    ServerCpuAll,
    /// Median response time.
    P50,
    /// Resident memory of the server without file-backed pages; differences below 1 MiB do not count.
    Rss,
    /// Time from the start of the process until the server is ready; differences below 50 ms do not count.
    StartTime,
    /// Open descriptors of the server while it serves one client; differences below 8 do not count.
    Descriptors,
    /// Threads of the server while it serves one client; differences below 4 do not count.
    Threads,
    /// CPU usage of the server while nobody asks it anything, in cores; differences below 0.03 do not count.
    IdleCpu,
    /// How often its threads wake up per second meanwhile; differences below 30 do not count.
    IdleWakeups,
    /// CPU time per new connection, with the TLS handshake if there is one; differences below 20 µs do not count.
    ConnectionCpu,
    /// Memory that each idle connection takes; differences below 2 KiB do not count.
    ConnectionMemory,
    /// Bytes sent and received per operation; differences below 8 do not count.
    WireBytes,
    /// Time per operation over many connections: the inverse of throughput.
    Throughput,
    /// 99th percentile of response times over many connections.
    P99,
}

/// How a metric is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tier {
    /// Counted under valgrind: the same in every run.
    Deterministic,
    /// Both servers at the same time, in many short sessions.
    Duet,
    /// Loads on both servers in turn.
    Matrix,
}

impl Tier {
    /// What it does, in two or three words.
    pub(crate) fn about(self) -> &'static str {
        match self {
            Self::Deterministic => "counting under valgrind",
            Self::Duet => "duet",
            Self::Matrix => "loads in turn",
        }
    }
}

/// All metrics, in the order of display.
pub(crate) const ALL: [Metric; 17] = [
    Metric::ServerCpu,
    Metric::ServerCpuAll,
    Metric::P50,
    Metric::Rss,
    Metric::StartTime,
    Metric::Descriptors,
    Metric::Threads,
    Metric::IdleCpu,
    Metric::IdleWakeups,
    Metric::ConnectionCpu,
    Metric::ConnectionMemory,
    Metric::WireBytes,
    Metric::Instructions,
    Metric::Syscalls,
    Metric::Allocations,
    Metric::Throughput,
    Metric::P99,
];

/// What is known of a metric before it is measured.
struct MetricFacts {
    name: &'static str,
    about: &'static str,
    unit: Unit,
    tier: Tier,
    /// Default budget, as a share of the base.
    budget: f64,
    /// Whether it decides without a budget of the user.
    decides: bool,
    /// How it is read from a session of the duet; `None` for the other tiers.
    session: Option<SessionFigure>,
}

impl Metric {
    fn facts(self) -> &'static MetricFacts {
        match self {
            Self::Instructions => &counted::INSTRUCTIONS,
            Self::Syscalls => &counted::SYSCALLS,
            Self::Allocations => &counted::ALLOCATIONS,
            Self::ServerCpu => &cpu::SERVER_CPU,
            Self::ServerCpuAll => &cpu::SERVER_CPU_ALL,
            Self::P50 => &p50::P50,
            Self::Rss => &rss::RSS,
            Self::StartTime => &start_time::START_TIME,
            Self::Descriptors => &descriptors::DESCRIPTORS,
            Self::Threads => &threads::THREADS,
            Self::IdleCpu => &idle_cpu::IDLE_CPU,
            Self::IdleWakeups => &idle_wakeups::IDLE_WAKEUPS,
            Self::ConnectionCpu => &connection_cpu::CONNECTION_CPU,
            Self::ConnectionMemory => &connection_memory::CONNECTION_MEMORY,
            Self::WireBytes => &wire_bytes::WIRE_BYTES,
            Self::Throughput => &load::THROUGHPUT,
            Self::P99 => &load::P99,
        }
    }

    /// The name on the command line and in JSON.
    pub fn name(self) -> &'static str {
        self.facts().name
    }

    /// A short description for tables.
    pub(crate) fn about(self) -> &'static str {
        self.facts().about
    }

    /// The unit of its figures.
    pub(crate) fn unit(self) -> Unit {
        self.facts().unit
    }

    /// How it is measured.
    pub(crate) fn tier(self) -> Tier {
        self.facts().tier
    }

    /// Default budget: how much worse the candidate may be, as a share of the base.
    pub(crate) fn budget(self) -> f64 {
        self.facts().budget
    }

    /// Whether it decides by default. The others are only shown, unless they are given a budget.
    pub(crate) fn decides(self) -> bool {
        self.facts().decides
    }

    /// Whether a stored baseline contains it.
    pub(crate) fn is_counted(self) -> bool {
        matches!(self, Self::Instructions | Self::Syscalls)
    }

    /// Whether it measures the work of a CPU for operations.
    pub(crate) fn is_cpu_of_operations(self) -> bool {
        matches!(
            self,
            Self::ServerCpu | Self::ServerCpuAll | Self::Instructions
        )
    }

    /// Smallest difference that counts, in its unit.
    pub(crate) fn least(self) -> f64 {
        let session = self.facts().session.as_ref();
        session.map_or(0.0, |session| session.least)
    }

    /// Its figure of one side of a session; NaN if a duet does not measure it.
    pub(super) fn figure(self, side: &SideFigures) -> f64 {
        let session = self.facts().session.as_ref();
        session.map_or(f64::NAN, |session| (session.read)(side))
    }

    /// ln(candidate / base) of its figures in a session; 0 if they differ too little to count, NaN if a duet does not
    /// measure it.
    pub(super) fn log_ratio(self, base: &SideFigures, candidate: &SideFigures) -> f64 {
        let session = self.facts().session.as_ref();
        session.map_or(f64::NAN, |session| session.log_ratio(base, candidate))
    }

    /// The metric with this name.
    pub(crate) fn find(name: &str) -> Option<Self> {
        ALL.into_iter().find(|metric| metric.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_is_found_by_its_name_and_in_json_by_the_same() {
        for metric in ALL {
            assert_eq!(Metric::find(metric.name()), Some(metric));
            assert_eq!(serde_json::to_value(metric).unwrap(), metric.name());
            assert!((0.001..=0.5).contains(&metric.budget()));
        }
        assert_eq!(Metric::find("speed"), None);
    }

    #[test]
    fn all_of_a_duet_and_nothing_else_is_read_from_its_sessions() {
        for metric in ALL {
            let is_read = metric.facts().session.is_some();
            assert_eq!(is_read, metric.tier() == Tier::Duet, "{}", metric.name());
        }
    }
}

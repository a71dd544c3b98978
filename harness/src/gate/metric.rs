//! The metrics that a gate compares. Lower is better for all of them: throughput is inverted.

use serde::Serialize;

use crate::data::Unit;

/// A metric by which base and candidate are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
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
    /// Time per operation over many connections: the inverse of throughput.
    Throughput,
    /// 99th percentile of response times over many connections.
    P99,
}

/// How a metric is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tier {
    /// Counted under valgrind: the same in every run.
    Deterministic,
    /// Both servers at the same time, in many short sessions.
    Duet,
    /// Loads on both servers in turn.
    Matrix,
}

/// All metrics, in the order of display.
pub(crate) const ALL: [Metric; 9] = [
    Metric::ServerCpu,
    Metric::ServerCpuAll,
    Metric::P50,
    Metric::Rss,
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
    budget: f64,
    decides: bool,
}

/// In the order of the variants of [`Metric`].
const FACTS: [MetricFacts; 9] = [
    MetricFacts {
        name: "instructions",
        about: "instructions per operation",
        unit: Unit::Count,
        tier: Tier::Deterministic,
        budget: 0.02,
        decides: true,
    },
    MetricFacts {
        name: "syscalls",
        about: "system calls per operation",
        unit: Unit::Count,
        tier: Tier::Deterministic,
        budget: 0.02,
        decides: true,
    },
    MetricFacts {
        name: "allocations",
        about: "allocations per operation",
        unit: Unit::Count,
        tier: Tier::Deterministic,
        budget: 0.02,
        decides: false,
    },
    MetricFacts {
        name: "server-cpu",
        about: "server CPU per operation",
        unit: Unit::Micros,
        tier: Tier::Duet,
        budget: 0.02,
        decides: true,
    },
    MetricFacts {
        name: "server-cpu-all",
        about: "server CPU per operation, bursts included",
        unit: Unit::Micros,
        tier: Tier::Duet,
        budget: 0.05,
        decides: true,
    },
    MetricFacts {
        name: "p50",
        about: "median response time",
        unit: Unit::Micros,
        tier: Tier::Duet,
        budget: 0.05,
        decides: true,
    },
    MetricFacts {
        name: "rss",
        about: "resident memory without files",
        unit: Unit::Bytes,
        tier: Tier::Duet,
        budget: 0.10,
        decides: true,
    },
    MetricFacts {
        name: "throughput",
        about: "time per operation under load",
        unit: Unit::Micros,
        tier: Tier::Matrix,
        budget: 0.05,
        decides: false,
    },
    MetricFacts {
        name: "p99",
        about: "99th percentile under load",
        unit: Unit::Micros,
        tier: Tier::Matrix,
        budget: 0.20,
        decides: false,
    },
];

impl Metric {
    fn facts(self) -> &'static MetricFacts {
        &FACTS[self as usize]
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
}

//! What the gate looks at. More is worse in all of it; what is better when it is more is turned round.

use serde::Serialize;

/// A figure that base and candidate are compared by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Metric {
    /// Instructions of the server for each operation, under callgrind.
    Instructions,
    /// System calls of the server for each operation.
    Syscalls,
    /// Blocks of memory that the server allocates for each operation, under DHAT.
    Allocations,
    /// CPU time of the server for each operation, as it usually is: what happens in less than a quarter of
    /// the 20 ms blocks of a session does not move it.
    ServerCpu,
    /// CPU time of the server for each operation, all of it: what it does now and then as well.
    ServerCpuAll,
    /// Median response time.
    P50,
    /// Resident memory of the server, pages of files aside; less than 1 MiB is no difference.
    Rss,
    /// Time for each operation over many connections: the inverse of throughput.
    Throughput,
    /// 99th percentile of response times over many connections.
    P99,
}

/// Where a figure comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tier {
    /// Counted under valgrind: the same again in every run.
    Deterministic,
    /// Both servers at the same time, in many short sessions.
    Duet,
    /// Loads on both servers in turn.
    Matrix,
}

/// All of them, in the order in which they are shown.
pub const ALL: [Metric; 9] = [
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

impl Metric {
    /// Its name on the command line and in the JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Instructions => "instructions",
            Self::Syscalls => "syscalls",
            Self::Allocations => "allocations",
            Self::ServerCpu => "server-cpu",
            Self::ServerCpuAll => "server-cpu-all",
            Self::P50 => "p50",
            Self::Rss => "rss",
            Self::Throughput => "throughput",
            Self::P99 => "p99",
        }
    }

    /// What it is, in a few words.
    pub fn about(self) -> &'static str {
        match self {
            Self::Instructions => "instructions per operation",
            Self::Syscalls => "system calls per operation",
            Self::Allocations => "allocations per operation",
            Self::ServerCpu => "server CPU per operation",
            Self::ServerCpuAll => "server CPU per operation, bursts included",
            Self::P50 => "median response time",
            Self::Rss => "resident memory, files aside",
            Self::Throughput => "time per operation under load",
            Self::P99 => "99th percentile under load",
        }
    }

    /// Its unit.
    pub fn unit(self) -> &'static str {
        match self {
            Self::Instructions | Self::Syscalls | Self::Allocations => "",
            Self::ServerCpu | Self::ServerCpuAll | Self::P50 | Self::Throughput | Self::P99 => "us",
            Self::Rss => "bytes",
        }
    }

    /// Where it comes from.
    pub fn tier(self) -> Tier {
        match self {
            Self::Instructions | Self::Syscalls | Self::Allocations => Tier::Deterministic,
            Self::ServerCpu | Self::ServerCpuAll | Self::P50 | Self::Rss => Tier::Duet,
            Self::Throughput | Self::P99 => Tier::Matrix,
        }
    }

    /// By how much the candidate may be worse if nothing else is said, as a share of the base.
    pub fn budget(self) -> f64 {
        match self {
            Self::Instructions | Self::Syscalls | Self::Allocations | Self::ServerCpu => 0.02,
            Self::ServerCpuAll | Self::P50 | Self::Throughput => 0.05,
            Self::Rss => 0.10,
            Self::P99 => 0.20,
        }
    }

    /// Whether it decides without being asked for: the others are shown, and decide if they are given
    /// a budget.
    pub fn decides(self) -> bool {
        !matches!(self, Self::Allocations | Self::Throughput | Self::P99)
    }

    /// Whether a stored baseline has it.
    pub fn is_counted(self) -> bool {
        matches!(self, Self::Instructions | Self::Syscalls)
    }

    /// The metric of that name.
    pub fn find(name: &str) -> Option<Self> {
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

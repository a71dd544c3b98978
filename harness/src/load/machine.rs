//! CPU time that the client lost to the machine: time stolen by the hypervisor, and throttling.

use std::fs;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Counters of the machine, or their increase between two readings.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct Machine {
    /// Clock ticks of all cores.
    ticks: u64,
    /// Ticks that the hypervisor gave to other machines.
    stolen: u64,
    /// How often this process's control group was throttled because its CPU quota was used up.
    pub throttled: u64,
}

impl Machine {
    /// Reads the counters since boot. A counter that the kernel does not provide is zero.
    pub fn read() -> Self {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        Self::parse(&read("/proc/stat"), &read("/sys/fs/cgroup/cpu.stat"))
    }

    /// The `cpu` line of `/proc/stat` (proc(5)) and `nr_throttled` of the control group.
    fn parse(stat: &str, group: &str) -> Self {
        let line = stat.lines().find(|line| line.starts_with("cpu "));
        let figures = line.unwrap_or_default().split_whitespace().skip(1);
        let ticks: Vec<u64> = figures.filter_map(|tick| tick.parse().ok()).collect();
        let throttled = group.lines().find(|line| line.starts_with("nr_throttled"));
        Self {
            // The fields after the eighth, guest and guest_nice, are already included in user and nice.
            ticks: ticks.iter().take(8).sum(),
            stolen: ticks.get(7).copied().unwrap_or(0),
            throttled: throttled
                .and_then(|line| line.split_whitespace().nth(1)?.parse().ok())
                .unwrap_or(0),
        }
    }

    /// The increase since `earlier`.
    pub fn since(&self, earlier: &Self) -> Self {
        Self {
            ticks: self.ticks.saturating_sub(earlier.ticks),
            stolen: self.stolen.saturating_sub(earlier.stolen),
            throttled: self.throttled.saturating_sub(earlier.throttled),
        }
    }

    /// The machine on which more was lost, each counter by itself.
    #[cfg(feature = "cli")]
    pub(super) fn worse(&self, other: &Self) -> Self {
        use std::cmp::Ordering;
        // Cross-multiplied, so that equal shares are equal.
        let (ours, theirs) = (
            u128::from(self.stolen) * u128::from(other.ticks),
            u128::from(other.stolen) * u128::from(self.ticks),
        );
        let worse = match ours.cmp(&theirs) {
            Ordering::Greater => self,
            Ordering::Less => other,
            Ordering::Equal if self.ticks >= other.ticks => self,
            Ordering::Equal => other,
        };
        Self {
            throttled: self.throttled.max(other.throttled),
            ..*worse
        }
    }

    /// Stolen time, in percent of all time.
    pub fn steal_percent(&self) -> f64 {
        if self.ticks == 0 {
            return 0.0;
        }
        self.stolen as f64 / self.ticks as f64 * 100.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steal_and_throttling_are_read() {
        let earlier = Machine::parse("cpu  50 0 25 15 0 0 0 10 7 0\n", "nr_throttled 7\n");
        assert_eq!(earlier.steal_percent(), 10.0);
        let later = Machine::parse(
            "cpu  50 0 25 75 0 0 0 50 7 0\n",
            "usage_usec 1\nnr_throttled 9\n",
        );
        let taken = later.since(&earlier);
        assert_eq!((taken.steal_percent(), taken.throttled), (40.0, 2));
        assert_eq!(Machine::default().steal_percent(), 0.0);
    }
}

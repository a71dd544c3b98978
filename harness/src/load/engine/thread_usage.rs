//! CPU time, run delay and context switches of an engine thread.

use std::fs;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::process::{context_switches_of, run_delay_of};

/// The counters of the calling thread at one time.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Reading {
    cpu: Duration,
    starved: Duration,
    context_switches: u64,
    /// When the reading began and ended, in nanoseconds of the monotonic clock.
    began: u64,
    ended: u64,
}

/// What a thread used between two readings.
#[derive(Debug, Clone, Copy, Default, PartialEq, JsonSchema, Serialize, Deserialize)]
pub struct ThreadUsage {
    /// CPU time.
    pub cpu: Duration,
    /// Time in which it was runnable while another thread ran on its core.
    pub starved: Duration,
    /// Wall time.
    pub wall: Duration,
    /// Voluntary and involuntary context switches.
    pub context_switches: u64,
}

impl Reading {
    /// Reads the counters of the calling thread. This takes some microseconds, too long for every operation.
    pub(crate) fn take() -> Self {
        let read = |file: &str| fs::read_to_string(format!("/proc/thread-self/{file}"));
        let began = super::now();
        let cpu = clock_gettime(ClockId::ThreadCPUTime);
        let starved = run_delay_of(&read("schedstat").unwrap_or_default()).unwrap_or_default();
        let ended = super::now();
        Self {
            cpu: Duration::new(cpu.tv_sec as u64, cpu.tv_nsec as u32),
            starved,
            context_switches: context_switches_of(&read("status").unwrap_or_default()),
            began,
            ended,
        }
    }

    /// The usage since `earlier`. The wall time includes both readings, so that no share of it exceeds 1.
    pub(crate) fn since(&self, earlier: &Self) -> ThreadUsage {
        ThreadUsage {
            cpu: self.cpu.saturating_sub(earlier.cpu),
            starved: self.starved.saturating_sub(earlier.starved),
            wall: Duration::from_nanos(self.ended.saturating_sub(earlier.began)),
            context_switches: self
                .context_switches
                .saturating_sub(earlier.context_switches),
        }
    }
}

impl ThreadUsage {
    /// Share of the wall time in which the thread was runnable but not running.
    pub fn starved_share(&self) -> f64 {
        share(self.starved, self.wall)
    }

    /// Share of the wall time in which the thread ran.
    pub fn busy_share(&self) -> f64 {
        share(self.cpu, self.wall)
    }
}

fn share(part: Duration, whole: Duration) -> f64 {
    if whole.is_zero() {
        return 0.0;
    }
    (part.as_secs_f64() / whole.as_secs_f64()).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_parsed() {
        let status = "Threads:\t1\nvoluntary_ctxt_switches:\t40\nnonvoluntary_ctxt_switches:\t2\n";
        assert_eq!(context_switches_of(status), 42);
    }

    #[test]
    fn work_counts_as_cpu_time() {
        let before = Reading::take();
        while Reading::take().since(&before).cpu < Duration::from_millis(2) {}
        let used = Reading::take().since(&before);
        assert!((0.0..=1.0).contains(&used.busy_share()), "{used:?}");
    }

    /// The shortest possible spans: two readings in immediate succession.
    #[test]
    fn cpu_time_never_exceeds_wall_time() {
        for _ in 0..200 {
            let before = Reading::take();
            let used = Reading::take().since(&before);
            assert!(used.cpu <= used.wall, "{used:?}");
        }
        assert_eq!(ThreadUsage::default().busy_share(), 0.0);
    }
}

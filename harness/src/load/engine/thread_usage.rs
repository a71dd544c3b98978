//! What an engine thread itself used.

use std::fs;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use crate::process::context_switches_of;

/// What the calling thread had used when its counters were read.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Reading {
    cpu: Duration,
    starved: Duration,
    context_switches: u64,
    /// When reading began and ended, in nanoseconds of the monotonic clock.
    began: u64,
    ended: u64,
}

/// What a thread used in a stretch of time.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct ThreadUsage {
    /// CPU time.
    pub cpu: Duration,
    /// Time in which it was ready to run and another had its core.
    pub starved: Duration,
    /// Wall time.
    pub wall: Duration,
    /// Switches to another thread, wanted or not.
    pub context_switches: u64,
}

impl Reading {
    /// Reads the counters of the calling thread. Takes some microseconds: not for every operation.
    pub(crate) fn take() -> Self {
        let read = |file: &str| fs::read_to_string(format!("/proc/thread-self/{file}"));
        let began = super::now();
        let cpu = clock_gettime(ClockId::ThreadCPUTime);
        let starved = run_delay(&read("schedstat").unwrap_or_default());
        let ended = super::now();
        Self {
            cpu: Duration::new(cpu.tv_sec as u64, cpu.tv_nsec as u32),
            starved,
            context_switches: context_switches_of(&read("status").unwrap_or_default()),
            began,
            ended,
        }
    }

    /// What was used since `earlier`. The wall time includes both readings, so that no share of it exceeds one.
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
    /// The share of the wall time in which it was ready and did not run.
    pub fn starved_share(&self) -> f64 {
        share(self.starved, self.wall)
    }

    /// The share of the wall time in which it ran.
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

/// The second figure of `schedstat`: nanoseconds on a run queue (sched-stats in the kernel's documentation).
fn run_delay(schedstat: &str) -> Duration {
    let field = schedstat.split_whitespace().nth(1);
    Duration::from_nanos(field.and_then(|field| field.parse().ok()).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_read() {
        assert_eq!(run_delay("505 1200 3\n"), Duration::from_nanos(1200));
        let status = "Threads:\t1\nvoluntary_ctxt_switches:\t40\nnonvoluntary_ctxt_switches:\t2\n";
        assert_eq!(context_switches_of(status), 42);
    }

    #[test]
    fn work_shows_as_cpu() {
        let before = Reading::take();
        while Reading::take().since(&before).cpu < Duration::from_millis(2) {}
        let used = Reading::take().since(&before);
        assert!((0.0..=1.0).contains(&used.busy_share()), "{used:?}");
    }

    /// The shortest stretches there are: two readings, one right after the other.
    #[test]
    fn no_stretch_is_busier_than_its_wall_time() {
        for _ in 0..200 {
            let before = Reading::take();
            let used = Reading::take().since(&before);
            assert!(used.cpu <= used.wall, "{used:?}");
        }
        assert_eq!(ThreadUsage::default().busy_share(), 0.0);
    }
}

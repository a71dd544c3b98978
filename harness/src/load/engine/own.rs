//! What an engine thread itself used.

use std::fs;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use crate::process::context_switches_of;

/// What the calling thread has used, or used in a stretch of time.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Own {
    /// CPU time.
    pub cpu: Duration,
    /// Time in which it was ready to run and another had its core.
    pub starved: Duration,
    /// Wall time.
    pub wall: Duration,
    /// Switches to another thread, wanted or not.
    pub context_switches: u64,
}

impl Own {
    /// Since the thread began. Costs some microseconds: not for every operation.
    pub fn read() -> Self {
        let read = |file: &str| fs::read_to_string(format!("/proc/thread-self/{file}"));
        let cpu = clock_gettime(ClockId::ThreadCPUTime);
        Self {
            cpu: Duration::new(cpu.tv_sec as u64, cpu.tv_nsec as u32),
            starved: run_delay(&read("schedstat").unwrap_or_default()),
            wall: Duration::from_nanos(super::now()),
            context_switches: context_switches_of(&read("status").unwrap_or_default()),
        }
    }

    /// What was used since `earlier`.
    pub fn since(&self, earlier: &Self) -> Self {
        Self {
            cpu: self.cpu.saturating_sub(earlier.cpu),
            starved: self.starved.saturating_sub(earlier.starved),
            wall: self.wall.saturating_sub(earlier.wall),
            context_switches: self
                .context_switches
                .saturating_sub(earlier.context_switches),
        }
    }

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
    part.as_secs_f64() / whole.as_secs_f64()
}

/// The second figure of `schedstat`: nanoseconds on a run queue (sched-stats of the kernel's documentation).
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
        let before = Own::read();
        while Own::read().since(&before).cpu < Duration::from_millis(2) {}
        let used = Own::read().since(&before);
        // The two clocks are read one after the other.
        assert!((0.0..=1.1).contains(&used.busy_share()), "{used:?}");
    }
}
